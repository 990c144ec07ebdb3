//! Reads a text file as a stream of bytes, decompressed, and names it in each error.

use std::sync::Arc;

use arrow::error::ArrowError;
use bytes::Bytes;
use datafusion::error::DataFusionError;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::error::{Error, ErrorKind, Result};
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
        .map_err(|cause| failed(&path, ErrorKind::DataCorrupted, cause))?;
    Ok(text
        .map_err(move |cause| failed(&path, ErrorKind::DataCorrupted, cause))
        .boxed())
}

/// An error of reading a file: what the store said, or else that the file is damaged.
pub(super) fn failed(path: &str, kind: ErrorKind, cause: DataFusionError) -> Error {
    match cause {
        DataFusionError::ObjectStore(cause) => storage::error(path, *cause),
        cause => {
            Error::new(kind, format!("file \"{path}\" cannot be read: {cause}")).with_cause(cause)
        }
    }
}

/// An error of making rows of a file's text.
pub(super) fn undecodable(path: &str, kind: ErrorKind, cause: ArrowError) -> Error {
    let (kind, message) = match &cause {
        ArrowError::ParseError(message) => (ErrorKind::InvalidTextRepresentation, message),
        ArrowError::CsvError(message) | ArrowError::JsonError(message) => (kind, message),
        _ => return Error::new(kind, format!("file \"{path}\": {cause}")).with_cause(cause),
    };
    Error::new(kind, format!("file \"{path}\": {message}"))
}

/// An error of ours, on its way through DataFusion.
pub(super) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
