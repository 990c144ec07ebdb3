//! Decimal digits four at a time from a table, in the bytes of one machine word.

/// One more than the largest number of eight digits.
pub(super) const EIGHT_DIGITS_END: u64 = 100_000_000;

/// One more than the largest number of sixteen digits.
pub(super) const SIXTEEN_DIGITS_END: u64 = EIGHT_DIGITS_END * EIGHT_DIGITS_END;

/// Added to eight digits, makes them ASCII.
pub(super) const ASCII_EIGHT: u64 = 0x3030_3030_3030_3030;

/// Added to sixteen digits, makes them ASCII.
pub(super) const ASCII_SIXTEEN: u128 = 0x3030_3030_3030_3030_3030_3030_3030_3030;

/// The four digits of each number below 10,000, zeros before them, one a byte; the first is the
/// lowest byte, and so the first in memory.
static FOUR_DIGITS: [u32; 10_000] = four_digits_of_all();

const fn four_digits_of_all() -> [u32; 10_000] {
    let mut all = [0; 10_000];
    let mut digits: u32 = 0;
    let mut number = 0;
    while number < all.len() {
        all[number] = digits;
        number += 1;
        digits = if number.is_multiple_of(1000) {
            (digits & 0x0000_000f) + 0x0000_0001
        } else if number.is_multiple_of(100) {
            (digits & 0x0000_0f0f) + 0x0000_0100
        } else if number.is_multiple_of(10) {
            (digits & 0x000f_0f0f) + 0x0001_0000
        } else {
            digits + 0x0100_0000
        };
    }
    all
}

/// The four digits of a number below 10,000, as [`eight_digits`] has them.
#[inline(always)]
pub(super) fn four_digits(number: u64) -> u64 {
    usize::try_from(number)
        .ok()
        .and_then(|number| FOUR_DIGITS.get(number))
        .map_or(0, |digits| u64::from(*digits))
}

/// The eight digits of a number below [`EIGHT_DIGITS_END`], zeros before them, one a byte; the
/// first is the lowest byte, and so the first in memory. Two look-ups are fewer instructions than
/// the divisions, also where the numbers reach all of the table.
#[inline(always)]
pub(super) fn eight_digits(number: u64) -> u64 {
    let high = number / 10_000;
    four_digits(high) | (four_digits(number - high * 10_000) << 32)
}

/// The sixteen digits of a number below [`SIXTEEN_DIGITS_END`], as [`eight_digits`] has them.
pub(super) fn sixteen_digits(number: u64) -> u128 {
    let high = number / EIGHT_DIGITS_END;
    let low = number - high * EIGHT_DIGITS_END;
    u128::from(eight_digits(high)) | (u128::from(eight_digits(low)) << 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_formatter() {
        let numbers = (0..10_000).chain((0..99_999_999).step_by(997));
        for number in numbers.chain([99_999_999]) {
            let written = (eight_digits(number) | ASCII_EIGHT).to_le_bytes();
            assert_eq!(written.as_slice(), format!("{number:08}").as_bytes());
        }
        for number in (0..SIXTEEN_DIGITS_END).step_by(99_999_999_977) {
            let written = (sixteen_digits(number) | ASCII_SIXTEEN).to_le_bytes();
            assert_eq!(written.as_slice(), format!("{number:016}").as_bytes());
        }
    }
}
