//! The columns and sizes of relations, for catalog queries: learned by opening tables in rounds, in
//! the background, and known from then on.
//!
//! A catalog query opens nothing itself. It begins a round over the tables that were never opened or
//! were opened a while ago, unless one is under way, and waits as long as its [`Patience`] is.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use futures::stream::{self, StreamExt};

use super::background::{self, Background};
use super::{Catalog, Relation, Snapshot};
use crate::error::{Error, Result};
use crate::sources::lake::LakeSource;
use crate::sources::warehouse::{ForeignTable, Reading, Warehouse};
use crate::sources::{At, LakeTable, PinnedTable, Size};

/// How many tables are opened at a time.
const PINS_MAX: usize = 32;

/// How long the catalog may show a relation's former columns after they changed, if a round is quick
/// enough. A statement that reads the relation always sees its latest ones.
const AGE_MAX: Duration = Duration::from_secs(5);

/// How long a catalog query waits for tables that were never opened.
const UNKNOWN_WAIT: Duration = Duration::from_secs(5);

/// How long a catalog query waits for tables that may have changed since they were opened: not at all, if the last
/// round took longer.
const AGED_WAIT: Duration = Duration::from_millis(100);

/// How many tables are opened in less than [`AGED_WAIT`], as long as no round has told how long it takes.
const QUICK: usize = 64;

/// The part of the time in which tables are opened for catalog queries: one in so many.
const ROUNDS_SHARE: u32 = 5;

/// How long somebody waits for a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Not at all: what is known by now will do.
    None,
    /// As a catalog query does: seconds for what was never seen, a moment for what may have changed.
    Brief,
    /// Until everything was opened.
    Whole,
}

/// What is known of the relations of one snapshot, by their OIDs.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    tables: Arc<Tables>,
    views: Arc<ViewColumns>,
}

/// The columns of views, or why they have none, by OID.
pub type ViewColumns = HashMap<u32, Result<SchemaRef>>;

/// What is known of the tables of one snapshot.
#[derive(Debug, Default)]
struct Tables {
    by_oid: HashMap<u32, Result<Facts>>,
    n_unknown: usize,
    generation: u64,
    /// Another one each time that they are put together.
    number: u64,
}

/// What opening a table tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) columns: SchemaRef,
    pub(super) size: Size,
}

impl Inventory {
    /// The same with the columns of views.
    pub fn with_views(&self, views: &Arc<ViewColumns>) -> Self {
        Self {
            tables: Arc::clone(&self.tables),
            views: Arc::clone(views),
        }
    }

    /// Whether both know the same, for they were made of the same.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tables, &other.tables) && Arc::ptr_eq(&self.views, &other.views)
    }

    /// Tells what is known from all else that was while the gateway runs, for a snapshot; `None` where a view could not be
    /// planned, which is tried again.
    pub(super) fn identity(&self) -> Option<(u64, usize)> {
        let is_broken = self.views.values().any(Result::is_err);
        (!is_broken).then_some((self.tables.number, self.views.len()))
    }

    /// A relation's columns, if they are known.
    pub fn columns(&self, oid: u32) -> Option<&SchemaRef> {
        match self.tables.by_oid.get(&oid) {
            Some(facts) => facts.as_ref().ok().map(|facts| &facts.columns),
            None => self.views.get(&oid)?.as_ref().ok(),
        }
    }

    /// Why a relation has no columns: it could not be opened, or not be planned.
    pub fn error(&self, oid: u32) -> Option<&Error> {
        match self.tables.by_oid.get(&oid) {
            Some(facts) => facts.as_ref().err(),
            None => self.views.get(&oid)?.as_ref().err(),
        }
    }

    /// How much a table holds, if that is known.
    pub fn size(&self, oid: u32) -> Option<Size> {
        let facts = self.tables.by_oid.get(&oid)?.as_ref().ok()?;
        Some(facts.size)
    }

    /// Tables that were not opened yet.
    pub fn n_unknown(&self) -> usize {
        self.tables.n_unknown
    }

    /// Grows whenever a table is found to have other columns than before.
    pub fn generation(&self) -> u64 {
        self.tables.generation
    }
}

