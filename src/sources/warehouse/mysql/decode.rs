//! Values as MySQL writes them, decoded into columns of Arrow: exactly, or an error that names the
//! row and the value.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, Decimal128Builder, Decimal256Builder,
    IntervalMonthDayNanoBuilder, PrimitiveBuilder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNano, SchemaRef, i256,
};

use super::{moments, packet};
use crate::error::{Error, ErrorKind, Remote, Result};
use crate::sources::warehouse::RemoteQuery;
use crate::sources::warehouse::batch::{not_of_type, of_columns, quoted};
use crate::sources::warehouse::relation::{Misfit, RemoteColumn};
use crate::types::{self, format_type};

/// What MySQL calls instants, and moments of no zone.
const TIMESTAMP: u8 = 7;
const DATETIME: u8 = 12;

/// Decodes the rows of one query.
pub(super) struct Decoder {
    columns: Vec<Column>,
    table: String,
    n_rows: u64,
}

/// A column that is being made.
struct Column {
    name: String,
    type_name: String,
    /// The type that it must be sent as, where two are written alike.
    sent_as: Option<u8>,
    misfit: Misfit,
    values: Values,
}

/// The values of a column, by how they are read.
enum Values {
    Int2(PrimitiveBuilder<Int16Type>),
    Int4(PrimitiveBuilder<Int32Type>),
    Int8(PrimitiveBuilder<Int64Type>),
    Float4(PrimitiveBuilder<Float32Type>),
    Float8(PrimitiveBuilder<Float64Type>),
    Decimal128(Decimal128Builder, u8, i8),
    Decimal256(Decimal256Builder, u8, i8),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(PrimitiveBuilder<Date32Type>),
    Timestamp(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
}

impl Decoder {
    /// For the columns of a query.
    ///
    /// # Errors
    /// A fault of ours: a column of a type that is not read.
    pub(super) fn new(query: &RemoteQuery) -> Result<Self> {
        let columns = query.columns.iter().map(Column::new);
        Ok(Self {
            columns: columns.collect::<Result<_>>()?,
            table: query.table.clone(),
            n_rows: 0,
        })
    }

    /// Checks the types that the columns are sent as.
    ///
    /// # Errors
    /// `SerializationFailure`: the table was changed since it was described.
    pub(super) fn check(&self, types: &[u8]) -> Result<()> {
        let mut columns = self.columns.iter().zip(types);
        let changed = columns.find(|(column, sent)| column.sent_as.is_some_and(|of| of != **sent));
        match changed {
            None => Ok(()),
            Some((column, _)) => {
                let message = format!("column \"{}\" was changed meanwhile", column.name);
                Err(Error::new(ErrorKind::SerializationFailure, message).with_hint("Try again."))
            }
        }
    }

    /// Takes a row.
    ///
    /// # Errors
    /// A value that its column cannot hold, with its name and its row.
    pub(super) fn row(&mut self, row: &[u8]) -> Result<()> {
        let damaged = |_| {
            let message = format!("table \"{}\" was sent as what it is not", self.table);
            Error::new(ErrorKind::Remote(Remote::Failed), message)
        };
        self.n_rows += 1;
        let mut left = row;
        for column in &mut self.columns {
            let Some(value) = packet::value(&mut left).map_err(damaged)? else {
                column.values.push_null();
                continue;
            };
            let is_taken = column.values.push(value);
            if is_taken {
                continue;
            }
            if column.values.is_calendar() && column.misfit == Misfit::IsNull {
                column.values.push_null();
                continue;
            }
            let error = not_of_type(
                &quoted(value),
                (&column.name, &column.type_name),
                (self.n_rows, &self.table),
            );
            return Err(match column.values.is_calendar() {
                true => error.with_hint("The option on_error 'null' of the server, or of a foreign table, reads what is no date as NULL."),
                false => error,
            });
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
        of_columns(schema, columns.collect(), n_rows)
    }
}

impl Column {
    fn new(of: &RemoteColumn) -> Result<Self> {
        let pg_type = types::of_field(&of.field);
        let (values, sent_as) = Values::new(of.field.data_type())?;
        Ok(Self {
            name: of.field.name().clone(),
            type_name: format_type(pg_type.oid, pg_type.modifier).unwrap_or_default(),
            sent_as,
            misfit: of.misfit,
            values,
        })
    }
}

impl Values {
    /// For a type, and what MySQL must call it.
    fn new(data_type: &DataType) -> Result<(Self, Option<u8>)> {
        let values = match data_type {
            DataType::Int16 => Self::Int2(PrimitiveBuilder::new()),
            DataType::Int32 => Self::Int4(PrimitiveBuilder::new()),
            DataType::Int64 => Self::Int8(PrimitiveBuilder::new()),
            DataType::Float32 => Self::Float4(PrimitiveBuilder::new()),
            DataType::Float64 => Self::Float8(PrimitiveBuilder::new()),
            DataType::Decimal128(precision, scale) => {
                Self::Decimal128(Decimal128Builder::new(), *precision, *scale)
            }
            DataType::Decimal256(precision, scale) => {
                Self::Decimal256(Decimal256Builder::new(), *precision, *scale)
            }
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Binary => Self::Bytes(BinaryBuilder::new()),
            DataType::Date32 => Self::Date(PrimitiveBuilder::new()),
            DataType::Timestamp(_, zone) => {
                let sent_as = zone.as_ref().map_or(DATETIME, |_| TIMESTAMP);
                let values = Self::Timestamp(TimestampMicrosecondBuilder::new());
                return Ok((values, Some(sent_as)));
            }
            DataType::Interval(_) => Self::Interval(IntervalMonthDayNanoBuilder::new()),
            other => return Err(Error::unsupported(format!("reading {other} of MySQL"))),
        };
        Ok((values, None))
    }

