//! Looks for a statement's answer: among those that are kept, then among those under way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::Utc;
use datafusion::logical_expr::LogicalPlan;

use super::given::Given;
use super::key::{CacheKey, Keyed, is_wanted};
use super::reason::Reason;
use super::run::{End, Reading, Run};
use super::turn::{Turn, unlasting};
use super::{Found, Results};
use crate::engine::Scene;
use crate::engine::answer::Column;
use crate::engine::history::Came;
use crate::engine::statement::Statement;

/// What was found for a statement.
#[derive(Debug)]
pub(in crate::engine) enum Sought {
    /// The answer, and whence it came.
    Held(Given, Came),
    /// It is being computed, and is read along.
    Along(Box<Reading>),
    /// It is to be computed, and may be kept.
    Turn(Box<Turn>),
    /// It is to be computed.
    Compute,
}

impl Results {
    /// The key of a statement.
    fn keyed(&self, statement: &Statement, scene: &Scene<'_>) -> Result<Keyed, Reason> {
        if self.bytes_max == 0 {
            return Err(Reason::NoMemory);
        }
        if !is_wanted(scene) {
            return Err(Reason::Off);
        }
        CacheKey::of(scene, statement.canonical(scene.query))
    }

    /// The answer of a pinned statement, if it is kept.
    pub(in crate::engine) fn kept(
        self: &Arc<Self>,
        statement: &Statement,
        scene: &Scene<'_>,
    ) -> Option<Given> {
        let key = self.keyed(statement, scene).ok()?.key;
        let held = self.lock().store.give(&key, Utc::now())?;
        if is_too_much(held.scanned, scene) {
            return None;
        }
        self.counts.n_hits.fetch_add(1, Ordering::Relaxed);
        self.count_saved(&held);
        Some(Given::new(self, key, held))
    }

    /// Looks for the answer of a pinned statement; waits for it where it is being computed. Cancel
    /// safe.
    pub(in crate::engine) async fn seek(
        self: &Arc<Self>,
        statement: &Statement,
        scene: &Scene<'_>,
    ) -> Sought {
        let Ok(Keyed { key, session }) = self.keyed(statement, scene) else {
            return Sought::Compute;
        };
        while self.reasons.get(&key).is_none() {
            let (held, came, counter) = match self.find(&key) {
                Found::Held(held) => (held, Came::Hit, &self.counts.n_hits),
                Found::Turn(run) => {
                    self.counts.n_misses.fetch_add(1, Ordering::Relaxed);
                    let turn = Turn::new(self, key, run, session);
                    return Sought::Turn(Box::new(turn));
                }
                Found::Running(run) => match run.begun().await {
                    Some(End::Whole(held)) => (held, Came::Shared, &self.counts.n_shared),
                    Some(End::Abandoned) => continue,
                    Some(End::Alone | End::Given | End::Failed(_)) => break,
                    None => match self.along(&run, scene) {
                        Ok(Some(reading)) => return Sought::Along(Box::new(reading)),
                        // It has ended meanwhile.
                        Ok(None) => continue,
                        Err(NotHis) => break,
                    },
                },
            };
            // What it reads is refused where it is planned.
            if is_too_much(held.scanned, scene) || !held.is_right_at(Utc::now()) {
                break;
            }
            counter.fetch_add(1, Ordering::Relaxed);
            self.count_saved(&held);
            return Sought::Held(Given::new(self, key, held), came);
        }
        self.counts.n_misses.fetch_add(1, Ordering::Relaxed);
        Sought::Compute
    }

    /// Reads along with a computation that runs; `None` if it has ended meanwhile.
    fn along(&self, run: &Arc<Run>, scene: &Scene<'_>) -> Result<Option<Reading>, NotHis> {
        let facts = run.facts().ok_or(NotHis)?;
        let is_over = facts.until.is_some_and(|until| Utc::now() >= until);
        if is_over || is_too_much(facts.scanned, scene) {
            return Err(NotHis);
        }
        let reading = run.along(scene.context.cancel.clone());
        if reading.is_some() {
            self.counts.n_shared.fetch_add(1, Ordering::Relaxed);
        }
        Ok(reading)
    }

    /// What a statement of this plan would find, in the words of EXPLAIN.
    pub(in crate::engine) fn told(
        &self,
        statement: &Statement,
        scene: &Scene<'_>,
        plan: &LogicalPlan,
        columns: &[Column],
    ) -> String {
        let keyed = match self.keyed(statement, scene) {
            Ok(keyed) => keyed,
            Err(reason) => return format!("miss ({reason})"),
        };
        let inner = self.lock();
        if inner.store.has(&keyed.key, Utc::now()) {
            return "result hit".to_owned();
        }
        let run = inner.runs.get(&keyed.key);
        if run.is_some_and(|run| run.strong_count() > 0) {
            return "shared run".to_owned();
        }
        drop(inner);
        let unlasting = || unlasting(self, &keyed.session, (plan, columns), scene);
        let reason = self.reasons.get(&keyed.key).or_else(unlasting);
        format!("miss ({})", reason.unwrap_or(Reason::NotKept))
    }
}

/// Whether an answer was made of more than the session may read.
fn is_too_much(scanned: u64, scene: &Scene<'_>) -> bool {
    let bytes_max = scene.context.limits.scan_bytes_max;
    bytes_max.is_some_and(|bytes_max| scanned > bytes_max)
}

/// What is being computed is not what the asker may be given.
struct NotHis;
