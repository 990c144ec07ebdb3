//! The parts of a date and a time, and the fields that give them: `DecodeDate`, `DecodeNumber`,
//! `DecodeNumberField`, `DecodeTime`, `DecodeTimezone` and `ValidateDate` in datetime.c.

use super::fields::{DATE, DAY, DAY_OF_YEAR, MONTH, Mask, TIME, YEAR, ZONE};
use super::words::{Word, word};
use crate::functions::calendar;
use crate::functions::output::FieldOrder;

/// Why a text is no date or time (`DTERR_...`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It does not look like one.
    Format,
    /// A part is out of range.
    Range,
    /// A month or day is out of range: perhaps they came in another order.
    Order,
    /// An offset is out of range.
    Offset,
    /// There is no such zone.
    Zone(String),
    /// It depends on when it is read.
    OfTheMoment(String),
}

/// Microseconds of a second.
pub(super) const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub(super) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// The widest offset from Greenwich, in hours (`MAX_TZDISP_HOUR`).
const OFFSET_HOURS_MAX: i64 = 15;

/// What has been read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) day_of_year: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) micros: i64,
    /// Whether the year was written with one or two digits.
    pub(super) is_short_year: bool,
}

/// Half a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Am,
    Pm,
}

impl Parts {
    /// A date of one field: `1999-01-08`, `1/8/99`, `8-jan-1999`. The fields it gives.
    pub(super) fn date(
        &mut self,
        text: &str,
        known: Mask,
        order: FieldOrder,
    ) -> Result<Mask, Wrong> {
        let mut numbers = Vec::new();
        let mut found = 0;
        let mut has_month_name = false;
        for part in date_parts(text)? {
            if !part.starts_with(|first: char| first.is_ascii_alphabetic()) {
                numbers.push(part);
                continue;
            }
            match word(part) {
                Some(Word::Ignored) => continue,
                Some(Word::Month(month)) if (known | found) & MONTH == 0 => {
                    self.month = month;
                    has_month_name = true;
                    found |= MONTH;
                }
                _ => return Err(Wrong::Format),
            }
        }
        for number in numbers {
            let mask = self.number(number, has_month_name, known | found, order)?;
            if (known | found) & mask != 0 {
                return Err(Wrong::Format);
            }
            found |= mask;
        }
        match (known | found) & !(DAY_OF_YEAR | ZONE) {
            DATE => Ok(found),
            _ => Err(Wrong::Format),
        }
    }

