//! `to_date` and `to_timestamp` of a text and a pattern: what each keyword reads (`DCH_from_char` in
//! formatting.c). <https://www.postgresql.org/docs/16/functions-formatting.html>

use super::collected::Collected;
use super::moment::{DAYS, MONTHS, ROMANS};
use super::template::{Field, Key, Node};
use crate::error::{Error, ErrorKind, Result};

/// Reads a text by a pattern. What is behind the pattern's end is not looked at.
///
/// # Errors
/// The text does not fit the pattern, or says one thing twice otherwise.
pub(super) fn read(text: &str, nodes: &[Node]) -> Result<Collected> {
    let mut reader = Reader {
        rest: text,
        skipped: 0,
        last_skipped: None,
        is_exact: false,
        collected: Collected::default(),
    };
    for (index, node) in nodes.iter().enumerate() {
        if reader.rest.is_empty() {
            break;
        }
        if !reader.is_exact && (index == 0 || matches!(node, Node::Field(_))) {
            reader.skip_spaces();
        }
        match node {
            Node::Separator(_) | Node::Space(_) => reader.separator(),
            Node::Character(_) => reader.character(),
            Node::Field(field) => {
                let is_open = is_open(field, nodes.get(index + 1));
                reader.field(field, is_open)?;
                if !reader.is_exact {
                    reader.skipped = 0;
                    reader.skip_spaces();
                }
            }
        }
    }
    Ok(reader.collected)
}

/// Whether a number may have as many digits as there are: it is followed by none (`is_next_separator`).
fn is_open(field: &Field, next: Option<&Node>) -> bool {
    if field.fill || field.ordinal.is_some() {
        return true;
    }
    match next {
        None => true,
        Some(Node::Field(next)) => !is_number(next.key),
        Some(Node::Separator(it) | Node::Space(it) | Node::Character(it)) => !it.is_ascii_digit(),
    }
}

fn is_number(key: Key) -> bool {
    !matches!(
        key,
        Key::Half { .. }
            | Key::Era { .. }
            | Key::DayName
            | Key::DayShort
            | Key::MonthName
            | Key::MonthShort
            | Key::Roman
            | Key::Exact
            | Key::Offset
            | Key::Zone
            | Key::ZoneHours
    )
}

struct Reader<'a> {
    rest: &'a str,
    /// Characters passed over beyond those that the pattern has.
    skipped: i64,
    /// The last character passed over.
    last_skipped: Option<char>,
    /// Behind `FX`: nothing is passed over.
    is_exact: bool,
    collected: Collected,
}

