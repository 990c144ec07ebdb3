//! `ln`, `log` and `power`, which fail where they have no value. DataFusion's give NaN and infinities.
//! <https://www.postgresql.org/docs/16/functions-math.html>

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::overloads::{Gives, Kind, Overloaded, float};
use crate::error::{Error, ErrorKind, Mathematical, Result};

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let of_one = |name: &'static str, compute: fn(f64) -> f64| {
        Overloaded::immutable(name).with(&[Kind::Float8], gives(), move |row| {
            logarithm(float(&row[0]), compute).map(ScalarValue::from)
        })
    };
    let log = of_one("log", f64::log10).with(&[Kind::Float8, Kind::Float8], gives(), |row| {
        let base = logarithm(float(&row[0]), f64::ln)?;
        let value = logarithm(float(&row[1]), f64::ln)?;
        if base == 0.0 {
            return Err(Error::new(ErrorKind::DivisionByZero, "division by zero"));
        }
        Ok(ScalarValue::from(value / base))
    });
    let power = |name| {
        Overloaded::immutable(name)
            .with(&[Kind::Float8, Kind::Float8], gives(), |row| {
                raised(float(&row[0]), float(&row[1])).map(ScalarValue::from)
            })
            .udf()
    };
    vec![
        of_one("ln", f64::ln).udf(),
        of_one("log10", f64::log10).udf(),
        log.udf(),
        power("power"),
        power("pow"),
    ]
}

fn gives() -> Gives {
    Gives::Of(DataType::Float64)
}

/// As `dlog1` and `dlog10` in float.c.
fn logarithm(value: f64, compute: fn(f64) -> f64) -> Result<f64> {
    let wrong = |of: &str| {
        let message = format!("cannot take logarithm of {of}");
        Err(Error::new(
            ErrorKind::InvalidArgumentFor(Mathematical::Logarithm),
            message,
        ))
    };
    match value {
        0.0 => wrong("zero"),
        value if value < 0.0 => wrong("a negative number"),
        value => Ok(compute(value)),
    }
}

/// As `dpow` in float.c.
fn raised(base: f64, exponent: f64) -> Result<f64> {
    let wrong = |message: &str| {
        let kind = ErrorKind::InvalidArgumentFor(Mathematical::Power);
        Err(Error::new(kind, message))
    };
    if base == 0.0 && exponent < 0.0 {
        return wrong("zero raised to a negative power is undefined");
    }
    if base < 0.0 && exponent.floor() != exponent && !exponent.is_nan() {
        return wrong("a negative number raised to a non-integer power yields a complex result");
    }
    let value = base.powf(exponent);
    let out_of_range = |how: &str| {
        let message = format!("value out of range: {how}");
        Err(Error::new(ErrorKind::NumericValueOutOfRange, message))
    };
    match base.is_finite() && exponent.is_finite() {
        true if value.is_infinite() => out_of_range("overflow"),
        true if value == 0.0 && base != 0.0 => out_of_range("underflow"),
        _ => Ok(value),
    }
}
