//! Drops subqueries that never run: those evaluated once per row of a relation without rows.
//!
//! psql's `\d` asks for triggers and publications, which Lakegate never has, with
//! subqueries that DataFusion cannot plan. Only names that say `pg_catalog.` are taken for the
//! relations of PostgreSQL: any other may be a CTE or a table of the lake.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::functions_aggregate::all_default_aggregate_functions;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, Expr, FunctionArguments, GroupByExpr, JoinOperator,
    Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins, Value, VisitorMut,
    visit_expressions,
};

use crate::catalog::system;
use crate::engine::walk::walk_mut;

/// Puts NULL in the places of the subqueries of a query that never run.
pub(in crate::engine) fn drop_subqueries(query: &mut Query) {
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = walk_mut(query, &mut NeverRun);
}

struct NeverRun;

impl VisitorMut for NeverRun {
    type Break = Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        if !select.from.iter().any(is_empty) {
            return ControlFlow::Continue(());
        }
        // An aggregate over no rows is a row, for which the select list is evaluated.
        if !is_aggregated(select) {
            let _ = walk_mut(&mut select.projection, &mut Nulls);
        }
        walk_mut(&mut select.selection, &mut Nulls)
    }
}

/// Whether an entry of FROM gives no rows.
fn is_empty(from: &TableWithJoins) -> bool {
    let mut empty = is_empty_relation(&from.relation);
    for join in &from.joins {
        let right = is_empty_relation(&join.relation);
        empty = match &join.join_operator {
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => {
                empty || right
            }
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => empty,
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => right,
            _ => false,
        };
    }
    empty
}

fn is_empty_relation(factor: &TableFactor) -> bool {
    let TableFactor::Table {
        name, args: None, ..
    } = factor
    else {
        return false;
    };
    let [schema, relation] = name.0.as_slice() else {
        return false;
    };
    let lower = |part: &datafusion::sql::sqlparser::ast::ObjectNamePart| {
        part.as_ident().map(crate::engine::output_name::fold)
    };
    lower(schema).as_deref() == Some("pg_catalog")
        && lower(relation).is_some_and(|relation| system::never_has_rows(&relation))
}

fn is_aggregated(select: &Select) -> bool {
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(expressions, modifiers) => {
            !expressions.is_empty() || !modifiers.is_empty()
        }
        GroupByExpr::All(_) => true,
    };
    grouped
        || select.having.is_some()
        || select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(expression)
            | SelectItem::ExprWithAlias {
                expr: expression, ..
            } => calls_aggregate(&without_subqueries(expression)),
            _ => false,
        })
}

/// Aggregates inside of a subquery are the subquery's.
pub(super) fn without_subqueries(expression: &Expr) -> Expr {
    let mut expression = expression.clone();
    let _ = walk_mut(&mut expression, &mut Nulls);
    expression
}

/// Whether an expression calls an aggregate or a window function, be it in a subquery.
pub(in crate::engine) fn calls_aggregate(expression: &Expr) -> bool {
    let mut names: Option<Vec<String>> = None;
    visit_expressions(expression, |expression| {
        let Expr::Function(function) = expression else {
            return ControlFlow::Continue(());
        };
        let names = names.get_or_insert_with(aggregate_names);
        let called = function.name.0.last().and_then(|name| name.as_ident());
        let called = called.map(|name| name.value.to_lowercase());
        match function.over.is_some() || called.is_some_and(|called| names.contains(&called)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })
    .is_break()
}

fn aggregate_names() -> Vec<String> {
    let functions = all_default_aggregate_functions();
    let names = functions.iter().flat_map(|function| {
        let aliases = function.aliases().iter().cloned();
        aliases.chain([function.name().to_owned()])
    });
    names.collect()
}

/// Replaces subqueries by NULLs, of their types where the text tells them.
struct Nulls;

impl VisitorMut for Nulls {
    type Break = Infallible;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Infallible> {
        let null = match expression {
            Expr::Subquery(query) => match type_of(query) {
                Some(data_type) => cast(data_type),
                None => Expr::Value(Value::Null.into()),
            },
            Expr::InSubquery { .. } | Expr::Exists { .. } => cast(DataType::Boolean),
            Expr::Function(function) if matches!(function.args, FunctionArguments::Subquery(_)) => {
                let text = ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None);
                cast(DataType::Array(text))
            }
            _ => return ControlFlow::Continue(()),
        };
        *expression = null;
        ControlFlow::Continue(())
    }
}

fn cast(data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(Value::Null.into())),
        data_type,
        array: false,
        format: None,
    }
}

fn type_of(query: &Query) -> Option<DataType> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    match select.projection.as_slice() {
        [
            SelectItem::UnnamedExpr(Expr::Cast { data_type, .. })
            | SelectItem::ExprWithAlias {
                expr: Expr::Cast { data_type, .. },
                ..
            },
        ] => Some(data_type.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::parsed;

    fn check(text: &str, expected: &str) {
        let mut query = parsed(text);
        drop_subqueries(&mut query);
        assert_eq!(query.to_string(), expected);
    }

    #[test]
    fn drops_what_never_runs() {
        check(
            "SELECT (SELECT x FROM b) FROM pg_catalog.pg_trigger AS t",
            "SELECT NULL FROM pg_catalog.pg_trigger AS t",
        );
        check(
            "SELECT 1 FROM a, pg_catalog.pg_trigger WHERE x IN (SELECT y FROM b)",
            "SELECT 1 FROM a, pg_catalog.pg_trigger WHERE CAST(NULL AS BOOLEAN)",
        );
        check(
            "SELECT 1 FROM a JOIN pg_catalog.pg_trigger ON true WHERE EXISTS (SELECT 1)",
            "SELECT 1 FROM a JOIN pg_catalog.pg_trigger ON true WHERE CAST(NULL AS BOOLEAN)",
        );
    }

    #[test]
    fn keeps_what_may_run() {
        for text in [
            "SELECT (SELECT x FROM b) FROM pg_trigger",
            "SELECT (SELECT x FROM b) FROM pg_catalog.pg_class",
            "SELECT (SELECT x FROM b), count(*) FROM pg_catalog.pg_trigger",
            "SELECT (SELECT x FROM b) FROM a LEFT JOIN pg_catalog.pg_trigger ON true",
            "SELECT (SELECT x FROM b) FROM pg_catalog.pg_trigger RIGHT JOIN a ON true",
        ] {
            check(text, text);
        }
    }
}
