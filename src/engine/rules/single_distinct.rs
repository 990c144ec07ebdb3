//! DataFusion makes two steps of aggregates of which one is DISTINCT, and adds up sums in the second.
//! Ours are of a wider type than what they add up (`sum(int)` is bigint, and that of bigint numeric),
//! which a sum of sums is not: such aggregates stay in one step.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::optimizer::{ApplyOrder, OptimizerConfig};
use datafusion::optimizer::{Optimizer, OptimizerRule};

/// The name of DataFusion's rule.
const RULE: &str = "single_distinct_aggregation_to_group_by";

/// DataFusion's rules, that one with care.
pub(super) fn careful() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let careful = |rule: Arc<dyn OptimizerRule + Send + Sync>| match rule.name() {
        RULE => Arc::new(WithoutSums(rule)) as Arc<dyn OptimizerRule + Send + Sync>,
        _ => rule,
    };
    Optimizer::new().rules.into_iter().map(careful).collect()
}

#[derive(Debug)]
struct WithoutSums(Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for WithoutSums {
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
        match &plan {
            LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(is_sum_of_all) => {
                Ok(Transformed::no(plan))
            }
            _ => self.0.rewrite(plan, config),
        }
    }
}

fn is_sum_of_all(of: &Expr) -> bool {
    match of {
        Expr::Alias(alias) => is_sum_of_all(&alias.expr),
        Expr::AggregateFunction(call) => call.func.name() == "sum" && !call.params.distinct,
        _ => false,
    }
}
