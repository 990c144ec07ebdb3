//! Resolves the names of a query: to tables of the lake and of the system, and through views to
//! those that the views read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::Query;

use super::access::{Access, Decision, Limit, Policies, Reader};
use super::context::StatementContext;
use super::look_up::Found;
use super::named_in_query::{calls_any, of_query};
use super::pin::in_statement;
use super::{parse, protect};
use crate::auth::{Protection, Readable};
use crate::catalog::sql::Lines;
use crate::catalog::views::{View, permission_denied};
use crate::catalog::{Catalog, Kind, Needs, PUBLIC, Relation, Snapshot, SystemRelation};
use crate::error::{Error, ErrorKind, Result};
use crate::functions;
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
    /// What reads others: what it reads comes before it.
    pub(super) derived: Vec<Derived>,
    /// The statement's own references of which not every column may be read.
    pub(super) limits: Limits,
    /// What was decided about every reference.
    pub(super) policies: Policies,
    /// What the functions that are called look up.
    functions_need: Needs,
}

/// What may be read of references, where that is not all.
pub(super) type Limits = HashMap<TableReference, Limit>;

/// What a reference means.
#[derive(Clone, Debug)]
pub(super) enum Meaning {
    Table((String, String)),
    /// By its OID.
    View(u32),
    /// By its number.
    Protected(usize),
}

/// A relation that is made of others.
#[derive(Debug)]
pub(super) enum Derived {
    View(ResolvedView),
    Protected(ResolvedProtection),
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

/// A relation as one reader may see it.
#[derive(Debug)]
pub(super) struct ResolvedProtection {
    pub(super) number: usize,
    pub(super) schema: String,
    pub(super) name: String,
    /// What is protected.
    pub(super) relation: Meaning,
    /// What protects it, over [`protect::own_reference`].
    pub(super) query: Box<Query>,
    pub(super) lines: Arc<Lines>,
    /// Those of the query's own subqueries.
    pub(super) references: Vec<(TableReference, Meaning)>,
    pub(super) limits: Limits,
    /// The columns that are masked.
    pub(super) masked: BTreeSet<String>,
}

impl Resolved {
    /// What the rows of its system relations, and its functions, are made of.
    pub(super) fn needs(&self) -> Needs {
        let tables = self.tables.values().map(|target| match target {
            Target::System(relation) => relation.needs(),
            Target::Lake(_) => Needs::Snapshot,
        });
        tables.fold(self.functions_need, Needs::max)
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
        found => {
            match found {
                Err(_) => catalog.refresh().await?,
                Ok(_) => catalog.refresh_briefly().await?,
            };
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
    let mut resolver = Resolver::new(catalog, snapshot, context, access);
    let path: Vec<&str> = context
        .facts
        .search_path
        .iter()
        .map(String::as_str)
        .collect();
    let (references, limits) = resolver.references(query, lines, &path, &Reader::Session)?;
    Ok(resolver.resolved(references, limits))
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
    let mut resolver = Resolver::new(catalog, snapshot, context, access);
    resolver.open.push(Arc::clone(view));
    let resolved = resolver.open_view(OWN_OID, view)?;
    resolver.derived.push(Derived::View(resolved));
    let own = (TableReference::bare(""), Meaning::View(OWN_OID));
    Ok(resolver.resolved(vec![own], Limits::new()))
}

/// What a relation means that is read under a protection which is not yet defined.
pub(super) fn resolve_protection(
    catalog: &Catalog,
    snapshot: &Arc<Snapshot>,
    relation: &Relation,
    protection: &Protection,
    context: &StatementContext,
) -> Result<Resolved> {
    let access = Access::open();
    let mut resolver = Resolver::new(catalog, snapshot, context, &access);
    let raw = resolver.raw(relation)?;
    let protected = resolver.protected(relation, raw, protection, &Reader::Session)?;
    let own = (TableReference::bare(""), protected);
    Ok(resolver.resolved(vec![own], Limits::new()))
}

/// Resolves the names of one statement.
pub(super) struct Resolver<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) snapshot: &'a Arc<Snapshot>,
    pub(super) context: &'a StatementContext,
    pub(super) access: &'a Access,
    policies: Policies,
    functions_need: Needs,
    tables: BTreeMap<(String, String), Target>,
    derived: Vec<Derived>,
    /// The views that are being resolved, each read by the one before it.
    pub(super) open: Vec<Arc<View>>,
    /// The protections that were resolved, by relation and reader.
    protections: Vec<((String, String), Reader)>,
    /// The relations whose policies are being resolved.
    pub(super) guarded: Vec<(String, String)>,
}

impl<'a> Resolver<'a> {
    fn new(
        catalog: &'a Catalog,
        snapshot: &'a Arc<Snapshot>,
        context: &'a StatementContext,
        access: &'a Access,
    ) -> Self {
        Self {
            catalog,
            snapshot,
            context,
            access,
            policies: Policies::default(),
            functions_need: Needs::Snapshot,
            tables: BTreeMap::new(),
            derived: Vec::new(),
            open: Vec::new(),
            protections: Vec::new(),
            guarded: Vec::new(),
        }
    }

