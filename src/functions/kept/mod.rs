//! Values of types that Arrow lacks, kept as bytes: network addresses, ranges, times with their zone,
//! and the numbers and dates that no decimal and no date of Arrow's holds.
//!
//! Two values are equal if their bytes are, and the order of the bytes is PostgreSQL's order of the
//! values: comparing, sorting, grouping and joining need to know nothing of them. A field's
//! metadata name their type.

mod bound;
mod constructors;
mod convert;
mod date;
mod hardware;
mod multirange;
mod network;
mod number;
mod range;
mod range_text;
mod record;
mod time_zone;
mod whole_row;

use bytes::BytesMut;

pub(super) use constructors::functions;
pub use constructors::{makes_ranges, range_taken_by};
pub use convert::{as_type, kept_of, of_scalar};
pub use record::function as row;
pub use whole_row::WHOLE_ROW;

use super::input::name_of;
use super::output::Style;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{multirange_of, oid, range_of};

/// The bytes of a value from its text, as the input function of the type reads it.
///
/// # Errors
/// What PostgreSQL says of a text that is not of the type; `FeatureNotSupported` for types that are
/// not kept.
pub fn from_text(text: &str, pg_oid: u32, style: &Style) -> Result<Vec<u8>> {
    if range_of(pg_oid).is_some() {
        return range_text::range(text, bound::Subtype::of(pg_oid)?, style);
    }
    if let Some(range) = multirange_of(pg_oid) {
        return range_text::multirange(text, bound::Subtype::of(range)?, style);
    }
    match pg_oid {
        oid::TIMETZ => time_zone::from_text(text, style),
        oid::INET | oid::CIDR => network::from_text(text, pg_oid),
        oid::MACADDR => hardware::six(text),
        oid::MACADDR8 => hardware::eight(text),
        oid::NUMERIC => number::from_text(text),
        oid::DATE => date::from_text(text, style),
        _ => Err(unsupported(pg_oid)),
    }
}

/// Appends a value's text, as the output function of the type writes it.
///
/// # Errors
/// The bytes are not a value of the type.
pub fn text(out: &mut BytesMut, kept: &[u8], pg_oid: u32, style: &Style) -> Result<()> {
    if range_of(pg_oid).is_some() {
        return range_text::write_range(out, kept, bound::Subtype::of(pg_oid)?, style);
    }
    if let Some(range) = multirange_of(pg_oid) {
        return range_text::write_multirange(out, kept, bound::Subtype::of(range)?, style);
    }
    match pg_oid {
        oid::TIMETZ => time_zone::text(out, kept),
        oid::INET | oid::CIDR => network::text(out, kept, pg_oid),
        oid::MACADDR | oid::MACADDR8 => {
            hardware::text(out, kept);
            Ok(())
        }
        oid::NUMERIC => number::text(out, kept),
        oid::DATE => date::text(out, kept, style),
        _ => Err(unsupported(pg_oid)),
    }
}

/// The bytes of a value from its binary form, as the receive function of the type reads it.
///
/// # Errors
/// As [`from_text`], of bytes.
pub fn receive(bytes: &[u8], pg_oid: u32) -> Result<Vec<u8>> {
    if range_of(pg_oid).is_some() {
        return range::receive(bytes, bound::Subtype::of(pg_oid)?);
    }
    if let Some(range) = multirange_of(pg_oid) {
        return multirange::receive(bytes, bound::Subtype::of(range)?);
    }
    match pg_oid {
        oid::TIMETZ => time_zone::receive(bytes),
        oid::INET | oid::CIDR => network::receive(bytes, pg_oid),
        oid::MACADDR => hardware::receive(bytes, 6),
        oid::MACADDR8 => hardware::receive(bytes, 8),
        oid::NUMERIC => number::receive(bytes),
        oid::DATE => date::receive(bytes),
        _ => Err(unsupported(pg_oid)),
    }
}

/// Appends a value in PostgreSQL's binary form, as the send function of the type writes it.
///
/// # Errors
/// The bytes are not a value of the type.
pub fn send(out: &mut BytesMut, kept: &[u8], pg_oid: u32) -> Result<()> {
    if range_of(pg_oid).is_some() {
        return range::send(out, kept, bound::Subtype::of(pg_oid)?);
    }
    if let Some(range) = multirange_of(pg_oid) {
        return multirange::send(out, kept, bound::Subtype::of(range)?);
    }
    match pg_oid {
        oid::TIMETZ => time_zone::send(out, kept),
        oid::INET | oid::CIDR => network::send(out, kept, pg_oid),
        oid::MACADDR | oid::MACADDR8 => {
            out.extend_from_slice(kept);
            Ok(())
        }
        oid::NUMERIC => number::send(out, kept),
        oid::DATE => date::send(out, kept),
        _ => Err(unsupported(pg_oid)),
    }
}

/// A number as [`from_text`] keeps it, if no decimal of Arrow's holds it as it is.
pub fn beyond_decimals(text: &str) -> Option<Result<Vec<u8>>> {
    number::beyond_decimals(text).then(|| number::from_text(text))
}

/// Whether a numeric in binary is a number: neither NaN nor infinite.
pub fn is_number(bytes: &[u8]) -> bool {
    number::is_number(bytes)
}

/// The bytes of a time of day with its zone, rounded to a fraction of a second.
pub(super) fn round_time(kept: &[u8], round: impl Fn(i64) -> i64) -> Result<Vec<u8>> {
    time_zone::rounded(kept, round)
}

fn unsupported(pg_oid: u32) -> Error {
    Error::unsupported(format!("a value of type {}", name_of(pg_oid)))
}

/// Bytes that are not what their type's are.
fn damaged() -> Error {
    Error::internal(std::io::Error::other(
        "a kept value has other bytes than its type",
    ))
}

/// Binary input that its type's receive function refuses.
fn bad_binary(what: &str) -> Error {
    Error::new(ErrorKind::InvalidBinaryRepresentation, what)
}

fn too_short() -> Error {
    Error::new(
        ErrorKind::ProtocolViolation,
        "insufficient data left in message",
    )
}

/// Takes bytes off the start of what is left.
fn take<'a>(left: &mut &'a [u8], n_bytes: usize) -> Option<&'a [u8]> {
    let (taken, rest) = left.split_at_checked(n_bytes)?;
    *left = rest;
    Some(taken)
}

#[cfg(test)]
mod tests;
