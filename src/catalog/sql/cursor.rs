//! Reads the tokens of a statement one after the other.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::Lines;
use crate::error::{Error, ErrorKind, Result};

/// The tokens of a statement that are not yet read, without space and comments.
#[derive(Debug)]
pub struct Cursor<'a> {
    lines: &'a Lines,
    tokens: Vec<&'a TokenWithSpan>,
    n_read: usize,
    database: Option<&'a str>,
}

impl<'a> Cursor<'a> {
    /// A cursor before the first token.
    pub fn new(lines: &'a Lines, tokens: &'a [TokenWithSpan]) -> Self {
        Self {
            lines,
            tokens: tokens
                .iter()
                .filter(|token| is_word_or_sign(token))
                .collect(),
            n_read: 0,
            database: None,
        }
    }

    /// The same, where names may have this database in front.
    pub fn in_database(self, database: Option<&'a str>) -> Self {
        Self { database, ..self }
    }

    /// The database that names may have in front.
    pub fn database(&self) -> Option<&'a str> {
        self.database
    }

    /// The next token; `None` at the end.
    pub fn first(&self) -> Option<&'a TokenWithSpan> {
        self.tokens.get(self.n_read).copied()
    }

    /// Reads a token.
    pub fn read(&mut self) -> Option<&'a Token> {
        let token = self.first()?;
        self.n_read += 1;
        Some(&token.token)
    }

    /// How far the reading has come, for [`Cursor::go_back`].
    pub fn place(&self) -> usize {
        self.n_read
    }

    /// Goes back to an earlier place.
    pub fn go_back(&mut self, place: usize) {
        self.n_read = place;
    }

    /// The next unquoted word in upper case, without reading it.
    pub fn peek(&self) -> Option<String> {
        match &self.first()?.token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
            _ => None,
        }
    }

    /// Reads an unquoted word, in upper case.
    pub fn word(&mut self) -> Option<String> {
        let word = self.peek()?;
        self.read();
        Some(word)
    }

    /// Reads the next word if it is one of these; whether it was.
    pub fn skip_any(&mut self, words: &[&str]) -> bool {
        let found = self
            .peek()
            .is_some_and(|word| words.contains(&word.as_str()));
        if found {
            self.read();
        }
        found
    }

    /// Reads these words if they come next; whether they did.
    pub fn skip_all(&mut self, words: &[&str]) -> bool {
        let place = self.place();
        let found = words.iter().all(|word| self.skip_any(&[word]));
        if !found {
            self.go_back(place);
        }
        found
    }

    /// Reads the next token if it is this one; whether it was.
    pub fn skip_sign(&mut self, sign: &Token) -> bool {
        let found = self.first().is_some_and(|token| token.token == *sign);
        if found {
            self.read();
        }
        found
    }

    /// Whether the token after the next one assigns: `SET session = 1` names a setting.
    pub fn next_is_assignment(&self) -> bool {
        let second = self.tokens.get(self.n_read + 1);
        second.is_some_and(|token| match &token.token {
            Token::Eq => true,
            Token::Word(word) => word.value.eq_ignore_ascii_case("to"),
            _ => false,
        })
    }

    /// Whether the next token is a whole name of a list before TO or FROM, whatever the word means
    /// elsewhere.
    pub fn next_ends_a_name(&self) -> bool {
        let second = self.tokens.get(self.n_read + 1);
        second.is_some_and(|token| match &token.token {
            Token::Comma | Token::Period => true,
            Token::Word(word) => {
                let word = word.value.to_lowercase();
                word == "to" || word == "from"
            }
            _ => false,
        })
    }

    /// Reads a word that must be there.
    ///
    /// # Errors
    /// `SyntaxError`: another token is there.
    pub fn expect(&mut self, word: &str) -> Result<()> {
        match self.skip_any(&[word]) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    /// Reads a sign that must be there.
    ///
    /// # Errors
    /// `SyntaxError`: another token is there.
    pub fn expect_sign(&mut self, sign: &Token) -> Result<()> {
        match self.skip_sign(sign) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    /// The end of the statement.
    ///
    /// # Errors
    /// `SyntaxError`: a token is left.
    pub fn expect_end(&self) -> Result<()> {
        match self.first() {
            Some(_) => Err(self.unexpected()),
            None => Ok(()),
        }
    }

    /// The error for the next token.
    pub fn unexpected(&self) -> Error {
        let end = TokenWithSpan::wrap(Token::EOF);
        near(self.lines, self.first().unwrap_or(&end))
    }

    /// An identifier, folded as PostgreSQL folds it.
    ///
    /// # Errors
    /// `SyntaxError`: something else is there.
    pub fn name(&mut self) -> Result<String> {
        match self.first().map(|token| &token.token) {
            Some(Token::Word(word)) => {
                let name = match word.quote_style {
                    Some(_) => word.value.clone(),
                    None => word.value.to_lowercase(),
                };
                self.read();
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A string constant.
    ///
    /// # Errors
    /// `SyntaxError`: something else is there.
    pub fn string(&mut self) -> Result<String> {
        let text = match self.first().map(|token| &token.token) {
            Some(Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) => {
                text.clone()
            }
            Some(Token::DollarQuotedString(text)) => text.value.clone(),
            _ => return Err(self.unexpected()),
        };
        self.read();
        Ok(text)
    }
}

/// Whether a token is more than space and comments.
pub fn is_word_or_sign(token: &TokenWithSpan) -> bool {
    !matches!(token.token, Token::Whitespace(_) | Token::EOF)
}

/// PostgreSQL's `syntax error at end of input`.
pub fn at_end(lines: &Lines) -> Error {
    Error::new(ErrorKind::SyntaxError, "syntax error at end of input").at(lines.end())
}

/// PostgreSQL's `syntax error at or near "x"` (scan.l, `scanner_yyerror`).
pub fn near(lines: &Lines, token: &TokenWithSpan) -> Error {
    if token.token == Token::EOF {
        return at_end(lines);
    }
    let message = format!("syntax error at or near \"{}\"", token.token);
    Error::new(ErrorKind::SyntaxError, message).at(lines.position(token.span.start))
}
