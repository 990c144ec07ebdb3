//! Guesses a column's type from its texts.

use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use arrow::compute::kernels::cast_utils::Parser;

/// What the texts of a column so far could be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Guess {
    /// Nothing but NULL was seen.
    #[default]
    Null,
    Boolean,
    Integer,
    Float,
    Date,
    Timestamp,
    Text,
}

impl Guess {
    /// The guess for a column that held what it held, and now this text.
    pub(super) fn and(self, text: &str) -> Self {
        // Most texts are of the kind of the ones before them.
        if self != Guess::Null && self.holds(text) {
            return self;
        }
        self.or(Self::of(text))
    }

    fn of(text: &str) -> Self {
        [
            Guess::Boolean,
            Guess::Integer,
            Guess::Float,
            Guess::Date,
            Guess::Timestamp,
        ]
        .into_iter()
        .find(|guess| guess.holds(text))
        .unwrap_or(Guess::Text)
    }

    /// Whether a column of this type can be read from the text.
    fn holds(self, text: &str) -> bool {
        match self {
            Guess::Null => false,
            Guess::Boolean => {
                text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
            }
            Guess::Integer => is_number(text) && Int64Type::parse(text).is_some(),
            Guess::Float => is_float(text) && Float64Type::parse(text).is_some(),
            Guess::Date => date(text).is_some(),
            Guess::Timestamp => is_timestamp(text),
            Guess::Text => true,
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Guess::Null, other) | (other, Guess::Null) => other,
            (Guess::Integer, Guess::Float) | (Guess::Float, Guess::Integer) => Guess::Float,
            (Guess::Date, Guess::Timestamp) | (Guess::Timestamp, Guess::Date) => Guess::Timestamp,
            _ => Guess::Text,
        }
    }

    /// The type under which the column is read.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Guess::Null => DataType::Null,
            Guess::Boolean => DataType::Boolean,
            Guess::Integer => DataType::Int64,
            Guess::Float => DataType::Float64,
            Guess::Date => DataType::Date32,
            Guess::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Guess::Text => DataType::Utf8View,
        }
    }
}

/// Days since 1970 of an ISO date, `yyyy-mm-dd` and nothing else.
pub(super) fn date(text: &str) -> Option<i32> {
    is_date(text.as_bytes())
        .then(|| Date32Type::parse(text))
        .flatten()
}

/// Digits with an optional sign. A whole number too long for `bigint` is text, not an
/// approximation.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if ["nan", "inf", "infinity"]
        .iter()
        .any(|name| unsigned.eq_ignore_ascii_case(name))
    {
        return true;
    }
    let is_long = is_number(text) && Int64Type::parse(text).is_none();
    let has_digit = unsigned.bytes().any(|byte| byte.is_ascii_digit());
    let is_plain = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+'));
    has_digit && is_plain && !is_long
}

fn is_date(text: &[u8]) -> bool {
    text.len() == 10
        && text.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// `yyyy-mm-dd hh:mm:ss` with up to six decimals and no zone. More would be cut off.
fn is_timestamp(text: &str) -> bool {
    let Some((day, time)) = text.split_at_checked(10) else {
        return false;
    };
    let is_time = |time: &str| {
        let (clock, decimals) = time.split_once('.').unwrap_or((time, "0"));
        clock.len() == 8
            && clock.bytes().enumerate().all(|(at, byte)| match at {
                2 | 5 => byte == b':',
                _ => byte.is_ascii_digit(),
            })
            && matches!(decimals.len(), 1..=6)
            && decimals.bytes().all(|byte| byte.is_ascii_digit())
    };
    is_date(day.as_bytes())
        && time.starts_with([' ', 'T'])
        && is_time(&time[1..])
        && TimestampMicrosecondType::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_guessed_from_all_texts() {
        fn check(texts: &[&str], expected: Guess) {
            let guess = texts
                .iter()
                .fold(Guess::Null, |guess, text| guess.and(text));
            assert_eq!(guess, expected, "{texts:?}");
        }
        check(&[], Guess::Null);
        check(&["1", "-2", "+3"], Guess::Integer);
        check(&["1", "1.5", "1e3"], Guess::Float);
        check(&["NaN", "1"], Guess::Float);
        check(&["9223372036854775808"], Guess::Text);
        check(&["1.5", "9223372036854775808"], Guess::Text);
        check(&["true", "FALSE"], Guess::Boolean);
        check(&["true", "1"], Guess::Text);
        check(&["2026-11-01"], Guess::Date);
        check(&["2026-11-31"], Guess::Text);
        check(&["2026-11-01", "2026-11-01 10:00:00"], Guess::Timestamp);
        check(&["2026-11-01T10:00:00.123456"], Guess::Timestamp);
        check(&["2026-11-01T10:00:00.123456789"], Guess::Text);
        check(&["2026-11-01 25:00:00"], Guess::Text);
        check(&["1", "x"], Guess::Text);
        check(&[" 1"], Guess::Text);
        check(&["1-2"], Guess::Text);
    }
}
