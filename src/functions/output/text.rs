//! One value at a time as text: every type, at any length.

use bytes::{BufMut, BytesMut};

use super::interval::Interval;
use super::style::{BytesNotation, Style};
use super::values::Values;
use super::{array, datetime, interval, number, numeric, record};
use crate::error::Result;
use crate::functions::kept;

/// Appends a value that is not null, as PostgreSQL's output function does.
///
/// # Errors
/// A value that PostgreSQL's type cannot hold.
pub fn text_value(out: &mut BytesMut, values: &Values, row: usize, style: &Style) -> Result<()> {
    match values {
        Values::Null => {}
        Values::Bool(array) => out.put_u8(if array.value(row) { b't' } else { b'f' }),
        Values::Int2(array) => number::integer(out, array.value(row)),
        Values::Int4(array) => number::integer(out, array.value(row)),
        Values::Int8(array) => number::integer(out, array.value(row)),
        Values::Oid(array) => number::integer(out, array.value(row)),
        Values::Float4(array) => {
            number::float4(out, array.value(row), style.notation.extra_float_digits)
        }
        Values::Float8(array) => {
            number::float8(out, array.value(row), style.notation.extra_float_digits)
        }
        Values::Decimal128(array, scale) => numeric::text(out, array.value(row), *scale),
        Values::Decimal256(array, scale) => numeric::text(out, array.value(row), *scale),
        Values::Date(array) => datetime::date(out, array.value(row), style),
        Values::Time(array) => datetime::time(out, array.value(row)),
        Values::Timestamp(array) => datetime::timestamp(out, array.value(row), style),
        Values::Timestamptz(array) => datetime::timestamptz(out, array.value(row), style),
        Values::Interval(_) | Values::Duration(_) => {
            interval::text(out, interval_of(values, row), style.notation.intervals);
        }
        Values::Text(array) => out.put_slice(array.value(row).as_bytes()),
        Values::LargeText(array) => out.put_slice(array.value(row).as_bytes()),
        Values::TextView(array) => out.put_slice(array.value(row).as_bytes()),
        Values::Bytes(array) => bytes(out, array.value(row), style),
        Values::LargeBytes(array) => bytes(out, array.value(row), style),
        Values::BytesView(array) => bytes(out, array.value(row), style),
        Values::FixedBytes(array) => bytes(out, array.value(row), style),
        Values::Kept(array, pg_oid) => kept::text(out, array.value(row), *pg_oid, style)?,
        Values::List(list) => array::text(out, list, row, style)?,
        Values::Record(record) => record::text(out, record, row, style)?,
    }
    Ok(())
}

/// The interval of a row of intervals or durations.
pub fn interval_of(values: &Values, row: usize) -> Interval {
    match values {
        Values::Interval(array) => {
            let value = array.value(row);
            Interval {
                months: value.months,
                days: value.days,
                micros: value.nanoseconds / 1000,
            }
        }
        Values::Duration(array) => Interval {
            months: 0,
            days: 0,
            micros: array.value(row),
        },
        _ => Interval {
            months: 0,
            days: 0,
            micros: 0,
        },
    }
}

fn bytes(out: &mut BytesMut, bytes: &[u8], style: &Style) {
    match style.notation.bytes {
        BytesNotation::Hex => hex(out, bytes),
        BytesNotation::Escape => escaped(out, bytes),
    }
}

/// As `byteaout` with `bytea_output = escape`.
fn escaped(out: &mut BytesMut, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'\\' => out.put_slice(b"\\\\"),
            b' '..=b'~' => out.put_u8(*byte),
            _ => {
                let digits = [byte >> 6, byte >> 3 & 7, byte & 7];
                out.put_u8(b'\\');
                digits.iter().for_each(|digit| out.put_u8(b'0' + digit));
            }
        }
    }
}

fn hex(out: &mut BytesMut, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 + 2 * bytes.len());
    out.put_slice(b"\\x");
    for byte in bytes {
        out.put_u8(DIGITS[usize::from(byte >> 4)]);
        out.put_u8(DIGITS[usize::from(byte & 15)]);
    }
}
