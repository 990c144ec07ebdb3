//! The text of a jsonb value: keys in jsonb's order and once each, numbers as numeric prints them.

use std::fmt::Write as _;

use super::scan::{self, Kind, Strings};
use crate::error::{Error, ErrorKind, Result};

/// Digits of numeric before and after the point (`NUMERIC_WEIGHT_MAX`, `NUMERIC_DSCALE_MAX`).
const WHOLE_DIGITS_MAX: i64 = 131_072;
const SCALE_MAX: i64 = 16_383;

/// Past this, numeric does not look at an exponent (`INT_MAX / 2`).
const EXPONENT_MAX: i64 = 1 << 30;

/// A JSON text as `jsonb_out` writes its value.
///
/// # Errors
/// It is not JSON, or nothing that jsonb holds.
pub(super) fn normal(text: &str) -> Result<String> {
    scan::check(text, Strings::Decoded)?;
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    write(text.trim_matches(scan::is_space), &mut out)?;
    Ok(out)
}

fn write(value: &str, out: &mut String) -> Result<()> {
    match scan::kind(value) {
        Kind::Null | Kind::Boolean => out.push_str(value),
        Kind::Number => out.push_str(&number(value)?),
        Kind::String => quote(&scan::unquoted(value)?, out),
        Kind::Array => {
            out.push('[');
            let mut first = true;
            scan::elements(value, Strings::AsWritten, &mut |element| {
                if !std::mem::take(&mut first) {
                    out.push_str(", ");
                }
                write(element, out)
            })?;
            out.push(']');
        }
        Kind::Object => object(value, out)?,
    }
    Ok(())
}

fn object(value: &str, out: &mut String) -> Result<()> {
    let mut members: Vec<(String, &str)> = Vec::new();
    scan::members(value, Strings::AsWritten, &mut |key, member| {
        // A number that numeric cannot hold is an error also where a later key hides it.
        members.push((scan::unquoted(key)?, member));
        Ok(())
    })?;
    // As `lengthCompareJsonbStringValue`: shorter keys first. The sort is stable, the last wins.
    members.sort_by(|(left, _), (right, _)| (left.len(), left).cmp(&(right.len(), right)));
    out.push('{');
    let mut first = true;
    for (index, (key, member)) in members.iter().enumerate() {
        if members.get(index + 1).is_some_and(|(next, _)| next == key) {
            write(member, &mut String::new())?;
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push_str(", ");
        }
        quote(key, out);
        out.push_str(": ");
        write(member, out)?;
    }
    out.push('}');
    Ok(())
}

/// Letters in quotes, as `escape_json` in json.c.
pub(super) fn quote(letters: &str, out: &mut String) {
    out.push('"');
    for letter in letters.chars() {
        match letter {
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// A number as numeric reads and prints it: all of its digits, and no exponent.
fn number(text: &str) -> Result<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let exponent: i64 = exponent.parse().map_err(|_| overflow())?;
    if exponent.abs() >= EXPONENT_MAX {
        return Err(overflow());
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let significant = all.trim_start_matches('0');
    let scale = (length(fraction) - exponent).max(0);
    // Where the point lies, counted from the first significant digit.
    let point = length(whole) + exponent - (length(&all) - length(significant));
    if scale > SCALE_MAX || (!significant.is_empty() && point > WHOLE_DIGITS_MAX) {
        return Err(overflow());
    }
    let n_digits = |count: i64| usize::try_from(count).unwrap_or_default();
    if significant.is_empty() {
        return Ok(match scale {
            0 => "0".to_owned(),
            _ => format!("0.{}", "0".repeat(n_digits(scale))),
        });
    }
    // Digits from the point on, and those before it, filled up with zeros.
    let mut digits = "0".repeat(n_digits(1 - point));
    digits.push_str(significant);
    let whole_digits = n_digits(point.max(1));
    let missing = (whole_digits + n_digits(scale)).saturating_sub(digits.len());
    digits.push_str(&"0".repeat(missing));
    let (whole, fraction) = digits.split_at(whole_digits);
    let fraction = &fraction[..n_digits(scale).min(fraction.len())];
    Ok(match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    })
}

fn overflow() -> Error {
    let message = "value overflows numeric format";
    Error::new(ErrorKind::NumericValueOutOfRange, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = normal(text).map_err(|error| error.message().to_owned());
        assert_eq!(found.as_deref(), Ok(expected), "{text}");
    }

    #[test]
    fn numbers_are_numeric() {
        check("1e2", "100");
        check("-0.0", "0.0");
        check("1.50e1", "15.0");
        check("100e-1", "10.0");
        check("1E-3", "0.001");
        check("-12.5e-3", "-0.0125");
        check("0e-3", "0.000");
        check("0.5e4", "5000");
    }

    #[test]
    fn keys_are_ordered_and_unique() {
        check(
            " {\"bb\":1,\"a\":[ ],\"c\":{},\"a\":\"\\u00e5\\n\"} ",
            "{\"a\": \"å\\n\", \"c\": {}, \"bb\": 1}",
        );
        check("[1 ,null, true]", "[1, null, true]");
    }
}
