//! One computation of an answer, for all who ask for it meanwhile.
//!
//! Whoever asks first has it planned and started; its rows are held as they come. Others wait for the first
//! of them, and then read along. It goes on as long as anybody wants it, whoever that is: the task and what stops
//! it belong to a [`Run`], which the readers share. If nobody is left before it runs, or it is not for
//! sharing, the next who waits begins it anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arrow::array::RecordBatch;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use super::beyond::Rest;
use super::held::{Facts, Held};
use crate::engine::execute::canceled;
use crate::error::{Error, Result};

/// A computation, as long as anybody wants its rows.
#[derive(Debug)]
pub(in crate::engine) struct Run {
    /// Its number, which no other one of this process has.
    pub(super) number: u64,
    pub(super) shared: Arc<Shared>,
    /// What is known of the answer, once it runs.
    facts: OnceLock<Facts>,
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
    /// Those who read, by their numbers.
    readers: BTreeMap<usize, Place>,
    /// How many came to read along.
    n_along: usize,
    /// Whether there are more rows than are held, which each reader gets for himself.
    is_beyond: bool,
    end: Option<End>,
}

/// Where a reader is.
#[derive(Debug, Default)]
enum Place {
    /// At what is held.
    #[default]
    Held,
    /// What comes behind that waits for him.
    Beyond(Rest),
    /// He has taken it.
    Taken,
}

/// How a computation, or the sharing of it, ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// All rows are there.
    Whole(Arc<Held>),
    /// All rows were given to each of its readers; they are not held.
    Given,
    /// It is not for sharing: each who waits computes for himself. What more rows there are, or what
    /// they ended with, goes to the first alone.
    Alone,
    /// It failed; who reads it is told, by [`Reading::next`].
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
            facts: OnceLock::new(),
            task: OnceLock::new(),
        }
    }

    /// It runs: as a task that ends with it, by whatever `stop` stops.
    pub(super) fn runs(&self, facts: Facts, task: AbortOnDropHandle<()>, stop: CancellationToken) {
        // It is started once, by the one who has the turn.
        let _ = self.facts.set(facts);
        let _ = self.task.set((task, stop.drop_guard()));
        self.shared.changed.send_replace(());
    }

    /// What is known of the answer, once it runs.
    pub(super) fn facts(&self) -> Option<&Facts> {
        self.facts.get()
    }

    /// Waits until rows can be read along, or it ends, which it tells. Cancel safe.
    pub(super) async fn begun(&self) -> Option<End> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            {
                let state = self.shared.lock();
                if state.end.is_some() {
                    return state.end.clone();
                }
                if state.is_beyond {
                    return Some(End::Alone);
                }
                if !state.batches.is_empty() && self.facts.get().is_some() {
                    return None;
                }
            }
            if changed.changed().await.is_err() {
                return Some(End::Abandoned);
            }
        }
    }

    /// Reads along, from the first row on; `None` if it has ended meanwhile, or rows went by that are not held.
    pub(super) fn along(self: &Arc<Self>, cancel: CancellationToken) -> Option<Reading> {
        let mut state = self.shared.lock();
        if state.end.is_some() || state.is_beyond {
            return None;
        }
        state.n_along += 1;
        let number = state.n_along;
        drop(state);
        // Nothing comes this way but to the first.
        let (_, rest) = mpsc::channel(1);
        Some(Reading::new(Arc::clone(self), number, rest, cancel))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end, after which no rows come; the failure, if it is one.
    async fn ended(&self) -> Option<Error> {
        let mut changed = self.changed.subscribe();
        loop {
            match &self.lock().end {
                Some(End::Failed(error)) => return Some(error.clone()),
                Some(End::Given) => return None,
                Some(_) => return Some(unended()),
                None => {}
            }
            if changed.changed().await.is_err() {
                return Some(unended());
            }
        }
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

    /// No more rows are held. If somebody reads along, `make` makes for each reader what he gets the others by; else
    /// they go to the first alone.
    pub(super) fn goes_beyond(&self, mut make: impl FnMut(usize) -> Rest) {
        let mut state = self.lock();
        if state.readers.keys().all(|number| *number == FIRST) {
            state.end.get_or_insert(End::Alone);
        } else {
            state.is_beyond = true;
            for (number, place) in &mut state.readers {
                *place = Place::Beyond(make(*number));
            }
        }
        drop(state);
        self.changed.send_replace(());
    }

    /// Whether a reader is still there, of those for whom rows were to be kept apart.
    pub(super) fn is_there(&self, number: usize) -> bool {
        self.lock().readers.contains_key(&number)
    }

    /// Ends it, if it has not ended.
    pub(super) fn finish(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.changed.send_replace(());
    }
}

/// The number of the reader who asked first.
pub(super) const FIRST: usize = 0;

/// The rows of a computation, as they come.
#[derive(Debug)]
pub(in crate::engine) struct Reading {
    run: Arc<Run>,
    number: usize,
    /// Those of the rows held that were read.
    n_read: usize,
    /// What it no longer holds and was not read, once it holds no more.
    left: VecDeque<RecordBatch>,
    /// The rows after those, for the first where he is alone.
    rest: mpsc::Receiver<Result<RecordBatch>>,
    has_taken_over: bool,
    /// The rows behind those that are held, where several read.
    beyond: Option<Rest>,
    is_done: bool,
    /// Stops the reading, and nobody else's.
    cancel: CancellationToken,
}

/// What is next for a reader.
enum Next {
    Batch(RecordBatch),
    Beyond(Rest),
    Ended(End),
}

impl Reading {
    pub(super) fn new(
        run: Arc<Run>,
        number: usize,
        rest: mpsc::Receiver<Result<RecordBatch>>,
        cancel: CancellationToken,
    ) -> Self {
        run.shared.lock().readers.insert(number, Place::Held);
        Self {
            run,
            number,
            n_read: 0,
            left: VecDeque::new(),
            rest,
            has_taken_over: false,
            beyond: None,
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
        while !self.has_taken_over {
            if let Some(beyond) = &mut self.beyond {
                return match beyond.next().await {
                    Some(batch) => Some(batch),
                    None => self.run.shared.ended().await.map(Err),
                };
            }
            match self.held().await {
                Next::Batch(batch) => {
                    self.n_read += 1;
                    return Some(Ok(batch));
                }
                Next::Beyond(rest) => self.beyond = Some(rest),
                Next::Ended(End::Whole(_) | End::Given) => return None,
                Next::Ended(End::Failed(error)) => return Some(Err(error)),
                Next::Ended(End::Abandoned) => return Some(Err(unended())),
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
                let mut state = shared.lock();
                if let Some(End::Alone) = state.end {
                    return Next::Ended(End::Alone);
                }
                if let Some(batch) = state.batches.get(self.n_read) {
                    return Next::Batch(batch.clone());
                }
                if let Some(place) = state.readers.get_mut(&self.number)
                    && let Place::Beyond(rest) = std::mem::replace(place, Place::Taken)
                {
                    return Next::Beyond(rest);
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

    /// What it is that comes behind the rows that are held.
    pub(in crate::engine) fn facts(&self) -> Option<&Facts> {
        self.run.facts()
    }

    /// Takes what is held: nobody else will.
    fn take_over(&mut self) {
        let held = std::mem::take(&mut self.run.shared.lock().batches);
        self.left = held.into_iter().skip(self.n_read).collect();
        self.has_taken_over = true;
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.run.shared.lock().readers.remove(&self.number);
    }
}

fn unended() -> Error {
    let message = "the computation of an answer ended without an end";
    Error::internal(std::io::Error::other(message))
}
