//! Takes what may be secret out of a statement's text, for those who read what was done.

use std::sync::Arc;

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// The word behind which a password stands.
const PASSWORD: &str = "password";

/// What stands for a string.
const MASK: &str = "'***'";

/// How the texts of JSON Web Tokens begin: `{"` in base64.
const TOKEN_START: &str = "eyJ";

/// What stands between a URL's scheme and the rest of it.
const IN_URLS: &str = "://";

/// Whether there may be something for [`without_secrets`] to take out: most statements are not worth
/// their taking apart.
fn may_hold_secrets(text: &str) -> bool {
    let mut words = text.as_bytes().windows(PASSWORD.len());
    text.contains(TOKEN_START)
        || text.contains(IN_URLS)
        || words.any(|word| word.eq_ignore_ascii_case(PASSWORD.as_bytes()))
}

/// As much of a statement's text as is shown, `n_bytes_max` of it, without its secrets.
pub fn shown(text: &str, n_bytes_max: usize) -> Arc<str> {
    let cut = |text: &str| text[..text.floor_char_boundary(n_bytes_max)].into();
    let shown: Arc<str> = cut(text);
    match may_hold_secrets(&shown) {
        true => cut(&without_secrets(text, false)),
        false => shown,
    }
}

/// The text of a statement without its secrets: what stands behind PASSWORD, tokens, and what URLs say of users and
/// behind their `?`. With `all_strings` without any string. A text that cannot be taken apart is left out whole.
pub fn without_secrets(text: &str, all_strings: bool) -> String {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text)
        .with_unescape(false)
        .tokenize();
    let Ok(tokens) = tokens else {
        return String::new();
    };
    let mut shown = String::new();
    let mut is_secret = false;
    for token in &tokens {
        match token {
            // Comments may hold anything.
            Token::Whitespace(_) => shown.push(' '),
            Token::Word(word) => {
                is_secret = word.value.eq_ignore_ascii_case(PASSWORD);
                match word.value.contains(TOKEN_START) {
                    true => shown.push_str("***"),
                    false => shown.push_str(&token.to_string()),
                }
            }
            _ if is_string(token) => {
                let text = token.to_string();
                match is_secret || all_strings || text.contains(TOKEN_START) {
                    true => shown.push_str(MASK),
                    false => shown.push_str(&without_those_of_urls(&text)),
                }
            }
            _ => shown.push_str(&token.to_string()),
        }
    }
    shown.trim().to_owned()
}

/// A string's text whose URLs name no users and ask for nothing.
fn without_those_of_urls(text: &str) -> String {
    let mut parts = text.split(IN_URLS);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str(IN_URLS);
        let is_end = |letter: char| letter.is_whitespace() || matches!(letter, '\'' | '"' | '$');
        let (url, rest) = part.split_at(part.find(is_end).unwrap_or(part.len()));
        let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
        let host = url[..authority].rfind('@').map_or(0, |at| at + 1);
        let end = url.find(['?', '#']).unwrap_or(url.len());
        shown.push_str(if host > 0 { "***@" } else { "" });
        shown.push_str(&url[host..end]);
        shown.push_str(if end < url.len() { "?***" } else { "" });
        shown.push_str(rest);
    }
    shown
}

fn is_string(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::TripleSingleQuotedString(_)
            | Token::TripleDoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::DoubleQuotedByteStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, all_strings: bool, expected: &str) {
        assert_eq!(without_secrets(text, all_strings), expected, "{text}");
    }

    #[test]
    fn passwords_and_tokens_are_taken_out() {
        check(
            "create role a Password 'geheim' valid until '2027-01-01'",
            false,
            "create role a Password '***' valid until '2027-01-01'",
        );
        for secret in [
            "E'ge\\'heim'",
            "U&'geheim'",
            "$x$geheim$x$",
            "N'geheim'",
            "X'67'",
            "$$geheim$$",
        ] {
            check(
                &format!("alter role a encrypted password {secret}"),
                false,
                "alter role a encrypted password '***'",
            );
        }
        check("select /* geheim */ 1 -- geheim", false, "select   1");
        check("select 'eyJhbGciOi.x.y'", false, "select '***'");
        check("select eyJhbGciOi", false, "select ***");
        assert!(may_hold_secrets("PassWord 'x'") && may_hold_secrets("'eyJ"));
        assert!(!may_hold_secrets("select 1") && !may_hold_secrets(""));
        check("select 'a', 1", false, "select 'a', 1");
        for (url, expected) in [
            (
                "https://u:geheim@host/a?sig=geheim",
                "https://***@host/a?***",
            ),
            (
                "see https://host/a@b, s3://b/c d",
                "see https://host/a@b, s3://b/c d",
            ),
            ("https://host?geheim", "https://host?***"),
            ("://", "://"),
        ] {
            check(
                &format!("select '{url}'"),
                false,
                &format!("select '{expected}'"),
            );
        }
        assert!(may_hold_secrets("'https://u:p@host'"));
        check("grant \"'x\" to b", true, "grant \"'x\" to b");
        check(
            "alter role a set x = 'b'",
            true,
            "alter role a set x = '***'",
        );
        check("select 'geheim", false, "");
    }
}
