//! Lets a join be stopped whose condition is true of few rows. A join looks for its next rows
//! without giving way, through every pair of rows if it must; its condition is the one thing of
//! ours that it asks meanwhile.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema};
use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use tokio_util::sync::CancellationToken;

use super::execute::canceled;
use super::failure;
use super::protected::ProtectedExec;
use crate::error::Result;

/// The plan with joins that end with an error once `stop` is cancelled. For one execution alone.
pub(super) fn stoppable(
    plan: Arc<dyn ExecutionPlan>,
    stop: &CancellationToken,
) -> Result<Arc<dyn ExecutionPlan>> {
    with_stoppable_joins(plan, stop).map_err(|error| failure::from_datafusion(&error))
}

fn with_stoppable_joins(
    plan: Arc<dyn ExecutionPlan>,
    stop: &CancellationToken,
) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
    let plan = plan.transform_up(|node| {
        Ok(match with_stoppable_filter(&node, stop)? {
            Some(join) => Transformed::yes(join),
            None => Transformed::no(node),
        })
    });
    Ok(plan?.data)
}

/// A join with a condition, as it is to run; `None` for everything else.
fn with_stoppable_filter(
    node: &Arc<dyn ExecutionPlan>,
    stop: &CancellationToken,
) -> DataFusionResult<Option<Arc<dyn ExecutionPlan>>> {
    let filter = |filter: &JoinFilter| {
        Some(JoinFilter::new(
            Arc::new(StoppableCondition {
                condition: Arc::clone(filter.expression()),
                stop: stop.clone(),
            }),
            filter.column_indices().to_vec(),
            Arc::clone(filter.schema()),
        ))
    };
    if let Some(protected) = node.downcast_ref::<ProtectedExec>() {
        let below = with_stoppable_joins(Arc::clone(protected.input()), stop)?;
        return Ok(Some(Arc::new(protected.over(below))));
    }
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>()
        && let Some(condition) = join.filter()
    {
        let join = NestedLoopJoinExecBuilder::from(join).with_filter(filter(condition));
        return Ok(Some(Arc::new(join.build()?)));
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>()
        && let Some(condition) = join.filter()
    {
        let join = join.builder().with_filter(filter(condition));
        return Ok(Some(Arc::new(join.build()?)));
    }
    if let Some(join) = node.downcast_ref::<SortMergeJoinExec>()
        && let Some(condition) = &join.filter
    {
        let join = SortMergeJoinExec::try_new(
            Arc::clone(&join.left),
            Arc::clone(&join.right),
            join.on.clone(),
            filter(condition),
            join.join_type,
            join.sort_options.clone(),
            join.null_equality,
        );
        return Ok(Some(Arc::new(join?)));
    }
    Ok(None)
}

/// A join's condition, which fails once the statement is to end.
#[derive(Debug)]
struct StoppableCondition {
    condition: Arc<dyn PhysicalExpr>,
    stop: CancellationToken,
}

impl fmt::Display for StoppableCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl PartialEq for StoppableCondition {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Eq for StoppableCondition {}

impl Hash for StoppableCondition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}

impl PhysicalExpr for StoppableCondition {
    fn evaluate(&self, batch: &RecordBatch) -> DataFusionResult<ColumnarValue> {
        if self.stop.is_cancelled() {
            return Err(DataFusionError::External(Box::new(canceled())));
        }
        self.condition.evaluate(batch)
    }

    fn return_field(&self, input_schema: &Schema) -> DataFusionResult<FieldRef> {
        self.condition.return_field(input_schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Self {
            condition: children
                .into_iter()
                .next()
                .ok_or_else(|| DataFusionError::Internal("a condition has one child".to_owned()))?,
            stop: self.stop.clone(),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}
