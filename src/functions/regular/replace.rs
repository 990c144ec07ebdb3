//! `regexp_replace`, as `replace_text_regexp` in varlena.c.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::matching::{Expression, Last, Match, behind};
use super::{byte_of, wrong};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::overloads::{Gives, Kind, Overloaded, integer};
use crate::functions::scalar::text;

/// The function of this file.
pub(super) fn function() -> Arc<ScalarUDF> {
    const T: Kind = Kind::Text;
    const I: Kind = Kind::Int4;
    let signatures: [&[Kind]; 5] = [
        &[T, T, T],
        &[T, T, T, T],
        &[T, T, T, I],
        &[T, T, T, I, I],
        &[T, T, T, I, I, T],
    ];
    let last = Arc::new(Last::default());
    let function = signatures.iter().fold(
        Overloaded::immutable("regexp_replace"),
        |function, signature| {
            let last = Arc::clone(&last);
            let has_letters = signature.len() == 4 && signature[3] == T;
            function.with(signature, Gives::Of(DataType::Utf8), move |row| {
                let letters = match has_letters {
                    true => text(&row[3]),
                    false => row.get(5).map_or("", text),
                };
                let start = match has_letters {
                    true => 1,
                    false => row.get(3).map_or(1, integer),
                };
                let nth = row.get(4).map(integer);
                replace(&last, row, letters, start, nth).map(ScalarValue::from)
            })
        },
    );
    function.udf()
}

fn replace(
    last: &Last,
    row: &[ScalarValue],
    letters: &str,
    start: i64,
    nth: Option<i64>,
) -> Result<String> {
    // As textregexreplace: somebody meant the start, and wrote it as a text.
    if letters.starts_with(|first: char| first.is_ascii_digit()) {
        let message = format!("invalid regular expression option: \"{}\"", &letters[..1]);
        let hint = "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.";
        return Err(Error::new(ErrorKind::InvalidParameterValue, message).with_hint(hint));
    }
    let of = text(&row[0]);
    let at = byte_of(of, start)?;
    let nth = match nth {
        Some(nth) => Some(usize::try_from(nth).map_err(|_| wrong("n", nth))?),
        None => None,
    };
    let (expression, flags) = last.expression(text(&row[1]), letters)?;
    // Which match is replaced; 0 stands for all of them.
    let nth = nth.unwrap_or(if flags.is_global { 0 } else { 1 });
    Ok(match at {
        Some(at) => replaced(&expression, of, at, nth, text(&row[2])),
        None => of.to_owned(),
    })
}

fn replaced(expression: &Expression, of: &str, at: usize, nth: usize, by: &str) -> String {
    let mut written = String::with_capacity(of.len());
    let (mut copied, mut at, mut n_found) = (0, at, 0);
    while let Some(found) = expression.find(of, at) {
        n_found += 1;
        at = behind(of, found.whole);
        if nth > 0 && n_found != nth {
            continue;
        }
        written.push_str(&of[copied..found.whole.0]);
        append(&mut written, of, &found, by);
        copied = found.whole.1;
        if nth > 0 {
            break;
        }
    }
    written.push_str(&of[copied..]);
    written
}

/// As `appendStringInfoRegexpSubstr`: `\1` is a group, `\&` the whole, and two backslashes one.
fn append(written: &mut String, of: &str, found: &Match, by: &str) {
    let mut rest = by.chars().peekable();
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            written.push(letter);
            continue;
        }
        let span = match rest.peek() {
            Some('&') => Some(found.whole),
            Some(digit @ '1'..='9') => {
                let number = digit.to_digit(10).unwrap_or_default();
                let group = usize::try_from(number).unwrap_or_default() - 1;
                found.groups.get(group).copied().flatten()
            }
            Some('\\') => {
                written.push('\\');
                rest.next();
                continue;
            }
            _ => {
                written.push('\\');
                continue;
            }
        };
        rest.next();
        if let Some((start, end)) = span {
            written.push_str(&of[start..end]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(of: &str, pattern: &str, by: &str, nth: usize, expected: &str) {
        let last = Last::default();
        let (expression, _) = last.expression(pattern, "").expect("the pattern is one");
        assert_eq!(replaced(&expression, of, 0, nth, by), expected);
    }

    #[test]
    fn matches_are_replaced() {
        check("foobarbaz", "b..", "X", 1, "fooXbaz");
        check("foobarbaz", "b..", "X", 0, "fooXX");
        check("foobarbaz", "b(..)", "X\\1Y", 0, "fooXarYXazY");
        check("AAA", "^|$", "Z", 0, "ZAAAZ");
        check("abc", "b", "[\\&\\\\\\q]", 1, "a[b\\\\q]c");
        check(
            "A PostgreSQL function",
            "a|e|i|o|u",
            "X",
            3,
            "A PostgreSQL fXnction",
        );
        check("x", "(y)?x", "<\\1>", 1, "<>");
    }
}
