//! One value at a time in binary: every type, at any length. Short values of plain types have a
//! faster way.

use bytes::{BufMut, BytesMut};

use super::{array, numeric};
use crate::error::{Error, ErrorKind, Limit, Result};
use crate::functions::kept;
use crate::functions::output::{
    Interval, Record, Values, date_binary, interval_of, timestamp_binary,
};
use crate::types::oid;

/// Appends what `write` writes, and its length before it.
pub(super) fn with_length(
    out: &mut BytesMut,
    write: impl FnOnce(&mut BytesMut) -> Result<()>,
) -> Result<()> {
    let at = out.len();
    out.put_i32(0);
    write(out)?;
    set_length(out, at, 4)
}

/// Sets the length field at `at` to the bytes behind it, less `n_uncounted`.
pub(in crate::wire) fn set_length(out: &mut BytesMut, at: usize, n_uncounted: usize) -> Result<()> {
    let length = i32::try_from(out.len() - at - n_uncounted).map_err(|_| {
        Error::new(
            ErrorKind::LimitExceeded(Limit::Configuration),
            "row is too long: no message may have 2 GiB",
        )
    })?;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Appends a value that is not null, as PostgreSQL's send function does.
pub(super) fn binary_value(
    out: &mut BytesMut,
    values: &Values,
    row: usize,
    pg_oid: u32,
) -> Result<()> {
    match values {
        Values::Null => {}
        Values::Bool(array) => out.put_u8(u8::from(array.value(row))),
        Values::Int2(array) => out.put_i16(array.value(row)),
        Values::Int4(array) => out.put_i32(array.value(row)),
        Values::Int8(array) | Values::Time(array) => out.put_i64(array.value(row)),
        Values::Oid(array) => out.put_u32(array.value(row)),
        Values::Float4(array) => out.put_f32(array.value(row)),
        Values::Float8(array) => out.put_f64(array.value(row)),
        Values::Decimal128(array, scale) => numeric::binary(out, array.value(row), *scale),
        Values::Decimal256(array, scale) => numeric::binary(out, array.value(row), *scale),
        Values::Date(array) => {
            out.put_i32(in_range(date_binary(array.value(row)), "date")?);
        }
        Values::Timestamp(array) | Values::Timestamptz(array) => {
            out.put_i64(in_range(timestamp_binary(array.value(row)), "timestamp")?);
        }
        Values::Interval(_) | Values::Duration(_) => {
            interval(out, interval_of(values, row));
        }
        Values::Text(array) => binary_text(out, array.value(row), pg_oid)?,
        Values::LargeText(array) => binary_text(out, array.value(row), pg_oid)?,
        Values::TextView(array) => binary_text(out, array.value(row), pg_oid)?,
        Values::Bytes(array) => out.put_slice(array.value(row)),
        Values::LargeBytes(array) => out.put_slice(array.value(row)),
        Values::BytesView(array) => out.put_slice(array.value(row)),
        Values::FixedBytes(array) => out.put_slice(array.value(row)),
        Values::Kept(array, kept_oid) => kept::send(out, array.value(row), *kept_oid)?,
        Values::List(list) => array::binary(out, list, row)?,
        Values::Record(fields) => record(out, fields, row)?,
    }
    Ok(())
}

fn in_range<T>(value: Option<T>, type_name: &str) -> Result<T> {
    value.ok_or_else(|| {
        Error::new(
            ErrorKind::NumericValueOutOfRange,
            format!("{type_name} out of range"),
        )
    })
}

/// A few types that Lakegate keeps as text are not sent as text.
fn binary_text(out: &mut BytesMut, text: &str, pg_oid: u32) -> Result<()> {
    match pg_oid {
        oid::JSONB => {
            // The version of the format.
            out.put_u8(1);
            out.put_slice(text.as_bytes());
        }
        oid::CHAR => out.put_u8(text.bytes().next().unwrap_or(0)),
        oid::UUID => {
            let mut nibbles = text.bytes().filter(|byte| *byte != b'-');
            for _ in 0..16 {
                let byte = nibbles.next().zip(nibbles.next()).and_then(|(high, low)| {
                    let digit = |byte: u8| char::from(byte).to_digit(16);
                    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
                });
                out.put_u8(byte.ok_or_else(|| {
                    Error::new(
                        ErrorKind::InvalidTextRepresentation,
                        format!("invalid input syntax for type uuid: \"{text}\""),
                    )
                })?);
            }
        }
        _ => out.put_slice(text.as_bytes()),
    }
    Ok(())
}

/// As `record_send`.
fn record(out: &mut BytesMut, record: &Record, row: usize) -> Result<()> {
    out.put_i32(i32::try_from(record.fields.len()).map_err(Error::internal)?);
    for (pg_oid, values) in &record.fields {
        out.put_u32(*pg_oid);
        match values.is_null(row) {
            true => out.put_i32(-1),
            false => with_length(out, |out| binary_value(out, values, row, *pg_oid))?,
        }
    }
    Ok(())
}

/// As `interval_send`.
fn interval(out: &mut BytesMut, interval: Interval) {
    out.put_i64(interval.micros);
    out.put_i32(interval.days);
    out.put_i32(interval.months);
}
