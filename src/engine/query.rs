//! Answers a query: from what is kept, or by planning and running it.

use std::sync::Arc;
use std::time::Instant;

use datafusion::common::ParamValues;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;

use super::access::{Access, Checks};
use super::answer::{Answer, Column};
use super::cache::{Facts, Fitted, Sought, Started, Turn};
use super::context::StatementContext;
use super::history::{Asking, Came};
use super::limits::Scanned;
use super::plan::Plan;
use super::rewrite::Verdicts;
use super::spelled::Shown;
use super::statement::{Statement, StatementKind};
use super::stoppable::stoppable;
use super::{
    Inner, Parameter, Scene, columns, copy, execute, explain, failure, plan, query_of,
    session_state, spelled, travel,
};
use crate::error::Result;

/// A query ready to be run.
struct Planned {
    logical: LogicalPlan,
    physical: Arc<dyn ExecutionPlan>,
    columns: Vec<Column>,
    task: Arc<TaskContext>,
    verdicts: Verdicts,
}

impl Inner {
    /// Answers a statement that has rows; it is remembered, however it ends.
    pub(super) async fn answer(
        &self,
        statement: &Statement,
        parameters: Vec<Parameter>,
        shown: &Shown,
        context: &StatementContext,
    ) -> Result<Answer> {
        let mut asking = self.history.begins(statement, context);
        let answered = self.answered(statement, parameters, (shown, context), &mut asking);
        // Large, for it holds the way of a statement from its names to its rows.
        match Box::pin(answered).await {
            Ok(answer) => Ok(asking.follow(answer)),
            Err(error) => {
                asking.failed(&error);
                Err(error)
            }
        }
    }

    async fn answered(
        &self,
        statement: &Statement,
        parameters: Vec<Parameter>,
        (shown, context): (&Shown, &StatementContext),
        asking: &mut Asking,
    ) -> Result<Answer> {
        let started = Instant::now();
        let query = query_of(statement)?;
        let state = session_state::of_statement(&self.base, context);
        let clock = self.clock(&state, context, &parameters);
        let pinned = self
            .pin_statement(statement, query, clock, Checks::Reading)
            .await;
        let pinned = match &statement.kind {
            StatementKind::Copy(copy) => copy::check_relation(copy, pinned)?,
            _ => pinned?,
        };
        asking.reads(&pinned);
        let state = match pinned.reads_catalog_alone() {
            true => state.in_one_piece(),
            false => state,
        };
        let scene = Scene {
            query,
            lines: &statement.lines,
            pinned: &pinned,
            state: &state,
            context,
            values: &parameters,
        };
        let answer = match statement.kind {
            StatementKind::Query(_) | StatementKind::Copy(_) => {
                let turn = match self.results.seek(statement, &scene).await {
                    Sought::Held(held, came) => {
                        asking.comes(came, Some(0));
                        let answer = Answer::of_held(held);
                        return Ok(travel::telling(answer, &pinned, context));
                    }
                    Sought::Along(reading) => {
                        asking.comes(Came::Shared, Some(0));
                        let answer = Answer::of_reading(reading)?;
                        return Ok(travel::telling(answer, &pinned, context));
                    }
                    Sought::Turn(turn) => Some(turn),
                    Sought::Compute => None,
                };
                let turn = (started, turn);
                self.run(statement, &scene, shown, turn, asking).await?
            }
            _ => self.explain(statement, &scene, shown, started).await?,
        };
        Ok(travel::telling(answer, &pinned, context))
    }

    /// Plans a pinned query, with its parameters' values in it.
    async fn planned(
        &self,
        statement: &Statement,
        scene: &Scene<'_>,
        shown: &Shown,
    ) -> Result<Planned> {
        let (state, context) = (scene.state, scene.context);
        let Fitted {
            logical,
            analyzed,
            columns,
        } = self.fitted(statement, scene)?;
        let session = || scene.pinned.functions(&context.facts);
        let analyzed = match spelled::spelled(&logical, &columns, shown, session)? {
            Some(logical) => execute::analyzed(&Plan { logical }, state)?,
            None => analyzed,
        };
        let (analyzed, verdicts) = Box::pin(self.rewritten(analyzed, scene)).await?;
        let state: &SessionState = match verdicts.reads_little() {
            true => state.small(self.plain()),
            false => state,
        };
        let physical = execute::physical(analyzed, state).await?;
        context.limits.require_within(&physical, &statement.kind)?;
        Ok(Planned {
            logical,
            physical,
            columns,
            task: context.limits.task_context(state)?,
            verdicts,
        })
    }

