//! The answers of statements, kept for those who ask the same of the same versions.
//!
//! A statement is looked for after it was pinned and before it is planned: a [`CacheKey`] comes only
//! from what is pinned. So what is kept never goes stale, by no clock: other versions, other
//! definitions of views, other policies are another key. Whoever asks while the answer is computed
//! waits for it ([`run`]); what is kept is bounded by bytes ([`store`]).

mod beyond;
mod canonical;
mod clear;
mod descriptions;
mod digest;
mod fill;
mod given;
mod held;
mod key;
mod lasting;
mod plans;
mod reason;
mod relation;
mod run;
mod seek;
mod statements;
mod store;
mod turn;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use chrono::Utc;
use moka::sync::Cache;

pub(super) use canonical::Canonical;
pub(super) use clear::{NAME as CLEAR_CACHE, function as clear_cache};
pub(super) use descriptions::Descriptions;
pub use given::Form;
pub(super) use given::Given;
pub(super) use held::Facts;
use held::Held;
pub(super) use key::CacheKey;
pub(super) use plans::Fitted;
pub(super) use run::Reading;
pub(super) use seek::Sought;
pub(super) use turn::{Started, Turn};

use crate::catalog::SystemRelation;
use crate::functions;
use crate::sources::lake::LakeSource;
use reason::Reason;
use run::Run;
use statements::Statements;
use store::Store;

/// Statements of which is remembered why their answers are not kept, some 100 bytes each. An entry never
/// goes stale: its key is all that decides about it.
const REASONS_MAX: u64 = 10_000;

/// The answers that are kept, and those that are being computed.
#[derive(Debug)]
pub struct Results {
    inner: Mutex<Inner>,
    /// Why the answers of these statements are not kept.
    reasons: Cache<CacheKey, Reason>,
    /// Bytes of the answers that are being computed.
    filling: Arc<AtomicUsize>,
    filling_bytes_max: usize,
    /// Bytes of the largest answer that is kept.
    answer_bytes_max: usize,
    bytes_max: usize,
    /// The functions that depend on nothing but their arguments and the session's style.
    of_style: BTreeSet<String>,
    /// The functions that depend on nothing but their arguments.
    of_arguments: BTreeSet<String>,
    n_runs: AtomicU64,
    counts: Counts,
    pub(super) descriptions: Descriptions,
    pub(super) statements: Statements,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    /// Those under way.
    runs: HashMap<CacheKey, Weak<Run>>,
}

/// What became of statements that were looked for.
#[derive(Debug, Default)]
struct Counts {
    n_hits: AtomicU64,
    n_shared: AtomicU64,
    n_misses: AtomicU64,
    saved_micros: AtomicU64,
}

/// What there is under a key.
enum Found {
    Held(Arc<Held>),
    /// It is being computed.
    Running(Arc<Run>),
    /// It is to be computed, by the one who asked.
    Turn(Arc<Run>),
}

impl Results {
    /// A cache of so many bytes, those of answers that are being computed among them; of 0 it keeps
    /// nothing.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        let filling_bytes_max = bytes_max / 4;
        Arc::new(Self {
            inner: Mutex::new(Inner {
                store: Store::new(bytes_max - filling_bytes_max),
                runs: HashMap::new(),
            }),
            reasons: Cache::new(REASONS_MAX),
            filling: Arc::default(),
            filling_bytes_max,
            answer_bytes_max: bytes_max / 8,
            bytes_max,
            of_style: functions::names_of_style(),
            of_arguments: functions::names_of_arguments(),
            n_runs: AtomicU64::new(0),
            counts: Counts::default(),
            descriptions: Descriptions::default(),
            statements: Statements::new(bytes_max),
        })
    }

    /// `lakegate.cache`, for the catalog.
    pub fn relation(self: &Arc<Self>, lake: &Arc<LakeSource>) -> Arc<dyn SystemRelation> {
        Arc::new(relation::CacheRelation {
            results: Arc::clone(self),
            lake: Arc::clone(lake),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is under a key; if there is nothing, it is begun.
    fn find(&self, key: &CacheKey) -> Found {
        let mut inner = self.lock();
        if let Some(held) = inner.store.give(key, Utc::now()) {
            return Found::Held(held);
        }
        if let Some(run) = inner.runs.get(key).and_then(Weak::upgrade) {
            return Found::Running(run);
        }
        let number = self.n_runs.fetch_add(1, Ordering::Relaxed);
        let run = Arc::new(Run::new(number));
        inner.runs.insert(*key, Arc::downgrade(&run));
        Found::Turn(run)
    }

    /// A computation ends; its answer, if it is to be kept, is there before it is gone.
    fn end(&self, key: &CacheKey, number: u64, kept: Option<&Arc<Held>>) {
        let mut inner = self.lock();
        let is_own = |run: &Weak<Run>| match run.upgrade() {
            Some(run) => run.number == number,
            // Nobody wants it any more.
            None => true,
        };
        if inner.runs.get(key).is_some_and(is_own) {
            inner.runs.remove(key);
        }
        if let Some(held) = kept {
            inner.store.keep(*key, held);
        }
    }

    /// Remembers why an answer is not kept.
    fn remember(&self, key: CacheKey, reason: Reason) {
        self.reasons.insert(key, reason);
    }

    fn count_saved(&self, held: &Held) {
        let saved = u64::try_from(held.cost.as_micros()).unwrap_or(u64::MAX);
        self.counts.saved_micros.fetch_add(saved, Ordering::Relaxed);
    }

    /// Forgets all answers, and why others are not kept; how many answers there were.
    fn clear(&self) -> usize {
        self.reasons.invalidate_all();
        self.lock().store.clear()
    }
}

#[cfg(test)]
mod tests {
    use super::held::tests::held;
    use super::key::tests::key;
    use super::run::End;
    use super::*;

    fn turn(results: &Results) -> Arc<Run> {
        match results.find(&key(1)) {
            Found::Turn(run) => run,
            Found::Held(_) | Found::Running(_) => panic!("it is nobody's turn yet"),
        }
    }

    fn running(results: &Results) -> Arc<Run> {
        match results.find(&key(1)) {
            Found::Running(run) => run,
            Found::Held(_) | Found::Turn(_) => panic!("it is being computed"),
        }
    }

    #[tokio::test]
    async fn who_waits_gets_what_the_first_computed() {
        let results = Results::new(1 << 20);
        let first = turn(&results);
        let waiting = running(&results);
        let answer = Arc::new(held(10, 10));
        results.end(&key(1), first.number, Some(&answer));
        first.shared.finish(End::Whole(Arc::clone(&answer)));
        let end = waiting.begun().await;
        assert!(matches!(end, Some(End::Whole(got)) if Arc::ptr_eq(&got, &answer)));
        assert!(matches!(results.find(&key(1)), Found::Held(_)));
        assert_eq!(results.clear(), 1);
        turn(&results);
    }

    #[tokio::test]
    async fn the_next_begins_where_the_first_gave_up() {
        let results = Results::new(1 << 20);
        let first = turn(&results);
        let waiting = running(&results);
        results.end(&key(1), first.number, None);
        first.shared.finish(End::Abandoned);
        assert!(matches!(waiting.begun().await, Some(End::Abandoned)));
        let second = turn(&results);
        // What the first still says does not end the second.
        results.end(&key(1), first.number, None);
        assert_eq!(running(&results).number, second.number);
    }

    #[test]
    fn what_nobody_wants_is_not_waited_for() {
        let results = Results::new(1 << 20);
        drop(turn(&results));
        turn(&results);
    }
}
