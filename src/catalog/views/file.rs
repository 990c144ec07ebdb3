//! A file of the views folder: its statements, and their places in its text.

use std::ops::Range;

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

use crate::catalog::sql::{self, Definition, Lines};
use crate::error::{Error, Result};

/// A statement of a file.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its bytes, from its first word to its semicolon.
    pub(super) bytes: Range<usize>,
    /// The same, with the comment right before it.
    pub(super) with_comment: Range<usize>,
    /// Its first character, counted from 1.
    pub(super) position: usize,
    /// The comment right before it, without the signs that make it one.
    pub(super) comment: Option<String>,
    /// What it says.
    pub(super) definition: Result<Definition>,
}

/// The statements of a file.
///
/// # Errors
/// `SyntaxError` with its position: the text has no tokens.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>> {
    let lines = Lines::of(text);
    let tokens = sql::tokens(text, &lines)?;
    let mut pieces = Vec::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        let end = rest
            .iter()
            .position(|token| token.token == Token::SemiColon);
        let (own, semicolon) = match end {
            Some(end) => (&rest[..end], Some(&rest[end])),
            None => (rest, None),
        };
        if own.iter().any(sql::is_word_or_sign) {
            pieces.push(piece(text, &lines, own, semicolon));
        }
        rest = end.map_or(&[], |end| &rest[end + 1..]);
    }
    Ok(pieces)
}

fn piece(
    text: &str,
    lines: &Lines,
    tokens: &[TokenWithSpan],
    semicolon: Option<&TokenWithSpan>,
) -> Piece {
    let (start, end) = sql::extent(text, lines, tokens);
    let end = semicolon.map_or(end, |token| lines.byte(text, token.span.end));
    let n_before = tokens
        .iter()
        .position(sql::is_word_or_sign)
        .unwrap_or_default();
    let (comment, comment_start) = comment(text, lines, &tokens[..n_before]);
    let position = lines.position(tokens[n_before].span.start);
    let definition = sql::definition(text, lines, tokens, None).unwrap_or_else(|| {
        let words: Vec<String> = tokens[n_before..]
            .iter()
            .filter(|token| sql::is_word_or_sign(token))
            .take(2)
            .map(|token| token.token.to_string().to_uppercase())
            .collect();
        let what = format!("{} in the views folder", words.join(" "));
        Err(Error::unsupported(what).at(position))
    });
    Piece {
        bytes: start..end,
        with_comment: comment_start.unwrap_or(start)..end,
        position,
        comment,
        definition,
    }
}

/// The comment that ends right before a statement, an empty line between ends it, and where it starts.
fn comment(text: &str, lines: &Lines, before: &[TokenWithSpan]) -> (Option<String>, Option<usize>) {
    let mut said = Vec::new();
    let mut start = None;
    let mut n_newlines = 0;
    for token in before.iter().rev() {
        match &token.token {
            Token::Whitespace(Whitespace::Newline) => n_newlines += 1,
            Token::Whitespace(Whitespace::SingleLineComment { comment, .. }) => {
                // The token holds the end of its line.
                if n_newlines > 0 {
                    break;
                }
                said.push(comment.trim().to_owned());
                start = Some(lines.byte(text, token.span.start));
                n_newlines = 0;
            }
            Token::Whitespace(Whitespace::MultiLineComment(comment)) => {
                if n_newlines > 1 {
                    break;
                }
                said.push(unindented(comment));
                start = Some(lines.byte(text, token.span.start));
                n_newlines = 0;
            }
            _ => {}
        }
    }
    said.reverse();
    let said = said.join("\n").trim().to_owned();
    ((!said.is_empty()).then_some(said), start)
}

/// The lines of a comment between `/*` and `*/` without their indents and leading stars.
fn unindented(comment: &str) -> String {
    let lines = comment.lines().map(|line| {
        let line = line.trim();
        line.strip_prefix('*').map_or(line, str::trim_start)
    });
    lines.collect::<Vec<_>>().join("\n")
}
