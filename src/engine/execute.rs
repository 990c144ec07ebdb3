//! Runs a plan on the query runtime, a few batches ahead of its reader.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::answer::{Answer, Batches, Column};
use super::failure;
use super::plan::Plan;
use super::stoppable::stoppable;
use super::travel::Past;
use crate::error::{Error, ErrorKind, Result};

/// Batches made before the reader takes the first: enough to keep a core busy while one is sent.
pub(super) const BATCHES_AHEAD: usize = 2;

/// A plan whose types are fitted, as its rows will have them: before that a CASE has the type of its
/// first branch.
pub(super) fn analyzed(plan: &Plan, state: &SessionState) -> Result<LogicalPlan> {
    state
        .analyzer()
        .execute_and_check(plan.logical.clone(), state.config_options(), |_, _| {})
        .map_err(|error| failure::from_datafusion(&error))
}

/// The physical plan of an analyzed one.
pub(super) async fn physical(
    analyzed: LogicalPlan,
    state: &SessionState,
) -> Result<Arc<dyn ExecutionPlan>> {
    let planned = physical_plan(analyzed, state).await;
    planned.map_err(|error| failure::from_datafusion(&error))
}

/// As [`physical`], with DataFusion's errors.
pub(super) async fn physical_plan(
    analyzed: LogicalPlan,
    state: &SessionState,
) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
    let mut in_order = None;
    if comes_as_it_is_made(&analyzed) {
        let mut state = state.clone();
        let options = state.config_mut().options_mut();
        options.optimizer.enable_round_robin_repartition = false;
        in_order = Some(state);
    }
    let state = in_order.as_ref().unwrap_or(state);
    let optimized = state.optimizer().optimize(analyzed, state, |_, _| {})?;
    let planned = state.query_planner();
    planned.create_physical_plan(&optimized, state).await
}

/// Whether the rows are those that a function makes (`generate_series`, `unnest`), one after the
/// other: in PostgreSQL they come in that order, which several threads would lose.
fn comes_as_it_is_made(plan: &LogicalPlan) -> bool {
    let (mut is_made, mut is_mixed) = (false, false);
    let seen = plan.apply(|node| {
        match node {
            LogicalPlan::Unnest(_) => is_made = true,
            LogicalPlan::TableScan(scan) => is_made |= is_of_function(&scan.table_name),
            LogicalPlan::SubqueryAlias(alias) => is_made |= is_of_function(&alias.alias),
            LogicalPlan::Join(_) | LogicalPlan::Aggregate(_) => is_mixed = true,
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    });
    seen.is_ok() && is_made && !is_mixed
}

/// The planner names the rows of a table function by it and parentheses.
pub(super) fn is_of_function(name: &TableReference) -> bool {
    name.table().ends_with("()")
}

/// Starts a physical plan, which runs until `stop` is cancelled. `columns` are what the client was
/// told, or is to be told; `past` tells what is left where a file is gone. Of one that `reads_little` the first batches
/// are made before this returns: most have no others, and to hand them over from another task takes longer.
pub(super) async fn start(
    physical: Arc<dyn ExecutionPlan>,
    columns: Vec<Column>,
    (task, reads_little): (Arc<TaskContext>, bool),
    stop: CancellationToken,
    past: Past,
) -> Result<Answer> {
    let schema = physical.schema();
    let stream = execute_stream(stoppable(physical, &stop)?, task)
        .map_err(|error| failure::from_datafusion(&error))?;
    let (sender, rows) = mpsc::channel(BATCHES_AHEAD);
    let mut sending = Sending {
        stream,
        sender,
        cancel: stop.clone(),
        past,
    };
    let mut goes_on = true;
    if reads_little {
        for _ in 0..BATCHES_AHEAD {
            goes_on = goes_on && sending.next().await;
        }
    }
    let others = goes_on.then(|| {
        let others = async move { while sending.next().await {} };
        AbortOnDropHandle::new(Handle::current().spawn(others))
    });
    Ok(Answer {
        columns,
        schema,
        notices: Vec::new(),
        rows: Batches::Running {
            rows,
            _task: others,
            _stop: stop.drop_guard(),
        },
        asking: None,
    })
}

/// The batches of a plan, on their way to who reads them.
struct Sending {
    stream: SendableRecordBatchStream,
    sender: mpsc::Sender<Result<RecordBatch>>,
    cancel: CancellationToken,
    past: Past,
}

impl Sending {
    /// Sends the next one, if there is one, and tells whether there may be another.
    async fn next(&mut self) -> bool {
        let batch = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Some(Err(canceled())),
            batch = self.stream.next() => batch.map(|batch| {
                batch.map_err(|error| failure::from_datafusion(&error))
            }),
        };
        let batch = match batch {
            None => return false,
            Some(Ok(batch)) => Ok(batch),
            Some(Err(error)) => Err(self.past.explained(error).await),
        };
        let last = batch.is_err();
        self.sender.send(batch).await.is_ok() && !last
    }
}

/// The error of a statement that was stopped.
pub(super) fn canceled() -> Error {
    let message = "canceling statement due to user request";
    Error::new(ErrorKind::QueryCanceled, message)
}
