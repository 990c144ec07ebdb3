//! Parameters as PostgreSQL's input and receive functions read them.

mod array;
mod binary;
mod bytes;
mod datetime;
mod number;
mod text;

use arrow::array::timezone::Tz;
use datafusion::common::ScalarValue;

use super::encode::Format;
use super::failure::Failure;
use super::message::checked_utf8;
use crate::error::{Error, ErrorKind};
use crate::types::{arrow_type, element_of, format_type, oid};

/// A value of a parameter of the type with this OID. `number` is n of `$n`, for messages.
///
/// # Errors
/// What PostgreSQL says of a value that is not of its type.
pub(super) fn parameter(
    value: Option<&[u8]>,
    format: Format,
    pg_oid: u32,
    zone: Tz,
    number: usize,
) -> Result<ScalarValue, Failure> {
    let Some(value) = value else {
        return null(pg_oid);
    };
    match format {
        Format::Text => {
            let text = checked_utf8(value)?;
            match element_of(pg_oid) {
                Some(element) => array::from_text(text, element, zone),
                None => text::value(text, pg_oid, zone),
            }
        }
        Format::Binary => binary::value(value, pg_oid, number),
    }
}

fn null(pg_oid: u32) -> Result<ScalarValue, Failure> {
    let data_type = arrow_type(pg_oid).ok_or_else(|| unsupported(pg_oid))?;
    ScalarValue::try_from(&data_type).map_err(|_| unsupported(pg_oid))
}

/// A type that Lakegate has no values of.
fn unsupported(pg_oid: u32) -> Failure {
    Error::unsupported(format!("a parameter of type {}", name_of(pg_oid))).into()
}

fn name_of(pg_oid: u32) -> String {
    format_type(pg_oid, -1).unwrap_or_else(|| format!("with OID {pg_oid}"))
}

/// PostgreSQL's words for a text that is not of its type.
fn invalid_syntax(kind: ErrorKind, pg_oid: u32, text: &str) -> Failure {
    Error::new(
        kind,
        format!(
            "invalid input syntax for type {}: \"{text}\"",
            name_of(pg_oid)
        ),
    )
    .into()
}

/// The same for everything but dates and times.
fn invalid_text(pg_oid: u32, text: &str) -> Failure {
    invalid_syntax(ErrorKind::InvalidTextRepresentation, pg_oid, text)
}

/// Whether values of the type are kept as texts.
fn is_text(pg_oid: u32) -> bool {
    matches!(
        pg_oid,
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR | oid::UNKNOWN | oid::JSON
    )
}

#[cfg(test)]
mod tests;
