//! Takes the outer row out of a recursive CTE in a scalar subquery: DataFusion plans no recursion
//! that reads the row around it.
//!
//! `(WITH RECURSIVE c(x) AS (SELECT s.x FROM s WHERE s.k = o.k UNION ALL SELECT ... FROM c) SELECT x
//! FROM c)` becomes `(WITH RECURSIVE c(key, x) AS (SELECT s.k, s.x FROM s UNION ALL SELECT c.key, ...
//! FROM c) SELECT x FROM c WHERE c.key = o.k)`: every row carries the key it began with, and the rows
//! of different keys never meet. It is how asyncpg finds the type below a domain. The recursion then
//! runs for all keys, also for those that no outer row has.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Cte, Expr, GroupByExpr, Ident, JoinOperator, Query, Select, SelectItem,
    SetExpr, SetOperator, TableAliasColumnDef, TableFactor, VisitorMut,
};

use super::never_run::calls_aggregate;
use super::normalize::last_part;
use crate::engine::output_name::fold;
use crate::engine::walk::walk_mut;

/// Begins the names of the keys; no name in SQL text holds a control character.
const KEY: &str = "\u{1}key";

/// Rewrites the scalar subqueries of a query whose recursion begins at the outer row.
pub(in crate::engine) fn carry_keys(query: &mut Query) {
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = walk_mut(query, &mut Rewriter);
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Infallible;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Infallible> {
        if let Expr::Subquery(query) = expression
            && let Some(keyed) = keyed(query)
        {
            **query = keyed;
        }
        ControlFlow::Continue(())
    }
}

/// An equality of the first rows of a recursion with the outer row.
struct Key {
    name: Ident,
    /// The column of the first rows.
    own: Expr,
    /// The column of the outer row.
    outer: Expr,
}

/// The query with its keys carried; `None` for queries of another shape.
fn keyed(query: &Query) -> Option<Query> {
    let mut query = query.clone();
    let with = query.with.as_mut().filter(|with| with.recursive)?;
    let [cte] = with.cte_tables.as_mut_slice() else {
        return None;
    };
    let name = fold(&cte.alias.name);
    let keys = carried_by(cte, &name)?;
    let SetExpr::Select(body) = query.body.as_mut() else {
        return None;
    };
    let alias = only_reader(body, &name).filter(|_| names_columns(body))?;
    for key in keys {
        let carried = Expr::CompoundIdentifier(vec![alias.clone(), key.name]);
        let condition = binary(carried, BinaryOperator::Eq, key.outer);
        body.selection = Some(match body.selection.take() {
            Some(own) => binary(Expr::Nested(Box::new(own)), BinaryOperator::And, condition),
            None => condition,
        });
    }
    Some(query)
}

/// Adds the keys to the columns of a recursive CTE.
fn carried_by(cte: &mut Cte, name: &str) -> Option<Vec<Key>> {
    let inner = cte.query.as_mut();
    let is_plain = inner.with.is_none()
        && inner.order_by.is_none()
        && inner.limit_clause.is_none()
        && inner.fetch.is_none();
    let SetExpr::SetOperation {
        op: SetOperator::Union,
        left,
        right,
        ..
    } = inner.body.as_mut()
    else {
        return None;
    };
    let (SetExpr::Select(first), SetExpr::Select(next)) = (left.as_mut(), right.as_mut()) else {
        return None;
    };
    if !is_plain || !is_row_by_row(first) || !is_row_by_row(next) {
        return None;
    }
    let recursive = only_reader(next, name)?;
    let keys = keys_of(first)?;
    for (at, key) in keys.iter().enumerate() {
        let carried = Expr::CompoundIdentifier(vec![recursive.clone(), key.name.clone()]);
        first.projection.insert(at, named(&key.own, &key.name));
        next.projection.insert(at, named(&carried, &key.name));
        if !cte.alias.columns.is_empty() {
            let column = TableAliasColumnDef {
                name: key.name.clone(),
                data_type: None,
            };
            cte.alias.columns.insert(at, column);
        }
    }
    Some(keys)
}

/// Takes the conditions on the outer row out of the first rows' WHERE. Only a column under a name
/// that none of their relations has is known to be the outer row's.
fn keys_of(first: &mut Select) -> Option<Vec<Key>> {
    let relations: Option<Vec<String>> = factors(first).map(relation_name).collect();
    let relations = relations?;
    let mut conditions = Vec::new();
    split(first.selection.as_ref()?, &mut conditions);
    let (mut keys, mut own): (Vec<Key>, Option<Expr>) = (Vec::new(), None);
    for condition in conditions {
        if let Some((column, outer)) = correlated(condition, &relations) {
            keys.push(Key {
                name: Ident::with_quote('"', format!("{KEY}{}", keys.len())),
                own: column.clone(),
                outer: outer.clone(),
            });
            continue;
        }
        let condition = condition.clone();
        own = Some(match own {
            Some(before) => binary(before, BinaryOperator::And, condition),
            None => condition,
        });
    }
    first.selection = own;
    (!keys.is_empty()).then_some(keys)
}

fn split<'a>(condition: &'a Expr, into: &mut Vec<&'a Expr>) {
    match condition {
        Expr::Nested(inner) => split(inner, into),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            split(left, into);
            split(right, into);
        }
        other => into.push(other),
    }
}

