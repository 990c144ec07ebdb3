//! Numbers rounded to the digits of a pattern, before the pattern is filled with them: `numeric_to_char`,
//! `int8_to_char` and `float8_to_char` in formatting.c.

use arrow::datatypes::i256;
use datafusion::common::ScalarValue;

use super::number::{Written, write, write_roman};
use super::numeral::Numeral;
use super::whole;
use crate::error::{Error, Result};

/// Digits that a float8 has in any case (`DBL_DIG`).
const FLOAT_DIGITS: usize = 15;

/// A decimal: its digits without the point, and how many of them stand behind it.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    is_negative: bool,
    digits: String,
    scale: usize,
}

impl Decimal {
    /// Of an integer or a numeric.
    ///
    /// # Errors
    /// A scale below zero, which no numeric of Lakegate has.
    pub(super) fn of(value: &ScalarValue) -> Result<Self> {
        let (unscaled, scale) = match value {
            ScalarValue::Decimal128(Some(value), _, scale) => (i256::from_i128(*value), *scale),
            ScalarValue::Decimal256(Some(value), _, scale) => (*value, *scale),
            other => (i256::from_i128(whole(other)), 0),
        };
        let written = unscaled.to_string();
        let digits = written.trim_start_matches('-').to_owned();
        Ok(Self {
            is_negative: written.starts_with('-'),
            digits,
            scale: usize::try_from(scale).map_err(|_| Error::unsupported("a negative scale"))?,
        })
    }

    /// Rounded to so many digits behind the point, halves away from zero.
    fn rounded(&self, scale: usize) -> Self {
        let mut digits = self.digits.clone();
        if let Some(missing) = scale.checked_sub(self.scale) {
            digits.push_str(&"0".repeat(missing));
            return Self {
                digits,
                scale,
                ..self.clone()
            };
        }
        let n_cut = self.scale - scale;
        let padded = format!("{digits:0>width$}", width = n_cut + 1);
        let (kept, cut) = padded.split_at(padded.len() - n_cut);
        let mut kept: Vec<u8> = kept.bytes().collect();
        if cut.as_bytes()[0] >= b'5' {
            increment(&mut kept);
        }
        Self {
            is_negative: self.is_negative,
            digits: String::from_utf8_lossy(&kept).into_owned(),
            scale,
        }
    }

    /// The number times a power of ten.
    fn shifted(mut self, places: usize) -> Self {
        match self.scale.checked_sub(places) {
            Some(scale) => self.scale = scale,
            None => {
                self.digits.push_str(&"0".repeat(places - self.scale));
                self.scale = 0;
            }
        }
        self
    }

    fn is_zero(&self) -> bool {
        self.digits.bytes().all(|digit| digit == b'0')
    }

    /// The digits with their point. Zero has no sign.
    fn written(&self) -> Written {
        let padded = format!("{:0>width$}", self.digits, width = self.scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - self.scale);
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            whole => whole,
        };
        Written {
            is_negative: self.is_negative && !self.is_zero(),
            digits: match fraction {
                "" => whole.to_owned(),
                fraction => format!("{whole}.{fraction}"),
            },
        }
    }

    /// As `numeric_out_sci`: one digit before the point.
    fn scientific(&self, scale: usize) -> String {
        let sign = if self.is_negative && !self.is_zero() {
            '-'
        } else {
            ' '
        };
        let significant = self.digits.trim_start_matches('0');
        if significant.is_empty() {
            let fraction = fraction(&"0".repeat(scale));
            return format!("{sign}0{fraction}e+00");
        }
        let mut exponent = as_signed(significant.len()) - as_signed(self.scale) - 1;
        let whole = Self {
            is_negative: false,
            digits: significant.to_owned(),
            scale: significant.len() - 1,
        };
        let mut rounded = whole.rounded(scale).digits;
        if rounded.len() > scale + 1 {
            rounded.pop();
            exponent += 1;
        }
        let (first, rest) = rounded.split_at(1);
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        format!(
            "{sign}{first}{}e{exponent_sign}{:02}",
            fraction(rest),
            exponent.abs()
        )
    }
}

fn as_signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn fraction(digits: &str) -> String {
    match digits {
        "" => String::new(),
        digits => format!(".{digits}"),
    }
}

/// Adds one to the last of some digits.
fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

/// An integer or a numeric by a pattern.
pub(super) fn decimal(value: &Decimal, numeral: &Numeral) -> String {
    if numeral.is_roman {
        let rounded = value.rounded(0).written();
        let number = rounded.digits.parse::<i64>().ok();
        return write_roman(numeral, number.filter(|_| !rounded.is_negative));
    }
    if numeral.is_scientific {
        return value.scientific(numeral.behind);
    }
    let shifted = value.clone().shifted(numeral.shift);
    write(numeral, &shifted.rounded(numeral.behind).written())
}

/// A float8 by a pattern.
pub(super) fn float(value: f64, numeral: &Numeral) -> String {
    if numeral.is_roman {
        let rounded = value.round_ties_even();
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        let number = (1.0..=3999.0).contains(&rounded).then_some(rounded as i64);
        return write_roman(numeral, number);
    }
    if numeral.is_scientific {
        if !value.is_finite() {
            // Room for the sign, the digit, the point, the fraction and the exponent.
            let hashes = "#".repeat(numeral.before + numeral.behind + 5);
            return format!(" {}", hashes.replacen("##", "#.", 1));
        }
        return scientific_float(value, numeral.behind);
    }
    let shift = i32::try_from(numeral.shift).unwrap_or(i32::MAX);
    let value = value * 10_f64.powi(shift);
    let n_whole = format!("{:.0}", value.abs()).len();
    let behind = match FLOAT_DIGITS.checked_sub(n_whole) {
        None | Some(0) => 0,
        Some(left) => numeral.behind.min(left),
    };
    let digits = match value {
        value if value.is_nan() => "NaN".to_owned(),
        value if value.is_infinite() => "Infinity".to_owned(),
        value => format!("{:.behind$}", value.abs()),
    };
    let numeral = &Numeral {
        behind,
        ..numeral.clone()
    };
    let written = Written {
        is_negative: value.is_sign_negative() && !value.is_nan(),
        digits,
    };
    write(numeral, &written)
}

/// As `%+.*e` of C.
fn scientific_float(value: f64, scale: usize) -> String {
    let written = format!("{:.scale$e}", value.abs());
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let sign = if value.is_sign_negative() { '-' } else { ' ' };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{mantissa}e{exponent_sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &ScalarValue, pattern: &str, expected: &str) {
        let numeral = Numeral::of(pattern).expect("the pattern is one");
        let value = Decimal::of(value).expect("it is a number");
        assert_eq!(decimal(&value, &numeral), expected, "{pattern}");
    }

    #[test]
    fn decimals_are_rounded_to_the_pattern() {
        let number = |unscaled| ScalarValue::Decimal128(Some(unscaled), 10, 4);
        check(&number(4_858_000), "999.9", " 485.8");
        check(&number(-1_234_560), "999.99", "-123.46");
        check(&number(999_999), "99.9", " ##.#");
        check(&number(4), "9.99", "  .00");
        check(&number(4_850_000), "9.99EEEE", " 4.85e+02");
        check(&number(485), "9.99EEEE", " 4.85e-02");
        check(&number(124_500), "99V9", " 125");
        check(&ScalarValue::Int32(Some(485)), "RN", "        CDLXXXV");
        check(&ScalarValue::Int32(Some(5)), "FMrn", "v");
    }
}
