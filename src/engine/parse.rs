//! Splits a message into statements, and lets through only those that Lakegate runs.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::copy::{self, Copy};
use super::lock;
use super::rules::{
    distinct_from, elements, exists_in_lists, fetch, interval_literals, keyed_recursion, literals,
    named_windows, never_run, normalize, rows_in_lists, subquery_names,
};
use super::statement::{Statement, StatementKind};
use super::{explain, named, numerals, output_name, recursion, refuse, session_command, travel};
use crate::catalog::sql::{self, Lines, at_end, near};
use crate::error::{Error, ErrorKind, Result};

/// Nested levels of a statement. Planning recurses as deep, on threads of 16 MiB stack.
const DEPTH_MAX: usize = 256;

/// Commands that write. In a lake that is only read, they fail as in a read-only transaction
/// (`ClassifyUtilityCommandAsReadOnly` in utility.c).
const WRITING: &[&str] = &[
    "ALTER", "COMMENT", "CREATE", "DELETE", "DROP", "GRANT", "IMPORT", "INSERT", "MERGE",
    "REASSIGN", "REFRESH", "REVOKE", "SECURITY", "TRUNCATE", "UPDATE",
];

/// Writing commands whose name goes on with the kind of object.
const WRITING_OBJECTS: &[&str] = &["ALTER", "CREATE", "DROP"];

/// The other commands of PostgreSQL 16 (manual, part VI): known, and refused by name.
const REFUSED: &[&str] = &[
    "ANALYZE",
    "CALL",
    "CHECKPOINT",
    "CLUSTER",
    "DO",
    "LOAD",
    "REINDEX",
    "VACUUM",
];

/// What the views folder does not hold yet: refused by name, where what writes data is refused for
/// writing.
const NOT_YET: &[&str] = &["CREATE FOREIGN", "ALTER FOREIGN", "DROP FOREIGN"];

/// The statements of a message; empty ones are left out. `database` is the session's.
pub(super) fn parse(text: &str, database: &str) -> Result<Vec<Statement>> {
    let lines = Lines::of(text);
    let tokens = numerals::read(text, &lines, sql::tokens(text, &lines)?)?;
    sql::statements(&tokens)
        .map(|own| {
            parse_one(text, &lines, own, Some(database))
                .map_err(|error| at_semicolon(error, &lines, &tokens, own))
        })
        .collect()
}

/// What ends too early ends at the semicolon behind it, if one is there.
fn at_semicolon(
    error: Error,
    lines: &Lines,
    tokens: &[TokenWithSpan],
    own: &[TokenWithSpan],
) -> Error {
    if error.position() != Some(lines.end()) || error.kind() != ErrorKind::SyntaxError {
        return error;
    }
    let last = own.last().map(|token| token.span.start);
    let mut behind = tokens
        .iter()
        .skip_while(|token| Some(token.span.start) != last);
    match behind.find(|token| token.token == Token::SemiColon) {
        Some(semicolon) => near(lines, semicolon),
        None => error,
    }
}

/// The query of a view, whose text is nothing else.
pub(super) fn parse_view(text: &str) -> Result<(Box<ast::Query>, Arc<Lines>)> {
    let lines = Lines::of(text);
    let tokens = numerals::read(text, &lines, sql::tokens(text, &lines)?)?;
    let first = tokens.iter().find(|token| sql::is_word_or_sign(token));
    match first.map(classify) {
        Some(Command::Query) => {}
        Some(_) => return Err(near(&lines, first.expect("it was matched"))),
        None => return Err(near(&lines, &TokenWithSpan::wrap(Token::EOF))),
    }
    match parse_query(&lines, &tokens)? {
        StatementKind::Query(query) => Ok((query, lines)),
        _ => Err(near(&lines, first.expect("it was matched"))),
    }
}

/// One statement of a message, by its tokens. `database` is the one that definitions may name.
pub(super) fn parse_one(
    text: &str,
    lines: &Arc<Lines>,
    tokens: &[TokenWithSpan],
    database: Option<&str>,
) -> Result<Statement> {
    let mut words = tokens.iter().filter(|token| sql::is_word_or_sign(token));
    let first = words.next().expect("a statement has a token");
    let (start, end) = sql::extent(text, lines, tokens);
    let kind = match classify(first) {
        Command::Query => parse_query(lines, tokens)?,
        Command::Explain => parse_explain(text, lines, tokens)?,
        Command::Copy => StatementKind::Copy(parse_copy(lines, tokens)?),
        Command::Session => StatementKind::Session(session_command::parse(lines, tokens)?),
        Command::Named => named::parse(text, lines, tokens)?,
        Command::Lock => lock::parse(lines, tokens)?,
        Command::Writing("REFRESH") => {
            StatementKind::Refresh(sql::refresh(lines, tokens, database)?)
        }
        Command::Writing(name) => match sql::definition(text, lines, tokens, database) {
            Some(definition) => StatementKind::Definition(definition?),
            None => StatementKind::Refused(writing(&command_name(name, tokens))),
        },
        Command::Refused(name) => StatementKind::Refused(Error::unsupported(name)),
        Command::Unknown => return Err(near(lines, first)),
    };
    let text = text[start..end].into();
    Ok(Statement::new(text, kind, Arc::clone(lines)))
}