/// The tables that were opened, and the round that opens more.
#[derive(Debug, Default)]
pub(super) struct Opened {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<Moment, Seen>,
    round: Option<Background<()>>,
    /// How long the last round took, once there was one.
    took: Option<Duration>,
    /// As [`Inventory::generation`].
    generation: u64,
    /// Grows whenever anything is found to be other than before.
    n_changes: u64,
    /// What was made last of tables as they are now.
    made: Option<Made>,
    /// How often what is known was put together.
    n_made: u64,
}

/// What is known of the tables of a snapshot, all as they are now.
#[derive(Debug)]
struct Made {
    /// The snapshot's epoch.
    epoch: u64,
    /// As in [`State`].
    n_changes: u64,
    tables: Arc<Tables>,
    /// When the table was opened that was opened first; `None` if one is due.
    oldest: Option<Instant>,
}

/// A table at one moment; `None` is now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Moment {
    Lake(LakeTable, Option<At>),
    Foreign(Arc<ForeignTable>),
}

/// Where tables are opened.
#[derive(Clone, Debug)]
struct Sources {
    lake: Arc<LakeSource>,
    warehouse: Arc<Warehouse>,
}

impl Sources {
    async fn open(&self, table: &Moment) -> Result<PinnedTable> {
        match table {
            Moment::Lake(table, at) => self.lake.pin(table, *at).await,
            Moment::Foreign(table) => {
                let role = table.server.mapping_for_names()?;
                let reading = Reading::of_statement();
                self.warehouse
                    .pin(table, role.as_deref(), &reading, false)
                    .await
            }
        }
    }
}

/// A relation that is a table, and what is opened for its columns.
type ToOpen<'a> = (&'a Relation, Result<Moment>);

/// A table as it was found.
#[derive(Debug)]
struct Seen {
    facts: Result<Facts>,
    /// When; `None` if a gateway before this one did.
    at: Option<Instant>,
}

impl Catalog {
    /// What is known of every table of a snapshot. Never fails as a whole: what cannot be opened
    /// has its error. Views are not in it. `moment` says of which moment those of a table with history are,
    /// by schema and name; without it, all are as they are now.
    pub async fn inventory(
        &self,
        snapshot: &Snapshot,
        moment: Option<&MomentOf<'_>>,
        patience: Patience,
    ) -> Inventory {
        self.recall_inventory().await;
        let asked = Instant::now();
        if moment.is_none()
            && let Some(tables) = self.opened.fresh(snapshot.epoch, asked)
        {
            return Inventory {
                tables,
                views: Arc::default(),
            };
        }
        let tables = tables_of(snapshot, moment);
        let sources = Sources {
            lake: Arc::clone(&self.lake),
            warehouse: Arc::clone(&self.warehouse),
        };
        while let Some((round, known)) = self.opened.round(&sources, &tables, asked) {
            let wait = match (patience, known) {
                (Patience::None, _) => break,
                (Patience::Brief, Due::Aged { is_quick: true }) => AGED_WAIT,
                (Patience::Brief, Due::Aged { is_quick: false }) => break,
                (Patience::Brief, Due::Unknown) => UNKNOWN_WAIT,
                (Patience::Whole, _) => Duration::MAX,
            };
            let left = wait.saturating_sub(asked.elapsed());
            // A round that ended early has left tables unknown.
            if !matches!(tokio::time::timeout(left, round).await, Ok(Ok(()))) {
                break;
            }
        }
        Inventory {
            tables: self.opened.tables(snapshot.epoch, &tables),
            views: Arc::default(),
        }
    }
}

/// Of which moment the columns of a table with history are, by its schema and name.
pub type MomentOf<'a> = dyn Fn(&str, &str) -> Result<Option<At>> + Send + Sync + 'a;

/// What a round is for.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// Tables that were never opened are among it.
    Unknown,
    /// Tables that were opened a while ago; whether the last round ended soon.
    Aged { is_quick: bool },
}

