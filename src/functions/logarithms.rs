//! Logarithms and powers of double precision, which fail where they have no value. DataFusion's give NaN and infinities.
//! <https://www.postgresql.org/docs/16/functions-math.html>

use crate::error::{Error, ErrorKind, Mathematical, Result};

/// As `dlog1` and `dlog10` in float.c.
pub(super) fn logarithm(value: f64, compute: fn(f64) -> f64) -> Result<f64> {
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
pub(super) fn raised(base: f64, exponent: f64) -> Result<f64> {
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
