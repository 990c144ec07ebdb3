//! Writes `FETCH FIRST n ROWS ONLY` as the LIMIT that it is, and `WITH TIES` as one of a call that the
//! plan finds again (`rules::with_ties`).

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, LimitClause, Offset, Query, Value, VisitorMut};

use super::normalize::call;
use crate::engine::walk::walk_mut;
use crate::functions::WITH_TIES;

/// Rewrites every query in place.
pub(in crate::engine) fn fetch_as_limits(query: &mut Query) {
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = walk_mut(query, &mut Fetches);
}

struct Fetches;

impl VisitorMut for Fetches {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        fetch_as_limit(query);
        ControlFlow::Continue(())
    }
}

/// `FETCH FIRST ROW ONLY` means one row (manual, SELECT, LIMIT clause).
fn fetch_as_limit(query: &mut Query) {
    let Some(fetch) = query.fetch.take() else {
        return;
    };
    let one = Expr::Value(Value::Number("1".to_owned(), false).into());
    let mut quantity = fetch.quantity.unwrap_or(one);
    if fetch.with_ties {
        quantity = call(WITH_TIES, vec![quantity]);
    }
    let offset: Option<Offset> = match query.limit_clause.take() {
        Some(LimitClause::LimitOffset { offset, .. }) => offset,
        _ => None,
    };
    query.limit_clause = Some(LimitClause::LimitOffset {
        limit: Some(quantity),
        offset,
        limit_by: Vec::new(),
    });
}
