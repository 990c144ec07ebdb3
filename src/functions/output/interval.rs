//! Intervals as `EncodeInterval` in datetime.c writes them, in each IntervalStyle.

use bytes::{BufMut, BytesMut};

use super::datetime::{fraction, two_digits};
use super::number::integer;
use super::style::IntervalNotation;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// An interval as PostgreSQL keeps it: three counts, none of which is carried into another.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    /// Of any sign, as the others.
    pub months: i32,
    /// Not carried into months.
    pub days: i32,
    /// Microseconds; not carried into days.
    pub micros: i64,
}

/// The counts of an interval, as `interval2itm` takes it apart: those of months have one sign, and
/// those of microseconds another.
#[derive(Clone, Copy, Debug)]
struct Parts {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Parts {
    fn of(interval: Interval) -> Self {
        let seconds = interval.micros / MICROS_PER_SECOND;
        Self {
            years: i64::from(interval.months / 12),
            months: i64::from(interval.months % 12),
            days: i64::from(interval.days),
            hours: seconds / 3600,
            minutes: seconds / 60 % 60,
            seconds: seconds % 60,
            micros: interval.micros % MICROS_PER_SECOND,
        }
    }

    fn all(&self) -> [i64; 7] {
        [
            self.years,
            self.months,
            self.days,
            self.hours,
            self.minutes,
            self.seconds,
            self.micros,
        ]
    }

    fn is_zero(&self) -> bool {
        self.all() == [0; 7]
    }

    fn has_time(&self) -> bool {
        self.all()[3..] != [0; 4]
    }

