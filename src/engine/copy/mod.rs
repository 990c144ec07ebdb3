//! COPY TO STDOUT: PostgreSQL's grammar of it (gram.y, `CopyStmt`), in the spellings of every age.
//! <https://www.postgresql.org/docs/16/sql-copy.html>

mod layout;
mod options;
mod relation;

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::refuse;
use crate::catalog::sql::{Cursor, Lines};
use crate::error::{Error, ErrorKind, Result};
pub use layout::{CopyLayout, ForceQuote};
pub(super) use options::{CopyOption, Given, parse as parse_options};
pub(super) use relation::check as check_relation;

/// A COPY whose rows go to the client.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Its rows.
    pub(super) query: Box<ast::Query>,
    /// The relation as it was named; `None` if a query is copied.
    pub relation: Option<String>,
    /// The columns named with the relation; none means all.
    pub(super) columns: Vec<String>,
    /// The error for a parameter in the query, if there is one: it has no value.
    pub(super) parameter: Option<Error>,
    /// How the rows are written. What is wrong with it is said when the statement is run, as
    /// `DoCopy` does, and not when it is parsed.
    pub layout: Result<CopyLayout>,
}

/// A COPY as its grammar has it, before its query is parsed.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The query's tokens.
    pub(super) query: Vec<TokenWithSpan>,
    pub(super) relation: Option<String>,
    pub(super) columns: Vec<String>,
    pub(super) parameter: Option<Error>,
    pub(super) layout: Result<CopyLayout>,
}

/// Parses a statement whose first word is COPY.
///
/// # Errors
/// `SyntaxError`; `ReadOnlySqlTransaction` for COPY FROM; `InsufficientPrivilege` for a file or
/// program of the server.
pub(super) fn parse(lines: &Lines, tokens: &[TokenWithSpan]) -> Result<Parsed> {
    let mut cursor = Cursor::new(lines, tokens);
    cursor.expect("COPY")?;
    let is_query = cursor.first().map(|token| &token.token) == Some(&Token::LParen);
    let binary = cursor.first();
    let is_binary = !is_query && is_binary(&mut cursor);
    let (query, relation, columns) = match is_query {
        true => (query(&mut cursor)?, None, Vec::new()),
        false => table(&mut cursor)?,
    };
    let is_from = !is_query && cursor.skip_any(&["FROM"]);
    let to = cursor.first();
    if !is_from {
        cursor.expect("TO")?;
    }
    let end = end(&mut cursor).map_err(|error| match (is_query, error.position(), to) {
        // Of all places `gram.y` has that of TO.
        (true, None, Some(to)) => error.at(lines.position(to.span.start)),
        _ => error,
    })?;
    let mut given = options::Given::new(lines);
    if is_binary {
        given.add_word("format", "binary", binary);
    }
    if !is_query {
        options::old_delimiters(&mut cursor, &mut given)?;
    }
    options::parse(&mut cursor, &mut given)?;
    if !is_query && !is_from && cursor.peek().as_deref() == Some("WHERE") {
        let message = "WHERE clause not allowed with COPY TO";
        let error = Error::new(ErrorKind::SyntaxError, message);
        let at = cursor.first().map(|token| lines.position(token.span.start));
        return Err(at.map_or(error.clone(), |at| error.at(at)));
    }
    if !is_from {
        cursor.expect_end()?;
    }
    refuse_end(end, is_from)?;
    Ok(Parsed {
        parameter: parameter(lines, &query),
        query,
        relation,
        columns,
        layout: layout::layout(&given),
    })
}

/// Reads BINARY before a relation's name; a relation may have that name itself.
fn is_binary(cursor: &mut Cursor<'_>) -> bool {
    let place = cursor.place();
    let found = cursor.skip_any(&["BINARY"])
        && matches!(
            cursor.first().map(|token| &token.token),
            Some(Token::Word(_))
        )
        && !matches!(cursor.peek().as_deref(), Some("TO" | "FROM"));
    if !found {
        cursor.go_back(place);
    }
    found
}

/// Where the rows come from or go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Client,
    File,
    Program,
}

