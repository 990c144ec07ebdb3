//! Exact arithmetic on numerics: roots, exponentials, logarithms and powers with PostgreSQL's digits.
//!
//! Each result has the scale that numeric.c chooses for it (at least 16 significant digits), and is
//! rounded there once, from a value with many more digits.

use std::f64::consts::{LN_10, LOG10_E};

use num_bigint::{BigInt, Sign};

/// Significant digits that a result has at least (`NUMERIC_MIN_SIG_DIGITS`).
const SIGNIFICANT_DIGITS: i64 = 16;
/// Digits behind the point that a result has at most (`NUMERIC_MAX_DISPLAY_SCALE`).
const SCALE_MAX: i64 = 1000;
/// Digits computed behind those of the result.
const GUARD_DIGITS: i64 = 25;
/// Digits of the largest results that are computed.
pub(super) const DIGITS_MAX: i64 = 76;
/// Decimal digits of a digit of PostgreSQL's numerics (`DEC_DIGITS`).
const GROUP_DIGITS: i64 = 4;

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoResult {
    NegativeRoot,
    LogarithmOfZero,
    LogarithmOfNegative,
    DivisionByZero,
    ZeroToNegative,
    NegativeToFraction,
    /// It has more digits than are computed.
    TooLong,
}

/// A number: an integer, and how many of its digits stand behind the point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    unscaled: BigInt,
    scale: i64,
}

fn ten_to(power: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(power).unwrap_or(0))
}

/// The quotient, halves rounded away from zero.
fn divided(left: &BigInt, right: &BigInt) -> BigInt {
    let two = BigInt::from(2);
    let is_negative = (left.sign() == Sign::Minus) != (right.sign() == Sign::Minus);
    let (left, right) = (left.magnitude(), right.magnitude());
    let (left, right) = (
        BigInt::from(left.clone()) * &two + BigInt::from(right.clone()),
        BigInt::from(right.clone()) * two,
    );
    let quotient = left / right;
    if is_negative { -quotient } else { quotient }
}

