//! The columns that a table's paths say: those of Event Hubs Capture, or else Hive levels.

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::scalar::ScalarValue;

use super::hive::{self, Partitions};
use super::listing::{DataFile, Listing};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::lake::capture::Capture;

/// The partition columns of all files.
///
/// # Errors
/// `DatatypeMismatch` if two files lie below different ones.
pub(super) fn columns(listing: &Listing) -> Result<Partitions> {
    let captured = |file: &&DataFile| file.capture.is_some();
    let Some(one) = listing.files.iter().find(captured) else {
        return hive::columns(listing);
    };
    let values = listing.files.iter().map(|file| match &file.capture {
        Some(capture) => Ok(values(capture)),
        None => Err(Error::new(
            ErrorKind::DatatypeMismatch,
            format!(
                "the file \"{}\" lies in a tree of Event Hubs Capture, but the file \"{}\" beside it does not",
                one.path(),
                file.path()
            ),
        )),
    });
    Ok(Partitions {
        values: values.collect::<Result<_>>()?,
        fields: fields(),
    })
}

fn fields() -> Fields {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    [
        ("capture_namespace", DataType::Utf8View),
        ("capture_hub", DataType::Utf8View),
        ("capture_partition", DataType::Int32),
        ("captured_at", instant),
    ]
    .into_iter()
    .map(|(name, data_type)| Field::new(name, data_type, true))
    .collect()
}

fn values(capture: &Capture) -> Vec<ScalarValue> {
    vec![
        ScalarValue::Utf8View(Some(capture.namespace.clone())),
        ScalarValue::Utf8View(Some(capture.hub.clone())),
        ScalarValue::Int32(Some(capture.partition)),
        ScalarValue::TimestampMicrosecond(Some(capture.captured_at), Some("UTC".into())),
    ]
}
