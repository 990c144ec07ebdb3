//! Reads Parquet through DataFusion's source, but keeps from it the filters that statistics would
//! answer wrongly, and names the file in each error.
//!
//! Writers leave NaN out of a column's minimum and maximum. To PostgreSQL, NaN is greater than
//! every number: `x > 5` holds for it, and a row group with the maximum 1.0 may have such a row.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use datafusion::common::Result as PlanResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::morsel::{
    Morsel, MorselPlan, MorselPlanner, Morselizer, PendingMorselPlanner,
};
use futures::FutureExt;
use futures::stream::{BoxStream, StreamExt};
use object_store::ObjectStore;

use super::failure;
use crate::error::ErrorKind;

/// `source`, a source of Parquet, guarded.
pub(super) fn guarded(source: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
    Arc::new(Guarded { source })
}

struct Guarded {
    source: Arc<dyn FileSource>,
}

impl FileSource for Guarded {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> PlanResult<Arc<dyn FileOpener>> {
        self.source.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> PlanResult<Box<dyn Morselizer>> {
        let inner = self.source.create_morselizer(store, config, partition)?;
        Ok(Box::new(Named { inner }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.source.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        guarded(self.source.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.source.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.source.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.source.metrics()
    }

    fn file_type(&self) -> &str {
        self.source.file_type()
    }

    fn fmt_extra(&self, style: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt_extra(style, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.source.supports_repartitioning()
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        file_bytes_min: usize,
        ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> PlanResult<Option<FileScanConfig>> {
        self.source
            .repartitioned(target_partitions, file_bytes_min, ordering, config)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> PlanResult<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let schema = self.source.table_schema().table_schema();
        let is_passed: Vec<_> = filters
            .iter()
            .map(|filter| is_answerable(filter, schema))
            .collect();
        let passed = filters
            .into_iter()
            .zip(&is_passed)
            .filter_map(|(filter, is_passed)| is_passed.then_some(filter));
        let inner = self.source.try_pushdown_filters(passed.collect(), config)?;
        let mut answers = inner.filters.into_iter();
        let filters = is_passed.into_iter().map(|is_passed| match is_passed {
            true => answers.next().unwrap_or(PushedDown::No),
            false => PushedDown::No,
        });
        Ok(FilterPushdownPropagation {
            filters: filters.collect(),
            updated_node: inner.updated_node.map(guarded),
        })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> PlanResult<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(self
            .source
            .try_pushdown_sort(order, properties)?
            .map(guarded))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.source.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> PlanResult<Option<Arc<dyn FileSource>>> {
        Ok(self
            .source
            .try_pushdown_projection(projection)?
            .map(guarded))
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        self.source.apply_expressions(visit)
    }
}

/// Whether a type's statistics may leave out values.
pub(super) fn is_float(data_type: &DataType) -> bool {
    data_type.is_floating()
}

/// Whether minima and maxima without NaN answer the filter: it has no float column, or it is
/// false for NaN, which is greater than every number and equal to none.
fn is_answerable(filter: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    let is_float_column = |expr: &Arc<dyn PhysicalExpr>| {
        expr.downcast_ref::<Column>().is_some_and(|column| {
            schema
                .field_with_name(column.name())
                .map_or(true, |field| is_float(field.data_type()))
        })
    };
    let mentions_float = filter
        .exists(|expr| Ok(is_float_column(expr)))
        .unwrap_or(true);
    if !mentions_float {
        return true;
    }
    let Some(binary) = filter.downcast_ref::<BinaryExpr>() else {
        return false;
    };
    let is_number = |expr: &Arc<dyn PhysicalExpr>| {
        expr.downcast_ref::<Literal>().is_some_and(|literal| {
            let value = literal.value().cast_to(&DataType::Float64);
            matches!(value, Ok(datafusion::scalar::ScalarValue::Float64(Some(value))) if !value.is_nan())
        })
    };
    let (left, right) = (binary.left(), binary.right());
    match binary.op() {
        Operator::And | Operator::Or => is_answerable(left, schema) && is_answerable(right, schema),
        Operator::Eq => {
            (is_float_column(left) && is_number(right))
                || (is_number(left) && is_float_column(right))
        }
        Operator::Lt | Operator::LtEq => is_float_column(left) && is_number(right),
        Operator::Gt | Operator::GtEq => is_number(left) && is_float_column(right),
        _ => false,
    }
}

/// Names the file in the errors of a morselizer.
#[derive(Debug)]
struct Named {
    inner: Box<dyn Morselizer>,
}

impl Morselizer for Named {
    fn plan_file(&self, file: PartitionedFile) -> PlanResult<Box<dyn MorselPlanner>> {
        let path: Arc<str> = Arc::from(file.object_meta.location.as_ref());
        let inner = caught(&path, || self.inner.plan_file(file))?;
        Ok(Box::new(NamedPlanner { path, inner }))
    }
}

#[derive(Debug)]
struct NamedPlanner {
    path: Arc<str>,
    inner: Box<dyn MorselPlanner>,
}

impl NamedPlanner {
    fn boxed(path: &Arc<str>, inner: Box<dyn MorselPlanner>) -> Box<dyn MorselPlanner> {
        let path = Arc::clone(path);
        Box::new(NamedPlanner { path, inner })
    }
}

impl MorselPlanner for NamedPlanner {
    fn plan(self: Box<Self>) -> PlanResult<Option<MorselPlan>> {
        let Self { path, inner } = *self;
        let Some(mut plan) = caught(&path, || inner.plan())? else {
            return Ok(None);
        };
        let morsels = plan.take_morsels().into_iter().map(|inner| {
            let path = Arc::clone(&path);
            Box::new(NamedMorsel { path, inner }) as Box<dyn Morsel>
        });
        let planners = plan.take_ready_planners().into_iter();
        let named_plan = MorselPlan::new()
            .with_morsels(morsels.collect())
            .with_planners(
                planners
                    .map(|planner| NamedPlanner::boxed(&path, planner))
                    .collect(),
            );
        Ok(Some(match plan.take_pending_planner() {
            Some(pending) => named_plan.with_pending_planner(wait(path, pending)),
            None => named_plan,
        }))
    }
}

async fn wait(path: Arc<str>, pending: PendingMorselPlanner) -> PlanResult<Box<dyn MorselPlanner>> {
    let planner = match AssertUnwindSafe(pending).catch_unwind().await {
        Ok(planner) => planner.map_err(|cause| named(&path, cause))?,
        Err(_) => return Err(failure::external(failure::of_panic(&path))),
    };
    Ok(NamedPlanner::boxed(&path, planner))
}

#[derive(Debug)]
struct NamedMorsel {
    path: Arc<str>,
    inner: Box<dyn Morsel>,
}

impl Morsel for NamedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, PlanResult<RecordBatch>> {
        let Self { path, inner } = *self;
        AssertUnwindSafe(inner.into_stream())
            .catch_unwind()
            .map(move |batch| match batch {
                Ok(batch) => batch.map_err(|cause| named(&path, cause)),
                Err(_) => Err(failure::external(failure::of_panic(&path))),
            })
            .boxed()
    }
}

/// Runs a step of a decoder; see [`failure::of_panic`].
fn caught<T>(path: &str, step: impl FnOnce() -> PlanResult<T>) -> PlanResult<T> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(result) => result.map_err(|cause| named(path, cause)),
        Err(_) => Err(failure::external(failure::of_panic(path))),
    }
}

/// The error with its file. What an expression made of good data is not the file's fault.
fn named(path: &str, cause: DataFusionError) -> DataFusionError {
    let is_of_file = match cause.find_root() {
        DataFusionError::ParquetError(_)
        | DataFusionError::ObjectStore(_)
        | DataFusionError::IoError(_) => true,
        // Pages are decoded behind Arrow's interface.
        DataFusionError::ArrowError(cause, _) => matches!(
            **cause,
            ArrowError::ParquetError(_) | ArrowError::ExternalError(_) | ArrowError::IoError(..)
        ),
        _ => false,
    };
    if !is_of_file {
        return cause;
    }
    failure::external(failure::of_file(path, ErrorKind::DataCorrupted, cause))
}
