//! A span of time as an option says it: numbers with units, `5 minutes`, `1 hour 30 min`.

use std::time::Duration;

/// Units and their seconds; a unit may have an `s` behind it.
const UNITS: &[(&str, f64)] = &[
    ("ms", 0.001),
    ("millisecond", 0.001),
    ("s", 1.0),
    ("sec", 1.0),
    ("second", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("minute", 60.0),
    ("h", 3_600.0),
    ("hour", 3_600.0),
    ("d", 86_400.0),
    ("day", 86_400.0),
    ("w", 604_800.0),
    ("week", 604_800.0),
];

/// The longest span that is taken: a hundred years of 365 days.
const SECONDS_MAX: f64 = 3_153_600_000.0;

/// The span that a text says; `None` if it says none, or a negative one.
pub fn span(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    let mut is_first = true;
    while is_first || !rest.is_empty() {
        is_first = false;
        let end = rest.find(|character: char| !(character.is_ascii_digit() || character == '.'))?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = rest[end..].trim_start();
        let end = rest
            .find(|character: char| !character.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let unit = rest[..end].to_lowercase();
        let singular = unit.strip_suffix('s').filter(|unit| !unit.is_empty());
        let is_unit = |known: &&(&str, f64)| known.0 == unit || Some(known.0) == singular;
        let (_, size) = UNITS.iter().find(is_unit)?;
        seconds += number * size;
        rest = rest[end..].trim_start();
    }
    (seconds <= SECONDS_MAX).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_units() {
        fn check(text: &str, expected: Option<f64>) {
            assert_eq!(
                span(text).map(|span| span.as_secs_f64()),
                expected,
                "{text}"
            );
        }
        check("5 minutes", Some(300.0));
        check("5min", Some(300.0));
        check(" 1 hour 30 mins ", Some(5_400.0));
        check("1.5s", Some(1.5));
        check("250 ms", Some(0.25));
        check("2 days", Some(172_800.0));
        check("0s", Some(0.0));
        check("", None);
        check("5", None);
        check("minutes", None);
        check("-5 minutes", None);
        check("5 parsecs", None);
        check("9999999 weeks", None);
    }
}
