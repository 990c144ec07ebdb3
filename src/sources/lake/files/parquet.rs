//! The schema of a Parquet file, from its footer.

use std::sync::Arc;

use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::ObjectStore;

use super::FileShape;
use super::listing::DataFile;
use super::read::failed;
use crate::error::{Error, ErrorKind, Result};

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
    let corrupt = |cause| failed(file.path(), ErrorKind::DataCorrupted, cause);
    let metadata = footer.fetch_metadata().await.map_err(corrupt)?;
    let schema = footer.fetch_schema().await.map_err(corrupt)?;
    let n_rows = usize::try_from(metadata.file_metadata().num_rows()).map_err(|_| {
        Error::new(
            ErrorKind::DataCorrupted,
            format!(
                "file \"{}\" says it holds a negative number of rows",
                file.path()
            ),
        )
    })?;
    Ok(FileShape {
        schema: Arc::new(schema),
        n_rows: Some(n_rows),
    })
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
