//! Parameters in PostgreSQL's binary forms.

use ::bytes::Buf;
use arrow::datatypes::IntervalMonthDayNano;
use datafusion::common::ScalarValue;

use crate::error::{Error, ErrorKind};
use crate::functions::input::{
    Digits, is_plain_date, is_text, null, of_numerics, of_values, unsupported,
};
use crate::functions::json::{self, Flavour};
use crate::functions::kept;
use crate::types::{self, element_of, oid};
use crate::wire::failure::Failure;
use crate::wire::message::checked_utf8;

/// PostgreSQL's MAXDIM.
const DIMENSIONS_MAX: usize = 6;

/// Days and microseconds from 1970-01-01, Arrow's epoch, to 2000-01-01, PostgreSQL's.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A value from its binary form. `number` is n of `$n`.
pub(super) fn value(bytes: &[u8], pg_oid: u32, number: usize) -> Result<ScalarValue, Failure> {
    let mut reader = Reader(bytes);
    let value = match element_of(pg_oid) {
        Some(element) => list(&mut reader, element)?,
        None => scalar(&mut reader, pg_oid)?,
    };
    if reader.0.is_empty() {
        return Ok(value);
    }
    Err(Error::new(
        ErrorKind::InvalidBinaryRepresentation,
        format!("incorrect binary data format in bind parameter {number}"),
    )
    .into())
}

fn scalar(reader: &mut Reader<'_>, pg_oid: u32) -> Result<ScalarValue, Failure> {
    if pg_oid == oid::JSON {
        let text = checked_utf8(reader.rest())?;
        let text = json::read(text, Flavour::Json)?;
        return Ok(ScalarValue::Utf8(Some(text)));
    }
    if is_text(pg_oid) {
        let text = checked_utf8(reader.rest())?;
        return Ok(ScalarValue::Utf8(Some(text.to_owned())));
    }
    Ok(match pg_oid {
        oid::BOOL => ScalarValue::Boolean(Some(reader.take(1)?.get_u8() != 0)),
        oid::INT2 => ScalarValue::Int16(Some(reader.take(2)?.get_i16())),
        oid::INT4 => ScalarValue::Int32(Some(reader.take(4)?.get_i32())),
        oid::INT8 => ScalarValue::Int64(Some(reader.take(8)?.get_i64())),
        oid::OID | oid::XID | oid::REGPROC | oid::REGCLASS | oid::REGTYPE | oid::REGNAMESPACE => {
            ScalarValue::UInt32(Some(reader.take(4)?.get_u32()))
        }
        oid::FLOAT4 => ScalarValue::Float32(Some(reader.take(4)?.get_f32())),
        oid::FLOAT8 => ScalarValue::Float64(Some(reader.take(8)?.get_f64())),
        kept_oid if types::is_kept(kept_oid) => {
            ScalarValue::Binary(Some(kept::receive(reader.rest(), kept_oid)?))
        }
        oid::NUMERIC => number(reader)?,
        oid::BYTEA => ScalarValue::Binary(Some(reader.rest().to_vec())),
        oid::UUID => ScalarValue::Utf8(Some(uuid(reader.take(16)?))),
        oid::JSONB => {
            if reader.take(1)?.get_u8() != 1 {
                return Err(Error::unsupported("this version of jsonb's binary format").into());
            }
            let text = json::read(checked_utf8(reader.rest())?, Flavour::Jsonb)?;
            ScalarValue::Utf8(Some(text))
        }
        oid::DATE => {
            let bytes = reader.take(4)?;
            let days = (&mut &*bytes).get_i32().checked_add(EPOCH_DAYS);
            match days.filter(|days| is_plain_date(*days)) {
                Some(days) => ScalarValue::Date32(Some(days)),
                None => ScalarValue::Binary(Some(kept::receive(bytes, oid::DATE)?)),
            }
        }
        oid::TIME => ScalarValue::Time64Microsecond(Some(reader.take(8)?.get_i64())),
        oid::TIMESTAMP => ScalarValue::TimestampMicrosecond(Some(instant(reader)?), None),
        oid::TIMESTAMPTZ => {
            ScalarValue::TimestampMicrosecond(Some(instant(reader)?), Some("UTC".into()))
        }
        oid::INTERVAL => {
            let mut bytes = reader.take(16)?;
            let (micros, days, months) = (bytes.get_i64(), bytes.get_i32(), bytes.get_i32());
            let nanos = micros
                .checked_mul(1000)
                .ok_or_else(|| out_of_range("interval"))?;
            let interval = IntervalMonthDayNano::new(months, days, nanos);
            ScalarValue::IntervalMonthDayNano(Some(interval))
        }
        _ => return Err(unsupported(pg_oid).into()),
    })
}

/// The ends of the range are PostgreSQL's infinities.
fn instant(reader: &mut Reader<'_>) -> Result<i64, Failure> {
    match reader.take(8)?.get_i64() {
        infinity @ (i64::MIN | i64::MAX) => Ok(infinity),
        micros => micros
            .checked_add(EPOCH_MICROS)
            .ok_or_else(|| out_of_range("timestamp")),
    }
}

