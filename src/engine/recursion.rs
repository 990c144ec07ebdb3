//! Where a recursive query may read itself. <https://www.postgresql.org/docs/16/queries-with.html>
//!
//! As `checkWellFormedRecursion` in parse_cte.c: anywhere else its answer would depend on how it runs.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Cte, Expr, FunctionArguments, JoinOperator, Query, Select, SelectItem, SetExpr, SetOperator,
    SetQuantifier, TableFactor, TableWithJoins, Visit, Visitor, visit_expressions,
};

use super::output_name::fold;
use super::rules::never_run::calls_aggregate;
use crate::engine::walk::walk;
use crate::error::{Construct, Error, ErrorKind, Result};

/// Checks every recursive query of a statement.
///
/// # Errors
/// One reads itself where none may.
pub(super) fn check(query: &Query) -> Result<()> {
    match walk(query, &mut Queries) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Queries;

impl Visitor for Queries {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        let recursive = query.with.iter().filter(|with| with.recursive);
        for cte in recursive.flat_map(|with| &with.cte_tables) {
            if let Err(error) = well_formed(cte) {
                return ControlFlow::Break(error);
            }
        }
        ControlFlow::Continue(())
    }
}

fn well_formed(cte: &Cte) -> Result<()> {
    let name = fold(&cte.alias.name);
    if count(&name, cte.query.as_ref()) == 0 {
        return Ok(());
    }
    let refused = |message: String| {
        Err(Error::new(
            ErrorKind::InvalidConstruct(Construct::Recursion),
            message,
        ))
    };
    let SetExpr::SetOperation {
        op: SetOperator::Union,
        left,
        right,
        ..
    } = cte.query.body.as_ref()
    else {
        return refused(format!(
            "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] \
             recursive-term"
        ));
    };
    if count(&name, left.as_ref()) > 0 {
        return refused(in_place(&name, "its non-recursive term"));
    }
    let with = cte.query.with.iter().flat_map(|with| &with.cte_tables);
    if with.into_iter().any(|inner| count(&name, inner) > 0) {
        return refused(in_place(&name, "a subquery"));
    }
    let clauses = [
        ("ORDER BY", cte.query.order_by.is_some()),
        (
            "LIMIT",
            cte.query.limit_clause.is_some() || cte.query.fetch.is_some(),
        ),
    ];
    if let Some((clause, _)) = clauses.iter().find(|(_, is_there)| *is_there) {
        let what = format!("{clause} in a recursive query is not implemented");
        return Err(Error::new(ErrorKind::FeatureNotSupported, what));
    }
    let mut term = Term {
        name: &name,
        n_found: 0,
    };
    term.body(right, None)?;
    if term.n_found < count(&name, right.as_ref()) {
        return refused(in_place(&name, "a subquery"));
    }
    Ok(())
}

/// Whether an expression calls an aggregate, but not over a window.
fn aggregates(shown: &Expr) -> bool {
    let found = visit_expressions(shown, |inner| match inner {
        Expr::Function(function) if function.over.is_none() => {
            let mut alone = function.clone();
            alone.args = FunctionArguments::None;
            match calls_aggregate(&Expr::Function(alone)) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn in_place(name: &str, place: &str) -> String {
    format!("recursive reference to query \"{name}\" must not appear within {place}")
}

/// How often a part of a statement reads a relation of this name.
fn count(name: &str, of: &impl Visit) -> usize {
    let mut counter = Counter {
        name,
        n_hidden: 0,
        count: 0,
    };
    let _: ControlFlow<()> = walk(of, &mut counter);
    counter.count
}

struct Counter<'a> {
    name: &'a str,
    /// Queries around that have another relation of the name.
    n_hidden: usize,
    count: usize,
}

/// Whether a query has another relation of the name.
fn hides(query: &Query, name: &str) -> bool {
    let mut own = query.with.iter().flat_map(|with| &with.cte_tables);
    own.any(|cte| fold(&cte.alias.name) == name)
}

impl Visitor for Counter<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.n_hidden += usize::from(hides(query, self.name));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.n_hidden -= usize::from(hides(query, self.name));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        self.count += usize::from(self.n_hidden == 0 && reads(factor, self.name));
        ControlFlow::Continue(())
    }
}

fn reads(factor: &TableFactor, wanted: &str) -> bool {
    match factor {
        TableFactor::Table {
            name, args: None, ..
        } => match name.0.as_slice() {
            [only] => only.as_ident().is_some_and(|only| fold(only) == wanted),
            _ => false,
        },
        _ => false,
    }
}

/// The recursive term of a query, as far as it is relations that are joined.
struct Term<'a> {
    name: &'a str,
    /// Readings of the query that were found.
    n_found: usize,
}

