//! Resolves the names of a query: to tables of the lake and of the system, and through views to
//! those that the views read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::sql::parser::Statement as ParsedStatement;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{
    Query, Select, Spanned, Statement as SqlStatement, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::access::{Access, Decision, Limit, Policies, Reader};
use super::bind::reference;
use super::context::StatementContext;
use super::nearest::{hint, nearest};
use super::pin::in_statement;
use super::scope::is_wildcard;
use super::{failure, parse};
use crate::auth::Readable;
use crate::catalog::sql::Lines;
use crate::catalog::system::is_system_schema;
use crate::catalog::views::{Reference, View, permission_denied};
use crate::catalog::{Catalog, Kind, PUBLIC, Relation, Snapshot, SystemRelation};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::LakeTable;

/// How deep views may read views.
const VIEWS_DEPTH_MAX: usize = 64;

/// Stands for a view that is planned for itself; no relation has it.
const OWN_OID: u32 = 0;

/// What the references of a statement mean, down to the relations with rows.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) snapshot: Arc<Snapshot>,
    /// Those of the statement itself.
    pub(super) references: Vec<(TableReference, Meaning)>,
    /// By schema and name, each once.
    pub(super) tables: BTreeMap<(String, String), Target>,
    /// What a view reads comes before it.
    pub(super) views: Vec<ResolvedView>,
    /// The statement's own references of which not every column may be read.
    pub(super) limits: Limits,
    /// What was decided about every reference.
    pub(super) policies: Policies,
}

/// What may be read of references, where that is not all.
pub(super) type Limits = HashMap<TableReference, Limit>;

/// What a reference means.
#[derive(Clone, Debug)]
pub(super) enum Meaning {
    Table((String, String)),
    /// By its OID.
    View(u32),
}

/// Where a relation's rows come from.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Lake(LakeTable),
    System(Arc<dyn SystemRelation>),
}

/// A view and what its references mean.
#[derive(Debug)]
pub(super) struct ResolvedView {
    pub(super) oid: u32,
    pub(super) view: Arc<View>,
    pub(super) query: Box<Query>,
    pub(super) lines: Arc<Lines>,
    pub(super) references: Vec<(TableReference, Meaning)>,
    pub(super) limits: Limits,
}

impl Resolved {
    /// Whether rows are made of the columns of all relations.
    pub(super) fn needs_inventory(&self) -> bool {
        let mut targets = self.tables.values();
        targets
            .any(|target| matches!(target, Target::System(relation) if relation.needs_inventory()))
    }
}

/// What the references of a query mean. A name that is not in the last listing of the lake is
/// looked for in a new one; so are all of them where the statement asks what exists.
pub(super) async fn resolve(
    catalog: &Catalog,
    query: &Query,
    lines: &Lines,
    context: &StatementContext,
    access: &Access,
) -> Result<Resolved> {
    let last = context.snapshot(catalog).await?;
    let resolved = match resolve_in(catalog, &last, query, lines, context, access) {
        Err(error) if error.kind() != ErrorKind::UndefinedTable => return Err(error),
        Ok(resolved) if !resolved.has_system_relations() => resolved,
        _ => {
            catalog.refresh().await?;
            let now = context.snapshot(catalog).await?;
            resolve_in(catalog, &now, query, lines, context, access)?
        }
    };
    context.keep_snapshot(&resolved.snapshot);
    Ok(resolved)
}

impl Resolved {
    fn has_system_relations(&self) -> bool {
        let mut targets = self.tables.values();
        targets.any(|target| matches!(target, Target::System(_)))
    }
}

/// As [`resolve`], among what a snapshot has.
pub(super) fn resolve_in(
    catalog: &Catalog,
    snapshot: &Arc<Snapshot>,
    query: &Query,
    lines: &Lines,
    context: &StatementContext,
    access: &Access,
) -> Result<Resolved> {
    let mut resolver = Resolver {
        catalog,
        snapshot,
        database: &context.facts.database,
        access,
        policies: access.policies(),
        tables: BTreeMap::new(),
        views: Vec::new(),
        open: Vec::new(),
    };
    let path: Vec<&str> = context
        .facts
        .search_path
        .iter()
        .map(String::as_str)
        .collect();
    let (references, limits) = resolver.references(query, lines, &path, &Reader::Session)?;
    Ok(Resolved {
        snapshot: Arc::clone(snapshot),
        references,
        tables: resolver.tables,
        views: resolver.views,
        limits,
        policies: resolver.policies,
    })
}

