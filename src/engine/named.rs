//! Parses the statements that give a statement or a cursor a name, and those that use it by that
//! name: PREPARE, EXECUTE, DECLARE, FETCH, MOVE.
//!
//! Their grammar is PostgreSQL's own (gram.y, `PrepareStmt`, `ExecuteStmt`, `DeclareCursorStmt`,
//! `FetchStmt`); sqlparser knows a part of it.

use std::sync::Arc;

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::parameters::type_of;
use super::parse;
use super::statement::{Declare, Direction, Execute, Fetch, Prepare, Statement, StatementKind};
use crate::catalog::sql::{self, Cursor, Lines, near};
use crate::error::{Construct, Error, ErrorKind, Result};

/// The first words of the statements parsed here.
pub(super) const COMMANDS: &[&str] = &["DECLARE", "EXECUTE", "FETCH", "MOVE", "PREPARE"];

/// Parses one statement whose first word is in [`COMMANDS`].
pub(super) fn parse(
    text: &str,
    lines: &Arc<Lines>,
    tokens: &[TokenWithSpan],
) -> Result<StatementKind> {
    let mut cursor = Cursor::new(lines, tokens);
    let rest = Rest {
        text,
        lines,
        tokens,
    };
    match cursor.word().unwrap_or_default().as_str() {
        "PREPARE" => prepare(&mut cursor, &rest).map(StatementKind::Prepare),
        "EXECUTE" => execute(&mut cursor, &rest).map(StatementKind::Execute),
        "DECLARE" => declare(&mut cursor, &rest).map(StatementKind::Declare),
        command => {
            let is_move = command == "MOVE";
            let direction = direction(&mut cursor)?;
            let cursor_name = cursor.name()?;
            cursor.expect_end()?;
            Ok(StatementKind::Fetch(Fetch {
                cursor: cursor_name,
                direction,
                is_move,
            }))
        }
    }
}

/// Where a statement's parts are cut from.
struct Rest<'a> {
    text: &'a str,
    lines: &'a Arc<Lines>,
    tokens: &'a [TokenWithSpan],
}

