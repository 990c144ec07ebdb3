//! Splits a text into fields, as `ParseDateTime` in datetime.c does.

use super::words::word;

/// What a field looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Digits, with a fraction or without.
    Number,
    /// Parts between `-`, `/` or `.`; also names of zones.
    Date,
    /// Parts between `:`.
    Time,
    /// A sign and digits.
    Offset,
    /// Letters, or a sign and letters.
    Word,
}

/// A field of a text.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// In lower case.
    pub(super) text: String,
    /// As it was written, for names of zones.
    pub(super) written: String,
    pub(super) kind: Kind,
}

/// Which fields are known: a bit for each.
pub(super) type Mask = u32;

pub(super) const YEAR: Mask = 1;
pub(super) const MONTH: Mask = 1 << 1;
pub(super) const DAY: Mask = 1 << 2;
pub(super) const DAY_OF_YEAR: Mask = 1 << 3;
/// Hour, minute and second, which always come together.
pub(super) const TIME: Mask = 1 << 4;
pub(super) const ZONE: Mask = 1 << 5;
/// The bits `DTZ` and `DTZMOD`.
pub(super) const SUMMER_ZONE: Mask = 1 << 6;
pub(super) const SUMMER_TIME: Mask = 1 << 7;
pub(super) const AM_PM: Mask = 1 << 8;
pub(super) const ERA: Mask = 1 << 9;
pub(super) const WEEKDAY: Mask = 1 << 10;
/// A whole date.
pub(super) const DATE: Mask = YEAR | MONTH | DAY;

/// Fields that a text may have (`MAXDATEFIELDS`).
const FIELDS_MAX: usize = 25;
/// Bytes that they may have together (`MAXDATELEN` and a terminator for each).
const BYTES_MAX: usize = 128 + FIELDS_MAX;

/// The fields of a text; `None` if it has other characters, or too many.
pub(super) fn fields(text: &str) -> Option<Vec<Field>> {
    let bytes = text.as_bytes();
    let mut fields = Vec::new();
    let mut n_bytes = 0;
    let mut at = 0;
    while let Some(first) = bytes.get(at) {
        let scan = Scan { bytes, at };
        let (end, kind) = match first {
            space if is_space(*space) => {
                at += 1;
                continue;
            }
            b'0'..=b'9' => scan.number_or_date(),
            b'.' => (scan.digits(at + 1), Kind::Number),
            letter if letter.is_ascii_alphabetic() => scan.word_or_date(text),
            b'+' | b'-' => scan.signed()?,
            sign if sign.is_ascii_punctuation() => {
                at += 1;
                continue;
            }
            _ => return None,
        };
        // Space between a sign and its digits does not count.
        let written: String = text[at..end]
            .chars()
            .filter(|it| !it.is_ascii_whitespace() && *it != '\u{b}')
            .collect();
        n_bytes += written.len() + 1;
        if fields.len() == FIELDS_MAX || n_bytes > BYTES_MAX {
            return None;
        }
        fields.push(Field {
            text: written.to_ascii_lowercase(),
            written,
            kind,
        });
        at = end;
    }
    Some(fields)
}

/// As `isspace` in the C locale.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 11
}

/// A place in a text.
#[derive(Clone, Copy, Debug)]
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// Where what `is_part` says ends.
    fn end_of(&self, mut at: usize, is_part: impl Fn(u8) -> bool) -> usize {
        while self.bytes.get(at).is_some_and(|byte| is_part(*byte)) {
            at += 1;
        }
        at
    }

    fn digits(&self, at: usize) -> usize {
        self.end_of(at, |byte| byte.is_ascii_digit())
    }

    fn number_or_date(&self) -> (usize, Kind) {
        let end = self.digits(self.at);
        let delimiter = self.byte(end);
        match delimiter {
            b':' => {
                let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.');
                (self.end_of(end + 1, is_part), Kind::Time)
            }
            b'-' | b'/' | b'.' if self.byte(end + 1).is_ascii_digit() => {
                let second = self.digits(end + 1);
                // Three fields must have the same delimiter between them.
                if self.byte(second) == delimiter {
                    let is_part = |byte: u8| byte.is_ascii_digit() || byte == delimiter;
                    return (self.end_of(second + 1, is_part), Kind::Date);
                }
                match delimiter {
                    b'.' => (second, Kind::Number),
                    _ => (second, Kind::Date),
                }
            }
            b'-' | b'/' | b'.' => {
                let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == delimiter;
                (self.end_of(end + 1, is_part), Kind::Date)
            }
            _ => (end, Kind::Number),
        }
    }

    /// A word, or a date that begins with a month's name, or the name of a zone.
    fn word_or_date(&self, text: &str) -> (usize, Kind) {
        let end = self.end_of(self.at, |byte| byte.is_ascii_alphabetic());
        let goes_on = match self.byte(end) {
            b'-' | b'/' | b'.' => true,
            byte if byte == b'+' || byte.is_ascii_digit() => {
                word(&text[self.at..end].to_ascii_lowercase()).is_none()
            }
            _ => false,
        };
        if !goes_on {
            return (end, Kind::Word);
        }
        let is_part = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'/' | b'_' | b'.' | b':')
        };
        (self.end_of(end, is_part), Kind::Date)
    }

    fn signed(&self) -> Option<(usize, Kind)> {
        let start = self.end_of(self.at + 1, is_space);
        let first = self.byte(start);
        if first.is_ascii_digit() {
            let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'-');
            return Some((self.end_of(start, is_part), Kind::Offset));
        }
        first.is_ascii_alphabetic().then(|| {
            let end = self.end_of(start, |byte| byte.is_ascii_alphabetic());
            (end, Kind::Word)
        })
    }
}
