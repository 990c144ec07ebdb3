//! Pins every relation of a statement to one version, before anything is planned.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::sql::parser::Statement as ParsedStatement;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{
    ObjectName, Query, Spanned, Statement as SqlStatement, TableFactor, Visit, Visitor,
};
use futures::future::try_join_all;

use super::bind::reference;
use super::context::StatementContext;
use super::failure;
use super::statement::Lines;
use crate::catalog::system::Builtin;
use crate::catalog::{Catalog, Relation, Snapshot, SystemRelation, SystemView};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::Version;

/// Schemas of the system's own relations. As in PostgreSQL, `pg_catalog` is searched first.
const SYSTEM_SCHEMAS: [&str; 3] = ["pg_catalog", "information_schema", "lakegate"];

/// A statement's query with every relation it reads, each at one version.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) query: Query,
    /// What exists, for functions that look names up.
    pub(super) snapshot: Arc<Snapshot>,
    /// PostgreSQL's own catalog, for the same.
    pub(super) builtin: Arc<Builtin>,
    /// By the reference as written; two spellings of one relation share one version.
    pub(super) relations: HashMap<TableReference, PinnedRelation>,
}

/// A relation at the version a statement reads.
#[derive(Clone, Debug)]
pub(super) struct PinnedRelation {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) provider: Arc<dyn TableProvider>,
}

/// What a reference means.
enum Target {
    Lake(Arc<Relation>),
    System(Arc<dyn SystemRelation>),
}

/// Pins the relations of a query at their latest versions.
pub(super) async fn pin(
    catalog: &Catalog,
    query: &Query,
    lines: &Lines,
    context: &StatementContext,
) -> Result<Pinned> {
    let references = references(query)?;
    let in_statement = |error: Error, name: &TableReference| match position(query, name, lines) {
        Some(position) if error.position().is_none() => error.at(position),
        _ => error,
    };
    let (snapshot, targets) =
        resolve(catalog, &references, context)
            .await
            .map_err(|(error, name)| match name {
                Some(name) => in_statement(error, &name),
                None => error,
            })?;
    let mut inventory = None;
    let system =
        |target: &Target| matches!(target, Target::System(relation) if relation.needs_inventory());
    if targets.iter().any(|(_, target)| system(target)) {
        inventory = Some(catalog.inventory(&snapshot).await);
    }
    let view = SystemView {
        snapshot: Arc::clone(&snapshot),
        inventory,
        database: context.facts.database.clone(),
        user: context.facts.user.clone(),
        settings: Arc::clone(&context.facts.settings),
    };
    let once = once_each(&targets);
    let pinned = try_join_all(once.iter().map(|(name, target)| {
        let view = &view;
        async move {
            let pinned = pin_one(catalog, target, view).await;
            pinned.map_err(|error| in_statement(error, name))
        }
    }))
    .await?;
    let relations = targets
        .iter()
        .map(|(name, target)| {
            let same = once
                .iter()
                .position(|(_, other)| names(other) == names(target))
                .expect("every target is among the distinct ones");
            (name.clone(), pinned[same].clone())
        })
        .collect();
    Ok(Pinned {
        query: query.clone(),
        snapshot,
        builtin: Arc::clone(catalog.builtin()),
        relations,
    })
}

/// The distinct targets, each with the first reference to it.
fn once_each(targets: &[(TableReference, Target)]) -> Vec<&(TableReference, Target)> {
    let mut seen = BTreeSet::new();
    targets
        .iter()
        .filter(|(_, target)| seen.insert(names(target)))
        .collect()
}

fn names(target: &Target) -> (&str, &str) {
    match target {
        Target::Lake(relation) => (&relation.schema, &relation.name),
        Target::System(relation) => (relation.schema_name(), relation.name()),
    }
}