    fn resolved(self, references: Vec<(TableReference, Meaning)>, limits: Limits) -> Resolved {
        Resolved {
            snapshot: Arc::clone(self.snapshot),
            references,
            tables: self.tables,
            derived: self.derived,
            limits,
            policies: self.policies,
            functions_need: self.functions_need,
        }
    }

    fn references(
        &mut self,
        query: &Query,
        lines: &Lines,
        path: &[&str],
        reader: &Reader,
    ) -> Result<(Vec<(TableReference, Meaning)>, Limits)> {
        if calls_any(query, functions::of_inventory) {
            self.functions_need = Needs::Inventory;
        }
        let (mut references, mut limits) = (Vec::new(), Limits::new());
        let own = protect::own_reference();
        for name in of_query(query)?.into_iter().filter(|name| *name != own) {
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
    fn limit(
        &mut self,
        relation: &Relation,
        protection: Option<&Protection>,
        reader: &Reader,
    ) -> Result<Option<Limit>> {
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
            protection: protection.cloned(),
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
        let relation = match self.look_up(name, path)? {
            Found::System(relation) => {
                let names = (relation.schema_name(), relation.name());
                self.access.require_system(reader, names.0, names.1)?;
                let names = (names.0.to_owned(), names.1.to_owned());
                self.tables.insert(names.clone(), Target::System(relation));
                return Ok((Meaning::Table(names), None));
            }
            Found::Relation(relation) => relation,
        };
        let protection = self
            .access
            .protection(reader, &relation.schema, &relation.name);
        let known = protection.as_ref().ok().and_then(Option::as_ref);
        let limit = self.limit(&relation, known, reader)?;
        let raw = self.raw(&relation)?;
        let meaning = match protection? {
            None => raw,
            Some(protection) => self.protected(&relation, raw, &protection, reader)?,
        };
        Ok((meaning, limit))
    }

    /// A relation of the lake, whoever reads it.
    fn raw(&mut self, relation: &Relation) -> Result<Meaning> {
        match &relation.kind {
            Err(error) => Err(error.clone()),
            Ok(Kind::View(view)) => {
                self.view(relation.oid, view)?;
                Ok(Meaning::View(relation.oid))
            }
            Ok(Kind::Table(table)) => {
                let names = (relation.schema.clone(), relation.name.clone());
                let target = Target::Lake(table.clone());
                self.tables.insert(names.clone(), target);
                Ok(Meaning::Table(names))
            }
        }
    }

    /// A relation under the policies and masks of a reader.
    fn protected(
        &mut self,
        relation: &Relation,
        raw: Meaning,
        protection: &Protection,
        reader: &Reader,
    ) -> Result<Meaning> {
        let names = (relation.schema.clone(), relation.name.clone());
        let key = (names.clone(), reader.clone());
        if let Some(number) = self.protections.iter().position(|known| *known == key) {
            return Ok(Meaning::Protected(number));
        }
        let in_protection = |error| protect::in_protection(error, &names.0, &names.1);
        let (query, lines) =
            protect::query_of(&relation.name, protection).map_err(in_protection)?;
        let own = protect::own_reference();
        let has_subqueries = of_query(&query)?.iter().any(|name| *name != own);
        if has_subqueries && self.guarded.contains(&names) {
            // As fireRIRrules in rewriteHandler.c.
            let message = format!(
                "infinite recursion detected in policy for relation \"{}\"",
                relation.name
            );
            return Err(Error::new(ErrorKind::InvalidObjectDefinition, message));
        }
        let session =
            protect::session_values(&query, self.context, || self.access.rights_fingerprint());
        self.policies.session.extend(session);
        self.guarded.push(names.clone());
        let path = [relation.schema.as_str(), PUBLIC];
        let resolved = self.references(&query, &lines, &path, reader);
        self.guarded.pop();
        let (references, limits) = resolved.map_err(in_protection)?;
        let number = self.protections.len();
        self.protections.push(key);
        self.derived.push(Derived::Protected(ResolvedProtection {
            number,
            schema: names.0.clone(),
            name: names.1.clone(),
            relation: raw,
            query,
            lines,
            references,
            limits,
            masked: protection.masks.keys().cloned().collect(),
        }));
        Ok(Meaning::Protected(number))
    }

    fn view(&mut self, oid: u32, view: &Arc<View>) -> Result<()> {
        let is_known = |known: &Derived| matches!(known, Derived::View(known) if known.oid == oid);
        if self.derived.iter().any(is_known) {
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
        self.derived.push(Derived::View(resolved));
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
