//! Functions in a select list that make rows: `SELECT id, generate_series(1, n) FROM t`.
//!
//! They become `unnest` of a function that gives the list of what they make; DataFusion unnests
//! several in lock step and fills the shorter with NULLs, as `ExecProjectSRF` in PostgreSQL's
//! nodeProjectSet.c does. The one of a select without FROM becomes its FROM: its rows need not be
//! held at once there, and its arguments may be parameters. Every other place is left as it is, to
//! be refused.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, ObjectName, Query,
    Select, SelectItem, TableAlias, TableAliasColumnDef, TableFactor, TableFunctionArgs,
    TableWithJoins, VisitorMut, visit_expressions,
};

use super::never_run::calls_aggregate;
use super::normalize::{arguments, function, last_part};
use crate::engine::walk::walk_mut;
use crate::functions::{
    ANCESTORS_LIST, EXPANDED_LIST, MATCHES_LIST, PARTS_LIST, SERIES_LIST, SUBSCRIPTS_LIST,
};

/// The relation of a select that had none. SQL text holds no such name.
const RELATION: &str = "\u{1}rows";

/// The functions that make rows, and those that give the same as a list.
const LISTS: [(&str, &str); 6] = [
    ("pg_partition_ancestors", ANCESTORS_LIST),
    ("_pg_expandarray", EXPANDED_LIST),
    ("generate_series", SERIES_LIST),
    ("generate_subscripts", SUBSCRIPTS_LIST),
    ("regexp_matches", MATCHES_LIST),
    ("regexp_split_to_table", PARTS_LIST),
];

/// The function that gives as a list what one makes rows of.
pub(super) fn list_of(function: &str) -> Option<&'static str> {
    let found = LISTS.iter().find(|(known, _)| *known == function);
    found.map(|(_, list)| *list)
}

/// Rewrites the select lists of a query.
pub(in crate::engine) fn as_lists(query: &mut Query) {
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = walk_mut(query, &mut Rewriter);
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        let n_calls = count_calls(select);
        if n_calls == 0 || is_aggregated(select) {
            return ControlFlow::Continue(());
        }
        if n_calls == 1 && select.from.is_empty() && moves_to_from(select) {
            return ControlFlow::Continue(());
        }
        for expression in expressions(&mut select.projection) {
            in_places(expression, &mut |call| {
                if let Some(unnested) = unnested(call) {
                    *call = unnested;
                }
            });
        }
        ControlFlow::Continue(())
    }
}

fn expressions(list: &mut [SelectItem]) -> impl Iterator<Item = &mut Expr> {
    list.iter_mut().filter_map(|item| match item {
        SelectItem::UnnamedExpr(expression)
        | SelectItem::ExprWithAlias {
            expr: expression, ..
        } => Some(expression),
        _ => None,
    })
}

/// The calls of a select list that make rows, wherever in it they are.
fn count_calls(select: &Select) -> usize {
    let mut count = 0;
    for item in &select.projection {
        if let SelectItem::UnnamedExpr(expression)
        | SelectItem::ExprWithAlias {
            expr: expression, ..
        } = item
        {
            let _: ControlFlow<()> = visit_expressions(expression, |inner| {
                count += usize::from(makes_rows(inner));
                ControlFlow::Continue(())
            });
        }
    }
    count
}

/// Whether an expression calls a function that makes rows. `unnest` is DataFusion's.
fn makes_rows(expression: &Expr) -> bool {
    let Expr::Function(function) = expression else {
        return false;
    };
    let name = last_part(&function.name);
    LISTS.iter().any(|(known, _)| *known == name)
}

/// Rows would be made of what was aggregated, which is another order of steps.
fn is_aggregated(select: &Select) -> bool {
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(by, modifiers) => !by.is_empty() || !modifiers.is_empty(),
        GroupByExpr::All(_) => true,
    };
    grouped
        || select.having.is_some()
        || select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(expression)
            | SelectItem::ExprWithAlias {
                expr: expression, ..
            } => calls_aggregate(expression),
            _ => false,
        })
}

