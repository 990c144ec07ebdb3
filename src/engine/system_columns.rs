//! The system columns `tableoid`, the OID of the table that a row is of, and `xmin`, which tells tools
//! whether a row has changed (manual, section 5.5). No source has them, so a table of which a statement asks
//! one is replaced by a query that adds them.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, JoinConstraint, ObjectName, Query, Select, TableAlias, TableFactor, TableWithJoins,
    Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::merged::merging;
use super::output_name::fold;
use super::scope::reference;
use super::travel::unmarked;
use crate::engine::walk::walk;
use crate::functions::XMIN;

/// What gives a column of a table whose name is quoted as text.
type OfTable = fn(&str) -> String;

/// The columns by their names.
const COLUMNS: [(&str, OfTable); 2] = [
    ("tableoid", |table| {
        format!("CAST(regclass({table}) AS oid)")
    }),
    ("xmin", |_| format!("\"{XMIN}\"()")),
];

fn is_name(name: &str) -> bool {
    COLUMNS.iter().any(|(column, _)| *column == name)
}

/// Whether a system column is named anywhere in it.
pub(super) fn are_named(tree: &impl Visit) -> bool {
    struct Named;
    impl Visitor for Named {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            let name = match expression {
                Expr::Identifier(name) => Some(name),
                Expr::CompoundIdentifier(parts) => parts.last(),
                _ => None,
            };
            match name.is_some_and(|name| is_name(&fold(name))) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
    walk(tree, &mut Named).is_break()
}

/// Gives each table of a FROM an alias, by which its columns are named from now on. `is_table` says
/// what has system columns: views and what a query gives have none.
pub(super) fn name_tables(select: &mut Select, is_table: &impl Fn(&ObjectName) -> bool) {
    for_tables(select, is_table, &|factor| {
        if let TableFactor::Table { name, alias, .. } = factor
            && alias.is_none()
            && let Some(last) = name.0.last().and_then(|part| part.as_ident())
        {
            *alias = Some(TableAlias {
                explicit: true,
                name: last.clone(),
                columns: Vec::new(),
                at: None,
            });
        }
    });
}

/// Replaces each table of a FROM by a query that gives its columns and those of the system that it has not as its
/// own, which `own` says. All names of the select are bound: `*` stands for the columns that it had before.
pub(super) fn provide<'a>(select: &mut Select, own: &impl Fn(&ObjectName) -> Option<&'a [String]>) {
    for_tables(select, &|name| own(name).is_some(), &|factor| {
        let TableFactor::Table { name, alias, .. } = factor else {
            return;
        };
        if let Some(subquery) = own(name).and_then(|own| with_columns(name, own)) {
            *factor = TableFactor::Derived {
                lateral: false,
                subquery: Box::new(subquery),
                alias: alias.clone(),
                sample: None,
            };
        }
    });
}

/// `SELECT *, 'name'::regclass::oid AS tableoid, ... FROM name`, its casts as the rules leave them.
fn with_columns(name: &ObjectName, own: &[String]) -> Option<Query> {
    let parts: Vec<String> = name
        .0
        .iter()
        .map(|part| {
            Some(format!(
                "\"{}\"",
                fold(part.as_ident()?).replace('"', "\"\"")
            ))
        })
        .collect::<Option<_>>()?;
    let table = parts.join(".");
    // One that is read at a moment is marked, and is of the same number.
    let literal = unmarked(&reference(name)?)
        .to_quoted_string()
        .replace('\'', "''");
    let quoted = format!("'{literal}'");
    let mut list = String::from("*");
    for (column, of_table) in COLUMNS {
        if !own.iter().any(|own| own == column) {
            list = format!("{list}, {} AS {column}", of_table(&quoted));
        }
    }
    let text = format!("SELECT {list} FROM {table}");
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(&text);
    parser.ok()?.parse_query().ok().map(|query| *query)
}

fn for_tables(
    select: &mut Select,
    is_table: &impl Fn(&ObjectName) -> bool,
    change: &impl Fn(&mut TableFactor),
) {
    // What a natural join merges are the columns of the same names: there may not be one more.
    let is_natural = |tables: &TableWithJoins| {
        let mut joins = tables.joins.iter();
        joins.any(|join| {
            matches!(
                merging(&join.join_operator),
                Some((JoinConstraint::Natural, _))
            )
        })
    };
    if select.from.iter().any(is_natural) {
        return;
    }
    for tables in &mut select.from {
        for_joined(tables, is_table, change);
    }
}

fn for_joined(
    tables: &mut TableWithJoins,
    is_table: &impl Fn(&ObjectName) -> bool,
    change: &impl Fn(&mut TableFactor),
) {
    let joined = tables.joins.iter_mut().map(|join| &mut join.relation);
    for factor in std::iter::once(&mut tables.relation).chain(joined) {
        match factor {
            TableFactor::Table {
                name, args: None, ..
            } if is_table(name) => change(factor),
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => for_joined(table_with_joins, is_table, change),
            _ => {}
        }
    }
}
