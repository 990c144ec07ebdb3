//! The sums that variances are made of: exact ones of numbers with a fixed point, and those of
//! floating-point numbers as `float8_accum` keeps them.

use arrow::datatypes::i256;

use crate::error::{Error, ErrorKind, Result};

/// Digits behind the point of a numeric variance.
pub(super) const SCALE: u32 = 16;
/// The same, as Arrow keeps it.
pub(super) const ARROW_SCALE: i8 = 16;

/// Which variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Which {
    /// Of a sample, not of everything there is.
    pub(super) is_sample: bool,
    /// Its square root.
    pub(super) is_root: bool,
}

fn overflow() -> Error {
    Error::new(
        ErrorKind::NumericValueOutOfRange,
        "value overflows numeric format",
    )
}

/// The count, the sum and the sum of squares of unscaled values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exact {
    pub(super) count: i64,
    pub(super) sum: i256,
    pub(super) squares: i256,
}

impl Exact {
    pub(super) const EMPTY: Self = Self {
        count: 0,
        sum: i256::ZERO,
        squares: i256::ZERO,
    };

    /// Adds another's sums; or takes them away.
    pub(super) fn add(&mut self, other: Self, is_back: bool) -> Result<()> {
        let (sum, squares) = match is_back {
            false => (
                self.sum.checked_add(other.sum),
                self.squares.checked_add(other.squares),
            ),
            true => (
                self.sum.checked_sub(other.sum),
                self.squares.checked_sub(other.squares),
            ),
        };
        self.count += if is_back { -other.count } else { other.count };
        self.sum = sum.ok_or_else(overflow)?;
        self.squares = squares.ok_or_else(overflow)?;
        Ok(())
    }

    /// The sums of one value.
    pub(super) fn of(value: i256) -> Result<Self> {
        Ok(Self {
            count: 1,
            sum: value,
            squares: value.checked_mul(value).ok_or_else(overflow)?,
        })
    }

    /// As `numeric_stddev_internal`, of values with so many digits behind the point: the unscaled
    /// value with [`SCALE`] digits. NULL of too few values.
    pub(super) fn value(&self, which: Which, scale: u32) -> Result<Option<i128>> {
        let n_least = if which.is_sample { 2 } else { 1 };
        if self.count < n_least {
            return Ok(None);
        }
        let count = i256::from_i128(i128::from(self.count));
        let divisor = match which.is_sample {
            true => i256::from_i128(i128::from(self.count - 1)),
            false => count,
        };
        let difference = count
            .checked_mul(self.squares)
            .and_then(|all| all.checked_sub(self.sum.checked_mul(self.sum)?))
            .ok_or_else(overflow)?;
        if difference <= i256::ZERO {
            return Ok(Some(0));
        }
        let unit = power(2 * scale).ok_or_else(overflow)?;
        let divisor = count
            .checked_mul(divisor)
            .and_then(|divisor| divisor.checked_mul(unit))
            .ok_or_else(overflow)?;
        let value = match which.is_root {
            true => root(difference, divisor),
            false => quotient(difference, divisor, SCALE),
        };
        let value = value.and_then(i256::to_i128);
        let limit = 10_i128.pow(38);
        value
            .filter(|value| *value < limit)
            .map(Some)
            .ok_or_else(overflow)
    }
}

fn power(exponent: u32) -> Option<i256> {
    i256::from_i128(10).checked_pow(exponent)
}

/// A quotient with so many digits behind the point, rounded.
fn quotient(dividend: i256, divisor: i256, scale: u32) -> Option<i256> {
    let half = divisor.checked_div(i256::from_i128(2))?;
    dividend
        .checked_mul(power(scale)?)?
        .checked_add(half)?
        .checked_div(divisor)
}

/// The square root of a quotient, with as many of [`SCALE`] digits as 256 bits can compute.
fn root(dividend: i256, divisor: i256) -> Option<i256> {
    (0..=SCALE).rev().find_map(|digits| {
        let square = quotient(dividend, divisor, 2 * digits)?;
        whole_root(square)?.checked_mul(power(SCALE - digits)?)
    })
}

