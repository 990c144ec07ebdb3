//! Answers queries over tables from materialized views, where that is provably the same.
//!
//! After a statement is planned over what it has pinned, each of its groupings, and each of its filtered projections,
//! of one table is compared with the materialized views of that table: by their shapes
//! ([`Shape`]), never by their texts. Of those that have the rows the one with the fewest
//! bytes is read. A table under policies or masks is another source to the plan, and no view is one of it.

mod derive;
mod grain;
mod implied;
mod joined;
mod matched;
mod matching;
mod reason;
mod roll_up;
mod verdicts;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::LogicalPlan;
use futures::future::join_all;
use moka::sync::Cache;

use self::matching::{Candidate, Matching, has_part};
pub(super) use self::reason::Reason;
use self::verdicts::Verdict;
pub(super) use self::verdicts::Verdicts;
use super::access::{Access, Checks};
use super::context::StatementContext;
use super::pin::PinnedTable;
use super::resolved::Resolved;
use super::stored::kept::Kept;
use super::stored::shape::Shape;
use super::stored::state_rows::StateRows;
use super::stored::whole::Whole;
use super::{Inner, Scene, failure, references, session_state};
use crate::auth::Authority;
use crate::catalog::Snapshot;
use crate::catalog::views::{FullName, View};
use crate::error::Result;
use crate::materialize::Digest;

/// The settings that say whether queries are rewritten, and whether sums of floating-point numbers may be.
const SETTING: &str = "lakegate.rewrite";
pub(super) const FLOATS: &str = "lakegate.rewrite_floats";

/// The epochs whose views are remembered: the latest, and those of transactions that see one moment.
const EPOCHS_MAX: u64 = 8;

/// The shapes of views that are remembered, some KiB each.
const SHAPES_MAX: u64 = 1_000;

/// What is known of how views are kept up, some KiB each.
const KEPT_MAX: u64 = 1_000;

/// How many tables a view may join that is read in place of them.
const TABLES_MAX: usize = 16;

/// The rows of views that are remembered as plans, some tens of KiB each, with the lists of files that they read.
const ROWS_MAX: u64 = 100;

/// A view's shape and its rows.
pub(super) type Rows = (Arc<Shape>, Arc<StateRows>);

/// What is remembered of materialized views.
#[derive(Debug)]
pub(super) struct Rewriting {
    /// The views of each table, by the epoch of what exists. What is of an epoch never changes.
    views: Cache<u64, Arc<ViewsOf>>,
    /// Shapes, by the digests of definitions over versions. They never go stale.
    shapes: Cache<Digest, Result<Arc<Shape>, Reason>>,
    /// How views are kept up, by the digests of definitions, over the columns that their tables had. Over these they never
    /// go stale.
    kept: Cache<Digest, (SchemaRef, Result<Arc<Kept>, Whole>)>,
    /// The rows of views, by the digests of definitions over versions, and of what is stored. They never go stale.
    rows: Cache<(Digest, [u8; 32]), Rows>,
}

/// A view with the tables that it reads.
type OverTables = (Vec<FullName>, Arc<View>);

/// What the names of a view mean to its owner, by these rights.
type AsOwner = (Arc<Authority>, Arc<Resolved>);

/// What is remembered of the materialized views that there are at an epoch.
#[derive(Debug, Default)]
struct ViewsOf {
    /// Those that read tables and nothing else, by the first of these, each with all of them in order.
    by_table: HashMap<FullName, Vec<OverTables>>,
    /// What their names mean to their owners, and by which rights.
    resolved: Mutex<HashMap<FullName, AsOwner>>,
}

impl Default for Rewriting {
    fn default() -> Self {
        Self {
            views: Cache::new(EPOCHS_MAX),
            shapes: Cache::new(SHAPES_MAX),
            kept: Cache::new(KEPT_MAX),
            rows: Cache::new(ROWS_MAX),
        }
    }
}

