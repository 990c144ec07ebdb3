//! What a table's log tells of it as rows: its versions, its files, and what became of its columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};
use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use serde::Deserialize;
use serde_json::Value;

use super::at::Log;
use super::{DeltaTables, READS_MAX};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::{At, Told};
use crate::types::{TYPE_KEY, oid};

/// The actions of a commit that are told.
#[derive(Default, Deserialize)]
struct Action {
    #[serde(rename = "commitInfo")]
    commit_info: Option<CommitInfo>,
    #[serde(rename = "metaData")]
    metadata: Option<Metadata>,
}

/// What a writer says of a commit: anything, so that nothing is asked of it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CommitInfo {
    operation: Option<String>,
    user_name: Option<String>,
    engine_info: Option<String>,
    operation_parameters: Option<Value>,
    operation_metrics: Option<Value>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "schemaString")]
    schema: String,
}

#[derive(Deserialize)]
struct Columns {
    fields: Vec<ColumnOf>,
}

#[derive(Deserialize)]
struct ColumnOf {
    name: String,
    r#type: Value,
}

/// What became of a column: the version and its instant, the column, its type before and after.
type Altered = (u64, i64, String, Option<String>, Option<String>);

/// What a commit says.
struct Commit {
    version: u64,
    /// In microseconds since 1970.
    at: i64,
    info: CommitInfo,
    metadata: Option<Metadata>,
}

impl DeltaTables {
    /// What is told of the table at `path`.
    ///
    /// # Errors
    /// The log cannot be read, or is damaged; `InvalidParameterValue`: there is no such moment.
    pub(in crate::sources::lake) async fn told(
        &self,
        path: &str,
        told: Told,
        at: Option<At>,
    ) -> Result<RecordBatch> {
        match told {
            Told::History => self.history_of(path).await,
            Told::Files => self.files_of(path, at).await,
            Told::SchemaHistory => self.schemas_of(path).await,
        }
    }

    /// The newest first.
    async fn history_of(&self, path: &str) -> Result<RecordBatch> {
        let log = self.log(path).await?;
        let mut commits = self.commits_of(path, &log).await?;
        let lost = self.lost(path, &log).await?;
        commits.reverse();
        let text = |of: fn(&CommitInfo) -> Option<String>| -> ArrayRef {
            let texts = commits.iter().map(|commit| of(&commit.info));
            Arc::new(texts.collect::<StringArray>())
        };
        let is_readable = |commit: &Commit| {
            Some(log.history.is_readable(commit.version) && !lost.has(commit.version))
        };
        let readable: BooleanArray = commits.iter().map(is_readable).collect();
        rows(vec![
            ("version", versions(&commits), None),
            (
                "timestamp",
                instants(commits.iter().map(|commit| Some(commit.at))),
                None,
            ),
            ("operation", text(|info| info.operation.clone()), None),
            ("user_name", text(|info| info.user_name.clone()), None),
            ("engine", text(|info| info.engine_info.clone()), None),
            (
                "parameters",
                text(|info| json(info.operation_parameters.as_ref())),
                Some(oid::JSON),
            ),
            (
                "metrics",
                text(|info| json(info.operation_metrics.as_ref())),
                Some(oid::JSON),
            ),
            ("readable", Arc::new(readable), None),
        ])
    }

    async fn files_of(&self, path: &str, at: Option<At>) -> Result<RecordBatch> {
        let log = self.log(path).await?;
        let version = self.require_version(path, &log, at).await?;
        let past = self.version(path, &log, version).await?;
        let whole = past.snapshot.whole().await?;
        let mut files: Vec<_> = whole.state().log_data().into_iter().collect();
        files.sort_by_key(|file| file.path().into_owned());
        let names: StringArray = files
            .iter()
            .map(|file| Some(file.path().into_owned()))
            .collect();
        let sizes: Int64Array = files.iter().map(|file| Some(file.size())).collect();
        let counted = files
            .iter()
            .map(|file| i64::try_from(file.num_records()?).ok());
        let counted: Int64Array = counted.collect();
        let changed = files
            .iter()
            .map(|file| file.modification_time().checked_mul(1_000));
        let parts = files.iter().map(|file| {
            let values: BTreeMap<_, _> = file.partition_values_map().into_iter().collect();
            serde_json::to_string(&values).ok()
        });
        let parts: StringArray = parts.collect();
        let vectors = files
            .iter()
            .map(|file| Some(file.deletion_vector_descriptor().is_some()));
        let vectors: BooleanArray = vectors.collect();
        rows(vec![
            ("path", Arc::new(names), None),
            ("size_bytes", Arc::new(sizes), None),
            ("n_rows", Arc::new(counted), None),
            ("modified_at", instants(changed), None),
            ("partition_values", Arc::new(parts), Some(oid::JSON)),
            ("has_deletion_vector", Arc::new(vectors), None),
        ])
    }