    /// A number that is one field, by what is known already. The fields it gives.
    pub(super) fn number(
        &mut self,
        text: &str,
        has_month_name: bool,
        known: Mask,
        order: FieldOrder,
    ) -> Result<Mask, Wrong> {
        let (value, rest) = leading_integer(text)?;
        if rest.len() == text.len() {
            return Err(Wrong::Format);
        }
        if rest.starts_with('.') {
            if text.len() - rest.len() > 2 {
                return self.run_together(text, known | DATE);
            }
            self.micros = fraction(rest)?;
        } else if !rest.is_empty() {
            return Err(Wrong::Format);
        }
        if text.len() == 3 && known & DATE == YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(DAY_OF_YEAR | MONTH | DAY);
        }
        let is_long = text.len() >= 3;
        let mask = match known & DATE {
            0 if is_long || order == FieldOrder::YearMonthDay => YEAR,
            0 if order == FieldOrder::DayMonthYear => DAY,
            0 | YEAR | DAY => MONTH,
            MONTH if has_month_name && (is_long || order == FieldOrder::YearMonthDay) => YEAR,
            MONTH => DAY,
            known if known == YEAR | MONTH => {
                if has_month_name && is_long && self.is_short_year {
                    // The first number was the day.
                    self.day = self.year;
                    self.year = value;
                    self.is_short_year = false;
                    return Ok(DAY);
                }
                DAY
            }
            known if known == MONTH | DAY => YEAR,
            DATE => return self.run_together(text, known),
            _ => return Err(Wrong::Format),
        };
        match mask {
            YEAR => {
                self.year = value;
                self.is_short_year = text.len() <= 2;
            }
            MONTH => self.month = value,
            _ => self.day = value,
        }
        Ok(mask)
    }

    /// Several fields in one number: `19990108`, `990108`, `040506.789`, `0405`. What it gives.
    pub(super) fn run_together(&mut self, text: &str, known: Mask) -> Result<Mask, Wrong> {
        let (digits, is_whole) = match text.find('.') {
            Some(point) => {
                self.micros = fraction(&text[point..])?;
                (&text[..point], false)
            }
            None => (text, true),
        };
        let n_digits = digits.len();
        let part = |range: std::ops::Range<usize>| digits.get(range).map_or(0, lenient_integer);
        if is_whole && known & DATE != DATE && n_digits >= 6 {
            self.day = part(n_digits - 2..n_digits);
            self.month = part(n_digits - 4..n_digits - 2);
            self.year = part(0..n_digits - 4);
            self.is_short_year = n_digits == 6;
            return Ok(DATE);
        }
        if known & TIME != 0 || !matches!(n_digits, 4 | 6) {
            return Err(Wrong::Format);
        }
        self.second = part(4..n_digits);
        self.minute = part(2..4);
        self.hour = part(0..2);
        Ok(TIME)
    }

    /// `04:05`, `04:05:06.789`; of two parts, the second with a fraction, minutes and seconds.
    pub(super) fn time(&mut self, text: &str) -> Result<(), Wrong> {
        let (hour, rest) = leading_integer(text)?;
        let rest = rest.strip_prefix(':').ok_or(Wrong::Format)?;
        let (minute, rest) = leading_integer(rest)?;
        (self.hour, self.minute, self.second) = (hour, minute, 0);
        self.micros = 0;
        if rest.starts_with('.') {
            self.micros = fraction(rest)?;
            (self.hour, self.minute, self.second) = (0, hour, minute);
        } else if let Some(rest) = rest.strip_prefix(':') {
            let (second, rest) = leading_integer(rest)?;
            self.second = second;
            if rest.starts_with('.') {
                self.micros = fraction(rest)?;
            } else if !rest.is_empty() {
                return Err(Wrong::Format);
            }
        } else if !rest.is_empty() {
            return Err(Wrong::Format);
        }
        let is_sane = self.minute <= 59 && self.second <= 60 && self.micros <= MICROS_PER_SECOND;
        is_sane.then_some(()).ok_or(Wrong::Range)
    }

    /// Days of the Julian calendar, and the time that a fraction of one is. What it gives.
    pub(super) fn julian(&mut self, text: &str) -> Result<Mask, Wrong> {
        let (days, rest) = leading_integer(text)?;
        let date = calendar::date_of(days - JULIAN_EPOCH);
        (self.year, self.month, self.day) = date;
        if rest.is_empty() {
            return Ok(DATE);
        }
        if !rest.starts_with('.') {
            return Err(Wrong::Format);
        }
        let part: f64 = format!("0{rest}").parse().map_err(|_| Wrong::Format)?;
        #[expect(clippy::cast_possible_truncation, reason = "a part of a day is small")]
        let micros = (part * 86_400e6) as i64;
        self.hour = micros / 3_600_000_000;
        self.minute = micros / 60_000_000 % 60;
        self.second = micros / MICROS_PER_SECOND % 60;
        self.micros = micros % MICROS_PER_SECOND;
        Ok(DATE | TIME)
    }

    /// Checks the date, and gives the year its century or era.
    pub(super) fn validate(
        &mut self,
        known: Mask,
        is_julian: bool,
        is_bc: bool,
    ) -> Result<(), Wrong> {
        if known & YEAR != 0 && !is_julian {
            if !is_bc && self.is_short_year {
                match self.year {
                    0..=69 => self.year += 2000,
                    70..=99 => self.year += 1900,
                    _ => {}
                }
            } else if self.year <= 0 {
                return Err(Wrong::Range);
            }
            if is_bc {
                self.year = 1 - self.year;
            }
        }
        if known & DAY_OF_YEAR != 0 {
            let days = calendar::day_of(self.year, 1, 1) + self.day_of_year - 1;
            (self.year, self.month, self.day) = calendar::date_of(days);
        }
        let is_wrong_month = known & MONTH != 0 && !(1..=12).contains(&self.month);
        let is_wrong_day = known & DAY != 0 && !(1..=31).contains(&self.day);
        if is_wrong_month || is_wrong_day {
            return Err(Wrong::Order);
        }
        if known & DATE == DATE && self.day > days_of_month(self.year, self.month) {
            return Err(Wrong::Range);
        }
        Ok(())
    }

    /// Turns hours of half a day into those of a whole.
    pub(super) fn apply(&mut self, half: Option<Half>) -> Result<(), Wrong> {
        match half {
            Some(_) if self.hour > 12 => return Err(Wrong::Range),
            Some(Half::Am) if self.hour == 12 => self.hour = 0,
            Some(Half::Pm) if self.hour != 12 => self.hour += 12,
            _ => {}
        }
        Ok(())
    }

    /// Whether the time is beyond the end of a day (`time_overflows`).
    pub(super) fn is_past_midnight(&self) -> bool {
        self.hour > 24
            || self.minute > 59
            || self.second > 60
            || self.micros > MICROS_PER_SECOND
            || self.micros_of_day() > MICROS_PER_DAY
    }

    /// Microseconds of the day.
    pub(super) fn micros_of_day(&self) -> i64 {
        (self.hour * 3600 + self.minute * 60 + self.second) * MICROS_PER_SECOND + self.micros
    }

    /// Days since 1970.
    pub(super) fn days(&self) -> i64 {
        calendar::day_of(self.year, self.month, self.day)
    }
}

