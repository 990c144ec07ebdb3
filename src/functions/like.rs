//! `like_escape`: what `x LIKE pattern ESCAPE character` stands for.
//! <https://www.postgresql.org/docs/16/functions-matching.html#FUNCTIONS-LIKE>

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Argument, Scalar, text};
use crate::error::{Error, ErrorKind, Pattern, Result};
use crate::types::oid;

/// The name of the function, as in PostgreSQL's catalog.
pub const LIKE_ESCAPE: &str = "like_escape";

/// The function of this file.
pub(super) fn function() -> Arc<ScalarUDF> {
    let texts = [Argument::Of(oid::TEXT), Argument::Of(oid::TEXT)];
    Scalar::new(LIKE_ESCAPE, &texts, oid::TEXT, |row| {
        let pattern = with_backslashes(text(&row[0]), text(&row[1]))?;
        Ok(ScalarValue::from(pattern))
    })
    .immutable()
    .udf()
}

/// A pattern that escapes by the backslash, as LIKE does without ESCAPE, for one that escapes by
/// another character or none; as `do_like_escape` in like_match.c.
fn with_backslashes(pattern: &str, escape: &str) -> Result<String> {
    let mut characters = escape.chars();
    let escape = match (characters.next(), characters.next()) {
        (Some('\\'), None) => return Ok(pattern.to_owned()),
        (escape, None) => escape,
        (_, Some(_)) => {
            let kind = ErrorKind::InvalidPattern(Pattern::Escape);
            let hint = "Escape string must be empty or one character.";
            return Err(Error::new(kind, "invalid escape string").with_hint(hint));
        }
    };
    let mut written = String::with_capacity(pattern.len());
    let mut is_escaped = false;
    for character in pattern.chars() {
        if Some(character) == escape && !is_escaped {
            written.push('\\');
            is_escaped = true;
            continue;
        }
        if character == '\\' && !is_escaped {
            written.push('\\');
        }
        written.push(character);
        is_escaped = false;
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_escape_by_the_backslash() {
        for (pattern, escape, expected) in [
            ("pg/_%", "/", "pg\\_%"),
            ("a//b", "/", "a\\/b"),
            ("a\\b", "/", "a\\\\b"),
            ("a/\\b", "/", "a\\\\b"),
            ("a\\_b", "", "a\\\\_b"),
            ("a\\_b", "\\", "a\\_b"),
            ("%%", "%", "\\%"),
        ] {
            let written = with_backslashes(pattern, escape);
            assert_eq!(written.ok().as_deref(), Some(expected), "{pattern}");
        }
        assert!(with_backslashes("a", "xy").is_err());
    }
}
