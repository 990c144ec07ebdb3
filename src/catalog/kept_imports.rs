//! What servers were last seen with, in the state folder: a gateway that begins while a server is down
//! has the tables that the one before it saw. They are looked for anew as soon as it answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Catalog;
use super::views::Import;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::LakeTable;
use crate::sources::warehouse::{RemoteTable, Told};
use crate::storage::Change;

/// The file in the state folder.
const FILE: &str = "imports.json";

/// Which form the file has; one of another form is as if there were none.
const FORMAT: u32 = 1;

/// The names of an import: its server, the schema there and the one here.
type Names = (String, String, String);

/// The tables of imports, as they were last seen.
pub(super) type LastSeen = BTreeMap<Names, Arc<Vec<RemoteTable>>>;

/// The names of an import.
pub(super) fn names(of: &Import) -> Names {
    let (remote, local) = (of.remote.clone(), of.local.clone());
    (of.server.name.clone(), remote, local)
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    imports: Vec<KeptImport>,
}

#[derive(Serialize, Deserialize)]
struct KeptImport {
    server: String,
    remote: String,
    local: String,
    tables: Vec<KeptTable>,
}

#[derive(Serialize, Deserialize)]
struct KeptTable {
    name: String,
    #[serde(flatten)]
    told: Told,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lake: Option<LakeTable>,
}

impl Catalog {
    /// Reads what a gateway before this one has seen, the first time. Never fails: without it, servers are
    /// listed before their tables are known.
    pub(super) async fn recall_imports(&self) {
        let read = async {
            let seen = match self.folders.state.read_file(FILE).await {
                Ok(Some(text)) => read(&text).map(|seen| (seen, text)),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            match seen {
                Ok((seen, text)) => {
                    self.known_mut().last_seen = seen;
                    *self.kept_imports.lock().await = Some(text);
                }
                Err(error) => {
                    tracing::warn!(%error, "what servers were last seen with cannot be read")
                }
            }
        };
        self.recalled_imports.get_or_init(|| read).await;
    }

    /// Writes what servers were last seen with, if that has changed.
    ///
    /// # Errors
    /// The state folder cannot be written.
    pub async fn keep_imports(&self) -> Result<()> {
        let seen = {
            let known = self.known();
            let mut seen = LastSeen::new();
            for import in &known.views.foreign.imports {
                let listed = known.imported.get(import);
                let listed = listed.filter(|listing| listing.error.is_none());
                let tables = listed.map(|listing| &listing.tables);
                if let Some(tables) = tables.or_else(|| known.last_seen.get(&names(import))) {
                    seen.insert(names(import), Arc::clone(tables));
                }
            }
            seen
        };
        let mut last = self.kept_imports.lock().await;
        if seen.is_empty() && last.is_none() {
            return Ok(());
        }
        let text = written(&seen)?;
        if last.as_ref() == Some(&text) {
            return Ok(());
        }
        let change = Change {
            path: FILE.to_owned(),
            before: last.take(),
            after: Some(text.clone()),
        };
        match self.folders.state.commit(vec![change]).await {
            Ok(()) => *last = Some(text),
            // Another gateway has written what it saw of the same servers.
            Err(error) if error.kind() == ErrorKind::SerializationFailure => {
                *last = self.folders.state.read_file(FILE).await?;
            }
            // A lake that is only read has nowhere to keep it.
            Err(error) if error.kind() == ErrorKind::ReadOnlySqlTransaction => *last = Some(text),
            Err(error) => return Err(error),
        }
        self.known_mut().last_seen = seen;
        Ok(())
    }
}

fn read(text: &str) -> Result<LastSeen> {
    let kept: Kept = serde_json::from_str(text).map_err(Error::internal)?;
    if kept.format != FORMAT {
        return Ok(LastSeen::new());
    }
    let imports = kept.imports.into_iter().map(|import| {
        let tables = import.tables.into_iter().map(|table| RemoteTable {
            name: table.name,
            told: table.told,
            lake: table.lake,
        });
        let names = (import.server, import.remote, import.local);
        (names, Arc::new(tables.collect()))
    });
    Ok(imports.collect())
}

fn written(seen: &LastSeen) -> Result<String> {
    let imports = seen.iter().map(|((server, remote, local), tables)| {
        let tables = tables.iter().map(|table| KeptTable {
            name: table.name.clone(),
            told: table.told.clone(),
            lake: table.lake.clone(),
        });
        KeptImport {
            server: server.clone(),
            remote: remote.clone(),
            local: local.clone(),
            tables: tables.collect(),
        }
    });
    let kept = Kept {
        format: FORMAT,
        imports: imports.collect(),
    };
    serde_json::to_string(&kept).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Layout;
    use crate::sources::warehouse::{RemoteKey, RemoteKeyKind};

    #[test]
    fn what_is_written_is_read() {
        let table = RemoteTable {
            name: "a\"b".to_owned(),
            told: Told {
                comment: Some("it's one".to_owned()),
                columns: [("a".to_owned(), "its column".to_owned())].into(),
                keys: vec![RemoteKey {
                    name: Some("t_pkey".to_owned()),
                    columns: vec!["a".to_owned()],
                    kind: RemoteKeyKind::Foreign("u".to_owned(), vec!["b".to_owned()]),
                    is_enforced: true,
                }],
            },
            lake: Some(LakeTable {
                path: "_servers/a@0/s/t".to_owned(),
                layout: Layout::Delta,
            }),
        };
        let names = ("dwh".to_owned(), "public".to_owned(), "mart".to_owned());
        let seen = LastSeen::from([(names, Arc::new(vec![table]))]);
        let text = written(&seen).expect("it can be written");
        assert_eq!(read(&text).expect("it can be read"), seen);
        // As gateways before this one wrote it.
        let bare = "{\"format\":1,\"imports\":[{\"server\":\"s\",\"remote\":\"r\",\"local\":\"l\",\
            \"tables\":[{\"name\":\"t\",\"comment\":null}]}]}";
        assert_eq!(read(bare).expect("it can be read").len(), 1);
        assert!(read("{}").is_err());
        let other = text.replace("\"format\":1", "\"format\":2");
        assert!(read(&other).expect("it is another form").is_empty());
    }
}
