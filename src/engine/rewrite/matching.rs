//! Takes the parts of a plan one by one, and finds the view that is read in place of each.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::optimize_projections::OptimizeProjections;

use super::joined::Joined;
use super::matched::Asked;
use super::reason::Reason;
use super::verdicts::{Verdict, Verdicts};
use crate::catalog::views::View;
use crate::engine::pin::PinnedTable;
use crate::engine::rules::schemas::told_anew;
use crate::engine::stored::product;
use crate::engine::stored::shape::Shape;
use crate::engine::stored::state_rows::StateRows;

/// So many bytes of stored rows are read on one thread sooner than they are handed from one to another: some
/// hundred thousand rows of a few columns.
const LITTLE_BYTES: u64 = 4 << 20;

/// A view that has rows of tables as they are pinned.
pub(super) struct Candidate {
    pub(super) view: Arc<View>,
    pub(super) tables: Vec<Arc<PinnedTable>>,
    pub(super) shape: Arc<Shape>,
    pub(super) rows: Arc<StateRows>,
}

impl Candidate {
    /// Whether it has rows of this table and no other.
    fn reads(&self, source: &Arc<dyn TableProvider>) -> bool {
        matches!(self.tables.as_slice(), [table] if is_same(source, table))
    }
}

/// The parts of a plan beside the views that have rows for them.
pub(super) struct Matching<'a> {
    candidates: Vec<Candidate>,
    state: &'a SessionState,
    floats: bool,
    verdicts: Verdicts,
    /// What is read of the views that are used.
    used: Vec<Arc<dyn TableProvider>>,
    /// The bytes of it.
    n_bytes: u64,
}

