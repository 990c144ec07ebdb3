//! Dates and times as `EncodeDateTime` in datetime.c writes them, in each DateStyle.

use bytes::{BufMut, BytesMut};

use super::number::integer;
use super::style::{DateNotation, FieldOrder, Style};
use crate::functions::calendar;

/// Days from 1970-01-01, Arrow's day 0, to 2000-01-01, PostgreSQL's.
const EPOCH_DAYS: i64 = 10_957;
const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// The names of the days, of which the first was 1970-01-01 (`days` in datetime.c).
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A day of the calendar. Year 0 is 1 BC.
#[derive(Clone, Copy, Debug)]
struct Day {
    year: i64,
    month: i64,
    day: i64,
}

/// Appends a date, given in days since 1970; the ends of the range are the infinities.
pub(in crate::functions) fn date(out: &mut BytesMut, days: i32, style: &Style) {
    match days {
        i32::MAX => return out.put_slice(b"infinity"),
        i32::MIN => return out.put_slice(b"-infinity"),
        _ => {}
    }
    let day = civil(i64::from(days));
    match style.notation.dates {
        DateNotation::Postgres => {
            let (first, second) = in_order(day, style.notation.order);
            two_digits(out, first);
            out.put_u8(b'-');
            two_digits(out, second);
            out.put_u8(b'-');
            year_digits(out, day.year);
        }
        _ => numeric_date(out, day, style),
    }
    era(out, day.year);
}

/// A date in PostgreSQL's days; the ends of the range are its infinities.
pub fn date_binary(days: i32) -> Option<i32> {
    match days {
        i32::MIN | i32::MAX => Some(days),
        _ => i32::try_from(i64::from(days) - EPOCH_DAYS).ok(),
    }
}

/// Appends a time of day.
pub(in crate::functions) fn time(out: &mut BytesMut, micros: i64) {
    let seconds = micros.div_euclid(MICROS_PER_SECOND);
    two_digits(out, seconds / 3600);
    out.put_u8(b':');
    two_digits(out, seconds / 60 % 60);
    out.put_u8(b':');
    two_digits(out, seconds % 60);
    fraction(out, micros.rem_euclid(MICROS_PER_SECOND));
}

/// Appends a timestamp, given in microseconds since 1970.
pub(in crate::functions) fn timestamp(out: &mut BytesMut, micros: i64, style: &Style) {
    if infinite(out, micros) {
        return;
    }
    let year = date_and_time(out, i128::from(micros), style);
    era(out, year);
}

/// Appends an instant as the session's zone shows it.
pub(in crate::functions) fn timestamptz(out: &mut BytesMut, micros: i64, style: &Style) {
    if infinite(out, micros) {
        return;
    }
    let offset = style.zone.offset_seconds(micros);
    let local = i128::from(micros) + i128::from(offset * MICROS_PER_SECOND);
    let year = date_and_time(out, local, style);
    match style.notation.dates {
        DateNotation::Iso => utc_offset(out, offset),
        _ => {
            out.put_u8(b' ');
            out.put_slice(style.zone.abbreviation(micros).as_bytes());
        }
    }
    era(out, year);
}

/// A timestamp in PostgreSQL's microseconds; the ends of the range are its infinities.
pub fn timestamp_binary(micros: i64) -> Option<i64> {
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

/// Appends both; the year, whose era comes at the end.
fn date_and_time(out: &mut BytesMut, micros: i128, style: &Style) -> i64 {
    let days = micros.div_euclid(i128::from(MICROS_PER_DAY));
    let of_day = micros.rem_euclid(i128::from(MICROS_PER_DAY));
    // An i64 of microseconds spans some 10^8 days.
    let days = i64::try_from(days).unwrap_or(0);
    let of_day = i64::try_from(of_day).unwrap_or(0);
    let day = civil(days);
    if style.notation.dates == DateNotation::Postgres {
        words(out, days, day, of_day, style.notation.order);
        return day.year;
    }
    numeric_date(out, day, style);
    out.put_u8(b' ');
    time(out, of_day);
    day.year
}

/// `Wed Dec 17 07:37:16 1997`, or with the day before the month.
fn words(out: &mut BytesMut, days: i64, day: Day, of_day: i64, order: FieldOrder) {
    let name = |names: &'static [&'static str], index: i64| {
        let index = usize::try_from(index).unwrap_or(0);
        names.get(index).copied().unwrap_or_default().as_bytes()
    };
    out.put_slice(name(&DAYS, days.rem_euclid(7)));
    out.put_u8(b' ');
    let month = name(&MONTHS, day.month - 1);
    match order {
        FieldOrder::DayMonthYear => {
            two_digits(out, day.day);
            out.put_u8(b' ');
            out.put_slice(month);
        }
        FieldOrder::MonthDayYear | FieldOrder::YearMonthDay => {
            out.put_slice(month);
            out.put_u8(b' ');
            two_digits(out, day.day);
        }
    }
    out.put_u8(b' ');
    time(out, of_day);
    out.put_u8(b' ');
    year_digits(out, day.year);
}

