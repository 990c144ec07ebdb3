//! PostgreSQL's binary forms, decoded into columns of Arrow: a block of rows at a time, column by column.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, SchemaRef,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, UInt32Type,
};
use bytes::Buf;

use super::columns::{Booleans, Fixed, Lists, Texts, fixed};
use super::fields::{Fields, Sent};
use super::numeric;
use crate::error::{Error, ErrorKind, Remote, Result};
use crate::sources::warehouse::batch::of_columns;
use crate::sources::warehouse::{KeptValues, RemoteQuery};
use crate::types::{self, oid};

/// Days and microseconds from 1970-01-01, Arrow's epoch, to 2000-01-01, PostgreSQL's.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Days since 1970 that can be computed with, as the input of dates has them.
const DAYS: std::ops::RangeInclusive<i32> = -2_440_588..=95_026_236;

/// Decodes the rows of one query.
pub(super) struct Decoder {
    columns: Vec<Column>,
}

/// A column that is being made.
struct Column {
    name: String,
    values: Values,
}

/// The values of a column, by how they are read.
pub(super) enum Values {
    Bool(Booleans),
    Int2(Fixed<Int16Type>),
    Int4(Fixed<Int32Type>),
    Int8(Fixed<Int64Type>),
    Oid(Fixed<UInt32Type>),
    Float4(Fixed<Float32Type>),
    Float8(Fixed<Float64Type>),
    Decimal128(Fixed<Decimal128Type>, u8, i8),
    Decimal256(Fixed<Decimal256Type>, u8, i8),
    Text(Texts),
    Uuid(Texts),
    Jsonb(Texts),
    Bytes(Texts),
    Date(Fixed<Date32Type>),
    Time(Fixed<Time64MicrosecondType>),
    Timestamp(Fixed<TimestampMicrosecondType>),
    Interval(Fixed<IntervalMonthDayNanoType>),
    Kept(Texts, u32, KeptValues),
    List(Box<Lists>),
}

impl Decoder {
    /// For the columns of a query.
    ///
    /// # Errors
    /// A fault of ours: a column of a type that is not read.
    pub(super) fn new(query: &RemoteQuery, kept: KeptValues) -> Result<Self> {
        let columns = query.columns.iter().map(|column| {
            let field = &column.field;
            let of = types::of_field(field).oid;
            Ok(Column {
                name: field.name().clone(),
                values: Values::new(field.data_type(), of, kept)?,
            })
        });
        Ok(Self {
            columns: columns.collect::<Result<_>>()?,
        })
    }

    /// Takes rows, whose values were found in a block.
    ///
    /// # Errors
    /// A value that its column cannot hold, with its name.
    pub(super) fn take(&mut self, fields: &Fields, block: &[u8]) -> Result<()> {
        for (index, column) in self.columns.iter_mut().enumerate() {
            let taken = column.values.take(fields.of_column(index, block));
            taken.map_err(|error| in_column(error, &column.name))?;
        }
        Ok(())
    }

