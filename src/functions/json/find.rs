//! Finds values inside of JSON texts, as the operators `->`, `->>`, `#>` and `#>>` do.

use super::scan::{self, Kind, Strings};
use crate::error::Result;

/// One step into a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// A member of an object.
    Key(&'a str),
    /// An element of an array, from 0 or, if negative, from behind.
    Index(i64),
}

/// The value that a step leads to, as written.
///
/// # Errors
/// A string of the text stands for no letters.
pub(super) fn step<'a>(text: &'a str, step: Step<'_>) -> Result<Option<&'a str>> {
    let mut found = None;
    match (scan::kind(text), step) {
        (Kind::Object, Step::Key(wanted)) => {
            scan::members(text, Strings::Decoded, &mut |key, value| {
                if is_key(key, wanted)? {
                    found = Some(value);
                }
                Ok(())
            })?;
        }
        (Kind::Array, Step::Index(wanted)) => {
            let mut elements = Vec::new();
            scan::elements(text, Strings::Decoded, &mut |value| {
                elements.push(value);
                Ok(())
            })?;
            let place = match wanted < 0 {
                true => i64::try_from(elements.len()).unwrap_or(i64::MAX) + wanted,
                false => wanted,
            };
            let place = usize::try_from(place).ok();
            found = place.and_then(|place| elements.get(place).copied());
        }
        _ => scan::check(text, Strings::Decoded)?,
    }
    Ok(found)
}

fn is_key(token: &str, wanted: &str) -> Result<bool> {
    let plain = &token[1..token.len() - 1];
    match plain.contains('\\') {
        true => Ok(scan::unquoted(token)? == wanted),
        false => Ok(plain == wanted),
    }
}

/// The value at the end of a path; a part of it that is NULL leads nowhere.
///
/// # Errors
/// As [`step`].
pub(super) fn path<'a>(text: &'a str, parts: &[Option<String>]) -> Result<Option<&'a str>> {
    if parts.iter().any(Option::is_none) {
        return Ok(None);
    }
    scan::check(text, Strings::Decoded)?;
    let mut value = text.trim_end_matches(scan::is_space);
    if matches!(scan::kind(value), Kind::Array | Kind::Object) {
        // Of a scalar PostgreSQL keeps the space before it.
        value = value.trim_start_matches(scan::is_space);
    }
    for part in parts.iter().flatten() {
        let next = match scan::kind(value) {
            Kind::Object => step(value, Step::Key(part))?,
            Kind::Array => match index(part) {
                Some(index) => step(value, Step::Index(index))?,
                None => None,
            },
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

/// A part of a path as the number of an element, read as `strtoint` reads it.
pub(super) fn index(part: &str) -> Option<i64> {
    let digits = part.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    digits.parse::<i32>().ok().map(i64::from)
}

/// A value as `->>` gives it: null is NULL, strings without quotes, all else as written.
///
/// # Errors
/// A string that stands for no letters.
pub(super) fn as_text(value: &str) -> Result<Option<String>> {
    match scan::kind(value) {
        Kind::Null => Ok(None),
        Kind::String => scan::unquoted(value.trim_matches(scan::is_space)).map(Some),
        _ => Ok(Some(value.to_owned())),
    }
}

/// What `json_typeof` calls a value.
pub(super) fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::Boolean => "boolean",
        Kind::Number => "number",
        Kind::String => "string",
        Kind::Array => "array",
        Kind::Object => "object",
    }
}