    /// What became of each column, the oldest first: those that the oldest version has were added by it.
    async fn schemas_of(&self, path: &str) -> Result<RecordBatch> {
        let log = self.log(path).await?;
        let commits = self.commits_of(path, &log).await?;
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        let mut told: Vec<Altered> = Vec::new();
        for (index, commit) in commits.iter().enumerate() {
            let columns = match (&commit.metadata, index) {
                (Some(metadata), _) => columns_of(path, &metadata.schema)?,
                // What a checkpoint began with is not in its commit.
                (None, 0) => {
                    let past = self.version(path, &log, commit.version).await?;
                    let described = past.snapshot.described().state();
                    let schema = serde_json::to_string(described.schema().as_ref());
                    columns_of(path, &schema.map_err(Error::internal)?)?
                }
                (None, _) => continue,
            };
            let (at, version) = (commit.at, commit.version);
            for (name, was) in &known {
                if !columns.contains_key(name) {
                    told.push((version, at, name.clone(), Some(was.clone()), None));
                }
            }
            for (name, is) in &columns {
                let was = known.get(name);
                if was != Some(is) {
                    told.push((version, at, name.clone(), was.cloned(), Some(is.clone())));
                }
            }
            known = columns;
        }
        let numbers = told.iter().map(|told| i64::try_from(told.0).ok());
        let changes = told.iter().map(|told| match (&told.3, &told.4) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        });
        let texts = |of: fn(&Altered) -> Option<String>| -> ArrayRef {
            Arc::new(told.iter().map(of).collect::<StringArray>())
        };
        rows(vec![
            ("version", Arc::new(numbers.collect::<Int64Array>()), None),
            (
                "timestamp",
                instants(told.iter().map(|told| Some(told.1))),
                None,
            ),
            (
                "change",
                Arc::new(changes.map(Some).collect::<StringArray>()),
                None,
            ),
            ("column_name", texts(|told| Some(told.2.clone())), None),
            ("old_type", texts(|told| told.3.clone()), None),
            ("new_type", texts(|told| told.4.clone()), None),
        ])
    }

    /// Every commit that is left, the oldest first.
    async fn commits_of(&self, path: &str, log: &Log) -> Result<Vec<Commit>> {
        let enablement = self.enablement(path, log).await?;
        stream::iter(log.history.times())
            .map(|(version, written)| async move {
                let actions: Vec<Action> = self.actions(path, version).await?;
                let millis = match enablement {
                    Some(own) if version >= own.version => {
                        self.own_time(path, log, version).await?
                    }
                    _ => written,
                };
                let mut commit = Commit {
                    version,
                    at: millis.saturating_mul(1_000),
                    info: CommitInfo::default(),
                    metadata: None,
                };
                for action in actions {
                    commit.info = action.commit_info.unwrap_or(commit.info);
                    commit.metadata = action.metadata.or(commit.metadata);
                }
                Ok::<_, Error>(commit)
            })
            .buffered(READS_MAX)
            .try_collect()
            .await
    }
}

/// The columns of a schema, and their types as the protocol writes them.
fn columns_of(path: &str, schema: &str) -> Result<BTreeMap<String, String>> {
    let columns: Columns = serde_json::from_str(schema).map_err(|cause| {
        let message = format!("a schema in the log of table \"{path}\" is damaged");
        Error::new(ErrorKind::DataCorrupted, message).with_cause(cause)
    })?;
    let columns = columns.fields.into_iter().map(|column| {
        let shown = match column.r#type {
            Value::String(name) => name,
            nested => nested.to_string(),
        };
        (column.name, shown)
    });
    Ok(columns.collect())
}

fn json(value: Option<&Value>) -> Option<String> {
    value.map(Value::to_string)
}

fn versions(commits: &[Commit]) -> ArrayRef {
    let numbers = commits
        .iter()
        .map(|commit| i64::try_from(commit.version).ok());
    Arc::new(numbers.collect::<Int64Array>())
}

/// Instants, given in microseconds since 1970.
fn instants(micros: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let instants = micros.collect::<TimestampMicrosecondArray>();
    Arc::new(instants.with_timezone("UTC"))
}

/// Rows of named columns; of some the values alone do not tell the type.
fn rows(columns: Vec<(&str, ArrayRef, Option<u32>)>) -> Result<RecordBatch> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, values, type_oid)| {
            let field = Field::new(*name, values.data_type().clone(), true);
            match type_oid {
                Some(type_oid) => {
                    let key = (TYPE_KEY.to_owned(), type_oid.to_string());
                    field.with_metadata([key].into())
                }
                None => field,
            }
        })
        .collect();
    let columns = columns.into_iter().map(|(_, values, _)| values).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::internal)
}
