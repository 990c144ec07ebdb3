//! What stands in a LIMIT for `FETCH FIRST n ROWS WITH TIES` until it is planned.

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Argument, Scalar};
use crate::error::Error;
use crate::types::oid;

/// The name of the function, which no SQL text holds.
pub const WITH_TIES: &str = "with_ties~";

/// The function of this file, which is never run: what planning did not find is refused.
pub(super) fn function() -> Arc<ScalarUDF> {
    Scalar::new(WITH_TIES, &[Argument::Of(oid::INT8)], oid::INT8, |_| {
        Err(Error::unsupported("FETCH ... WITH TIES of this query"))
    })
    .udf()
}
