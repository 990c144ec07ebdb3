//! What the references of a statement mean, before anything is pinned.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::Query;

use super::access::{Limit, Policies};
use super::protect::SessionCall;
use super::travel::Point;
use crate::catalog::sql::Lines;
use crate::catalog::system::LAKEGATE;
use crate::catalog::views::View;
use crate::catalog::{Needs, Snapshot, SystemRelation};
use crate::sources::warehouse::ForeignTable;
use crate::sources::{At, LakeTable, Told};

/// What the references of a statement mean, down to the relations with rows.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) snapshot: Arc<Snapshot>,
    /// Those of the statement itself.
    pub(super) references: Vec<(TableReference, Meaning)>,
    /// Each once.
    pub(super) tables: BTreeMap<TableKey, Target>,
    /// The relations without history that are read as they are, though a moment is asked for.
    pub(super) as_they_are: BTreeSet<String>,
    /// What reads others: what it reads comes before it.
    pub(super) derived: Vec<Derived>,
    /// The statement's own references of which not every column may be read.
    pub(super) limits: Limits,
    /// What was decided about every reference.
    pub(super) policies: Arc<Policies>,
    /// What the functions that are called look up.
    pub(super) functions_need: Needs,
    /// Whether a moment is said that something is read at, by the statement, a view or the session, other than by the
    /// number of a version.
    pub(super) says_moment: bool,
}

/// Tells of one session alone, and of no setting.
const BACKEND_PID: &str = "pg_backend_pid";

/// What may be read of references, where that is not all.
pub(super) type Limits = HashMap<TableReference, Limit>;

/// What a reference means.
#[derive(Clone, Debug)]
pub(super) enum Meaning {
    Table(TableKey),
    View(ViewKey),
    /// By its number.
    Protected(usize),
}

/// A relation with rows, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TableKey {
    pub(super) schema: String,
    pub(super) name: String,
    /// `None` for now, or for the moment that the transaction sees.
    pub(super) at: Option<At>,
    /// The role whose user mapping a server is asked by; `None` is PUBLIC, and in the lake.
    pub(super) asked_as: Option<String>,
}

/// A view, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ViewKey {
    pub(super) oid: u32,
    pub(super) at: Point,
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
    /// A table of a server.
    Foreign(Arc<ForeignTable>),
    /// What is told of a table's history, at a moment.
    Told(LakeTable, Told, Option<At>),
}

/// A view and what its references mean.
#[derive(Debug)]
pub(super) struct ResolvedView {
    pub(super) key: ViewKey,
    pub(super) view: Arc<View>,
    pub(super) query: Arc<Query>,
    /// The functions that its query calls which tell of the session.
    pub(super) session_calls: Arc<BTreeSet<SessionCall>>,
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
    pub(super) query: Arc<Query>,
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
            Target::Lake(_) | Target::Foreign(_) | Target::Told(..) => Needs::Snapshot,
        });
        tables.fold(self.functions_need, Needs::max)
    }

    /// Whether it means the same for all who say the same with the same settings, as long as the same exists and the
    /// same rights hold: nothing in it was computed, or asked for elsewhere.
    pub(super) fn is_lasting(&self) -> bool {
        let mut tables = self.tables.iter();
        let is_plain = |(key, target): (&TableKey, &Target)| match target {
            Target::Lake(_) | Target::Foreign(_) => !matches!(key.at, Some(At::Instant(_))),
            Target::System(_) | Target::Told(..) => false,
        };
        !self.says_moment
            && !self.tables.is_empty()
            && self.functions_need == Needs::Snapshot
            && !self.policies.session.contains_key(BACKEND_PID)
            && tables.all(is_plain)
    }

    /// Whether it is asked what is stored of materialized views.
    pub(super) fn tells_of_stored_views(&self) -> bool {
        let mut keys = self.tables.keys();
        keys.any(|key| key.schema == LAKEGATE && key.name == "matviews")
    }

    /// Whether a system relation is read.
    pub(super) fn has_system_relations(&self) -> bool {
        let mut targets = self.tables.values();
        targets.any(|target| matches!(target, Target::System(_)))
    }
}
