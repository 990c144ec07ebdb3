//! One computation of an answer, for all who ask for it meanwhile.
//!
//! Whoever asks first has it planned and started; its rows are held as they come. Others wait for it,
//! and get the whole. It goes on as long as anybody wants it, whoever that is: the task and what stops
//! it belong to a [`Run`], which the askers share. If nobody is left before it runs, or it is not for
//! sharing, the next who waits begins it anew.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arrow::array::RecordBatch;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use super::held::Held;
use crate::engine::execute::canceled;
use crate::error::{Error, Result};

/// A computation, as long as anybody wants its rows.
#[derive(Debug)]
pub(in crate::engine) struct Run {
    /// Its number, which no other one of this process has.
    pub(super) number: u64,
    pub(super) shared: Arc<Shared>,
    task: OnceLock<(AbortOnDropHandle<()>, DropGuard)>,
}

/// What a computation and those who wait for it know of it.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Told of every change of the state.
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The rows that have come, while all are held.
    batches: Vec<RecordBatch>,
    end: Option<End>,
}

/// How a computation, or the sharing of it, ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// All rows are there.
    Whole(Arc<Held>),
    /// It is not for sharing: each who waits computes for himself. What more rows there are, or what
    /// they ended with, goes to the first alone.
    Alone,
    /// It failed; only the first is told, by [`Reading::next`].
    Failed(Error),
    /// Nobody was left who wanted it.
    Abandoned,
}

impl Run {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            shared: Arc::new(Shared {
                state: Mutex::default(),
                changed: watch::Sender::new(()),
            }),
            task: OnceLock::new(),
        }
    }

    /// It runs: as a task that ends with it, by whatever `stop` stops.
    pub(super) fn runs(&self, task: AbortOnDropHandle<()>, stop: CancellationToken) {
        // It is started once, by the one who has the turn.
        let _ = self.task.set((task, stop.drop_guard()));
    }

    /// Waits for its end. Cancel safe.
    pub(super) async fn end(&self) -> End {
        let mut changed = self.shared.changed.subscribe();
        loop {
            if let Some(end) = &self.shared.lock().end {
                return end.clone();
            }
            if changed.changed().await.is_err() {
                return End::Abandoned;
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds rows, which are held.
    pub(super) fn push(&self, batch: RecordBatch) {
        self.lock().batches.push(batch);
        self.changed.send_replace(());
    }

    /// The rows so far, to be kept.
    pub(super) fn batches(&self) -> Vec<RecordBatch> {
        self.lock().batches.clone()
    }

    /// Ends it, if it has not ended.
    pub(super) fn finish(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.changed.send_replace(());
    }
}

/// The rows of a computation, for who asked first: as they come.
#[derive(Debug)]
pub(in crate::engine) struct Reading {
    run: Arc<Run>,
    /// Those of the rows held that were read.
    n_read: usize,
    /// What it no longer holds and was not read, once it holds no more.
    left: VecDeque<RecordBatch>,
    /// The rows after those.
    rest: mpsc::Receiver<Result<RecordBatch>>,
    has_taken_over: bool,
    is_done: bool,
    /// Stops the reading, and nobody else's.
    cancel: CancellationToken,
}

/// What is next for a reader.
enum Next {
    Batch(RecordBatch),
    Ended(End),
}

impl Reading {
    pub(super) fn new(
        run: Arc<Run>,
        rest: mpsc::Receiver<Result<RecordBatch>>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            run,
            n_read: 0,
            left: VecDeque::new(),
            rest,
            has_taken_over: false,
            is_done: false,
            cancel,
        }
    }

    /// The next rows; `None` after the last. Cancel safe.
    pub(in crate::engine) async fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.is_done {
            return None;
        }
        let cancel = self.cancel.clone();
        let next = tokio::select! {
            biased;
            () = cancel.cancelled() => Some(Err(canceled())),
            next = self.next_uncanceled() => next,
        };
        self.is_done = !matches!(next, Some(Ok(_)));
        next
    }

    async fn next_uncanceled(&mut self) -> Option<Result<RecordBatch>> {
        if !self.has_taken_over {
            match self.held().await {
                Next::Batch(batch) => {
                    self.n_read += 1;
                    return Some(Ok(batch));
                }
                Next::Ended(End::Whole(_)) => return None,
                Next::Ended(End::Failed(error)) => return Some(Err(error)),
                Next::Ended(End::Abandoned) => {
                    let message = "the computation of an answer ended without an end";
                    return Some(Err(Error::internal(std::io::Error::other(message))));
                }
                Next::Ended(End::Alone) => self.take_over(),
            }
        }
        match self.left.pop_front() {
            Some(batch) => Some(Ok(batch)),
            None => self.rest.recv().await,
        }
    }

    /// The next of the rows that are held, or the end behind the last of them.
    async fn held(&self) -> Next {
        let shared = &self.run.shared;
        let mut changed = shared.changed.subscribe();
        loop {
            {
                let state = shared.lock();
                if let Some(End::Alone) = state.end {
                    return Next::Ended(End::Alone);
                }
                if let Some(batch) = state.batches.get(self.n_read) {
                    return Next::Batch(batch.clone());
                }
                if let Some(end) = &state.end {
                    return Next::Ended(end.clone());
                }
            }
            if changed.changed().await.is_err() {
                return Next::Ended(End::Abandoned);
            }
        }
    }

    /// Takes what is held: nobody else will.
    fn take_over(&mut self) {
        let held = std::mem::take(&mut self.run.shared.lock().batches);
        self.left = held.into_iter().skip(self.n_read).collect();
        self.has_taken_over = true;
    }
}