    /// The rows that were taken.
    ///
    /// # Errors
    /// A text that is none; a NULL in a column that has none.
    pub(super) fn batch(&mut self, schema: &SchemaRef, n_rows: usize) -> Result<RecordBatch> {
        let columns = self.columns.iter_mut().zip(schema.fields());
        let columns = columns.map(|(column, field)| {
            let made = column.values.finish(field.data_type());
            made.map_err(|error| in_column(error, &column.name))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        of_columns(schema, columns, n_rows)
    }
}

fn in_column(error: Error, column: &str) -> Error {
    let place = format!("In column \"{column}\".");
    let detail = match error.detail() {
        Some(detail) => format!("{detail} {place}"),
        None => place,
    };
    error.with_detail(detail)
}

pub(super) fn damaged() -> Error {
    Error::new(
        ErrorKind::Remote(Remote::Failed),
        "a value was sent as what it is not",
    )
}

impl Values {
    /// None, of a column of this type, that of PostgreSQL being `of`.
    ///
    /// # Errors
    /// A fault of ours: a type that is not read.
    pub(super) fn new(data_type: &DataType, of: u32, kept: KeptValues) -> Result<Self> {
        Ok(match (data_type, of) {
            (DataType::Boolean, _) => Self::Bool(Booleans::default()),
            (DataType::Int16, _) => Self::Int2(Fixed::new()),
            (DataType::Int32, _) => Self::Int4(Fixed::new()),
            (DataType::Int64, _) => Self::Int8(Fixed::new()),
            (DataType::UInt32, _) => Self::Oid(Fixed::new()),
            (DataType::Float32, _) => Self::Float4(Fixed::new()),
            (DataType::Float64, _) => Self::Float8(Fixed::new()),
            (DataType::Decimal128(precision, scale), _) => {
                Self::Decimal128(Fixed::new(), *precision, *scale)
            }
            (DataType::Decimal256(precision, scale), _) => {
                Self::Decimal256(Fixed::new(), *precision, *scale)
            }
            (DataType::Utf8, oid::UUID) => Self::Uuid(Texts::new()),
            (DataType::Utf8, oid::JSONB) => Self::Jsonb(Texts::new()),
            (DataType::Utf8, _) => Self::Text(Texts::new()),
            (DataType::Binary, oid::BYTEA) => Self::Bytes(Texts::new()),
            (DataType::Binary, of) => Self::Kept(Texts::new(), of, kept),
            (DataType::Date32, _) => Self::Date(Fixed::new()),
            (DataType::Time64(TimeUnit::Microsecond), _) => Self::Time(Fixed::new()),
            (DataType::Timestamp(TimeUnit::Microsecond, _), _) => Self::Timestamp(Fixed::new()),
            (DataType::Interval(_), _) => Self::Interval(Fixed::new()),
            (DataType::List(element), array) => {
                let of = types::element_of(array).unwrap_or(oid::TEXT);
                let values = Self::new(element.data_type(), of, kept)?;
                Self::List(Box::new(Lists::new(Arc::clone(element), values)))
            }
            (other, _) => return Err(Error::unsupported(format!("reading {other} by COPY"))),
        })
    }

    /// Takes the values of some rows.
    ///
    /// # Errors
    /// One that the column cannot hold.
    pub(super) fn take(&mut self, sent: Sent<'_>) -> Result<()> {
        match self {
            Self::Bool(values) => values.take(sent),
            Self::Int2(values) => values.take(sent, |bytes| Ok(i16::from_be_bytes(bytes))),
            Self::Int4(values) => values.take(sent, |bytes| Ok(i32::from_be_bytes(bytes))),
            Self::Int8(values) => values.take(sent, |bytes| Ok(i64::from_be_bytes(bytes))),
            Self::Oid(values) => values.take(sent, |bytes| Ok(u32::from_be_bytes(bytes))),
            Self::Float4(values) => values.take(sent, |bytes| Ok(f32::from_be_bytes(bytes))),
            Self::Float8(values) => values.take(sent, |bytes| Ok(f64::from_be_bytes(bytes))),
            Self::Decimal128(values, precision, scale) => {
                let (precision, scale) = (*precision, *scale);
                values.take_all(sent, |bytes| numeric::decimal128(bytes, precision, scale))
            }
            Self::Decimal256(values, precision, scale) => {
                let (precision, scale) = (*precision, *scale);
                values.take_all(sent, |bytes| numeric::decimal256(bytes, precision, scale))
            }
            Self::Text(values) | Self::Bytes(values) => values.take(sent),
            Self::Uuid(values) => values.take_as(sent, |bytes| Ok(uuid(fixed(bytes)?))),
            Self::Jsonb(values) => values.take_as(sent, |bytes| match bytes.split_first() {
                Some((1, text)) => Ok(text),
                _ => Err(Error::unsupported("this version of jsonb's binary format")),
            }),
            Self::Date(values) => values.take(sent, |bytes| date(i32::from_be_bytes(bytes))),
            Self::Time(values) => values.take(sent, |bytes| Ok(i64::from_be_bytes(bytes))),
            Self::Timestamp(values) => {
                values.take(sent, |bytes| instant(i64::from_be_bytes(bytes)))
            }
            Self::Interval(values) => values.take(sent, interval),
            Self::Kept(values, of, kept) => {
                let of = *of;
                values.take_as(sent, |bytes| (kept.receive)(bytes, of))
            }
            Self::List(lists) => lists.take(sent),
        }
    }

    /// The values so far, under the type that the column has.
    ///
    /// # Errors
    /// A text that is none.
    pub(super) fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef> {
        Ok(match self {
            Self::Bool(values) => values.finish(),
            Self::Int2(values) => values.finish(data_type),
            Self::Int4(values) => values.finish(data_type),
            Self::Int8(values) => values.finish(data_type),
            Self::Oid(values) => values.finish(data_type),
            Self::Float4(values) => values.finish(data_type),
            Self::Float8(values) => values.finish(data_type),
            Self::Decimal128(values, ..) => values.finish(data_type),
            Self::Decimal256(values, ..) => values.finish(data_type),
            Self::Text(values) | Self::Uuid(values) | Self::Jsonb(values) => values.texts()?,
            Self::Bytes(values) | Self::Kept(values, ..) => values.binaries()?,
            Self::Date(values) => values.finish(data_type),
            Self::Time(values) => values.finish(data_type),
            Self::Timestamp(values) => values.finish(data_type),
            Self::Interval(values) => values.finish(data_type),
            Self::List(lists) => lists.finish()?,
        })
    }
}

fn uuid(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    text
}

fn date(days: i32) -> Result<i32> {
    let days = days
        .checked_add(EPOCH_DAYS)
        .filter(|days| DAYS.contains(days));
    days.ok_or_else(|| {
        Error::unsupported("an infinite date, or one behind the last timestamp,").with_hint(
            "Leave it out by a condition on the column, or read it in a view of the server's.",
        )
    })
}

/// The ends of the range are the infinities, here and there.
fn instant(micros: i64) -> Result<i64> {
    match micros {
        i64::MIN | i64::MAX => Ok(micros),
        micros => micros.checked_add(EPOCH_MICROS).ok_or_else(|| {
            let message = "timestamp out of range";
            Error::new(ErrorKind::DatetimeFieldOverflow, message)
        }),
    }
}

fn interval(bytes: [u8; 16]) -> Result<IntervalMonthDayNano> {
    let mut left = bytes.as_slice();
    let (micros, days, months) = (left.get_i64(), left.get_i32(), left.get_i32());
    let nanos = micros.checked_mul(1000).ok_or_else(|| {
        let message = "interval out of range";
        Error::new(ErrorKind::DatetimeFieldOverflow, message)
    })?;
    Ok(IntervalMonthDayNano::new(months, days, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_that_can_be_computed_with() {
        assert_eq!(date(0).ok(), Some(EPOCH_DAYS));
        assert!(date(i32::MAX).is_err() && date(i32::MIN).is_err());
    }
}