/// The relations of a snapshot that are tables.
fn tables_of<'a>(snapshot: &'a Snapshot, moment: Option<&MomentOf<'_>>) -> Vec<ToOpen<'a>> {
    let schemas = snapshot.schemas.values();
    let relations = schemas.flat_map(|schema| schema.relations.values());
    let tables = relations.filter(|relation| relation.view().is_none());
    let opened = tables.map(|relation| {
        let in_lake = |table: &LakeTable| {
            let at = match moment.filter(|_| table.has_history()) {
                Some(moment) => moment(&relation.schema, &relation.name)?,
                None => None,
            };
            Ok(Moment::Lake(table.clone(), at))
        };
        let opened = match (&relation.kind, relation.table(), relation.foreign()) {
            (Err(error), ..) => Err(error.clone()),
            (_, Some(table), _) => in_lake(table),
            (_, None, foreign) => {
                let foreign = foreign.expect("what is no view, and no files, is a server's");
                Ok(Moment::Foreign(Arc::clone(foreign)))
            }
        };
        (relation.as_ref(), opened)
    });
    opened.collect()
}

impl Opened {
    /// What is known of the tables of the snapshot of an epoch, if none of them is due for a round when this is
    /// asked: without a look at each.
    fn fresh(&self, epoch: u64, asked: Instant) -> Option<Arc<Tables>> {
        let state = self.state();
        let made = state.made.as_ref()?;
        let is_same = made.epoch == epoch && made.n_changes == state.n_changes;
        let age = asked.saturating_duration_since(made.oldest?);
        (is_same && age <= state.age_max()).then(|| Arc::clone(&made.tables))
    }

