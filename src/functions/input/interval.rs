//! Intervals, in every form that `interval_in` reads.
//! <https://www.postgresql.org/docs/16/datatype-datetime.html#DATATYPE-INTERVAL-INPUT>

use arrow::datatypes::IntervalMonthDayNano;

use super::invalid_syntax;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::output::IntervalNotation;
use crate::types::oid;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
const DAYS_PER_MONTH: f64 = 30.0;

/// What a word after a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// So many microseconds.
    Micros(i64),
    /// So many days.
    Days(i64),
    Month,
    /// So many years.
    Years(i64),
}

/// The parts of an interval that are summed up.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    months: i64,
    days: i64,
    micros: i64,
}

/// A number with a fraction, both of one sign.
#[derive(Clone, Copy, Debug)]
struct Number {
    whole: i64,
    fraction: f64,
}

/// As `interval_in`.
pub(super) fn value(text: &str, notation: IntervalNotation) -> Result<IntervalMonthDayNano> {
    let trimmed = text.trim_ascii();
    let sum = match trimmed.strip_prefix(['P', 'p']) {
        Some(rest) => iso_8601(rest),
        None => match sign_of_all(trimmed, notation) {
            Some(rest) => words(rest).map(Sum::negated),
            None => words(trimmed),
        },
    };
    let Some(sum) = sum else {
        let kind = ErrorKind::InvalidDatetimeFormat;
        return Err(invalid_syntax(kind, oid::INTERVAL, text));
    };
    sum.interval().ok_or_else(|| {
        let message = format!("interval field value out of range: \"{text}\"");
        Error::new(ErrorKind::IntervalFieldOverflow, message)
    })
}

/// In SQL's standard a minus at the start is that of every field, unless another has a sign. What is
/// behind such a minus.
fn sign_of_all(text: &str, notation: IntervalNotation) -> Option<&str> {
    let rest = text.strip_prefix('-')?;
    let is_signed = |field: &str| field.starts_with(['+', '-']);
    let is_of_all =
        notation == IntervalNotation::SqlStandard && !rest.split_ascii_whitespace().any(is_signed);
    is_of_all.then_some(rest)
}

impl Sum {
    fn interval(self) -> Option<IntervalMonthDayNano> {
        Some(IntervalMonthDayNano::new(
            i32::try_from(self.months).ok()?,
            i32::try_from(self.days).ok()?,
            self.micros.checked_mul(1000)?,
        ))
    }

    fn negated(self) -> Self {
        Self {
            months: -self.months,
            days: -self.days,
            micros: -self.micros,
        }
    }

    /// Adds a number of units; what of it is no whole one goes to the next smaller.
    fn add(&mut self, number: Number, unit: Unit) -> Option<()> {
        let Number { whole, fraction } = number;
        match unit {
            Unit::Micros(micros) => {
                let whole = whole.checked_mul(micros)?;
                self.add_micros(whole.checked_add(rounded(fraction * as_float(micros)))?)?;
            }
            Unit::Days(days) => {
                self.days = self.days.checked_add(whole.checked_mul(days)?)?;
                self.add_part_of_days(fraction * as_float(days))?;
            }
            Unit::Month => {
                self.months = self.months.checked_add(whole)?;
                self.add_part_of_days(fraction * DAYS_PER_MONTH)?;
            }
            Unit::Years(years) => {
                let months = years.checked_mul(12)?;
                let part = rounded(fraction * as_float(months));
                let whole = whole.checked_mul(months)?.checked_add(part)?;
                self.months = self.months.checked_add(whole)?;
            }
        }
        Some(())
    }

    fn add_part_of_days(&mut self, days: f64) -> Option<()> {
        self.days = self.days.checked_add(rounded(days.trunc()))?;
        self.add_micros(rounded(days.fract() * as_float(MICROS_PER_DAY)))
    }

    fn add_micros(&mut self, micros: i64) -> Option<()> {
        self.micros = self.micros.checked_add(micros)?;
        Some(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "units are far below 2^53")]
fn as_float(units: i64) -> f64 {
    units as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a fraction of a unit is small"
)]
fn rounded(value: f64) -> i64 {
    value.round_ties_even() as i64
}

