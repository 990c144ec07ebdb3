//! Decimals as PostgreSQL's numeric, in text.

use std::fmt::Display;

use bytes::BufMut;

/// Appends a decimal whose unscaled value is `unscaled`.
pub fn text(out: &mut impl BufMut, unscaled: impl Display, scale: i8) {
    let written = unscaled.to_string();
    let (is_negative, digits) = split_sign(&written);
    if is_negative {
        out.put_u8(b'-');
    }
    let Ok(n_fraction) = usize::try_from(scale) else {
        out.put_slice(digits.as_bytes());
        if digits != "0" {
            out.put_bytes(b'0', usize::from(scale.unsigned_abs()));
        }
        return;
    };
    match digits.len().checked_sub(n_fraction) {
        Some(n_whole) if n_whole > 0 => out.put_slice(&digits.as_bytes()[..n_whole]),
        _ => out.put_u8(b'0'),
    }
    if n_fraction > 0 {
        out.put_u8(b'.');
        out.put_bytes(b'0', n_fraction.saturating_sub(digits.len()));
        out.put_slice(&digits.as_bytes()[digits.len().saturating_sub(n_fraction)..]);
    }
}

/// Whether a written number is negative, and its digits.
pub fn split_sign(written: &str) -> (bool, &str) {
    match written.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, written),
    }
}