    /// The round that may be waited for, if a table was not opened lately when this was asked.
    fn round(
        self: &Arc<Self>,
        sources: &Sources,
        tables: &[ToOpen<'_>],
        asked: Instant,
    ) -> Option<(Background<()>, Due)> {
        let mut state = self.state();
        let tables = tables.iter().filter_map(|(_, table)| table.as_ref().ok());
        let age_max = state.age_max();
        let is_older = |table: &Moment, than: Duration| {
            let seen = state.known.get(table);
            let at = seen.and_then(|seen| seen.at);
            at.is_none_or(|at| asked.saturating_duration_since(at) > than)
        };
        if !tables.clone().any(|table| is_older(table, age_max)) {
            return None;
        }
        // Those that will be due soon, too: a round takes a while, and else the next one would begin where it ends.
        let due: Vec<Moment> = tables
            .clone()
            .filter(|table| is_older(table, age_max / 2))
            .cloned()
            .collect();
        let is_quick = match state.took {
            Some(took) => took <= AGED_WAIT,
            None => due.len() <= QUICK,
        };
        let kind = match due.iter().all(|table| state.known.contains_key(table)) {
            true => Due::Aged { is_quick },
            false => Due::Unknown,
        };
        let under_way = state.round.clone().filter(|round| round.peek().is_none());
        let round = under_way.unwrap_or_else(|| {
            state.forget(tables);
            self.begin(sources, due)
        });
        state.round = Some(round.clone());
        Some((round, kind))
    }

    /// Begins to open tables, [`PINS_MAX`] at a time.
    fn begin(self: &Arc<Self>, sources: &Sources, due: Vec<Moment>) -> Background<()> {
        let (opened, sources) = (Arc::clone(self), sources.clone());
        let round = async move {
            let began = Instant::now();
            stream::iter(due)
                .for_each_concurrent(PINS_MAX, |table| {
                    let (opened, sources) = (&opened, &sources);
                    async move {
                        let pinned = sources.open(&table).await;
                        let facts = pinned.map(|pinned| Facts {
                            columns: pinned.provider.schema(),
                            size: pinned.size,
                        });
                        opened.state().learn(table, facts);
                    }
                })
                .await;
            opened.state().took = Some(began.elapsed());
            Ok(())
        };
        background::begin(round)
    }

    /// Takes over what a gateway before this one has learned.
    pub(super) fn recall(&self, tables: Vec<(LakeTable, Facts)>) {
        let mut state = self.state();
        for (table, facts) in tables {
            let facts = Ok(facts);
            let seen = Seen { facts, at: None };
            let moment = Moment::Lake(table, None);
            state.known.entry(moment).or_insert(seen);
        }
    }

    /// What is known of tables as they are now, and its generation, if that is another than this.
    pub(super) fn learned(&self, generation: u64) -> Option<(u64, Vec<(LakeTable, Facts)>)> {
        let state = self.state();
        if state.generation == generation {
            return None;
        }
        let known = state.known.iter();
        let tables = known.filter_map(|(table, seen)| match (table, &seen.facts) {
            (Moment::Lake(table, None), Ok(facts)) => Some((table.clone(), facts.clone())),
            _ => None,
        });
        Some((state.generation, tables.collect()))
    }

    /// What is known of the tables of the snapshot of an epoch.
    fn tables(&self, epoch: u64, opened: &[ToOpen<'_>]) -> Arc<Tables> {
        let mut state = self.state();
        let is_of_now = |(_, table): &ToOpen<'_>| !matches!(table, Ok(Moment::Lake(_, Some(_))));
        let is_now = opened.iter().all(is_of_now);
        let n_changes = state.n_changes;
        let made = state.made.as_ref().filter(|made| {
            let is_same = made.epoch == epoch && made.n_changes == n_changes;
            is_now && is_same
        });
        let tables = match made {
            Some(made) => Arc::clone(&made.tables),
            None => Arc::new(state.tables(opened)),
        };
        if is_now {
            state.made = Some(Made {
                epoch,
                n_changes,
                tables: Arc::clone(&tables),
                oldest: state.oldest(opened),
            });
        }
        tables
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How old what is known of a table may be.
    fn age_max(&self) -> Duration {
        AGE_MAX.max(self.took.unwrap_or_default() * ROUNDS_SHARE)
    }

    /// When the table was opened that was opened first; `None` if one was not by this gateway, or there are none.
    fn oldest(&self, opened: &[ToOpen<'_>]) -> Option<Instant> {
        let tables = opened.iter().filter_map(|(_, table)| table.as_ref().ok());
        let mut times = tables.map(|table| self.known.get(table).and_then(|seen| seen.at));
        let first = times.next()??;
        times.try_fold(first, |oldest, at| Some(oldest.min(at?)))
    }

    /// What is known of tables.
    fn tables(&mut self, opened: &[ToOpen<'_>]) -> Tables {
        self.n_made += 1;
        let mut tables = Tables {
            generation: self.generation,
            number: self.n_made,
            ..Tables::default()
        };
        for (relation, table) in opened {
            let facts = match table {
                Ok(table) => self.known.get(table).map(|seen| seen.facts.clone()),
                Err(error) => Some(Err(error.clone())),
            };
            match facts {
                Some(facts) => drop(tables.by_oid.insert(relation.oid, facts)),
                None => tables.n_unknown += 1,
            }
        }
        tables
    }

    /// Keeps what opening a table has told.
    fn learn(&mut self, table: Moment, facts: Result<Facts>) {
        let before = self.known.get(&table).map(|seen| &seen.facts);
        let (same_columns, same_size) = match (before, &facts) {
            (Some(Ok(before)), Ok(now)) => (before.columns == now.columns, before.size == now.size),
            (Some(Err(before)), Err(now)) => (before.message() == now.message(), true),
            _ => (false, false),
        };
        self.generation += u64::from(!same_columns);
        self.n_changes += u64::from(!(same_columns && same_size));
        let at = Some(Instant::now());
        self.known.insert(table, Seen { facts, at });
    }

    /// Forgets tables that are gone, once they are as many as those that are there.
    fn forget<'a>(&mut self, there: impl Iterator<Item = &'a Moment>) {
        let there: HashSet<&Moment> = there.collect();
        if self.known.len() > 2 * there.len() {
            self.known.retain(|table, _| there.contains(table));
        }
    }
}