/// The error for a command that would write.
fn writing(name: &str) -> Error {
    match NOT_YET.contains(&name) {
        true => Error::unsupported(name),
        false => refuse::writing(name),
    }
}

/// A writing command's name, as PostgreSQL's command tags have it: `INSERT`, `CREATE TABLE`.
fn command_name(first: &str, tokens: &[TokenWithSpan]) -> String {
    let second = tokens
        .iter()
        .filter(|token| sql::is_word_or_sign(token))
        .nth(1);
    match second.map(|token| &token.token) {
        Some(Token::Word(word)) if WRITING_OBJECTS.contains(&first) => {
            format!("{first} {}", word.value.to_uppercase())
        }
        _ => first.to_owned(),
    }
}

/// What the first word of a statement says about it.
enum Command {
    Query,
    Explain,
    Copy,
    Session,
    Named,
    Lock,
    Writing(&'static str),
    Refused(&'static str),
    Unknown,
}

fn classify(first: &TokenWithSpan) -> Command {
    let word = match &first.token {
        Token::LParen => return Command::Query,
        Token::Word(word) if word.quote_style.is_none() => word.value.to_uppercase(),
        _ => return Command::Unknown,
    };
    if ["SELECT", "WITH", "VALUES", "TABLE"].contains(&word.as_str()) {
        Command::Query
    } else if word == "EXPLAIN" {
        Command::Explain
    } else if word == "COPY" {
        Command::Copy
    } else if session_command::COMMANDS.contains(&word.as_str()) {
        Command::Session
    } else if word == "LOCK" {
        Command::Lock
    } else if named::COMMANDS.contains(&word.as_str()) {
        Command::Named
    } else if let Some(name) = WRITING.iter().find(|name| **name == word) {
        Command::Writing(name)
    } else if let Some(name) = REFUSED.iter().find(|name| **name == word) {
        Command::Refused(name)
    } else {
        Command::Unknown
    }
}

fn parse_copy(lines: &Arc<Lines>, tokens: &[TokenWithSpan]) -> Result<Box<Copy>> {
    let copy::Parsed {
        query,
        relation,
        columns,
        parameter,
        layout,
    } = copy::parse(lines, tokens)?;
    let first = query.first().expect("copy::parse refuses an empty query");
    let query = match classify(first) {
        Command::Query => parse_query(lines, &query)?,
        Command::Writing(name) => return Err(writing(&command_name(name, &query))),
        _ => return Err(near(lines, first)),
    };
    match query {
        StatementKind::Query(query) => Ok(Box::new(Copy {
            query,
            relation,
            columns,
            parameter,
            layout,
        })),
        _ => Err(near(lines, first)),
    }
}

/// EXPLAIN of a query, of one that DECLARE would run, or of a kept statement.
fn parse_explain(
    text: &str,
    lines: &Arc<Lines>,
    tokens: &[TokenWithSpan],
) -> Result<StatementKind> {
    let mut cursor = sql::Cursor::new(lines, tokens);
    cursor.expect("EXPLAIN")?;
    let options = explain::parse(&mut cursor, lines)?;
    let Some(first) = cursor.first() else {
        return Err(cursor.unexpected());
    };
    let is_first = |token: &TokenWithSpan| token.span.start == first.span.start;
    let start = tokens.iter().position(is_first).unwrap_or(tokens.len());
    let explained = match classify(first) {
        Command::Writing(name) => {
            return Err(writing(&command_name(name, &tokens[start..])));
        }
        Command::Query | Command::Named => parse_one(text, lines, &tokens[start..], None)?,
        _ => return Err(near(lines, first)),
    };
    match explained.kind {
        StatementKind::Query(query) => Ok(StatementKind::Explain { query, options }),
        StatementKind::Execute(execute) => Ok(StatementKind::ExplainExecute { execute, options }),
        StatementKind::Declare(declare) => {
            let explained = declare.query.explained(options);
            explained
                .map(|it| it.kind)
                .ok_or_else(|| near(lines, first))
        }
        _ => Err(near(lines, first)),
    }
}

pub(super) fn parse_query(lines: &Arc<Lines>, tokens: &[TokenWithSpan]) -> Result<StatementKind> {
    let dialect = PostgreSqlDialect {};
    let mut parser = parser(&dialect, tokens);
    let statement = parser
        .parse_statement()
        .map_err(|error| syntax_error(lines, tokens, &error))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        return Err(refuse::time_travel(lines, tokens).unwrap_or_else(|| near(lines, &rest)));
    }
    match statement {
        ast::Statement::Query(query) => Ok(StatementKind::Query(checked(query)?)),
        _ => Err(Error::unsupported("this statement")),
    }
}

/// A parser of these tokens, with PostgreSQL's grammar as sqlparser knows it.
pub(super) fn parser<'a>(dialect: &'a PostgreSqlDialect, tokens: &[TokenWithSpan]) -> Parser<'a> {
    Parser::new(dialect)
        .with_recursion_limit(DEPTH_MAX)
        .with_tokens_with_locations(travel::as_arguments(
            with_relations(&tables_as_selects(&interval_literals::precisions_behind(
                tokens,
            ))),
            DEPTH_MAX,
        ))
}

