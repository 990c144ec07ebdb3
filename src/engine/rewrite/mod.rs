//! Answers queries over tables from materialized views, where that is provably the same.
//!
//! After a statement is planned over what it has pinned, each of its groupings, and each of its filtered projections,
//! of one table is compared with the materialized views of that table: by their shapes
//! ([`Shape`]), never by their texts. Of those that have the rows the one with the fewest
//! bytes is read. A table under policies or masks is another source to the plan, and no view is one of it.

mod derive;
mod grain;
mod implied;
mod matched;
mod reason;
mod roll_up;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use futures::future::join_all;
use moka::sync::Cache;

use self::matched::Asked;
pub(super) use self::reason::Reason;
use super::access::Access;
use super::context::StatementContext;
use super::pin::PinnedTable;
use super::rules::schemas::told_anew;
use super::stored::kept::Kept;
use super::stored::shape::Shape;
use super::stored::state_rows::StateRows;
use super::stored::whole::Whole;
use super::{Inner, Scene, failure, references, session_state};
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

/// What is known of how views are kept up, some KiB each, and the table's snapshot if nobody else has it any more.
const KEPT_MAX: u64 = 100;

/// What is remembered of materialized views.
#[derive(Debug)]
pub(super) struct Rewriting {
    /// The views of each table, by the epoch of what exists. What is of an epoch never changes.
    views: Cache<u64, Arc<ViewsOf>>,
    /// Shapes, by the digests of definitions over versions. They never go stale.
    shapes: Cache<Digest, Result<Arc<Shape>, Reason>>,
    /// How views are kept up, by the same. They never go stale.
    kept: Cache<Digest, Result<Arc<Kept>, Whole>>,
}

/// The materialized views that read one table and nothing else, by the table.
type ViewsOf = HashMap<FullName, Vec<Arc<View>>>;

impl Default for Rewriting {
    fn default() -> Self {
        Self {
            views: Cache::new(EPOCHS_MAX),
            shapes: Cache::new(SHAPES_MAX),
            kept: Cache::new(KEPT_MAX),
        }
    }
}

impl Rewriting {
    /// The shape of a view over a version, if it was asked for before.
    pub(super) fn shape(&self, state: &Digest) -> Option<Result<Arc<Shape>, Reason>> {
        self.shapes.get(state)
    }

    /// How a view over a version is kept up, if it was asked for before.
    pub(super) fn kept(&self, state: &Digest) -> Option<Result<Arc<Kept>, Whole>> {
        self.kept.get(state)
    }

    /// Keeps how a view over a version is kept up.
    pub(super) fn keep_kept(&self, state: Digest, kept: &Result<Arc<Kept>, Whole>) {
        self.kept.insert(state, kept.clone());
    }

    /// Keeps the shape of a view over a version.
    pub(super) fn keep_shape(&self, state: Digest, shape: &Result<Arc<Shape>, Reason>) {
        self.shapes.insert(state, shape.clone());
    }
}

/// What became of the views that a statement might have been answered from, by their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdicts(BTreeMap<FullName, Verdict>);

/// What became of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its rows are read, of this version of its Delta table, with so many files beside it: of rows that came since, and
    /// of rows that went.
    Used(u64, (usize, usize)),
    /// They are not.
    Not(Reason),
}

impl Verdicts {
    /// The views that are read, each with what [`Verdict::Used`] says.
    pub(super) fn used(&self) -> impl Iterator<Item = (String, u64, (usize, usize))> {
        self.0.iter().filter_map(|(name, verdict)| match verdict {
            Verdict::Used(version, n_changed) => Some((shown(name), *version, *n_changed)),
            Verdict::Not(_) => None,
        })
    }

    /// The views that are not read, each with the reason.
    pub(super) fn not_used(&self) -> impl Iterator<Item = (String, Reason)> {
        self.0.iter().filter_map(|(name, verdict)| match verdict {
            Verdict::Used(..) => None,
            Verdict::Not(reason) => Some((shown(name), *reason)),
        })
    }

    /// Those of views whose names the statement may know.
    pub(super) fn that_may_be_seen(mut self, access: &Access, snapshot: &Snapshot) -> Self {
        self.0.retain(|(schema, name), _| {
            let schema = snapshot.schemas.get(schema);
            let relation = schema.and_then(|schema| schema.relations.get(name));
            relation.is_some_and(|relation| access.may_see(relation))
        });
        self
    }

    /// One part of a statement may read a view, and another not; of several reasons the last is told.
    fn tell(&mut self, view: &View, verdict: Verdict) {
        let name = (view.schema.clone(), view.name.clone());
        let known = self.0.entry(name).or_insert(verdict);
        if !matches!(known, Verdict::Used(..)) {
            *known = verdict;
        }
    }
}

