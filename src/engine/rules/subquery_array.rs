//! `ARRAY(SELECT ...)`, which DataFusion lacks, by what it has.

use datafusion::sql::sqlparser::ast::{
    Array, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    GroupByExpr, LambdaFunction, LambdaFunctionParameter, LambdaSyntax, OneOrManyWithParens,
    OrderByKind, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor, Value,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::never_run::{calls_aggregate, without_subqueries};
use super::normalize::{arguments, call, function, last_part};
use crate::error::{Error, Result};

/// The array of a subquery's rows; `None` for other functions.
///
/// # Errors
/// A subquery whose order would be lost.
pub(super) fn array_of_subquery(function: &Function) -> Result<Option<Expr>> {
    let FunctionArguments::Subquery(query) = &function.args else {
        return Ok(None);
    };
    if !last_part(&function.name).eq_ignore_ascii_case("array") {
        return Ok(None);
    }
    if let Some(mapped) = of_elements(query) {
        return Ok(Some(or_empty(mapped)));
    }
    let aggregated = match row_by_row(query) {
        Some(query) => query,
        None => of_rows(query)?,
    };
    Ok(Some(or_empty(Expr::Subquery(Box::new(aggregated)))))
}

/// An array of no rows is empty, where aggregates give NULL.
fn or_empty(array: Expr) -> Expr {
    let empty = Expr::Array(Array {
        elem: Vec::new(),
        named: true,
    });
    call("coalesce", vec![array, empty])
}

/// The select of a query that gives a row for each row it reads, and the one item of its list.
fn plain(query: &Query) -> Option<(&Select, &Expr)> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(expressions, modifiers) => {
            !expressions.is_empty() || !modifiers.is_empty()
        }
        GroupByExpr::All(_) => true,
    };
    let reduced = grouped
        || select.distinct.is_some()
        || select.having.is_some()
        || select.qualify.is_some()
        || query.limit_clause.is_some()
        || query.fetch.is_some();
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_slice()
    else {
        return None;
    };
    let aggregates = calls_aggregate(&without_subqueries(item));
    (!reduced && !aggregates).then_some((select, item))
}

/// `ARRAY(SELECT f(x) FROM unnest(list) x)` is `array_transform(list, x -> f(x))`.
fn of_elements(query: &Query) -> Option<Expr> {
    let (select, item) = plain(query)?;
    let [from] = select.from.as_slice() else {
        return None;
    };
    let bare = query.with.is_none() && query.order_by.is_none() && select.selection.is_none();
    if !bare || !from.joins.is_empty() {
        return None;
    }
    let (list, alias) = unnested(&from.relation)?;
    let element = match alias.columns.as_slice() {
        [] => &alias.name,
        [column] => &column.name,
        _ => return None,
    };
    let lambda = Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::One(LambdaFunctionParameter {
            name: element.clone(),
            data_type: None,
        }),
        body: Box::new(item.clone()),
        syntax: LambdaSyntax::Arrow,
    });
    Some(call("array_transform", vec![list.clone(), lambda]))
}

fn unnested(factor: &TableFactor) -> Option<(&Expr, &TableAlias)> {
    match factor {
        TableFactor::UNNEST {
            array_exprs,
            alias: Some(alias),
            with_offset: false,
            with_ordinality: false,
            ..
        } => match array_exprs.as_slice() {
            [list] => Some((list, alias)),
            _ => None,
        },
        TableFactor::Table {
            name,
            args: Some(arguments),
            alias: Some(alias),
            with_ordinality: false,
            ..
        } if name.0.len() == 1 && last_part(name) == "unnest" => match arguments.args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(list))] => Some((list, alias)),
            _ => None,
        },
        _ => None,
    }
}

/// `SELECT x FROM ... ORDER BY y` as `SELECT array_agg(x ORDER BY y) FROM ...`.
fn row_by_row(query: &Query) -> Option<Query> {
    let (_, item) = plain(query)?;
    let item = item.clone();
    let mut query = query.clone();
    let mut aggregated = arguments(vec![item.clone()]);
    if let Some(order_by) = query.order_by.take() {
        let OrderByKind::Expressions(mut keys) = order_by.kind else {
            return None;
        };
        for key in &mut keys {
            // `ORDER BY 1` is the item itself; inside of an aggregate it would be the number.
            if matches!(&key.expr, Expr::Value(value) if matches!(value.value, Value::Number(..))) {
                key.expr = item.clone();
            }
        }
        aggregated
            .clauses
            .push(FunctionArgumentClause::OrderBy(keys));
    }
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    let aggregate = Expr::Function(function("array_agg", aggregated));
    select.projection = vec![SelectItem::UnnamedExpr(aggregate)];
    Some(query)
}

/// Any other subquery, aggregated from outside: groups, limits and unions stay what they are.
fn of_rows(query: &Query) -> Result<Query> {
    if query.order_by.is_some() {
        // Nothing keeps the order of a derived table up to the aggregate.
        return Err(Error::unsupported(
            "ARRAY of a subquery that orders groups or limited rows",
        ));
    }
    let around = "SELECT array_agg(item) FROM (SELECT 1) AS rows_of(item)";
    let mut around = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(around)
        .and_then(|mut parser| parser.parse_query())
        .map_err(Error::internal)?;
    if let SetExpr::Select(select) = around.body.as_mut()
        && let Some(from) = select.from.first_mut()
        && let TableFactor::Derived { subquery, .. } = &mut from.relation
    {
        **subquery = query.clone();
    }
    Ok(*around)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let mut parser = Parser::new(&PostgreSqlDialect {})
            .try_with_sql(text)
            .expect("the text has tokens");
        let Expr::Function(function) = parser.parse_expr().expect("the text is an expression")
        else {
            panic!("{text} is no function");
        };
        let array = array_of_subquery(&function).ok().flatten();
        assert_eq!(array.map(|array| array.to_string()).as_deref(), expected);
    }

    #[test]
    fn rewrites_arrays_of_subqueries() {
        check(
            "ARRAY(SELECT x FROM t ORDER BY 1)",
            Some("coalesce((SELECT array_agg(x ORDER BY x) FROM t), ARRAY[])"),
        );
        // GROUP BY once made an array for each group.
        check(
            "ARRAY(SELECT x FROM t GROUP BY x)",
            Some(
                "coalesce((SELECT array_agg(item) FROM (SELECT x FROM t GROUP BY x) \
                 AS rows_of (item)), ARRAY[])",
            ),
        );
        check(
            "ARRAY(SELECT max(x) FROM t)",
            Some(
                "coalesce((SELECT array_agg(item) FROM (SELECT max(x) FROM t) \
                 AS rows_of (item)), ARRAY[])",
            ),
        );
        check(
            "ARRAY(SELECT 'a' || x FROM unnest(list) x)",
            Some("coalesce(array_transform(list, x -> 'a' || x), ARRAY[])"),
        );
        // The aggregate is the inner array's: this one once was taken for one of a single row.
        check(
            "ARRAY(SELECT x || (SELECT max(y) FROM u) FROM t)",
            Some("coalesce((SELECT array_agg(x || (SELECT max(y) FROM u)) FROM t), ARRAY[])"),
        );
        check("ARRAY(SELECT x FROM t ORDER BY x LIMIT 2)", None);
    }
}
