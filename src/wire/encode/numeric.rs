//! Decimals as PostgreSQL's numeric in binary: digits of base 10000.

use std::fmt::Display;

use bytes::{BufMut, BytesMut};

use crate::functions::output::split_sign;

/// Appends a decimal as `numeric_send` does.
pub(super) fn binary(out: &mut BytesMut, unscaled: impl Display, scale: i8) {
    let written = unscaled.to_string();
    let (is_negative, digits) = split_sign(&written);
    let (groups, weight) = groups(digits, scale);
    out.put_i16(i16::try_from(groups.len()).unwrap_or(i16::MAX));
    out.put_i16(weight);
    out.put_u16(if is_negative { 0x4000 } else { 0 });
    out.put_i16(i16::from(scale.max(0)));
    for group in groups {
        out.put_i16(group);
    }
}

/// The digits of base 10000 without zeros at either end, and the power of the first.
fn groups(digits: &str, scale: i8) -> (Vec<i16>, i16) {
    // Zeros are added behind until the decimal point stands between two groups.
    let n_behind = (i16::from(scale)).rem_euclid(4);
    let n_behind = if n_behind == 0 { 0 } else { 4 - n_behind };
    let padded = format!(
        "{digits}{}",
        "0".repeat(usize::from(n_behind.unsigned_abs()))
    );
    let n_groups_fraction = (i16::from(scale) + n_behind) / 4;
    let mut groups: Vec<i16> = padded
        .as_bytes()
        .rchunks(4)
        .rev()
        .map(|chunk| {
            chunk
                .iter()
                .fold(0, |group, digit| group * 10 + i16::from(digit - b'0'))
        })
        .collect();
    let mut weight = i16::try_from(groups.len()).unwrap_or(i16::MAX) - n_groups_fraction - 1;
    let n_leading = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..n_leading);
    weight -= i16::try_from(n_leading).unwrap_or(i16::MAX);
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    (groups, weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::output::numeric as text;

    fn check(unscaled: i128, scale: i8, expected: &str, digits: &[i16], weight: i16) {
        let mut out = BytesMut::new();
        text(&mut out, unscaled, scale);
        assert_eq!(out, expected.as_bytes());

        let mut out = BytesMut::new();
        binary(&mut out, unscaled, scale);
        let mut bytes = BytesMut::new();
        bytes.put_i16(i16::try_from(digits.len()).unwrap());
        bytes.put_i16(weight);
        bytes.put_u16(if unscaled < 0 { 0x4000 } else { 0 });
        bytes.put_i16(i16::from(scale.max(0)));
        digits.iter().for_each(|digit| bytes.put_i16(*digit));
        assert_eq!(out, bytes, "{expected}");
    }

    #[test]
    fn decimals_as_postgres_sends_them() {
        check(0, 0, "0", &[], 0);
        check(0, 2, "0.00", &[], 0);
        check(1, 0, "1", &[1], 0);
        check(150, 2, "1.50", &[1, 5000], 0);
        check(-150, 2, "-1.50", &[1, 5000], 0);
        check(5, 2, "0.05", &[500], -1);
        check(12_345_678, 3, "12345.678", &[1, 2345, 6780], 1);
        check(10_000, 0, "10000", &[1], 1);
        check(1, 8, "0.00000001", &[1], -2);
        check(12, -3, "12000", &[1, 2000], 1);
        check(0, -3, "0", &[], 0);
        check(
            99_999_999_999_999_999_999_999_999_999_999_999_999,
            10,
            "9999999999999999999999999999.9999999999",
            &[9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9900],
            6,
        );
    }
}
