//! Which column a query neither groups by nor aggregates: DataFusion refuses such a query, in its own
//! words and under no code of its own. Asked only where planning has failed.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr,
    TableFactor, Value, ValueWithSpan, Visitor,
};

use super::bind::TableColumns;
use super::output_name::fold;
use super::rules::normalize::last_part;
use super::scope::{given_names, reference};
use crate::catalog::sql::Lines;
use crate::engine::walk::walk;
use crate::error::{Error, ErrorKind};

/// PostgreSQL's error for a query with such a column, with its place (`check_ungrouped_columns` in
/// parse_agg.c); `None` if it has none.
pub(super) fn ungrouped(
    query: &Query,
    tables: &TableColumns,
    is_aggregate: &dyn Fn(&str) -> bool,
    lines: &Lines,
) -> Option<Error> {
    let mut selects = Selects {
        tables,
        is_aggregate,
        lines,
    };
    match walk(query, &mut selects) {
        ControlFlow::Break(error) => Some(error),
        ControlFlow::Continue(()) => None,
    }
}

struct Selects<'a> {
    tables: &'a TableColumns,
    is_aggregate: &'a dyn Fn(&str) -> bool,
    lines: &'a Lines,
}

impl Visitor for Selects<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        let SetExpr::Select(select) = query.body.as_ref() else {
            return ControlFlow::Continue(());
        };
        match self.in_select(select, &sorted_by(query, select)) {
            Some(error) => ControlFlow::Break(error),
            None => ControlFlow::Continue(()),
        }
    }
}

/// The expressions of ORDER BY that are no name of the select list and no number of a place in it.
fn sorted_by<'a>(query: &'a Query, select: &Select) -> Vec<&'a Expr> {
    let Some(OrderBy {
        kind: OrderByKind::Expressions(sorted),
        ..
    }) = &query.order_by
    else {
        return Vec::new();
    };
    let given = given_names(select);
    let is_computed = |expression: &&Expr| match expression {
        Expr::Identifier(name) => !given.contains(&fold(name)),
        Expr::Value(_) => false,
        _ => true,
    };
    let sorted = sorted.iter().map(|by| &by.expr);
    sorted.filter(is_computed).collect()
}

impl Selects<'_> {
    /// `sorted_by` is what ORDER BY computes of the FROM.
    fn in_select(&self, select: &Select, sorted_by: &[&Expr]) -> Option<Error> {
        let GroupByExpr::Expressions(keys, modifiers) = &select.group_by else {
            return None;
        };
        let shown: Vec<&Expr> = select.projection.iter().filter_map(expression_of).collect();
        let sorted_by = sorted_by.iter().copied();
        let checked = || {
            let shown = shown.iter().copied().chain(&select.having);
            shown.chain(sorted_by.clone())
        };
        let aggregates = |expression: &Expr| {
            let mut found = Ungrouped {
                is_aggregate: self.is_aggregate,
                keys: &[],
                inside: 0,
                n_subqueries: 0,
                column: None,
                has_aggregate: false,
            };
            let _ = walk(expression, &mut found);
            found.has_aggregate
        };
        let is_grouped = !keys.is_empty() || select.having.is_some() || checked().any(aggregates);
        if !is_grouped || !modifiers.is_empty() {
            return None;
        }
        let keys: Vec<Expr> = keys.iter().map(|key| resolved(key, select)).collect();
        checked().find_map(|expression| {
            let mut found = Ungrouped {
                is_aggregate: self.is_aggregate,
                keys: &keys,
                inside: 0,
                n_subqueries: 0,
                column: None,
                has_aggregate: false,
            };
            let _ = walk(expression, &mut found);
            found.column.and_then(|names| self.error(&names, select))
        })
    }

    fn error(&self, names: &[Ident], select: &Select) -> Option<Error> {
        let (first, last) = (names.first()?, names.last()?);
        let column = fold(last);
        let table = match names {
            [_] => self.table_of(&column, select)?,
            [.., table, _] => fold(table),
            [] => return None,
        };
        let message = format!(
            "column \"{table}.{column}\" must appear in the GROUP BY clause or be used in an \
             aggregate function"
        );
        let error = Error::new(ErrorKind::GroupingError, message);
        Some(error.at(self.lines.position(first.span.start)))
    }

    /// The table of a SELECT that has a column of this name; the only one, if its columns are unknown.
    fn table_of(&self, column: &str, select: &Select) -> Option<String> {
        let joined = select.from.iter().flat_map(|from| {
            std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
        });
        let factors: Vec<&TableFactor> = joined.collect();
        let has = |factor: &TableFactor| match factor {
            TableFactor::Table { name, .. } => {
                let columns = reference(name).and_then(|table| self.tables.get(&table));
                columns.is_some_and(|columns| {
                    columns
                        .iter()
                        .any(|known| known.eq_ignore_ascii_case(column))
                })
            }
            _ => false,
        };
        let found = factors.iter().find(|factor| has(factor));
        let only = (factors.len() == 1).then(|| factors.first()).flatten();
        name_of(found.or(only)?)
    }
}

