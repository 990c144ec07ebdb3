//! Intervals in PostgreSQL's own style, as `EncodeInterval` in datetime.c writes them.

use bytes::{BufMut, BytesMut};

use super::datetime::{fraction, two_digits};
use super::number::integer;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// An interval as PostgreSQL keeps it: three counts, none of which is carried into another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    pub(super) months: i32,
    pub(super) days: i32,
    pub(super) micros: i64,
}

/// Appends an interval.
pub(super) fn text(out: &mut BytesMut, interval: Interval) {
    let mut is_first = true;
    let mut is_before = false;
    for (value, unit) in [
        (interval.months / 12, "year"),
        (interval.months % 12, "mon"),
        (interval.days, "day"),
    ] {
        if value == 0 {
            continue;
        }
        if !is_first {
            out.put_u8(b' ');
        }
        if is_before && value > 0 {
            out.put_u8(b'+');
        }
        integer(out, value);
        out.put_u8(b' ');
        out.put_slice(unit.as_bytes());
        if value != 1 {
            out.put_u8(b's');
        }
        is_before = value < 0;
        is_first = false;
    }
    if is_first || interval.micros != 0 {
        if !is_first {
            out.put_u8(b' ');
        }
        time(out, interval.micros, is_before);
    }
}

fn time(out: &mut BytesMut, micros: i64, is_before: bool) {
    if micros < 0 {
        out.put_u8(b'-');
    } else if is_before {
        out.put_u8(b'+');
    }
    let micros = micros.unsigned_abs();
    let seconds = micros / MICROS_PER_SECOND;
    let part = |value: u64| i64::try_from(value).unwrap_or(0);
    two_digits(out, part(seconds / 3600));
    out.put_u8(b':');
    two_digits(out, part(seconds / 60 % 60));
    out.put_u8(b':');
    two_digits(out, part(seconds % 60));
    fraction(out, part(micros % MICROS_PER_SECOND));
}

/// Appends an interval as `interval_send` does.
pub(super) fn binary(out: &mut BytesMut, interval: Interval) {
    out.put_i64(interval.micros);
    out.put_i32(interval.days);
    out.put_i32(interval.months);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(months: i32, days: i32, micros: i64, expected: &str) {
        let mut out = BytesMut::new();
        text(
            &mut out,
            Interval {
                months,
                days,
                micros,
            },
        );
        assert_eq!(out, expected.as_bytes());
    }

    #[test]
    fn intervals_as_postgres_prints_them() {
        check(0, 0, 0, "00:00:00");
        check(14, 3, 14_706_789_000, "1 year 2 mons 3 days 04:05:06.789");
        check(12, 0, 0, "1 year");
        check(-12, 0, 0, "-1 years");
        check(1, -1, 0, "1 mon -1 days");
        check(-1, 1, 0, "-1 mons +1 day");
        check(0, -1, 3_600_000_000, "-1 days +01:00:00");
        check(0, 1, -3_600_000_000, "1 day -01:00:00");
        check(0, 0, -1, "-00:00:00.000001");
        check(0, 0, 360_000_000_000, "100:00:00");
        check(-14, 0, 0, "-1 years -2 mons");
    }
}