/// What the references of a view mean that is planned for itself. It stands in for a statement
/// that reads it, under a name and an OID that nothing else has.
pub(super) fn resolve_view(
    catalog: &Catalog,
    snapshot: &Arc<Snapshot>,
    view: &Arc<View>,
    context: &StatementContext,
    access: &Access,
) -> Result<Resolved> {
    let mut resolver = Resolver {
        catalog,
        snapshot,
        database: &context.facts.database,
        access,
        policies: access.policies(),
        tables: BTreeMap::new(),
        views: Vec::new(),
        open: vec![Arc::clone(view)],
    };
    let resolved = resolver.open_view(OWN_OID, view)?;
    resolver.views.push(resolved);
    Ok(Resolved {
        snapshot: Arc::clone(snapshot),
        references: vec![(TableReference::bare(""), Meaning::View(OWN_OID))],
        tables: resolver.tables,
        views: resolver.views,
        limits: Limits::new(),
        policies: resolver.policies,
    })
}

struct Resolver<'a> {
    catalog: &'a Catalog,
    snapshot: &'a Arc<Snapshot>,
    database: &'a str,
    access: &'a Access,
    policies: Policies,
    tables: BTreeMap<(String, String), Target>,
    views: Vec<ResolvedView>,
    /// The views that are being resolved, each read by the one before it.
    open: Vec<Arc<View>>,
}

impl Resolver<'_> {
    fn references(
        &mut self,
        query: &Query,
        lines: &Lines,
        path: &[&str],
        reader: &Reader,
    ) -> Result<(Vec<(TableReference, Meaning)>, Limits)> {
        let (mut references, mut limits) = (Vec::new(), Limits::new());
        for name in of_query(query)? {
            let meaning = self.meaning(&name, path, reader);
            let (meaning, limit) = meaning.map_err(|error| match error.kind() {
                // The executor's check knows no place.
                ErrorKind::InsufficientPrivilege => error,
                _ => in_statement(error, query, &name, lines),
            })?;
            if let Some(limit) = limit {
                limits.insert(name.clone(), limit);
            }
            references.push((name, meaning));
        }
        Ok((references, limits))
    }

    /// Refuses a relation that may not be read; what of it may be, if that is not all.
    fn limit(&mut self, relation: &Relation, reader: &Reader) -> Result<Option<Limit>> {
        let (schema, name) = (relation.schema.as_str(), relation.name.as_str());
        let readable = self.access.readable(reader, schema, name);
        let kind = match relation.view() {
            Some(_) => "view",
            None => "table",
        };
        self.policies.decisions.push(Decision {
            schema: schema.to_owned(),
            name: name.to_owned(),
            reader: reader.clone(),
            readable: readable.clone(),
        });
        match readable {
            Readable::All => Ok(None),
            Readable::Nothing => Err(permission_denied(kind, name)),
            Readable::Columns(columns) => Ok(Some(Limit {
                kind,
                name: name.to_owned(),
                columns,
            })),
        }
    }

    fn meaning(
        &mut self,
        name: &TableReference,
        path: &[&str],
        reader: &Reader,
    ) -> Result<(Meaning, Option<Limit>)> {
        let found = self.look_up(name, path)?;
        let limit = match &found {
            Found::System(_) => None,
            Found::Relation(relation) => self.limit(relation, reader)?,
        };
        let (names, target) = match found {
            Found::System(relation) => {
                let names = (relation.schema_name(), relation.name());
                self.access.require_system(reader, names.0, names.1)?;
                let names = (names.0.to_owned(), names.1.to_owned());
                (names, Target::System(relation))
            }
            Found::Relation(relation) => match &relation.kind {
                Err(error) => return Err(error.clone()),
                Ok(Kind::View(view)) => {
                    self.view(relation.oid, view)?;
                    return Ok((Meaning::View(relation.oid), limit));
                }
                Ok(Kind::Table(table)) => {
                    let names = (relation.schema.clone(), relation.name.clone());
                    (names, Target::Lake(table.clone()))
                }
            },
        };
        self.tables.insert(names.clone(), target);
        Ok((Meaning::Table(names), limit))
    }

    fn view(&mut self, oid: u32, view: &Arc<View>) -> Result<()> {
        if self.views.iter().any(|known| known.oid == oid) {
            return Ok(());
        }
        let names = |view: &View| format!("{}.{}", view.schema, view.name);
        let is_open = |open: &Arc<View>| (&open.schema, &open.name) == (&view.schema, &view.name);
        if let Some(start) = self.open.iter().position(is_open) {
            let circle = self.open[start..].iter().chain([view]);
            let circle: Vec<String> = circle.map(|view| names(view)).collect();
            // As PostgreSQL's, of the rules that its views are.
            let message = format!("infinite recursion detected in view \"{}\"", names(view));
            return Err(Error::new(ErrorKind::InvalidObjectDefinition, message)
                .with_detail(format!("It reads itself: {}.", circle.join(" -> "))));
        }
        if self.open.len() >= VIEWS_DEPTH_MAX {
            let message = format!("views read views more than {VIEWS_DEPTH_MAX} levels deep");
            return Err(Error::new(ErrorKind::StatementTooComplex, message));
        }
        self.open.push(Arc::clone(view));
        let resolved = self.open_view(oid, view);
        self.open.pop();
        let resolved = resolved.map_err(|error| in_view(error, view))?;
        self.views.push(resolved);
        Ok(())
    }

    fn open_view(&mut self, oid: u32, view: &Arc<View>) -> Result<ResolvedView> {
        let (query, lines) = parse::parse_view(&view.query)?;
        let path = [view.schema.as_str(), PUBLIC];
        let reader = match view.security_invoker {
            true => Reader::Session,
            false => Reader::OwnerOf(view.schema.clone(), view.name.clone()),
        };
        let (references, limits) = self.references(&query, &lines, &path, &reader)?;
        Ok(ResolvedView {
            limits,
            oid,
            view: Arc::clone(view),
            query,
            lines,
            references,
        })
    }

    fn look_up(&self, name: &TableReference, path: &[&str]) -> Result<Found> {
        let schemas: Vec<&str> = match (name.catalog(), name.schema()) {
            (Some(database), _) if database != self.database => {
                let message = format!("cross-database reference to \"{database}\"");
                return Err(Error::unsupported(message));
            }
            (_, Some(schema)) => vec![schema],
            (_, None) => std::iter::once("pg_catalog")
                .chain(path.iter().copied())
                .collect(),
        };
        // The names of a view were looked up when it was made, by whoever made it.
        let is_own = self.open.is_empty();
        for schema in schemas {
            let is_lake = self.snapshot.schemas.contains_key(schema);
            if is_own && is_lake && !self.access.may_use(schema) {
                match name.schema() {
                    Some(_) => return Err(permission_denied("schema", schema)),
                    // As recomputeNamespacePath: it is not searched.
                    None => continue,
                }
            }
            if is_system_schema(schema)
                && let Some(relation) = self.catalog.system_relation(schema, name.table())
            {
                return Ok(Found::System(relation));
            }
            if let Some(relation) = self.snapshot.find(schema, name.table())? {
                if is_own && !self.access.may_use(&relation.schema) {
                    return Err(permission_denied("schema", &relation.schema));
                }
                return Ok(Found::Relation(relation));
            }
        }
        let shown = match name.schema() {
            Some(schema) => format!("{schema}.{}", name.table()),
            None => name.table().to_owned(),
        };
        let message = format!("relation \"{shown}\" does not exist");
        let error = Error::new(ErrorKind::UndefinedTable, message);
        Err(match self.relation_hint(name.table()) {
            Some(hint) => error.with_hint(hint),
            None => error,
        })
    }

    /// The relations that were perhaps meant, of whichever schema.
    fn relation_hint(&self, missing: &str) -> Option<String> {
        let schemas = self.snapshot.schemas.values();
        let relations = schemas.flat_map(|schema| schema.relations.values());
        let relations = relations.filter(|relation| self.access.may_see(relation));
        let found = nearest(missing, relations, |relation| &relation.name);
        let names = found.into_iter();
        let names: Vec<String> = names
            .map(|relation| format!("{}.{}", relation.schema, relation.name))
            .collect();
        hint("", "relation", &names)
    }
}