/// The nearest whole number to a square root, by Newton's method.
fn whole_root(square: i256) -> Option<i256> {
    if square <= i256::ONE {
        return Some(square);
    }
    let two = i256::from_i128(2);
    let n_bits = 256 - square.leading_zeros();
    let mut guess = i256::ONE << u8::try_from(n_bits.div_ceil(2)).ok()?;
    loop {
        let next = square.checked_div(guess)?.checked_add(guess)?;
        let next = next.checked_div(two)?;
        if next >= guess {
            break;
        }
        guess = next;
    }
    // Beyond the half if the rest is larger than the root.
    let rest = square.checked_sub(guess.checked_mul(guess)?)?;
    Some(if rest > guess {
        guess + i256::ONE
    } else {
        guess
    })
}

/// What `float8_accum` keeps: the count, the sum, and the sum of squared differences.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Floats {
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) squares: f64,
}

fn float_overflow() -> Error {
    Error::new(
        ErrorKind::NumericValueOutOfRange,
        "value out of range: overflow",
    )
}

impl Floats {
    /// As `float8_accum`.
    pub(super) fn add(&mut self, value: f64) -> Result<()> {
        let before = *self;
        self.count += 1.0;
        self.sum += value;
        if before.count == 0.0 {
            if !value.is_finite() {
                self.squares = f64::NAN;
            }
            return Ok(());
        }
        let difference = value * self.count - self.sum;
        self.squares += difference * difference / (self.count * before.count);
        if self.sum.is_infinite() || self.squares.is_infinite() {
            if !before.sum.is_infinite() && !value.is_infinite() {
                return Err(float_overflow());
            }
            self.squares = f64::NAN;
        }
        Ok(())
    }

    /// As `float8_combine`.
    pub(super) fn merge(&mut self, other: Self) -> Result<()> {
        if self.count == 0.0 || other.count == 0.0 {
            if self.count == 0.0 {
                *self = other;
            }
            return Ok(());
        }
        let before = *self;
        self.count += other.count;
        self.sum += other.sum;
        if self.sum.is_infinite() && !before.sum.is_infinite() && !other.sum.is_infinite() {
            return Err(float_overflow());
        }
        let difference = before.sum / before.count - other.sum / other.count;
        self.squares = before.squares
            + other.squares
            + before.count * other.count * difference * difference / self.count;
        if self.squares.is_infinite()
            && !before.squares.is_infinite()
            && !other.squares.is_infinite()
        {
            return Err(float_overflow());
        }
        Ok(())
    }

    /// As `float8_var_pop` and its kind. NULL of too few values.
    pub(super) fn value(&self, which: Which) -> Option<f64> {
        let divisor = match which.is_sample {
            true => self.count - 1.0,
            false => self.count,
        };
        let variance = (divisor > 0.0).then_some(self.squares / divisor)?;
        Some(if which.is_root {
            variance.sqrt()
        } else {
            variance
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(values: &[i128]) -> Exact {
        let mut sums = Exact::EMPTY;
        for value in values {
            let one = Exact::of(i256::from_i128(*value)).expect("it is small");
            sums.add(one, false).expect("they are small");
        }
        sums
    }

    fn which(is_sample: bool, is_root: bool) -> Which {
        Which { is_sample, is_root }
    }

    #[test]
    fn variances_are_exact() {
        let sums = exact(&[100_000_003, 100_000_004, 100_000_006, 100_000_007]);
        let variance = sums.value(which(false, false), 0).expect("it fits");
        assert_eq!(variance, Some(25_000_000_000_000_000));
        let sums = exact(&[2, 4]);
        let root = sums.value(which(true, true), 0).expect("it fits");
        assert_eq!(root, Some(14_142_135_623_730_950));
        let of_one = exact(&[5]).value(which(true, false), 2);
        assert_eq!(of_one.expect("it fits"), None);
    }

    #[test]
    fn one_infinity_has_no_variance() {
        let mut sums = Floats::default();
        sums.add(f64::INFINITY).expect("infinities are no overflow");
        let variance = sums.value(which(false, false)).expect("there is a value");
        assert!(variance.is_nan());
    }
}
