//! The values at the ends of ranges, each kept in the order of its type.

use bytes::{BufMut, BytesMut};

use super::{damaged, date, number, take, too_short};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::input::{any_date, value};
use crate::functions::output::{Style, date as date_text, timestamp, timestamptz};
use crate::types::{oid, range_of};
use datafusion::common::ScalarValue;

/// The type of what a range's ends are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subtype {
    Int4,
    Int8,
    Numeric,
    Date,
    Timestamp,
    Timestamptz,
}

/// Microseconds from 1970-01-01 to 2000-01-01.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

impl Subtype {
    /// That of a range type.
    pub(super) fn of(range: u32) -> Result<Self> {
        match range_of(range) {
            Some(oid::INT4) => Ok(Self::Int4),
            Some(oid::INT8) => Ok(Self::Int8),
            Some(oid::NUMERIC) => Ok(Self::Numeric),
            Some(oid::DATE) => Ok(Self::Date),
            Some(oid::TIMESTAMP) => Ok(Self::Timestamp),
            Some(oid::TIMESTAMPTZ) => Ok(Self::Timestamptz),
            _ => Err(super::unsupported(range)),
        }
    }

    /// Reads a value's text.
    pub(super) fn read(self, text: &str, style: &Style) -> Result<Vec<u8>> {
        match self {
            Self::Numeric => number::from_text(text),
            Self::Date => any_date(text, style).map(|days| four(date::days_of_2000(days))),
            Self::Int4 => self.keep(&value(text, oid::INT4, style)?),
            Self::Int8 => self.keep(&value(text, oid::INT8, style)?),
            Self::Timestamp => self.keep(&value(text, oid::TIMESTAMP, style)?),
            Self::Timestamptz => self.keep(&value(text, oid::TIMESTAMPTZ, style)?),
        }
    }

    /// A value that is not null. Numerics are those of Arrow's, or kept ones.
    pub(super) fn keep(self, value: &ScalarValue) -> Result<Vec<u8>> {
        match (self, value) {
            (Self::Int4, ScalarValue::Int32(Some(value))) => Ok(four(*value)),
            (Self::Int8, ScalarValue::Int64(Some(value))) => Ok(eight(*value)),
            (Self::Date, ScalarValue::Date32(Some(days))) => Ok(four(date::days_of_2000(*days))),
            (Self::Date | Self::Numeric, ScalarValue::Binary(Some(kept))) => Ok(kept.clone()),
            (
                Self::Timestamp | Self::Timestamptz,
                ScalarValue::TimestampMicrosecond(Some(micros), _),
            ) => of_1970(*micros).map(eight),
            (Self::Numeric, number) => number::from_text(&number.to_string()),
            _ => Err(damaged()),
        }
    }

    /// Takes a kept value off the start of bytes.
    pub(super) fn take<'a>(self, left: &mut &'a [u8]) -> Result<&'a [u8]> {
        match self {
            Self::Numeric => number::take_kept(left),
            Self::Int4 | Self::Date => take(left, 4).ok_or_else(damaged),
            Self::Int8 | Self::Timestamp | Self::Timestamptz => take(left, 8).ok_or_else(damaged),
        }
    }

    /// Appends a kept value's text.
    pub(super) fn text(self, out: &mut BytesMut, kept: &[u8], style: &Style) -> Result<()> {
        match self {
            Self::Numeric => number::text(out, kept)?,
            Self::Int4 => out.put_slice(of_four(kept)?.to_string().as_bytes()),
            Self::Int8 => out.put_slice(of_eight(kept)?.to_string().as_bytes()),
            Self::Date => date_text(out, date::days_of_1970(of_four(kept)?), style),
            Self::Timestamp => timestamp(out, since_1970(of_eight(kept)?), style),
            Self::Timestamptz => timestamptz(out, since_1970(of_eight(kept)?), style),
        }
        Ok(())
    }

    /// Reads a value's binary form.
    pub(super) fn receive(self, bytes: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Numeric => number::receive(bytes),
            Self::Int4 | Self::Date => match <[u8; 4]>::try_from(bytes) {
                Ok(bytes) => Ok(four(i32::from_be_bytes(bytes))),
                Err(_) => Err(too_short()),
            },
            Self::Int8 | Self::Timestamp | Self::Timestamptz => match <[u8; 8]>::try_from(bytes) {
                Ok(bytes) => Ok(eight(i64::from_be_bytes(bytes))),
                Err(_) => Err(too_short()),
            },
        }
    }

    /// Appends a kept value in binary.
    pub(super) fn send(self, out: &mut BytesMut, kept: &[u8]) -> Result<()> {
        match self {
            Self::Numeric => number::send(out, kept)?,
            Self::Int4 | Self::Date => out.put_i32(of_four(kept)?),
            Self::Int8 | Self::Timestamp | Self::Timestamptz => out.put_i64(of_eight(kept)?),
        }
        Ok(())
    }

    /// The value after this one, of types that have such: ranges of them are written with the first
    /// value and the one after the last (`int4range_canonical`). `None` of other types, and of
    /// infinite dates.
    ///
    /// # Errors
    /// There is none after it.
    pub(super) fn next(self, kept: &[u8]) -> Result<Option<Vec<u8>>> {
        let none = |name: &str| {
            let message = format!("{name} out of range");
            Error::new(ErrorKind::NumericValueOutOfRange, message)
        };
        Ok(Some(match self {
            Self::Int4 => four(
                of_four(kept)?
                    .checked_add(1)
                    .ok_or_else(|| none("integer"))?,
            ),
            Self::Int8 => eight(
                of_eight(kept)?
                    .checked_add(1)
                    .ok_or_else(|| none("bigint"))?,
            ),
            Self::Date => match of_four(kept)? {
                i32::MIN | i32::MAX => return Ok(None),
                days => four(days + 1),
            },
            Self::Numeric | Self::Timestamp | Self::Timestamptz => return Ok(None),
        }))
    }
}

/// Microseconds since 2000; the infinities stay what they are.
fn of_1970(micros: i64) -> Result<i64> {
    match micros {
        i64::MIN | i64::MAX => Ok(micros),
        _ => micros.checked_sub(EPOCH_MICROS).ok_or_else(damaged),
    }
}

fn since_1970(micros: i64) -> i64 {
    match micros {
        i64::MIN | i64::MAX => micros,
        _ => micros.saturating_add(EPOCH_MICROS),
    }
}

/// With the sign bit turned, so that bytes compare as the numbers do.
fn four(value: i32) -> Vec<u8> {
    (value ^ i32::MIN).to_be_bytes().to_vec()
}

fn eight(value: i64) -> Vec<u8> {
    (value ^ i64::MIN).to_be_bytes().to_vec()
}

fn of_four(kept: &[u8]) -> Result<i32> {
    let bytes = <[u8; 4]>::try_from(kept).map_err(|_| damaged())?;
    Ok(i32::from_be_bytes(bytes) ^ i32::MIN)
}

fn of_eight(kept: &[u8]) -> Result<i64> {
    let bytes = <[u8; 8]>::try_from(kept).map_err(|_| damaged())?;
    Ok(i64::from_be_bytes(bytes) ^ i64::MIN)
}
