//! EXPLAIN: the plan of a query, with what each operator did if the query was run.

mod json;
mod options;
mod read;
mod text;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;

use super::answer::{Answer, Column};
use super::pin::Pinned;
use super::rewrite::{Reason, Verdicts};
use super::{columns, failure};
use crate::error::{Error, Result};
use crate::types::{TYPE_KEY, oid};
pub(super) use options::parse;
pub use options::{ExplainFormat, ExplainOptions};
use read::Read;

/// What is explained.
struct Explained<'a> {
    pinned: &'a Pinned,
    verdicts: &'a Verdicts,
    physical: &'a dyn ExecutionPlan,
    options: ExplainOptions,
    planning: Duration,
    /// How long it ran, if it did.
    execution: Option<Duration>,
    /// What it read, if it ran and that may be told.
    read: Option<Read>,
    /// What the query finds in the cache of answers; `None` where it was not run.
    cache: Option<String>,
}

/// The answer of an EXPLAIN; `started` is when planning began, `cache` what the query finds among the
/// answers that are kept. It is run all the same: its figures are what was asked for.
pub(super) async fn answer(
    (pinned, verdicts): (&Pinned, &Verdicts),
    physical: &Arc<dyn ExecutionPlan>,
    options: ExplainOptions,
    (started, cache): (Instant, Option<String>),
    task: Arc<TaskContext>,
) -> Result<Answer> {
    let planning = started.elapsed();
    let execution = match options.analyze {
        true => Some(run(physical, task).await?),
        false => None,
    };
    let read = execution.and_then(|_| Read::of(physical.as_ref()));
    let explained = Explained {
        pinned,
        verdicts,
        physical: physical.as_ref(),
        options,
        planning,
        execution,
        read,
        cache,
    };
    let lines = match options.format {
        ExplainFormat::Text => text::lines(&explained),
        ExplainFormat::Json => vec![json::document(&explained)],
    };
    let schema = schema(options.format);
    let lines = RecordBatch::try_new(schema, vec![Arc::new(StringArray::from(lines))]);
    let lines = lines.map_err(Error::internal)?;
    Ok(Answer::of_batch(columns::of_schema(&lines.schema()), lines))
}

/// Runs a plan to its end for its figures; how long it took.
async fn run(physical: &Arc<dyn ExecutionPlan>, task: Arc<TaskContext>) -> Result<Duration> {
    let started = Instant::now();
    let mut stream = execute_stream(Arc::clone(physical), task)
        .map_err(|error| failure::from_datafusion(&error))?;
    while let Some(batch) = stream.next().await {
        batch.map_err(|error| failure::from_datafusion(&error))?;
    }
    Ok(started.elapsed())
}

/// The versions of the relations that are read: name and version, in the order of the names.
fn versions(pinned: &Pinned) -> Vec<(String, String)> {
    let relations = pinned.tables.iter().map(|relation| {
        let name = format!("{}.{}", relation.schema, relation.name);
        let version = relation.version.to_string();
        match relation.at {
            Some(_) => (format!("{name}@{version}"), version),
            None => (name, version),
        }
    });
    let mut versions: Vec<_> = relations.collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// A materialized view that is read: its name, the version of its table, and how many files are read beside it, of rows
/// that came since and of rows that went.
type StoredRead = (String, u64, (usize, usize));

/// The materialized views whose stored rows are read.
fn stored(explained: &Explained<'_>) -> Vec<StoredRead> {
    let named = explained.pinned.stored.values();
    let named = named.map(|view| (view.name.clone(), view.version, view.n_changed));
    let mut stored: Vec<_> = named.chain(explained.verdicts.used()).collect();
    stored.sort_unstable();
    stored.dedup();
    stored
}

/// The materialized views that might have been read, each with the reason why it is not, if that is asked for.
fn not_used(explained: &Explained<'_>) -> Vec<(String, Reason)> {
    match explained.options.why {
        true => explained.verdicts.not_used().collect(),
        false => Vec::new(),
    }
}

/// Milliseconds with three digits of a fraction, as PostgreSQL writes times.
fn milliseconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64() * 1e3)
}

fn schema(format: ExplainFormat) -> SchemaRef {
    let field = Field::new("QUERY PLAN", DataType::Utf8, false);
    let field = match format {
        ExplainFormat::Text => field,
        ExplainFormat::Json => {
            field.with_metadata([(TYPE_KEY.to_owned(), oid::JSON.to_string())].into())
        }
    };
    Arc::new(Schema::new(vec![field]))
}

/// The columns of every EXPLAIN with these options.
pub fn columns(options: ExplainOptions) -> Vec<Column> {
    columns::of_schema(&schema(options.format))
}
