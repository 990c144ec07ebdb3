//! Pins every relation of a statement to one version, before anything is planned.
//!
//! First names are resolved, through views and the views they read, to the relations that hold
//! rows; then each of those is fixed to one version, once, however many ways lead to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::logical_expr::ScalarUDF;
use datafusion::sql::sqlparser::ast::Query;
use futures::future::try_join_all;

use super::access::Policies;
use super::context::StatementContext;
use super::moment::Moment;
use super::own_rows::{System, digest_of, rows_of, rows_once};
use super::protect::{self, SessionCall};
use super::resolved::{Derived, Limits, Meaning, Resolved, TableKey, Target, ViewKey};
use super::stored::Stored;
use super::travel;
use super::unpinned::Failed;
use crate::catalog::sql::Lines;
use crate::catalog::system::{Builtin, is_system_schema};
use crate::catalog::views::View;
use crate::catalog::{Catalog, Inventory, Snapshot, SystemView};
use crate::error::Result;
use crate::functions::{self, SessionFacts};
use crate::sources::warehouse::Reading;
use crate::sources::{At, LakeTable, PinnedTable as PinnedRows, Version};

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
    pub(super) policies: Arc<Policies>,
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
    /// The names of those functions whose answers depend on the catalog, but on nothing else of the session.
    pub(super) fn names_of_catalog(&self, facts: &Arc<SessionFacts>) -> BTreeSet<String> {
        functions::names_of_catalog(facts, &self.snapshot, &self.builtin)
    }

    /// Whether a relation of the catalog is read.
    pub(super) fn reads_catalog(&self) -> bool {
        self.tables.iter().any(|table| table.is_of_system())
    }

    /// Whether relations of the catalog are read, and nothing else.
    pub(super) fn reads_catalog_alone(&self) -> bool {
        let mut tables = self.tables.iter();
        !self.tables.is_empty() && tables.all(|table| table.is_of_system())
    }

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
    /// Its schema and its name.
    pub(super) fn name(&self) -> (&str, &str) {
        match self {
            Self::Table(table) => (&table.schema, &table.name),
            Self::View(view) => (&view.view.schema, &view.view.name),
            Self::Protected(protection) => (&protection.schema, &protection.name),
        }
    }

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
    /// Where it lies, if it is one of the lake.
    pub(super) lake: Option<LakeTable>,
}

impl PinnedTable {
    /// Whether it is one that describes what exists.
    fn is_of_system(&self) -> bool {
        is_system_schema(&self.schema)
    }
}

/// A view whose relations are pinned.
#[derive(Debug)]
pub(super) struct PinnedView {
    pub(super) key: ViewKey,
    pub(super) view: Arc<View>,
    pub(super) query: Arc<Query>,
    /// The functions that its query calls which tell of the session.
    pub(super) session_calls: Arc<BTreeSet<SessionCall>>,
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
    pub(super) query: Arc<Query>,
    pub(super) lines: Arc<Lines>,
    /// Those of the query, what is protected among them.
    pub(super) relations: Relations,
    pub(super) limits: Limits,
    pub(super) masked: BTreeSet<String>,
}

/// Pins what a query's references were resolved to, at the versions that are asked for.
pub(super) async fn pin(
    catalog: &Catalog,
    resolved: &Resolved,
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
    let moment = context.moment.as_deref();
    let reading = moment.map_or_else(Reading::of_statement, Moment::reading);
    let pushdown = context.facts.settings.get(REMOTE_PUSHDOWN);
    let servers = Servers {
        reading: &reading,
        pushes_down: pushdown.is_none_or(|value| value != "off"),
    };
    let system = System {
        digest: digest_of(&view, context),
        view,
    };
    let pin_all = || {
        let targets = resolved.tables.iter();
        let pins =
            targets.map(|(key, target)| pin_one(catalog, key, target, (&system, servers), moment));
        try_join_all(pins)
    };
    let tables = match pin_all().await {
        Err(failed) if failed.is_mended(catalog, resolved) => pin_all().await,
        tables => tables,
    };
    let tables = tables.map_err(|failed| failed.at_server(resolved))?;
    let pinned = put_together(catalog, resolved, &tables, inventory);
    tracing::debug!(policies = %pinned.policies.fingerprint(), "pinned");
    Ok(pinned)
}

