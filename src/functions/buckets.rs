//! `width_bucket`: into which of so many parts of a range a number falls.
//! <https://www.postgresql.org/docs/16/functions-math.html>

use std::sync::Arc;

use arrow::datatypes::{DataType, i256};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::overloads::{Gives, Kind, Overloaded, float, integer};
use crate::error::{Error, ErrorKind, Mathematical, Result};

/// The function of this file.
pub(super) fn function() -> Arc<ScalarUDF> {
    let gives = || Gives::Of(DataType::Int32);
    let numerics = [Kind::Numeric, Kind::Numeric, Kind::Numeric, Kind::Int4];
    let floats = [Kind::Float8, Kind::Float8, Kind::Float8, Kind::Int4];
    Overloaded::immutable("width_bucket")
        .with(&numerics, gives(), |row| {
            let count = count(&row[3])?;
            let scale = row[..3].iter().map(scale_of).max().unwrap_or(0);
            let values: Option<Vec<i256>> = row[..3]
                .iter()
                .map(|value| unscaled(value, scale))
                .collect();
            let values = values.ok_or_else(out_of_range)?;
            exact(values[0], (values[1], values[2]), count)
        })
        .with(&floats, gives(), |row| {
            let count = count(&row[3])?;
            nearest(float(&row[0]), (float(&row[1]), float(&row[2])), count)
        })
        .udf()
}

fn wrong(message: &str) -> Error {
    // 2201G of PostgreSQL belongs to this function alone.
    Error::new(
        ErrorKind::InvalidArgumentFor(Mathematical::WidthBucket),
        message,
    )
}

fn out_of_range() -> Error {
    Error::new(ErrorKind::NumericValueOutOfRange, "integer out of range")
}

fn count(value: &ScalarValue) -> Result<i64> {
    match integer(value) {
        count @ 1.. => Ok(count),
        _ => Err(wrong("count must be greater than zero")),
    }
}

fn scale_of(value: &ScalarValue) -> i8 {
    match value {
        ScalarValue::Decimal128(_, _, scale) | ScalarValue::Decimal256(_, _, scale) => *scale,
        _ => 0,
    }
}

fn unscaled(value: &ScalarValue, scale: i8) -> Option<i256> {
    let own = match value {
        ScalarValue::Decimal128(Some(value), ..) => i256::from_i128(*value),
        ScalarValue::Decimal256(Some(value), ..) => *value,
        _ => return None,
    };
    let missing = u32::try_from(scale - scale_of(value)).ok()?;
    own.checked_mul(i256::from_i128(10).checked_pow(missing)?)
}

fn bucket(number: i64) -> Result<ScalarValue> {
    let number = i32::try_from(number).map_err(|_| out_of_range())?;
    Ok(ScalarValue::from(number))
}

/// As `compute_bucket` in numeric.c.
fn exact(operand: i256, (low, high): (i256, i256), count: i64) -> Result<ScalarValue> {
    if low == high {
        return Err(wrong("lower bound cannot equal upper bound"));
    }
    // A falling scale is a rising one looked at from the other side.
    let (operand, low, high) = match low < high {
        true => (operand, low, high),
        false => (-operand, -low, -high),
    };
    if operand < low {
        return bucket(0);
    }
    if operand >= high {
        return bucket(count.saturating_add(1));
    }
    let steps = (operand - low)
        .checked_mul(i256::from_i128(i128::from(count)))
        .and_then(|product| product.checked_div(high - low))
        .and_then(i256::to_i128)
        .and_then(|steps| i64::try_from(steps).ok());
    bucket(steps.ok_or_else(out_of_range)? + 1)
}

/// As `width_bucket_float8` in float.c.
fn nearest(operand: f64, (low, high): (f64, f64), count: i64) -> Result<ScalarValue> {
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return Err(wrong("operand, lower bound, and upper bound cannot be NaN"));
    }
    if low.is_infinite() || high.is_infinite() {
        return Err(wrong("lower and upper bounds must be finite"));
    }
    if low == high {
        return Err(wrong("lower bound cannot equal upper bound"));
    }
    let (operand, low, high) = match low < high {
        true => (operand, low, high),
        false => (-operand, -low, -high),
    };
    if operand < low {
        return bucket(0);
    }
    if operand >= high {
        return bucket(count.saturating_add(1));
    }
    // A range may be wider than any number.
    let part = match (high - low).is_finite() {
        true => (operand - low) / (high - low),
        false => (operand / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0),
    };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a part is less than 1, and buckets are counted in 32 bits"
    )]
    let steps = (part * count as f64) as i64;
    bucket(steps.min(count - 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(operand: i128, bounds: (i128, i128), expected: i32) {
        let of = |value: i128| i256::from_i128(value);
        let found = exact(of(operand), (of(bounds.0), of(bounds.1)), 5);
        assert_eq!(found.ok(), Some(ScalarValue::from(expected)));
        #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
        let found = nearest(operand as f64, (bounds.0 as f64, bounds.1 as f64), 5);
        assert_eq!(found.ok(), Some(ScalarValue::from(expected)));
    }

    #[test]
    fn buckets_are_counted_from_either_side() {
        check(-1, (0, 10), 0);
        check(0, (0, 10), 1);
        check(3, (0, 10), 2);
        check(10, (0, 10), 6);
        check(10, (10, 0), 1);
        check(1, (10, 0), 5);
        check(0, (10, 0), 6);
    }
}