async fn pin_one(catalog: &Catalog, target: &Target, view: &SystemView) -> Result<PinnedRelation> {
    let (schema, name) = names(target);
    let (version, provider) = match target {
        Target::Lake(relation) => {
            let table = relation.table.as_ref().map_err(Clone::clone)?;
            let pinned = catalog.lake().pin(table).await?;
            (pinned.version, pinned.provider)
        }
        Target::System(relation) => {
            let rows = relation.rows(view)?;
            let table = MemTable::try_new(rows.schema(), vec![vec![rows]])
                .map_err(|error| failure::from_datafusion(&error))?;
            (Version::None, Arc::new(table) as Arc<dyn TableProvider>)
        }
    };
    tracing::debug!(schema, name, %version, "pinned");
    Ok(PinnedRelation {
        schema: schema.to_owned(),
        name: name.to_owned(),
        version,
        provider,
    })
}

/// The tables a query names, CTEs and functions left out.
fn references(query: &Query) -> Result<Vec<TableReference>> {
    let statement = SqlStatement::Query(Box::new(query.clone()));
    let statement = ParsedStatement::Statement(Box::new(statement));
    let (tables, _) = resolve_table_references(&statement, true)
        .map_err(|error| failure::from_datafusion(&error))?;
    let mut functions = Functions::default();
    let _: ControlFlow<()> = query.visit(&mut functions);
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

/// An error about a reference, where it is about one.
type ReferenceError = (Error, Option<TableReference>);

/// What each reference means. A name that is not in the last listing of the lake is looked for in
/// a new one; so are all of them where the statement asks what exists.
async fn resolve(
    catalog: &Catalog,
    references: &[TableReference],
    context: &StatementContext,
) -> Result<(Arc<Snapshot>, Vec<(TableReference, Target)>), ReferenceError> {
    let about_none = |error: Error| (error, None);
    let last = catalog.snapshot().await.map_err(about_none)?;
    match resolve_in(catalog, &last, references, context) {
        Ok(targets)
            if !targets
                .iter()
                .any(|(_, target)| matches!(target, Target::System(_))) =>
        {
            return Ok((last, targets));
        }
        Err((error, name)) if error.kind() != ErrorKind::UndefinedTable => {
            return Err((error, name));
        }
        _ => {}
    }
    let now = catalog.refresh().await.map_err(about_none)?;
    let targets = resolve_in(catalog, &now, references, context)?;
    Ok((now, targets))
}

fn resolve_in(
    catalog: &Catalog,
    snapshot: &Snapshot,
    references: &[TableReference],
    context: &StatementContext,
) -> Result<Vec<(TableReference, Target)>, ReferenceError> {
    references
        .iter()
        .map(|name| {
            let target = look_up(catalog, snapshot, name, context);
            match target {
                Ok(target) => Ok((name.clone(), target)),
                Err(error) => Err((error, Some(name.clone()))),
            }
        })
        .collect()
}

fn look_up(
    catalog: &Catalog,
    snapshot: &Snapshot,
    name: &TableReference,
    context: &StatementContext,
) -> Result<Target> {
    let facts = &context.facts;
    let schemas: Vec<&str> = match (name.catalog(), name.schema()) {
        (Some(database), _) if database != facts.database => {
            let message = format!("cross-database reference to \"{database}\"");
            return Err(Error::unsupported(message));
        }
        (_, Some(schema)) => vec![schema],
        (_, None) => std::iter::once("pg_catalog")
            .chain(facts.search_path.iter().map(String::as_str))
            .collect(),
    };
    for schema in schemas {
        if SYSTEM_SCHEMAS.contains(&schema)
            && let Some(relation) = catalog.system_relation(schema, name.table())
        {
            return Ok(Target::System(relation));
        }
        if let Some(relation) = snapshot.find(schema, name.table())? {
            return Ok(Target::Lake(relation));
        }
    }
    let shown = match name.schema() {
        Some(schema) => format!("{schema}.{}", name.table()),
        None => name.table().to_owned(),
    };
    let message = format!("relation \"{shown}\" does not exist");
    Err(Error::new(ErrorKind::UndefinedTable, message))
}

/// Where a query first names a relation.
fn position(query: &Query, name: &TableReference, lines: &Lines) -> Option<usize> {
    let mut finder = Finder { name };
    match query.visit(&mut finder) {
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
