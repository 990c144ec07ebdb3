//! Functions on dates, times and intervals that DataFusion lacks or means otherwise.
//! <https://www.postgresql.org/docs/16/functions-datetime.html>

mod bin;
mod civil;
mod extract;
mod fields;
mod make;
mod truncate;
mod unit;
mod zone;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use super::output::Style;
pub(super) use civil::{Civil, monday_of};
pub(super) use make::of_seconds;
pub(super) use zone::{instant, instants};

/// The functions, for a session that sees instants in this style.
pub(super) fn functions(style: Style) -> Vec<Arc<ScalarUDF>> {
    let mut functions = extract::functions(style);
    functions.extend(make::functions(style));
    functions.extend(bin::functions(style));
    functions.push(truncate::function(style));
    functions.push(zone::function(style));
    functions
}
