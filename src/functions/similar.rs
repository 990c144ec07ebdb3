//! `similar_to_escape`: the regular expression that `x SIMILAR TO pattern` stands for.
//! <https://www.postgresql.org/docs/16/functions-matching.html#FUNCTIONS-SIMILARTO-REGEXP>

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Argument, Scalar, text};
use crate::error::{Error, ErrorKind, Pattern, Result};
use crate::types::oid;

/// The name of the function, as in PostgreSQL's catalog.
pub const SIMILAR_TO_ESCAPE: &str = "similar_to_escape";

/// The function of this file.
pub(super) fn function() -> Arc<ScalarUDF> {
    let texts = [Argument::Of(oid::TEXT), Argument::Of(oid::TEXT)];
    Scalar::new(SIMILAR_TO_ESCAPE, &texts, oid::TEXT, |row| {
        let escape = row.get(1).map_or("\\", text);
        regular(text(&row[0]), escape).map(ScalarValue::from)
    })
    .optional(1)
    .immutable()
    .udf()
}

/// As `similar_escape_internal` in regexp.c. A point matches a line's end as well.
fn regular(pattern: &str, escape: &str) -> Result<String> {
    let mut characters = escape.chars();
    let escape = characters.next();
    if characters.next().is_some() {
        let kind = ErrorKind::InvalidPattern(Pattern::Escape);
        let hint = "Escape string must be empty or one character.";
        return Err(Error::new(kind, "invalid escape string").with_hint(hint));
    }
    let mut written = "^(?s:".to_owned();
    let (mut is_escaped, mut is_class) = (false, false);
    for character in pattern.chars() {
        if is_escaped {
            // A quote would part the pattern, for SUBSTRING alone.
            written.push('\\');
            written.push(character);
            is_escaped = false;
        } else if Some(character) == escape {
            is_escaped = true;
        } else if is_class {
            // Rust's classes have operators that PostgreSQL's have not.
            if matches!(character, '\\' | '[' | '&' | '~') {
                written.push('\\');
            }
            written.push(character);
            is_class = character != ']';
        } else {
            match character {
                '[' => {
                    written.push('[');
                    is_class = true;
                }
                '%' => written.push_str(".*"),
                '_' => written.push('.'),
                '(' => written.push_str("(?:"),
                '\\' | '.' | '^' | '$' => {
                    written.push('\\');
                    written.push(character);
                }
                other => written.push(other),
            }
        }
    }
    written.push_str(")$");
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, pattern: &str, expected: bool) {
        let written = regular(pattern, "\\").expect("the pattern is one");
        let regular = regex::Regex::new(&written).expect("it is a regular expression");
        assert_eq!(
            regular.is_match(text),
            expected,
            "{text} SIMILAR TO {pattern}"
        );
    }

    #[test]
    fn patterns_match_as_the_manual_says() {
        check("abc", "abc", true);
        check("abc", "a", false);
        check("abc", "%(b|d)%", true);
        check("abc", "(b|c)%", false);
        check("a.c", "a\\.c", true);
        check("abc", "a.c", false);
        check("x&y", "x[&]y", true);
        check("a\nb", "a_b", true);
    }
}
