//! Which relations a query names, and where it says `*`: by its text alone.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::sql::parser::Statement as ParsedStatement;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{
    Expr, ObjectNamePart, Query, Select, Spanned, Statement as SqlStatement, TableFactor, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::scope::is_wildcard;
use super::scope::reference;
use super::travel::{behind_sign, unmarked};
use super::{failure, parse};
use crate::catalog::views::Reference;
use crate::engine::walk::walk;
use crate::error::Result;

/// What a view's query reads, by its text.
///
/// # Errors
/// It is not a query that can be run.
pub fn references_of(text: &str) -> Result<Vec<Reference>> {
    let (query, _) = parse::parse_view(text)?;
    let mut references = Vec::new();
    for name in of_query(&query)? {
        let name = unmarked(&name);
        let schema = name.schema().map(str::to_owned);
        // A quoted name may say a moment, as long as no relation is called so.
        if let Some((table, _)) = behind_sign(name.table()) {
            references.push((schema.clone(), table.to_owned()));
        }
        references.push((schema, name.table().to_owned()));
    }
    Ok(references)
}

/// The tables a query names, CTEs and functions left out.
pub(super) fn of_query(query: &Query) -> Result<Vec<TableReference>> {
    let statement = SqlStatement::Query(Box::new(query.clone()));
    let statement = ParsedStatement::Statement(Box::new(statement));
    let (tables, _) = resolve_table_references(&statement, true)
        .map_err(|error| failure::from_datafusion(&error))?;
    let mut functions = Functions::default();
    let _: ControlFlow<()> = walk(query, &mut functions);
    Ok(tables
        .into_iter()
        .filter(|table| !functions.names.contains(table))
        .collect())
}

/// Collects the functions in FROM, which look like tables with arguments.
#[derive(Default)]
struct Functions {
    names: BTreeSet<TableReference>,
}

impl Visitor for Functions {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name,
                args: Some(_),
                ..
            }
            | TableFactor::Function { name, .. } => {
                self.names.extend(reference(name));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Whether a query calls a function that `is_one` says it is, by its name without a schema.
pub(super) fn calls_any(query: &Query, is_one: fn(&str) -> bool) -> bool {
    walk(query, &mut Calls { is_one }).is_break()
}

/// Looks for calls of some functions.
struct Calls {
    is_one: fn(&str) -> bool,
}

impl Visitor for Calls {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if let Expr::Function(call) = expression
            && let Some(ObjectNamePart::Identifier(name)) = call.name.0.last()
            && (self.is_one)(&name.value.to_lowercase())
        {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// Where a query says `*` for columns: positions in its text, counted from 1.
pub fn stars_of(text: &str) -> Vec<usize> {
    let Ok((query, lines)) = parse::parse_view(text) else {
        return Vec::new();
    };
    let mut stars = Stars::default();
    let _: ControlFlow<()> = walk(&query, &mut stars);
    let places = stars.found.into_iter();
    places.map(|place| lines.position(place)).collect()
}

/// Collects the wildcards of select lists.
#[derive(Default)]
struct Stars {
    found: Vec<Location>,
}

impl Visitor for Stars {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let stars = select.projection.iter().filter(|item| is_wildcard(item));
        self.found.extend(stars.map(|item| item.span().start));
        ControlFlow::Continue(())
    }
}
