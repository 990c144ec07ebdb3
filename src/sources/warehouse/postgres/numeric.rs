//! Numerics in PostgreSQL's binary form as decimals of Arrow: exactly, or not at all.

use arrow::datatypes::i256;
use bytes::Buf;

use super::decode::damaged;
use crate::error::{Error, ErrorKind, Result};

fn too_large(precision: u8, scale: i8) -> Error {
    let message = format!("a numeric does not fit numeric({precision},{scale})");
    Error::new(ErrorKind::NumericValueOutOfRange, message)
}

/// Powers of ten.
const TEN: [u64; 20] = {
    let mut powers = [1; 20];
    let mut index = 1;
    while index < powers.len() {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// Groups of digits of a numeric that is computed in one word.
const SHORT_GROUPS_MAX: usize = 4;

/// The unscaled value of a numeric.
pub(super) fn decimal128(bytes: &[u8], precision: u8, scale: i8) -> Result<i128> {
    if let Some((sign, value)) = short(bytes, scale) {
        // Where there is no such power, the value is less in any case.
        let limit = TEN.get(usize::from(precision));
        return match limit.is_none_or(|limit| value < *limit) {
            true => Ok(sign * i128::from(value)),
            false => Err(too_large(precision, scale)),
        };
    }
    let (sign, digits) = digits(bytes, scale)?;
    let value = digits.iter().try_fold(0_i128, |value, digit| {
        value.checked_mul(10)?.checked_add(i128::from(*digit))
    });
    let limit = 10_i128.checked_pow(u32::from(precision));
    let value = value.filter(|value| limit.is_none_or(|limit| *value < limit));
    Ok(sign * value.ok_or_else(|| too_large(precision, scale))?)
}

/// The same of a numeric of few digits, as most are: its sign, and its value without it. `None` is
/// for all others, and for what is no such numeric.
#[inline(always)]
fn short(bytes: &[u8], scale: i8) -> Option<(i128, u64)> {
    let (head, groups) = bytes.split_first_chunk::<8>()?;
    let n_groups = usize::from(u16::from_be_bytes([head[0], head[1]]));
    let weight = i32::from(i16::from_be_bytes([head[2], head[3]]));
    let sign = match [head[4], head[5]] {
        [0, 0] => 1,
        [0x40, 0] => -1,
        _ => return None,
    };
    if n_groups > SHORT_GROUPS_MAX || groups.len() != 2 * n_groups {
        return None;
    }
    let mut value = 0_u64;
    for group in groups.as_chunks::<2>().0 {
        let group = u16::from_be_bytes(*group);
        if group > 9999 {
            return None;
        }
        value = value * 10_000 + u64::from(group);
    }
    if value == 0 {
        return Some((1, 0));
    }
    // The place of the last digit, counted from the last that is kept.
    let n_groups = i32::try_from(n_groups).ok()?;
    let value = match 4 * (weight + 1 - n_groups) + i32::from(scale) {
        0 => Some(value),
        -1 => exact::<10>(value),
        -2 => exact::<100>(value),
        -3 => exact::<1000>(value),
        places => value.checked_mul(*TEN.get(usize::try_from(places).ok()?)?),
    };
    Some((sign, value?))
}

/// A quotient that is whole.
#[inline(always)]
fn exact<const DIVISOR: u64>(value: u64) -> Option<u64> {
    value.is_multiple_of(DIVISOR).then_some(value / DIVISOR)
}

/// The sign of a numeric, and its digits down to so many behind the point, as `numeric_send` has
/// them: groups of four, of which the first has a weight.
fn digits(bytes: &[u8], scale: i8) -> Result<(i128, Vec<u8>)> {
    let (mut head, mut groups) = bytes.split_at_checked(8).ok_or_else(damaged)?;
    let (n_groups, weight) = (usize::from(head.get_u16()), i32::from(head.get_i16()));
    let sign = match head.get_u16() {
        0 => 1,
        0x4000 => -1,
        _ => {
            return Err(Error::unsupported(
                "a numeric that is not a number, or infinite,",
            ));
        }
    };
    if groups.len() != 2 * n_groups {
        return Err(damaged());
    }
    // Places are counted from the point, upwards.
    let scale = i32::from(scale);
    let mut digits = Vec::with_capacity(4 * n_groups);
    let mut place = 4 * (weight + 1);
    for _ in 0..n_groups {
        let group = groups.get_u16();
        if group > 9999 {
            return Err(damaged());
        }
        for divisor in [1000, 100, 10, 1] {
            place -= 1;
            let digit = u8::try_from(group / divisor % 10).unwrap_or(0);
            if place >= -scale {
                digits.push(digit);
            } else if digit != 0 {
                let message = format!("a numeric has more than {scale} digits behind its point");
                return Err(Error::new(ErrorKind::NumericValueOutOfRange, message));
            }
        }
    }
    // Zeros are not sent: those up to the last place that counts.
    let n_missing = if n_groups == 0 { 0 } else { place + scale };
    digits.extend((0..n_missing).map(|_| 0));
    Ok((sign, digits))
}

/// The same, of more digits.
pub(super) fn decimal256(bytes: &[u8], precision: u8, scale: i8) -> Result<i256> {
    let (sign, digits) = digits(bytes, scale)?;
    let first = digits.iter().position(|digit| *digit != 0);
    let digits = &digits[first.unwrap_or(digits.len())..];
    if digits.len() > usize::from(precision) {
        return Err(too_large(precision, scale));
    }
    let text: String = digits
        .iter()
        .map(|digit| char::from(b'0' + digit))
        .collect();
    let value = match text.as_str() {
        "" => i256::ZERO,
        text => i256::from_string(text).ok_or_else(damaged)?,
    };
    Ok(if sign < 0 {
        value.wrapping_neg()
    } else {
        value
    })
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// As `numeric_send` writes it.
    fn sent(weight: i16, sign: u16, groups: &[u16]) -> Vec<u8> {
        let n_groups = u16::try_from(groups.len()).expect("they are few");
        let mut bytes = n_groups.to_be_bytes().to_vec();
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend([0, 0]);
        groups
            .iter()
            .for_each(|group| bytes.extend(group.to_be_bytes()));
        bytes
    }

    fn check(bytes: &[u8], scale: i8, expected: Option<i128>) {
        assert_eq!(decimal128(bytes, 20, scale).ok(), expected);
        let more = decimal256(bytes, 20, scale).ok().and_then(i256::to_i128);
        assert_eq!(more, expected);
    }

    #[test]
    fn numerics_keep_their_digits_or_are_an_error() {
        check(&sent(0, 0, &[]), 2, Some(0));
        check(&sent(0, 0, &[1]), 2, Some(100));
        check(&sent(0, 0x4000, &[1, 5000]), 2, Some(-150));
        check(&sent(-1, 0, &[500]), 2, Some(5));
        check(&sent(-1, 0, &[550]), 2, None);
        check(&sent(1, 0, &[12]), 0, Some(120_000));
        check(&sent(-2, 0, &[1]), 8, Some(1));
        check(&sent(0, 0xC000, &[]), 2, None);
        check(&sent(5, 0, &[1]), 0, None);
        check(&[0, 1], 0, None);
        check(&sent(2, 0x4000, &[1, 2, 3, 4500]), 2, Some(-10_002_000_345));
        check(
            &sent(3, 0, &[9999, 9999, 9999, 9999]),
            0,
            Some(9_999_999_999_999_999),
        );
        check(
            &sent(4, 0, &[9999, 9999, 9999, 9999]),
            0,
            Some(99_999_999_999_999_990_000),
        );
        check(
            &sent(4, 0, &[1, 0, 0, 0, 1]),
            0,
            Some(10_000_000_000_000_001),
        );
        check(&sent(4, 0, &[1]), 2, Some(1_000_000_000_000_000_000));
        check(&sent(4, 0, &[12_345]), 4, None);
        check(&sent(0, 0, &[12_345]), 0, None);
    }

    /// As it is computed digit by digit.
    fn slowly(bytes: &[u8], precision: u8, scale: i8) -> Option<i128> {
        let (sign, digits) = digits(bytes, scale).ok()?;
        let value = digits
            .iter()
            .fold(0_i128, |value, digit| value * 10 + i128::from(*digit));
        (value < 10_i128.pow(u32::from(precision))).then_some(sign * value)
    }

    #[test]
    fn short_numerics_are_what_their_digits_say() {
        let seed = rand::random();
        println!("seed {seed}");
        let mut chance = StdRng::seed_from_u64(seed);
        for _ in 0..20_000 {
            let groups: Vec<u16> = (0..chance.random_range(0..6))
                .map(|_| match chance.random_range(0..4) {
                    0 => 0,
                    1 => 100 * chance.random_range(0..100),
                    _ => chance.random_range(0..10_000),
                })
                .collect();
            let sign = [0, 0x4000][chance.random_range(0..2)];
            let bytes = sent(chance.random_range(-4..5), sign, &groups);
            let (precision, scale) = (chance.random_range(1..30), chance.random_range(0..12));
            let expected = slowly(&bytes, precision, scale);
            let found = decimal128(&bytes, precision, scale).ok();
            assert_eq!(found, expected, "{bytes:?} as ({precision},{scale})");
        }
    }
}
