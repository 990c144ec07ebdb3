//! Scans pinned files: prunes them by their partition values, and leaves the rest to DataFusion.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result as PlanResult, Statistics};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use object_store::ObjectStore;

use super::source::RowSource;
use super::{PinnedFile, Shape, parquet};
use crate::sources::lake::format::Format;
use crate::sources::lake::parquet_source;
use crate::storage::{self, Lake};

/// A table of files at one version.
#[derive(Debug)]
pub(super) struct FileTable {
    lake: Lake,
    runtime: Arc<RuntimeEnv>,
    shape: Arc<Shape>,
    table_schema: TableSchema,
}

impl FileTable {
    pub(super) fn new(lake: Lake, runtime: &Arc<RuntimeEnv>, shape: Arc<Shape>) -> Self {
        let table_schema = TableSchema::builder(Arc::clone(&shape.file_schema))
            .with_table_partition_cols(shape.partition_fields.clone())
            .build();
        Self {
            lake,
            runtime: Arc::clone(runtime),
            shape,
            table_schema,
        }
    }

    /// Whether the folders' names alone decide the filter, for each file once and for all.
    fn is_partition_filter(&self, filter: &Expr) -> bool {
        let fields = &self.shape.partition_fields;
        let columns = filter.column_refs();
        !columns.is_empty()
            && !filter.is_volatile()
            && columns
                .iter()
                .all(|column| fields.iter().any(|field| field.name() == &column.name))
    }

    /// The files that the filters on partition columns leave.
    fn pruned(&self, session: &dyn Session, filters: &[Expr]) -> PlanResult<Vec<&PinnedFile>> {
        let filters = filters
            .iter()
            .filter(|filter| self.is_partition_filter(filter))
            .map(|filter| unqualified(filter.clone()));
        let files = self.shape.files.iter();
        let Some(filter) = conjunction(filters.collect::<PlanResult<Vec<_>>>()?) else {
            return Ok(files.collect());
        };
        if self.shape.files.is_empty() {
            return Ok(Vec::new());
        }
        let fields = &self.shape.partition_fields;
        let schema = Arc::new(Schema::new(fields.clone()));
        let columns = (0..fields.len())
            .map(|column| {
                let values = self.shape.files.iter();
                ScalarValue::iter_to_array(values.map(|file| file.partition_values[column].clone()))
            })
            .collect::<PlanResult<Vec<_>>>()?;
        let values = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        let filter = session.create_physical_expr(filter, &DFSchema::try_from(schema)?)?;
        let kept = filter.evaluate(&values)?.into_array(values.num_rows())?;
        let kept = kept.as_boolean();
        Ok(files
            .enumerate()
            .filter(|(at, _)| kept.is_valid(*at) && kept.value(*at))
            .map(|(_, file)| file)
            .collect())
    }

    /// Only Parquet's footers count rows, and nothing of what they say of columns is sure.
    fn statistics_of<'a>(&self, files: impl Iterator<Item = &'a PinnedFile>) -> Statistics {
        let mut statistics = Statistics::new_unknown(self.table_schema.table_schema());
        let mut n_rows = Some(0);
        let mut n_bytes = 0;
        for file in files {
            n_rows = n_rows.zip(file.n_rows).map(|(sum, n_rows)| sum + n_rows);
            n_bytes += usize::try_from(file.file.meta.size).unwrap_or(usize::MAX);
        }
        statistics.num_rows = n_rows.map_or(Precision::Absent, Precision::Exact);
        statistics.total_byte_size = Precision::Inexact(n_bytes);
        statistics
    }

    fn source(&self, session: &dyn Session, files: &[&PinnedFile]) -> Arc<dyn FileSource> {
        let store: Arc<dyn ObjectStore> = storage::pinned(
            Arc::clone(&self.lake.store),
            files.iter().map(|file| &file.file.meta),
        );
        let table_schema = self.table_schema.clone();
        if self.shape.format != Format::Parquet {
            return Arc::new(RowSource::new(self.shape.format, store, table_schema));
        }
        let mut options = TableParquetOptions {
            global: session.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        // As the schema was read.
        options.global.coerce_int96 = Some("us".to_owned());
        let footers = self.runtime.cache_manager.get_file_metadata_cache();
        let reader = CachedParquetFileReaderFactory::new(store, footers);
        let source = ParquetSource::new(table_schema)
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(reader));
        parquet_source::guarded(Arc::new(source))
    }
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.table_schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.statistics_of(self.shape.files.iter()))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| {
            if self.is_partition_filter(filter) {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let files = self.pruned(session, filters)?;
        let is_filtered = filters
            .iter()
            .any(|filter| !self.is_partition_filter(filter));
        let groups = grouped(&files, session.config().target_partitions());
        let config = FileScanConfigBuilder::new(
            ObjectStoreUrl::parse(&self.lake.url)?,
            self.source(session, &files),
        )
        .with_file_groups(groups)
        .with_statistics(self.statistics_of(files.iter().copied()))
        .with_projection_indices(projection.cloned())?
        .with_limit(if is_filtered { None } else { limit })
        .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// The filter as the files see it: columns without their table's name.
fn unqualified(filter: Expr) -> PlanResult<Expr> {
    use datafusion::common::Column;
    use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
    filter
        .transform(|expr| {
            Ok(match expr {
                Expr::Column(column) => {
                    Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))
                }
                other => Transformed::no(other),
            })
        })
        .data()
}

/// The files in as many groups as are read at a time, of about the same number each.
fn grouped(files: &[&PinnedFile], n_groups: usize) -> Vec<FileGroup> {
    let size = files.len().div_ceil(n_groups.max(1)).max(1);
    files
        .chunks(size)
        .map(|chunk| {
            let files = chunk.iter().map(|pinned| {
                let meta = parquet::cache_key(&pinned.file.meta, pinned.file.tag());
                PartitionedFile::new_from_meta(meta)
                    .with_partition_values(pinned.partition_values.clone())
            });
            FileGroup::new(files.collect())
        })
        .collect()
}
