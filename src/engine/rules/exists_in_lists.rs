//! `EXISTS` and `IN (SELECT ...)` in a select list and in an order, which DataFusion plans in WHERE alone:
//! as whether the rows that there are count more than none, and whether one of them is equal.

use crate::engine::walk::walk_mut;
use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, GroupByExpr, Ident, OrderByKind, Query, Select, SelectItem,
    SetExpr, TableAlias, TableAliasColumnDef, TableFactor, UnaryOperator, Value, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::never_run::calls_aggregate;
use super::normalize::{arguments, call, function};

/// Begins the names of what an IN compares with; no name in SQL text holds a control character.
const LISTED: &str = "\u{1}listed";

/// Rewrites the select lists and orders of a query.
pub(in crate::engine) fn as_counts(query: &mut Query) {
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = walk_mut(query, &mut Lists);
}

struct Lists;

impl VisitorMut for Lists {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        if matches!(query.body.as_ref(), SetExpr::Select(_))
            && let Some(order_by) = &mut query.order_by
            && let OrderByKind::Expressions(keys) = &mut order_by.kind
        {
            for key in keys {
                let _: ControlFlow<Infallible> = walk_mut(&mut key.expr, &mut InList { depth: 0 });
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expression)
            | SelectItem::ExprWithAlias {
                expr: expression, ..
            } = item
            {
                let _: ControlFlow<Infallible> = walk_mut(expression, &mut InList { depth: 0 });
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
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        let (asked, negated) = match expression {
            Expr::Exists { subquery, negated } => (counted(subquery), *negated),
            Expr::InSubquery {
                expr,
                subquery,
                negated,
            } => (listed(expr, subquery), *negated),
            _ => return ControlFlow::Continue(()),
        };
        if let Some(asked) = asked {
            *expression = match negated {
                false => asked,
                true => Expr::UnaryOp {
                    op: UnaryOperator::Not,
                    expr: Box::new(asked),
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

/// Whether a value is one of a subquery's, as a scalar subquery: true if one is equal, unknown if that of
/// one is unknown, else false, as `ExecScanSubPlan` in nodeSubplan.c has it. `None` for rows.
fn listed(value: &Expr, query: &Query) -> Option<Expr> {
    if matches!(value, Expr::Tuple(_)) {
        return None;
    }
    let around = "SELECT 1 FROM (SELECT 1) AS rows_of";
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(around);
    let mut around = *parser.ok()?.parse_query().ok()?;
    let SetExpr::Select(select) = around.body.as_mut() else {
        return None;
    };
    let TableFactor::Derived {
        subquery, alias, ..
    } = &mut select.from.first_mut()?.relation
    else {
        return None;
    };
    **subquery = query.clone();
    let name = Ident::with_quote('"', LISTED);
    *alias = Some(TableAlias {
        explicit: true,
        name: name.clone(),
        columns: vec![TableAliasColumnDef {
            name: name.clone(),
            data_type: None,
        }],
        at: None,
    });
    let equal = Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(Expr::Nested(Box::new(value.clone()))),
        op: BinaryOperator::Eq,
        right: Box::new(Expr::Identifier(name)),
    }));
    let unknown = Expr::IsNull(Box::new(equal.clone()));
    let when = |condition: Expr, result: Value| CaseWhen {
        condition: call("bool_or", vec![condition]),
        result: Expr::Value(result.into()),
    };
    let found = Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![
            when(equal, Value::Boolean(true)),
            when(unknown, Value::Null),
        ],
        else_result: Some(Box::new(Expr::Value(Value::Boolean(false).into()))),
    };
    select.projection = vec![SelectItem::UnnamedExpr(found)];
    Some(Expr::Subquery(Box::new(around)))
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
    fn lists_compare() {
        let mut query = parsed("SELECT a IN (SELECT x FROM t) FROM o ORDER BY b NOT IN (SELECT 1)");
        as_counts(&mut query);
        let asked = |value: &str, of: &str| {
            format!(
                "(SELECT CASE WHEN bool_or((({value}) = \"~\")) THEN true \
                 WHEN bool_or((({value}) = \"~\") IS NULL) THEN NULL ELSE false END \
                 FROM ({of}) AS \"~\" (\"~\"))"
            )
        };
        let (list, order) = (asked("a", "SELECT x FROM t"), asked("b", "SELECT 1"));
        assert_eq!(
            query.to_string().replace(LISTED, "~"),
            format!("SELECT {list} FROM o ORDER BY NOT {order}")
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
