//! The turn of the one who asked first: he computes, and the others wait for him.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Results;
use super::fill::{Filling, Reserved};
use super::held::Facts;
use super::key::{CacheKey, of_catalog};
use super::lasting::{CURRENT_DATE, Lasts};
use super::reason::Reason;
use super::run::{End, FIRST, Reading, Run};
use crate::engine::Scene;
use crate::engine::answer::Column;
use crate::engine::context::StatementContext;
use crate::engine::execute::BATCHES_AHEAD;
use crate::engine::failure;
use crate::engine::stoppable::stoppable;
use crate::engine::travel::Past;
use crate::error::Result;

/// The right to compute an answer that others may wait for. Whoever lets it go, or fails, lets the next
/// of them begin.
#[derive(Debug)]
pub(in crate::engine) struct Turn {
    results: Arc<Results>,
    key: CacheKey,
    run: Arc<Run>,
    /// What of the session is in the key, by the function that tells it.
    session: BTreeMap<String, String>,
    is_used: bool,
}

/// A plan that is to be run, and what is to be known for it.
pub(in crate::engine) struct Started {
    pub(in crate::engine) physical: Arc<dyn ExecutionPlan>,
    pub(in crate::engine) task: Arc<TaskContext>,
    pub(in crate::engine) facts: Facts,
    /// When the statement was begun.
    pub(in crate::engine) at: Instant,
    pub(in crate::engine) past: Past,
    /// Stops the one who asked.
    pub(in crate::engine) cancel: CancellationToken,
}

impl Turn {
    pub(super) fn new(
        results: &Arc<Results>,
        key: CacheKey,
        run: Arc<Run>,
        session: BTreeMap<String, String>,
    ) -> Self {
        Self {
            results: Arc::clone(results),
            key,
            run,
            session,
            is_used: false,
        }
    }

    /// Itself, and until when the answer is right, if the rows of a plan are the same whenever it is
    /// run; else those who wait are told to compute for themselves.
    pub(in crate::engine) fn if_lasting(
        mut self,
        plan: &LogicalPlan,
        columns: &[Column],
        scene: &Scene<'_>,
        started: DateTime<Utc>,
    ) -> Option<(Self, Option<DateTime<Utc>>)> {
        let lasts = Lasts {
            of_style: &self.results.of_style,
            of_arguments: &self.results.of_arguments,
            of_catalog: of_catalog(&self.session, scene),
            session: &self.session,
            context: scene.context,
            started,
        };
        match lasts.of(plan, columns) {
            Ok(lasting) => Some((self, lasting.until)),
            Err(reason) => {
                self.decline(reason);
                None
            }
        }
    }

    /// Starts the plan. It runs as long as anybody wants its rows.
    pub(in crate::engine) fn start(mut self, started: Started) -> Result<Reading> {
        let stop = CancellationToken::new();
        let physical = stoppable(started.physical, &stop)?;
        let stream = execute_stream(physical, Arc::clone(&started.task))
            .map_err(|error| failure::from_datafusion(&error))?;
        let (rest, receiver) = mpsc::channel(BATCHES_AHEAD);
        let filling = Filling {
            reserved: Reserved::new(&self.results.filling, self.results.filling_bytes_max),
            results: Arc::clone(&self.results),
            key: self.key,
            number: self.run.number,
            shared: Arc::clone(&self.run.shared),
            facts: started.facts.clone(),
            task: started.task,
            started: started.at,
            rest,
            past: started.past,
        };
        let task = Handle::current().spawn(filling.run(stream));
        self.is_used = true;
        let run = Arc::clone(&self.run);
        let reading = Reading::new(run, FIRST, receiver, started.cancel);
        let task = AbortOnDropHandle::new(task);
        self.run.runs(started.facts, task, stop);
        Ok(reading)
    }

    fn decline(&mut self, reason: Reason) {
        self.is_used = true;
        self.results.remember(self.key, reason);
        self.results.end(&self.key, self.run.number, None);
        self.run.shared.finish(End::Alone);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_used {
            self.results.end(&self.key, self.run.number, None);
            self.run.shared.finish(End::Abandoned);
        }
    }
}

impl Results {
    /// Whether the rows of a plan are the same whenever, and for whomever, it is run.
    ///
    /// # Errors
    /// Why they may be others.
    pub(in crate::engine) fn never_changes(
        &self,
        plan: &LogicalPlan,
        columns: &[Column],
        context: &StatementContext,
    ) -> Result<(), Reason> {
        let lasts = Lasts {
            of_style: &self.of_style,
            of_arguments: &self.of_arguments,
            of_catalog: BTreeSet::new(),
            session: &BTreeMap::new(),
            context,
            started: Utc::now(),
        };
        match lasts.of(plan, columns)?.until {
            Some(_) => Err(Reason::Changes(CURRENT_DATE.to_owned())),
            None => Ok(()),
        }
    }

    /// Whether a function depends on the session's zone or its styles of output.
    pub(in crate::engine) fn is_of_style(&self, name: &str) -> bool {
        self.of_style.contains(name)
    }
}

/// Why the rows of a plan would not be kept, if they would not.
pub(super) fn unlasting(
    results: &Results,
    session: &BTreeMap<String, String>,
    plan: (&LogicalPlan, &[Column]),
    scene: &Scene<'_>,
) -> Option<Reason> {
    let lasts = Lasts {
        of_style: &results.of_style,
        of_arguments: &results.of_arguments,
        of_catalog: of_catalog(session, scene),
        session,
        context: scene.context,
        started: Utc::now(),
    };
    lasts.of(plan.0, plan.1).err()
}