impl Rewriting {
    /// The shape of a view over a version, if it was asked for before.
    pub(super) fn shape(&self, state: &Digest) -> Option<Result<Arc<Shape>, Reason>> {
        self.shapes.get(state)
    }

    /// How a view is kept up over a table of these columns, if it was asked for before.
    pub(super) fn kept(
        &self,
        definition: &Digest,
        columns: &SchemaRef,
    ) -> Option<Result<Arc<Kept>, Whole>> {
        let (of, kept) = self.kept.get(definition)?;
        (of == *columns).then_some(kept)
    }

    /// Keeps how a view is kept up over a table of these columns.
    pub(super) fn keep_kept(
        &self,
        definition: Digest,
        columns: SchemaRef,
        kept: &Result<Arc<Kept>, Whole>,
    ) {
        self.kept.insert(definition, (columns, kept.clone()));
    }

    /// The rows of a view over a version, of what is stored, if they were asked for before.
    pub(super) fn rows(&self, key: &(Digest, [u8; 32])) -> Option<Rows> {
        self.rows.get(key)
    }

    /// Keeps the rows of a view over a version, of what is stored.
    pub(super) fn keep_rows(&self, key: (Digest, [u8; 32]), rows: &Rows) {
        self.rows.insert(key, rows.clone());
    }

    /// Keeps the shape of a view over a version.
    pub(super) fn keep_shape(&self, state: Digest, shape: &Result<Arc<Shape>, Reason>) {
        self.shapes.insert(state, shape.clone());
    }
}

impl Inner {
    /// An analyzed plan, of which those parts read materialized views that may, and what became of the views.
    pub(super) async fn rewritten(
        &self,
        plan: LogicalPlan,
        scene: &Scene<'_>,
    ) -> Result<(LogicalPlan, Verdicts)> {
        let (snapshot, context) = (&scene.pinned.snapshot, scene.context);
        let mut verdicts = Verdicts::default();
        // What a transaction defined is in no epoch.
        if context.draft.is_some() {
            return Ok((plan, verdicts));
        }
        let views = self.views_of(snapshot);
        let pairs = views.over(&scene.pinned.tables);
        if pairs.is_empty() {
            return Ok((plan, verdicts));
        }
        let is_off = is_off(context);
        let first = match is_off {
            true => Reason::Off,
            false => Reason::QueryShape,
        };
        for (view, _) in &pairs {
            verdicts.tell(view, Verdict::Not(first));
        }
        if is_off || !has_part(&plan, &pairs).map_err(|error| failure::from_datafusion(&error))? {
            return Ok((plan, verdicts));
        }
        // All at once, for each asks the store what is stored now.
        let found = join_all(pairs.into_iter().map(|(view, tables)| async move {
            let found = self.state_rows(&view, &tables, snapshot, context).await;
            (view, tables, found)
        }));
        let mut candidates = Vec::new();
        for (view, tables, found) in found.await {
            match found {
                Ok((shape, rows)) => candidates.push(Candidate {
                    view,
                    tables,
                    shape,
                    rows,
                }),
                Err(reason) => verdicts.tell(&view, Verdict::Not(reason)),
            }
        }
        let floats = is_on(context, FLOATS);
        let matching = Matching::new(candidates, (scene.state, floats), verdicts);
        let rewritten = matching.rewritten(plan);
        rewritten.map_err(|error| failure::from_datafusion(&error))
    }

    /// The materialized views of each table, of what exists at an epoch.
    fn views_of(&self, snapshot: &Arc<Snapshot>) -> Arc<ViewsOf> {
        let known = &self.rewriting.views;
        known.get_with(snapshot.epoch, || {
            let mut found = ViewsOf::default();
            let views = snapshot.views.iter();
            for (_, view) in views.filter(|(_, view)| view.materialized.is_some()) {
                let tables = self.tables_of(snapshot, view);
                if let Some(first) = tables.first() {
                    let views = found.by_table.entry(first.clone()).or_default();
                    views.push((tables, Arc::clone(view)));
                }
            }
            Arc::new(found)
        })
    }

