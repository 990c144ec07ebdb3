//! Bits as numbers: `'x1f'::bit(64)::bigint`, of which BI tools make numbers from digests. Values of
//! type `bit` by themselves there are none.
//! <https://www.postgresql.org/docs/16/datatype-bit.html>

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Argument, Scalar, number, text};
use crate::error::{Error, ErrorKind, Result};
use crate::types::oid;

/// The name of the function of this file. SQL text has no such cast.
pub const BITS_AS_BIGINT: &str = "bits_as_bigint";

/// The function: a text, and how many bits it is cast to.
pub(super) fn function() -> Arc<ScalarUDF> {
    let arguments = [Argument::Of(oid::TEXT), Argument::Of(oid::INT8)];
    Scalar::new(BITS_AS_BIGINT, &arguments, oid::INT8, |row| {
        let bits = bits(text(&row[0]))?;
        as_number(&bits, number(&row[1])).map(ScalarValue::from)
    })
    .immutable()
    .udf()
}

/// As `bit_in` in varbit.c.
fn bits(text: &str) -> Result<Vec<bool>> {
    let wrong = |digit: char, name: &str| {
        let message = format!("\"{digit}\" is not a valid {name} digit");
        Error::new(ErrorKind::InvalidTextRepresentation, message)
    };
    if let Some(digits) = text.strip_prefix(['x', 'X']) {
        let mut bits = Vec::with_capacity(digits.len() * 4);
        for digit in digits.chars() {
            let value = digit
                .to_digit(16)
                .ok_or_else(|| wrong(digit, "hexadecimal"))?;
            bits.extend((0..4).rev().map(|bit| value >> bit & 1 == 1));
        }
        return Ok(bits);
    }
    let digits = text.strip_prefix(['b', 'B']).unwrap_or(text);
    digits
        .chars()
        .map(|digit| match digit {
            '0' => Ok(false),
            '1' => Ok(true),
            other => Err(wrong(other, "binary")),
        })
        .collect()
}

/// The first bits, filled with zeros behind, as a number of 64 bits (`bit` and `bittoint8`).
fn as_number(bits: &[bool], length: i64) -> Result<i64> {
    let length = match usize::try_from(length) {
        Ok(length @ 1..=64) => length,
        _ => {
            let message = "bigint out of range";
            return Err(Error::new(ErrorKind::NumericValueOutOfRange, message));
        }
    };
    let taken = bits.iter().copied().chain(std::iter::repeat(false));
    let number = taken
        .take(length)
        .fold(0_u64, |number, bit| number << 1 | u64::from(bit));
    Ok(number.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_cut_and_filled_at_their_end() {
        let check = |text: &str, length: i64, expected: i64| {
            let number = bits(text).and_then(|bits| as_number(&bits, length));
            assert_eq!(number.ok(), Some(expected), "{text}");
        };
        check("x1f", 8, 0x1f);
        check("x1f", 4, 1);
        check("x1f", 12, 0x1f0);
        check("xffffffffffffffff", 64, -1);
        check("1010", 4, 10);
    }
}