fn name_of(factor: &TableFactor) -> Option<String> {
    let (alias, name) = match factor {
        TableFactor::Table { name, alias, .. } => (alias, Some(last_part(name))),
        TableFactor::Derived { alias, .. } => (alias, None),
        _ => return None,
    };
    alias.as_ref().map(|alias| fold(&alias.name)).or(name)
}

fn expression_of(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expression)
        | SelectItem::ExprWithAlias {
            expr: expression, ..
        } => Some(expression),
        _ => None,
    }
}

/// What a key of GROUP BY stands for: a number and a name may be those of the select list.
fn resolved(key: &Expr, select: &Select) -> Expr {
    let item = match key {
        Expr::Value(ValueWithSpan {
            value: Value::Number(digits, _),
            ..
        }) => {
            let place = digits.parse::<usize>().ok().and_then(|it| it.checked_sub(1));
            place.and_then(|place| select.projection.get(place))
        }
        Expr::Identifier(name) => select.projection.iter().find(|item| {
            matches!(item, SelectItem::ExprWithAlias { alias, .. } if fold(alias) == fold(name))
        }),
        _ => None,
    };
    item.and_then(expression_of).unwrap_or(key).clone()
}

/// The first column outside of aggregates, subqueries and what is grouped by.
struct Ungrouped<'a> {
    is_aggregate: &'a dyn Fn(&str) -> bool,
    keys: &'a [Expr],
    /// Expressions around that are keys or aggregates.
    inside: usize,
    n_subqueries: usize,
    column: Option<Vec<Ident>>,
    has_aggregate: bool,
}

impl Ungrouped<'_> {
    fn is_covered(&mut self, expression: &Expr) -> bool {
        let aggregates = match expression {
            Expr::Function(function) => {
                function.over.is_none() && (self.is_aggregate)(&last_part(&function.name))
            }
            _ => false,
        };
        self.has_aggregate |= aggregates && self.n_subqueries == 0;
        aggregates || self.keys.iter().any(|key| are_same(key, expression))
    }
}

impl Visitor for Ungrouped<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.n_subqueries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.n_subqueries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if self.is_covered(expression) {
            self.inside += 1;
        }
        let names = match expression {
            Expr::Identifier(name) => vec![name.clone()],
            Expr::CompoundIdentifier(names) => names.clone(),
            _ => return ControlFlow::Continue(()),
        };
        if self.inside == 0 && self.n_subqueries == 0 && self.column.is_none() {
            self.column = Some(names);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if self.is_covered(expression) {
            self.inside -= 1;
        }
        ControlFlow::Continue(())
    }
}

/// Whether two expressions are the same but for the table that a column is named with.
fn are_same(one: &Expr, other: &Expr) -> bool {
    let names = |expression: &Expr| match expression {
        Expr::Identifier(name) => Some(vec![fold(name)]),
        Expr::CompoundIdentifier(names) => Some(names.iter().map(fold).collect::<Vec<_>>()),
        _ => None,
    };
    match (names(one), names(other)) {
        (Some(one), Some(other)) => {
            let n_common = one.len().min(other.len());
            one[one.len() - n_common..] == other[other.len() - n_common..]
        }
        _ => one == other,
    }
}
