//! Functions of DataFusion that share a name with one of PostgreSQL, and answer something else.
//! They are refused until ours exist: an error beats a wrong answer.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Argument, Scalar};
use crate::error::{Error, Result};
use crate::types::oid;

/// Name, and how many arguments it takes at least and at most.
const REFUSED: &[(&str, usize, usize)] = &[
    // DataFusion's patterns are those of strftime: 'YYYY' comes back as it is.
    ("to_char", 2, 2),
    ("to_date", 2, 2),
    // With one argument PostgreSQL takes seconds since 1970, DataFusion a text or nanoseconds.
    ("to_timestamp", 1, 2),
    ("to_number", 2, 2),
];

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let refuse = |&(name, fewest, most): &(&'static str, usize, usize)| {
        let body = move |_: &[ScalarValue]| -> Result<ScalarValue> {
            Err(Error::unsupported(format!("{name}()")))
        };
        Scalar::new(name, &vec![Argument::Any; most], oid::TEXT, body)
            .optional(most - fewest)
            .with_nulls()
            .udf()
    };
    REFUSED.iter().map(refuse).collect()
}