impl Reader<'_> {
    fn skip_spaces(&mut self) {
        while self.rest.starts_with(|it: char| it.is_ascii_whitespace()) {
            self.advance();
            self.skipped += 1;
        }
    }

    fn advance(&mut self) {
        let mut characters = self.rest.chars();
        self.last_skipped = characters.next();
        self.rest = characters.as_str();
    }

    fn separator(&mut self) {
        if self.is_exact {
            return self.advance();
        }
        self.skipped -= 1;
        let is_between = |it: char| {
            it.is_ascii_whitespace() || (it.is_ascii_graphic() && !it.is_ascii_alphanumeric())
        };
        if self.rest.starts_with(is_between) {
            self.advance();
            self.skipped += 1;
        }
    }

    fn character(&mut self) {
        match self.skipped > 0 && !self.is_exact {
            true => self.skipped -= 1,
            false => self.advance(),
        }
    }

    fn field(&mut self, field: &Field, is_open: bool) -> Result<()> {
        self.collected.use_weeks_of(field.key)?;
        let name = spelling(field.key);
        match field.key {
            Key::Exact => self.is_exact = true,
            Key::Half { dots } => {
                let words: &[&str] = if dots {
                    &["a.m.", "p.m."]
                } else {
                    &["am", "pm"]
                };
                let half = self.word(words, name)?;
                self.collected.set_half(half == 1)?;
            }
            Key::Era { dots } => {
                let words: &[&str] = if dots {
                    &["a.d.", "b.c."]
                } else {
                    &["ad", "bc"]
                };
                self.collected.is_before_christ = self.word(words, name)? == 1;
            }
            Key::MonthName => self.month(&MONTHS, name)?,
            Key::MonthShort => self.month(&MONTHS.map(|it| &it[..3]), name)?,
            Key::Roman => {
                // Longer numbers first: `I` begins `II`.
                let mut longest: Vec<(usize, &str)> = ROMANS.into_iter().enumerate().collect();
                longest.sort_by_key(|(_, roman)| std::cmp::Reverse(roman.len()));
                let words: Vec<&str> = longest.iter().map(|(_, roman)| *roman).collect();
                let (month, _) = longest[self.word(&words, name)?];
                self.collected.set(Key::Month, as_number(month) + 1, name)?;
            }
            Key::DayName => self.weekday(&DAYS, name)?,
            Key::DayShort => self.weekday(&DAYS.map(|it| &it[..3]), name)?,
            Key::Zone | Key::Offset => {
                let message = format!("formatting field \"{name}\" is only supported in to_char");
                return Err(Error::new(ErrorKind::FeatureNotSupported, message));
            }
            Key::YearWithComma => {
                self.year_with_comma()?;
                self.skip_ordinal(field);
            }
            Key::ZoneHours => {
                self.zone_sign();
                let (hours, _) = self.number(2, is_open, name)?;
                self.collected.set(Key::ZoneHours, hours, name)?;
            }
            key => {
                let (value, length) = self.number(digits_of(key), is_open, name)?;
                self.collected.take(key, value, length, name)?;
                self.skip_ordinal(field);
            }
        }
        Ok(())
    }

    fn skip_ordinal(&mut self, field: &Field) {
        if field.ordinal.is_some() {
            self.advance();
            self.advance();
        }
    }

    fn month(&mut self, names: &[&str], name: &str) -> Result<()> {
        let month = self.word(names, name)?;
        self.collected.set(Key::Month, as_number(month) + 1, name)
    }

    fn weekday(&mut self, names: &[&str], name: &str) -> Result<()> {
        let weekday = self.word(names, name)?;
        self.collected
            .set(Key::DayOfWeek, as_number(weekday) + 1, name)
    }

    /// Which of some words the text goes on with, in any case.
    fn word(&mut self, words: &[&str], name: &str) -> Result<usize> {
        let found = words.iter().position(|word| {
            let start = self.rest.get(..word.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(word))
        });
        let Some(index) = found else {
            let given = self
                .rest
                .split_ascii_whitespace()
                .next()
                .unwrap_or_default();
            return Err(invalid(given, name).with_detail(
                "The given value did not match any of the allowed values for this field.",
            ));
        };
        self.rest = &self.rest[words[index].len()..];
        Ok(index)
    }

    /// A sign that was taken for a separator counts as well.
    fn zone_sign(&mut self) {
        let first = self.rest.chars().next();
        self.collected.zone_sign = match first {
            Some('-') => -1,
            Some('+' | ' ') => 1,
            _ if self.skipped > 0 && self.last_skipped == Some('-') => -1,
            _ => 1,
        };
        if matches!(first, Some('-' | '+' | ' ')) {
            self.advance();
        }
    }

    fn year_with_comma(&mut self) -> Result<()> {
        let name = spelling(Key::YearWithComma);
        let (thousands, rest) = leading_number(self.rest, usize::MAX);
        let behind = rest.strip_prefix(',').unwrap_or("");
        let (rest_of_year, rest) = leading_number(behind, 3);
        let (Some(thousands), Some(of_thousand)) = (thousands, rest_of_year) else {
            let message = format!("invalid input string for \"{name}\"");
            return Err(Error::new(ErrorKind::InvalidDatetimeFormat, message));
        };
        self.rest = rest;
        let year = thousands.saturating_mul(1000).saturating_add(of_thousand);
        self.collected.take(Key::Year(4), year, 4, name)
    }

    /// A number of so many digits, or of as many as there are; and how long it is
    /// (`from_char_parse_int_len`).
    fn number(&mut self, length: usize, is_open: bool, name: &str) -> Result<(i64, usize)> {
        self.rest = self.rest.trim_ascii_start();
        let given: String = self.rest.chars().take(length).collect();
        let fixed_hint = "If your source string is not fixed-width, try using the \"FM\" modifier.";
        let n_left = self.rest.chars().count();
        if !is_open && n_left < length {
            let message = format!("source string too short for \"{name}\" formatting field");
            let detail = format!("Field requires {length} characters, but only {n_left} remain.");
            return Err(Error::new(ErrorKind::InvalidDatetimeFormat, message)
                .with_detail(detail)
                .with_hint(fixed_hint));
        }
        let limit = if is_open { usize::MAX } else { length };
        let (value, rest) = leading_number(self.rest, limit);
        let used = self.rest.len() - rest.len();
        let Some(value) = value else {
            return Err(invalid(&given, name).with_detail("Value must be an integer."));
        };
        if !is_open && used < length {
            let detail =
                format!("Field requires {length} characters, but only {used} could be parsed.");
            return Err(invalid(&given, name)
                .with_detail(detail)
                .with_hint(fixed_hint));
        }
        if i32::try_from(value).is_err() {
            let message = format!("value for \"{name}\" in source string is out of range");
            let detail = format!("Value must be in the range {} to {}.", i32::MIN, i32::MAX);
            return Err(Error::new(ErrorKind::DatetimeFieldOverflow, message).with_detail(detail));
        }
        self.rest = rest;
        Ok((value, used))
    }
}

