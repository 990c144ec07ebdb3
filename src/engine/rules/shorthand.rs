//! Writes out what is short for something else: `TABLE t`, and `FETCH FIRST n ROWS ONLY`.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, LimitClause, Offset, Query, SetExpr, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Rewrites every query in place.
pub(in crate::engine) fn write_out(query: &mut Query) {
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = query.visit(&mut Writer);
}

struct Writer;

impl VisitorMut for Writer {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        fetch_as_limit(query);
        if let SetExpr::Table(table) = query.body.as_ref()
            && let Some(select) = select_all(&table.to_string())
        {
            query.body = select;
        }
        ControlFlow::Continue(())
    }
}

/// `FETCH FIRST ROW ONLY` means one row (manual, SELECT, LIMIT clause).
fn fetch_as_limit(query: &mut Query) {
    let Some(fetch) = query.fetch.take() else {
        return;
    };
    let one = Expr::Value(Value::Number("1".to_owned(), false).into());
    let quantity = fetch.quantity.unwrap_or(one);
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

/// `TABLE x` prints as it is written, so that `SELECT * FROM x` can be parsed from it.
fn select_all(table: &str) -> Option<Box<SetExpr>> {
    let name = table.strip_prefix("TABLE ")?;
    let text = format!("SELECT * FROM {name}");
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(&text);
    Some(parser.ok()?.parse_query().ok()?.body)
}
