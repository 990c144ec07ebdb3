//! `to_char` of dates, times and intervals (`DCH_to_char` in formatting.c).
//! <https://www.postgresql.org/docs/16/functions-formatting.html>

use std::fmt::Write;

use super::template::{Case, Field, Key, Node};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::datetime::Civil;

/// What is written.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// The fields of the clock and the calendar, or the counts of an interval.
    pub(super) civil: Civil,
    pub(super) is_interval: bool,
    /// The name of the zone and its seconds east of Greenwich; nothing where there is no zone.
    pub(super) zone: Option<(String, i64)>,
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
pub(super) const ROMANS: [&str; 12] = [
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII",
];
/// Letters of the longest name of a month or a day.
const NAME_LETTERS: usize = 9;
/// Letters of the longest Roman number up to 12.
const ROMAN_LETTERS: usize = 4;

/// Writes a moment by a pattern.
///
/// # Errors
/// A keyword that an interval has no value for.
pub(super) fn write(nodes: &[Node], shown: &Shown) -> Result<String> {
    let mut out = String::new();
    for node in nodes {
        match node {
            Node::Field(field) => self::field(&mut out, field, shown)?,
            Node::Separator(it) | Node::Space(it) | Node::Character(it) => out.push(*it),
        }
    }
    Ok(out)
}

fn field(out: &mut String, field: &Field, shown: &Shown) -> Result<()> {
    let civil = &shown.civil;
    let mut number = |value: i64, width: usize| numbered(out, field, value, width);
    match field.key {
        Key::Hour12 => number(
            match civil.hour % 12 {
                0 => 12,
                hour => hour,
            },
            2,
        ),
        Key::Hour24 => number(civil.hour, 2),
        Key::Minute => number(civil.minute, 2),
        Key::Second => number(civil.second, 2),
        Key::Fraction(digits) => fraction(out, field, civil.micros, digits),
        Key::Milliseconds => fraction(out, field, civil.micros, 3),
        Key::Microseconds => fraction(out, field, civil.micros, 6),
        Key::SecondsOfDay => number(civil.hour * 3600 + civil.minute * 60 + civil.second, 0),
        Key::Month => number(civil.month, 2),
        Key::DayOfMonth => number(civil.day, 2),
        Key::DayOfYear => number(days(shown), 3),
        Key::IsoDayOfYear => {
            let monday = crate::functions::datetime::monday_of(civil.iso_week().0, 1);
            number(civil.day_number() - monday + 1, 3);
        }
        Key::Week => number((days(shown) - 1) / 7 + 1, 2),
        Key::IsoWeek => number(civil.iso_week().1, 2),
        Key::WeekOfMonth => number((civil.day - 1) / 7 + 1, 0),
        Key::Quarter if civil.month == 0 => {}
        Key::Quarter => number((civil.month - 1) / 3 + 1, 0),
        Key::Julian => number(civil.julian(), 0),
        Key::Century => {
            let century = century(shown);
            number(century, if century.abs() <= 99 { 2 } else { 0 });
        }
        Key::Year(_) | Key::IsoYear(_) | Key::YearWithComma => year(out, field, shown),
        Key::Half { dots } => half(out, field.case, dots, civil.hour),
        Key::Roman => roman(out, field, shown),
        Key::Exact => {}
        Key::Era { .. }
        | Key::DayName
        | Key::DayShort
        | Key::DayOfWeek
        | Key::IsoDayOfWeek
        | Key::MonthName
        | Key::MonthShort
        | Key::Offset
        | Key::ZoneHours
        | Key::ZoneMinutes
        | Key::Zone => {
            if shown.is_interval {
                let message = "invalid format specification for an interval value";
                return Err(Error::new(ErrorKind::InvalidDatetimeFormat, message)
                    .with_hint("Intervals are not tied to specific calendar dates."));
            }
            of_a_day(out, field, shown);
        }
    }
    Ok(())
}

/// The keywords that intervals have no value for.
fn of_a_day(out: &mut String, field: &Field, shown: &Shown) {
    let civil = &shown.civil;
    let weekday = civil.weekday();
    let index = |of: i64| usize::try_from(of).unwrap_or_default();
    match field.key {
        Key::Era { dots } => {
            let (letter, second) = if civil.year <= 0 {
                ('b', 'c')
            } else {
                ('a', 'd')
            };
            letters(out, field.case, dots, letter, second);
        }
        Key::DayName => name(out, field, DAYS[index(weekday)], NAME_LETTERS),
        Key::DayShort => name(out, field, &DAYS[index(weekday)][..3], 0),
        Key::DayOfWeek => numbered(out, field, weekday + 1, 0),
        Key::IsoDayOfWeek => numbered(out, field, if weekday == 0 { 7 } else { weekday }, 0),
        Key::MonthName => name(out, field, MONTHS[index(civil.month - 1)], NAME_LETTERS),
        Key::MonthShort => name(out, field, &MONTHS[index(civil.month - 1)][..3], 0),
        _ => zone(out, field, shown),
    }
}

fn zone(out: &mut String, field: &Field, shown: &Shown) {
    let (called, offset) = match &shown.zone {
        Some((called, offset)) => (called.as_str(), *offset),
        None => ("", 0),
    };
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    let width = if field.fill { 0 } else { 2 };
    // Writing into a text does not fail.
    let _ = match field.key {
        Key::Zone if field.case == Case::Lower => write!(out, "{}", called.to_lowercase()),
        Key::Zone => write!(out, "{called}"),
        Key::ZoneHours => write!(out, "{sign}{hours:02}"),
        Key::ZoneMinutes => write!(out, "{minutes:02}"),
        _ if minutes != 0 => write!(out, "{sign}{hours:0width$}:{minutes:02}"),
        _ => write!(out, "{sign}{hours:0width$}"),
    };
}