    fn is_time_negative(&self) -> bool {
        self.all()[3..].iter().any(|part| *part < 0)
    }
}

/// Appends an interval.
pub(super) fn text(out: &mut BytesMut, interval: Interval, notation: IntervalNotation) {
    let parts = Parts::of(interval);
    match notation {
        IntervalNotation::Postgres => postgres(out, &parts),
        IntervalNotation::PostgresVerbose => verbose(out, &parts),
        IntervalNotation::SqlStandard => sql_standard(out, &parts),
        IntervalNotation::Iso8601 => iso_8601(out, &parts),
    }
}

/// `1 year 2 mons -3 days +04:05:06`
fn postgres(out: &mut BytesMut, parts: &Parts) {
    let mut is_first = true;
    let mut is_before = false;
    for (value, unit) in [
        (parts.years, "year"),
        (parts.months, "mon"),
        (parts.days, "day"),
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
        counted(out, value, unit);
        is_before = value < 0;
        is_first = false;
    }
    if is_first || parts.has_time() {
        if !is_first {
            out.put_u8(b' ');
        }
        if parts.is_time_negative() {
            out.put_u8(b'-');
        } else if is_before {
            out.put_u8(b'+');
        }
        two_digits(out, parts.hours.abs());
        out.put_u8(b':');
        minutes_and_seconds(out, parts);
    }
}

/// `@ 1 year 2 mons -3 days 4 hours 5 mins 6.7 secs ago`: the sign of the first count is that of
/// all, and said at the end.
fn verbose(out: &mut BytesMut, parts: &Parts) {
    out.put_u8(b'@');
    let mut is_zero = true;
    let mut is_ago = false;
    for (value, unit) in [
        (parts.years, "year"),
        (parts.months, "mon"),
        (parts.days, "day"),
        (parts.hours, "hour"),
        (parts.minutes, "min"),
    ] {
        if value == 0 {
            continue;
        }
        if is_zero {
            is_ago = value < 0;
        }
        out.put_u8(b' ');
        counted(out, if is_ago { -value } else { value }, unit);
        is_zero = false;
    }
    if parts.seconds != 0 || parts.micros != 0 {
        out.put_u8(b' ');
        let is_negative = parts.seconds < 0 || parts.micros < 0;
        if is_zero {
            is_ago = is_negative;
        } else if is_negative != is_ago {
            out.put_u8(b'-');
        }
        seconds(out, parts);
        out.put_slice(b" sec");
        if parts.seconds.abs() != 1 || parts.micros != 0 {
            out.put_u8(b's');
        }
        is_zero = false;
    }
    if is_zero {
        out.put_slice(b" 0");
    }
    if is_ago {
        out.put_slice(b" ago");
    }
}

/// `1-2`, `3 4:05:06`, or with a sign before each where they differ or both are there: the standard
/// knows only intervals of years and months, and of days and times.
fn sql_standard(out: &mut BytesMut, parts: &Parts) {
    let has_negative = parts.all().iter().any(|part| *part < 0);
    let has_positive = parts.all().iter().any(|part| *part > 0);
    let has_months = parts.years != 0 || parts.months != 0;
    let has_days_or_time = parts.days != 0 || parts.has_time();
    if parts.is_zero() {
        return out.put_u8(b'0');
    }
    if (has_negative && has_positive) || (has_months && has_days_or_time) {
        sign(out, parts.years < 0 || parts.months < 0);
        years_and_months(out, parts);
        out.put_u8(b' ');
        sign(out, parts.days < 0);
        integer(out, parts.days.abs());
        out.put_u8(b' ');
        sign(out, parts.is_time_negative());
        integer(out, parts.hours.abs());
        out.put_u8(b':');
        return minutes_and_seconds(out, parts);
    }
    if has_negative {
        out.put_u8(b'-');
    }
    if has_months {
        return years_and_months(out, parts);
    }
    if parts.days != 0 {
        integer(out, parts.days.abs());
        out.put_u8(b' ');
    }
    integer(out, parts.hours.abs());
    out.put_u8(b':');
    minutes_and_seconds(out, parts);
}

/// `P1Y2M-3DT4H5M6.7S`
fn iso_8601(out: &mut BytesMut, parts: &Parts) {
    if parts.is_zero() {
        return out.put_slice(b"PT0S");
    }
    out.put_u8(b'P');
    designated(out, parts.years, b'Y');
    designated(out, parts.months, b'M');
    designated(out, parts.days, b'D');
    if parts.has_time() {
        out.put_u8(b'T');
    }
    designated(out, parts.hours, b'H');
    designated(out, parts.minutes, b'M');
    if parts.seconds != 0 || parts.micros != 0 {
        if parts.seconds < 0 || parts.micros < 0 {
            out.put_u8(b'-');
        }
        seconds(out, parts);
        out.put_u8(b'S');
    }
}

fn designated(out: &mut BytesMut, value: i64, designator: u8) {
    if value != 0 {
        integer(out, value);
        out.put_u8(designator);
    }
}

fn sign(out: &mut BytesMut, is_negative: bool) {
    out.put_u8(if is_negative { b'-' } else { b'+' });
}

/// `2 mons`
fn counted(out: &mut BytesMut, value: i64, unit: &str) {
    integer(out, value);
    out.put_u8(b' ');
    out.put_slice(unit.as_bytes());
    if value != 1 {
        out.put_u8(b's');
    }
}

fn years_and_months(out: &mut BytesMut, parts: &Parts) {
    integer(out, parts.years.abs());
    out.put_u8(b'-');
    integer(out, parts.months.abs());
}

/// `05:06.7`, without a sign.
fn minutes_and_seconds(out: &mut BytesMut, parts: &Parts) {
    two_digits(out, parts.minutes.abs());
    out.put_u8(b':');
    two_digits(out, parts.seconds.abs());
    fraction(out, parts.micros.abs());
}

/// `6.7`, without a sign.
fn seconds(out: &mut BytesMut, parts: &Parts) {
    integer(out, parts.seconds.abs());
    fraction(out, parts.micros.abs());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(months: i32, days: i32, micros: i64, expected: &str) {
        check_notation(IntervalNotation::Postgres, (months, days, micros), expected);
    }

    fn check_notation(notation: IntervalNotation, parts: (i32, i32, i64), expected: &str) {
        let mut out = BytesMut::new();
        let (months, days, micros) = parts;
        let interval = Interval {
            months,
            days,
            micros,
        };
        text(&mut out, interval, notation);
        assert_eq!(String::from_utf8_lossy(&out), expected);
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

    // What a PostgreSQL 16 writes.
    #[test]
    fn every_interval_style() {
        use IntervalNotation::{Iso8601, PostgresVerbose, SqlStandard};
        let mixed = (14, -3, 14_706_700_000);
        let back = (-14, -3, -14_706_700_000);
        check_notation(PostgresVerbose, (0, 0, 0), "@ 0");
        check_notation(
            PostgresVerbose,
            mixed,
            "@ 1 year 2 mons -3 days 4 hours 5 mins 6.7 secs",
        );
        check_notation(
            PostgresVerbose,
            back,
            "@ 1 year 2 mons 3 days 4 hours 5 mins 6.7 secs ago",
        );
        check_notation(
            PostgresVerbose,
            (-1, 1, 1_000_000),
            "@ 1 mon -1 days -1 sec ago",
        );
        check_notation(PostgresVerbose, (0, 0, -500_000), "@ 0.5 secs ago");
        check_notation(SqlStandard, (0, 0, 0), "0");
        check_notation(SqlStandard, mixed, "+1-2 -3 +4:05:06.7");
        check_notation(SqlStandard, back, "-1-2 -3 -4:05:06.7");
        check_notation(SqlStandard, (14, 0, 0), "1-2");
        check_notation(SqlStandard, (-14, 0, 0), "-1-2");
        check_notation(SqlStandard, (0, 3, 1_000_000), "3 0:00:01");
        check_notation(SqlStandard, (0, 0, -3_600_000_000), "-1:00:00");
        check_notation(Iso8601, (0, 0, 0), "PT0S");
        check_notation(Iso8601, mixed, "P1Y2M-3DT4H5M6.7S");
        check_notation(Iso8601, back, "P-1Y-2M-3DT-4H-5M-6.7S");
        check_notation(Iso8601, (0, 0, -500_000), "PT-0.5S");
    }
}
