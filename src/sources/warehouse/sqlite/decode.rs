//! Values of SQLite, each of a type of its own, as values of their column's type: exactly, or an
//! error that names the row and the value.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Builder, PrimitiveBuilder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type};
use chrono::{NaiveDate, NaiveDateTime};
use rusqlite::types::ValueRef;

use crate::error::{Error, Result};
use crate::sources::warehouse::KeptValues;
use crate::sources::warehouse::batch::{not_of_type, quoted};
use crate::sources::warehouse::relation::RemoteColumn;
use crate::types::{self, format_type, oid};

/// Whole numbers up to which float8 has every one.
const WHOLE_FLOATS: u64 = 1 << 53;

/// A column that is being made.
pub(super) struct Column {
    name: String,
    type_name: String,
    values: Values,
}

enum Values {
    Bool(BooleanBuilder),
    Int(PrimitiveBuilder<Int64Type>),
    Float(PrimitiveBuilder<Float64Type>),
    Decimal(Decimal128Builder, u8, i8),
    Numeric(BinaryBuilder, KeptValues),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(PrimitiveBuilder<Date32Type>),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Column {
    /// A column without values yet.
    ///
    /// # Errors
    /// A fault of ours: a type that is not read.
    pub(super) fn new(of: &RemoteColumn, kept: KeptValues) -> Result<Self> {
        let pg_type = types::of_field(&of.field);
        let values = match of.field.data_type() {
            DataType::Boolean => Values::Bool(BooleanBuilder::new()),
            DataType::Int64 => Values::Int(PrimitiveBuilder::new()),
            DataType::Float64 => Values::Float(PrimitiveBuilder::new()),
            DataType::Decimal128(precision, scale) => {
                Values::Decimal(Decimal128Builder::new(), *precision, *scale)
            }
            DataType::Binary if pg_type.oid == oid::NUMERIC => {
                Values::Numeric(BinaryBuilder::new(), kept)
            }
            DataType::Binary => Values::Bytes(BinaryBuilder::new()),
            DataType::Utf8 => Values::Text(StringBuilder::new()),
            DataType::Date32 => Values::Date(PrimitiveBuilder::new()),
            DataType::Timestamp(..) => Values::Timestamp(TimestampMicrosecondBuilder::new()),
            other => return Err(Error::unsupported(format!("reading {other} of SQLite"))),
        };
        Ok(Self {
            name: of.field.name().clone(),
            type_name: format_type(pg_type.oid, pg_type.modifier).unwrap_or_default(),
            values,
        })
    }

    /// Takes the value of a row, counted from 1.
    ///
    /// # Errors
    /// The value is none of the column's type.
    pub(super) fn push(&mut self, value: ValueRef<'_>, row: u64, table: &str) -> Result<()> {
        match self.values.push(value)? {
            true => Ok(()),
            false => {
                let column = (self.name.as_str(), self.type_name.as_str());
                Err(not_of_type(&shown(value), column, (row, table))
                    .with_hint("Make a view in the file that casts it, and read that."))
            }
        }
    }

    /// The values so far.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut self.values {
            Values::Bool(values) => ArrayBuilder::finish(values),
            Values::Int(values) => ArrayBuilder::finish(values),
            Values::Float(values) => ArrayBuilder::finish(values),
            Values::Decimal(values, precision, scale) => {
                let data_type = DataType::Decimal128(*precision, *scale);
                Arc::new(values.finish().with_data_type(data_type))
            }
            Values::Numeric(values, _) | Values::Bytes(values) => ArrayBuilder::finish(values),
            Values::Text(values) => ArrayBuilder::finish(values),
            Values::Date(values) => ArrayBuilder::finish(values),
            Values::Timestamp(values) => ArrayBuilder::finish(values),
        }
    }
}

impl Values {
    /// Whether the value is of the type.
    fn push(&mut self, value: ValueRef<'_>) -> Result<bool> {
        if matches!(value, ValueRef::Null) {
            self.push_null();
            return Ok(true);
        }
        Ok(match self {
            Self::Bool(values) => take(boolean(value), |it| values.append_value(it)),
            Self::Int(values) => take(value.as_i64().ok(), |it| values.append_value(it)),
            Self::Float(values) => take(float(value), |it| values.append_value(it)),
            Self::Decimal(values, precision, scale) => {
                let decimal = digits(value).and_then(|digits| decimal(&digits, *precision, *scale));
                take(decimal, |it| values.append_value(it))
            }
            Self::Numeric(values, kept) => match digits(value) {
                Some(digits) => {
                    values.append_value((kept.numeric)(&digits)?);
                    true
                }
                None => false,
            },
            Self::Text(values) => match value {
                ValueRef::Text(text) => {
                    take(std::str::from_utf8(text).ok(), |it| values.append_value(it))
                }
                other => take(digits(other), |it| values.append_value(it)),
            },
            Self::Bytes(values) => take(value.as_blob().ok(), |it| values.append_value(it)),
            Self::Date(values) => take(text(value).and_then(date), |it| values.append_value(it)),
            Self::Timestamp(values) => {
                take(text(value).and_then(moment), |it| values.append_value(it))
            }
        })
    }

