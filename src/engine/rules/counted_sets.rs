//! `EXCEPT ALL` and `INTERSECT ALL`, which count how often a row occurs on either side. DataFusion plans
//! them as anti and semi joins on all columns, which do not.
//!
//! Equal rows are numbered on both sides, and the numbers are joined with the columns: of a row that
//! is m times on the left and n times on the right, EXCEPT ALL keeps the numbers above n, and
//! INTERSECT ALL those up to n.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, NullEquality, Result};
use datafusion::functions_window::row_number::row_number;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, Join, JoinType, LogicalPlan, LogicalPlanBuilder,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

/// The numbers of either side. SQL text holds no such names.
const LEFT_NUMBER: &str = "\u{1}left number";
const RIGHT_NUMBER: &str = "\u{1}right number";

/// Runs before subqueries become joins of the same kinds.
#[derive(Debug)]
pub(super) struct CountedSets;

impl AnalyzerRule for CountedSets {
    fn name(&self) -> &'static str {
        "postgres_counted_sets"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Join(join) if is_set_operation(&join) => {
                Ok(Transformed::yes(counted(join)?))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(rewritten.data)
    }
}

/// Whether a join is a set operation whose left side keeps its duplicates. Where it has none, numbers
/// change nothing: each row is the first of its kind.
fn is_set_operation(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(_))
}

fn counted(mut join: Join) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = join
        .left
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    join.left = numbered(&join.left, LEFT_NUMBER)?;
    join.right = numbered(&join.right, RIGHT_NUMBER)?;
    let number = |name: &str| Expr::Column(Column::from_name(name));
    join.on.push((number(LEFT_NUMBER), number(RIGHT_NUMBER)));
    let joined = LogicalPlan::Join(join).recompute_schema()?;
    LogicalPlanBuilder::from(joined).project(columns)?.build()
}

/// A plan with a number for each of its rows among those that are equal to it.
fn numbered(plan: &LogicalPlan, name: &str) -> Result<Arc<LogicalPlan>> {
    let columns = plan.schema().columns().into_iter().map(Expr::Column);
    let number = row_number().partition_by(columns.collect()).build()?;
    let numbered = LogicalPlanBuilder::from(plan.clone()).window(vec![number.alias(name)])?;
    numbered.build().map(Arc::new)
}
