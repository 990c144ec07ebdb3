//! Dates and times in ISO style, as `EncodeDateTime` in datetime.c writes them.

use arrow::array::timezone::Tz;
use bytes::{BufMut, BytesMut};
use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};

use super::number::integer;

/// Days from 1970-01-01, Arrow's day 0, to 2000-01-01, PostgreSQL's.
const EPOCH_DAYS: i64 = 10_957;
const MICROS_PER_SECOND: i64 = 1_000_000;
pub(super) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// The zone in which a session sees instants.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) enum Zone {
    /// The same offset always, in seconds.
    Fixed(i64),
    /// An offset that depends on the instant.
    Named(Tz),
}

impl Zone {
    /// The zone of this name or offset; UTC if there is none such.
    pub(in crate::wire) fn of(name: &str) -> Self {
        match name.parse::<Tz>() {
            Ok(_) if matches!(name, "UTC" | "Etc/UTC" | "GMT") => Self::Fixed(0),
            Ok(zone) => Self::Named(zone),
            Err(_) => Self::Fixed(0),
        }
    }

    /// Seconds east of Greenwich at an instant.
    fn offset_seconds(self, micros: i64) -> i64 {
        match self {
            Self::Fixed(seconds) => seconds,
            Self::Named(zone) => {
                // Beyond chrono's years no zone changes its offset.
                let instant = DateTime::from_timestamp_micros(micros)
                    .map_or(NaiveDateTime::MAX, |instant| instant.naive_utc());
                let offset = zone.offset_from_utc_datetime(&instant).fix();
                i64::from(offset.local_minus_utc())
            }
        }
    }
}

/// The offsets of a zone, remembered by day.
#[derive(Debug)]
pub(super) struct Offsets {
    zone: Zone,
    /// At the place of a day's number modulo [`DAYS_KEPT`]: a day on which the offset does not
    /// change, and the offset. Zones do not change: what is remembered stays true.
    days: Vec<(i64, i64)>,
}

/// Days remembered at a time: some three years.
const DAYS_KEPT: i64 = 1024;
/// No day of the calendar.
const NO_DAY: i64 = i64::MAX;

impl Offsets {
    /// Of a zone, with nothing remembered.
    pub(super) fn of(zone: Zone) -> Self {
        Self {
            zone,
            days: Vec::new(),
        }
    }

    /// Seconds east of Greenwich at an instant.
    pub(super) fn seconds(&mut self, micros: i64) -> i64 {
        if let Zone::Fixed(seconds) = self.zone {
            return seconds;
        }
        if self.days.is_empty() {
            self.days = vec![(NO_DAY, 0); 1024];
        }
        let day = micros.div_euclid(MICROS_PER_DAY);
        let place = usize::try_from(day.rem_euclid(DAYS_KEPT)).unwrap_or(0);
        if self.days[place].0 == day {
            return self.days[place].1;
        }
        // No zone has ever changed its offset and changed it back within six hours.
        let quarter = |quarter: i64| {
            let micros = day.saturating_mul(MICROS_PER_DAY);
            self.zone
                .offset_seconds(micros.saturating_add(quarter * MICROS_PER_DAY / 4))
        };
        let first = quarter(0);
        if (1..=4).all(|later| quarter(later) == first) {
            self.days[place] = (day, first);
            return first;
        }
        self.zone.offset_seconds(micros)
    }
}

/// Appends a date, given in days since 1970.
pub(super) fn date(out: &mut BytesMut, days: i32) {
    let (year, month, day) = civil(i64::from(days));
    year_month_day(out, year, month, day);
    era(out, year);
}

/// A date in PostgreSQL's days.
pub(super) fn date_binary(days: i32) -> Option<i32> {
    i32::try_from(i64::from(days) - EPOCH_DAYS).ok()
}

/// Appends a time of day.
pub(super) fn time(out: &mut BytesMut, micros: i64) {
    let seconds = micros.div_euclid(MICROS_PER_SECOND);
    two_digits(out, seconds / 3600);
    out.put_u8(b':');
    two_digits(out, seconds / 60 % 60);
    out.put_u8(b':');
    two_digits(out, seconds % 60);
    fraction(out, micros.rem_euclid(MICROS_PER_SECOND));
}

/// Appends a timestamp, given in microseconds since 1970.
pub(super) fn timestamp(out: &mut BytesMut, micros: i64) {
    if infinite(out, micros) {
        return;
    }
    let year = date_and_time(out, i128::from(micros));
    era(out, year);
}

/// Appends an instant as the session's zone shows it.
pub(super) fn timestamptz(out: &mut BytesMut, micros: i64, zone: Zone) {
    if infinite(out, micros) {
        return;
    }
    let offset = zone.offset_seconds(micros);
    let local = i128::from(micros) + i128::from(offset * MICROS_PER_SECOND);
    let year = date_and_time(out, local);
    utc_offset(out, offset);
    era(out, year);
}

/// A timestamp in PostgreSQL's microseconds; the ends of the range are its infinities.
pub(super) fn timestamp_binary(micros: i64) -> Option<i64> {
    match micros {
        i64::MIN | i64::MAX => Some(micros),
        _ => micros.checked_sub(EPOCH_DAYS * MICROS_PER_DAY),
    }
}