impl<'a> Matching<'a> {
    /// Beside these views; `floats` says whether floating-point numbers may be added in another order.
    pub(super) fn new(
        candidates: Vec<Candidate>,
        (state, floats): (&'a SessionState, bool),
        verdicts: Verdicts,
    ) -> Self {
        Self {
            candidates,
            state,
            floats,
            verdicts,
            used: Vec::new(),
            n_bytes: 0,
        }
    }

    /// A plan, of which those parts read views that may, and what became of the views.
    pub(super) fn rewritten(
        mut self,
        plan: LogicalPlan,
    ) -> DataFusionResult<(LogicalPlan, Verdicts)> {
        let plan = plan.transform_down_with_subqueries(|node| self.node(node));
        let plan = plan.and_then(told_anew)?;
        let reads_little = self.reads_little(&plan)?;
        self.verdicts.set_reads_little(reads_little);
        Ok((plan, self.verdicts))
    }

    fn node(&mut self, node: LogicalPlan) -> DataFusionResult<Transformed<LogicalPlan>> {
        let Some(shape) = part(&node) else {
            return self.joined(node);
        };
        let source = source_as_provider(&shape.base.source)?;
        let asked = Asked::new(&node, shape, self.state, self.floats)?;
        let best = self.best(|it| {
            it.reads(&source)
                .then(|| asked.answered(&it.shape, &it.rows))
        });
        Ok(match best {
            None => Transformed::new(node, false, TreeNodeRecursion::Jump),
            Some((number, plan)) => {
                self.uses(number)?;
                let plan = narrowed(plan, self.state)?;
                Transformed::new(plan, true, TreeNodeRecursion::Jump)
            }
        })
    }

    /// A grouping of joins, of which one relation may be read from a view.
    fn joined(&mut self, node: LogicalPlan) -> DataFusionResult<Transformed<LogicalPlan>> {
        let Some(joined) = Joined::of(&node) else {
            return Ok(Transformed::no(node));
        };
        if let Some((number, plan)) = self.of_joins(&node) {
            self.uses(number)?;
            let plan = narrowed(plan, self.state)?;
            return Ok(Transformed::new(plan, true, TreeNodeRecursion::Jump));
        }
        let how = (self.state, self.floats);
        for member in joined.members() {
            let source = source_as_provider(&member.shape.base.source)?;
            let best = self.best(|it| {
                it.reads(&source)
                    .then(|| joined.answered(&member, (&it.shape, &it.rows), how))
            });
            if let Some((number, plan)) = best {
                self.uses(number)?;
                return Ok(Transformed::yes(plan));
            }
        }
        Ok(Transformed::no(node))
    }

    /// A view that joins the same.
    fn of_joins(&mut self, node: &LogicalPlan) -> Option<(usize, LogicalPlan)> {
        let (state, floats) = (self.state, self.floats);
        self.best(|it| {
            let is_joined = it.tables.len() > 1;
            is_joined.then(|| {
                let shape = product::of_joins(node, &it.tables);
                let shape = shape.map_err(|_| Reason::QueryShape)?;
                let asked = Asked::new(node, shape, state, floats);
                let asked = asked.map_err(|_| Reason::QueryShape)?;
                asked.answered(&it.shape, &it.rows)
            })
        })
    }

    /// The view with the fewest bytes that has what is asked for, by its number, and what was made of it. `ask` gives nothing
    /// of a view that is of something else.
    fn best(
        &mut self,
        ask: impl Fn(&Candidate) -> Option<Result<LogicalPlan, Reason>>,
    ) -> Option<(usize, LogicalPlan)> {
        let mut best: Option<(usize, LogicalPlan)> = None;
        for (number, candidate) in self.candidates.iter().enumerate() {
            let dearer = Verdict::Not(Reason::Dearer);
            let n_bytes = candidate.rows.n_bytes;
            match (ask(candidate), &best) {
                (None, _) => {}
                (Some(Err(reason)), _) => {
                    self.verdicts.tell(&candidate.view, Verdict::Not(reason));
                }
                (Some(Ok(_)), Some((other, _)))
                    if self.candidates[*other].rows.n_bytes <= n_bytes =>
                {
                    self.verdicts.tell(&candidate.view, dearer);
                }
                (Some(Ok(plan)), other) => {
                    if let Some((other, _)) = other {
                        self.verdicts.tell(&self.candidates[*other].view, dearer);
                    }
                    best = Some((number, plan));
                }
            }
        }
        best
    }

    /// Notes that a view is read.
    fn uses(&mut self, number: usize) -> DataFusionResult<()> {
        let Candidate { view, rows, .. } = &self.candidates[number];
        let used = Verdict::Used(rows.version, rows.n_changed);
        self.verdicts.tell(view, used);
        self.used.extend(scanned(&rows.plan)?);
        self.n_bytes = self.n_bytes.saturating_add(rows.n_bytes);
        Ok(())
    }

    /// Whether the plan that was made reads views and nothing else, of those little, and is not more than rows that are
    /// filtered, grouped and sorted.
    fn reads_little(&self, plan: &LogicalPlan) -> DataFusionResult<bool> {
        if self.used.is_empty() || self.n_bytes > LITTLE_BYTES {
            return Ok(false);
        }
        let is_used =
            |it: &Arc<dyn TableProvider>| self.used.iter().any(|own| Arc::ptr_eq(own, it));
        Ok(is_plain(plan)? && scanned(plan)?.iter().all(is_used))
    }
}

/// The same without what is not asked for of the view, which has much: else every rule of the optimizer looks at it.
fn narrowed(plan: LogicalPlan, state: &SessionState) -> DataFusionResult<LogicalPlan> {
    let narrowed = OptimizeProjections::new().rewrite(plan, state)?;
    Ok(narrowed.data)
}

/// Whether a plan filters, groups and sorts rows of one kind, and does nothing else.
fn is_plain(plan: &LogicalPlan) -> DataFusionResult<bool> {
    let mut is_plain = true;
    plan.apply_with_subqueries(|node| {
        is_plain &= matches!(
            node,
            LogicalPlan::Projection(_)
                | LogicalPlan::Filter(_)
                | LogicalPlan::Aggregate(_)
                | LogicalPlan::Sort(_)
                | LogicalPlan::Limit(_)
                | LogicalPlan::SubqueryAlias(_)
                | LogicalPlan::TableScan(_)
        );
        Ok(match is_plain {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    })?;
    Ok(is_plain)
}

/// What a plan scans.
fn scanned(plan: &LogicalPlan) -> DataFusionResult<Vec<Arc<dyn TableProvider>>> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found.push(source_as_provider(&scan.source)?);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
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

/// Whether a plan has a part that reads tables of views.
pub(super) fn has_part(
    plan: &LogicalPlan,
    views: &[(Arc<View>, Vec<Arc<PinnedTable>>)],
) -> DataFusionResult<bool> {
    let is_of_view = |shape: &Shape| {
        let source = source_as_provider(&shape.base.source)?;
        let mut tables = views.iter().flat_map(|(_, tables)| tables);
        Ok::<_, DataFusionError>(tables.any(|table| is_same(&source, table)))
    };
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let Some(shape) = part(node) {
            found |= is_of_view(&shape)?;
            return Ok(TreeNodeRecursion::Jump);
        }
        for member in Joined::of(node).iter().flat_map(Joined::members) {
            found |= is_of_view(&member.shape)?;
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
