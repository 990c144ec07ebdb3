//! Parses the statements about the session: settings and transactions.
//!
//! Their grammar is small, and PostgreSQL's own (manual, part VI, at each command's page).

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::statement::SessionCommand;
use crate::catalog::sql::{Cursor, Lines};
use crate::error::{Error, Result};

/// The first words of the statements parsed here.
pub(super) const COMMANDS: &[&str] = &[
    "ABORT",
    "BEGIN",
    "CLOSE",
    "COMMIT",
    "DEALLOCATE",
    "DISCARD",
    "END",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "SHOW",
    "START",
    "UNLISTEN",
];

/// Parses one statement whose first word is in [`COMMANDS`].
pub(super) fn parse(lines: &Lines, tokens: &[TokenWithSpan]) -> Result<SessionCommand> {
    let mut cursor = Cursor::new(lines, tokens);
    let command = command(&mut cursor)?;
    cursor.expect_end()?;
    Ok(command)
}

fn command(cursor: &mut Cursor<'_>) -> Result<SessionCommand> {
    let first = cursor.word().unwrap_or_default();
    match first.as_str() {
        "BEGIN" => {
            cursor.skip_any(&["WORK", "TRANSACTION"]);
            transaction_modes(cursor)?;
            Ok(SessionCommand::Begin)
        }
        "START" => {
            cursor.expect("TRANSACTION")?;
            transaction_modes(cursor)?;
            Ok(SessionCommand::Begin)
        }
        "COMMIT" | "END" => end_of_transaction(cursor, SessionCommand::Commit),
        "ABORT" => end_of_transaction(cursor, SessionCommand::Rollback),
        "ROLLBACK" => rollback(cursor),
        "SAVEPOINT" => cursor.name().map(SessionCommand::Savepoint),
        "RELEASE" => {
            cursor.skip_any(&["SAVEPOINT"]);
            cursor.name().map(SessionCommand::Release)
        }
        "SET" => set(cursor),
        "SHOW" => show(cursor),
        "RESET" => reset(cursor),
        "DISCARD" => discard(cursor),
        "DEALLOCATE" => {
            cursor.skip_any(&["PREPARE"]);
            name_or_all(cursor).map(SessionCommand::Deallocate)
        }
        "CLOSE" => name_or_all(cursor).map(SessionCommand::CloseCursor),
        _ => {
            if !cursor.skip_sign(&Token::Mul) {
                cursor.name()?;
            }
            Ok(SessionCommand::Unlisten)
        }
    }
}

fn end_of_transaction(cursor: &mut Cursor<'_>, command: SessionCommand) -> Result<SessionCommand> {
    cursor.skip_any(&["WORK", "TRANSACTION"]);
    if cursor.skip_any(&["PREPARED"]) {
        return Err(Error::unsupported("two-phase commit"));
    }
    if cursor.skip_any(&["AND"]) {
        cursor.expect("NO")?;
        cursor.expect("CHAIN")?;
    }
    Ok(command)
}

fn rollback(cursor: &mut Cursor<'_>) -> Result<SessionCommand> {
    let command = end_of_transaction(cursor, SessionCommand::Rollback)?;
    if cursor.skip_any(&["TO"]) {
        cursor.skip_any(&["SAVEPOINT"]);
        return cursor.name().map(SessionCommand::RollbackTo);
    }
    Ok(command)
}

/// The modes of BEGIN and SET TRANSACTION. A statement sees one version of each relation whatever
/// the level; levels that promise more than that for a transaction are refused.
fn transaction_modes(cursor: &mut Cursor<'_>) -> Result<()> {
    loop {
        let here = cursor.place();
        match cursor.word().as_deref() {
            Some("ISOLATION") => {
                cursor.expect("LEVEL")?;
                isolation_level(cursor)?;
            }
            Some("READ") => {
                if !cursor.skip_any(&["ONLY", "WRITE"]) {
                    return Err(cursor.unexpected());
                }
            }
            Some("NOT") => cursor.expect("DEFERRABLE")?,
            Some("DEFERRABLE") => {}
            _ => {
                cursor.go_back(here);
                return Ok(());
            }
        }
        cursor.skip_sign(&Token::Comma);
    }
}

