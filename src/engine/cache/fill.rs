//! Runs a plan whose rows are to be kept, and holds them while they are few enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use futures::StreamExt;
use tokio::sync::mpsc;

use super::Results;
use super::beyond::Apart;
use super::held::{Facts, Held, bytes_of, compact};
use super::key::CacheKey;
use super::reason::Reason;
use super::run::{End, Shared};
use crate::engine::failure;
use crate::engine::travel::Past;
use crate::error::Result;

/// What it costs to hand out a byte that is kept: bytes that are computed as fast are not worth keeping.
const COST_PER_BYTE: f64 = 1.0;

/// Answers of so many bytes are kept whatever they cost: a statement is planned for longer than they
/// are looked for.
const SMALL_BYTES: usize = 64 << 10;

/// The computation of an answer that may be kept.
pub(super) struct Filling {
    pub(super) results: Arc<Results>,
    pub(super) key: CacheKey,
    /// That of its run.
    pub(super) number: u64,
    pub(super) shared: Arc<Shared>,
    pub(super) facts: Facts,
    /// Where temporary files go.
    pub(super) task: Arc<TaskContext>,
    /// When the statement started, that is to be spared.
    pub(super) started: Instant,
    /// Where rows go that are not held.
    pub(super) rest: mpsc::Sender<Result<RecordBatch>>,
    /// Tells what is left where a file is gone.
    pub(super) past: Past,
    pub(super) reserved: Reserved,
}

/// A share of the memory for answers that are being computed.
#[derive(Debug)]
pub(super) struct Reserved {
    all: Arc<AtomicUsize>,
    bytes_max: usize,
    n_bytes: usize,
}

impl Reserved {
    /// Nothing yet, of `bytes_max` for all of them together.
    pub(super) fn new(all: &Arc<AtomicUsize>, bytes_max: usize) -> Self {
        Self {
            all: Arc::clone(all),
            bytes_max,
            n_bytes: 0,
        }
    }

    /// Takes more; whether there was so much.
    fn grow(&mut self, n_bytes: usize) -> bool {
        let order = Ordering::Relaxed;
        let grown = |sum: usize| Some(sum + n_bytes).filter(|sum| *sum <= self.bytes_max);
        let is_taken = self.all.fetch_update(order, order, grown).is_ok();
        if is_taken {
            self.n_bytes += n_bytes;
        }
        is_taken
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.all.fetch_sub(self.n_bytes, Ordering::Relaxed);
    }
}

/// Whether there is room for more rows of an answer.
enum Room {
    Enough,
    /// Not now: others are being computed.
    None,
    /// It has more than one answer may have.
    Never,
}

impl Filling {
    /// Runs the stream to its end, or as long as anybody takes its rows.
    pub(super) async fn run(mut self, mut stream: SendableRecordBatchStream) {
        while let Some(batch) = stream.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    let error = failure::from_datafusion(&error);
                    let error = self.past.explained(error).await;
                    return self.shared.finish(End::Failed(error));
                }
            };
            match self.hold(&batch) {
                Ok(Room::Enough) => continue,
                Ok(Room::None) => {}
                Ok(Room::Never) => self.results.remember(self.key, Reason::TooLarge),
                Err(error) => return self.shared.finish(End::Failed(error)),
            }
            self.results.end(&self.key, self.number, None);
            let mut apart = Apart::default();
            let (task, schema) = (&self.task, &self.facts.schema);
            self.shared
                .goes_beyond(|number| apart.add(number, task, schema));
            return match apart.is_empty() {
                true => self.pass_on(batch, stream).await,
                false => self.pass_apart(apart, batch, stream).await,
            };
        }
        self.whole();
    }

    /// Holds rows, if there is room for them.
    fn hold(&mut self, batch: &RecordBatch) -> Result<Room> {
        let batch = compact(batch)?;
        let n_bytes = bytes_of(std::slice::from_ref(&batch));
        if self.reserved.n_bytes + n_bytes > self.results.answer_bytes_max {
            return Ok(Room::Never);
        }
        if !self.reserved.grow(n_bytes) {
            return Ok(Room::None);
        }
        self.shared.push(batch);
        Ok(Room::Enough)
    }

    /// All rows are held: they are kept, if that is worth it.
    fn whole(self) {
        let cost = self.started.elapsed();
        let held = match Held::new(self.facts.clone(), self.shared.batches(), cost) {
            Ok(held) => Arc::new(held),
            Err(error) => return self.shared.finish(End::Failed(error)),
        };
        let kept = match is_worth_keeping(cost, held.n_bytes()) {
            true => Some(&held),
            false => None,
        };
        self.results.end(&self.key, self.number, kept);
        if kept.is_none() {
            self.results.remember(self.key, Reason::TooCheap);
        }
        self.shared.finish(End::Whole(held));
    }

    /// Sends the rows that are not held to the one who asked first, no faster than he takes them.
    async fn pass_on(self, first: RecordBatch, mut stream: SendableRecordBatchStream) {
        let mut next = Some(Ok(first));
        while let Some(batch) = next {
            let batch = match batch {
                Ok(batch) => Ok(batch),
                Err(error) => {
                    let error = failure::from_datafusion(&error);
                    Err(self.past.explained(error).await)
                }
            };
            let is_last = batch.is_err();
            if self.rest.send(batch).await.is_err() || is_last {
                return;
            }
            next = stream.next().await;
        }
    }
}

impl Filling {
    /// Writes the rows that are not held for each of the readers, as long as there are any.
    async fn pass_apart(
        self,
        mut apart: Apart,
        first: RecordBatch,
        mut stream: SendableRecordBatchStream,
    ) {
        let mut next = Some(Ok(first));
        while let Some(batch) = next {
            let passed = match batch {
                Ok(batch) => apart.push(&batch, &self.shared),
                Err(error) => {
                    let error = failure::from_datafusion(&error);
                    Err(self.past.explained(error).await)
                }
            };
            if let Err(error) = passed {
                return self.shared.finish(End::Failed(error));
            }
            if apart.is_empty() {
                return;
            }
            next = stream.next().await;
        }
        self.shared.finish(End::Given);
    }
}

/// However a computation ends, those who wait for it are told, and the next may begin.
impl Drop for Filling {
    fn drop(&mut self) {
        self.results.end(&self.key, self.number, None);
        self.shared.finish(End::Abandoned);
    }
}

fn is_worth_keeping(cost: Duration, n_bytes: usize) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "it is only compared")]
    let bytes = n_bytes as f64;
    n_bytes <= SMALL_BYTES || cost.as_secs_f64() * 1e9 >= bytes * COST_PER_BYTE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_computed_as_fast_as_it_is_sent_is_not_kept() {
        assert!(is_worth_keeping(Duration::ZERO, SMALL_BYTES));
        assert!(!is_worth_keeping(Duration::from_millis(5), 10 << 20));
        assert!(is_worth_keeping(Duration::from_millis(50), 10 << 20));
    }

    #[test]
    fn all_that_is_being_computed_has_one_bound() {
        let all = Arc::new(AtomicUsize::new(0));
        let mut one = Reserved::new(&all, 100);
        let mut other = Reserved::new(&all, 100);
        assert!(one.grow(60) && other.grow(40));
        assert!(!one.grow(1));
        drop(other);
        assert!(one.grow(40));
        drop(one);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
