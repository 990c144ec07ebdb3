//! Runs a plan on the query runtime, a few batches ahead of its reader.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SessionState;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::answer::{Answer, Column};
use super::bind::shown;
use super::failure;
use super::plan::Plan;
use crate::error::{Error, ErrorKind, Result};
use crate::types;

/// Batches made before the reader takes the first: enough to keep a core busy while one is sent.
const BATCHES_AHEAD: usize = 2;

/// The columns that a schema's rows have for a client.
pub(super) fn columns(schema: &SchemaRef) -> Vec<Column> {
    schema
        .fields()
        .iter()
        .map(|field| Column {
            name: shown(field.name()).to_owned(),
            pg_type: types::of_field(field),
        })
        .collect()
}

/// The physical plan of a logical one.
pub(super) async fn physical(plan: &Plan, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>> {
    state
        .create_physical_plan(&plan.logical)
        .await
        .map_err(|error| failure::from_datafusion(&error))
}

/// Starts a physical plan. `columns` are what the client was told, or is to be told.
pub(super) fn start(
    physical: &Arc<dyn ExecutionPlan>,
    columns: Vec<Column>,
    state: &SessionState,
    cancel: &CancellationToken,
) -> Result<Answer> {
    let schema = physical.schema();
    let mut stream = execute_stream(Arc::clone(physical), state.task_ctx())
        .map_err(|error| failure::from_datafusion(&error))?;
    let (sender, rows) = mpsc::channel(BATCHES_AHEAD);
    let cancel = cancel.clone();
    let task = Handle::current().spawn(async move {
        loop {
            let batch = tokio::select! {
                biased;
                () = cancel.cancelled() => Some(Err(canceled())),
                batch = stream.next() => batch.map(|batch| {
                    batch.map_err(|error| failure::from_datafusion(&error))
                }),
            };
            let Some(batch) = batch else { return };
            let last = batch.is_err();
            if sender.send(batch).await.is_err() || last {
                return;
            }
        }
    });
    Ok(Answer {
        columns,
        schema,
        notices: Vec::new(),
        rows,
        _task: AbortOnDropHandle::new(task),
    })
}

/// An answer whose rows are known already.
pub(super) fn of_batch(batch: RecordBatch) -> Answer {
    let schema = batch.schema();
    let (sender, rows) = mpsc::channel(1);
    let task = Handle::current().spawn(async move {
        // A reader that is gone wants no rows.
        let _ = sender.send(Ok(batch)).await;
    });
    Answer {
        columns: columns(&schema),
        schema,
        notices: Vec::new(),
        rows,
        _task: AbortOnDropHandle::new(task),
    }
}

/// The error of a statement that was stopped.
pub(super) fn canceled() -> Error {
    let message = "canceling statement due to user request";
    Error::new(ErrorKind::QueryCanceled, message)
}
