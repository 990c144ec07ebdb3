//! Decimal digits eight at a time, in the lanes of one machine word.

/// One more than the largest number of eight digits.
pub(super) const EIGHT_DIGITS_END: u64 = 100_000_000;

/// One more than the largest number of sixteen digits.
pub(super) const SIXTEEN_DIGITS_END: u64 = EIGHT_DIGITS_END * EIGHT_DIGITS_END;

/// Added to eight digits, makes them ASCII.
pub(super) const ASCII_EIGHT: u64 = 0x3030_3030_3030_3030;

/// Added to sixteen digits, makes them ASCII.
pub(super) const ASCII_SIXTEEN: u128 = 0x3030_3030_3030_3030_3030_3030_3030_3030;

/// The eight digits of a number below [`EIGHT_DIGITS_END`], zeros before them, one a byte; the
/// first is the lowest byte, and so the first in memory. The number is split into halves, and the
/// halves into halves, side by side; each division is a multiplication that is exact for numbers
/// of that size.
pub(super) fn eight_digits(number: u64) -> u64 {
    let high = number / 10_000;
    let fours = high | ((number - high * 10_000) << 32);
    let hundreds = ((fours * 5243) >> 19) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - tens * 10) << 8)
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
