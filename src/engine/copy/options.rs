//! The options of COPY as they are written: in parentheses, as those of EXPLAIN, or in the grammar
//! before version 9.0.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::catalog::sql::{Cursor, Lines};
use crate::error::{Error, ErrorKind, Result};

/// An option's argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Argument {
    None,
    Text(String),
    /// A whole number, as it is written.
    Integer(String),
    /// `*`.
    Star,
    List(Vec<String>),
}

/// An option as it is written.
#[derive(Clone, Debug)]
pub(in crate::engine) struct CopyOption {
    pub(in crate::engine) name: String,
    pub(super) argument: Argument,
    /// Its place in the message.
    pub(super) position: Option<usize>,
}

/// The options of a statement, in their order.
#[derive(Debug)]
pub(in crate::engine) struct Given<'a> {
    lines: &'a Lines,
    pub(in crate::engine) options: Vec<CopyOption>,
}

impl<'a> Given<'a> {
    /// None yet.
    pub(in crate::engine) fn new(lines: &'a Lines) -> Self {
        Self {
            lines,
            options: Vec::new(),
        }
    }

    fn add(&mut self, name: &str, argument: Argument, at: Option<&TokenWithSpan>) {
        self.options.push(CopyOption {
            name: name.to_owned(),
            argument,
            position: at.map(|token| self.lines.position(token.span.start)),
        });
    }

    /// Adds an option whose argument is a word.
    pub(super) fn add_word(&mut self, name: &str, word: &str, at: Option<&TokenWithSpan>) {
        self.add(name, Argument::Text(word.to_owned()), at);
    }
}

/// `[USING] DELIMITERS 'x'`, which stood before WITH until version 7.3.
pub(super) fn old_delimiters(cursor: &mut Cursor<'_>, given: &mut Given<'_>) -> Result<()> {
    let at = cursor.first();
    let has_using = cursor.skip_any(&["USING"]);
    if cursor.skip_any(&["DELIMITERS"]) {
        let delimiter = cursor.string()?;
        given.add_word("delimiter", &delimiter, at);
    } else if has_using {
        return Err(cursor.unexpected());
    }
    Ok(())
}

/// The options behind the file's place.
pub(in crate::engine) fn parse(cursor: &mut Cursor<'_>, given: &mut Given<'_>) -> Result<()> {
    cursor.skip_any(&["WITH"]);
    if !cursor.skip_sign(&Token::LParen) {
        while old_option(cursor, given)? {}
        return Ok(());
    }
    loop {
        let at = cursor.first();
        let name = cursor.name()?;
        let argument = argument(cursor)?;
        given.add(&name, argument, at);
        if !cursor.skip_sign(&Token::Comma) {
            return cursor.expect_sign(&Token::RParen);
        }
    }
}

fn argument(cursor: &mut Cursor<'_>) -> Result<Argument> {
    let Some(token) = cursor.first() else {
        return Err(cursor.unexpected());
    };
    match &token.token {
        Token::Comma | Token::RParen => Ok(Argument::None),
        Token::Mul => {
            cursor.read();
            Ok(Argument::Star)
        }
        Token::LParen => {
            cursor.read();
            list(cursor).map(Argument::List)
        }
        Token::Plus | Token::Minus => {
            let sign = match token.token {
                Token::Minus => "-",
                _ => "",
            };
            cursor.read();
            number(cursor).map(|digits| Argument::Integer(format!("{sign}{digits}")))
        }
        Token::Number(..) => number(cursor).map(Argument::Integer),
        _ => text(cursor).map(Argument::Text),
    }
}

fn number(cursor: &mut Cursor<'_>) -> Result<String> {
    match cursor.first().map(|token| &token.token) {
        Some(Token::Number(digits, _)) => {
            cursor.read();
            Ok(digits.clone())
        }
        _ => Err(cursor.unexpected()),
    }
}

/// The keywords that are no word of `opt_boolean_or_string` (`SELECT word FROM pg_get_keywords()
/// WHERE catcode = 'R'`, without `true`, `false` and `on`).
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "fetch",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "initially",
    "intersect",
    "into",
    "lateral",
    "leading",
    "limit",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "offset",
    "only",
    "or",
    "order",
    "placing",
    "primary",
    "references",
    "returning",
    "select",
    "session_user",
    "some",
    "symmetric",
    "system_user",
    "table",
    "then",
    "to",
    "trailing",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "when",
    "where",
    "window",
    "with",
];

