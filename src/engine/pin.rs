//! Pins every relation of a statement to one version, before anything is planned.
//!
//! First names are resolved, through views and the views they read, to the relations that hold
//! rows; then each of those is fixed to one version, once, however many ways lead to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::ScalarUDF;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Spanned, Visitor};
use futures::future::try_join_all;

use super::access::Policies;
use super::context::StatementContext;
use super::failure;
use super::moment::Moment;
use super::protect;
use super::resolved::{Derived, Limits, Meaning, Resolved, TableKey, Target, ViewKey};
use super::scope::reference;
use super::stored::Stored;
use super::system_table::SystemTable;
use super::travel;
use crate::catalog::sql::Lines;
use crate::catalog::system::Builtin;
use crate::catalog::views::View;
use crate::catalog::{Catalog, Inventory, Snapshot, SystemRelation, SystemView, Wanted};
use crate::engine::walk::walk;
use crate::error::{Error, Result};
use crate::functions::{self, SessionFacts};
use crate::sources::warehouse::Reading;
use crate::sources::{At, PinnedTable as PinnedRows, Size, Version};

/// The setting that has servers judge conditions.
const REMOTE_PUSHDOWN: &str = "lakegate.remote_pushdown";

/// How a statement reads servers.
#[derive(Clone, Copy)]
struct Servers<'a> {
    reading: &'a Arc<Reading>,
    pushes_down: bool,
}

/// Every relation that a statement reads, each at one version.
#[derive(Debug)]
pub(super) struct Pinned {
    /// What exists, for functions that look names up.
    pub(super) snapshot: Arc<Snapshot>,
    /// PostgreSQL's own catalog, for the same.
    pub(super) builtin: Arc<Builtin>,
    /// The columns of relations, if the statement needs them.
    pub(super) inventory: Option<Arc<Inventory>>,
    /// By the reference as written; two spellings of one relation share one version.
    pub(super) relations: Relations,
    /// The references of which not every column may be read.
    pub(super) limits: Limits,
    /// What was allowed to be read, and as whom.
    pub(super) policies: Policies,
    /// Every relation with rows that is read, through views too.
    pub(super) tables: Vec<Arc<PinnedTable>>,
    /// The functions of the engine itself.
    pub(super) own_functions: Vec<Arc<ScalarUDF>>,
    /// The rows that are stored of views, for those that are not read from what is below them.
    pub(super) stored: Stored,
    /// What the client is to know of that.
    pub(super) notices: Vec<String>,
    /// The relations without history that are read as they are, though a moment was asked for.
    pub(super) as_they_are: BTreeSet<String>,
}

impl Pinned {
    /// The functions that depend on the session and on what exists.
    pub(super) fn functions(&self, facts: &Arc<SessionFacts>) -> Vec<Arc<ScalarUDF>> {
        let inventory = self.inventory.as_ref();
        let mut functions = functions::of_session(facts, &self.snapshot, &self.builtin, inventory);
        functions.extend(self.own_functions.iter().map(Arc::clone));
        functions
    }
}

/// What the references of one query mean.
pub(super) type Relations = HashMap<TableReference, PinnedRelation>;

/// What a reference means.
#[derive(Clone, Debug)]
pub(super) enum PinnedRelation {
    Table(Arc<PinnedTable>),
    View(Arc<PinnedView>),
    Protected(Arc<PinnedProtection>),
}

impl PinnedRelation {
    /// The same as nobody protects it.
    pub(super) fn unprotected(&self) -> &Self {
        match self {
            Self::Protected(protection) => protection.relation.unprotected(),
            Self::Table(_) | Self::View(_) => self,
        }
    }
}

/// A relation with rows at the version a statement reads.
#[derive(Debug)]
pub(super) struct PinnedTable {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) version: Version,
    /// Tells its rows from all others; `None` where nothing made of them may be kept.
    pub(super) digest: Option<[u8; 32]>,
    /// The same in every process; `None` where nothing made of them may be stored.
    pub(super) identity: Option<[u8; 32]>,
    /// The moment that was asked for; `None` for the latest.
    pub(super) at: Option<At>,
    /// When its rows were last changed, by the store's clock.
    pub(super) changed: Option<DateTime<Utc>>,
    pub(super) provider: Arc<dyn TableProvider>,
}

