//! Numerics, with the precision and scale of their own digits.

use arrow::datatypes::i256;
use datafusion::common::ScalarValue;

use super::invalid_text;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::kept;
use crate::types::oid;

/// Digits that a Decimal256 holds.
const DIGITS_MAX: usize = 76;

/// A decimal's digits, and how many of them stand behind the point.
#[derive(Debug, PartialEq, Eq)]
pub struct Digits {
    is_negative: bool,
    digits: String,
    scale: usize,
}

/// As `numeric_in`; what no decimal holds is kept in another way (`functions::kept`).
pub(super) fn from_text(text: &str) -> Result<ScalarValue> {
    match kept::beyond_decimals(text) {
        Some(kept) => kept.map(|kept| ScalarValue::Binary(Some(kept))),
        None => Digits::of(text)?.into_scalar(),
    }
}

impl Digits {
    /// Reads a number in text.
    ///
    /// # Errors
    /// It is none, or has more digits than any decimal of Arrow.
    pub fn of(text: &str) -> Result<Self> {
        let trimmed = text.trim_ascii();
        let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
        if ["nan", "infinity", "inf"].contains(&unsigned.to_ascii_lowercase().as_str()) {
            return Err(Error::unsupported(format!("numeric \"{trimmed}\"")));
        }
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()),
            None => (unsigned, Some(0)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = [whole, fraction].concat().replace('_', "");
        let are_digits = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        let Some(exponent) = exponent.filter(|_| are_digits) else {
            return Err(invalid_text(oid::NUMERIC, text));
        };
        let scale = i64::try_from(fraction.len()).unwrap_or(i64::MAX) - i64::from(exponent);
        let n_zeros = usize::try_from(-scale.min(0)).unwrap_or(usize::MAX);
        if n_zeros > DIGITS_MAX && digits.bytes().any(|digit| digit != b'0') {
            return Err(too_long());
        }
        digits.push_str(&"0".repeat(n_zeros.min(DIGITS_MAX)));
        Ok(Self {
            is_negative: trimmed.starts_with('-'),
            digits,
            scale: usize::try_from(scale.max(0)).unwrap_or(usize::MAX),
        })
    }

    /// Reads what `numeric_send` wrote: digits of base 10000, the first of power `weight`.
    pub fn of_groups(groups: &[i16], weight: i16, is_negative: bool, scale: u16) -> Self {
        let mut digits = String::new();
        if weight < -1 {
            digits.push_str(&"0000".repeat(usize::from((-1 - weight).unsigned_abs())));
        }
        for group in groups {
            digits.push_str(&format!("{group:04}"));
        }
        // The point stands behind the group of power 0.
        let n_whole = usize::try_from(i32::from(weight.max(-1)) + 1).unwrap_or(0) * 4;
        let n_digits = n_whole + usize::from(scale);
        while digits.len() < n_digits {
            digits.push('0');
        }
        digits.truncate(n_digits);
        Self {
            is_negative,
            digits,
            scale: usize::from(scale),
        }
    }

    /// The unscaled value with this many digits behind the point, halves rounded away from zero
    /// (`apply_typmod` in numeric.c).
    ///
    /// # Errors
    /// `NumericValueOutOfRange`: it has more digits than `precision` then.
    pub(super) fn unscaled(&self, precision: u8, scale: i8) -> Result<i256> {
        let kept_scale = usize::try_from(scale).unwrap_or(0);
        let mut digits = self.digits.clone();
        let mut rounds_up = false;
        match self.scale.checked_sub(kept_scale) {
            Some(n_cut) => {
                let n_kept = digits.len().saturating_sub(n_cut);
                let is_whole = digits.len() >= n_cut;
                rounds_up = is_whole
                    && digits
                        .as_bytes()
                        .get(n_kept)
                        .is_some_and(|digit| *digit >= b'5');
                digits.truncate(n_kept);
            }
            None => digits.push_str(&"0".repeat(kept_scale - self.scale)),
        }
        let overflow = || overflow(precision, scale);
        let significant = digits.trim_start_matches('0');
        if significant.len() > DIGITS_MAX {
            return Err(overflow());
        }
        let unscaled = match significant {
            "" => i256::ZERO,
            digits => i256::from_string(digits).ok_or_else(overflow)?,
        };
        let unscaled = if rounds_up {
            unscaled + i256::ONE
        } else {
            unscaled
        };
        let limit = i256::from_i128(10).checked_pow(u32::from(precision));
        if limit.is_some_and(|limit| unscaled >= limit) {
            return Err(overflow());
        }
        Ok(if self.is_negative {
            -unscaled
        } else {
            unscaled
        })
    }

    /// How many digits stand behind the point.
    pub fn scale(&self) -> usize {
        self.scale
    }

    /// The same number with more digits behind the point.
    pub fn with_scale(mut self, scale: usize) -> Self {
        let n_more = scale.saturating_sub(self.scale);
        self.digits.push_str(&"0".repeat(n_more));
        self.scale += n_more;
        self
    }

    /// As the narrower of Arrow's decimals that holds it.
    ///
    /// # Errors
    /// None does.
    pub fn into_scalar(self) -> Result<ScalarValue> {
        let significant = self.digits.trim_start_matches('0');
        let n_digits = significant.len().max(self.scale).max(1);
        let (Ok(precision), Ok(scale)) = (u8::try_from(n_digits), i8::try_from(self.scale)) else {
            return Err(too_long());
        };
        let sign = if self.is_negative { "-" } else { "" };
        let written = match significant {
            "" => "0".to_owned(),
            digits => format!("{sign}{digits}"),
        };
        match n_digits {
            ..=38 => written
                .parse::<i128>()
                .map(|value| ScalarValue::Decimal128(Some(value), precision, scale))
                .map_err(|_| too_long()),
            39..=DIGITS_MAX => i256::from_string(&written)
                .map(|value| ScalarValue::Decimal256(Some(value), precision, scale))
                .ok_or_else(too_long),
            _ => Err(too_long()),
        }
    }
}

fn too_long() -> Error {
    let message = format!("value has more than {DIGITS_MAX} digits");
    Error::new(ErrorKind::NumericValueOutOfRange, message)
}

fn overflow(precision: u8, scale: i8) -> Error {
    let detail = format!(
        "A field with precision {precision}, scale {scale} must round to an absolute value less than 10^{}.",
        i16::from(precision) - i16::from(scale)
    );
    Error::new(ErrorKind::NumericValueOutOfRange, "numeric field overflow").with_detail(detail)
}
