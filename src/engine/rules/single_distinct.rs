//! Sums of integers beside `count(DISTINCT ...)` keep their type.
//!
//! DataFusion makes groups of the distinct values first, and then sums up their sums: but a sum of bigints is
//! numeric, and it refuses to run what changed its type.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The name of DataFusion's rule.
const RULE: &str = "single_distinct_aggregation_to_group_by";

/// DataFusion's rules, that one with care.
pub(super) fn careful(
    rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>,
) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let careful = |rule: Arc<dyn OptimizerRule + Send + Sync>| match rule.name() {
        RULE => Arc::new(SingleDistinct(rule)) as Arc<dyn OptimizerRule + Send + Sync>,
        _ => rule,
    };
    rules.into_iter().map(careful).collect()
}

#[derive(Debug)]
struct SingleDistinct(Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for SingleDistinct {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match sums_integers(&plan) {
            true => Ok(Transformed::no(plan)),
            false => self.0.rewrite(plan, config),
        }
    }
}

/// Whether a node has a sum that is of another type than the sum of such sums.
fn sums_integers(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Aggregate(aggregate) = plan else {
        return false;
    };
    let schema = aggregate.input.schema();
    aggregate.aggr_expr.iter().any(|call| match call {
        Expr::AggregateFunction(of) if of.func.name() == "sum" && !of.params.distinct => !matches!(
            call.get_type(schema),
            Ok(DataType::Float64 | DataType::Decimal128(..))
        ),
        _ => false,
    })
}