fn out_of_range(type_name: &str) -> Failure {
    Error::new(
        ErrorKind::DatetimeFieldOverflow,
        format!("{type_name} out of range"),
    )
    .into()
}

/// A numeric as a decimal, if one holds it.
fn number(reader: &mut Reader<'_>) -> Result<ScalarValue, Failure> {
    let bytes = reader.rest();
    let digits = match kept::is_number(bytes) {
        true => numeric(&mut Reader(bytes))?.into_scalar().ok(),
        false => None,
    };
    Ok(match digits {
        Some(value) => value,
        None => ScalarValue::Binary(Some(kept::receive(bytes, oid::NUMERIC)?)),
    })
}

/// As `numeric_recv`, of numbers.
fn numeric(reader: &mut Reader<'_>) -> Result<Digits, Failure> {
    let mut head = reader.take(8)?;
    let (n_groups, weight) = (head.get_u16(), head.get_i16());
    let (sign, scale) = (head.get_u16(), head.get_u16());
    let mut bytes = reader.take(2 * usize::from(n_groups))?;
    let groups: Vec<i16> = (0..n_groups).map(|_| bytes.get_i16()).collect();
    let is_negative = match sign {
        0 => false,
        0x4000 => true,
        _ => return Err(bad_numeric("sign")),
    };
    if !groups.iter().all(|group| (0..10_000).contains(group)) {
        return Err(bad_numeric("digit"));
    }
    Ok(Digits::of_groups(&groups, weight, is_negative, scale))
}

fn bad_numeric(part: &str) -> Failure {
    Error::new(
        ErrorKind::InvalidBinaryRepresentation,
        format!("invalid {part} in external \"numeric\" value"),
    )
    .into()
}

fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// As `array_recv`.
fn list(reader: &mut Reader<'_>, element: u32) -> Result<ScalarValue, Failure> {
    let mut head = reader.take(12)?;
    let (n_dimensions, _has_null, sent) = (head.get_i32(), head.get_i32(), head.get_u32());
    if sent != element {
        return Err(Error::new(
            ErrorKind::DatatypeMismatch,
            format!("binary data has array element type {sent} instead of expected {element}"),
        )
        .into());
    }
    let n_dimensions = usize::try_from(n_dimensions).ok();
    let Some(n_dimensions) = n_dimensions.filter(|n| *n <= DIMENSIONS_MAX) else {
        return Err(bad_array("number of dimensions"));
    };
    let mut lengths = Vec::with_capacity(n_dimensions);
    for _ in 0..n_dimensions {
        let length = usize::try_from(reader.take(8)?.get_i32());
        lengths.push(length.map_err(|_| bad_array("length"))?);
    }
    match lengths.as_slice() {
        [] => Ok(of_values(&[], element)?),
        lengths => dimension(reader, element, lengths),
    }
}

fn bad_array(part: &str) -> Failure {
    Error::new(
        ErrorKind::InvalidBinaryRepresentation,
        format!("invalid {part} of an array"),
    )
    .into()
}

/// The elements of one dimension; each is an array where there are more of them. Every element
/// takes bytes of what is left, so that no length makes more of them than were sent.
fn dimension(
    reader: &mut Reader<'_>,
    element: u32,
    lengths: &[usize],
) -> Result<ScalarValue, Failure> {
    let (length, inner) = lengths.split_first().expect("an array has a dimension");
    let mut values = Vec::new();
    if !inner.is_empty() {
        for _ in 0..*length {
            if reader.0.is_empty() {
                return Err(insufficient());
            }
            values.push(dimension(reader, element, inner)?);
        }
        return Ok(of_values(&values, element)?);
    }
    let mut numerics = Vec::new();
    let mut has_special = false;
    for _ in 0..*length {
        let bytes = match reader.take(4)?.get_i32() {
            -1 => None,
            length => {
                let length = usize::try_from(length).map_err(|_| insufficient())?;
                Some(reader.take(length)?)
            }
        };
        match (bytes, element) {
            (Some(bytes), oid::NUMERIC) if !kept::is_number(bytes) => {
                has_special = true;
                values.push(number(&mut Reader(bytes))?);
            }
            (bytes, oid::NUMERIC) => {
                let digits = bytes.map(|bytes| numeric(&mut Reader(bytes))).transpose()?;
                values.push(match bytes {
                    Some(bytes) => number(&mut Reader(bytes))?,
                    None => null(element)?,
                });
                numerics.push(digits);
            }
            (Some(bytes), _) => values.push(scalar(&mut Reader(bytes), element)?),
            (None, _) => values.push(null(element)?),
        }
    }
    Ok(match element {
        oid::NUMERIC if !has_special => of_numerics(numerics)?,
        _ => of_values(&values, element)?,
    })
}

/// The bytes of a value not yet read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n_bytes: usize) -> Result<&'a [u8], Failure> {
        let (taken, rest) = self.0.split_at_checked(n_bytes).ok_or_else(insufficient)?;
        self.0 = rest;
        Ok(taken)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

fn insufficient() -> Failure {
    Failure::protocol("insufficient data left in message")
}