fn isolation_level(cursor: &mut Cursor<'_>) -> Result<()> {
    match cursor.word().as_deref() {
        Some("READ") if cursor.skip_any(&["COMMITTED", "UNCOMMITTED"]) => Ok(()),
        Some("SERIALIZABLE") => Err(Error::unsupported("isolation level SERIALIZABLE")),
        Some("REPEATABLE") => {
            cursor.expect("READ")?;
            Err(Error::unsupported("isolation level REPEATABLE READ"))
        }
        _ => Err(cursor.unexpected()),
    }
}

fn set(cursor: &mut Cursor<'_>) -> Result<SessionCommand> {
    let local = match cursor.peek().as_deref() {
        Some("LOCAL") => cursor.skip_any(&["LOCAL"]),
        Some("SESSION") if !cursor.next_is_assignment() => {
            cursor.skip_any(&["SESSION"]);
            if cursor.skip_any(&["CHARACTERISTICS"]) {
                cursor.expect("AS")?;
                cursor.expect("TRANSACTION")?;
                transaction_modes(cursor)?;
                return Ok(SessionCommand::SetTransaction);
            }
            false
        }
        _ => false,
    };
    if cursor.skip_any(&["TRANSACTION"]) {
        if cursor.skip_any(&["SNAPSHOT"]) {
            return Err(Error::unsupported("SET TRANSACTION SNAPSHOT"));
        }
        transaction_modes(cursor)?;
        return Ok(SessionCommand::SetTransaction);
    }
    if cursor.skip_any(&["TIME"]) {
        cursor.expect("ZONE")?;
        let name = "timezone".to_owned();
        let value = match value(cursor)?.as_str() {
            "local" => None,
            other => set_value(other),
        };
        return Ok(SessionCommand::Set { name, value, local });
    }
    if cursor.skip_any(&["NAMES"]) {
        let name = "client_encoding".to_owned();
        let value = set_value(&value(cursor)?);
        return Ok(SessionCommand::Set { name, value, local });
    }
    let name = setting(cursor)?;
    if !cursor.skip_any(&["TO"]) && !cursor.skip_sign(&Token::Eq) {
        // SET ROLE x and SET SESSION AUTHORIZATION x have no sign between.
        return match name.as_str() {
            "role" | "authorization" => Err(Error::unsupported("SET ROLE")),
            _ => Err(cursor.unexpected()),
        };
    }
    let mut parts = vec![value(cursor)?];
    while cursor.skip_sign(&Token::Comma) {
        parts.push(value(cursor)?);
    }
    let value = set_value(&parts.join(", "));
    Ok(SessionCommand::Set { name, value, local })
}

fn set_value(text: &str) -> Option<String> {
    (text != DEFAULT).then(|| text.to_owned())
}

/// What [`value`] gives for the keyword; no setting's value holds a NUL.
const DEFAULT: &str = "\0default";

fn show(cursor: &mut Cursor<'_>) -> Result<SessionCommand> {
    match cursor.peek().as_deref() {
        Some("ALL") => {
            cursor.word();
            Ok(SessionCommand::ShowAll)
        }
        Some("TRANSACTION") => {
            cursor.word();
            cursor.expect("ISOLATION")?;
            cursor.expect("LEVEL")?;
            Ok(SessionCommand::Show("transaction_isolation".to_owned()))
        }
        Some("SESSION") => {
            cursor.word();
            cursor.expect("AUTHORIZATION")?;
            Ok(SessionCommand::Show("session_authorization".to_owned()))
        }
        Some("TIME") => {
            cursor.word();
            cursor.expect("ZONE")?;
            Ok(SessionCommand::Show("timezone".to_owned()))
        }
        _ => setting(cursor).map(SessionCommand::Show),
    }
}

