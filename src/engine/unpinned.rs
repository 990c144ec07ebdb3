//! Tells why a relation could not be pinned, and where the statement names it.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Spanned, Visitor};

use super::resolved::{Meaning, Resolved, TableKey};
use super::scope::reference;
use crate::catalog::Catalog;
use crate::catalog::sql::Lines;
use crate::engine::walk::walk;
use crate::error::{Error, ErrorKind};
use crate::sources::warehouse::ForeignTable;

/// A relation that could not be pinned.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) key: TableKey,
    pub(super) error: Error,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

impl Failed {
    /// Whether the table is of another lake that could not be opened when it was looked for, and is open now.
    pub(super) fn is_mended(&self, catalog: &Catalog, resolved: &Resolved) -> bool {
        let table = self.of_other_lake(resolved);
        table.is_some_and(|table| catalog.opens_lake(&table.server))
    }

    /// Of a table of another lake: that its server is to blame, if it is.
    pub(super) fn at_server(self, resolved: &Resolved) -> Self {
        let Some(table) = self.of_other_lake(resolved) else {
            return self;
        };
        let error = match self.error.kind() {
            ErrorKind::IoError => Some(table.server.unavailable(self.error.message())),
            ErrorKind::UndefinedFile => resolved.snapshot.unlisted.get(&self.key.schema).cloned(),
            _ => None,
        };
        Self {
            error: error.unwrap_or(self.error),
            key: self.key,
        }
    }

    fn of_other_lake<'a>(&self, resolved: &'a Resolved) -> Option<&'a Arc<ForeignTable>> {
        let schema = resolved.snapshot.schemas.get(&self.key.schema)?;
        let table = schema.relations.get(&self.key.name)?.foreign()?;
        table.lake.is_some().then_some(table)
    }

    /// The error at the place where the query names the relation, if it does.
    pub(super) fn in_query(
        self,
        query: &Query,
        references: &[(TableReference, Meaning)],
        lines: &Lines,
    ) -> Error {
        let mut references = references.iter();
        let named = references
            .find(|(_, meaning)| matches!(meaning, Meaning::Table(key) if *key == self.key));
        match named {
            Some((name, _)) => in_statement(self.error, query, name, lines),
            None => self.error,
        }
    }
}

/// An error about a relation, at the place where the query names it.
pub(super) fn in_statement(
    error: Error,
    query: &Query,
    name: &TableReference,
    lines: &Lines,
) -> Error {
    match position(query, name, lines) {
        Some(position) if error.position().is_none() => error.at(position),
        _ => error,
    }
}

/// Where a query first names a relation.
fn position(query: &Query, name: &TableReference, lines: &Lines) -> Option<usize> {
    let mut finder = Finder { name };
    match walk(query, &mut finder) {
        ControlFlow::Break(found) => Some(lines.position(found.span().start)),
        ControlFlow::Continue(()) => None,
    }
}

struct Finder<'a> {
    name: &'a TableReference,
}

impl Visitor for Finder<'_> {
    type Break = ObjectName;

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<ObjectName> {
        if reference(relation).as_ref() == Some(self.name) {
            return ControlFlow::Break(relation.clone());
        }
        ControlFlow::Continue(())
    }
}
