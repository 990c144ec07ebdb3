//! `gcd`, `lcm`, `factorial` and `chr`, whose results have the types of PostgreSQL's and fail where those
//! do not hold them. <https://www.postgresql.org/docs/16/functions-math.html>

use std::sync::Arc;

use arrow::datatypes::{DataType, i256};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::overloads::{Gives, Kind, Overloaded, integer};
use crate::error::{Error, ErrorKind, Limit, Result};

/// The digits of the largest factorial that a decimal holds.
const FACTORIAL_DIGITS: u8 = 76;
/// The number whose factorial that is.
const FACTORIAL_MAX: i64 = 56;
/// The largest number of a letter.
const LETTER_MAX: i64 = 0x0010_FFFF;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let of_two = |name: &'static str, compute: fn(i128, i128) -> Option<i128>| {
        Overloaded::immutable(name)
            .with(
                &[Kind::Int4, Kind::Int4],
                Gives::Of(DataType::Int32),
                move |row| {
                    let value = compute(integer(&row[0]).into(), integer(&row[1]).into());
                    let value = value.and_then(|value| i32::try_from(value).ok());
                    value
                        .map(ScalarValue::from)
                        .ok_or_else(|| out_of_range("integer"))
                },
            )
            .with(
                &[Kind::Int8, Kind::Int8],
                Gives::Of(DataType::Int64),
                move |row| {
                    let value = compute(integer(&row[0]).into(), integer(&row[1]).into());
                    let value = value.and_then(|value| i64::try_from(value).ok());
                    value
                        .map(ScalarValue::from)
                        .ok_or_else(|| out_of_range("bigint"))
                },
            )
            .udf()
    };
    let factorial = Overloaded::immutable("factorial").with(
        &[Kind::Int8],
        Gives::Of(DataType::Decimal256(FACTORIAL_DIGITS, 0)),
        |row| factorial(integer(&row[0])),
    );
    let chr = Overloaded::immutable("chr").with(&[Kind::Int4], Gives::Of(DataType::Utf8), |row| {
        letter(integer(&row[0])).map(|letter| ScalarValue::from(letter.to_string()))
    });
    vec![
        of_two("gcd", |left, right| Some(gcd(left, right))),
        of_two("lcm", lcm),
        factorial.udf(),
        chr.udf(),
    ]
}

fn out_of_range(name: &str) -> Error {
    let message = format!("{name} out of range");
    Error::new(ErrorKind::NumericValueOutOfRange, message)
}

/// The greatest common divisor, which has no sign.
fn gcd(left: i128, right: i128) -> i128 {
    let (mut left, mut right) = (left.abs(), right.abs());
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

/// The least common multiple; `None` if it is too large.
fn lcm(left: i128, right: i128) -> Option<i128> {
    match left == 0 || right == 0 {
        true => Some(0),
        false => (left / gcd(left, right)).checked_mul(right).map(i128::abs),
    }
}

/// As `numeric_fac` in numeric.c.
fn factorial(of: i64) -> Result<ScalarValue> {
    if of < 0 {
        let message = "factorial of a negative number is undefined";
        return Err(Error::new(ErrorKind::NumericValueOutOfRange, message));
    }
    if of > FACTORIAL_MAX {
        return Err(Error::unsupported(format!(
            "a factorial of more than {FACTORIAL_DIGITS} digits"
        )));
    }
    let product = (2..=of).fold(i256::ONE, |product, factor| {
        product.wrapping_mul(i256::from(factor))
    });
    Ok(ScalarValue::Decimal256(Some(product), FACTORIAL_DIGITS, 0))
}

/// As `chr` in oracle_compat.c.
fn letter(number: i64) -> Result<char> {
    if number < 0 {
        let message = "character number must be positive";
        return Err(Error::new(ErrorKind::InvalidParameterValue, message));
    }
    if number == 0 {
        let message = "null character not permitted";
        return Err(Error::new(
            ErrorKind::LimitExceeded(Limit::Program),
            message,
        ));
    }
    let known = u32::try_from(number).ok().and_then(char::from_u32);
    known.ok_or_else(|| {
        let how = match number > LETTER_MAX {
            true => "requested character too large for encoding",
            false => "requested character not valid for encoding",
        };
        Error::new(
            ErrorKind::LimitExceeded(Limit::Program),
            format!("{how}: {number}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisors_and_multiples_have_no_sign() {
        assert_eq!(gcd(-330, 462), 66);
        assert_eq!(gcd(0, -5), 5);
        assert_eq!(lcm(-330, 462), Some(2310));
        assert_eq!(lcm(0, 3), Some(0));
        assert_eq!(gcd(i64::MIN.into(), 0), 1 << 63);
    }

    #[test]
    fn letters_have_numbers() {
        assert_eq!(letter(65).ok(), Some('A'));
        for wrong in [0, -1, 0xD800, 0x11_0000] {
            assert!(letter(wrong).is_err(), "{wrong}");
        }
    }
}
