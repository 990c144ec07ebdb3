//! Rewrites that give PostgreSQL's meaning to what DataFusion plans otherwise.

pub(in crate::engine) mod length;
pub(in crate::engine) mod normalize;
mod numbers;

use std::sync::Arc;

use datafusion::execution::SessionState;

/// Adds the rules to a state.
pub(in crate::engine) fn register(state: &mut SessionState) {
    state.add_analyzer_rule(Arc::new(numbers::Numbers));
}
