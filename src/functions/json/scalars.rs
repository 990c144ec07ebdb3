//! Scalars of jsonb as numbers and booleans, as PostgreSQL's casts make them (jsonb.c).

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int16Array, Int32Array,
    Int64Array, StringArray,
};
use arrow::datatypes::DataType;

use super::scan::{self, Kind};
use crate::error::{Error, ErrorKind, Result};
use crate::types;

/// The values as columns of this type.
pub(super) fn of(texts: &StringArray, to: &DataType) -> Result<ArrayRef> {
    let name = types::format_type(types::of_arrow(to).oid, -1).unwrap_or_default();
    let wanted = match to {
        DataType::Boolean => Kind::Boolean,
        _ => Kind::Number,
    };
    let texts: Vec<Option<&str>> = texts.iter().collect();
    for text in texts.iter().flatten() {
        check_kind(text, wanted, &name)?;
    }
    Ok(match to {
        DataType::Boolean => {
            let booleans: BooleanArray = texts
                .iter()
                .map(|text| text.map(|text| text == "true"))
                .collect();
            Arc::new(booleans)
        }
        DataType::Int16 => Arc::new(collect::<_, Int16Array>(&texts, |text| {
            i16::try_from(whole(text, &name)?).map_err(|_| out_of_range(&name))
        })?),
        DataType::Int32 => Arc::new(collect::<_, Int32Array>(&texts, |text| {
            i32::try_from(whole(text, &name)?).map_err(|_| out_of_range(&name))
        })?),
        DataType::Int64 => Arc::new(collect::<_, Int64Array>(&texts, |text| {
            i64::try_from(whole(text, &name)?).map_err(|_| out_of_range(&name))
        })?),
        DataType::Float32 => Arc::new(collect::<_, Float32Array>(&texts, |text| {
            let number: f32 = text.parse().map_err(|_| out_of_range(&name))?;
            let lost = number.is_infinite() || (number == 0.0 && !is_zero(text));
            (!lost)
                .then_some(number)
                .ok_or_else(|| too_far(text, &name))
        })?),
        DataType::Float64 => Arc::new(collect::<_, Float64Array>(&texts, |text| {
            let number: f64 = text.parse().map_err(|_| out_of_range(&name))?;
            let lost = number.is_infinite() || (number == 0.0 && !is_zero(text));
            (!lost)
                .then_some(number)
                .ok_or_else(|| too_far(text, &name))
        })?),
        DataType::Decimal128(precision, scale) => {
            let numbers =
                collect::<_, Decimal128Array>(&texts, |text| decimal(text, *precision, *scale))?;
            Arc::new(
                numbers
                    .with_precision_and_scale(*precision, *scale)
                    .map_err(Error::internal)?,
            )
        }
        _ => return Err(Error::unsupported(format!("a cast of jsonb to {name}"))),
    })
}

fn collect<T, A: FromIterator<Option<T>>>(
    texts: &[Option<&str>],
    read: impl Fn(&str) -> Result<T>,
) -> Result<A> {
    texts
        .iter()
        .map(|text| text.map(&read).transpose())
        .collect()
}

fn check_kind(text: &str, wanted: Kind, to: &str) -> Result<()> {
    let kind = scan::kind(text);
    if kind == wanted {
        return Ok(());
    }
    let kind = match kind {
        Kind::Null => "null",
        Kind::Boolean => "boolean",
        Kind::Number => "numeric",
        Kind::String => "string",
        Kind::Array => "array",
        Kind::Object => "object",
    };
    let message = format!("cannot cast jsonb {kind} to type {to}");
    Err(Error::new(ErrorKind::InvalidParameterValue, message))
}

fn out_of_range(to: &str) -> Error {
    let message = format!("{to} out of range");
    Error::new(ErrorKind::NumericValueOutOfRange, message)
}

fn too_far(text: &str, to: &str) -> Error {
    let message = format!("\"{text}\" is out of range for type {to}");
    Error::new(ErrorKind::NumericValueOutOfRange, message)
}

fn is_zero(text: &str) -> bool {
    !text.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// A numeric's text as a whole number; halves go away from zero.
fn whole(text: &str, to: &str) -> Result<i128> {
    scaled(text, 0).ok_or_else(|| out_of_range(to))
}

/// As `numeric(precision, scale)` takes a number.
fn decimal(text: &str, precision: u8, scale: i8) -> Result<i128> {
    let limit = 10_i128.checked_pow(u32::from(precision));
    let number = usize::try_from(scale)
        .ok()
        .and_then(|scale| scaled(text, scale));
    number
        .filter(|number| limit.is_none_or(|limit| number.abs() < limit))
        .ok_or_else(|| Error::new(ErrorKind::NumericValueOutOfRange, "numeric field overflow"))
}

/// The digits of a number with so many behind the point, rounded half away from zero.
fn scaled(text: &str, scale: usize) -> Option<i128> {
    let digits = text.trim_start_matches('-');
    let (before, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let kept = behind.get(..scale).unwrap_or(behind);
    let filled = format!("{before}{kept}{}", "0".repeat(scale - kept.len()));
    let up = behind
        .as_bytes()
        .get(scale)
        .is_some_and(|digit| *digit >= b'5');
    let number: i128 = filled.parse().ok()?;
    let number = number.checked_add(i128::from(up))?;
    Some(match text.starts_with('-') {
        true => -number,
        false => number,
    })
}
