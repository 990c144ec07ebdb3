//! What a statement answers: columns at once, rows as a stream.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use tokio_util::task::AbortOnDropHandle;

use crate::error::Result;
use crate::types::PgType;

/// A column of an answer, as RowDescription states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name PostgreSQL would give it.
    pub name: String,
    /// Its type.
    pub pg_type: PgType,
}

/// What a statement will take and give, before it is run.
#[derive(Clone, Debug)]
pub struct Description {
    /// The types of `$1`, `$2` ...: as declared, else inferred, else text.
    pub parameters: Vec<PgType>,
    /// The columns of its rows.
    pub columns: Vec<Column>,
}

/// A running statement. Dropping it stops the statement.
#[derive(Debug)]
pub struct Answer {
    /// The columns of its rows.
    pub columns: Vec<Column>,
    /// The Arrow schema of the batches; names in it are internal.
    pub schema: SchemaRef,
    /// Messages for the client, to be sent before the first row.
    pub notices: Vec<String>,
    pub(super) rows: Batches,
}

/// Where an answer's rows come from.
#[derive(Debug)]
pub(super) enum Batches {
    /// A running plan.
    Running {
        rows: mpsc::Receiver<Result<RecordBatch>>,
        _task: AbortOnDropHandle<()>,
        /// Ends what the task cannot be aborted in.
        _stop: DropGuard,
    },
    /// Rows that are known already.
    Ready(Option<RecordBatch>),
}

impl Answer {
    /// An answer whose rows are known already.
    pub(super) fn of_batch(columns: Vec<Column>, batch: RecordBatch) -> Self {
        Self {
            columns,
            schema: batch.schema(),
            notices: Vec::new(),
            rows: Batches::Ready(Some(batch)),
        }
    }

    /// The next rows; `None` after the last. The statement runs at most a few batches ahead of
    /// its reader. Cancel safe.
    ///
    /// # Errors
    /// Whatever stopped the statement; nothing follows an error.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        match &mut self.rows {
            Batches::Running { rows, .. } => rows.recv().await,
            Batches::Ready(batch) => batch.take().map(Ok),
        }
    }
}
