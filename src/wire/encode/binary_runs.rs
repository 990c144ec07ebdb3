//! Numbers and times in PostgreSQL's binary forms for runs.

use super::run::VALUE_BYTES_MAX;

/// Room for a value.
type Room = [u8; VALUE_BYTES_MAX];

/// Writes bytes whose number does not depend on the value.
#[inline(always)]
pub(super) fn fixed<const N: usize>(room: &mut Room, bytes: [u8; N]) -> Option<usize> {
    *room.first_chunk_mut()? = bytes;
    Some(N)
}

/// How decimals of a scale are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimals {
    scale: u16,
    /// Makes the digits of the fraction a multiple of four.
    factor: u64,
    /// Groups of four digits behind the decimal point.
    n_fraction: i16,
}

impl Decimals {
    /// For a scale of at least 0; others are written value by value.
    pub(super) fn of_scale(scale: i8) -> Option<Self> {
        let scale = u16::try_from(scale).ok()?;
        let n_fraction = scale.div_ceil(4);
        Some(Self {
            scale,
            factor: 10_u64.pow(u32::from(4 * n_fraction - scale)),
            n_fraction: i16::try_from(n_fraction).ok()?,
        })
    }

    /// Writes the decimal whose unscaled value this is: the number of groups, the weight of the
    /// first, the sign, the scale, and the groups (`numeric_send` in numeric.c).
    #[inline(always)]
    pub(super) fn write(&self, room: &mut Room, unscaled: i128) -> Option<usize> {
        let magnitude = u64::try_from(unscaled.unsigned_abs()).ok()?;
        let aligned = magnitude.checked_mul(self.factor)?;
        let groups = groups(aligned);
        let n_bits = 128 - groups.leading_zeros();
        let n_significant = n_bits.div_ceil(16);
        let n_behind = (groups.trailing_zeros() / 16).min(n_significant);
        let n_sent = n_significant - n_behind;
        let weight = match n_significant {
            0 => 0,
            n => i16::try_from(n).unwrap_or(0) - 1 - self.n_fraction,
        };
        let sign: u16 = if unscaled < 0 { 0x4000 } else { 0 };
        let n_sent_word = u16::try_from(n_sent).unwrap_or(0);
        let head = u64::from(n_sent_word) << 48
            | u64::from(weight.cast_unsigned()) << 32
            | u64::from(sign) << 16
            | u64::from(self.scale);
        let first_first = groups << ((128 - 16 * n_significant) & 127);
        room[..8].copy_from_slice(&head.to_be_bytes());
        room[8..24].copy_from_slice(&first_first.to_be_bytes());
        Some(8 + 2 * usize::from(n_sent_word))
    }
}

/// A number's digits of base 10000, one in 16 bits each, the last lowest.
#[inline(always)]
fn groups(number: u64) -> u128 {
    let one = number / 10_000;
    let low = number - one * 10_000;
    if one < 10_000 {
        return u128::from(low | one << 16);
    }
    let two = one / 10_000;
    let three = two / 10_000;
    let four = three / 10_000;
    let low = low | (one - two * 10_000) << 16 | (two - three * 10_000) << 32;
    u128::from(low | (three - four * 10_000) << 48) | u128::from(four) << 64
}