/// A view whose relations are pinned.
#[derive(Debug)]
pub(super) struct PinnedView {
    pub(super) key: ViewKey,
    pub(super) view: Arc<View>,
    pub(super) query: Box<Query>,
    pub(super) lines: Arc<Lines>,
    pub(super) relations: Relations,
    pub(super) limits: Limits,
}

/// A relation as one reader may see it, over what is pinned.
#[derive(Debug)]
pub(super) struct PinnedProtection {
    pub(super) number: usize,
    pub(super) schema: String,
    pub(super) name: String,
    /// What is protected.
    pub(super) relation: PinnedRelation,
    pub(super) query: Box<Query>,
    pub(super) lines: Arc<Lines>,
    /// Those of the query, what is protected among them.
    pub(super) relations: Relations,
    pub(super) limits: Limits,
    pub(super) masked: BTreeSet<String>,
}

/// Pins what a query's references were resolved to, at the versions that are asked for.
pub(super) async fn pin(
    catalog: &Catalog,
    resolved: Resolved,
    inventory: Option<Arc<Inventory>>,
    context: &StatementContext,
) -> Result<Pinned, Failed> {
    let view = Arc::new(SystemView {
        snapshot: travel::as_it_was(&resolved.snapshot, inventory.as_deref(), context),
        inventory: inventory.clone(),
        database: context.facts.database.clone(),
        actor: context.facts.actor.clone(),
        settings: Arc::clone(&context.facts.settings),
        sessions: context.facts.sessions.clone(),
    });
    let targets = resolved.tables.iter();
    let moment = context.moment.as_deref();
    let reading = moment.map_or_else(Reading::of_statement, Moment::reading);
    let pushdown = context.facts.settings.get(REMOTE_PUSHDOWN);
    let servers = Servers {
        reading: &reading,
        pushes_down: pushdown.is_none_or(|value| value != "off"),
    };
    let pins = targets.map(|(key, target)| pin_one(catalog, key, target, (&view, servers), moment));
    let pinned = try_join_all(pins).await?;
    let tables: BTreeMap<_, _> = resolved.tables.keys().cloned().zip(pinned).collect();
    let mut known = Known {
        tables: &tables,
        views: HashMap::new(),
        protections: HashMap::new(),
    };
    for derived in resolved.derived {
        known.add(derived);
    }
    let own = known.relations(&resolved.references);
    let pinned = Pinned {
        limits: resolved.limits,
        policies: resolved.policies,
        relations: own,
        snapshot: resolved.snapshot,
        builtin: Arc::clone(catalog.builtin()),
        inventory,
        tables: tables.into_values().collect(),
        own_functions: Vec::new(),
        stored: Stored::new(),
        notices: Vec::new(),
        as_they_are: resolved.as_they_are,
    };
    tracing::debug!(policies = %pinned.policies.fingerprint(), "pinned");
    Ok(pinned)
}

/// What is pinned so far. What reads others comes behind them.
struct Known<'a> {
    tables: &'a BTreeMap<TableKey, Arc<PinnedTable>>,
    views: HashMap<ViewKey, Arc<PinnedView>>,
    protections: HashMap<usize, Arc<PinnedProtection>>,
}

impl Known<'_> {
    fn add(&mut self, derived: Derived) {
        match derived {
            Derived::View(resolved) => {
                let pinned = PinnedView {
                    key: resolved.key,
                    relations: self.relations(&resolved.references),
                    view: resolved.view,
                    query: resolved.query,
                    lines: resolved.lines,
                    limits: resolved.limits,
                };
                self.views.insert(pinned.key.clone(), Arc::new(pinned));
            }
            Derived::Protected(resolved) => {
                let relation = self.relation(&resolved.relation);
                let mut relations = self.relations(&resolved.references);
                relations.insert(protect::own_reference(), relation.clone());
                let pinned = PinnedProtection {
                    number: resolved.number,
                    schema: resolved.schema,
                    name: resolved.name,
                    relation,
                    query: resolved.query,
                    lines: resolved.lines,
                    relations,
                    limits: resolved.limits,
                    masked: resolved.masked,
                };
                self.protections.insert(pinned.number, Arc::new(pinned));
            }
        }
    }

    /// What references mean, once the relations are pinned.
    fn relations(&self, references: &[(TableReference, Meaning)]) -> Relations {
        let references = references.iter();
        references
            .map(|(name, meaning)| (name.clone(), self.relation(meaning)))
            .collect()
    }

    fn relation(&self, meaning: &Meaning) -> PinnedRelation {
        match meaning {
            Meaning::Table(key) => {
                let table = self.tables.get(key).expect("every table was pinned");
                PinnedRelation::Table(Arc::clone(table))
            }
            Meaning::View(key) => {
                let view = self.views.get(key);
                let view = view.expect("what a view reads comes before it");
                PinnedRelation::View(Arc::clone(view))
            }
            Meaning::Protected(number) => {
                let protection = self.protections.get(number);
                let protection = protection.expect("what is read comes before what reads it");
                PinnedRelation::Protected(Arc::clone(protection))
            }
        }
    }
}

