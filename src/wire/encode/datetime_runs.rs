//! Dates and times in ISO style for runs, for the years 1 to 9999; others are written value by value.

use super::digits::{ASCII_EIGHT, eight_digits, four_digits};
use super::run::VALUE_BYTES_MAX;
use crate::functions::output::{MICROS_PER_DAY, Offsets};

/// Room for the text of a value.
type Room = [u8; VALUE_BYTES_MAX];

/// Days from 0000-03-01, when the years of the computation begin, to 1970-01-01.
const EPOCH_FROM_MARCH: i64 = 719_468;
/// 0001-01-01 in days since 1970.
const FIRST_DAY: i64 = -719_162;
/// 9999-12-31 in days since 1970.
const LAST_DAY: i64 = 2_932_896;

/// Bytes of `YYYY-MM-DD`.
const DATE_BYTES: usize = 10;
/// Bytes of `YYYY-MM-DD HH:MM:SS`.
const TIMESTAMP_BYTES: usize = 19;

/// Writes a date, given in days since 1970.
#[inline(always)]
pub(super) fn date(room: &mut Room, days: i64) -> Option<usize> {
    let text = date_text(days)?;
    room[..16].copy_from_slice(&text.to_le_bytes());
    Some(DATE_BYTES)
}

/// Writes a time of day, given in microseconds.
#[inline(always)]
pub(super) fn time(room: &mut Room, micros: i64) -> Option<usize> {
    if !(0..=MICROS_PER_DAY).contains(&micros) {
        return None;
    }
    let micros = micros.unsigned_abs();
    room[..8].copy_from_slice(&time_text(micros / 1_000_000).to_le_bytes());
    Some(fraction(room, 8, micros % 1_000_000))
}

/// Writes a timestamp, given in microseconds since 1970.
#[inline(always)]
pub(super) fn timestamp(room: &mut Room, micros: i64) -> Option<usize> {
    let of_day = micros.rem_euclid(MICROS_PER_DAY).unsigned_abs();
    let text = date_text(micros.div_euclid(MICROS_PER_DAY))?;
    room[..16].copy_from_slice(&text.to_le_bytes());
    room[DATE_BYTES] = b' ';
    let time = time_text(of_day / 1_000_000);
    room[DATE_BYTES + 1..TIMESTAMP_BYTES].copy_from_slice(&time.to_le_bytes());
    Some(fraction(room, TIMESTAMP_BYTES, of_day % 1_000_000))
}

/// Writes an instant as its zone shows it.
#[inline(always)]
pub(super) fn timestamptz(room: &mut Room, micros: i64, offsets: &mut Offsets) -> Option<usize> {
    let seconds = offsets.seconds(micros);
    let local = micros.checked_add(seconds * 1_000_000)?;
    let mut end = timestamp(room, local)?;
    room[end] = if seconds < 0 { b'-' } else { b'+' };
    end += 1;
    // `HH:MM:SS`, of which only what is not zero is written.
    let parts = time_text(seconds.unsigned_abs());
    let n_bytes = match seconds {
        seconds if seconds % 60 != 0 => 8,
        seconds if seconds % 3600 != 0 => 5,
        _ => 2,
    };
    room[end..end + 8].copy_from_slice(&parts.to_le_bytes());
    Some(end + n_bytes)
}

/// `YYYY-MM-DD` in the lowest ten bytes.
///
/// The calendar is computed as in C. Neri and L. Schneider, "Euclidean affine functions and their
/// application to calendar algorithms" (2022), figure 12.
#[inline(always)]
fn date_text(days: i64) -> Option<u128> {
    if !(FIRST_DAY..=LAST_DAY).contains(&days) {
        return None;
    }
    let from_march = u32::try_from(days + EPOCH_FROM_MARCH).unwrap_or(0);
    let quarters = 4 * from_march + 3;
    let century = quarters / 146_097;
    let of_century = quarters % 146_097 / 4;
    let scaled_years = 2_939_745 * u64::from(4 * of_century + 3);
    let year_of_century = scaled_years >> 32;
    let day_of_year = (scaled_years & 0xffff_ffff) / 2_939_745 / 4;
    let month_and_day = *MONTHS_AND_DAYS.get(usize::try_from(day_of_year).ok()?)?;
    let is_next_year = u64::from(day_of_year >= 306);
    let year = 100 * u64::from(century) + year_of_century + is_next_year;
    let year = four_digits(year) | 0x3030_3030;
    Some(u128::from(year | month_and_day << 32) | u128::from(month_and_day >> 32) << 64)
}

/// `-MM-DD` of each day of a year that begins with 1 March, its first byte the lowest.
static MONTHS_AND_DAYS: [u64; 366] = months_and_days();

const fn months_and_days() -> [u64; 366] {
    let mut all = [0; 366];
    let mut day_of_year: u64 = 0;
    let mut index = 0;
    while index < all.len() {
        let scaled_months = 2141 * day_of_year + 197_913;
        let month = match scaled_months >> 16 {
            month @ 13.. => month - 12,
            month => month,
        };
        let day = (scaled_months & 0xffff) / 2141 + 1;
        let month_digits = (month / 10) | ((month % 10) << 8);
        let day_digits = (day / 10) | ((day % 10) << 8);
        all[index] = 0x3030_2d30_302d | month_digits << 8 | day_digits << 32;
        day_of_year += 1;
        index += 1;
    }
    all
}

/// `HH:MM:SS` of a number of seconds.
#[inline(always)]
fn time_text(seconds: u64) -> u64 {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // Two zeros stand between the pairs, where the colons come.
    let digits = eight_digits(hours * 1_000_000 + minutes * 1000 + seconds);
    digits | 0x3030_3a30_303a_3030
}

/// Writes a second's fraction at `at`, without the zeros at its end; where it ends.
#[inline(always)]
fn fraction(room: &mut Room, at: usize, micros: u64) -> usize {
    if micros == 0 {
        return at;
    }
    let digits = eight_digits(micros * 100);
    room[at] = b'.';
    room[at + 1..at + 9].copy_from_slice(&(digits | ASCII_EIGHT).to_le_bytes());
    let n_zeros = usize::try_from(digits.leading_zeros() / 8).unwrap_or(0);
    at + 9 - n_zeros
}
