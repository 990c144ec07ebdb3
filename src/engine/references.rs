//! Resolves the names of a query: to tables of the lake and of the system, and through views to
//! those that the views read.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::Query;

use super::access::{Access, Decision, Limit, Policies, Reader};
use super::checked_keys::CHECK_KEYS;
use super::context::StatementContext;
use super::freshness::FRESHNESS;
use super::look_up::Found;
use super::named_in_query::{calls_any, of_query};
use super::resolved::{
    Derived, Limits, Meaning, Resolved, ResolvedProtection, ResolvedView, TableKey, Target, ViewKey,
};
use super::travel::{Clock, Point, function_of, is_number, said};
use super::unpinned::in_statement;
use super::{parse, protect};
use crate::auth::{Protection, Readable};
use crate::catalog::sql::Lines;
use crate::catalog::views::{View, permission_denied};
use crate::catalog::{Catalog, Kind, Needs, PUBLIC, Relation, Snapshot};
use crate::error::{Error, ErrorKind, Remote, Result};
use crate::functions;

/// How deep views may read views.
const VIEWS_DEPTH_MAX: usize = 64;

/// Stands for a view that is planned for itself; no relation has it.
const OWN_OID: u32 = 0;

/// What the references of a query mean. A name that is not in the last listing of the lake is
/// looked for in a new one; so are all of them where the statement asks what exists.
pub(super) async fn resolve(
    catalog: &Catalog,
    query: &Query,
    lines: &Lines,
    clock: Clock<'_>,
    access: &Access,
) -> Result<Resolved> {
    let context = clock.context;
    let last = context.snapshot(catalog).await?;
    let resolved = match resolve_in(&last, query, lines, clock, access) {
        Err(error) if !may_be_stale(&error) => return Err(error),
        Ok(resolved) if !resolved.has_system_relations() => resolved,
        found => {
            match found {
                Err(_) => catalog.refresh().await?,
                Ok(_) => catalog.refresh_briefly().await?,
            };
            let now = context.snapshot(catalog).await?;
            resolve_in(&now, query, lines, clock, access)?
        }
    };
    context.keep_snapshot(&resolved.snapshot);
    Ok(resolved)
}

/// Whether a new listing may have what the last one lacks.
fn may_be_stale(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UndefinedTable
            | ErrorKind::Remote(Remote::Unavailable)
            | ErrorKind::Remote(Remote::SchemaNotFound)
    )
}

/// As [`resolve`], among what a snapshot has.
pub(super) fn resolve_in(
    snapshot: &Arc<Snapshot>,
    query: &Query,
    lines: &Lines,
    clock: Clock<'_>,
    access: &Access,
) -> Result<Resolved> {
    let mut resolver = Resolver::new(snapshot, clock, access);
    let path: Vec<&str> = clock
        .context
        .facts
        .search_path
        .iter()
        .map(String::as_str)
        .collect();
    let scene = NamesOf {
        path: &path,
        reader: &Reader::Session,
        at: None,
    };
    let (references, limits) = resolver.references(query, lines, scene)?;
    Ok(resolver.resolved(references, limits))
}

/// What the references of a view mean that is planned for itself. It stands in for a statement
/// that reads it, under a name and an OID that nothing else has.
pub(super) fn resolve_view(
    snapshot: &Arc<Snapshot>,
    view: &Arc<View>,
    clock: Clock<'_>,
    access: &Access,
) -> Result<Resolved> {
    let mut resolver = Resolver::new(snapshot, clock, access);
    let key = ViewKey {
        oid: OWN_OID,
        at: resolver.session_point()?,
    };
    resolver.open.push(Arc::clone(view));
    let resolved = resolver.open_view(key.clone(), view)?;
    resolver.derived.push(Derived::View(resolved));
    let own = (TableReference::bare(""), Meaning::View(key));
    Ok(resolver.resolved(vec![own], Limits::new()))
}

/// What a relation means that is read under a protection which is not yet defined.
pub(super) fn resolve_protection(
    snapshot: &Arc<Snapshot>,
    relation: &Relation,
    protection: &Protection,
    clock: Clock<'_>,
) -> Result<Resolved> {
    let access = Access::open();
    let mut resolver = Resolver::new(snapshot, clock, &access);
    let raw = resolver.raw(relation, &Reader::Session, &Point::Latest)?;
    let protected = resolver.protected(
        relation,
        raw,
        protection,
        (&Reader::Session, &Point::Latest),
    )?;
    let own = (TableReference::bare(""), protected);
    Ok(resolver.resolved(vec![own], Limits::new()))
}