/// The tokens with `TABLE t` written out as `SELECT * FROM t`. sqlparser reads TABLE itself, and
/// swallows what follows the name. A reserved word is a name only after AS or a dot.
fn tables_as_selects(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut written = Vec::with_capacity(tokens.len());
    let mut before = Token::EOF;
    for token in tokens {
        let is_label = before == Token::Period || is_keyword(&before, "AS");
        if is_keyword(&token.token, "TABLE") && !is_label {
            let words = [
                Token::make_keyword("SELECT"),
                Token::Mul,
                Token::make_keyword("FROM"),
            ];
            written.extend(words.map(|word| TokenWithSpan::new(word, token.span)));
        } else {
            written.push(token.clone());
        }
        if sql::is_word_or_sign(token) {
            before = token.token.clone();
        }
    }
    written
}

/// What may stand behind SELECT where its list is empty, besides FROM and the end.
const BEHIND_LIST: &[&str] = &[
    "WHERE",
    "GROUP",
    "HAVING",
    "WINDOW",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "UNION",
    "INTERSECT",
    "EXCEPT",
];

/// The tokens with `FROM (SELECT NULL)` behind a SELECT that has neither list nor relation: sqlparser
/// reads an empty list only before FROM.
fn with_relations(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut written = Vec::with_capacity(tokens.len());
    let mut before = Token::EOF;
    for (index, token) in tokens.iter().enumerate() {
        written.push(token.clone());
        let is_label = before == Token::Period || is_keyword(&before, "AS");
        let mut behind = tokens[index + 1..].iter();
        if is_keyword(&token.token, "SELECT") && !is_label {
            let next = behind.find(|token| sql::is_word_or_sign(token));
            let is_empty = next.is_none_or(|next| match &next.token {
                Token::EOF | Token::RParen => true,
                next => BEHIND_LIST.iter().any(|word| is_keyword(next, word)),
            });
            let relation = [
                Token::make_keyword("FROM"),
                Token::LParen,
                Token::make_keyword("SELECT"),
                Token::make_keyword("NULL"),
                Token::RParen,
            ];
            if is_empty {
                written.extend(relation.map(|word| TokenWithSpan::new(word, token.span)));
            }
        }
        if sql::is_word_or_sign(token) {
            before = token.token.clone();
        }
    }
    written
}

pub(super) fn is_keyword(token: &Token, keyword: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword))
}

/// A query brought into the spellings that DataFusion plans, and checked for what it would drop.
pub(super) fn checked(mut query: Box<ast::Query>) -> Result<Box<ast::Query>> {
    distinct_from::bind_tightly(&mut query);
    travel::mark(&mut query)?;
    output_name::name_columns(&mut query);
    subquery_names::make_distinct(&mut query);
    never_run::drop_subqueries(&mut query);
    rows_in_lists::as_lists(&mut query);
    exists_in_lists::as_counts(&mut query);
    named_windows::write_out(&mut *query)?;
    recursion::check(&query)?;
    refuse::check(&query)?;
    fetch::fetch_as_limits(&mut query);
    literals::narrow(&mut query);
    normalize::normalize(&mut query)?;
    elements::as_subqueries(&mut query)?;
    keyed_recursion::carry_keys(&mut query);
    Ok(query)
}

/// The parser's complaint in PostgreSQL's words: the token at which it gave up.
pub(super) fn syntax_error(lines: &Lines, tokens: &[TokenWithSpan], error: &ParserError) -> Error {
    let ParserError::ParserError(message) = error else {
        return Error::new(
            ErrorKind::StatementTooComplex,
            "statement is too deeply nested",
        )
        .with_detail(format!("The limit is {DEPTH_MAX} levels."));
    };
    if let Some(refused) = refuse::time_travel(lines, tokens) {
        return refused;
    }
    let at = location_in(message).and_then(|location| {
        tokens
            .iter()
            .find(|token| token.span.start == location && sql::is_word_or_sign(token))
    });
    match at {
        Some(token) => near(lines, token).with_detail(sentence(message)),
        None => at_end(lines).with_detail(sentence(message)),
    }
}

/// sqlparser writes the place at the end of its message and nowhere else: `... at Line: 1, Column: 8`.
fn location_in(message: &str) -> Option<Location> {
    let (_, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    Some(Location {
        line: line.trim().parse().ok()?,
        column: column.trim().parse().ok()?,
    })
}

fn sentence(message: &str) -> String {
    let message = message
        .rsplit_once(" at Line: ")
        .map_or(message, |(before, _)| before);
    format!("{message}.")
}