impl Number {
    /// Reads plain digits: `-12.50`.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let unscaled = format!("{whole}{fraction}").parse().ok()?;
        let scale = i64::try_from(fraction.len()).ok()?;
        Some(Self { unscaled, scale })
    }

    /// Its digits, as [`Number::of`] reads them.
    pub(super) fn text(&self) -> String {
        let digits = self.unscaled.magnitude().to_string();
        let scale = usize::try_from(self.scale).unwrap_or(0);
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.is_negative() { "-" } else { "" };
        match fraction {
            "" => format!("{sign}{whole}"),
            fraction => format!("{sign}{whole}.{fraction}"),
        }
    }

    fn is_zero(&self) -> bool {
        self.unscaled.sign() == Sign::NoSign
    }

    fn is_negative(&self) -> bool {
        self.unscaled.sign() == Sign::Minus
    }

    fn float(&self) -> f64 {
        self.text().parse().unwrap_or(f64::NAN)
    }

    fn one() -> Self {
        Self {
            unscaled: BigInt::from(1),
            scale: 0,
        }
    }

    /// The power of ten of its first digit; 0 of zero.
    fn exponent(&self) -> i64 {
        if self.is_zero() {
            return 0;
        }
        let digits = self.unscaled.magnitude().to_string();
        i64::try_from(digits.len()).unwrap_or(i64::MAX) - 1 - self.scale
    }

    /// The power of 10000 of its first digit of that base.
    fn weight(&self) -> i64 {
        self.exponent().div_euclid(GROUP_DIGITS)
    }

    /// Its first digits of base 10000 as a number, and the power of ten that they count.
    fn leading(&self, n_groups: i64) -> (f64, i64) {
        let digits = self.unscaled.magnitude().to_string();
        let digits = digits.trim_end_matches('0');
        let n_first = self.exponent() - self.weight() * GROUP_DIGITS + 1;
        let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        // Groups behind the last that is not zero do not count.
        let n_own = 1
            + (length - n_first).max(0).div_euclid(GROUP_DIGITS)
            + i64::from((length - n_first).max(0).rem_euclid(GROUP_DIGITS) > 0);
        let n_groups = n_groups.min(n_own);
        let n_taken = usize::try_from(n_first + (n_groups - 1) * GROUP_DIGITS).unwrap_or(0);
        let taken: String = digits
            .chars()
            .chain(std::iter::repeat('0'))
            .take(n_taken)
            .collect();
        let power = (self.weight() - (n_groups - 1)) * GROUP_DIGITS;
        (taken.parse().unwrap_or(0.0), power)
    }

    /// Its value times ten to a power, cut off behind the point.
    fn fixed(&self, scale: i64) -> BigInt {
        match scale >= self.scale {
            true => &self.unscaled * ten_to(scale - self.scale),
            false => divided(&self.unscaled, &ten_to(self.scale - scale)),
        }
    }

    fn of_fixed(value: &BigInt, scale: i64, wanted: i64) -> Self {
        let of = Self {
            unscaled: value.clone(),
            scale,
        };
        Self {
            unscaled: of.fixed(wanted),
            scale: wanted,
        }
    }

    /// As `numeric_sqrt`.
    pub(super) fn sqrt(&self) -> Result<Self, NoResult> {
        if self.is_negative() {
            return Err(NoResult::NegativeRoot);
        }
        let before_point = self.weight() * GROUP_DIGITS / 2 + 1;
        let scale = result_scale(before_point, &[self]);
        let fine = scale + 1;
        let root = self.fixed(fine * 2).sqrt();
        Ok(Self::of_fixed(&root, fine, scale))
    }

    /// As `numeric_exp`.
    pub(super) fn exp(&self) -> Result<Self, NoResult> {
        let digits = self.float() * LOG10_E;
        let scale = result_scale(whole(digits), &[self]);
        exponential(self, digits, scale)
    }

    /// As `numeric_ln`.
    pub(super) fn ln(&self) -> Result<Self, NoResult> {
        self.check_logarithm()?;
        let scale = result_scale(self.logarithm_digits(), &[self]);
        let fine = scale + GUARD_DIGITS;
        Ok(Self::of_fixed(&logarithm(self, fine), fine, scale))
    }

    /// As `numeric_log`.
    pub(super) fn log(&self, base: &Self) -> Result<Self, NoResult> {
        base.check_logarithm()?;
        self.check_logarithm()?;
        let digits = self.logarithm_digits() - base.logarithm_digits();
        let scale = result_scale(digits, &[self, base]);
        let fine = scale + GUARD_DIGITS + base.logarithm_digits().abs() + digits.abs();
        let of_base = logarithm(base, fine);
        if of_base.sign() == Sign::NoSign {
            return Err(NoResult::DivisionByZero);
        }
        let quotient = divided(&(logarithm(self, fine) * ten_to(scale)), &of_base);
        Ok(Self {
            unscaled: quotient,
            scale,
        })
    }

    fn check_logarithm(&self) -> Result<(), NoResult> {
        match self.unscaled.sign() {
            Sign::Plus => Ok(()),
            Sign::NoSign => Err(NoResult::LogarithmOfZero),
            Sign::Minus => Err(NoResult::LogarithmOfNegative),
        }
    }

    /// As `estimate_ln_dweight`: the power of ten of the first digit of the logarithm.
    fn logarithm_digits(&self) -> i64 {
        let tenths = self.fixed(self.scale.max(1));
        let unit = ten_to(self.scale.max(1) - 1);
        let is_near_one = tenths >= &unit * 9 && tenths <= &unit * 11;
        if is_near_one {
            let beyond = Self {
                unscaled: self.fixed(self.scale) - ten_to(self.scale),
                scale: self.scale,
            };
            if beyond.is_zero() {
                return 0;
            }
            let (digits, power) = beyond.leading(1);
            return power + whole(digits.log10());
        }
        let (digits, power) = self.leading(2);
        let power = i32::try_from(power).unwrap_or(0);
        whole((digits.ln() + f64::from(power) * LN_10).abs().log10())
    }

    /// As `numeric_power`.
    pub(super) fn power(&self, exponent: &Self) -> Result<Self, NoResult> {
        if self.is_zero() && exponent.is_negative() {
            return Err(NoResult::ZeroToNegative);
        }
        let integer = exponent.integer();
        if self.is_negative() && integer.is_none() {
            return Err(NoResult::NegativeToFraction);
        }
        if let Some(times) = integer.as_ref().and_then(|it| i32::try_from(it).ok()) {
            return self.integer_power(times, exponent.scale);
        }
        if self.is_zero() {
            return Ok(Self {
                unscaled: BigInt::from(0),
                scale: SIGNIFICANT_DIGITS,
            });
        }
        let is_odd = integer.is_some_and(|it| it % BigInt::from(2) != BigInt::from(0));
        let base = self.magnitude();
        let digits = base.float().ln() * exponent.float() * LOG10_E;
        let scale = result_scale(whole(digits), &[self, exponent]);
        let result = base.general_power(exponent, digits, scale)?;
        Ok(result.negated_if(self.is_negative() && is_odd))
    }

    fn magnitude(&self) -> Self {
        Self {
            unscaled: BigInt::from(self.unscaled.magnitude().clone()),
            scale: self.scale,
        }
    }

    fn negated_if(self, is_negative: bool) -> Self {
        match is_negative {
            true => Self {
                unscaled: -self.unscaled,
                scale: self.scale,
            },
            false => self,
        }
    }

    /// The same number as an integer, if it is one.
    fn integer(&self) -> Option<BigInt> {
        let unit = ten_to(self.scale);
        let whole = &self.unscaled / &unit;
        (&whole * unit == self.unscaled).then_some(whole)
    }

    /// As `power_var_int`.
    fn integer_power(&self, times: i32, scale_of_times: i64) -> Result<Self, NoResult> {
        let mut digits = 0.0;
        if !self.is_zero() {
            let (leading, power) = self.leading(GROUP_DIGITS);
            let power = i32::try_from(power).unwrap_or(0);
            digits = f64::from(times) * (leading.log10() + f64::from(power));
        }
        let exponent = Self {
            unscaled: BigInt::from(0),
            scale: scale_of_times,
        };
        let scale = result_scale(whole(digits), &[self, &exponent]);
        if times == 0 {
            let one = Self::one();
            return Ok(Self {
                unscaled: one.fixed(scale),
                scale,
            });
        }
        if self.is_zero() {
            return Ok(Self {
                unscaled: BigInt::from(0),
                scale,
            });
        }
        if digits > 76.0 {
            return Err(NoResult::TooLong);
        }
        let n_digits = self.unscaled.magnitude().bits() * u64::from(times.unsigned_abs());
        if n_digits < EXACT_BITS_MAX {
            let power = self.unscaled.pow(times.unsigned_abs());
            let unit = ten_to(self.scale * i64::from(times.unsigned_abs()));
            let unscaled = match times > 0 {
                true => divided(&(power * ten_to(scale)), &unit),
                false => divided(&(unit * ten_to(scale)), &power),
            };
            return Ok(Self { unscaled, scale });
        }
        let exponent = Self {
            unscaled: BigInt::from(times),
            scale: 0,
        };
        let result = self.magnitude().general_power(&exponent, digits, scale)?;
        Ok(result.negated_if(self.is_negative() && times % 2 != 0))
    }

    /// `e ^ (exponent * ln(self))`.
    fn general_power(&self, exponent: &Self, digits: f64, scale: i64) -> Result<Self, NoResult> {
        let fine = scale + GUARD_DIGITS + whole(digits.abs()) + exponent.exponent().max(0);
        let product = logarithm(self, fine) * exponent.fixed(fine);
        let product = Self {
            unscaled: divided(&product, &ten_to(fine)),
            scale: fine,
        };
        exponential(&product, digits, scale)
    }
}

