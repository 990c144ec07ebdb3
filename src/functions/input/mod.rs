//! PostgreSQL's input functions: what a text means as a value of a type, in literals, casts and parameters.
//! <https://www.postgresql.org/docs/16/datatype.html>

mod array;
mod bytes;
mod cast;
mod datetime;
mod interval;
mod number;
mod scalar;

use datafusion::common::ScalarValue;

pub use array::{of_numerics, of_values};
pub(super) use cast::{decimals, read_kept};
pub use cast::{input, reads};
pub use interval::{LastField, of_fields};
pub use number::Digits;

pub(super) use datetime::{FIRST_MICROSECOND, any_date, time_with_offset};
pub use datetime::{Meaning as Abbreviation, is_plain_date, meaning as abbreviation, offset};
pub use scalar::{boolean, uuid};

use super::output::Style;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{arrow_type, element_of, format_type, oid};

/// The value of a text, as the input function of this type reads it. What has no zone of its own is
/// read in the session's, and what is ambiguous in its DateStyle.
///
/// # Errors
/// What PostgreSQL says of a text that is not of the type; `FeatureNotSupported` for types that
/// Lakegate has no values of.
pub fn value(text: &str, pg_oid: u32, style: &Style) -> Result<ScalarValue> {
    match element_of(pg_oid) {
        Some(element) => array::value(text, element, style),
        None => scalar::value(text, pg_oid, style),
    }
}

/// The NULL of a type.
///
/// # Errors
/// `FeatureNotSupported`: Lakegate has no values of the type.
pub fn null(pg_oid: u32) -> Result<ScalarValue> {
    let data_type = arrow_type(pg_oid).ok_or_else(|| unsupported(pg_oid))?;
    ScalarValue::try_from(&data_type).map_err(|_| unsupported(pg_oid))
}

/// A type that Lakegate has no values of.
pub fn unsupported(pg_oid: u32) -> Error {
    Error::unsupported(format!("a parameter of type {}", name_of(pg_oid)))
}

/// Whether values of the type are kept as texts.
pub fn is_text(pg_oid: u32) -> bool {
    matches!(
        pg_oid,
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR | oid::UNKNOWN | oid::JSON
    )
}

/// The type's name, for messages.
pub(super) fn name_of(pg_oid: u32) -> String {
    format_type(pg_oid, -1).unwrap_or_else(|| format!("with OID {pg_oid}"))
}

/// PostgreSQL's words for a text that is not of its type.
fn invalid_syntax(kind: ErrorKind, pg_oid: u32, text: &str) -> Error {
    let message = format!(
        "invalid input syntax for type {}: \"{text}\"",
        name_of(pg_oid)
    );
    Error::new(kind, message)
}

/// The same for everything but dates and times.
fn invalid_text(pg_oid: u32, text: &str) -> Error {
    invalid_syntax(ErrorKind::InvalidTextRepresentation, pg_oid, text)
}