/// What a name finds.
enum Found {
    System(Arc<dyn SystemRelation>),
    Relation(Arc<Relation>),
}

/// An error inside of a view, as it is told of a statement that reads the view: its position is
/// one of the view's file.
pub(super) fn in_view(error: Error, view: &View) -> Error {
    let Some(position) = error.position() else {
        return error;
    };
    let place = format!(
        "In view \"{}.{}\", {}.",
        view.schema,
        view.name,
        view.locate(position)
    );
    let detail = match error.detail() {
        Some(detail) => format!("{detail} {place}"),
        None => place,
    };
    error.without_position().with_detail(detail)
}

/// What a view's query reads, by its text.
///
/// # Errors
/// It is not a query that can be run.
pub fn references_of(text: &str) -> Result<Vec<Reference>> {
    let (query, _) = parse::parse_view(text)?;
    let references = of_query(&query)?.into_iter();
    Ok(references
        .map(|name| (name.schema().map(str::to_owned), name.table().to_owned()))
        .collect())
}

/// The tables a query names, CTEs and functions left out.
pub(super) fn of_query(query: &Query) -> Result<Vec<TableReference>> {
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

/// Where a query says `*` for columns: positions in its text, counted from 1.
pub fn stars_of(text: &str) -> Vec<usize> {
    let Ok((query, lines)) = parse::parse_view(text) else {
        return Vec::new();
    };
    let mut stars = Stars::default();
    let _: ControlFlow<()> = query.visit(&mut stars);
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
