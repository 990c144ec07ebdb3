//! Parameters as PostgreSQL's input and receive functions read them.

mod binary;

use datafusion::common::ScalarValue;

use super::encode::Format;
use super::failure::Failure;
use super::transcode;
use crate::functions::input;
use crate::functions::output::Style;
use crate::types::Encoding;

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
    encoding: Encoding,
) -> Result<ScalarValue, Failure> {
    let Some(value) = value else {
        return Ok(input::null(pg_oid)?);
    };
    match format {
        Format::Text => {
            let text = transcode::from_client(value, encoding)?;
            Ok(input::value(&text, pg_oid, style)?)
        }
        Format::Binary => {
            let value = transcode::parameter(value, pg_oid, encoding)?;
            binary::value(&value, pg_oid, number)
        }
    }
}

#[cfg(test)]
mod tests;
