//! A relation behind its row policies and column masks: a barrier that nothing of the statement gets
//! below but conditions that are leakproof.
//!
//! The policies' filter and the masks are planned with the relation, as a plan of their own. To the
//! planner and both optimizers of the statement that plan is a single source of rows: a condition
//! comes below only as [`TableProvider::supports_filters_pushdown`] lets it, and nothing is told of
//! what lies there, neither statistics nor counts.

use std::any::type_name;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::{TableProvider, TableType};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown,
};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
};
use futures::StreamExt;

use super::execute;
use super::leakproof::is_leakproof;

/// A relation as one reader sees it.
pub(super) struct Protected {
    /// Its name, for EXPLAIN.
    name: Arc<str>,
    /// Its rows that may be seen, as they may be seen. Its types are fitted.
    plan: LogicalPlan,
    schema: SchemaRef,
    /// The columns that are as the relation has them, of which conditions may come below the masks.
    plain: SchemaRef,
}

impl Protected {
    /// The rows of `plan`, of which the columns in `masked` are not those of the relation.
    pub(super) fn new(name: &str, plan: LogicalPlan, masked: impl Fn(&str) -> bool) -> Self {
        let schema = Arc::clone(plan.schema().inner());
        let plain = schema.fields().iter().filter(|field| !masked(field.name()));
        let plain = plain.map(Arc::clone).collect::<Vec<_>>();
        Self {
            name: name.into(),
            plain: Arc::new(arrow::datatypes::Schema::new(plain)),
            plan,
            schema,
        }
    }
}

impl fmt::Debug for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(type_name::<Self>())
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl TableProvider for Protected {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        let support = filters
            .iter()
            .map(|filter| match is_leakproof(filter, &self.plain) {
                true => TableProviderFilterPushDown::Exact,
                false => TableProviderFilterPushDown::Unsupported,
            });
        Ok(support.collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let state = session.as_any().downcast_ref::<SessionState>();
        let state = state.ok_or_else(|| {
            DataFusionError::Internal("a session of another kind than the engine's".to_owned())
        })?;
        let mut plan = LogicalPlanBuilder::from(self.plan.clone());
        let mut shown = Vec::with_capacity(filters.len());
        for filter in filters {
            let filter = self.of_own_columns(filter)?;
            shown.push(filter.to_string());
            plan = plan.filter(filter)?;
        }
        if let Some(projection) = projection {
            let columns = self.plan.schema().columns();
            let columns = projection.iter().map(|index| columns[*index].clone());
            plan = plan.project(columns.map(Expr::Column))?;
        }
        let plan = plan.limit(0, limit)?.build()?;
        let input = execute::physical_plan(plan, state).await?;
        Ok(Arc::new(ProtectedExec::new(
            Arc::clone(&self.name),
            shown,
            input,
        )))
    }
}

impl Protected {
    /// What it gives the rows of.
    pub(super) fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    /// A condition of the statement, whose columns are named as the plan below names them.
    fn of_own_columns(&self, filter: &Expr) -> DataFusionResult<Expr> {
        let schema = self.plan.schema();
        let filter = filter.clone().transform(|expression| match expression {
            Expr::Column(column) => {
                let own = schema.qualified_field_with_unqualified_name(&column.name)?;
                Ok(Transformed::yes(Expr::Column(own.into())))
            }
            other => Ok(Transformed::no(other)),
        });
        Ok(filter?.data)
    }
}

/// The rows of a protected relation. A leaf: what lies below was optimized by itself, and is shown to
/// nobody.
#[derive(Debug)]
pub(super) struct ProtectedExec {
    name: Arc<str>,
    /// The statement's conditions below it.
    filters: Vec<String>,
    input: Arc<dyn ExecutionPlan>,
    /// What is known of the rows: nothing but how they come, for what a policy's condition makes of
    /// them must not show in the statement's plan.
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ProtectedExec {
    fn new(name: Arc<str>, filters: Vec<String>, input: Arc<dyn ExecutionPlan>) -> Self {
        let below = input.properties();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(below.partitioning.partition_count()),
            below.emission_type,
            below.boundedness,
        );
        Self {
            name,
            filters,
            properties: Arc::new(properties.with_scheduling_type(below.scheduling_type)),
            input,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The plan below.
    pub(super) fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }

    /// The same over another plan below, of the same rows.
    pub(super) fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(Arc::clone(&self.name), self.filters.clone(), input)
    }
}

impl DisplayAs for ProtectedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProtectedExec: {}", self.name)?;
        match self.filters.as_slice() {
            [] => Ok(()),
            filters => write!(f, ", filters=[{}]", filters.join(", ")),
        }
    }
}

impl ExecutionPlan for ProtectedExec {
    fn name(&self) -> &'static str {
        "ProtectedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn reset_state(self: Arc<Self>) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let input = reset_plan_states(Arc::clone(&self.input))?;
        Ok(Arc::new(self.over(input)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let rows = self.input.execute(partition, context)?;
        let rows = rows.inspect(move |batch| {
            if let Ok(batch) = batch {
                metrics.record_output(batch.num_rows());
            }
        });
        let schema = self.input.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