    /// The plan of a pinned query whose types are fitted, with its parameters' values in it.
    fn fitted(&self, statement: &Statement, scene: &Scene<'_>) -> Result<Fitted> {
        let plans = &self.results.statements.plans;
        if let Some(known) = plans.get(statement, scene) {
            return Ok(known);
        }
        let fields = scene.values.iter().map(|it| Some(it.field())).collect();
        let mut plan = plan::plan(scene, fields)?;
        let values = scene.values.iter().cloned().map(Parameter::into_scalar);
        plan.logical = plan
            .logical
            .replace_params_with_values(&ParamValues::List(values.collect()))
            .map_err(|error| failure::from_datafusion(&error))?;
        let analyzed = execute::analyzed(&plan, scene.state)?;
        let fitted = Fitted {
            columns: columns::of_plan(&plan.logical, &analyzed),
            logical: plan.logical,
            analyzed,
        };
        plans.keep(statement, scene, &self.results, &fitted);
        Ok(fitted)
    }

    /// Computes an answer; it may be kept where it is the statement's turn.
    async fn run(
        &self,
        statement: &Statement,
        scene: &Scene<'_>,
        shown: &Shown,
        (at, turn): (Instant, Option<Box<Turn>>),
        asking: &mut Asking,
    ) -> Result<Answer> {
        let context = scene.context;
        let planned = self.planned(statement, scene, shown).await?;
        let Planned {
            logical,
            physical,
            columns,
            task,
            verdicts,
        } = planned;
        let scanned = Scanned::of(&physical)?;
        asking.comes(Came::Computed, scanned.told());
        let past = travel::Past::of(&self.catalog, scene.pinned);
        let began = scene.state.execution_props().query_execution_start_time;
        let turn = turn
            .zip(began)
            .and_then(|(turn, began)| turn.if_lasting(&logical, &columns, scene, began));
        if let Some((turn, until)) = turn {
            let facts = Facts {
                columns,
                schema: physical.schema(),
                scanned: scanned.n_bytes,
                until,
            };
            let reading = turn.start(Started {
                physical,
                task,
                facts,
                at,
                past,
                cancel: context.cancel.clone(),
            })?;
            return Answer::of_reading(Box::new(reading));
        }
        let is_fixed = scene.values.is_empty() && matches!(statement.kind, StatementKind::Query(_));
        if is_fixed && scene.pinned.relations.is_empty() {
            let constants = &self.constants;
            constants.keep(statement, context, &logical, physical.as_ref(), &columns);
        }
        // Ends with the answer as well: then nobody waits for more rows.
        let stop = context.cancel.child_token();
        let task = (task, verdicts.reads_little());
        execute::start(physical, columns, task, stop, past).await
    }

    /// Explains a query, which is run if its figures are asked for.
    async fn explain(
        &self,
        statement: &Statement,
        scene: &Scene<'_>,
        shown: &Shown,
        started: Instant,
    ) -> Result<Answer> {
        let mut planned = self.planned(statement, scene, shown).await?;
        let access = Access::of(&self.catalog, scene.context, Checks::Names);
        let verdicts = std::mem::take(&mut planned.verdicts);
        let verdicts = verdicts.that_may_be_seen(&access, &scene.pinned.snapshot);
        let stop = scene.context.cancel.child_token();
        let StatementKind::Explain { options, .. } = statement.kind else {
            let past = travel::Past::of(&self.catalog, scene.pinned);
            let task = (planned.task, false);
            return execute::start(planned.physical, planned.columns, task, stop, past).await;
        };
        let told = || {
            let (logical, columns) = (&planned.logical, &planned.columns);
            self.results.told(statement, scene, logical, columns)
        };
        let cache = options.analyze.then(told);
        let _stop = stop.clone().drop_guard();
        let physical = stoppable(planned.physical, &stop)?;
        explain::answer(
            (scene.pinned, &verdicts),
            &physical,
            options,
            (started, cache),
            planned.task,
        )
        .await
    }
}