/// A view that has rows of a table as it is pinned.
struct Candidate {
    view: Arc<View>,
    table: Arc<PinnedTable>,
    shape: Arc<Shape>,
    rows: StateRows,
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
        let tables = scene.pinned.tables.iter().filter_map(|table| {
            let views = views.get(&(table.schema.clone(), table.name.clone()))?;
            Some((table, views))
        });
        let tables: Vec<(&Arc<PinnedTable>, &Vec<Arc<View>>)> = tables.collect();
        if tables.is_empty() {
            return Ok((plan, verdicts));
        }
        let is_off = is_off(context);
        let first = match is_off {
            true => Reason::Off,
            false => Reason::QueryShape,
        };
        for (_, views) in &tables {
            for view in *views {
                verdicts.tell(view, Verdict::Not(first));
            }
        }
        let own: Vec<_> = tables.iter().map(|(table, _)| Arc::clone(table)).collect();
        if is_off || !has_part(&plan, &own).map_err(|error| failure::from_datafusion(&error))? {
            return Ok((plan, verdicts));
        }
        let pairs = tables.iter().flat_map(|(table, views)| {
            let views = views.iter();
            views.map(|view| (view, *table))
        });
        // All at once, for each asks the store what is stored now.
        let found = join_all(pairs.map(|(view, table)| async move {
            let found = self.state_rows(view, table, snapshot, context).await;
            (view, table, found)
        }));
        let mut candidates = Vec::new();
        for (view, table, found) in found.await {
            match found {
                Ok((shape, rows)) => candidates.push(Candidate {
                    view: Arc::clone(view),
                    table: Arc::clone(table),
                    shape,
                    rows,
                }),
                Err(reason) => verdicts.tell(view, Verdict::Not(reason)),
            }
        }
        let mut matching = Matching {
            candidates,
            state: scene.state,
            floats: is_on(context, FLOATS),
            verdicts,
        };
        let plan = plan.transform_down_with_subqueries(|node| matching.node(node));
        let plan = plan.and_then(told_anew);
        let plan = plan.map_err(|error| failure::from_datafusion(&error))?;
        Ok((plan, matching.verdicts))
    }

    /// The materialized views of each table, of what exists at an epoch.
    fn views_of(&self, snapshot: &Arc<Snapshot>) -> Arc<ViewsOf> {
        let known = &self.rewriting.views;
        known.get_with(snapshot.epoch, || {
            let mut found = ViewsOf::new();
            let views = snapshot.views.iter();
            for (_, view) in views.filter(|(_, view)| view.materialized.is_some()) {
                if let Some(table) = self.one_table(snapshot, view) {
                    found.entry(table).or_default().push(Arc::clone(view));
                }
            }
            Arc::new(found)
        })
    }

    /// The table that a view reads, if that is all that it reads.
    fn one_table(&self, snapshot: &Arc<Snapshot>, view: &Arc<View>) -> Option<FullName> {
        let context = self.own_context();
        let state = session_state::of_statement(&self.base, &context);
        let clock = self.clock(&state, &context, &[]);
        let resolved = references::resolve_view(snapshot, view, clock, &Access::open());
        let resolved = resolved.ok()?;
        let mut tables = resolved.tables.keys();
        match (tables.next(), tables.next()) {
            (Some(table), None) => Some((table.schema.clone(), table.name.clone())),
            _ => None,
        }
    }
}

/// The parts of a plan beside the views that have rows for them.
struct Matching<'a> {
    candidates: Vec<Candidate>,
    state: &'a SessionState,
    floats: bool,
    verdicts: Verdicts,
}

impl Matching<'_> {
    fn node(&mut self, node: LogicalPlan) -> DataFusionResult<Transformed<LogicalPlan>> {
        let Some(shape) = part(&node) else {
            return Ok(Transformed::no(node));
        };
        let source = source_as_provider(&shape.base.source)?;
        let asked = Asked::new(&node, shape, self.state, self.floats)?;
        let mut best: Option<(&Candidate, LogicalPlan)> = None;
        for candidate in &self.candidates {
            if !is_same(&source, &candidate.table) {
                continue;
            }
            let view = &candidate.view;
            match asked.answered(&candidate.shape, &candidate.rows) {
                Err(reason) => self.verdicts.tell(view, Verdict::Not(reason)),
                Ok(plan) => match &best {
                    Some((other, _)) if other.rows.n_bytes <= candidate.rows.n_bytes => {
                        self.verdicts.tell(view, Verdict::Not(Reason::Dearer));
                    }
                    other => {
                        if let Some((other, _)) = other {
                            let dearer = Verdict::Not(Reason::Dearer);
                            self.verdicts.tell(&other.view, dearer);
                        }
                        best = Some((candidate, plan));
                    }
                },
            }
        }
        Ok(match best {
            None => Transformed::new(node, false, TreeNodeRecursion::Jump),
            Some((candidate, plan)) => {
                let rows = &candidate.rows;
                let used = Verdict::Used(rows.version, rows.n_changed);
                self.verdicts.tell(&candidate.view, used);
                Transformed::new(plan, true, TreeNodeRecursion::Jump)
            }
        })
    }
}

/// A view as messages name it.
fn shown((schema, name): &FullName) -> String {
    format!("{schema}.{name}")
}

/// The shape of a node that groups one relation, or that filters or projects one.
fn part(node: &LogicalPlan) -> Option<Shape> {
    match node {
        LogicalPlan::Aggregate(_) => Shape::of(node).ok(),
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) => {
            Shape::of(node).ok().filter(|shape| shape.groups.is_none())
        }
        _ => None,
    }
}

/// Whether a plan has a part that reads one of the tables.
fn has_part(plan: &LogicalPlan, tables: &[Arc<PinnedTable>]) -> DataFusionResult<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let Some(shape) = part(node) {
            let source = source_as_provider(&shape.base.source)?;
            found |= tables.iter().any(|table| is_same(&source, table));
            return Ok(TreeNodeRecursion::Jump);
        }
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}

/// Whether what a plan reads is a table as it is pinned.
fn is_same(source: &Arc<dyn TableProvider>, table: &PinnedTable) -> bool {
    Arc::ptr_eq(source, &table.provider)
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