fn infinite(out: &mut BytesMut, micros: i64) -> bool {
    match micros {
        i64::MAX => out.put_slice(b"infinity"),
        i64::MIN => out.put_slice(b"-infinity"),
        _ => return false,
    }
    true
}

fn date_and_time(out: &mut BytesMut, micros: i128) -> i64 {
    let days = micros.div_euclid(i128::from(MICROS_PER_DAY));
    let of_day = micros.rem_euclid(i128::from(MICROS_PER_DAY));
    // An i64 of microseconds spans some 10^8 days.
    let (year, month, day) = civil(i64::try_from(days).unwrap_or(0));
    year_month_day(out, year, month, day);
    out.put_u8(b' ');
    time(out, i64::try_from(of_day).unwrap_or(0));
    year
}

/// Year, month and day of a day since 1970, in the Gregorian calendar extended both ways.
/// Howard Hinnant's `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Year 0 is 1 BC.
fn year_month_day(out: &mut BytesMut, year: i64, month: i64, day: i64) {
    let year = if year > 0 { year } else { 1 - year };
    for limit in [1000, 100, 10] {
        if year < limit {
            out.put_u8(b'0');
        }
    }
    integer(out, year);
    out.put_u8(b'-');
    two_digits(out, month);
    out.put_u8(b'-');
    two_digits(out, day);
}

fn era(out: &mut BytesMut, year: i64) {
    if year <= 0 {
        out.put_slice(b" BC");
    }
}

/// Appends a number with at least two digits.
pub(super) fn two_digits(out: &mut BytesMut, value: i64) {
    if value < 10 {
        out.put_u8(b'0');
    }
    integer(out, value);
}

/// Appends the digits of a second's fraction that are not trailing zeros.
pub(super) fn fraction(out: &mut BytesMut, micros: i64) {
    if micros == 0 {
        return;
    }
    let mut digits = *b".000000";
    let mut rest = micros;
    for place in (1..7).rev() {
        digits[place] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    let end = digits.iter().rposition(|digit| *digit != b'0').unwrap_or(0);
    out.put_slice(&digits[..=end]);
}

fn utc_offset(out: &mut BytesMut, seconds: i64) {
    out.put_u8(if seconds < 0 { b'-' } else { b'+' });
    let seconds = seconds.abs();
    two_digits(out, seconds / 3600);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    if minutes != 0 || rest != 0 {
        out.put_u8(b':');
        two_digits(out, minutes);
    }
    if rest != 0 {
        out.put_u8(b':');
        two_digits(out, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn check_date(days: i32, expected: &str) {
        assert_eq!(written(|out| date(out, days)), expected);
    }

    fn check_instant(micros: i64, zone: &str, expected: &str) {
        let zone = Zone::of(zone);
        assert_eq!(written(|out| timestamptz(out, micros, zone)), expected);
    }

    #[test]
    fn dates_of_every_era() {
        check_date(0, "1970-01-01");
        check_date(-1, "1969-12-31");
        check_date(19_782, "2024-02-29");
        check_date(-719_162, "0001-01-01");
        check_date(-719_163, "0001-12-31 BC");
        check_date(-719_528, "0001-01-01 BC");
        check_date(-735_160, "0044-03-15 BC");
        check_date(2_932_897, "10000-01-01");
        assert_eq!(date_binary(10_957), Some(0));
        assert_eq!(date_binary(i32::MIN), None);
    }

    #[test]
    fn times_and_timestamps() {
        assert_eq!(written(|out| time(out, 3_723_004_000)), "01:02:03.004");
        assert_eq!(written(|out| time(out, MICROS_PER_DAY)), "24:00:00");
        let check = |micros: i64, expected: &str| {
            assert_eq!(written(|out| timestamp(out, micros)), expected);
        };
        check(0, "1970-01-01 00:00:00");
        check(-1, "1969-12-31 23:59:59.999999");
        check(1_709_168_523_400_000, "2024-02-29 01:02:03.4");
        check(i64::MAX, "infinity");
        check(i64::MIN, "-infinity");
        check(i64::MIN + 1, "290309-12-21 19:59:05.224193 BC");
        check(i64::MAX - 1, "294247-01-10 04:00:54.775806");
        assert_eq!(timestamp_binary(946_684_800_000_000), Some(0));
        assert_eq!(timestamp_binary(i64::MIN + 1), None);
    }

    #[test]
    fn instants_in_a_zone() {
        check_instant(0, "UTC", "1970-01-01 00:00:00+00");
        check_instant(0, "Europe/Berlin", "1970-01-01 01:00:00+01");
        check_instant(
            1_720_000_000_000_000,
            "Europe/Berlin",
            "2024-07-03 11:46:40+02",
        );
        check_instant(0, "Asia/Kolkata", "1970-01-01 05:30:00+05:30");
        check_instant(0, "-03:00", "1969-12-31 21:00:00-03");
        check_instant(
            -3_000_000_000_000_000,
            "Europe/Berlin",
            "1874-12-07 19:33:28+00:53:28",
        );
        check_instant(i64::MAX, "Europe/Berlin", "infinity");
    }
}