/// `1 year 2 mons -3 days 04:05:06.7 ago`, `1-2 3 4:05:06`, `5h`, `90`.
fn words(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    let mut pending: Option<Number> = None;
    let mut rest = text.trim_start_matches('@').trim_ascii_start();
    let mut is_ago = false;
    if rest.is_empty() {
        return None;
    }
    while let Some(first) = rest.chars().next() {
        if is_ago {
            return None;
        }
        let is_word = first.is_ascii_alphabetic();
        let end = rest.find(|it: char| {
            it.is_ascii_whitespace() || it == ',' || it.is_ascii_alphabetic() != is_word
        });
        let (token, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind.trim_start_matches(|it: char| it.is_ascii_whitespace() || it == ',');
        if is_word {
            let word = token.to_ascii_lowercase();
            match (word.as_str(), pending.take()) {
                ("ago", None) => is_ago = true,
                (word, Some(number)) => sum.add(number, unit(word)?)?,
                _ => return None,
            }
            continue;
        }
        // A number without a unit counts days before a time and before the end, seconds.
        let is_time = token.contains(':');
        if let Some(number) = pending.take() {
            if !is_time {
                return None;
            }
            sum.add(number, Unit::Days(1))?;
        }
        match is_time {
            true => sum.add_micros(time(token)?)?,
            false => match year_and_month(token) {
                Some(months) => sum.months = sum.months.checked_add(months)?,
                None => pending = Some(number(token)?),
            },
        }
    }
    if let Some(number) = pending {
        sum.add(number, Unit::Micros(MICROS_PER_SECOND))?;
    }
    Some(if is_ago { sum.negated() } else { sum })
}

fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecon" | "microsecond"
        | "microseconds" => Unit::Micros(1),
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecon" | "millisecond"
        | "milliseconds" => Unit::Micros(1000),
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Micros(MICROS_PER_SECOND),
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Micros(60 * MICROS_PER_SECOND),
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Micros(3600 * MICROS_PER_SECOND),
        "d" | "day" | "days" => Unit::Days(1),
        "w" | "week" | "weeks" => Unit::Days(7),
        "mon" | "mons" | "month" | "months" => Unit::Month,
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Years(1),
        "dec" | "decs" | "decade" | "decades" => Unit::Years(10),
        "c" | "cent" | "century" | "centuries" => Unit::Years(100),
        "mil" | "mils" | "millennia" | "millennium" => Unit::Years(1000),
        _ => return None,
    })
}

/// `[-]12.5`.
fn number(token: &str) -> Option<Number> {
    let (sign, digits) = signed(token);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let whole: i64 = match whole {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let fraction: f64 = format!("0.{fraction}0").parse().ok()?;
    Some(Number {
        whole: sign * whole,
        fraction: as_float(sign) * fraction,
    })
}

fn signed(token: &str) -> (i64, &str) {
    match token.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, token.strip_prefix('+').unwrap_or(token)),
    }
}

/// `[-]1-2`, years and months.
fn year_and_month(token: &str) -> Option<i64> {
    let (sign, digits) = signed(token);
    let (years, months) = digits.split_once('-')?;
    let (years, months): (i64, i64) = (whole(years)?, whole(months)?);
    (months < 12).then_some(sign * (years.checked_mul(12)? + months))
}

fn whole(digits: &str) -> Option<i64> {
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| digits.parse().ok()).flatten()
}

/// `[-]4:05`, `[-]4:05:06.7`; of two parts, the second with a fraction, minutes and seconds.
fn time(token: &str) -> Option<i64> {
    let (sign, digits) = signed(token);
    let parts: Vec<&str> = digits.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [minutes, seconds] if seconds.contains('.') => ("0", *minutes, *seconds),
        [hours, minutes] => (*hours, *minutes, "0"),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return None,
    };
    let (hours, minutes, seconds) = (whole(hours)?, whole(minutes)?, number(seconds)?);
    if minutes > 59 || !(0..=60).contains(&seconds.whole) {
        return None;
    }
    let micros = rounded(seconds.fraction * as_float(MICROS_PER_SECOND));
    let total = hours.checked_mul(3600)? + minutes * 60 + seconds.whole;
    Some(sign * (total.checked_mul(MICROS_PER_SECOND)?.checked_add(micros)?))
}

