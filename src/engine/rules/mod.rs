//! Rewrites that give PostgreSQL's meaning to what DataFusion plans otherwise.

pub(in crate::engine) mod normalize;

use datafusion::execution::SessionState;

/// Adds the rules to a state.
pub(in crate::engine) fn register(state: &mut SessionState) {
    let _ = state;
}
