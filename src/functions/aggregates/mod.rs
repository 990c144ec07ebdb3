//! Aggregates that take the place of DataFusion's, or that it lacks.
//! <https://www.postgresql.org/docs/16/functions-aggregate.html>

mod array_agg;
mod average;
mod ordered_set;
mod spread;
mod spread_of;
mod squares;
mod sum;

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

pub(super) use average::average_of;
pub(super) use spread_of::spread_of;

/// The aggregates.
pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    let mut functions = vec![
        Arc::new(sum::sum()),
        Arc::new(average::average()),
        Arc::new(array_agg::array_agg()),
    ];
    functions.extend(spread::functions());
    functions.extend(ordered_set::functions());
    functions
}
