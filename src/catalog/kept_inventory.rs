//! What is known of tables, in the state folder: a gateway begins with what the one before it learned. It may be
//! old, so that each table is opened again by the first round; until then catalog queries show it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::convert::{IpcSchemaEncoder, fb_to_schema};
use arrow::ipc::root_as_schema;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Catalog;
use super::inventory::Facts;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::{LakeTable, Size};
use crate::storage::Change;

/// The file in the state folder.
const FILE: &str = "inventory.json";

/// Which form the file has; one of another form is as if there were none.
const FORMAT: u32 = 1;

/// How long it is not written again, however much is learned: it is large where there are many tables.
const REST: Duration = Duration::from_secs(60);

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    /// Each once, as Arrow's IPC format has schemas, in base64.
    columns: Vec<String>,
    tables: Vec<KeptTable>,
}

#[derive(Serialize, Deserialize)]
struct KeptTable {
    table: LakeTable,
    /// Which of the columns.
    columns: usize,
    size: Size,
}

/// What the file holds, as far as this gateway knows.
#[derive(Debug, Default)]
pub(super) struct LastKept {
    /// Of what was learned.
    generation: u64,
    at: Option<Instant>,
    text: Option<String>,
}

impl Catalog {
    /// Reads what a gateway before this one has learned, the first time. Never fails: without it, everything is
    /// learned anew.
    pub(super) async fn recall_inventory(&self) {
        let read = async {
            let text = match self.folders.state.read_file(FILE).await {
                Ok(Some(text)) => text,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "what is known of tables cannot be read");
                    return;
                }
            };
            match read(&text) {
                Ok(tables) => self.opened.recall(tables),
                Err(error) => tracing::warn!(%error, "what is known of tables is damaged"),
            }
            self.last_kept.lock().await.text = Some(text);
        };
        self.recalled.get_or_init(|| read).await;
    }

    /// Writes what is known of tables, if columns were learned since.
    ///
    /// # Errors
    /// The state folder cannot be written.
    pub async fn keep_inventory(&self) -> Result<()> {
        let mut last = self.last_kept.lock().await;
        let rests = last.at.is_some_and(|at| at.elapsed() < REST);
        let Some((generation, tables)) = self.opened.learned(last.generation).filter(|_| !rests)
        else {
            return Ok(());
        };
        (last.generation, last.at) = (generation, Some(Instant::now()));
        let text = written(tables)?;
        if last.text.as_ref() == Some(&text) {
            return Ok(());
        }
        let change = Change {
            path: FILE.to_owned(),
            before: last.text.take(),
            after: Some(text.clone()),
        };
        match self.folders.state.commit(vec![change]).await {
            Ok(()) => last.text = Some(text),
            // Another gateway has written what it learned of the same tables.
            Err(error) if error.kind() == ErrorKind::SerializationFailure => {
                last.text = self.folders.state.read_file(FILE).await?;
            }
            // A lake that is only read has nowhere to keep it.
            Err(error) if error.kind() == ErrorKind::ReadOnlySqlTransaction => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn read(text: &str) -> Result<Vec<(LakeTable, Facts)>> {
    let kept: Kept = serde_json::from_str(text).map_err(Error::internal)?;
    if kept.format != FORMAT {
        return Ok(Vec::new());
    }
    let columns = kept.columns.iter().map(|encoded| {
        let bytes = STANDARD.decode(encoded).map_err(Error::internal)?;
        let columns = root_as_schema(&bytes).map_err(|cause| {
            Error::new(ErrorKind::DataCorrupted, "columns of a table are damaged")
                .with_detail(cause.to_string())
        })?;
        Ok(SchemaRef::new(fb_to_schema(columns)))
    });
    let columns: Vec<SchemaRef> = columns.collect::<Result<_>>()?;
    let tables = kept.tables.into_iter().filter_map(|kept| {
        let columns = SchemaRef::clone(columns.get(kept.columns)?);
        let facts = Facts {
            columns,
            size: kept.size,
        };
        Some((kept.table, facts))
    });
    Ok(tables.collect())
}

fn written(mut tables: Vec<(LakeTable, Facts)>) -> Result<String> {
    tables.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut columns = Vec::new();
    let kept = tables.into_iter().map(|(table, facts)| {
        let encoded = encoded(&facts.columns);
        let number = numbers.entry(encoded).or_insert_with_key(|encoded| {
            columns.push(encoded.clone());
            columns.len() - 1
        });
        KeptTable {
            table,
            columns: *number,
            size: facts.size,
        }
    });
    let tables = kept.collect();
    let kept = Kept {
        format: FORMAT,
        columns,
        tables,
    };
    serde_json::to_string(&kept).map_err(Error::internal)
}

fn encoded(columns: &Schema) -> String {
    let bytes = IpcSchemaEncoder::new().schema_to_fb(columns);
    STANDARD.encode(bytes.finished_data())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;
    use crate::sources::Layout;

    #[test]
    fn what_is_written_is_read() {
        let columns = |name: &str| {
            let key = ("lakegate.type".to_owned(), "25".to_owned());
            let field = Field::new(name, DataType::Decimal128(12, 2), true);
            SchemaRef::new(Schema::new(vec![field.with_metadata([key].into())]))
        };
        let table = |path: &str, rows, name: &str| {
            let table = LakeTable {
                path: path.to_owned(),
                layout: Layout::Delta,
            };
            let size = Size { rows, bytes: 7 };
            let columns = columns(name);
            (table, Facts { columns, size })
        };
        let tables = vec![
            table("a", Some(3), "x"),
            table("b", None, "y"),
            table("c", Some(0), "x"),
        ];
        let text = written(tables.clone()).expect("it can be written");
        assert_eq!(read(&text).expect("it can be read"), tables);
        assert!(read("{}").is_err());
        let other = text.replace("\"format\":1", "\"format\":2");
        assert!(read(&other).expect("it is another form").is_empty());
    }
}
