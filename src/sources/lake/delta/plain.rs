//! Reads a Delta table whose files have everything that its rows have as what it is: files of Parquet.
//!
//! deltalake's scan replays the log for each statement, numbers files, and casts what it read. That is much where a
//! statement reads a few thousand rows: so tables of our own, which are written in one way, are read without, and so are the few
//! files that came to a table since somebody last looked.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use chrono::DateTime;
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{Result as PlanResult, Statistics, project_schema};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use url::Url;

use super::snapshot::{DataFile, Snapshot};
use crate::sources::lake::parquet_source;
use crate::storage::Lake;

/// The reader version of tables without anything that readers must know of, and that of tables which list it (protocol,
/// "Reader Version Requirements"). The one between maps names of columns.
const READER_VERSION: i32 = 1;
const READER_VERSION_OF_FEATURES: i32 = 3;

/// The reader features that change nothing about a file: a type of columns, and deletion vectors, which each file has or has not.
const OF_NO_EFFECT: &[&str] = &["timestampNtz", "deletionVectors"];

/// Files of one version of a table.
#[derive(Debug)]
pub(super) struct Plain {
    store: Arc<dyn ObjectStore>,
    url: ObjectStoreUrl,
    files: Vec<PartitionedFile>,
    /// The columns as they are served, which are those of the files.
    table_schema: TableSchema,
    statistics: Statistics,
}

impl Plain {
    /// Files of a snapshot of the table in `folder`, if they have everything: no column's values are
    /// in the log, no row is marked as deleted, and columns go by their names.
    pub(super) fn of(
        snapshot: &Snapshot,
        of: impl Iterator<Item = DataFile>,
        lake: &Lake,
        (folder, schema): (&Url, &SchemaRef),
    ) -> Option<Self> {
        let state = snapshot.described().state();
        let protocol = state.protocol();
        let mut features = protocol.reader_features().into_iter().flatten();
        let is_plain = match protocol.min_reader_version() {
            READER_VERSION => true,
            READER_VERSION_OF_FEATURES => {
                features.all(|it| OF_NO_EFFECT.contains(&it.to_string().as_str()))
            }
            _ => false,
        };
        let is_flat = |data_type: &DataType| !data_type.is_nested();
        if !is_plain
            || !state.metadata().partition_columns().is_empty()
            || !schema.fields().iter().all(|it| is_flat(it.data_type()))
        {
            return None;
        }
        let folder = Path::from_url_path(folder.path()).ok()?;
        let (mut files, mut n_rows, mut n_bytes) = (Vec::new(), Some(0_usize), 0_usize);
        for file in of {
            let is_named = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            if file.vector.is_some() || !file.name.bytes().all(is_named) {
                return None;
            }
            let rows = file
                .rows
                .map(|rows| usize::try_from(rows).unwrap_or(usize::MAX));
            n_rows = n_rows.zip(rows).map(|(sum, own)| sum.saturating_add(own));
            n_bytes = n_bytes.saturating_add(usize::try_from(file.bytes).unwrap_or(usize::MAX));
            files.push(PartitionedFile::new_from_meta(ObjectMeta {
                location: folder.clone().join(file.name.as_str()),
                last_modified: DateTime::from_timestamp_millis(file.modified)?,
                size: file.bytes,
                e_tag: None,
                version: None,
            }));
        }
        let mut statistics = Statistics::new_unknown(schema);
        // What the log says is believed for no answer.
        statistics.num_rows = n_rows.map_or(Precision::Absent, Precision::Inexact);
        statistics.total_byte_size = Precision::Inexact(n_bytes);
        Some(Self {
            store: Arc::clone(&lake.store),
            url: ObjectStoreUrl::parse(&lake.url).ok()?,
            files,
            table_schema: TableSchema::builder(Arc::clone(schema)).build(),
            statistics,
        })
    }

    /// How many they are.
    pub(super) fn n_files(&self) -> usize {
        self.files.len()
    }

    /// Reads the columns of `projection`. Conditions are given to the files by the optimizer.
    pub(super) fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            // A scan of no files has no partition, where plans want one at least.
            let schema = self.table_schema.table_schema();
            let schema = project_schema(schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let options = TableParquetOptions {
            global: session.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        let footers = session
            .runtime_env()
            .cache_manager
            .get_file_metadata_cache();
        let reader = CachedParquetFileReaderFactory::new(Arc::clone(&self.store), footers);
        let source = ParquetSource::new(self.table_schema.clone())
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(reader));
        let source = parquet_source::guarded(Arc::new(source));
        let n_groups = session.config().target_partitions();
        let size = self.files.len().div_ceil(n_groups.max(1)).max(1);
        let groups = self.files.chunks(size);
        let groups = groups.map(|files| FileGroup::new(files.to_vec()));
        let config = FileScanConfigBuilder::new(self.url.clone(), source)
            .with_file_groups(groups.collect())
            .with_statistics(self.statistics.clone())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
