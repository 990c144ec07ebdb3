//! Runs a remote query as a leaf of a plan.

use std::fmt;
use std::sync::{Arc, OnceLock};

use datafusion::common::Result as PlanResult;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
    apply_expression_roots,
};
use futures::{StreamExt, TryStreamExt};

use super::keys::Learned;
use super::ranges::Ranges;
use super::selection::Selection;
use super::{RemoteQuery, RemoteSnapshot, Rows};
use crate::error::{Error, Result};

/// The rows of one remote query, in the order in which they come.
#[derive(Debug)]
pub struct ForeignScan {
    query: Arc<RemoteQuery>,
    selection: Selection,
    /// The keys of joins, where the source may judge them.
    learned: Option<Learned>,
    /// What was sent, if it is not what was planned.
    sent: Arc<OnceLock<String>>,
    snapshot: Arc<dyn RemoteSnapshot>,
    /// The parts that several connections may read.
    ranges: Option<Arc<Ranges>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ForeignScan {
    pub(super) fn new(
        query: RemoteQuery,
        selection: Selection,
        learned: Option<Learned>,
        snapshot: Arc<dyn RemoteSnapshot>,
    ) -> Self {
        let properties = properties(&query, 1);
        Self {
            query: Arc::new(query),
            selection,
            learned,
            sent: Arc::default(),
            snapshot,
            ranges: None,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The same scan by as many connections, if they are free.
    pub(super) fn in_parts(mut self, ranges: Arc<Ranges>, n_partitions: usize) -> Self {
        self.properties = Arc::new(properties(&self.query, n_partitions));
        self.ranges = Some(ranges);
        self
    }

    /// The same scan, which leaves out rows that joins have no partner for.
    fn learning(&self, learned: Learned) -> Self {
        Self {
            query: Arc::clone(&self.query),
            selection: self.selection.clone(),
            learned: Some(learned),
            sent: Arc::default(),
            snapshot: Arc::clone(&self.snapshot),
            ranges: self.ranges.as_ref().map(|ranges| ranges.again()),
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

fn properties(query: &RemoteQuery, n_partitions: usize) -> PlanProperties {
    PlanProperties::new(
        EquivalenceProperties::new(Arc::clone(&query.schema)),
        Partitioning::UnknownPartitioning(n_partitions),
        EmissionType::Incremental,
        Boundedness::Bounded,
    )
}

/// One run of a scan, or of a part of it.
struct Run {
    query: Arc<RemoteQuery>,
    selection: Selection,
    learned: Option<Learned>,
    sent: Arc<OnceLock<String>>,
    snapshot: Arc<dyn RemoteSnapshot>,
    ranges: Option<Arc<Ranges>>,
    partition: usize,
}

impl Run {
    /// The rows. It is first asked for them when a join knows its other side.
    async fn rows(self, memory: &Arc<dyn MemoryPool>) -> Result<Rows> {
        let keys = self.learned.as_ref().map(Learned::conditions);
        let keys = keys.unwrap_or_default();
        if let Some(ranges) = &self.ranges {
            let is_first = ranges.begin(self.partition)?;
            let is_whole = ranges.is_whole(|| !keys.is_empty());
            if !is_whole {
                let query = Arc::new(self.query.in_parts(&self.selection, ranges));
                return match is_first {
                    true => self.snapshot.read(&query, memory).await,
                    false => {
                        let beside = self.snapshot.read_beside(&query).await?;
                        Ok(beside.unwrap_or_else(|| futures::stream::empty().boxed()))
                    }
                };
            }
            if !is_first {
                return Ok(futures::stream::empty().boxed());
            }
        }
        if keys.is_empty() {
            return self.snapshot.read(&self.query, memory).await;
        }
        let sql = self.selection.sql(&keys);
        // Nothing is lost where it was said already.
        drop(self.sent.set(sql.clone()));
        let query = Arc::new(self.query.saying(sql));
        self.snapshot.read(&query, memory).await
    }
}

impl DisplayAs for ForeignScan {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignScan: {}", self.query.table)?;
        match format {
            DisplayFormatType::Verbose => {
                let sent = self.sent.get().unwrap_or(&self.query.sql);
                write!(f, ", Remote SQL: {sent}")?;
                if let Some(ranges) = &self.ranges {
                    write!(f, ", in {} parts", ranges.len())?;
                }
                match &self.learned {
                    Some(learned) if self.sent.get().is_none() && !learned.filters().is_empty() => {
                        f.write_str(", and keys of joins")
                    }
                    _ => Ok(()),
                }
            }
            DisplayFormatType::Default | DisplayFormatType::TreeRender => Ok(()),
        }
    }
}

impl ExecutionPlan for ForeignScan {
    fn name(&self) -> &'static str {
        "ForeignScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        // A join fills its filter only where somebody holds it.
        let filters = self.learned.iter().flat_map(Learned::filters);
        apply_expression_roots(filters, visit)
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> PlanResult<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let filters = result.parent_filters.iter();
        let learned = match (&self.learned, phase) {
            (Some(learned), FilterPushdownPhase::Post) => {
                Some(learned.with(filters.map(|filter| Arc::clone(&filter.filter))))
            }
            _ => None,
        };
        // Whatever the source leaves out, the join judges the rows that come.
        let propagation = FilterPushdownPropagation::all_unsupported(result);
        Ok(match learned {
            Some(learned) => {
                let node: Arc<dyn ExecutionPlan> = Arc::new(self.learning(learned));
                propagation.with_updated_node(node)
            }
            None => propagation,
        })
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn reset_state(self: Arc<Self>) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            query: Arc::clone(&self.query),
            selection: self.selection.clone(),
            learned: self.learned.clone(),
            sent: Arc::default(),
            snapshot: Arc::clone(&self.snapshot),
            ranges: self.ranges.as_ref().map(|ranges| ranges.again()),
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> PlanResult<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let run = Run {
            query: Arc::clone(&self.query),
            selection: self.selection.clone(),
            learned: self.learned.clone(),
            sent: Arc::clone(&self.sent),
            snapshot: Arc::clone(&self.snapshot),
            ranges: self.ranges.as_ref().map(Arc::clone),
            partition,
        };
        let rows = async move { run.rows(context.memory_pool()).await };
        let external = |error: Error| DataFusionError::External(Box::new(error));
        let rows = futures::stream::once(rows)
            .try_flatten()
            .map_err(external)
            .inspect(move |batch| {
                if let Ok(batch) = batch {
                    metrics.record_output(batch.num_rows());
                }
            });
        let schema = Arc::clone(&self.query.schema);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