/// A date of digits alone, but for that of the notation `Postgres`.
fn numeric_date(out: &mut BytesMut, day: Day, style: &Style) {
    let (first, second) = in_order(day, style.notation.order);
    match style.notation.dates {
        DateNotation::Iso => {
            year_digits(out, day.year);
            out.put_u8(b'-');
            two_digits(out, day.month);
            out.put_u8(b'-');
            two_digits(out, day.day);
        }
        DateNotation::German => {
            two_digits(out, day.day);
            out.put_u8(b'.');
            two_digits(out, day.month);
            out.put_u8(b'.');
            year_digits(out, day.year);
        }
        DateNotation::Sql | DateNotation::Postgres => {
            two_digits(out, first);
            out.put_u8(b'/');
            two_digits(out, second);
            out.put_u8(b'/');
            year_digits(out, day.year);
        }
    }
}

/// What of month and day comes first.
fn in_order(day: Day, order: FieldOrder) -> (i64, i64) {
    match order {
        FieldOrder::DayMonthYear => (day.day, day.month),
        FieldOrder::MonthDayYear | FieldOrder::YearMonthDay => (day.month, day.day),
    }
}

fn civil(days: i64) -> Day {
    let (year, month, day) = calendar::date_of(days);
    Day { year, month, day }
}

/// At least four digits.
fn year_digits(out: &mut BytesMut, year: i64) {
    let year = if year > 0 { year } else { 1 - year };
    for limit in [1000, 100, 10] {
        if year < limit {
            out.put_u8(b'0');
        }
    }
    integer(out, year);
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

/// Appends seconds east of Greenwich, as `EncodeTimezone` does.
pub(in crate::functions) fn utc_offset(out: &mut BytesMut, seconds: i64) {
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
    use super::super::zone::Zone;
    use super::*;

    fn written(write: impl Fn(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn check_date(days: i32, expected: &str) {
        assert_eq!(written(|out| date(out, days, &Style::default())), expected);
    }

    fn in_zone(zone: &str) -> Style {
        Style {
            zone: Zone::of(zone),
            ..Style::default()
        }
    }

    fn check_instant(micros: i64, zone: &str, expected: &str) {
        let style = in_zone(zone);
        assert_eq!(written(|out| timestamptz(out, micros, &style)), expected);
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
        assert_eq!(date_binary(i32::MIN), Some(i32::MIN));
        assert_eq!(date_binary(i32::MIN + 1), None);
        check_date(i32::MAX, "infinity");
        check_date(i32::MIN, "-infinity");
    }

    #[test]
    fn times_and_timestamps() {
        assert_eq!(written(|out| time(out, 3_723_004_000)), "01:02:03.004");
        assert_eq!(written(|out| time(out, MICROS_PER_DAY)), "24:00:00");
        let check = |micros: i64, expected: &str| {
            assert_eq!(
                written(|out| timestamp(out, micros, &Style::default())),
                expected
            );
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

    fn check_notation(dates: DateNotation, order: FieldOrder, expected: &str) {
        let mut style = in_zone("Europe/Berlin");
        style.notation.dates = dates;
        style.notation.order = order;
        let got = written(|out| {
            date(out, 10_212, &style);
            out.put_slice(b", ");
            timestamptz(out, 882_344_236_500_000, &style);
            out.put_slice(b", ");
            timestamp(out, -62_193_225_600_000_000, &style);
        });
        assert_eq!(got, expected);
    }

    // What a PostgreSQL 16 writes.
    #[test]
    fn every_date_style() {
        use DateNotation::{German, Postgres, Sql};
        use FieldOrder::{DayMonthYear, MonthDayYear, YearMonthDay};
        let sql = "12/17/1997, 12/17/1997 08:37:16.5 CET, 03/06/0002 00:00:00 BC";
        check_notation(Sql, MonthDayYear, sql);
        check_notation(Sql, YearMonthDay, sql);
        check_notation(
            Sql,
            DayMonthYear,
            "17/12/1997, 17/12/1997 08:37:16.5 CET, 06/03/0002 00:00:00 BC",
        );
        check_notation(
            German,
            MonthDayYear,
            "17.12.1997, 17.12.1997 08:37:16.5 CET, 06.03.0002 00:00:00 BC",
        );
        check_notation(
            Postgres,
            MonthDayYear,
            "12-17-1997, Wed Dec 17 08:37:16.5 1997 CET, Sat Mar 06 00:00:00 0002 BC",
        );
        check_notation(
            Postgres,
            DayMonthYear,
            "17-12-1997, Wed 17 Dec 08:37:16.5 1997 CET, Sat 06 Mar 00:00:00 0002 BC",
        );
    }
}