/// Bits of a power that is computed by multiplying.
const EXACT_BITS_MAX: u64 = 40_000;

/// A float without its fraction.
fn whole(value: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is clamped, and NaN becomes 0"
    )]
    let whole = value.clamp(-1e6, 1e6) as i64;
    whole
}

/// The scale of a result whose first digit has this power of ten.
fn result_scale(power: i64, of: &[&Number]) -> i64 {
    let least = of.iter().map(|number| number.scale).max().unwrap_or(0);
    (SIGNIFICANT_DIGITS - power).max(least).clamp(0, SCALE_MAX)
}

/// `e ^ value`, which has about so many digits.
fn exponential(value: &Number, digits: f64, scale: i64) -> Result<Number, NoResult> {
    if whole(digits) > DIGITS_MAX {
        return Err(NoResult::TooLong);
    }
    if whole(digits) < -SCALE_MAX - 1 {
        return Ok(Number {
            unscaled: BigInt::from(0),
            scale,
        });
    }
    let n_halvings = value.exponent().max(0) * 4 + 12;
    let fine = scale + GUARD_DIGITS + whole(digits).max(0) + n_halvings;
    let unit = ten_to(fine);
    let reduced = value.fixed(fine) >> usize::try_from(n_halvings).unwrap_or(0);
    let (mut sum, mut term, mut count) = (unit.clone(), unit.clone(), 0_i64);
    while term.sign() != Sign::NoSign {
        count += 1;
        term = (term * &reduced) / (&unit * BigInt::from(count));
        sum += &term;
    }
    for _ in 0..n_halvings {
        sum = (&sum * &sum) / &unit;
    }
    Ok(Number::of_fixed(&sum, fine, scale))
}

/// The logarithm of a number above zero, times ten to a power.
fn logarithm(value: &Number, scale: i64) -> BigInt {
    let fine = scale + GUARD_DIGITS;
    let power = value.exponent();
    let mantissa = Number {
        unscaled: value.unscaled.clone(),
        scale: value.scale + power,
    };
    let mut result = of_mantissa(&fixed_any(&mantissa, fine), fine);
    if power != 0 {
        result += of_mantissa(&(ten_to(fine) * 10), fine) * BigInt::from(power);
    }
    result / ten_to(fine - scale)
}

/// As [`Number::fixed`], also where the scale is below zero.
fn fixed_any(number: &Number, scale: i64) -> BigInt {
    &number.unscaled * ten_to(scale - number.scale)
}

/// The logarithm of a number from 1 to 10, both times ten to a power: by roots until it is near 1, and
/// then by the series of atanh.
fn of_mantissa(value: &BigInt, scale: i64) -> BigInt {
    const ROOTS: u32 = 6;
    let fine = scale + 10;
    let unit = ten_to(fine);
    let mut root = value * ten_to(fine - scale);
    for _ in 0..ROOTS {
        root = (root * &unit).sqrt();
    }
    let ratio = ((&root - &unit) * &unit) / (&root + &unit);
    let square = (&ratio * &ratio) / &unit;
    let (mut sum, mut term, mut count) = (ratio.clone(), ratio, 1_i64);
    while term.sign() != Sign::NoSign {
        count += 2;
        term = (term * &square) / &unit;
        sum += &term / BigInt::from(count);
    }
    (sum << (ROOTS + 1)) / ten_to(fine - scale)
}

#[cfg(test)]
mod tests;