/// `opt_boolean_or_string`: a word or a string.
fn text(cursor: &mut Cursor<'_>) -> Result<String> {
    match cursor.first().map(|token| &token.token) {
        Some(Token::Word(word)) => {
            let lower = word.value.to_lowercase();
            match word.quote_style.is_none() && RESERVED.contains(&lower.as_str()) {
                true => Err(cursor.unexpected()),
                false => cursor.name(),
            }
        }
        _ => cursor.string(),
    }
}

fn list(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    loop {
        names.push(text(cursor)?);
        if !cursor.skip_sign(&Token::Comma) {
            cursor.expect_sign(&Token::RParen)?;
            return Ok(names);
        }
    }
}

/// One option of `copy_opt_item`; whether there was one.
fn old_option(cursor: &mut Cursor<'_>, given: &mut Given<'_>) -> Result<bool> {
    let at = cursor.first();
    let Some(word) = cursor.peek() else {
        return Ok(false);
    };
    match word.as_str() {
        "BINARY" | "CSV" => {
            cursor.read();
            given.add_word("format", &word.to_lowercase(), at);
        }
        "FREEZE" | "HEADER" => {
            cursor.read();
            given.add_word(&word.to_lowercase(), "true", at);
        }
        "DELIMITER" | "NULL" | "QUOTE" | "ESCAPE" => {
            cursor.read();
            cursor.skip_any(&["AS"]);
            let text = cursor.string()?;
            given.add_word(&word.to_lowercase(), &text, at);
        }
        "ENCODING" => {
            cursor.read();
            let text = cursor.string()?;
            given.add_word("encoding", &text, at);
        }
        "FORCE" => {
            cursor.read();
            let name = match () {
                () if cursor.skip_any(&["QUOTE"]) => "force_quote",
                () if cursor.skip_all(&["NOT", "NULL"]) => "force_not_null",
                () if cursor.skip_any(&["NULL"]) => "force_null",
                () => return Err(cursor.unexpected()),
            };
            let argument = match name == "force_quote" && cursor.skip_sign(&Token::Mul) {
                true => Argument::Star,
                false => Argument::List(names(cursor)?),
            };
            given.add(name, argument, at);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn names(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut names = vec![cursor.name()?];
    while cursor.skip_sign(&Token::Comma) {
        names.push(cursor.name()?);
    }
    Ok(names)
}

impl CopyOption {
    /// The argument as a text (`defGetString` in define.c).
    pub(in crate::engine) fn text(&self) -> Result<String> {
        match &self.argument {
            Argument::None => Err(self.needs("a parameter")),
            Argument::Text(text) | Argument::Integer(text) => Ok(text.clone()),
            Argument::Star => Ok("*".to_owned()),
            Argument::List(names) => Ok(names.join(".")),
        }
    }

    /// The argument as a truth value (`defGetBoolean` in define.c).
    pub(in crate::engine) fn boolean(&self) -> Result<bool> {
        self.truth().ok_or_else(|| self.needs("a Boolean value"))
    }

    /// The argument as a truth value, if it is one.
    pub(super) fn truth(&self) -> Option<bool> {
        match &self.argument {
            Argument::None => Some(true),
            Argument::Integer(digits) => match digits.as_str() {
                "0" => Some(false),
                "1" => Some(true),
                _ => None,
            },
            _ => match self.text().ok()?.to_lowercase().as_str() {
                "true" | "on" => Some(true),
                "false" | "off" => Some(false),
                _ => None,
            },
        }
    }

    /// The error for an argument that is missing or of another kind.
    pub(super) fn needs(&self, what: &str) -> Error {
        let message = format!("{} requires {what}", self.name);
        Error::new(ErrorKind::SyntaxError, message)
    }

    /// An error at the option's place.
    pub(in crate::engine) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        let error = Error::new(kind, message);
        match self.position {
            Some(position) => error.at(position),
            None => error,
        }
    }
}
