//! PostgreSQL's binary forms, decoded into columns of Arrow.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Builder, Decimal256Builder,
    IntervalMonthDayNanoBuilder, ListArray, PrimitiveBuilder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Field, Float32Type, Float64Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNano, SchemaRef, Time64MicrosecondType, TimeUnit,
    UInt32Type,
};
use bytes::Buf;

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
enum Values {
    Bool(BooleanBuilder),
    Int2(PrimitiveBuilder<Int16Type>),
    Int4(PrimitiveBuilder<Int32Type>),
    Int8(PrimitiveBuilder<Int64Type>),
    Oid(PrimitiveBuilder<UInt32Type>),
    Float4(PrimitiveBuilder<Float32Type>),
    Float8(PrimitiveBuilder<Float64Type>),
    Decimal128(Decimal128Builder, u8, i8),
    Decimal256(Decimal256Builder, u8, i8),
    Text(StringBuilder),
    Uuid(StringBuilder),
    Jsonb(StringBuilder),
    Bytes(BinaryBuilder),
    Date(PrimitiveBuilder<Date32Type>),
    Time(PrimitiveBuilder<Time64MicrosecondType>),
    Timestamp(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    Kept(BinaryBuilder, u32, KeptValues),
    List(Box<List>),
}

/// Lists that are being made.
struct List {
    element: Arc<Field>,
    values: Values,
    lengths: Vec<usize>,
    valid: Vec<bool>,
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

    /// Takes the fields of a row, each its length and its bytes, as they were found to be there.
    ///
    /// # Errors
    /// A value that its column cannot hold, with its name.
    pub(super) fn row(&mut self, mut fields: &[u8]) -> Result<()> {
        for column in &mut self.columns {
            let value = match usize::try_from(fields.get_i32()) {
                Err(_) => None,
                Ok(length) => {
                    let (value, rest) = fields.split_at(length);
                    fields = rest;
                    Some(value)
                }
            };
            let taken = match value {
                Some(value) => column.values.push(value),
                None => {
                    column.values.push_null();
                    Ok(())
                }
            };
            taken.map_err(|error| in_column(error, &column.name))?;
        }
        Ok(())
    }

    /// The rows that were taken.
    ///
    /// # Errors
    /// A NULL in a column that has none.
    pub(super) fn batch(&mut self, schema: &SchemaRef, n_rows: usize) -> Result<RecordBatch> {
        let columns = self.columns.iter_mut().zip(schema.fields());
        let columns = columns.map(|(column, field)| column.values.finish(field.data_type()));
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

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    <[u8; N]>::try_from(bytes).map_err(|_| damaged())
}

impl Values {
    fn new(data_type: &DataType, of: u32, kept: KeptValues) -> Result<Self> {
        Ok(match (data_type, of) {
            (DataType::Boolean, _) => Self::Bool(BooleanBuilder::new()),
            (DataType::Int16, _) => Self::Int2(PrimitiveBuilder::new()),
            (DataType::Int32, _) => Self::Int4(PrimitiveBuilder::new()),
            (DataType::Int64, _) => Self::Int8(PrimitiveBuilder::new()),
            (DataType::UInt32, _) => Self::Oid(PrimitiveBuilder::new()),
            (DataType::Float32, _) => Self::Float4(PrimitiveBuilder::new()),
            (DataType::Float64, _) => Self::Float8(PrimitiveBuilder::new()),
            (DataType::Decimal128(precision, scale), _) => {
                Self::Decimal128(Decimal128Builder::new(), *precision, *scale)
            }
            (DataType::Decimal256(precision, scale), _) => {
                Self::Decimal256(Decimal256Builder::new(), *precision, *scale)
            }
            (DataType::Utf8, oid::UUID) => Self::Uuid(StringBuilder::new()),
            (DataType::Utf8, oid::JSONB) => Self::Jsonb(StringBuilder::new()),
            (DataType::Utf8, _) => Self::Text(StringBuilder::new()),
            (DataType::Binary, oid::BYTEA) => Self::Bytes(BinaryBuilder::new()),
            (DataType::Binary, of) => Self::Kept(BinaryBuilder::new(), of, kept),
            (DataType::Date32, _) => Self::Date(PrimitiveBuilder::new()),
            (DataType::Time64(TimeUnit::Microsecond), _) => Self::Time(PrimitiveBuilder::new()),
            (DataType::Timestamp(TimeUnit::Microsecond, _), _) => {
                Self::Timestamp(TimestampMicrosecondBuilder::new())
            }
            (DataType::Interval(_), _) => Self::Interval(IntervalMonthDayNanoBuilder::new()),
            (DataType::List(element), array) => {
                let of = types::element_of(array).unwrap_or(oid::TEXT);
                Self::List(Box::new(List {
                    element: Arc::clone(element),
                    values: Self::new(element.data_type(), of, kept)?,
                    lengths: Vec::new(),
                    valid: Vec::new(),
                }))
            }
            (other, _) => return Err(Error::unsupported(format!("reading {other} by COPY"))),
        })
    }

    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Bool(values) => values.append_value(fixed::<1>(bytes)? != [0]),
            Self::Int2(values) => values.append_value(i16::from_be_bytes(fixed(bytes)?)),
            Self::Int4(values) => values.append_value(i32::from_be_bytes(fixed(bytes)?)),
            Self::Int8(values) => values.append_value(i64::from_be_bytes(fixed(bytes)?)),
            Self::Oid(values) => values.append_value(u32::from_be_bytes(fixed(bytes)?)),
            Self::Float4(values) => values.append_value(f32::from_be_bytes(fixed(bytes)?)),
            Self::Float8(values) => values.append_value(f64::from_be_bytes(fixed(bytes)?)),
            Self::Decimal128(values, precision, scale) => {
                values.append_value(numeric::decimal128(bytes, *precision, *scale)?);
            }
            Self::Decimal256(values, precision, scale) => {
                values.append_value(numeric::decimal256(bytes, *precision, *scale)?);
            }
            Self::Text(values) => values.append_value(utf8(bytes)?),
            Self::Uuid(values) => values.append_value(uuid(fixed(bytes)?)),
            Self::Jsonb(values) => match bytes.split_first() {
                Some((1, text)) => values.append_value(utf8(text)?),
                _ => return Err(Error::unsupported("this version of jsonb's binary format")),
            },
            Self::Bytes(values) => values.append_value(bytes),
            Self::Date(values) => values.append_value(date(i32::from_be_bytes(fixed(bytes)?))?),
            Self::Time(values) => values.append_value(i64::from_be_bytes(fixed(bytes)?)),
            Self::Timestamp(values) => {
                values.append_value(instant(i64::from_be_bytes(fixed(bytes)?))?);
            }
            Self::Interval(values) => values.append_value(interval(fixed(bytes)?)?),
            Self::Kept(values, of, kept) => values.append_value((kept.receive)(bytes, *of)?),
            Self::List(list) => list.push(bytes)?,
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match self {
            Self::Bool(values) => values.append_null(),
            Self::Int2(values) => null(values),
            Self::Int4(values) => null(values),
            Self::Int8(values) => null(values),
            Self::Oid(values) => null(values),
            Self::Float4(values) => null(values),
            Self::Float8(values) => null(values),
            Self::Decimal128(values, ..) => null(values),
            Self::Decimal256(values, ..) => null(values),
            Self::Text(values) | Self::Uuid(values) | Self::Jsonb(values) => values.append_null(),
            Self::Bytes(values) | Self::Kept(values, ..) => values.append_null(),
            Self::Date(values) => null(values),
            Self::Time(values) => null(values),
            Self::Timestamp(values) => null(values),
            Self::Interval(values) => null(values),
            Self::List(list) => {
                list.lengths.push(0);
                list.valid.push(false);
            }
        }
    }

