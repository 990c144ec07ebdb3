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

/// The last of the fields that an interval is restricted to (`INTERVAL DAY TO HOUR`): a number without
/// a unit counts it, and what is smaller is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastField {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// Of `MINUTE TO SECOND`, where `2:03` are minutes and seconds.
    SecondOfMinute,
}

impl LastField {
    fn unit(self) -> Unit {
        match self {
            Self::Year => Unit::Years(1),
            Self::Month => Unit::Month,
            Self::Day => Unit::Days(1),
            Self::Hour => HOUR,
            Self::Minute => Unit::Micros(60 * MICROS_PER_SECOND),
            Self::Second | Self::SecondOfMinute => Unit::Micros(MICROS_PER_SECOND),
        }
    }

    /// As `AdjustIntervalForTypmod` in timestamp.c: the interval without its smaller fields.
    pub fn cut(self, of: IntervalMonthDayNano) -> IntervalMonthDayNano {
        let to = |seconds: i64| {
            let unit = seconds * MICROS_PER_SECOND * 1000;
            IntervalMonthDayNano::new(of.months, of.days, of.nanoseconds / unit * unit)
        };
        match self {
            Self::Year => IntervalMonthDayNano::new(of.months / 12 * 12, 0, 0),
            Self::Month => IntervalMonthDayNano::new(of.months, 0, 0),
            Self::Day => IntervalMonthDayNano::new(of.months, of.days, 0),
            Self::Hour => to(3600),
            Self::Minute => to(60),
            Self::Second | Self::SecondOfMinute => of,
        }
    }
}

const HOUR: Unit = Unit::Micros(3600 * MICROS_PER_SECOND);

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
    of_fields(text, notation, LastField::Second)
}

