//! Reads files for DataFusion, each as a whole, its columns matched by name.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::Result as PlanResult;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpenFuture, FileOpener, FileScanConfig, FileSource,
};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use futures::stream::{StreamExt, TryStreamExt};
use object_store::ObjectStore;

use super::{avro, text};
use crate::sources::lake::failure::external;
use crate::sources::lake::format::Format;
use crate::storage;

/// A source of rows in any format but Parquet.
#[derive(Clone)]
pub(super) struct RowSource {
    format: Format,
    /// The pinned files' store; the scan's own knows nothing of pins.
    store: Arc<dyn ObjectStore>,
    table_schema: TableSchema,
    projection: SplitProjection,
    batch_size: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl RowSource {
    pub(super) fn new(
        format: Format,
        store: Arc<dyn ObjectStore>,
        table_schema: TableSchema,
    ) -> Self {
        Self {
            format,
            store,
            projection: SplitProjection::unprojected(&table_schema),
            table_schema,
            batch_size: 8_192,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl FileSource for RowSource {
    fn create_file_opener(
        &self,
        _: Arc<dyn ObjectStore>,
        _: &FileScanConfig,
        partition: usize,
    ) -> PlanResult<Arc<dyn FileOpener>> {
        let file_schema = self.table_schema.file_schema();
        // As Parquet's reader names it.
        let n_bytes = MetricBuilder::new(&self.metrics).counter("bytes_scanned", partition);
        let tell = move |more| n_bytes.add(more);
        let opener = RowOpener {
            format: self.format,
            store: storage::counted(Arc::clone(&self.store), tell),
            columns: Arc::new(file_schema.project(&self.projection.file_indices)?),
            batch_size: self.batch_size,
        };
        ProjectionOpener::try_new(self.projection.clone(), Arc::new(opener), file_schema)
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self {
            batch_size,
            ..self.clone()
        })
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> PlanResult<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.table_schema.file_schema(), &merged);
        Ok(Some(Arc::new(Self {
            projection,
            ..self.clone()
        })))
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        match self.format {
            Format::Avro => "avro",
            Format::Json => "json",
            Format::Csv | Format::Parquet => "csv",
        }
    }

    fn supports_repartitioning(&self) -> bool {
        // A quoted line's end looks like a row's end from the middle of a CSV file.
        false
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        datafusion::physical_plan::apply_expression_roots(self.projection.source.iter(), visit)
    }
}

/// Opens one file after the other.
struct RowOpener {
    format: Format,
    store: Arc<dyn ObjectStore>,
    /// The columns to read, as the table serves them.
    columns: SchemaRef,
    batch_size: usize,
}

impl FileOpener for RowOpener {
    fn open(&self, file: PartitionedFile) -> PlanResult<FileOpenFuture> {
        let store = Arc::clone(&self.store);
        let columns = Arc::clone(&self.columns);
        let (format, batch_size) = (self.format, self.batch_size);
        Ok(Box::pin(async move {
            let location = &file.object_meta.location;
            let rows = match format {
                Format::Avro => avro::rows(&store, location, columns, batch_size).await,
                Format::Json => text::json(&store, location, columns, batch_size).await,
                Format::Csv | Format::Parquet => {
                    text::csv(&store, location, columns, batch_size).await
                }
            };
            Ok(rows.map_err(external)?.map_err(external).boxed())
        }))
    }
}
