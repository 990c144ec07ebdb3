//! `GROUP BY a, b, a` groups by a and b: DataFusion lists such a key once in the schema of an aggregate, and as often
//! as it is written in the aggregate itself. Whoever counts columns by the keys would take the wrong one.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

/// The rule; it runs before all that look at keys.
#[derive(Debug)]
pub(super) struct RepeatedKeys;

impl AnalyzerRule for RepeatedKeys {
    fn name(&self) -> &'static str {
        "repeated_keys"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| {
            let LogicalPlan::Aggregate(mut aggregate) = node else {
                return Ok(Transformed::no(node));
            };
            let once = once(&aggregate.group_expr)?;
            let is_repeated = once.is_some();
            aggregate.group_expr = once.unwrap_or(aggregate.group_expr);
            let node = LogicalPlan::Aggregate(aggregate);
            Ok(Transformed::new_transformed(node, is_repeated))
        })?;
        Ok(rewritten.data)
    }
}

/// Keys of which one is repeated, each once. What sets of keys repeat is counted, and stays.
fn once(keys: &[Expr]) -> Result<Option<Vec<Expr>>> {
    if keys.iter().any(|key| matches!(key, Expr::GroupingSet(_))) {
        return Ok(None);
    }
    let once = grouping_set_to_exprlist(keys)?;
    let is_repeated = once.len() < keys.len();
    Ok(is_repeated.then(|| once.into_iter().cloned().collect()))
}
