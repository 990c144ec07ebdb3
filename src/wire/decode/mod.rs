//! Parameters as PostgreSQL's input and receive functions read them.

mod binary;

use datafusion::common::ScalarValue;

use super::encode::Format;
use super::failure::Failure;
use super::message::checked_utf8;
use crate::functions::input;
use crate::functions::output::Style;

/// A value of a parameter of the type with this OID. `number` is n of `$n`, for messages.
///
/// # Errors
/// What PostgreSQL says of a value that is not of its type.
pub(super) fn parameter(
    value: Option<&[u8]>,
    format: Format,
    pg_oid: u32,
    style: &Style,
    number: usize,
) -> Result<ScalarValue, Failure> {
    let Some(value) = value else {
        return Ok(input::null(pg_oid)?);
    };
    match format {
        Format::Text => Ok(input::value(checked_utf8(value)?, pg_oid, style)?),
        Format::Binary => binary::value(value, pg_oid, number),
    }
}

#[cfg(test)]
mod tests;