impl<'a> Rest<'a> {
    /// The tokens that the cursor has not read.
    fn unread(&self, cursor: &Cursor<'_>) -> &'a [TokenWithSpan] {
        let start = cursor.first().map(|token| token.span.start);
        let index = self
            .tokens
            .iter()
            .position(|token| sql::is_word_or_sign(token) && Some(token.span.start) == start);
        &self.tokens[index.unwrap_or(self.tokens.len())..]
    }

    /// The query that is left.
    fn query(&self, cursor: &Cursor<'_>) -> Result<Arc<Statement>> {
        let tokens = self.unread(cursor);
        if cursor.first().is_none() {
            return Err(cursor.unexpected());
        }
        let statement = parse::parse_one(self.text, self.lines, tokens, None)?;
        match statement.kind {
            StatementKind::Query(_) => Ok(Arc::new(statement)),
            _ => Err(cursor.unexpected()),
        }
    }
}

fn prepare(cursor: &mut Cursor<'_>, rest: &Rest<'_>) -> Result<Prepare> {
    let name = cursor.name()?;
    if name == "transaction"
        && matches!(cursor.first(), Some(token) if token.token != Token::LParen)
        && cursor.peek().as_deref() != Some("AS")
    {
        return Err(Error::unsupported("two-phase commit"));
    }
    let mut declared = Vec::new();
    if cursor.first().map(|token| &token.token) == Some(&Token::LParen) {
        for tokens in in_parentheses(cursor, rest)? {
            declared.push(data_type(rest.lines, tokens)?);
        }
    }
    cursor.expect("AS")?;
    Ok(Prepare {
        name,
        declared,
        statement: rest.query(cursor)?,
    })
}

fn execute(cursor: &mut Cursor<'_>, rest: &Rest<'_>) -> Result<Execute> {
    let name = cursor.name()?;
    let mut arguments = Vec::new();
    if cursor.first().is_some() {
        if cursor.first().map(|token| &token.token) != Some(&Token::LParen) {
            return Err(cursor.unexpected());
        }
        for tokens in in_parentheses(cursor, rest)? {
            let dialect = PostgreSqlDialect {};
            let mut parser = parse::parser(&dialect, tokens);
            let argument = parser.parse_expr();
            arguments
                .push(argument.map_err(|error| parse::syntax_error(rest.lines, tokens, &error))?);
            at_end(&parser, rest.lines)?;
        }
        cursor.expect_end()?;
    }
    Ok(Execute {
        name,
        arguments,
        lines: Arc::clone(rest.lines),
    })
}

/// The comma-separated parts of what stands in the parentheses that the cursor is before.
fn in_parentheses<'a>(
    cursor: &mut Cursor<'_>,
    rest: &Rest<'a>,
) -> Result<Vec<&'a [TokenWithSpan]>> {
    let tokens = rest.unread(cursor);
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 1);
    for (index, token) in tokens.iter().enumerate() {
        if sql::is_word_or_sign(token) {
            cursor.read();
        }
        match token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    parts.push(&tokens[start..index]);
                    return Ok(parts);
                }
            }
            Token::Comma if depth == 1 => {
                parts.push(&tokens[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    Err(cursor.unexpected())
}

/// The OID of a type as written; 0 for `unknown`, which leaves it to be inferred.
fn data_type(lines: &Lines, tokens: &[TokenWithSpan]) -> Result<u32> {
    let dialect = PostgreSqlDialect {};
    let mut parser = parse::parser(&dialect, tokens);
    let parsed = parser
        .parse_data_type()
        .map_err(|error| parse::syntax_error(lines, tokens, &error))?;
    at_end(&parser, lines)?;
    let name = parsed.to_string();
    if name.eq_ignore_ascii_case("unknown") {
        return Ok(0);
    }
    type_of(&parsed).ok_or_else(|| {
        let message = format!("type \"{}\" does not exist", name.to_lowercase());
        let error = Error::new(ErrorKind::UndefinedObject, message);
        match tokens.iter().find(|token| sql::is_word_or_sign(token)) {
            Some(token) => error.at(lines.position(token.span.start)),
            None => error,
        }
    })
}

fn at_end(parser: &Parser<'_>, lines: &Lines) -> Result<()> {
    let rest = parser.peek_token();
    match rest.token {
        Token::EOF => Ok(()),
        _ => Err(near(lines, &rest)),
    }
}

fn declare(cursor: &mut Cursor<'_>, rest: &Rest<'_>) -> Result<Declare> {
    let name = cursor.name()?;
    let (mut is_binary, mut scroll, mut sensitivity) = (false, None, None);
    loop {
        match cursor.word().as_deref() {
            Some("BINARY") => is_binary = true,
            Some("SCROLL") if scroll != Some(false) => scroll = Some(true),
            Some("NO") => {
                cursor.expect("SCROLL")?;
                if scroll == Some(true) {
                    return Err(both("SCROLL", "NO SCROLL"));
                }
                scroll = Some(false);
            }
            Some("SCROLL") => return Err(both("SCROLL", "NO SCROLL")),
            // What a cursor reads is pinned: it is insensitive either way.
            Some(word @ ("INSENSITIVE" | "ASENSITIVE")) => {
                if sensitivity.as_deref().is_some_and(|known| known != word) {
                    return Err(both("ASENSITIVE", "INSENSITIVE"));
                }
                sensitivity = Some(word.to_owned());
            }
            Some("CURSOR") => break,
            _ => return Err(cursor.unexpected()),
        }
    }
    let is_held = cursor.skip_all(&["WITH", "HOLD"]);
    if !is_held {
        cursor.skip_all(&["WITHOUT", "HOLD"]);
    }
    cursor.expect("FOR")?;
    Ok(Declare {
        name,
        is_binary,
        is_scrollable: scroll == Some(true),
        is_held,
        query: rest.query(cursor)?,
    })
}

/// As `transformDeclareCursorStmt` in analyze.c words it.
fn both(one: &str, other: &str) -> Error {
    let message = format!("cannot specify both {one} and {other}");
    Error::new(ErrorKind::InvalidConstruct(Construct::Cursor), message)
}

/// `fetch_args` of gram.y up to the cursor's name.
fn direction(cursor: &mut Cursor<'_>) -> Result<Direction> {
    let start = cursor.place();
    let direction = match cursor.word().as_deref() {
        Some("NEXT") => Direction::Forward(1),
        Some("PRIOR") => Direction::Backward(1),
        Some("FIRST") => Direction::Absolute(1),
        Some("LAST") => Direction::Absolute(-1),
        Some("ABSOLUTE") => Direction::Absolute(signed(cursor)?),
        Some("RELATIVE") => Direction::Relative(signed(cursor)?),
        Some("ALL") => Direction::ALL,
        Some("FORWARD") => count(cursor)?,
        Some("BACKWARD") => count(cursor)?.reversed(),
        _ => {
            cursor.go_back(start);
            match starts_number(cursor) {
                true => Direction::forward(signed(cursor)?),
                false => Direction::Forward(1),
            }
        }
    };
    // A cursor may have one of those names.
    if cursor.first().is_none() {
        cursor.go_back(start);
        return Ok(Direction::Forward(1));
    }
    cursor.skip_any(&["FROM", "IN"]);
    Ok(direction)
}

/// What may follow FORWARD and BACKWARD: a number, ALL, or nothing for one row.
fn count(cursor: &mut Cursor<'_>) -> Result<Direction> {
    if cursor.skip_any(&["ALL"]) {
        return Ok(Direction::ALL);
    }
    match starts_number(cursor) {
        true => signed(cursor).map(Direction::forward),
        false => Ok(Direction::Forward(1)),
    }
}

fn starts_number(cursor: &Cursor<'_>) -> bool {
    let first = cursor.first().map(|token| &token.token);
    matches!(first, Some(Token::Number(..) | Token::Minus | Token::Plus))
}

/// `SignedIconst`: a whole number of 32 bits.
fn signed(cursor: &mut Cursor<'_>) -> Result<i64> {
    let is_negative = cursor.skip_sign(&Token::Minus);
    if !is_negative {
        cursor.skip_sign(&Token::Plus);
    }
    let digits = match cursor.first().map(|token| &token.token) {
        Some(Token::Number(digits, _)) => digits.parse::<i32>().ok(),
        _ => None,
    };
    let number = i64::from(digits.ok_or_else(|| cursor.unexpected())?);
    cursor.read();
    Ok(if is_negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Result<StatementKind> {
        Ok(parse::parse(text, "lake")?.swap_remove(0).kind)
    }

    fn check_fetch(text: &str, cursor: &str, direction: Direction, is_move: bool) {
        match kind(text).expect("it parses") {
            StatementKind::Fetch(fetch) => {
                assert_eq!(
                    (fetch.cursor.as_str(), fetch.direction, fetch.is_move),
                    (cursor, direction, is_move),
                    "{text}"
                );
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn directions_are_those_of_the_manual() {
        check_fetch("fetch c", "c", Direction::Forward(1), false);
        check_fetch("fetch from c", "c", Direction::Forward(1), false);
        check_fetch("FETCH 3 IN \"C\"", "C", Direction::Forward(3), false);
        check_fetch("fetch -2 c", "c", Direction::Backward(2), false);
        check_fetch("fetch all from c", "c", Direction::ALL, false);
        check_fetch("fetch forward c", "c", Direction::Forward(1), false);
        check_fetch(
            "fetch backward all in c",
            "c",
            Direction::ALL.reversed(),
            false,
        );
        check_fetch("fetch forward -3 c", "c", Direction::Backward(3), false);
        check_fetch("move last c", "c", Direction::Absolute(-1), true);
        check_fetch(
            "move absolute -5 from c",
            "c",
            Direction::Absolute(-5),
            true,
        );
        check_fetch("fetch next", "next", Direction::Forward(1), false);
        assert!(kind("fetch 1.5 from c").is_err());
        assert!(kind("fetch from").is_err());
    }

    #[test]
    fn statements_and_cursors_are_named() {
        let StatementKind::Prepare(prepare) =
            kind("prepare p (int, numeric(10,2), text[], unknown) as select $1, $2")
                .expect("it parses")
        else {
            panic!("a PREPARE");
        };
        assert_eq!(prepare.name, "p");
        assert_eq!(prepare.declared, [23, 1700, 1009, 0]);
        assert_eq!(&*prepare.statement.text, "select $1, $2");

        let StatementKind::Execute(execute) =
            kind("execute p (1, lower('A,'), array[1,2])").expect("it parses")
        else {
            panic!("an EXECUTE");
        };
        assert_eq!(execute.arguments.len(), 3);

        let StatementKind::Declare(declare) =
            kind("declare c binary no scroll cursor with hold for select 1").expect("it parses")
        else {
            panic!("a DECLARE");
        };
        assert!(declare.is_binary && declare.is_held && !declare.is_scrollable);
        for wrong in [
            "prepare p as",
            "prepare p as show all",
            "prepare p (nonsense) as select 1",
            "execute p 1",
            "execute p (1",
            "declare c cursor for begin",
            "declare c scroll no scroll cursor for select 1",
            "declare c for select 1",
        ] {
            assert!(kind(wrong).is_err(), "{wrong}");
        }
    }
}