/// The two sides of an equality: the column of these relations, and the outer row's.
fn correlated<'a>(condition: &'a Expr, relations: &[String]) -> Option<(&'a Expr, &'a Expr)> {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::Eq,
        right,
    } = condition
    else {
        return None;
    };
    let is_own = |side: &Expr| match side {
        Expr::CompoundIdentifier(parts) if parts.len() == 2 => {
            Some(relations.contains(&fold(&parts[0])))
        }
        _ => None,
    };
    match (is_own(left)?, is_own(right)?) {
        (true, false) => Some((left, right)),
        (false, true) => Some((right, left)),
        _ => None,
    }
}

fn factors(select: &Select) -> impl Iterator<Item = &TableFactor> {
    select.from.iter().flat_map(|tables| {
        let joined = tables.joins.iter().map(|join| &join.relation);
        [&tables.relation].into_iter().chain(joined)
    })
}

fn relation_name(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        } => Some(fold(&alias.name)),
        TableFactor::Table {
            name, alias: None, ..
        } => Some(last_part(name)),
        _ => None,
    }
}

/// The name by which a relation that is the CTE is known.
fn reads(factor: &TableFactor, cte: &str) -> Option<Ident> {
    match factor {
        TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } if name.0.len() == 1 && last_part(name) == cte => Some(match alias {
            Some(alias) => alias.name.clone(),
            None => name.0[0].as_ident()?.clone(),
        }),
        _ => None,
    }
}

/// The name of the CTE where it is read once, and no outer join fills its rows with NULLs.
fn only_reader(select: &Select, cte: &str) -> Option<Ident> {
    let mut joins = select.from.iter().flat_map(|tables| &tables.joins);
    let is_inner = joins.all(|join| {
        matches!(
            join.join_operator,
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_)
        )
    });
    let mut readers = factors(select).filter_map(|factor| reads(factor, cte));
    let reader = readers.next().filter(|_| is_inner)?;
    readers.next().is_none().then_some(reader)
}

/// Whether each row of a select comes from one row of its FROM, and its columns are listed.
fn is_row_by_row(select: &Select) -> bool {
    let ungrouped = matches!(
        &select.group_by,
        GroupByExpr::Expressions(by, modifiers) if by.is_empty() && modifiers.is_empty()
    );
    ungrouped
        && select.distinct.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && names_columns(select)
        && !select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(expression)
            | SelectItem::ExprWithAlias {
                expr: expression, ..
            } => calls_aggregate(expression),
            _ => true,
        })
}

fn names_columns(select: &Select) -> bool {
    select.projection.iter().all(|item| {
        matches!(
            item,
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
        )
    })
}

fn named(expression: &Expr, name: &Ident) -> SelectItem {
    SelectItem::ExprWithAlias {
        expr: expression.clone(),
        alias: name.clone(),
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::parsed;

    fn check(text: &str, expected: &str) {
        let mut query = parsed(text);
        carry_keys(&mut query);
        assert_eq!(query.to_string().replace('\u{1}', "~"), expected);
    }

    #[test]
    fn the_key_is_carried_through_the_recursion() {
        check(
            "SELECT (WITH RECURSIVE c(x) AS (SELECT s.x FROM s WHERE s.k = o.k AND s.y > 0 \
             UNION ALL SELECT s.x FROM s, c AS d WHERE d.x = s.k) SELECT x FROM c) FROM o",
            "SELECT (WITH RECURSIVE c (\"~key0\", x) AS (SELECT s.k AS \"~key0\", s.x FROM s \
             WHERE s.y > 0 UNION ALL SELECT d.\"~key0\" AS \"~key0\", s.x FROM s, c AS d \
             WHERE d.x = s.k) SELECT x FROM c WHERE c.\"~key0\" = o.k) FROM o",
        );
    }

    #[test]
    fn what_the_recursion_is_joined_with_may_be_read() {
        check(
            "SELECT (WITH RECURSIVE c AS (SELECT s.x FROM s WHERE s.k = o.k UNION SELECT c.x FROM c) \
             SELECT array_agg(t.y) FROM c JOIN t ON t.x = c.x) FROM o",
            "SELECT (WITH RECURSIVE c AS (SELECT s.k AS \"~key0\", s.x FROM s UNION \
             SELECT c.\"~key0\" AS \"~key0\", c.x FROM c) \
             SELECT array_agg(t.y) FROM c JOIN t ON t.x = c.x WHERE c.\"~key0\" = o.k) FROM o",
        );
    }

    #[test]
    fn other_recursions_stay() {
        for text in [
            // Nothing of the outer row.
            "SELECT (WITH RECURSIVE c AS (SELECT s.x FROM s UNION ALL SELECT c.x FROM c) SELECT x FROM c)",
            // Not an equality.
            "SELECT (WITH RECURSIVE c AS (SELECT s.x FROM s WHERE s.k > o.k UNION ALL SELECT c.x FROM c) SELECT x FROM c) FROM o",
            // An outer join could lose the key.
            "SELECT (WITH RECURSIVE c AS (SELECT s.x FROM s WHERE s.k = o.k UNION ALL SELECT c.x FROM s LEFT JOIN c ON true) SELECT x FROM c) FROM o",
            // The first rows are counted together.
            "SELECT (WITH RECURSIVE c AS (SELECT count(*) FROM s WHERE s.k = o.k UNION ALL SELECT c.x FROM c) SELECT x FROM c) FROM o",
        ] {
            check(text, text);
        }
    }
}