    /// What the names of a view mean to its owner, of what a snapshot has. `authority` is what the owner was found by.
    pub(super) fn resolved_of(
        &self,
        view: &Arc<View>,
        snapshot: &Arc<Snapshot>,
        (owner, authority): (&StatementContext, &Arc<Authority>),
    ) -> Result<Arc<Resolved>> {
        let views = self.rewriting.views.get(&snapshot.epoch);
        let name = (view.schema.clone(), view.name.clone());
        if let Some(views) = &views {
            let resolved = views.resolved.lock();
            let resolved = resolved.unwrap_or_else(PoisonError::into_inner);
            if let Some((of, known)) = resolved.get(&name)
                && Arc::ptr_eq(of, authority)
            {
                return Ok(Arc::clone(known));
            }
        }
        let state = session_state::of_statement(&self.base, owner);
        let clock = self.clock(&state, owner, &[]);
        let access = Access::of(&self.catalog, owner, Checks::Reading);
        let resolved = Arc::new(references::resolve_view(snapshot, view, clock, &access)?);
        let is_same = |latest: &Arc<Authority>| Arc::ptr_eq(latest, authority);
        if let Some(views) = views
            && access.latest().is_some_and(is_same)
            && resolved.is_lasting()
        {
            let known = views.resolved.lock();
            let mut known = known.unwrap_or_else(PoisonError::into_inner);
            known.insert(name, (Arc::clone(authority), Arc::clone(&resolved)));
        }
        Ok(resolved)
    }

    /// The tables that a view reads, each once, in order; none if it reads too many, or one at two moments.
    fn tables_of(&self, snapshot: &Arc<Snapshot>, view: &Arc<View>) -> Vec<FullName> {
        let context = self.own_context();
        let state = session_state::of_statement(&self.base, &context);
        let clock = self.clock(&state, &context, &[]);
        let resolved = references::resolve_view(snapshot, view, clock, &Access::open());
        let Ok(resolved) = resolved else {
            return Vec::new();
        };
        let tables = resolved.tables.keys();
        let tables: Vec<FullName> = tables
            .map(|table| (table.schema.clone(), table.name.clone()))
            .collect();
        let is_once = tables.windows(2).all(|two| two[0] != two[1]);
        match is_once && tables.len() <= TABLES_MAX {
            true => tables,
            false => Vec::new(),
        }
    }
}

impl ViewsOf {
    /// The views that read these tables and nothing else, each with those that it reads; of one table at several moments each by itself.
    fn over(&self, pinned: &[Arc<PinnedTable>]) -> Vec<(Arc<View>, Vec<Arc<PinnedTable>>)> {
        let mut found = Vec::new();
        for first in pinned {
            let views = self
                .by_table
                .get(&(first.schema.clone(), first.name.clone()));
            for (tables, view) in views.into_iter().flatten() {
                let others = tables.iter().skip(1).map(|(schema, name)| {
                    let is_it = |it: &&Arc<PinnedTable>| (&it.schema, &it.name) == (schema, name);
                    let mut known = pinned.iter().filter(is_it);
                    known
                        .next()
                        .filter(|_| known.next().is_none())
                        .map(Arc::clone)
                });
                let all = std::iter::once(Some(Arc::clone(first))).chain(others);
                if let Some(all) = all.collect::<Option<Vec<_>>>() {
                    found.push((Arc::clone(view), all));
                }
            }
        }
        found
    }
}

fn is_off(context: &StatementContext) -> bool {
    let said = context.facts.settings.get(SETTING);
    said.is_some_and(|value| value == "off")
}

/// Whether a setting is on that is off by default.
pub(super) fn is_on(context: &StatementContext, setting: &str) -> bool {
    let said = context.facts.settings.get(setting);
    said.is_some_and(|value| value == "on")
}
