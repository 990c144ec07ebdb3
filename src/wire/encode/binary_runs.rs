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

/// Groups of four digits that a machine word may have.
const N_GROUPS: usize = 5;

/// How decimals of a scale are written.
#[derive(Debug)]
pub(super) struct Decimals {
    /// Makes the digits of the fraction a multiple of four.
    factor: u64,
    /// By the groups that are not zero, a bit for each, the last group the lowest.
    shapes: [Shape; 1 << N_GROUPS],
}

/// How a number is sent of which some groups are not zero.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    /// The eight bytes before the groups, without the sign: the number of groups, the weight of
    /// the first, the sign, the scale.
    head: u64,
    /// Brings the first group that is not zero to the front of sixteen bytes.
    shift: u32,
    n_bytes: usize,
}

/// Where the sign of a negative number stands in the head.
const SIGN_SHIFT: u32 = 30;

impl Decimals {
    /// For a scale of at least 0; others are written value by value.
    pub(super) fn of_scale(scale: i8) -> Option<Self> {
        let scale = u16::try_from(scale).ok()?;
        let n_fraction = scale.div_ceil(4);
        let mut shapes = [Shape::default(); 1 << N_GROUPS];
        for (groups, shape) in (0..).zip(&mut shapes) {
            *shape = Shape::of(scale, i16::try_from(n_fraction).ok()?, groups);
        }
        Some(Self {
            factor: 10_u64.pow(u32::from(4 * n_fraction - scale)),
            shapes,
        })
    }

    /// Writes the decimal whose unscaled value this is (`numeric_send` in numeric.c).
    #[inline(always)]
    pub(super) fn write(&self, room: &mut Room, unscaled: i128) -> Option<usize> {
        let word = i64::try_from(unscaled).ok()?;
        let aligned = word.unsigned_abs().checked_mul(self.factor)?;
        let one = aligned / 10_000;
        let two = one / 10_000;
        let three = two / 10_000;
        let low = [
            aligned - one * 10_000,
            one - two * 10_000,
            two - three * 10_000,
        ];
        let sign = u64::from(word < 0) << SIGN_SHIFT;
        if three < 10_000 {
            let shape = self.shapes.get(not_zero([low[0], low[1], low[2], three]))?;
            room[..8].copy_from_slice(&(shape.head | sign).to_be_bytes());
            let first_first = joined([low[0], low[1], low[2], three]) << (shape.shift & 63);
            room[8..16].copy_from_slice(&first_first.to_be_bytes());
            return Some(shape.n_bytes);
        }
        let four = three / 10_000;
        let low = [low[0], low[1], low[2], three - four * 10_000];
        let shape = self.shapes.get(not_zero(low) | 1 << 4)?;
        room[..8].copy_from_slice(&(shape.head | sign).to_be_bytes());
        let first_first = (u128::from(joined(low)) | u128::from(four) << 64) << shape.shift;
        room[8..24].copy_from_slice(&first_first.to_be_bytes());
        Some(shape.n_bytes)
    }
}

/// A bit for each group that is not zero, that of the first the lowest.
#[inline(always)]
fn not_zero(groups: [u64; 4]) -> usize {
    let bits = groups.map(|group| usize::from(group != 0));
    bits[0] | bits[1] << 1 | bits[2] << 2 | bits[3] << 3
}

/// Groups of 16 bits, the first the lowest.
#[inline(always)]
fn joined(groups: [u64; 4]) -> u64 {
    groups[0] | groups[1] << 16 | groups[2] << 32 | groups[3] << 48
}

impl Shape {
    /// Of numbers with so many groups behind the decimal point, of which these are not zero.
    fn of(scale: u16, n_fraction: i16, groups: u8) -> Self {
        let n_significant = 8 - groups.leading_zeros();
        let n_sent = n_significant - groups.trailing_zeros().min(n_significant);
        let weight = match i16::try_from(n_significant).unwrap_or(0) {
            0 => 0,
            n => n - 1 - n_fraction,
        };
        Self {
            head: u64::from(n_sent) << 48
                | u64::from(weight.cast_unsigned()) << 32
                | u64::from(scale),
            shift: (128 - 16 * n_significant) & 127,
            n_bytes: 8 + 2 * usize::try_from(n_sent).unwrap_or(0),
        }
    }
}
