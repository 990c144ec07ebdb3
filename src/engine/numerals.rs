//! Numbers in the text of a statement, as PostgreSQL 16's lexer reads them: `0x1F`, `0o17` and `0b101`
//! are numbers, and letters right behind a number are no name.
//! <https://www.postgresql.org/docs/16/sql-syntax-lexical.html#SQL-SYNTAX-CONSTANTS-NUMERIC>

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::catalog::sql::Lines;
use crate::error::{Error, ErrorKind, Result};

/// The tokens with every number in decimal digits.
///
/// # Errors
/// Letters behind a number.
pub(super) fn read(
    text: &str,
    lines: &Lines,
    tokens: Vec<TokenWithSpan>,
) -> Result<Vec<TokenWithSpan>> {
    let mut written: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(mut token) = tokens.next() {
        let (prefix, digits) = match &token.token {
            Token::Number(number, _) => (number.clone(), String::new()),
            Token::HexStringLiteral(digits) if starts_with_zero(text, lines, &token) => {
                ("0x".to_owned(), digits.clone())
            }
            _ => {
                written.push(token);
                continue;
            }
        };
        let behind = tokens.next_if(|next| {
            next.span.start == token.span.end
                && matches!(&next.token, Token::Word(word) if word.quote_style.is_none())
        });
        let letters = match behind.map(|behind| behind.token) {
            Some(Token::Word(word)) => word.value,
            _ => String::new(),
        };
        if prefix != "0x" && letters.is_empty() {
            written.push(token);
            continue;
        }
        let whole = format!("{prefix}{digits}{letters}");
        let number = of_radix(&whole).ok_or_else(|| {
            // PostgreSQL's lexer stops at the first letter.
            let first: String = letters.chars().take(1).collect();
            let near = format!("{prefix}{digits}{first}");
            let message = format!("trailing junk after numeric literal at or near \"{near}\"");
            Error::new(ErrorKind::SyntaxError, message).at(lines.position(token.span.start))
        })?;
        token.token = Token::Number(number, false);
        written.push(token);
    }
    Ok(written)
}

/// Whether a token is `0x..` in the text, not `x'..'`.
fn starts_with_zero(text: &str, lines: &Lines, token: &TokenWithSpan) -> bool {
    let start = lines.byte(text, token.span.start);
    text.as_bytes().get(start) == Some(&b'0')
}

/// The decimal digits of a number with a prefix; `None` if it is none.
fn of_radix(number: &str) -> Option<String> {
    let radix = match number.get(..2)?.to_ascii_lowercase().as_str() {
        "0x" => 16,
        "0o" => 8,
        "0b" => 2,
        _ => return None,
    };
    let digits = &number[2..];
    if digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let value = u128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_say_what_digits_count() {
        assert_eq!(of_radix("0x1F").as_deref(), Some("31"));
        assert_eq!(of_radix("0b1_01").as_deref(), Some("5"));
        assert_eq!(of_radix("0O17").as_deref(), Some("15"));
        for wrong in ["0x", "0o8", "123abc", "0b1__0", "0x0o", "0x1_"] {
            assert_eq!(of_radix(wrong), None, "{wrong}");
        }
    }
}
