//! Filters are pushed down only where columns can be told apart by name.
//!
//! DataFusion finds the column of a pushed filter in a child by its name: where a join has two of
//! one name, as that of a table with itself, it filters by the first, and rows are lost.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// The beginning of the names of DataFusion's rules that push filters down.
const PUSHING: &str = "FilterPushdown";

/// DataFusion's rules, those that push filters down with care.
pub(super) fn careful(
    rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>,
) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let careful = |rule: Arc<dyn PhysicalOptimizerRule + Send + Sync>| match rule.name() {
        name if name.starts_with(PUSHING) => {
            Arc::new(DistinctNames(rule)) as Arc<dyn PhysicalOptimizerRule + Send + Sync>
        }
        _ => rule,
    };
    rules.into_iter().map(careful).collect()
}

#[derive(Debug)]
struct DistinctNames(Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for DistinctNames {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match are_distinct(&plan) {
            true => self.0.optimize(plan, options),
            false => Ok(plan),
        }
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Whether no step of a plan has two columns of one name.
fn are_distinct(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = plan.schema();
    let mut seen = HashSet::new();
    schema
        .fields()
        .iter()
        .all(|field| seen.insert(field.name()))
        && plan.children().into_iter().all(are_distinct)
}