fn reset(cursor: &mut Cursor<'_>) -> Result<SessionCommand> {
    if cursor.skip_any(&["ALL"]) {
        return Ok(SessionCommand::Reset(None));
    }
    if cursor.skip_any(&["TIME"]) {
        cursor.expect("ZONE")?;
        return Ok(SessionCommand::Reset(Some("timezone".to_owned())));
    }
    let name = setting(cursor)?;
    Ok(SessionCommand::Reset(Some(name)))
}

fn discard(cursor: &mut Cursor<'_>) -> Result<SessionCommand> {
    match cursor.word() {
        Some(what)
            if ["ALL", "PLANS", "SEQUENCES", "TEMP", "TEMPORARY"].contains(&what.as_str()) =>
        {
            Ok(SessionCommand::Discard(what))
        }
        _ => Err(cursor.unexpected()),
    }
}

fn name_or_all(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if cursor.skip_any(&["ALL"]) {
        return Ok(None);
    }
    cursor.name().map(Some)
}

/// The name of a setting: lower case, with its dots.
fn setting(cursor: &mut Cursor<'_>) -> Result<String> {
    let mut name = cursor.name()?.to_lowercase();
    while cursor.skip_sign(&Token::Period) {
        name = format!("{name}.{}", cursor.name()?.to_lowercase());
    }
    Ok(name)
}

/// One part of a setting's value: a string, a number, or a word.
fn value(cursor: &mut Cursor<'_>) -> Result<String> {
    let sign = match cursor.skip_sign(&Token::Minus) {
        true => "-",
        false => "",
    };
    let value = match cursor.first().map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_some() => word.value.clone(),
        Some(Token::Word(word)) => match word.value.to_lowercase().as_str() {
            "default" => DEFAULT.to_owned(),
            "interval" => return Err(Error::unsupported("a time zone given as an interval")),
            word => word.to_owned(),
        },
        Some(Token::Number(digits, _)) => format!("{sign}{digits}"),
        _ => return cursor.string(),
    };
    cursor.read();
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::parse::parse as parse_message;
    use crate::engine::statement::StatementKind;

    fn check(text: &str, expected: &SessionCommand) {
        let statements = parse_message(text).expect("the statement parses");
        match &statements[0].kind {
            StatementKind::Session(command) => assert_eq!(command, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn set(name: &str, value: Option<&str>, local: bool) -> SessionCommand {
        SessionCommand::Set {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            local,
        }
    }

    #[test]
    fn settings_in_every_spelling() {
        check(
            "SET application_name = 'x y'",
            &set("application_name", Some("x y"), false),
        );
        check(
            "set session extra_float_digits to 3",
            &set("extra_float_digits", Some("3"), false),
        );
        check(
            "SET LOCAL TimeZone TO DEFAULT",
            &set("timezone", None, true),
        );
        check(
            "SET TIME ZONE 'Europe/Berlin'",
            &set("timezone", Some("Europe/Berlin"), false),
        );
        check("SET TIME ZONE LOCAL", &set("timezone", None, false));
        check(
            "SET search_path = \"a\", b",
            &set("search_path", Some("a, b"), false),
        );
        check(
            "set names 'utf8'",
            &set("client_encoding", Some("utf8"), false),
        );
        check(
            "SET lakegate.as_of = '2026-11-01'",
            &set("lakegate.as_of", Some("2026-11-01"), false),
        );
        check(
            "SHOW TRANSACTION ISOLATION LEVEL",
            &SessionCommand::Show("transaction_isolation".into()),
        );
    }

    #[test]
    fn transactions_in_every_spelling() {
        check("begin", &SessionCommand::Begin);
        check(
            "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY",
            &SessionCommand::Begin,
        );
        check("START TRANSACTION READ WRITE", &SessionCommand::Begin);
        check("END", &SessionCommand::Commit);
        check("ABORT WORK", &SessionCommand::Rollback);
        check(
            "ROLLBACK TO SAVEPOINT \"A\"",
            &SessionCommand::RollbackTo("A".into()),
        );
        check(
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            &SessionCommand::SetTransaction,
        );
        check("DEALLOCATE ALL", &SessionCommand::Deallocate(None));
    }
}
