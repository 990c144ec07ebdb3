//! Reads a file as a stream of bytes, decompressed; names the file in each error.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::error::DataFusionError;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::error::{ErrorKind, Result};
use crate::sources::lake::failure;
use crate::sources::lake::format::compression;
use crate::storage;

/// The bytes of a file, decompressed by its name. Errors name the file.
///
/// # Errors
/// The file is gone, is another than pinned, or cannot be read.
pub(super) async fn text(
    store: &Arc<dyn ObjectStore>,
    location: &Path,
) -> Result<BoxStream<'static, Result<Bytes>>> {
    let path = location.to_string();
    let bytes = store
        .get(location)
        .await
        .map_err(|cause| storage::error(&path, cause))?
        .into_stream()
        .map_err(DataFusionError::from)
        .boxed();
    let text = compression(location.filename().unwrap_or_default())
        .convert_stream(bytes)
        .map_err(|cause| failure::of_file(&path, ErrorKind::DataCorrupted, cause))?;
    Ok(text
        .map_err(move |cause| failure::of_file(&path, ErrorKind::DataCorrupted, cause))
        .boxed())
}
