//! Reads the spellings of time travel behind a table's name, and writes them as one: as the argument of a
//! function of that name, which PostgreSQL's grammar has. Works on tokens, so that nothing in a
//! literal, a name or a comment is taken for it.
//!
//! `FOR SYSTEM_TIME AS OF x` is SQL:2011's; `VERSION AS OF n` and `TIMESTAMP AS OF x` are those of
//! Databricks, and with FOR before them those of Trino; `AT (VERSION => n)` and `AT (TIMESTAMP => x)` are
//! Snowflake's and DuckDB's.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::catalog::sql::is_word_or_sign;

/// What an argument is named that says a version. No name in SQL text holds the first character.
pub(super) const VERSION: &str = "\u{1}version";

/// The same for one that says an instant.
pub(super) const INSTANT: &str = "\u{1}instant";

/// Words that say which moment is meant, and by what.
const MOMENTS: &[(&str, &str)] = &[
    ("SYSTEM_TIME", INSTANT),
    ("SYSTEM_VERSION", VERSION),
    ("TIMESTAMP", INSTANT),
    ("VERSION", VERSION),
];

/// Words that stand where a table's name could end, and end none.
const NO_NAMES: &[&str] = &[
    "ALL", "DISTINCT", "FROM", "JOIN", "LATERAL", "ON", "ONLY", "SELECT", "USING", "WHERE",
];

/// Words before a table's name.
const BEFORE_NAMES: &[&str] = &["FROM", "JOIN", "ONLY"];

/// The tokens with each moment behind a table's name as an argument of it.
pub(in crate::engine) fn as_arguments(
    tokens: Vec<TokenWithSpan>,
    depth_max: usize,
) -> Vec<TokenWithSpan> {
    let is_said =
        |token: &TokenWithSpan| is_any(&token.token, MOMENTS.iter().map(|(word, _)| *word));
    if !tokens.iter().any(is_said) {
        return tokens;
    }
    let places: Vec<usize> = (0..tokens.len())
        .filter(|index| is_word_or_sign(&tokens[*index]))
        .collect();
    let text = Text {
        tokens: &tokens,
        places: &places,
    };
    let mut written = Vec::with_capacity(tokens.len() + 8);
    let (mut at, mut copied) = (0, 0);
    while at < places.len() {
        let Some(clause) = text.clause(at) else {
            at += 1;
            continue;
        };
        written.extend_from_slice(&tokens[copied..places[at]]);
        let span = tokens[places[at]].span;
        let name = Token::Word(Word {
            value: clause.name.to_owned(),
            quote_style: Some('"'),
            keyword: datafusion::sql::sqlparser::keywords::Keyword::NoKeyword,
        });
        for token in [Token::LParen, name, Token::RArrow] {
            written.push(TokenWithSpan::new(token, span));
        }
        copied = places.get(clause.value).copied().unwrap_or(tokens.len());
        at = clause.value;
        if !clause.is_closed {
            // What is no expression stays open, and the parser complains of it at its place.
            if let Some(length) = length_of_expression(&tokens[copied..], depth_max) {
                written.extend_from_slice(&tokens[copied..copied + length]);
                copied += length;
                written.push(TokenWithSpan::new(Token::RParen, span));
                at = places.partition_point(|place| *place < copied);
            }
        }
    }
    written.extend_from_slice(&tokens[copied..]);
    written
}

/// The tokens that are no white space.
struct Text<'a> {
    tokens: &'a [TokenWithSpan],
    places: &'a [usize],
}

/// A moment behind a table's name.
struct Clause {
    name: &'static str,
    /// Which token its value begins with.
    value: usize,
    /// Whether a parenthesis ends it.
    is_closed: bool,
}

