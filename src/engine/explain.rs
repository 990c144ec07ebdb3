//! EXPLAIN: the plan as lines of text, with what each operator did if the query was run.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::SessionState;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;

use super::answer::Column;
use super::pin::Pinned;
use super::{columns, failure};
use crate::error::{Error, Result};

/// Runs a plan to its end for its figures.
pub(super) async fn run(physical: &Arc<dyn ExecutionPlan>, state: &SessionState) -> Result<()> {
    let mut stream = execute_stream(Arc::clone(physical), state.task_ctx())
        .map_err(|error| failure::from_datafusion(&error))?;
    while let Some(batch) = stream.next().await {
        batch.map_err(|error| failure::from_datafusion(&error))?;
    }
    Ok(())
}

/// The lines of a plan, in PostgreSQL's one column, and the version of every relation it reads.
pub(super) fn lines(
    pinned: &Pinned,
    physical: &dyn ExecutionPlan,
    analyze: bool,
    verbose: bool,
) -> Result<RecordBatch> {
    let display = match analyze {
        true => DisplayableExecutionPlan::with_metrics(physical),
        false => DisplayableExecutionPlan::new(physical),
    };
    let text = display.indent(verbose).to_string();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut versions: Vec<String> = pinned
        .tables
        .iter()
        .map(|relation| {
            format!(
                "Version: {}.{} {}",
                relation.schema, relation.name, relation.version
            )
        })
        .collect();
    versions.sort_unstable();
    versions.dedup();
    lines.append(&mut versions);
    RecordBatch::try_new(schema(), vec![Arc::new(StringArray::from(lines))])
        .map_err(Error::internal)
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        "QUERY PLAN",
        DataType::Utf8,
        false,
    )]))
}

/// The columns of every EXPLAIN.
pub(super) fn columns() -> Vec<Column> {
    columns::of_schema(&schema())
}
