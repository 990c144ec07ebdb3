//! Rewrites that give PostgreSQL's meaning to what DataFusion plans otherwise.

mod correlated_scalar;
pub(in crate::engine) mod never_run;
pub(in crate::engine) mod normalize;
mod single_value;
mod subquery_array;

use std::sync::Arc;

use datafusion::execution::SessionState;

/// Adds the rules to a state.
pub(in crate::engine) fn register(state: &mut SessionState) {
    state.add_analyzer_rule(Arc::new(correlated_scalar::CorrelatedScalar));
}
