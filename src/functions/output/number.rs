//! Numbers as PostgreSQL prints them.

use bytes::BufMut;

/// Appends a whole number.
pub fn integer(out: &mut impl BufMut, value: impl itoa::Integer) {
    out.put_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a float8. With `extra_float_digits` above 0 the shortest digits that read back as the
/// same number, otherwise 15 of them and that many fewer (`float8out_internal` in float.c).
pub fn float8(out: &mut impl BufMut, value: f64, extra_float_digits: i32) {
    if special(out, value) {
        return;
    }
    if extra_float_digits > 0 {
        let mut buffer = ryu::Buffer::new();
        decimal(out, buffer.format_finite(value), 15);
    } else {
        rounded(out, value, 15 + extra_float_digits);
    }
}

/// Appends a float4.
pub fn float4(out: &mut impl BufMut, value: f32, extra_float_digits: i32) {
    if special(out, f64::from(value)) {
        return;
    }
    if extra_float_digits > 0 {
        let mut buffer = ryu::Buffer::new();
        decimal(out, buffer.format_finite(value), 6);
    } else {
        rounded(out, f64::from(value), 6 + extra_float_digits);
    }
}

fn special(out: &mut impl BufMut, value: f64) -> bool {
    let text = if value.is_nan() {
        "NaN"
    } else if value == f64::INFINITY {
        "Infinity"
    } else if value == f64::NEG_INFINITY {
        "-Infinity"
    } else {
        return false;
    };
    out.put_slice(text.as_bytes());
    true
}

/// As printf's `%.*g`.
fn rounded(out: &mut impl BufMut, value: f64, n_digits: i32) {
    let n_digits = n_digits.max(1);
    let precision = usize::try_from(n_digits - 1).unwrap_or(0);
    decimal(out, &format!("{value:.precision$e}"), n_digits);
}

/// Appends a number written by another hand (`1.5`, `1e20`, `1.25e-7`): in plain digits if its
/// exponent is at least -4 and less than `exponent_max`, else as `d.ddde+dd`.
fn decimal(out: &mut impl BufMut, text: &str, exponent_max: i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: String = [whole, fraction].concat();
    let n_leading = all.len() - all.trim_start_matches('0').len();
    let digits = all.trim_matches('0');
    out.put_slice(sign.as_bytes());
    if digits.is_empty() {
        out.put_u8(b'0');
        return;
    }
    let point = i32::try_from(whole.len()).unwrap_or(i32::MAX)
        - i32::try_from(n_leading).unwrap_or(0)
        + exponent.parse::<i32>().unwrap_or(0);
    let exponent = point - 1;
    if (-4..exponent_max).contains(&exponent) {
        plain(out, digits, point);
    } else {
        scientific(out, digits, exponent);
    }
}

/// `digits` with the decimal point after the first `point` of them.
fn plain(out: &mut impl BufMut, digits: &str, point: i32) {
    match usize::try_from(point) {
        Ok(point) if point >= digits.len() => {
            out.put_slice(digits.as_bytes());
            out.put_bytes(b'0', point - digits.len());
        }
        Ok(point) if point > 0 => {
            out.put_slice(&digits.as_bytes()[..point]);
            out.put_u8(b'.');
            out.put_slice(&digits.as_bytes()[point..]);
        }
        _ => {
            out.put_slice(b"0.");
            out.put_bytes(b'0', usize::try_from(-point).unwrap_or(0));
            out.put_slice(digits.as_bytes());
        }
    }
}

fn scientific(out: &mut impl BufMut, digits: &str, exponent: i32) {
    let (first, rest) = digits.split_at(1);
    out.put_slice(first.as_bytes());
    if !rest.is_empty() {
        out.put_u8(b'.');
        out.put_slice(rest.as_bytes());
    }
    out.put_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.abs() < 10 {
        out.put_u8(b'0');
    }
    integer(out, exponent.abs());
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn check8(value: f64, extra: i32, expected: &str) {
        let mut out = BytesMut::new();
        float8(&mut out, value, extra);
        assert_eq!(out, expected.as_bytes(), "{value:e}");
    }

    fn check4(value: f32, expected: &str) {
        let mut out = BytesMut::new();
        float4(&mut out, value, 1);
        assert_eq!(out, expected.as_bytes(), "{value:e}");
    }

    #[test]
    fn float8_is_the_shortest_that_reads_back() {
        check8(0.0, 1, "0");
        check8(-0.0, 1, "-0");
        check8(1.0, 1, "1");
        check8(0.1, 1, "0.1");
        check8(-2.5, 1, "-2.5");
        check8(100.0, 1, "100");
        check8(123_456_789_012_345.0, 1, "123456789012345");
        check8(1e14, 1, "100000000000000");
        check8(1e15, 1, "1e+15");
        check8(1e20, 1, "1e+20");
        check8(1.25e-7, 1, "1.25e-07");
        check8(0.0001, 1, "0.0001");
        check8(0.00001, 1, "1e-05");
        check8(1e100, 1, "1e+100");
        check8(0.1 + 0.2, 1, "0.30000000000000004");
        check8(f64::MIN_POSITIVE, 1, "2.2250738585072014e-308");
        check8(f64::NAN, 1, "NaN");
        check8(f64::INFINITY, 1, "Infinity");
        check8(f64::NEG_INFINITY, 1, "-Infinity");
    }

    #[test]
    fn float8_is_rounded_where_asked() {
        check8(0.1 + 0.2, 0, "0.3");
        check8(1.0 / 3.0, 0, "0.333333333333333");
        check8(1.0 / 3.0, -10, "0.33333");
        check8(1e15, 0, "1e+15");
        check8(123_456.0, -14, "1e+05");
    }

    #[test]
    fn float4_turns_to_exponents_earlier() {
        check4(1.5, "1.5");
        check4(0.1, "0.1");
        check4(999_999.0, "999999");
        check4(1_000_000.0, "1e+06");
        check4(1e-5, "1e-05");
        check4(16_777_216.0, "1.6777216e+07");
    }
}