/// Days of the year; of an interval, of all its months and days.
fn days(shown: &Shown) -> i64 {
    let civil = &shown.civil;
    match shown.is_interval {
        true => (civil.year * 12 + civil.month) * 30 + civil.day,
        false => civil.day_of_year(),
    }
}

fn century(shown: &Shown) -> i64 {
    let year = shown.civil.year;
    match year {
        _ if shown.is_interval => year / 100,
        1.. => (year - 1) / 100 + 1,
        // Centuries before Christ count down from -1.
        _ => year / 100 - 1,
    }
}

fn year(out: &mut String, field: &Field, shown: &Shown) {
    let year = match field.key {
        Key::IsoYear(_) => shown.civil.iso_week().0,
        _ => shown.civil.year,
    };
    let year = match year {
        _ if shown.is_interval => year,
        1.. => year,
        _ => 1 - year,
    };
    match field.key {
        Key::Year(4) | Key::IsoYear(4) => numbered(out, field, year, 4),
        Key::Year(digits) | Key::IsoYear(digits) => {
            let width = usize::try_from(digits).unwrap_or_default();
            numbered(out, field, year % 10_i64.pow(digits), width);
        }
        _ => {
            // Writing into a text does not fail.
            let _ = write!(out, "{},{:03}", year / 1000, (year % 1000).abs());
            ordinal(out, field, year);
        }
    }
}

/// A number of at least so many digits, filled with zeros.
fn numbered(out: &mut String, field: &Field, value: i64, width: usize) {
    let width = match field.fill {
        true => 0,
        false => width + usize::from(value < 0 && width > 0),
    };
    // Writing into a text does not fail.
    let _ = write!(out, "{value:0width$}");
    ordinal(out, field, value);
}

fn fraction(out: &mut String, field: &Field, micros: i64, digits: u32) {
    let value = micros / 10_i64.pow(6 - digits);
    let width = usize::try_from(digits).unwrap_or_default();
    // Writing into a text does not fail.
    let _ = write!(out, "{value:0width$}");
    ordinal(out, field, value);
}

/// `TH` behind a number (`get_th`).
fn ordinal(out: &mut String, field: &Field, value: i64) {
    if let Some(case) = field.ordinal {
        let ending = ending(value.unsigned_abs());
        match case {
            Case::Lower => out.push_str(ending),
            _ => out.push_str(&ending.to_uppercase()),
        }
    }
}

/// What makes a number an ordinal one in English.
pub(super) fn ending(value: u64) -> &'static str {
    match (value / 10 % 10, value % 10) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

fn half(out: &mut String, case: Case, dots: bool, hour: i64) {
    let letter = if hour % 24 >= 12 { 'p' } else { 'a' };
    letters(out, case, dots, letter, 'm');
}

fn letters(out: &mut String, case: Case, dots: bool, first: char, second: char) {
    let written = match dots {
        true => format!("{first}.{second}."),
        false => format!("{first}{second}"),
    };
    match case {
        Case::Lower => out.push_str(&written),
        _ => out.push_str(&written.to_uppercase()),
    }
}

fn name(out: &mut String, field: &Field, name: &str, width: usize) {
    let name = match field.case {
        Case::Upper => name.to_uppercase(),
        Case::Lower => name.to_lowercase(),
        Case::Capital => name.to_owned(),
    };
    let width = match field.fill || field.translated {
        true => 0,
        false => width,
    };
    // Writing into a text does not fail.
    let _ = write!(out, "{name:width$}");
}

/// The month as a Roman number. Intervals of whole years end with the last or begin with the first.
fn roman(out: &mut String, field: &Field, shown: &Shown) {
    let (year, month) = (shown.civil.year, shown.civil.month);
    let index = match month {
        0 if year == 0 => return,
        0 if year > 0 => 11,
        0 => 0,
        1.. => month - 1,
        _ => 12 + month,
    };
    let written = ROMANS[usize::try_from(index).unwrap_or_default().min(11)];
    let written = match field.case {
        Case::Lower => written.to_lowercase(),
        _ => written.to_owned(),
    };
    let width = if field.fill { 0 } else { ROMAN_LETTERS };
    // Writing into a text does not fail.
    let _ = write!(out, "{written:width$}");
}

#[cfg(test)]
mod tests {
    use super::super::template::nodes;
    use super::*;

    fn check(pattern: &str, expected: &str) {
        let shown = Shown {
            civil: Civil {
                year: 2001,
                month: 2,
                day: 16,
                hour: 20,
                minute: 38,
                second: 40,
                micros: 123_456,
            },
            is_interval: false,
            zone: Some(("CET".to_owned(), 5400)),
        };
        let written = write(&nodes(pattern), &shown);
        assert_eq!(written.ok().as_deref(), Some(expected), "{pattern}");
    }

    #[test]
    fn moments_are_written_as_postgres_does() {
        check("YYYY-MM-DD HH24:MI:SS.US", "2001-02-16 20:38:40.123456");
        check(
            "Day, FMDDth FMMonth Y,YYY",
            "Friday   , 16th February 2,001",
        );
        check(
            "DAY Dy dy D ID DDD WW IW W Q CC J",
            "FRIDAY    Fri fri 6 5 047 07 07 3 1 21 2451957",
        );
        check("HH12:MI p.m. RM rm FMRM", "08:38 p.m. II   ii   II");
        check("TZ tz OF TZH:TZM", "CET cet +01:30 +01:30");
        check(
            "\"at\" FF3 SSSS IYYY IDDD a.d. BC",
            "at 123 74320 2001 047 a.d. AD",
        );
    }
}
