//! The rows of a computation behind those that are held, where several read them: each has his own in temporary
//! files, and reads them at his own pace. So nobody waits for another's client, and none of them is lost.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::spill::SpillManager;
use datafusion::physical_plan::spill::spill_pool::{SpillPoolSink, spsc_channel};
use futures::StreamExt;

use super::run::Shared;
use crate::engine::failure;
use crate::error::Result;

/// Bytes of rows in one file. One that was read to its end is removed.
const FILE_BYTES_MAX: usize = 64 << 20;

/// What one reader gets.
pub(super) struct Rest(Mutex<SendableRecordBatchStream>);

/// What is written for all of them. It counts among the temporary files of the statement that runs.
#[derive(Default)]
pub(super) struct Apart {
    /// By the reader's number.
    files: Vec<(usize, SpillPoolSink)>,
}

impl Apart {
    /// What a reader of this number gets of what is written from now on.
    pub(super) fn add(&mut self, number: usize, task: &TaskContext, schema: &SchemaRef) -> Rest {
        let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
        let manager = SpillManager::new(task.runtime_env(), metrics, Arc::clone(schema));
        let (file, rows) = spsc_channel(FILE_BYTES_MAX, Arc::new(manager));
        self.files.push((number, file));
        Rest(Mutex::new(rows))
    }

    /// Whether nobody is left to read.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Writes rows for those who are still there. Blocks for as long as a disk takes them.
    ///
    /// # Errors
    /// There is no more room for temporary files.
    pub(super) fn push(&mut self, batch: &RecordBatch, shared: &Shared) -> Result<()> {
        self.files.retain(|(number, _)| shared.is_there(*number));
        self.files.iter().try_for_each(|(_, file)| {
            let pushed = file.push_batch(batch);
            pushed.map_err(|error| failure::from_datafusion(&error))
        })
    }
}

impl Rest {
    /// The next rows; `None` after the last that were written. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Result<RecordBatch>> {
        let rows = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let batch = rows.next().await?;
        Some(batch.map_err(|error| failure::from_datafusion(&error)))
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use tokio::runtime::Handle;
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::AbortOnDropHandle;

    use super::super::held::Facts;
    use super::super::run::{End, FIRST, Reading, Run};
    use super::*;
    use crate::error::{Error, ErrorKind};

    fn batch(number: i64) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![number]));
        RecordBatch::try_from_iter([("n", column)]).expect("one column")
    }

    /// A computation that runs, and its first reader.
    fn running() -> (Arc<Run>, Reading) {
        let run = Arc::new(Run::new(1));
        let (_, rest) = mpsc::channel(1);
        let first = Reading::new(Arc::clone(&run), FIRST, rest, CancellationToken::new());
        let facts = Facts {
            columns: Vec::new(),
            schema: batch(0).schema(),
            scanned: 0,
            until: None,
        };
        let task = Handle::current().spawn(std::future::ready(()));
        run.runs(
            facts,
            AbortOnDropHandle::new(task),
            CancellationToken::new(),
        );
        (run, first)
    }

    /// The next number, if it comes at once.
    async fn next(reading: &mut Reading) -> Option<i64> {
        let waiting = tokio::time::timeout(Duration::from_secs(20), reading.next());
        let batch = waiting.await.expect("it comes")?;
        let batch = batch.expect("it does not fail");
        Some(batch.column(0).as_primitive::<Int64Type>().value(0))
    }

    fn goes_beyond(run: &Run) -> Apart {
        let mut apart = Apart::default();
        let (task, schema) = (TaskContext::default(), batch(0).schema());
        let shared = &run.shared;
        shared.goes_beyond(|number| apart.add(number, &task, &schema));
        apart
    }

    #[tokio::test]
    async fn rows_come_before_the_end() {
        let (run, mut first) = running();
        run.shared.push(batch(0));
        assert!(run.begun().await.is_none());
        let mut along = run.along(CancellationToken::new()).expect("it runs");
        for reader in [&mut first, &mut along] {
            assert_eq!(next(reader).await, Some(0));
        }
        run.shared.push(batch(1));
        // The first may leave.
        drop(first);
        assert_eq!(next(&mut along).await, Some(1));
        run.shared.finish(End::Failed(Error::new(
            ErrorKind::DivisionByZero,
            "division by zero",
        )));
        let failed = along.next().await.expect("it is told");
        assert_eq!(
            failed.expect_err("it failed").kind(),
            ErrorKind::DivisionByZero
        );
        assert!(along.next().await.is_none());
    }

    #[tokio::test]
    async fn nobody_loses_rows_that_are_not_held() {
        let (run, mut first) = running();
        run.shared.push(batch(0));
        let mut quick = run.along(CancellationToken::new()).expect("it runs");
        let mut slow = run.along(CancellationToken::new()).expect("it runs");
        let gone = run.along(CancellationToken::new()).expect("it runs");
        assert_eq!(next(&mut quick).await, Some(0));
        let mut apart = goes_beyond(&run);
        // Whoever comes now computes for himself.
        assert!(run.along(CancellationToken::new()).is_none());
        assert!(matches!(run.begun().await, Some(End::Alone)));
        drop(gone);
        for number in 1..100 {
            apart
                .push(&batch(number), &run.shared)
                .expect("the disk has room");
            assert_eq!(next(&mut quick).await, Some(number));
        }
        drop(apart);
        run.shared.finish(End::Given);
        assert_eq!(next(&mut quick).await, None);
        for reader in [&mut first, &mut slow] {
            for number in 0..100 {
                assert_eq!(next(reader).await, Some(number));
            }
            assert_eq!(next(reader).await, None);
        }
    }

    #[tokio::test]
    async fn who_is_alone_gets_them_himself() {
        let (run, first) = running();
        run.shared.push(batch(0));
        drop(run.along(CancellationToken::new()));
        assert!(goes_beyond(&run).is_empty());
        assert!(matches!(run.begun().await, Some(End::Alone)));
        drop(first);
    }
}
