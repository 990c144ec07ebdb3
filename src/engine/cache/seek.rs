//! Looks for a statement's answer: among those that are kept, then among those under way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::Utc;
use datafusion::logical_expr::LogicalPlan;

use super::held::Held;
use super::key::{CacheKey, Keyed, is_wanted};
use super::reason::Reason;
use super::run::End;
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
    Held(Arc<Held>, Came),
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
        let is_too_much = |held: &Held| {
            let bytes_max = scene.context.limits.scan_bytes_max;
            bytes_max.is_some_and(|bytes_max| held.scanned > bytes_max)
        };
        while self.reasons.get(&key).is_none() {
            let (held, came, counter) = match self.find(&key) {
                Found::Held(held) => (held, Came::Hit, &self.counts.n_hits),
                Found::Turn(run) => {
                    self.counts.n_misses.fetch_add(1, Ordering::Relaxed);
                    let turn = Turn::new(self, key, run, session);
                    return Sought::Turn(Box::new(turn));
                }
                Found::Running(run) => match run.end().await {
                    End::Whole(held) => (held, Came::Shared, &self.counts.n_shared),
                    End::Abandoned => continue,
                    End::Alone | End::Failed(_) => break,
                },
            };
            // What it reads is refused where it is planned.
            if is_too_much(&held) {
                break;
            }
            counter.fetch_add(1, Ordering::Relaxed);
            self.count_saved(&held);
            return Sought::Held(held, came);
        }
        self.counts.n_misses.fetch_add(1, Ordering::Relaxed);
        Sought::Compute
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
