//! Numerics of any size, with NaN and the infinities.
//! <https://www.postgresql.org/docs/16/datatype-numeric.html>
//!
//! Kept as a class (-Infinity, negative, zero, positive, Infinity, NaN: PostgreSQL's order), the power
//! of ten before the first digit, and digits without zeros at their ends, two a byte. The bytes of a
//! negative number are turned. Zeros behind the point are not kept: equal numbers are equal bytes.

use bytes::{BufMut, BytesMut};

use super::{bad_binary, damaged, take, too_short};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::input::name_of;
use crate::types::oid;

const MINUS_INFINITY: u8 = 0;
const NEGATIVE: u8 = 1;
const ZERO: u8 = 2;
const POSITIVE: u8 = 3;
const INFINITY: u8 = 4;
const NOT_A_NUMBER: u8 = 5;

/// The signs of `numeric_send`.
const SIGN_NEGATIVE: u16 = 0x4000;
const SIGN_NAN: u16 = 0xC000;
const SIGN_INFINITY: u16 = 0xD000;
const SIGN_MINUS_INFINITY: u16 = 0xF000;

/// The scale of the infinities (`NUMERIC_INF` and its display scale).
const SCALE_INFINITE: u16 = 0x20;

/// Digits before the point (`NUMERIC_WEIGHT_MAX`), and behind it (`NUMERIC_DSCALE_MAX`).
const WHOLE_DIGITS_MAX: i64 = 131_072;
const SCALE_MAX: i64 = 16_383;
/// Digits that a Decimal256 of Arrow's has.
const DECIMAL_DIGITS_MAX: i64 = 76;

/// A number that is not zero: 0.DIGITS times ten to a power.
struct Number {
    is_negative: bool,
    power: i32,
    /// From 0 to 9; neither the first nor the last is 0.
    digits: Vec<u8>,
}

/// As `numeric_in`.
pub(super) fn from_text(text: &str) -> Result<Vec<u8>> {
    let trimmed = text.trim_ascii();
    if let Some(class) = special(trimmed) {
        return Ok(vec![class]);
    }
    let (is_negative, unsigned) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let invalid = || {
        let message = format!("invalid input syntax for type numeric: \"{text}\"");
        Error::new(ErrorKind::InvalidTextRepresentation, message)
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat().replace('_', "");
    let exponent = exponent.parse::<i64>().map_err(|_| invalid())?;
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(invalid());
    }
    let n_whole = i64::try_from(whole.replace('_', "").len()).map_err(|_| overflow())?;
    let digits: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
    kept(is_negative, n_whole.saturating_add(exponent), &digits)
}

fn special(text: &str) -> Option<u8> {
    Some(match text.to_ascii_lowercase().as_str() {
        "nan" => NOT_A_NUMBER,
        "infinity" | "inf" | "+infinity" | "+inf" => INFINITY,
        "-infinity" | "-inf" => MINUS_INFINITY,
        _ => return None,
    })
}

/// Whether a text is a number that no decimal of Arrow's holds.
pub(super) fn beyond_decimals(text: &str) -> bool {
    let Ok(kept) = from_text(text) else {
        return false;
    };
    match of(&mut kept.as_slice()) {
        Ok(Value::Number(number)) => {
            let n_digits = i64::try_from(number.digits.len()).unwrap_or(i64::MAX);
            let power = i64::from(number.power);
            power
                .max(n_digits)
                .max(n_digits - power)
                .max(power.min(0) + n_digits)
                > DECIMAL_DIGITS_MAX
        }
        Ok(Value::Special(class)) => class != ZERO,
        Err(_) => false,
    }
}

/// The bytes of a number with a point behind so many of its digits.
fn kept(is_negative: bool, n_whole: i64, digits: &[u8]) -> Result<Vec<u8>> {
    let Some(first) = digits.iter().position(|digit| *digit != 0) else {
        return Ok(vec![ZERO]);
    };
    let last = digits
        .iter()
        .rposition(|digit| *digit != 0)
        .unwrap_or(first);
    let power = n_whole.saturating_sub(i64::try_from(first).map_err(|_| overflow())?);
    let n_behind = i64::try_from(last + 1 - first).map_err(|_| overflow())? - power;
    if power > WHOLE_DIGITS_MAX || n_behind > SCALE_MAX {
        return Err(overflow());
    }
    let power = i32::try_from(power).map_err(|_| overflow())?;
    let mut bytes = (power ^ i32::MIN).to_be_bytes().to_vec();
    for pair in digits[first..=last].chunks(2) {
        // From 1 on: 0 ends the digits.
        bytes.push(1 + 10 * pair[0] + pair.get(1).copied().unwrap_or(0));
    }
    bytes.push(0);
    if is_negative {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    bytes.insert(0, if is_negative { NEGATIVE } else { POSITIVE });
    Ok(bytes)
}

fn overflow() -> Error {
    let message = "value overflows numeric format";
    Error::new(ErrorKind::NumericValueOutOfRange, message)
}

/// A number, or the class of what has no digits.
enum Value {
    Special(u8),
    Number(Number),
}

/// Reads a number off the start of bytes.
fn of(left: &mut &[u8]) -> Result<Value> {
    let class = take(left, 1).ok_or_else(damaged)?[0];
    let is_negative = match class {
        NEGATIVE => true,
        POSITIVE => false,
        _ => return Ok(Value::Special(class)),
    };
    let turned = |byte: u8| if is_negative { !byte } else { byte };
    let power = <[u8; 4]>::try_from(take(left, 4).ok_or_else(damaged)?).map_err(|_| damaged())?;
    let power = i32::from_be_bytes(power.map(turned)) ^ i32::MIN;
    let mut digits = Vec::new();
    loop {
        match turned(take(left, 1).ok_or_else(damaged)?[0]) {
            0 => break,
            pair => digits.extend([(pair - 1) / 10, (pair - 1) % 10]),
        }
    }
    if digits.last() == Some(&0) {
        digits.pop();
    }
    Ok(Value::Number(Number {
        is_negative,
        power,
        digits,
    }))
}

/// The bytes of the number at the start.
pub(super) fn take_kept<'a>(left: &mut &'a [u8]) -> Result<&'a [u8]> {
    let whole = *left;
    of(left)?;
    Ok(&whole[..whole.len() - left.len()])
}

