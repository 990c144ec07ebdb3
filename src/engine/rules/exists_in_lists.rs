//! `EXISTS` in a select list, which DataFusion plans in WHERE alone: as whether the rows that there
//! are count more than none.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, UnaryOperator,
    Value, VisitMut, VisitorMut,
};

use super::never_run::calls_aggregate;
use super::normalize::{arguments, function};

/// Rewrites the select lists of a query.
pub(in crate::engine) fn as_counts(query: &mut Query) {
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = query.visit(&mut Lists);
}

struct Lists;

impl VisitorMut for Lists {
    type Break = Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expression)
            | SelectItem::ExprWithAlias {
                expr: expression, ..
            } = item
            {
                let _: ControlFlow<Infallible> = expression.visit(&mut InList { depth: 0 });
            }
        }
        ControlFlow::Continue(())
    }
}

/// Rewrites what stands in a list itself, and not in the subqueries below it.
struct InList {
    depth: usize,
}

impl VisitorMut for InList {
    type Break = Infallible;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Infallible> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Infallible> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Infallible> {
        if self.depth == 0
            && let Expr::Exists { subquery, negated } = expression
            && let Some(counted) = counted(subquery)
        {
            *expression = match negated {
                false => counted,
                true => Expr::UnaryOp {
                    op: UnaryOperator::Not,
                    expr: Box::new(counted),
                },
            };
        }
        ControlFlow::Continue(())
    }
}

/// Whether a subquery has rows, as a scalar subquery; `None` where its rows are not those of its
/// FROM and WHERE.
fn counted(query: &Query) -> Option<Expr> {
    let is_plain = query.with.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let is_grouped = match &select.group_by {
        GroupByExpr::Expressions(by, modifiers) => !by.is_empty() || !modifiers.is_empty(),
        GroupByExpr::All(_) => true,
    };
    let aggregates = select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(expression)
        | SelectItem::ExprWithAlias {
            expr: expression, ..
        } => calls_aggregate(expression),
        _ => false,
    });
    if !is_plain || is_grouped || aggregates || select.having.is_some() || select.from.is_empty() {
        return None;
    }
    let mut select = select.as_ref().clone();
    let all = Expr::Value(Value::Number("1".to_owned(), false).into());
    let count = Expr::Function(function("count", arguments(vec![all])));
    let none = Expr::Value(Value::Number("0".to_owned(), false).into());
    select.distinct = None;
    select.projection = vec![SelectItem::ExprWithAlias {
        expr: Expr::BinaryOp {
            left: Box::new(count),
            op: BinaryOperator::Gt,
            right: Box::new(none),
        },
        alias: Ident::new("exists"),
    }];
    let mut query = query.clone();
    query.order_by = None;
    query.body = Box::new(SetExpr::Select(Box::new(select)));
    Some(Expr::Subquery(Box::new(query)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::parsed;

    fn check(text: &str, expected: &str) {
        let mut query = parsed(text);
        as_counts(&mut query);
        assert_eq!(query.to_string(), expected);
    }

    #[test]
    fn lists_count() {
        check(
            "SELECT a, NOT EXISTS (SELECT 1 FROM t WHERE t.x = o.x) FROM o",
            "SELECT a, NOT (SELECT count(1) > 0 AS exists FROM t WHERE t.x = o.x) FROM o",
        );
    }

    #[test]
    fn other_places_stay() {
        for text in [
            "SELECT 1 FROM o WHERE EXISTS (SELECT 1 FROM t)",
            "SELECT (SELECT max(x) FROM t WHERE EXISTS (SELECT 1 FROM u)) FROM o",
            "SELECT EXISTS (SELECT max(x) FROM t)",
            "SELECT EXISTS (SELECT 1 FROM t LIMIT 0)",
        ] {
            check(text, text);
        }
    }
}