/// A relation that could not be pinned.
#[derive(Debug)]
pub(super) struct Failed {
    key: TableKey,
    error: Error,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

impl Failed {
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

async fn pin_one(
    catalog: &Catalog,
    key: &TableKey,
    target: &Target,
    (view, servers): (&Arc<SystemView>, Servers<'_>),
    moment: Option<&Moment>,
) -> Result<Arc<PinnedTable>, Failed> {
    let failed = |error| Failed {
        key: key.clone(),
        error,
    };
    let table = match target {
        Target::System(relation) => {
            return pinned(key, rows_of(relation, view)).map_err(failed);
        }
        Target::Told(table, told, at) => {
            let told = catalog.lake().told(table, *told, *at).await;
            return pinned(key, told.and_then(rows_once)).map_err(failed);
        }
        Target::Foreign(table) => {
            if let Some(seen) = moment.and_then(|moment| moment.table(key)) {
                return Ok(seen);
            }
            let Servers {
                reading,
                pushes_down,
            } = servers;
            let (warehouse, role) = (catalog.warehouse(), key.asked_as.as_deref());
            let rows = warehouse.pin(table, role, reading, pushes_down).await;
            let relation = pinned(key, rows).map_err(failed)?;
            if let Some(moment) = moment {
                moment.keep_table(key, &relation).map_err(failed)?;
            }
            return Ok(relation);
        }
        Target::Lake(table) => table,
    };
    // What the gateway itself knows is never of another moment than now; what is asked for at a
    // moment of its own is of that moment, whatever the transaction sees.
    let moment = moment.filter(|_| key.at.is_none());
    if let Some(seen) = moment.and_then(|moment| moment.table(key)) {
        return Ok(seen);
    }
    let mut relation = pinned(key, catalog.lake().pin(table, key.at).await).map_err(failed)?;
    if let Some(moment) = moment {
        if table.has_history() && moment.is_before(&relation) {
            let at = Some(At::Instant(moment.began()));
            relation = pinned(key, catalog.lake().pin(table, at).await).map_err(failed)?;
        }
        moment.keep_table(key, &relation).map_err(failed)?;
    }
    Ok(relation)
}

/// The relation of a key, with these rows.
fn pinned(key: &TableKey, rows: Result<PinnedRows>) -> Result<Arc<PinnedTable>> {
    let PinnedRows {
        version,
        digest,
        identity,
        changed,
        provider,
        size: _,
    } = rows?;
    tracing::debug!(key.schema, key.name, %version, "pinned");
    Ok(Arc::new(PinnedTable {
        schema: key.schema.clone(),
        name: key.name.clone(),
        version,
        digest,
        identity,
        at: key.at,
        changed,
        provider,
    }))
}

fn rows_of(relation: &Arc<dyn SystemRelation>, view: &Arc<SystemView>) -> Result<PinnedRows> {
    match relation.always_has_rows() {
        true => Ok(of_gateway(Arc::new(SystemTable::new(relation, view)))),
        false => rows_once(relation.rows(view, &Wanted::default())?),
    }
}

/// What the gateway itself has rows of.
fn of_gateway(provider: Arc<dyn TableProvider>) -> PinnedRows {
    PinnedRows {
        version: Version::None,
        digest: None,
        identity: None,
        changed: None,
        size: Size::default(),
        provider,
    }
}

/// Rows that are made before planning, which knows then if there are none.
fn rows_once(rows: RecordBatch) -> Result<PinnedRows> {
    Ok(of_gateway(match rows.num_rows() {
        0 => Arc::new(EmptyTable::new(rows.schema())),
        _ => {
            let table = MemTable::try_new(rows.schema(), vec![vec![rows]]);
            Arc::new(table.map_err(|error| failure::from_datafusion(&error))?)
        }
    }))
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