/// Where a query may not read itself; `None` where it may.
type Place = Option<&'static str>;

impl Term<'_> {
    fn body(&mut self, body: &SetExpr, place: Place) -> Result<()> {
        match body {
            SetExpr::Select(select) => self.select(select, place),
            SetExpr::Query(query) if hides(query, self.name) => Ok(()),
            SetExpr::Query(query) => {
                for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
                    self.body(&cte.query.body, place)?;
                }
                self.body(&query.body, place)
            }
            SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => {
                let is_all = *set_quantifier == SetQuantifier::All;
                let (of_left, of_right) = match op {
                    SetOperator::Intersect if is_all => (Some("INTERSECT"), Some("INTERSECT")),
                    SetOperator::Except | SetOperator::Minus => {
                        (place.or(is_all.then_some("EXCEPT")), Some("EXCEPT"))
                    }
                    SetOperator::Intersect | SetOperator::Union => (place, place),
                };
                self.body(left, of_left)?;
                self.body(right, of_right)
            }
            _ => Ok(()),
        }
    }

    fn select(&mut self, select: &Select, place: Place) -> Result<()> {
        let before = self.n_found;
        for tables in &select.from {
            self.joined(tables, place)?;
        }
        let mut shown = select.projection.iter().filter_map(|item| match item {
            SelectItem::UnnamedExpr(shown) | SelectItem::ExprWithAlias { expr: shown, .. } => {
                Some(shown)
            }
            _ => None,
        });
        if self.n_found > before && shown.any(aggregates) {
            let message =
                "aggregate functions are not allowed in a recursive query's recursive term";
            return Err(Error::new(
                ErrorKind::InvalidConstruct(Construct::Recursion),
                message,
            ));
        }
        Ok(())
    }

    fn joined(&mut self, tables: &TableWithJoins, place: Place) -> Result<()> {
        let outer = Some("an outer join");
        let mut of_left = place;
        for join in tables.joins.iter().rev() {
            let of_right = match join.join_operator {
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::FullOuter(_) => {
                    outer
                }
                _ => of_left,
            };
            self.factor(&join.relation, of_right)?;
            if matches!(
                join.join_operator,
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_)
            ) {
                of_left = outer;
            }
        }
        self.factor(&tables.relation, of_left)
    }

    fn factor(&mut self, factor: &TableFactor, place: Place) -> Result<()> {
        match factor {
            TableFactor::Derived { subquery, .. } if hides(subquery, self.name) => Ok(()),
            TableFactor::Derived { subquery, .. } => self.body(&subquery.body, place),
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => self.joined(table_with_joins, place),
            factor if reads(factor, self.name) => {
                let message = match place {
                    Some(place) => in_place(self.name, place),
                    None if self.n_found > 0 => format!(
                        "recursive reference to query \"{}\" must not appear more than once",
                        self.name
                    ),
                    None => {
                        self.n_found += 1;
                        return Ok(());
                    }
                };
                Err(Error::new(
                    ErrorKind::InvalidConstruct(Construct::Recursion),
                    message,
                ))
            }
            _ => Ok(()),
        }
    }
}
