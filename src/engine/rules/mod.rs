//! Rewrites that give PostgreSQL's meaning to what DataFusion plans otherwise.

mod correlated_scalar;
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

/// Adds the rules to a state.
pub(in crate::engine) fn register(builder: SessionStateBuilder) -> SessionState {
    let builder = builder.with_physical_optimizer_rule(Arc::new(yielding::Yielding));
    let mut state = builder.build();
    state.add_analyzer_rule(Arc::new(correlated_scalar::CorrelatedScalar));
    state.add_analyzer_rule(Arc::new(numbers::Numbers));
    state
}