    /// The values so far, under the type that the column has.
    fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef> {
        let made: ArrayRef = match self {
            Self::Bool(values) => ArrayBuilder::finish(values),
            Self::Int2(values) => ArrayBuilder::finish(values),
            Self::Int4(values) => ArrayBuilder::finish(values),
            Self::Int8(values) => ArrayBuilder::finish(values),
            Self::Oid(values) => ArrayBuilder::finish(values),
            Self::Float4(values) => ArrayBuilder::finish(values),
            Self::Float8(values) => ArrayBuilder::finish(values),
            Self::Decimal128(values, ..) => {
                Arc::new(values.finish().with_data_type(data_type.clone()))
            }
            Self::Decimal256(values, ..) => {
                Arc::new(values.finish().with_data_type(data_type.clone()))
            }
            Self::Text(values) | Self::Uuid(values) | Self::Jsonb(values) => {
                ArrayBuilder::finish(values)
            }
            Self::Bytes(values) | Self::Kept(values, ..) => ArrayBuilder::finish(values),
            Self::Date(values) => ArrayBuilder::finish(values),
            Self::Time(values) => ArrayBuilder::finish(values),
            Self::Timestamp(values) => Arc::new(values.finish().with_data_type(data_type.clone())),
            Self::Interval(values) => ArrayBuilder::finish(values),
            Self::List(list) => list.finish()?,
        };
        Ok(made)
    }
}

fn null<T: ArrowPrimitiveType>(values: &mut PrimitiveBuilder<T>) {
    values.append_null();
}

impl List {
    /// As `array_send`: dimensions, whether there are nulls, the type of the elements; of each
    /// dimension its length and its first subscript.
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let (mut head, mut left) = bytes.split_at_checked(12).ok_or_else(damaged)?;
        let n_dimensions = head.get_i32();
        if n_dimensions == 0 {
            self.lengths.push(0);
            self.valid.push(true);
            return Ok(());
        }
        let (mut dimension, rest) = left.split_at_checked(8).ok_or_else(damaged)?;
        let (length, first) = (dimension.get_i32(), dimension.get_i32());
        if n_dimensions != 1 || first != 1 {
            let what = "an array of several dimensions, or whose subscripts do not begin with 1,";
            return Err(Error::unsupported(what));
        }
        left = rest;
        let length = usize::try_from(length).map_err(|_| damaged())?;
        for _ in 0..length {
            if left.len() < 4 {
                return Err(damaged());
            }
            match usize::try_from(left.get_i32()) {
                Err(_) => self.values.push_null(),
                Ok(n_bytes) => {
                    let (element, rest) = left.split_at_checked(n_bytes).ok_or_else(damaged)?;
                    self.values.push(element)?;
                    left = rest;
                }
            }
        }
        self.lengths.push(length);
        self.valid.push(true);
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let offsets = OffsetBuffer::from_lengths(std::mem::take(&mut self.lengths));
        let nulls = NullBuffer::from(std::mem::take(&mut self.valid));
        let elements = self.values.finish(self.element.data_type())?;
        let list = ListArray::try_new(Arc::clone(&self.element), offsets, elements, Some(nulls));
        Ok(Arc::new(list.map_err(Error::internal)?))
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| {
        let message = "text was sent that is not UTF-8";
        Error::new(ErrorKind::CharacterNotInRepertoire, message)
    })
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
