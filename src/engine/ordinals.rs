//! Positions in GROUP BY and ORDER BY that no column of the select list has
//! (`findTargetlistEntrySQL92` in parse_clause.c).

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Value, Visitor,
};

use crate::catalog::sql::Lines;
use crate::engine::walk::walk;
use crate::error::{Error, ErrorKind, Result};

/// Checks the positions of a query whose wildcards are written out where they are known.
///
/// # Errors
/// `InvalidColumnReference`: there is no such column.
pub(super) fn check(query: &Query, lines: &Lines) -> Result<()> {
    match walk(query, &mut Ordinals { lines }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Ordinals<'a> {
    lines: &'a Lines,
}

impl Visitor for Ordinals<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        let order = query.order_by.as_ref().map(|order| &order.kind);
        let Some(OrderByKind::Expressions(by)) = order else {
            return ControlFlow::Continue(());
        };
        match columns_of(&query.body) {
            Some(n_columns) => by
                .iter()
                .try_for_each(|by| self.position(&by.expr, n_columns, "ORDER BY")),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        match (&select.group_by, columns_of_select(select)) {
            (GroupByExpr::Expressions(by, _), Some(n_columns)) => by
                .iter()
                .try_for_each(|by| self.position(by, n_columns, "GROUP BY")),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// How many columns a query has; `None` where a wildcard hides it.
fn columns_of(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => columns_of_select(select),
        SetExpr::Query(query) => columns_of(&query.body),
        SetExpr::SetOperation { left, .. } => columns_of(left),
        SetExpr::Values(values) => values.rows.first().map(|row| row.len()),
        _ => None,
    }
}

fn columns_of_select(select: &Select) -> Option<usize> {
    let is_column = |item: &SelectItem| {
        matches!(
            item,
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
        )
    };
    let items = &select.projection;
    items.iter().all(is_column).then_some(items.len())
}

impl Ordinals<'_> {
    fn position(&self, by: &Expr, n_columns: usize, clause: &str) -> ControlFlow<Error> {
        let Expr::Value(literal) = by else {
            return ControlFlow::Continue(());
        };
        let Value::Number(number, _) = &literal.value else {
            return ControlFlow::Continue(());
        };
        match number.parse::<usize>() {
            Ok(position) if !(1..=n_columns).contains(&position) => {
                let message = format!("{clause} position {position} is not in select list");
                let error = Error::new(ErrorKind::InvalidColumnReference, message);
                ControlFlow::Break(error.at(self.lines.position(literal.span.start)))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