/// As [`pin`], where all relations are tables of the lake of which it is known without waiting that they are what they
/// were; `None` where it is not.
pub(super) fn pin_at_once(catalog: &Catalog, resolved: &Resolved) -> Option<Pinned> {
    let mut tables = Vec::with_capacity(resolved.tables.len());
    for (key, target) in &resolved.tables {
        let Target::Lake(table) = target else {
            return None;
        };
        let rows = catalog.lake().pin_at_once(table, key.at)?;
        tables.push(pinned(key, Ok(rows), Some(table)).ok()?);
    }
    Some(put_together(catalog, resolved, &tables, None))
}

/// What was resolved to tables, over those as they are pinned, in the order of what they were resolved to.
pub(super) fn pinned_over(
    catalog: &Catalog,
    resolved: &Resolved,
    tables: &[Arc<PinnedTable>],
) -> Pinned {
    put_together(catalog, resolved, tables, None)
}

/// What a query's references mean over these tables, which come in the order of what they were resolved to.
fn put_together(
    catalog: &Catalog,
    resolved: &Resolved,
    tables: &[Arc<PinnedTable>],
    inventory: Option<Arc<Inventory>>,
) -> Pinned {
    let by_key = resolved.tables.keys().zip(tables).collect();
    let mut known = Known {
        tables: by_key,
        views: HashMap::new(),
        protections: HashMap::new(),
    };
    for derived in &resolved.derived {
        known.add(derived);
    }
    Pinned {
        relations: known.relations(&resolved.references),
        limits: resolved.limits.clone(),
        policies: Arc::clone(&resolved.policies),
        snapshot: Arc::clone(&resolved.snapshot),
        builtin: Arc::clone(catalog.builtin()),
        inventory,
        tables: tables.to_vec(),
        own_functions: Vec::new(),
        stored: Stored::new(),
        notices: Vec::new(),
        as_they_are: resolved.as_they_are.clone(),
    }
}

/// What is pinned so far. What reads others comes behind them.
struct Known<'a> {
    tables: BTreeMap<&'a TableKey, &'a Arc<PinnedTable>>,
    views: HashMap<ViewKey, Arc<PinnedView>>,
    protections: HashMap<usize, Arc<PinnedProtection>>,
}

impl Known<'_> {
    fn add(&mut self, derived: &Derived) {
        match derived {
            Derived::View(resolved) => {
                let pinned = PinnedView {
                    key: resolved.key.clone(),
                    relations: self.relations(&resolved.references),
                    view: Arc::clone(&resolved.view),
                    query: Arc::clone(&resolved.query),
                    session_calls: Arc::clone(&resolved.session_calls),
                    lines: Arc::clone(&resolved.lines),
                    limits: resolved.limits.clone(),
                };
                self.views.insert(pinned.key.clone(), Arc::new(pinned));
            }
            Derived::Protected(resolved) => {
                let relation = self.relation(&resolved.relation);
                let mut relations = self.relations(&resolved.references);
                relations.insert(protect::own_reference(), relation.clone());
                let pinned = PinnedProtection {
                    number: resolved.number,
                    schema: resolved.schema.clone(),
                    name: resolved.name.clone(),
                    relation,
                    query: Arc::clone(&resolved.query),
                    lines: Arc::clone(&resolved.lines),
                    relations,
                    limits: resolved.limits.clone(),
                    masked: resolved.masked.clone(),
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

async fn pin_one(
    catalog: &Catalog,
    key: &TableKey,
    target: &Target,
    (system, servers): (&System, Servers<'_>),
    moment: Option<&Moment>,
) -> Result<Arc<PinnedTable>, Failed> {
    let failed = |error| Failed {
        key: key.clone(),
        error,
    };
    let table = match target {
        Target::System(relation) => {
            return pinned(key, rows_of(relation, system), None).map_err(failed);
        }
        Target::Told(table, told, at) => {
            let told = catalog.lake().told(table, *told, *at).await;
            return pinned(key, told.and_then(rows_once), None).map_err(failed);
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
            let relation = pinned(key, rows, None).map_err(failed)?;
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
    let rows = catalog.lake().pin(table, key.at).await;
    let mut relation = pinned(key, rows, Some(table)).map_err(failed)?;
    if let Some(moment) = moment {
        if table.has_history() && moment.is_before(&relation) {
            let at = Some(At::Instant(moment.began()));
            let rows = catalog.lake().pin(table, at).await;
            relation = pinned(key, rows, Some(table)).map_err(failed)?;
        }
        moment.keep_table(key, &relation).map_err(failed)?;
    }
    Ok(relation)
}

/// The relation of a key, with these rows.
fn pinned(
    key: &TableKey,
    rows: Result<PinnedRows>,
    lake: Option<&LakeTable>,
) -> Result<Arc<PinnedTable>> {
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
        lake: lake.cloned(),
    }))
}