    /// Whether what does not fit may be a date that is none.
    fn is_calendar(&self) -> bool {
        matches!(self, Self::Date(_) | Self::Timestamp(_))
    }

    /// Whether the value is of the type.
    fn push(&mut self, value: &[u8]) -> bool {
        let text = || std::str::from_utf8(value).ok();
        match self {
            Self::Int2(values) => taken(text().and_then(parsed), |it| values.append_value(it)),
            Self::Int4(values) => taken(text().and_then(parsed), |it| values.append_value(it)),
            Self::Int8(values) => taken(text().and_then(parsed), |it| values.append_value(it)),
            Self::Float4(values) => taken(text().and_then(single), |it| values.append_value(it)),
            Self::Float8(values) => taken(text().and_then(double), |it| values.append_value(it)),
            Self::Decimal128(values, precision, scale) => {
                let decimal = digits(value, *precision, *scale)
                    .and_then(|digits| digits.parse::<i128>().ok());
                taken(decimal, |it| values.append_value(it))
            }
            Self::Decimal256(values, precision, scale) => {
                let decimal =
                    digits(value, *precision, *scale).and_then(|digits| i256::from_string(&digits));
                taken(decimal, |it| values.append_value(it))
            }
            Self::Text(values) => taken(text(), |it| values.append_value(it)),
            Self::Bytes(values) => taken(Some(value), |it| values.append_value(it)),
            Self::Date(values) => taken(moments::date(value), |it| values.append_value(it)),
            Self::Timestamp(values) => taken(moments::moment(value), |it| values.append_value(it)),
            Self::Interval(values) => {
                let nanos = moments::time(value).and_then(|micros| micros.checked_mul(1000));
                taken(nanos, |nanos| {
                    values.append_value(IntervalMonthDayNano::new(0, 0, nanos));
                })
            }
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Int2(values) => values.append_null(),
            Self::Int4(values) => values.append_null(),
            Self::Int8(values) => values.append_null(),
            Self::Float4(values) => values.append_null(),
            Self::Float8(values) => values.append_null(),
            Self::Decimal128(values, ..) => values.append_null(),
            Self::Decimal256(values, ..) => values.append_null(),
            Self::Text(values) => values.append_null(),
            Self::Bytes(values) => values.append_null(),
            Self::Date(values) => values.append_null(),
            Self::Timestamp(values) => values.append_null(),
            Self::Interval(values) => values.append_null(),
        }
    }

    /// The values so far, under the type that the column has.
    fn finish(&mut self, data_type: &DataType) -> ArrayRef {
        match self {
            Self::Int2(values) => ArrayBuilder::finish(values),
            Self::Int4(values) => ArrayBuilder::finish(values),
            Self::Int8(values) => ArrayBuilder::finish(values),
            Self::Float4(values) => ArrayBuilder::finish(values),
            Self::Float8(values) => ArrayBuilder::finish(values),
            Self::Decimal128(values, ..) => {
                Arc::new(values.finish().with_data_type(data_type.clone()))
            }
            Self::Decimal256(values, ..) => {
                Arc::new(values.finish().with_data_type(data_type.clone()))
            }
            Self::Text(values) => ArrayBuilder::finish(values),
            Self::Bytes(values) => ArrayBuilder::finish(values),
            Self::Date(values) => ArrayBuilder::finish(values),
            Self::Timestamp(values) => Arc::new(values.finish().with_data_type(data_type.clone())),
            Self::Interval(values) => ArrayBuilder::finish(values),
        }
    }
}

/// Appends a value that is there; whether it was.
#[inline]
fn taken<T>(value: Option<T>, append: impl FnOnce(T)) -> bool {
    match value {
        Some(value) => {
            append(value);
            true
        }
        None => false,
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn double(text: &str) -> Option<f64> {
    // MySQL has neither NaN nor infinities.
    parsed(text).filter(|value: &f64| value.is_finite())
}

/// A float, as the double that it was sent as says.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is lost by it is found out"
)]
fn single(text: &str) -> Option<f32> {
    let whole = double(text)?;
    let single = whole as f32;
    (f64::from(single) == whole).then_some(single)
}

/// The digits of a decimal's unscaled value, which has exactly so many behind its point, or fewer.
fn digits(value: &[u8], precision: u8, scale: i8) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('0');
    let width = usize::from(scale.unsigned_abs());
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = fraction.len() <= width && whole.len() + width <= usize::from(precision);
    (fits && is_number(whole) && is_number(fraction) && !text.is_empty())
        .then(|| format!("{sign}0{whole}{fraction:0<width$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_none() {
        let of = |text: &str, precision, scale| {
            let digits = digits(text.as_bytes(), precision, scale)?;
            let small: Option<i128> = digits.parse().ok();
            assert_eq!(i256::from_string(&digits).and_then(i256::to_i128), small);
            small
        };
        assert_eq!(of("12.30", 4, 2), Some(1230));
        assert_eq!(of("-0.05", 4, 2), Some(-5));
        assert_eq!(of("007", 1, 0), Some(7));
        assert_eq!(of("5", 4, 2), Some(500));
        assert_eq!(of("0.00", 2, 2), Some(0));
        assert_eq!(of("123.4", 4, 2), None);
        assert_eq!(of("1.234", 4, 2), None);
        assert_eq!(of("1e3", 9, 2), None);
        assert_eq!(of("", 9, 2), None);
    }

    #[test]
    fn floats_are_what_they_were() {
        let text = f64::from(0.1_f32).to_string();
        assert_eq!(single(&text), Some(0.1));
        assert_eq!(single("0.1"), None);
        assert_eq!(double("1.7976931348623157e308"), Some(f64::MAX));
        assert_eq!(double("1e999"), None);
    }
}
