//! Numbers as text for runs, without a branch that depends on the value where that can be.

use bytes::BufMut;

use super::digits::{
    ASCII_EIGHT, ASCII_SIXTEEN, EIGHT_DIGITS_END, SIXTEEN_DIGITS_END, eight_digits, sixteen_digits,
};
use super::run::VALUE_BYTES_MAX;
use crate::functions::output;

/// Room for the text of a value.
type Room = [u8; VALUE_BYTES_MAX];

/// Writes a whole number.
#[inline(always)]
pub(super) fn integer(room: &mut Room, value: i64) -> Option<usize> {
    room[0] = b'-';
    let start = usize::from(value < 0);
    let magnitude = value.unsigned_abs();
    if magnitude < EIGHT_DIGITS_END {
        let digits = eight_digits(magnitude);
        let n_zeros = leading_zeros(u128::from(digits), 7);
        let text = (digits | ASCII_EIGHT) >> (8 * n_zeros);
        room[start..start + 8].copy_from_slice(&text.to_le_bytes());
        return Some(start + 8 - n_zeros);
    }
    if magnitude < SIXTEEN_DIGITS_END {
        let digits = sixteen_digits(magnitude);
        let n_zeros = leading_zeros(digits, 15);
        let text = (digits | ASCII_SIXTEEN) >> (8 * n_zeros);
        room[start..start + 16].copy_from_slice(&text.to_le_bytes());
        return Some(start + 16 - n_zeros);
    }
    written(room, |mut out| output::integer(&mut out, value))
}

/// How many of the digits are zeros before the first that is not; never more than `n_max`.
#[inline(always)]
fn leading_zeros(digits: u128, n_max: usize) -> usize {
    let first = digits | 1 << (8 * n_max);
    // A u128 has 128 bits.
    usize::try_from(first.trailing_zeros() / 8).unwrap_or(0)
}

/// How decimals of a scale are written: all digits of a machine word are computed, the decimal
/// point is put between them, and the zeros before are shifted out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimals {
    scale: i8,
    /// In a word of eight bytes.
    short: Point,
    /// In a word of sixteen.
    long: Point,
}

/// Where the decimal point stands in a word.
#[derive(Clone, Copy, Debug)]
struct Point {
    /// Digits before it; 0 if there is no room for one.
    n_whole: usize,
    /// Covers these digits.
    whole: u128,
    /// The decimal point behind them.
    point: u128,
}

impl Point {
    /// The text of digits of eight bytes, and how many zeros are gone from before it.
    #[inline(always)]
    fn in_eight(&self, digits: u64) -> (u64, usize) {
        let (whole, point) = (low_word(self.whole), low_word(self.point));
        let ascii = digits | ASCII_EIGHT;
        let first = digits | 1 << (8 * (self.n_whole - 1));
        let n_zeros = usize::try_from(first.trailing_zeros() / 8).unwrap_or(0);
        let text = (ascii & whole) | point | ((ascii & !whole) << 8);
        (text >> (8 * n_zeros), n_zeros)
    }

    /// The text of digits of sixteen bytes, and how many zeros are gone from before it.
    #[inline(always)]
    fn in_sixteen(&self, digits: u128) -> (u128, usize) {
        let ascii = digits | ASCII_SIXTEEN;
        let n_zeros = leading_zeros(digits, self.n_whole - 1);
        let text = (ascii & self.whole) | self.point | ((ascii & !self.whole) << 8);
        (text >> (8 * n_zeros), n_zeros)
    }

    /// Behind all but `n_fraction` of `n_digits` digits.
    fn of(n_digits: usize, n_fraction: usize) -> Self {
        let n_whole = n_digits.saturating_sub(n_fraction);
        Self {
            n_whole,
            whole: (1 << (8 * n_whole)) - 1,
            point: u128::from(b'.') << (8 * n_whole),
        }
    }
}

impl Decimals {
    /// Digits that are computed for short numbers; with the point they fill a word.
    const N_DIGITS_SHORT: usize = 7;
    const END_SHORT: u64 = 10_000_000;
    /// Digits that are computed for long ones.
    const N_DIGITS: usize = 15;
    const END: u64 = 1_000_000_000_000_000;

    /// For a scale of 1 to 14; other scales are written by [`any_decimal`].
    pub(super) fn of_scale(scale: i8) -> Option<Self> {
        let n_fraction = usize::try_from(scale).ok()?;
        (1..Self::N_DIGITS).contains(&n_fraction).then(|| Self {
            scale,
            short: Point::of(Self::N_DIGITS_SHORT, n_fraction),
            long: Point::of(Self::N_DIGITS, n_fraction),
        })
    }

    /// Writes the decimal whose unscaled value this is.
    #[inline(always)]
    pub(super) fn write(&self, room: &mut Room, unscaled: i128) -> Option<usize> {
        let Some(word) = i64::try_from(unscaled)
            .ok()
            .filter(|word| word.unsigned_abs() < Self::END)
        else {
            return any_decimal(room, unscaled, self.scale);
        };
        let magnitude = word.unsigned_abs();
        room[0] = b'-';
        let start = usize::from(word < 0);
        let short = magnitude < Self::END_SHORT && self.short.n_whole > 0;
        // The first of the digits is zero: the point takes its place.
        if short {
            let digits = eight_digits(magnitude) >> 8;
            let (text, n_zeros) = self.short.in_eight(digits);
            room[start..start + 8].copy_from_slice(&text.to_le_bytes());
            return Some(start + 8 - n_zeros);
        }
        let (text, n_zeros) = self.long.in_sixteen(sixteen_digits(magnitude) >> 8);
        room[start..start + 16].copy_from_slice(&text.to_le_bytes());
        Some(start + 16 - n_zeros)
    }
}

/// The lower half of a word of sixteen bytes.
fn low_word(word: u128) -> u64 {
    u64::try_from(word & u128::from(u64::MAX)).unwrap_or(0)
}

/// Writes a decimal of any scale, if it surely fits.
pub(super) fn any_decimal(room: &mut Room, unscaled: i128, scale: i8) -> Option<usize> {
    const END: u128 = 10_u128.pow(24);
    if unscaled.unsigned_abs() >= END || !(-8..=30).contains(&scale) {
        return None;
    }
    written(room, |mut out| output::numeric(&mut out, unscaled, scale))
}

/// Has `write` fill the room from its start; how much it wrote.
pub(super) fn written(room: &mut Room, write: impl FnOnce(&mut &mut [u8])) -> Option<usize> {
    let mut out = room.as_mut_slice();
    write(&mut out);
    Some(VALUE_BYTES_MAX - out.remaining_mut())
}
