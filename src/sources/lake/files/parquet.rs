//! The schema of a Parquet file, from its footer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::parquet::file::metadata::ParquetMetaData;
use futures::FutureExt;
use object_store::ObjectStore;

use super::FileShape;
use super::listing::DataFile;
use crate::error::{ErrorKind, Result};
use crate::sources::lake::failure;

/// Reads the footer, through the cache that the scan will use.
///
/// # Errors
/// `DataCorrupted` naming the file.
pub(super) async fn shape(
    store: &Arc<dyn ObjectStore>,
    file: &DataFile,
    runtime: &Arc<RuntimeEnv>,
    session: &SessionState,
) -> Result<FileShape> {
    let meta = cache_key(&file.meta, file.tag());
    let options = &session.config_options().execution.parquet;
    let footer = DFParquetMetadata::new(store.as_ref(), &meta)
        .with_file_metadata_cache(Some(runtime.cache_manager.get_file_metadata_cache()))
        .with_metadata_size_hint(options.metadata_size_hint)
        .with_coerce_int96(Some(arrow::datatypes::TimeUnit::Microsecond));
    let read = async {
        let metadata = footer.fetch_metadata().await?;
        Ok::<_, DataFusionError>((metadata, footer.fetch_schema().await?))
    };
    let (metadata, schema) = AssertUnwindSafe(read)
        .catch_unwind()
        .await
        .map_err(|_| failure::of_panic(file.path()))?
        .map_err(|cause| failure::of_file(file.path(), ErrorKind::DataCorrupted, cause))?;
    Ok(FileShape {
        schema: Arc::new(schema),
        n_rows: n_rows(&metadata),
    })
}

/// How many rows the file holds, if its footer says so twice alike: as a whole and by row group.
fn n_rows(metadata: &ParquetMetaData) -> Option<usize> {
    let whole = metadata.file_metadata().num_rows();
    let by_group: i64 = metadata
        .row_groups()
        .iter()
        .map(|group| group.num_rows())
        .sum();
    (whole == by_group)
        .then(|| usize::try_from(whole).ok())
        .flatten()
}

/// The file's entry under which DataFusion caches its footer. It compares size and time only,
/// and stores count time in seconds: the tag, folded into the time, tells two files of one
/// second and size apart.
pub(super) fn cache_key(meta: &object_store::ObjectMeta, tag: &str) -> object_store::ObjectMeta {
    let [a, b, c, d, ..] = *blake3::hash(tag.as_bytes()).as_bytes();
    let nanos = i64::from(u32::from_le_bytes([a, b, c, d]) % 1_000_000_000);
    object_store::ObjectMeta {
        last_modified: meta.last_modified + chrono::TimeDelta::nanoseconds(nanos),
        ..meta.clone()
    }
}
