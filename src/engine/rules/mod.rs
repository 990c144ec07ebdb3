//! Rewrites that give PostgreSQL's meaning to what DataFusion plans otherwise.

mod correlated_scalar;
mod division;
pub(in crate::engine) mod fetch;
pub(in crate::engine) mod length;
pub(in crate::engine) mod literals;
pub(in crate::engine) mod never_run;
pub(in crate::engine) mod normalize;
mod numbers;
mod single_value;
mod subquery_array;
mod yielding;

use std::sync::Arc;

use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::optimizer::{Analyzer, AnalyzerRule};

/// Adds the rules to a state.
pub(in crate::engine) fn register(builder: SessionStateBuilder) -> SessionState {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![Arc::new(division::Division)];
    rules.extend(Analyzer::new().rules);
    let mut state = builder
        .with_analyzer_rules(rules)
        .with_physical_optimizer_rule(Arc::new(yielding::Yielding))
        .build();
    state.add_analyzer_rule(Arc::new(correlated_scalar::CorrelatedScalar));
    state.add_analyzer_rule(Arc::new(numbers::Numbers));
    state
}