/// As `interval_in` of a text for a type that is restricted to fields; nothing is cut off yet.
pub fn of_fields(
    text: &str,
    notation: IntervalNotation,
    last: LastField,
) -> Result<IntervalMonthDayNano> {
    let trimmed = text.trim_ascii();
    let sum = match trimmed.strip_prefix(['P', 'p']) {
        Some(rest) => iso_8601(rest),
        None => match sign_of_all(trimmed, notation) {
            Some(rest) => words(rest, last).map(Sum::negated),
            None => words(trimmed, last),
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
            months: self.months.saturating_neg(),
            days: self.days.saturating_neg(),
            micros: self.micros.saturating_neg(),
        }
    }

    /// Adds a number of units; what of it is no whole one goes to the next smaller. What is too much
    /// stays at the limit, which no interval holds.
    fn add(&mut self, number: Number, unit: Unit) {
        let Number { whole, fraction } = number;
        match unit {
            Unit::Micros(micros) => {
                let whole = whole.saturating_mul(micros);
                self.add_micros(whole.saturating_add(rounded(fraction * as_float(micros))));
            }
            Unit::Days(days) => {
                self.days = self.days.saturating_add(whole.saturating_mul(days));
                self.add_part_of_days(fraction * as_float(days));
            }
            Unit::Month => {
                self.months = self.months.saturating_add(whole);
                self.add_part_of_days(fraction * DAYS_PER_MONTH);
            }
            Unit::Years(years) => {
                let months = years * 12;
                let part = rounded(fraction * as_float(months));
                let whole = whole.saturating_mul(months).saturating_add(part);
                self.months = self.months.saturating_add(whole);
            }
        }
    }

    fn add_part_of_days(&mut self, days: f64) {
        self.days = self.days.saturating_add(rounded(days.trunc()));
        self.add_micros(rounded(days.fract() * as_float(MICROS_PER_DAY)));
    }

    fn add_micros(&mut self, micros: i64) {
        self.micros = self.micros.saturating_add(micros);
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

/// The fields of an interval that a text has named, each once (`DecodeInterval` in datetime.c).
#[derive(Debug, Default)]
struct Named {
    mask: u16,
}

impl Named {
    const SECOND: u16 = 1 << 2;
    const SECONDS: u16 = 0b111;
    const MONTH: u16 = 1 << 7;
    /// Hours, minutes and all of seconds.
    const TIME: u16 = 0b1_1111;

    /// Names more of them; `None` if one of them has been named.
    fn add(&mut self, mask: u16) -> Option<()> {
        let is_new = self.mask & mask == 0;
        self.mask |= mask;
        is_new.then_some(())
    }

    fn add_unit(&mut self, unit: Unit, number: Number) -> Option<()> {
        self.add(match unit {
            Unit::Micros(1) => 1,
            Unit::Micros(1000) => 1 << 1,
            Unit::Micros(MICROS_PER_SECOND) if number.fraction == 0.0 => Self::SECOND,
            Unit::Micros(MICROS_PER_SECOND) => Self::SECONDS,
            HOUR => 1 << 4,
            Unit::Micros(_) => 1 << 3,
            Unit::Days(1) => 1 << 5,
            Unit::Days(_) => 1 << 6,
            Unit::Month => Self::MONTH,
            Unit::Years(1) => 1 << 8,
            Unit::Years(10) => 1 << 9,
            Unit::Years(100) => 1 << 10,
            Unit::Years(_) => 1 << 11,
        })
    }
}

/// Numbers that wait for what they count. Two stand for days and hours.
#[derive(Debug, Default)]
struct Pending {
    earlier: Option<Number>,
    number: Option<Number>,
}

impl Pending {
    fn push(&mut self, number: Number) -> Option<()> {
        if self.earlier.is_some() {
            return None;
        }
        self.earlier = self.number.replace(number);
        Some(())
    }

    /// The last number counts this, and one before it days, where this is hours.
    fn count(&mut self, unit: Unit, sum: &mut Sum, named: &mut Named) -> Option<()> {
        let number = self.number.take()?;
        named.add_unit(unit, number)?;
        sum.add(number, unit);
        if let Some(days) = self.earlier.take() {
            if unit != HOUR {
                return None;
            }
            named.add_unit(Unit::Days(1), days)?;
            sum.add(days, Unit::Days(1));
        }
        Some(())
    }
}

/// `1 year 2 mons -3 days 04:05:06.7 ago`, `1-2 3 4:05:06`, `5h`, `90`.
fn words(text: &str, last: LastField) -> Option<Sum> {
    let (mut sum, mut named, mut pending) = (Sum::default(), Named::default(), Pending::default());
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
            match (token.to_ascii_lowercase().as_str(), pending.number) {
                ("ago", None) => is_ago = true,
                (word, Some(_)) => pending.count(unit(word)?, &mut sum, &mut named)?,
                _ => return None,
            }
        } else if token.contains(':') {
            // A number without a unit counts days before a time, and the last field before the end.
            if pending.number.is_some() {
                pending.count(Unit::Days(1), &mut sum, &mut named)?;
            }
            named.add(Named::TIME)?;
            sum.add_micros(time(token, last)?);
        } else if let Some(months) = year_and_month(token) {
            if pending.number.is_some() {
                return None;
            }
            named.add(Named::MONTH)?;
            sum.months = sum.months.saturating_add(months);
        } else {
            pending.push(number(token)?)?;
        }
    }
    if pending.number.is_some() {
        pending.count(last.unit(), &mut sum, &mut named)?;
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
        digits => digits.parse().unwrap_or(i64::MAX),
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
    (months < 12).then_some(sign * years.saturating_mul(12).saturating_add(months))
}

fn whole(digits: &str) -> Option<i64> {
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| digits.parse().unwrap_or(i64::MAX))
}

/// `[-]4:05`, `[-]4:05:06.7`; of two parts, the second with a fraction, minutes and seconds.
fn time(token: &str, last: LastField) -> Option<i64> {
    let (sign, digits) = signed(token);
    let parts: Vec<&str> = digits.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [minutes, seconds] if seconds.contains('.') || last == LastField::SecondOfMinute => {
            ("0", *minutes, *seconds)
        }
        [hours, minutes] => (*hours, *minutes, "0"),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return None,
    };
    let (hours, minutes, seconds) = (whole(hours)?, whole(minutes)?, number(seconds)?);
    if minutes > 59 || !(0..=60).contains(&seconds.whole) {
        return None;
    }
    let micros = rounded(seconds.fraction * as_float(MICROS_PER_SECOND));
    let hours = hours.saturating_mul(3600);
    let total = hours.saturating_add(minutes * 60 + seconds.whole);
    Some(
        sign * total
            .saturating_mul(MICROS_PER_SECOND)
            .saturating_add(micros),
    )
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
        sum.months = years.saturating_mul(12).saturating_add(months);
        sum.days = days;
        if !time_part.is_empty() {
            sum.micros = time(time_part, LastField::Second)?;
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
        sum.add(number(&rest[..end])?, unit(designator)?);
        rest = &rest[end + 1..];
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests;