/// Visits the calls that make a row for each row of the select: at the top, and under operators and
/// casts, and where a field is taken of it. PostgreSQL refuses them in CASE and COALESCE.
fn in_places(expression: &mut Expr, visit: &mut impl FnMut(&mut Expr)) {
    match expression {
        Expr::Nested(inner)
        | Expr::CompoundFieldAccess { root: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::UnaryOp { expr: inner, .. } => in_places(inner, visit),
        Expr::BinaryOp { left, right, .. } => {
            in_places(left, visit);
            in_places(right, visit);
        }
        call if makes_rows(call) => visit(call),
        _ => {}
    }
}

/// Makes the one call of a select list its FROM; false if it cannot be.
fn moves_to_from(select: &mut Select) -> bool {
    let mut moved = None;
    for expression in expressions(&mut select.projection) {
        in_places(expression, &mut |call| {
            moved = series_from(call);
            if moved.is_some() {
                let relation = Ident::with_quote('"', RELATION);
                *call = Expr::CompoundIdentifier(vec![relation.clone(), relation]);
            }
        });
    }
    let Some(relation) = moved else {
        return false;
    };
    select.from.push(TableWithJoins {
        relation,
        joins: Vec::new(),
    });
    true
}

/// `generate_series` of constants, as a relation.
fn series_from(call: &Expr) -> Option<TableFactor> {
    let Expr::Function(function) = call else {
        return None;
    };
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let depends = visit_expressions(&function.args, |inner| match inner {
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::Subquery(_)
        | Expr::Exists { .. }
        | Expr::InSubquery { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    if depends.is_break() || last_part(&function.name) != "generate_series" {
        return None;
    }
    let name = Ident::with_quote('"', RELATION);
    let column = TableAliasColumnDef {
        name: name.clone(),
        data_type: None,
    };
    Some(TableFactor::Table {
        name: ObjectName::from(vec![Ident::new("generate_series")]),
        alias: Some(TableAlias {
            explicit: true,
            name,
            columns: vec![column],
            at: None,
        }),
        args: Some(TableFunctionArgs {
            args: list.args.clone(),
            settings: None,
        }),
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    })
}

/// The call as the elements of a list.
fn unnested(call: &Expr) -> Option<Expr> {
    let Expr::Function(called) = call else {
        return None;
    };
    let FunctionArguments::List(list) = &called.args else {
        return None;
    };
    let given = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression.clone()),
        _ => None,
    });
    let given: Vec<Expr> = given.collect::<Option<_>>()?;
    let name = last_part(&called.name);
    let (_, list) = LISTS.iter().find(|(known, _)| *known == name)?;
    Some(quoted("unnest", vec![quoted(list, given)]))
}

fn quoted(name: &str, given: Vec<Expr>) -> Expr {
    let mut call = function(name, arguments(given));
    call.name = ObjectName::from(vec![Ident::with_quote('"', name)]);
    Expr::Function(call)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::parsed;

    fn check(text: &str, expected: &str) {
        let mut query = parsed(text);
        as_lists(&mut query);
        assert_eq!(query.to_string().replace('\u{1}', "~"), expected);
    }

    #[test]
    fn one_without_from_becomes_the_from() {
        check(
            "SELECT generate_series(1, $1) + 1 AS x",
            "SELECT \"~rows\".\"~rows\" + 1 AS x FROM generate_series(1, $1) AS \"~rows\" (\"~rows\")",
        );
    }

    #[test]
    fn others_become_lists() {
        check(
            "SELECT generate_series(1, 2), generate_series(1, 3)",
            "SELECT \"unnest\"(\"generate_series~\"(1, 2)), \"unnest\"(\"generate_series~\"(1, 3))",
        );
        check(
            "SELECT generate_subscripts(a, 1) FROM t",
            "SELECT \"unnest\"(\"generate_subscripts~\"(a, 1)) FROM t",
        );
    }

    #[test]
    fn other_places_are_left_to_be_refused() {
        for text in [
            "SELECT CASE WHEN true THEN generate_series(1, 2) END",
            "SELECT count(*), generate_series(1, 2) FROM t",
            "SELECT generate_series(1, 2) FROM t GROUP BY x",
            "SELECT 1 FROM t WHERE x = generate_series(1, 2)",
        ] {
            check(text, text);
        }
    }
}