    fn push_null(&mut self) {
        match self {
            Self::Bool(values) => values.append_null(),
            Self::Int(values) => values.append_null(),
            Self::Float(values) => values.append_null(),
            Self::Decimal(values, ..) => values.append_null(),
            Self::Numeric(values, _) | Self::Bytes(values) => values.append_null(),
            Self::Text(values) => values.append_null(),
            Self::Date(values) => values.append_null(),
            Self::Timestamp(values) => values.append_null(),
        }
    }
}

/// Appends a value that is there; whether it was.
fn take<T>(value: Option<T>, append: impl FnOnce(T)) -> bool {
    match value {
        Some(value) => {
            append(value);
            true
        }
        None => false,
    }
}

fn text(value: ValueRef<'_>) -> Option<&str> {
    value.as_str().ok()
}

fn boolean(value: ValueRef<'_>) -> Option<bool> {
    match value {
        ValueRef::Integer(0) => Some(false),
        ValueRef::Integer(1) => Some(true),
        _ => None,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the match lets through only what loses none"
)]
fn float(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Real(value) => Some(value),
        ValueRef::Integer(value) if value.unsigned_abs() <= WHOLE_FLOATS => Some(value as f64),
        _ => None,
    }
}

/// The digits of a number: of a floating-point one the fewest that tell it from all others.
fn digits(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Integer(value) => Some(value.to_string()),
        ValueRef::Real(value) if value.is_finite() => Some(value.to_string()),
        _ => None,
    }
}

/// A decimal that is exactly these digits.
fn decimal(digits: &str, precision: u8, scale: i8) -> Option<i128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let width = usize::from(scale.unsigned_abs());
    if fraction.len() > width {
        return None;
    }
    let value: i128 = format!("{whole}{fraction:0<width$}").parse().ok()?;
    let limit = 10_u128.checked_pow(u32::from(precision))?;
    (value.unsigned_abs() < limit).then_some(value)
}

/// `YYYY-MM-DD`, and nothing that is only like it.
fn date(text: &str) -> Option<i32> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    let days = day.signed_duration_since(epoch).num_days();
    (day.to_string() == text)
        .then(|| i32::try_from(days).ok())
        .flatten()
}

/// `YYYY-MM-DD HH:MM:SS`, with a fraction of a second or without, as SQLite's functions write it.
fn moment(text: &str) -> Option<i64> {
    let text = text.replacen('T', " ", 1);
    let moment = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    let micros = moment.and_utc().timestamp_micros();
    // More digits than a timestamp has would be lost.
    let is_whole = moment.and_utc().timestamp_subsec_nanos() % 1000 == 0;
    is_whole.then_some(micros)
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(value) => format!("the integer {value}"),
        ValueRef::Real(value) => format!("the number {value}"),
        ValueRef::Text(text) => quoted(text),
        ValueRef::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_none() {
        let of = |value: f64| decimal(&digits(ValueRef::Real(value)).expect("finite"), 10, 2);
        assert_eq!(of(19.99), Some(1999));
        assert_eq!(of(-0.05), Some(-5));
        assert_eq!(of(0.1 + 0.2), None);
        assert_eq!(of(1e8), None);
        assert_eq!(decimal("5", 10, 2), Some(500));
        assert_eq!(digits(ValueRef::Real(f64::INFINITY)), None);
    }

    #[test]
    fn dates_are_those_that_are_written_as_such() {
        assert_eq!(date("1970-01-02"), Some(1));
        assert_eq!(date("1970-1-2"), None);
        assert_eq!(date("1970-02-30"), None);
        assert_eq!(moment("1970-01-01 00:00:01.5"), Some(1_500_000));
        assert_eq!(moment("1970-01-01T00:00:00"), Some(0));
        assert_eq!(moment("1970-01-01 00:00:00.0000001"), None);
        assert_eq!(moment("1970-01-01"), None);
    }

    #[test]
    fn whole_numbers_become_floats_only_if_none_is_lost() {
        assert_eq!(float(ValueRef::Integer(3)), Some(3.0));
        assert_eq!(float(ValueRef::Integer(i64::MAX)), None);
    }
}
