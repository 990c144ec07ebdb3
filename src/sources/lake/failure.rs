//! What went wrong with a file, in our terms, with the file's name.

use std::error::Error as StdError;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use object_store::Error as StoreError;

use crate::error::{Error, ErrorKind};
use crate::storage;

/// An error of reading a file: what the store said, or else what is wrong with the file.
pub(super) fn of_file(path: &str, kind: ErrorKind, cause: DataFusionError) -> Error {
    if let Some(ours) = find::<Error>(&cause) {
        return ours.clone();
    }
    match find::<StoreError>(&cause) {
        Some(store) => storage::failure(path, store).with_cause(cause),
        None => {
            Error::new(kind, format!("file \"{path}\" cannot be read: {cause}")).with_cause(cause)
        }
    }
}

/// The cause of a type, at any depth: Parquet wraps what the store says into its own errors.
fn find<'a, T: StdError + 'static>(error: &'a DataFusionError) -> Option<&'a T> {
    let mut cause: Option<&'a (dyn StdError + 'static)> = Some(error);
    while let Some(next) = cause {
        if let Some(found) = next.downcast_ref::<T>() {
            return Some(found);
        }
        cause = next.source();
    }
    None
}

/// An error of making rows of a file's text.
pub(super) fn of_text(path: &str, kind: ErrorKind, cause: ArrowError) -> Error {
    let (kind, message) = match &cause {
        ArrowError::ParseError(message) => (ErrorKind::InvalidTextRepresentation, message),
        ArrowError::CsvError(message) | ArrowError::JsonError(message) => (kind, message),
        _ => return Error::new(kind, format!("file \"{path}\": {cause}")).with_cause(cause),
    };
    Error::new(kind, format!("file \"{path}\": {message}"))
}

/// The error for a file whose bytes made its decoder panic: the decoders of Parquet index and slice
/// by what damaged bytes say. The panic itself is in the log.
pub(super) fn of_panic(path: &str) -> Error {
    Error::new(
        ErrorKind::DataCorrupted,
        format!("file \"{path}\" cannot be read: it is damaged"),
    )
}

/// An error of ours, on its way through DataFusion.
pub(super) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