pub(super) fn text(out: &mut BytesMut, kept: &[u8]) -> Result<()> {
    let number = match of(&mut &*kept)? {
        Value::Special(class) => {
            out.put_slice(match class {
                MINUS_INFINITY => b"-Infinity".as_slice(),
                INFINITY => b"Infinity",
                NOT_A_NUMBER => b"NaN",
                _ => b"0",
            });
            return Ok(());
        }
        Value::Number(number) => number,
    };
    if number.is_negative {
        out.put_u8(b'-');
    }
    let digit = |place: i32| match usize::try_from(place) {
        Ok(place) => b'0' + number.digits.get(place).copied().unwrap_or(0),
        Err(_) => b'0',
    };
    let n_digits = i32::try_from(number.digits.len()).map_err(|_| damaged())?;
    match number.power {
        ..=0 => out.put_u8(b'0'),
        power => (0..power).for_each(|place| out.put_u8(digit(place))),
    }
    if n_digits > number.power {
        out.put_u8(b'.');
        (number.power.min(0)..0).for_each(|_| out.put_u8(b'0'));
        (number.power.max(0)..n_digits).for_each(|place| out.put_u8(digit(place)));
    }
    Ok(())
}

/// Whether the sign of a binary form is one of a number, or none at all.
pub(super) fn is_number(bytes: &[u8]) -> bool {
    let sign = bytes
        .get(4..6)
        .map(|sign| u16::from_be_bytes([sign[0], sign[1]]));
    !matches!(sign, Some(SIGN_NAN | SIGN_INFINITY | SIGN_MINUS_INFINITY))
}

/// As `numeric_recv`.
pub(super) fn receive(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut left = bytes;
    let mut word = || {
        let taken = take(&mut left, 2).ok_or_else(too_short)?;
        Ok::<u16, Error>(u16::from_be_bytes([taken[0], taken[1]]))
    };
    let (n_groups, weight, sign, _scale) = (word()?, word()?.cast_signed(), word()?, word()?);
    let name = name_of(oid::NUMERIC);
    let bad = |part: &str| bad_binary(&format!("invalid {part} in external \"{name}\" value"));
    let is_negative = match sign {
        0 => false,
        SIGN_NEGATIVE => true,
        SIGN_NAN => return Ok(vec![NOT_A_NUMBER]),
        SIGN_INFINITY => return Ok(vec![INFINITY]),
        SIGN_MINUS_INFINITY => return Ok(vec![MINUS_INFINITY]),
        _ => return Err(bad("sign")),
    };
    let mut digits = Vec::with_capacity(4 * usize::from(n_groups));
    for _ in 0..n_groups {
        let group = word()?;
        if group >= 10_000 {
            return Err(bad("digit"));
        }
        let places = [1000, 100, 10, 1];
        digits.extend(places.map(|place| u8::try_from(group / place % 10).unwrap_or(0)));
    }
    kept(is_negative, 4 * (i64::from(weight) + 1), &digits)
}

/// As `numeric_send`: groups of four digits, counted from the point.
pub(super) fn send(out: &mut BytesMut, kept: &[u8]) -> Result<()> {
    let number = match of(&mut &*kept)? {
        Value::Special(class) => {
            out.put_u32(0);
            out.put_u16(match class {
                MINUS_INFINITY => SIGN_MINUS_INFINITY,
                INFINITY => SIGN_INFINITY,
                NOT_A_NUMBER => SIGN_NAN,
                _ => 0,
            });
            out.put_u16(match class {
                MINUS_INFINITY | INFINITY => SCALE_INFINITE,
                _ => 0,
            });
            return Ok(());
        }
        Value::Number(number) => number,
    };
    let first_group = (number.power - 1).div_euclid(4);
    let n_before = usize::try_from(4 * (first_group + 1) - number.power).map_err(|_| damaged())?;
    let mut digits = vec![0; n_before];
    digits.extend(&number.digits);
    digits.resize(digits.len().next_multiple_of(4), 0);
    let n_digits = i32::try_from(number.digits.len()).map_err(|_| damaged())?;
    let word = |value: i32| u16::try_from(value).map_err(|_| damaged());
    out.put_u16(u16::try_from(digits.len() / 4).map_err(|_| damaged())?);
    out.put_i16(i16::try_from(first_group).map_err(|_| damaged())?);
    out.put_u16(if number.is_negative { SIGN_NEGATIVE } else { 0 });
    out.put_u16(word((n_digits - number.power).max(0))?);
    for group in digits.chunks(4) {
        out.put_u16(
            group
                .iter()
                .fold(0, |value, digit| value * 10 + u16::from(*digit)),
        );
    }
    Ok(())
}