/// Resolves the names of one statement.
pub(super) struct Resolver<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) snapshot: &'a Arc<Snapshot>,
    pub(super) context: &'a StatementContext,
    pub(super) access: &'a Access,
    pub(super) clock: Clock<'a>,
    /// The moment that the session reads at, once it was asked for.
    pub(super) of_session: OnceCell<Point>,
    /// Whether a moment was asked for that is neither the latest nor the number of a version.
    pub(super) says_moment: Cell<bool>,
    policies: Policies,
    functions_need: Needs,
    pub(super) tables: BTreeMap<TableKey, Target>,
    pub(super) as_they_are: BTreeSet<String>,
    pub(super) derived: Vec<Derived>,
    /// The views that are being resolved, each read by the one before it.
    pub(super) open: Vec<Arc<View>>,
    /// The protections that were resolved, by relation, reader and moment.
    protections: Vec<((String, String), Reader, Point)>,
    /// The relations whose policies are being resolved.
    pub(super) guarded: Vec<(String, String)>,
}

/// How the names of one query are looked up.
#[derive(Clone, Copy)]
pub(super) struct NamesOf<'a> {
    /// The schemas of names that say none.
    pub(super) path: &'a [&'a str],
    pub(super) reader: &'a Reader,
    /// The moment at which is read what says none; `None` for the session's.
    pub(super) at: Option<&'a Point>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(snapshot: &'a Arc<Snapshot>, clock: Clock<'a>, access: &'a Access) -> Self {
        Self {
            catalog: clock.catalog,
            snapshot,
            context: clock.context,
            access,
            clock,
            of_session: OnceCell::new(),
            says_moment: Cell::new(false),
            policies: Policies::default(),
            functions_need: Needs::Snapshot,
            tables: BTreeMap::new(),
            as_they_are: BTreeSet::new(),
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
            as_they_are: self.as_they_are,
            derived: self.derived,
            limits,
            policies: Arc::new(self.policies),
            functions_need: self.functions_need,
            says_moment: self.says_moment.get(),
        }
    }

    pub(super) fn references(
        &mut self,
        query: &Query,
        lines: &Lines,
        names: NamesOf<'_>,
    ) -> Result<(Vec<(TableReference, Meaning)>, Limits)> {
        if calls_any(query, functions::of_inventory) {
            self.functions_need = Needs::Inventory;
        }
        let (mut references, mut limits) = (Vec::new(), Limits::new());
        let own = protect::own_reference();
        let said = said(query);
        for name in of_query(query)?.into_iter().filter(|name| *name != own) {
            let version = said.get(&name);
            let meaning = match (version, version.and_then(function_of)) {
                (_, Some((CHECK_KEYS, of))) => {
                    self.check_keys(of, names).map(|meaning| (meaning, None))
                }
                (_, Some((FRESHNESS, of))) => {
                    self.freshness(of, names).map(|meaning| (meaning, None))
                }
                (_, Some(call)) => self.told(call, names).map(|meaning| (meaning, None)),
                (Some(said), None) => {
                    if !is_number(said) {
                        self.says_moment.set(true);
                    }
                    let point = self.clock.point(said, self.snapshot, lines);
                    point.and_then(|point| self.meaning(&name, Some(point), names))
                }
                (None, None) => self.meaning(&name, None, names),
            };
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
    pub(super) fn limit(
        &mut self,
        relation: &Relation,
        protection: Option<&Protection>,
        reader: &Reader,
    ) -> Result<Option<Limit>> {
        let (schema, name) = (relation.schema.as_str(), relation.name.as_str());
        let readable = self.access.readable(reader, schema, name);
        let kind = match (relation.view(), relation.foreign()) {
            (Some(view), _) => view.kind().word(),
            (_, Some(_)) => "foreign table",
            (None, None) => "table",
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

    /// What a name means, at the moment that is said of it.
    fn meaning(
        &mut self,
        name: &TableReference,
        point: Option<Point>,
        names: NamesOf<'_>,
    ) -> Result<(Meaning, Option<Limit>)> {
        let reader = names.reader;
        let (found, point) = self.look_up_at(name, point, names.path)?;
        let relation = match found {
            Found::System(relation) => {
                let (schema, name) = (relation.schema_name(), relation.name());
                self.access.require_system(reader, schema, name)?;
                // What the gateway itself knows is never of another moment than now.
                if point.is_some_and(|point| point != Point::Latest) {
                    let what = format!("time travel of the system relation \"{schema}.{name}\"");
                    return Err(Error::unsupported(what));
                }
                let key = TableKey {
                    schema: schema.to_owned(),
                    name: name.to_owned(),
                    at: None,
                    asked_as: None,
                };
                self.tables.insert(key.clone(), Target::System(relation));
                return Ok((Meaning::Table(key), None));
            }
            Found::Relation(relation) => relation,
        };
        let at = match (point, names.at) {
            (Some(point), _) => point,
            (None, Some(inherited)) => inherited.clone(),
            (None, None) => self.session_point()?,
        };
        let protection = self
            .access
            .protection(reader, &relation.schema, &relation.name);
        let known = protection.as_ref().ok().and_then(Option::as_ref);
        let limit = self.limit(&relation, known, reader)?;
        let raw = self.raw(&relation, reader, &at)?;
        let meaning = match protection? {
            None => raw,
            Some(protection) => self.protected(&relation, raw, &protection, (reader, &at))?,
        };
        Ok((meaning, limit))
    }

    /// A relation without what protects it; a server is asked as the reader is mapped to it.
    fn raw(&mut self, relation: &Relation, reader: &Reader, at: &Point) -> Result<Meaning> {
        match &relation.kind {
            Err(error) => Err(error.clone()),
            Ok(Kind::View(view)) => {
                let key = ViewKey {
                    oid: relation.oid,
                    at: at.clone(),
                };
                if let Point::Version(version) = at {
                    self.require_one_history(relation, view, *version)?;
                }
                self.view(&key, view)?;
                Ok(Meaning::View(key))
            }
            Ok(Kind::Table(table)) => self.lake_table(relation, table, at),
            Ok(Kind::Foreign(foreign)) if let Some(table) = &foreign.lake => {
                self.lake_table(relation, table, at)
            }
            Ok(Kind::Foreign(table)) => {
                self.require_now(relation, at)?;
                let asked_as = match self.access.role_of(reader) {
                    Some(role) => table.server.mapping_for(&role)?,
                    None => table.server.mapping_for_names()?,
                };
                let key = TableKey {
                    schema: relation.schema.clone(),
                    name: relation.name.clone(),
                    at: None,
                    asked_as,
                };
                let target = Target::Foreign(Arc::clone(table));
                self.tables.insert(key.clone(), target);
                Ok(Meaning::Table(key))
            }
        }
    }

    /// A relation under the policies and masks of a reader.
    fn protected(
        &mut self,
        relation: &Relation,
        raw: Meaning,
        protection: &Protection,
        (reader, at): (&Reader, &Point),
    ) -> Result<Meaning> {
        let names = (relation.schema.clone(), relation.name.clone());
        let key = (names.clone(), reader.clone(), at.clone());
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
        let calls = protect::session_calls(&query);
        let session =
            protect::session_values(&calls, self.context, || self.access.rights_fingerprint());
        self.policies.session.extend(session);
        self.guarded.push(names.clone());
        // What may be read is decided by what is so today, whatever moment is read.
        let scene = NamesOf {
            path: &[relation.schema.as_str(), PUBLIC],
            reader,
            at: Some(&Point::Latest),
        };
        let resolved = self.references(&query, &lines, scene);
        self.guarded.pop();
        let (references, limits) = resolved.map_err(in_protection)?;
        let number = self.protections.len();
        self.protections.push(key);
        self.derived.push(Derived::Protected(ResolvedProtection {
            number,
            schema: names.0.clone(),
            name: names.1.clone(),
            relation: raw,
            query: Arc::from(query),
            lines,
            references,
            limits,
            masked: protection.masks.keys().cloned().collect(),
        }));
        Ok(Meaning::Protected(number))
    }

    pub(super) fn view(&mut self, key: &ViewKey, view: &Arc<View>) -> Result<()> {
        let is_known = |known: &Derived| matches!(known, Derived::View(known) if known.key == *key);
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
        let resolved = self.open_view(key.clone(), view);
        self.open.pop();
        let resolved = resolved.map_err(|error| in_view(error, view))?;
        self.derived.push(Derived::View(resolved));
        Ok(())
    }

    fn open_view(&mut self, key: ViewKey, view: &Arc<View>) -> Result<ResolvedView> {
        let (query, lines) = parse::parse_view(&view.query)?;
        let path = [view.schema.as_str(), PUBLIC];
        let reader = match view.security_invoker {
            true => Reader::Session,
            false => Reader::OwnerOf(view.schema.clone(), view.name.clone()),
        };
        let scene = NamesOf {
            path: &path,
            reader: &reader,
            at: Some(&key.at),
        };
        let (references, limits) = self.references(&query, &lines, scene)?;
        Ok(ResolvedView {
            limits,
            key,
            view: Arc::clone(view),
            session_calls: Arc::new(protect::session_calls(&query)),
            query: Arc::from(query),
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