fn as_number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or_default()
}

/// A number with its sign at the start of a text, and what is behind it.
fn leading_number(text: &str, length: usize) -> (Option<i64>, &str) {
    let has_sign = text.starts_with(['+', '-']);
    let digits = text.bytes().skip(usize::from(has_sign));
    let n_digits = digits.take_while(u8::is_ascii_digit).count();
    if n_digits == 0 {
        return (None, text);
    }
    let end = (usize::from(has_sign) + n_digits).min(length);
    let (number, rest) = text.split_at(end);
    match number.parse::<i64>() {
        Ok(value) => (Some(value), rest),
        // More digits than there are values, or a sign alone.
        Err(_) if number.len() > 1 => (Some(i64::MAX), rest),
        Err(_) => (None, text),
    }
}

fn invalid(given: &str, name: &str) -> Error {
    let message = format!("invalid value \"{given}\" for \"{name}\"");
    Error::new(ErrorKind::InvalidDatetimeFormat, message)
}

fn digits_of(key: Key) -> usize {
    match key {
        Key::Year(digits) | Key::IsoYear(digits) | Key::Fraction(digits) => {
            usize::try_from(digits).unwrap_or_default()
        }
        Key::DayOfYear | Key::IsoDayOfYear | Key::Milliseconds => 3,
        Key::SecondsOfDay => 5,
        Key::Microseconds => 6,
        Key::DayOfWeek | Key::IsoDayOfWeek | Key::WeekOfMonth | Key::Julian | Key::Quarter => 1,
        _ => 2,
    }
}

/// A keyword as messages name it.
pub(super) fn spelling(key: Key) -> &'static str {
    match key {
        Key::Half { dots: true } => "A.M.",
        Key::Half { dots: false } => "AM",
        Key::Era { dots: true } => "A.D.",
        Key::Era { dots: false } => "AD",
        Key::Century => "CC",
        Key::DayName => "DAY",
        Key::DayShort => "DY",
        Key::DayOfYear => "DDD",
        Key::IsoDayOfYear => "IDDD",
        Key::DayOfMonth => "DD",
        Key::DayOfWeek => "D",
        Key::IsoDayOfWeek => "ID",
        Key::Fraction(digits) => {
            ["FF1", "FF2", "FF3", "FF4", "FF5", "FF6"][(digits.clamp(1, 6) - 1) as usize]
        }
        Key::Milliseconds => "MS",
        Key::Microseconds => "US",
        Key::Exact => "FX",
        Key::Hour24 => "HH24",
        Key::Hour12 => "HH12",
        Key::Minute => "MI",
        Key::Second => "SS",
        Key::SecondsOfDay => "SSSSS",
        Key::IsoWeek => "IW",
        Key::Week => "WW",
        Key::WeekOfMonth => "W",
        Key::IsoYear(digits) => ["I", "IY", "IYY", "IYYY"][(digits.clamp(1, 4) - 1) as usize],
        Key::Year(digits) => ["Y", "YY", "YYY", "YYYY"][(digits.clamp(1, 4) - 1) as usize],
        Key::YearWithComma => "Y,YYY",
        Key::Julian => "J",
        Key::MonthName => "MONTH",
        Key::MonthShort => "MON",
        Key::Month => "MM",
        Key::Roman => "RM",
        Key::Offset => "OF",
        Key::ZoneHours => "TZH",
        Key::ZoneMinutes => "TZM",
        Key::Zone => "TZ",
        Key::Quarter => "Q",
    }
}
