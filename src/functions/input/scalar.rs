//! Values of one text.

use datafusion::common::ScalarValue;

use super::{bytes, datetime, interval, invalid_text, is_text, name_of, number, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::json::{self, Flavour};
use crate::functions::kept;
use crate::functions::output::Style;
use crate::types::{self, oid};

/// A value from its text.
pub(super) fn value(text: &str, pg_oid: u32, style: &Style) -> Result<ScalarValue> {
    let flavour = match pg_oid {
        oid::JSON => Some(Flavour::Json),
        oid::JSONB => Some(Flavour::Jsonb),
        _ => None,
    };
    if let Some(flavour) = flavour {
        return json::read(text, flavour).map(|text| ScalarValue::Utf8(Some(text)));
    }
    if is_text(pg_oid) {
        return Ok(ScalarValue::Utf8(Some(text.to_owned())));
    }
    if types::is_kept(pg_oid) {
        return kept::from_text(text, pg_oid, style).map(|kept| ScalarValue::Binary(Some(kept)));
    }
    Ok(match pg_oid {
        oid::BOOL => match boolean(text) {
            Some(value) => ScalarValue::Boolean(Some(value)),
            None => return Err(invalid_text(pg_oid, text)),
        },
        oid::INT2 => ScalarValue::Int16(Some(integer(text, pg_oid)?)),
        oid::INT4 => ScalarValue::Int32(Some(integer(text, pg_oid)?)),
        oid::INT8 => ScalarValue::Int64(Some(integer(text, pg_oid)?)),
        oid::OID | oid::XID | oid::REGPROC | oid::REGCLASS | oid::REGTYPE | oid::REGNAMESPACE => {
            ScalarValue::UInt32(Some(object_id(text, pg_oid)?))
        }
        oid::FLOAT4 => ScalarValue::Float32(Some(float(text, pg_oid, f32::is_infinite)?)),
        oid::FLOAT8 => ScalarValue::Float64(Some(float(text, pg_oid, f64::is_infinite)?)),
        oid::NUMERIC => number::from_text(text)?,
        oid::BYTEA => ScalarValue::Binary(Some(bytes::from_text(text)?)),
        oid::UUID => ScalarValue::Utf8(Some(uuid(text)?)),
        oid::DATE => match datetime::any_date(text, style)? {
            days if datetime::is_plain_date(days) => ScalarValue::Date32(Some(days)),
            _ => ScalarValue::Binary(Some(kept::from_text(text, pg_oid, style)?)),
        },
        oid::TIME => ScalarValue::Time64Microsecond(Some(datetime::time(text, style)?)),
        oid::TIMESTAMP => {
            ScalarValue::TimestampMicrosecond(Some(datetime::timestamp(text, style)?), None)
        }
        oid::TIMESTAMPTZ => ScalarValue::TimestampMicrosecond(
            Some(datetime::timestamptz(text, style)?),
            Some("UTC".into()),
        ),
        oid::INTERVAL => ScalarValue::IntervalMonthDayNano(Some(interval::value(
            text,
            style.notation.intervals,
        )?)),
        _ => return Err(unsupported(pg_oid)),
    })
}

/// As `parse_bool_with_len`: unique beginnings of the words, and `on`, `off`, `1`, `0`.
pub fn boolean(value: &str) -> Option<bool> {
    let word = value.trim_ascii().to_ascii_lowercase();
    match word.as_str() {
        "on" | "1" => return Some(true),
        "of" | "off" | "0" => return Some(false),
        "" | "o" => return None,
        _ => {}
    }
    if "true".starts_with(&word) || "yes".starts_with(&word) {
        Some(true)
    } else if "false".starts_with(&word) || "no".starts_with(&word) {
        Some(false)
    } else {
        None
    }
}

/// As `pg_strtoint64_safe`: decimal, or with a prefix; underscores between digits.
pub(super) fn integer<T: TryFrom<i128>>(text: &str, pg_oid: u32) -> Result<T> {
    let trimmed = text.trim_ascii();
    let (sign, digits) = match trimmed.as_bytes().first() {
        Some(b'-') => (-1, &trimmed[1..]),
        Some(b'+') => (1, &trimmed[1..]),
        _ => (1, trimmed),
    };
    let (radix, digits) = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ => (10, digits),
    };
    let has_bad_underscore =
        digits.ends_with('_') || digits.contains("__") || (radix == 10 && digits.starts_with('_'));
    let plain = digits.replace('_', "");
    let all_digits = !plain.is_empty() && plain.chars().all(|digit| digit.is_digit(radix));
    if has_bad_underscore || !all_digits {
        return Err(invalid_text(pg_oid, text));
    }
    let value = i128::from_str_radix(&plain, radix).ok();
    value
        .and_then(|value| T::try_from(sign * value).ok())
        .ok_or_else(|| out_of_range(text, pg_oid))
}

fn out_of_range(text: &str, pg_oid: u32) -> Error {
    let message = format!(
        "value \"{text}\" is out of range for type {}",
        name_of(pg_oid)
    );
    Error::new(ErrorKind::NumericValueOutOfRange, message)
}

/// Object identifiers may be written negative, as `oidin` reads them.
pub(super) fn object_id(text: &str, pg_oid: u32) -> Result<u32> {
    let value: i64 = integer(text, pg_oid)?;
    u32::try_from(value)
        .or_else(|_| i32::try_from(value).map(i32::cast_unsigned))
        .map_err(|_| out_of_range(text, pg_oid))
}

pub(super) fn float<T: std::str::FromStr + Copy + Into<f64>>(
    text: &str,
    pg_oid: u32,
    is_infinite: fn(T) -> bool,
) -> Result<T> {
    let trimmed = text.trim_ascii();
    let value: T = trimmed.parse().map_err(|_| invalid_text(pg_oid, text))?;
    let is_written_infinite = trimmed.to_ascii_lowercase().contains("inf");
    // A number that is too small to be told from nothing, as `float8in_internal` has it.
    let mantissa = trimmed.split(['e', 'E']).next().unwrap_or_default();
    let is_lost = value.into() == 0.0 && mantissa.bytes().any(|it| (b'1'..=b'9').contains(&it));
    if is_lost || (is_infinite(value) && !is_written_infinite) {
        let message = format!("\"{text}\" is out of range for type {}", name_of(pg_oid));
        return Err(Error::new(ErrorKind::NumericValueOutOfRange, message));
    }
    Ok(value)
}

/// In PostgreSQL's own spelling, so that equal ones are equal texts.
///
/// # Errors
/// The text is no UUID.
pub fn uuid(text: &str) -> Result<String> {
    let inner = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or(text);
    let plain = inner.replace('-', "").to_ascii_lowercase();
    if plain.len() != 32 || !plain.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(invalid_text(oid::UUID, text));
    }
    Ok(format!(
        "{}-{}-{}-{}-{}",
        &plain[..8],
        &plain[8..12],
        &plain[12..16],
        &plain[16..20],
        &plain[20..]
    ))
}