impl Text<'_> {
    fn token(&self, at: usize) -> Option<&Token> {
        let place = self.places.get(at)?;
        Some(&self.tokens[*place].token)
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.token(at).is_some_and(|token| is_any(token, [word]))
    }

    fn moment(&self, at: usize) -> Option<&'static str> {
        let token = self.token(at)?;
        let mut known = MOMENTS.iter();
        known
            .find(|(word, _)| is_any(token, [*word]))
            .map(|(_, name)| *name)
    }

    /// The moment that begins with this token.
    fn clause(&self, at: usize) -> Option<Clause> {
        let is_open = self.is(at, "AT") && self.token(at + 1) == Some(&Token::LParen);
        let clause = if is_open && self.token(at + 3) == Some(&Token::RArrow) {
            Clause {
                name: self.moment(at + 2)?,
                value: at + 4,
                is_closed: true,
            }
        } else {
            let first = at + usize::from(self.is(at, "FOR"));
            let name = self.moment(first)?;
            if !self.is(first + 1, "AS") || !self.is(first + 2, "OF") {
                return None;
            }
            Clause {
                name,
                value: first + 3,
                is_closed: false,
            }
        };
        self.ends_name(at).then_some(clause)
    }

    /// Whether a table's name ends before this token.
    fn ends_name(&self, at: usize) -> bool {
        let mut at = at;
        loop {
            let Some(before) = at.checked_sub(1) else {
                return false;
            };
            let is_name = match self.token(before) {
                Some(Token::Word(word)) => {
                    word.quote_style.is_some()
                        || !NO_NAMES
                            .iter()
                            .any(|it| word.value.eq_ignore_ascii_case(it))
                }
                _ => false,
            };
            if !is_name {
                return false;
            }
            let Some(sign) = before.checked_sub(1) else {
                return false;
            };
            match self.token(sign) {
                Some(Token::Period) => at = sign,
                Some(Token::Comma | Token::LParen) => return true,
                Some(token) => return is_any(token, BEFORE_NAMES.iter().copied()),
                None => return false,
            }
        }
    }
}

fn is_any<'a>(token: &Token, words: impl IntoIterator<Item = &'a str>) -> bool {
    match token {
        Token::Word(word) if word.quote_style.is_none() => words
            .into_iter()
            .any(|it| word.value.eq_ignore_ascii_case(it)),
        _ => false,
    }
}

/// How many tokens the expression has that they begin with; `None` if they begin with none.
fn length_of_expression(tokens: &[TokenWithSpan], depth_max: usize) -> Option<usize> {
    let dialect = PostgreSqlDialect {};
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(depth_max)
        .with_tokens_with_locations(tokens.to_vec());
    parser.parse_expr().ok()?;
    Some(parser.index().min(tokens.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::sql::{self, Lines};

    /// What the tokens of `text` become, without white space.
    fn check(text: &str, expected: &str) {
        let lines = Lines::of(text);
        let tokens = sql::tokens(text, &lines).expect("they are tokens");
        let written = as_arguments(tokens, 50);
        let words: Vec<String> = written
            .iter()
            .filter(|token| is_word_or_sign(token))
            .map(|token| token.token.to_string().replace('\u{1}', "_"))
            .collect();
        assert_eq!(words.join(" "), expected, "{text}");
    }

    #[test]
    fn every_spelling_becomes_an_argument() {
        let version = "FROM t ( \"_version\" => 3 )";
        check("FROM t VERSION AS OF 3", version);
        check("FROM t for version as of 3", version);
        check("FROM t FOR SYSTEM_VERSION AS OF 3", version);
        check("FROM t AT (VERSION => 3)", version);
        let instant = "FROM s . t ( \"_instant\" => now ( ) - interval '1 day' )";
        check("FROM s.t TIMESTAMP AS OF now() - interval '1 day'", instant);
        check(
            "FROM s.t FOR TIMESTAMP AS OF now() - interval '1 day'",
            instant,
        );
        check(
            "FROM s.t FOR SYSTEM_TIME AS OF now() - interval '1 day'",
            instant,
        );
        check(
            "FROM s.t AT(TIMESTAMP => now() - interval '1 day')",
            instant,
        );
    }

    #[test]
    fn what_follows_stays() {
        check(
            "FROM t VERSION AS OF $1 AS a JOIN u TIMESTAMP AS OF '2026-11-01' b ON a.x = b.x",
            "FROM t ( \"_version\" => $1 ) AS a JOIN u ( \"_instant\" => '2026-11-01' ) b ON a . x = b . x",
        );
        check(
            "FROM (t VERSION AS OF 1 NATURAL JOIN \"from\" AT (VERSION => 2)) WHERE x",
            "FROM ( t ( \"_version\" => 1 ) NATURAL JOIN \"from\" ( \"_version\" => 2 ) ) WHERE x",
        );
    }

    #[test]
    fn other_uses_of_the_words_stay() {
        for text in [
            "SELECT version AS of FROM t",
            "SELECT DISTINCT version AS of FROM t",
            "SELECT 1 FROM version AS of",
            "SELECT timestamp '2026-11-01' AS of",
            "SELECT 'FROM t VERSION AS OF 3'",
            "SELECT x FROM t AT ( a , b )",
            "SELECT x AS version , timestamp AS of FROM t",
        ] {
            check(text, text);
        }
    }
}