/// Seconds east of Greenwich of `+05`, `-5:30`, `+0530`, `+05:30:15`.
pub(super) fn offset(text: &str) -> Result<i64, Wrong> {
    let digits = text.strip_prefix(['+', '-']).ok_or(Wrong::Format)?;
    let integer = |text| leading_integer(text).map_err(|_| Wrong::Offset);
    let (mut hours, mut rest) = integer(digits)?;
    let (mut minutes, mut seconds) = (0, 0);
    if let Some(behind) = rest.strip_prefix(':') {
        (minutes, rest) = integer(behind)?;
        if let Some(behind) = rest.strip_prefix(':') {
            (seconds, rest) = integer(behind)?;
        }
    } else if rest.is_empty() && text.len() > 3 {
        (hours, minutes) = (hours / 100, hours % 100);
    }
    if hours > OFFSET_HOURS_MAX || minutes > 59 || seconds > 59 {
        return Err(Wrong::Offset);
    }
    if !rest.is_empty() {
        return Err(Wrong::Format);
    }
    let east = (hours * 60 + minutes) * 60 + seconds;
    Ok(if text.starts_with('-') { -east } else { east })
}

/// 1970-01-01 in days of the Julian calendar.
const JULIAN_EPOCH: i64 = 2_440_588;

fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The parts of a date between characters that are neither letters nor digits.
fn date_parts(text: &str) -> Result<Vec<&str>, Wrong> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        rest = rest.trim_start_matches(|it: char| !it.is_ascii_alphanumeric());
        let first = rest.chars().next().ok_or(Wrong::Format)?;
        let is_number = first.is_ascii_digit();
        let end = rest.find(|it: char| match is_number {
            true => !it.is_ascii_digit(),
            false => !it.is_ascii_alphabetic(),
        });
        let (part, behind) = rest.split_at(end.unwrap_or(rest.len()));
        parts.push(part);
        // Whatever the next character is, it ends the part.
        rest = behind.get(1..).unwrap_or_default();
    }
    Ok(parts)
}

/// The digits at the start of a text as a number, 0 where there are none, and what is behind them
/// (`strtoint`).
pub(super) fn leading_integer(text: &str) -> Result<(i64, &str), Wrong> {
    let end = text.find(|it: char| !it.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    if digits.is_empty() {
        return Ok((0, rest));
    }
    let value: i32 = digits.parse().map_err(|_| Wrong::Range)?;
    Ok((i64::from(value), rest))
}

/// As `atoi`.
fn lenient_integer(digits: &str) -> i64 {
    digits.parse().unwrap_or(0)
}

/// Microseconds of `.789`, rounded.
fn fraction(text: &str) -> Result<i64, Wrong> {
    if text == "." {
        return Ok(0);
    }
    let digits = &text[1..];
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::Format);
    }
    let part: f64 = format!("0{text}").parse().map_err(|_| Wrong::Format)?;
    #[expect(clippy::cast_possible_truncation, reason = "at most a million")]
    Ok((part * 1e6).round_ties_even() as i64)
}