/// What follows the P: `1Y2M3W4DT5H6M7.8S`, or `0001-02-03T04:05:06`.
fn iso_8601(text: &str) -> Option<Sum> {
    let (date, time_part) = match text.split_once(['T', 't']) {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (text, ""),
    };
    let mut sum = Sum::default();
    if let [years, months, days] = date.split('-').collect::<Vec<_>>().as_slice()
        && let (Some(years), Some(months), Some(days)) = (whole(years), whole(months), whole(days))
    {
        sum.months = years.checked_mul(12)?.checked_add(months)?;
        sum.days = days;
        if !time_part.is_empty() {
            sum.micros = time(time_part)?;
        }
        return Some(sum);
    }
    if date.is_empty() && time_part.is_empty() {
        return None;
    }
    designated(date, &mut sum, |designator| match designator {
        'Y' => Some(Unit::Years(1)),
        'M' => Some(Unit::Month),
        'W' => Some(Unit::Days(7)),
        'D' => Some(Unit::Days(1)),
        _ => None,
    })?;
    designated(time_part, &mut sum, |designator| match designator {
        'H' => Some(Unit::Micros(3600 * MICROS_PER_SECOND)),
        'M' => Some(Unit::Micros(60 * MICROS_PER_SECOND)),
        'S' => Some(Unit::Micros(MICROS_PER_SECOND)),
        _ => None,
    })?;
    Some(sum)
}

/// Numbers, each before the letter that says what it counts.
fn designated(text: &str, sum: &mut Sum, unit: fn(char) -> Option<Unit>) -> Option<()> {
    let mut rest = text;
    while let Some(end) = rest.find(|it: char| it.is_ascii_alphabetic()) {
        let designator = char::from(rest.as_bytes()[end]).to_ascii_uppercase();
        sum.add(number(&rest[..end])?, unit(designator)?)?;
        rest = &rest[end + 1..];
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, months: i32, days: i32, micros: i64) {
        let expected = IntervalMonthDayNano::new(months, days, micros * 1000);
        match value(text, IntervalNotation::Postgres) {
            Ok(got) => assert_eq!(got, expected, "{text}"),
            Err(error) => panic!("{text}: {}", error.message()),
        }
    }

    #[test]
    fn intervals_in_every_form() {
        let (second, hour) = (MICROS_PER_SECOND, 3600 * MICROS_PER_SECOND);
        check("1 day", 0, 1, 0);
        check("1 year 2 mons -3 days", 14, -3, 0);
        check("1 day 02:03:04", 0, 1, 2 * hour + 184 * second);
        check("1-2 3 4:05:06", 14, 3, 4 * hour + 306 * second);
        check("@ 1 minute 2.5 secs ago", 0, 0, -62_500_000);
        check("90", 0, 0, 90 * second);
        check("-02:03", 0, 0, -7380 * second);
        check("1.5 years", 18, 0, 0);
        check("1.5 months", 1, 15, 0);
        check("1.5 days", 0, 1, 12 * hour);
        check("1.5 weeks", 0, 10, 12 * hour);
        check("5h30m", 0, 0, 5 * hour + 1800 * second);
        check("10:20.5", 0, 0, 620_500_000);
        check("P1Y2M3DT4H5M6.5S", 14, 3, 4 * hour + 306_500_000);
        check("P2W", 0, 14, 0);
        check("P0001-02-03T04:05:06", 14, 3, 4 * hour + 306 * second);
        check("2 centuries, 1 us", 2400, 0, 1);
        for wrong in [
            "",
            "soon",
            "1 dai",
            "1 2 days",
            "P",
            "P1",
            "1:2:3:4",
            "day",
            "1 day ago 2",
        ] {
            assert!(value(wrong, IntervalNotation::Postgres).is_err(), "{wrong}");
        }
        let standard = value("-1-2 3 4:05:06", IntervalNotation::SqlStandard);
        let expected = IntervalMonthDayNano::new(-14, -3, -14_706_000_000_000);
        assert_eq!(standard.expect("it is an interval"), expected);
        let error =
            value("9999999999 years", IntervalNotation::Postgres).expect_err("it is too long");
        assert_eq!(error.kind(), ErrorKind::IntervalFieldOverflow);
    }
}