fn end(cursor: &mut Cursor<'_>) -> Result<End> {
    if cursor.skip_any(&["PROGRAM"]) {
        if cursor.skip_any(&["STDIN", "STDOUT"]) {
            let message = "STDIN/STDOUT not allowed with PROGRAM";
            return Err(Error::new(ErrorKind::SyntaxError, message));
        }
        return cursor.string().map(|_| End::Program);
    }
    if cursor.skip_any(&["STDIN", "STDOUT"]) {
        return Ok(End::Client);
    }
    cursor.string().map(|_| End::File)
}

/// The error for a parameter in a query: COPY takes none (`transformParamRef` in parse_expr.c).
fn parameter(lines: &Lines, query: &[TokenWithSpan]) -> Option<Error> {
    query.iter().find_map(|token| match &token.token {
        Token::Placeholder(name) => {
            let message = format!("there is no parameter {name}");
            let error = Error::new(ErrorKind::UndefinedParameter, message);
            Some(error.at(lines.position(token.span.start)))
        }
        _ => None,
    })
}

/// As `DoCopy` refuses those without the roles for files of the server: nobody has them here.
fn refuse_end(end: End, is_from: bool) -> Result<()> {
    let (what, role, may) = match (end, is_from) {
        (End::Client, false) => return Ok(()),
        (End::Client, true) => return Err(refuse::writing("COPY FROM")),
        (End::Program, _) => (
            "to or from an external program",
            "pg_execute_server_program",
            "COPY to or from an external program",
        ),
        (End::File, true) => ("from a file", "pg_read_server_files", "COPY from a file"),
        (End::File, false) => ("to a file", "pg_write_server_files", "COPY to a file"),
    };
    let message = format!("permission denied to COPY {what}");
    Err(Error::new(ErrorKind::InsufficientPrivilege, message)
        .with_detail(format!(
            "Only roles with privileges of the \"{role}\" role may {may}."
        ))
        .with_hint(
            "Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone.",
        ))
}

/// The tokens between the parentheses.
fn query(cursor: &mut Cursor<'_>) -> Result<Vec<TokenWithSpan>> {
    cursor.expect_sign(&Token::LParen)?;
    let mut query = Vec::new();
    let mut depth = 0;
    loop {
        let Some(token) = cursor.first() else {
            return Err(cursor.unexpected());
        };
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => break,
            Token::RParen => depth -= 1,
            _ => {}
        }
        query.push(token.clone());
        cursor.read();
    }
    if query.is_empty() {
        return Err(cursor.unexpected());
    }
    cursor.read();
    Ok(query)
}

/// The tokens of a query with a relation's rows, the relation's name, and its columns.
type Table = (Vec<TokenWithSpan>, Option<String>, Vec<String>);

/// A relation's name and columns.
fn table(cursor: &mut Cursor<'_>) -> Result<Table> {
    let mut name = Vec::new();
    let mut last;
    loop {
        name.extend(cursor.first().cloned());
        last = cursor.name()?;
        let dot = cursor.first().cloned();
        if !cursor.skip_sign(&Token::Period) {
            break;
        }
        name.extend(dot);
    }
    let written = |token| TokenWithSpan::wrap(token);
    let mut query = vec![written(Token::make_keyword("SELECT"))];
    let mut names = Vec::new();
    if cursor.skip_sign(&Token::LParen) {
        let (tokens, columns) = columns(cursor)?;
        query.extend(tokens);
        names = columns;
    } else {
        query.push(written(Token::Mul));
    }
    query.push(written(Token::make_keyword("FROM")));
    query.extend(name);
    Ok((query, Some(last), names))
}

/// The tokens and the names of a list of columns, whose opening parenthesis is read.
fn columns(cursor: &mut Cursor<'_>) -> Result<(Vec<TokenWithSpan>, Vec<String>)> {
    let mut columns = Vec::new();
    let mut names = Vec::new();
    loop {
        columns.extend(cursor.first().cloned());
        names.push(cursor.name()?);
        let comma = cursor.first().cloned();
        if !cursor.skip_sign(&Token::Comma) {
            break;
        }
        columns.extend(comma);
    }
    cursor.expect_sign(&Token::RParen)?;
    Ok((columns, names))
}

#[cfg(test)]
mod tests;
