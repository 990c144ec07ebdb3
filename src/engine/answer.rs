//! What a statement answers: columns at once, rows as a stream.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use tokio_util::task::AbortOnDropHandle;

use super::cache::{Form, Given, Reading};
use super::history::Asking;
use crate::error::{Error, Result};
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
    /// Remembers it, once it ends.
    pub(super) asking: Option<Box<Asking>>,
}

/// Where an answer's rows come from.
#[derive(Debug)]
pub(super) enum Batches {
    /// A running plan.
    Running {
        rows: mpsc::Receiver<Result<RecordBatch>>,
        /// `None` if there are no others than those that were made at once.
        _task: Option<AbortOnDropHandle<()>>,
        /// Ends what the task cannot be aborted in.
        _stop: DropGuard,
    },
    /// Rows that are known already.
    Ready(Option<RecordBatch>),
    /// Rows that are being kept while they come.
    Kept(Box<Reading>),
    /// Rows that were kept.
    Held(Given),
}

impl Answer {
    /// An answer whose rows are known already.
    pub(super) fn of_batch(columns: Vec<Column>, batch: RecordBatch) -> Self {
        Self {
            columns,
            schema: batch.schema(),
            notices: Vec::new(),
            rows: Batches::Ready(Some(batch)),
            asking: None,
        }
    }

    /// An answer that was kept.
    pub(super) fn of_held(given: Given) -> Self {
        Self {
            columns: given.columns().to_vec(),
            schema: Arc::clone(given.schema()),
            notices: Vec::new(),
            rows: Batches::Held(given),
            asking: None,
        }
    }

    /// All rows as they were once written in a form, and how many they are, if that is kept and none was taken: no
    /// others follow.
    pub fn written(&mut self, form: &Form) -> Option<(Bytes, usize)> {
        let Batches::Held(given) = &mut self.rows else {
            return None;
        };
        let (bytes, n_rows) = given.written(form)?;
        if let Some(asking) = &mut self.asking {
            asking.gave(n_rows);
            asking.tell();
        }
        Some((bytes, n_rows))
    }

    /// Keeps how all its rows were written in a form, if they are kept themselves.
    pub fn keep_written(&self, form: Form, bytes: &[u8]) {
        if let Batches::Held(given) = &self.rows {
            given.keep_written(form, bytes);
        }
    }

    /// Whether it may be of use to keep how its rows are written.
    pub fn is_kept(&self) -> bool {
        matches!(self.rows, Batches::Held(_))
    }

    /// An answer that is being computed, and perhaps kept.
    ///
    /// # Errors
    /// It does not run: a fault of ours.
    pub(super) fn of_reading(reading: Box<Reading>) -> Result<Self> {
        let Some(facts) = reading.facts() else {
            let message = "an answer is read that is not computed";
            return Err(Error::internal(std::io::Error::other(message)));
        };
        Ok(Self {
            columns: facts.columns.clone(),
            schema: Arc::clone(&facts.schema),
            notices: Vec::new(),
            rows: Batches::Kept(reading),
            asking: None,
        })
    }

    /// The next rows; `None` after the last. The statement runs at most a few batches ahead of
    /// its reader. Cancel safe.
    ///
    /// # Errors
    /// Whatever stopped the statement; nothing follows an error.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        let next = self.rows.next().await;
        if let Some(asking) = &mut self.asking {
            match &next {
                Some(Ok(batch)) => asking.gave(batch.num_rows()),
                Some(Err(error)) => asking.failed(error),
                None => asking.tell(),
            }
        }
        next
    }
}

impl Batches {
    /// As [`Answer::next`].
    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        match self {
            Self::Running { rows, .. } => rows.recv().await,
            Self::Ready(batch) => batch.take().map(Ok),
            Self::Kept(reading) => reading.next().await,
            Self::Held(given) => given.next().map(Ok),
        }
    }
}
