//! Parses the statements about the session: settings and transactions.
//!
//! Their grammar is small, and PostgreSQL's own (manual, part VI, at each command's page).

use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::statement::{Mode, SessionCommand};
use crate::catalog::sql::{Cursor, Lines, setting_assignment, setting_name, setting_value};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::input;
use crate::functions::output::Style;
use crate::types::oid;

/// The first words of the statements parsed here.
pub(super) const COMMANDS: &[&str] = &[
    "ABORT",
    "BEGIN",
    "CLOSE",
    "COMMIT",
    "DEALLOCATE",
    "DISCARD",
    "END",
    "LISTEN",
    "NOTIFY",
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
            modes(cursor).map(SessionCommand::Begin)
        }
        "START" => {
            cursor.expect("TRANSACTION")?;
            modes(cursor).map(SessionCommand::Begin)
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
        "LISTEN" => cursor.name().map(SessionCommand::Listen),
        "NOTIFY" => {
            let channel = cursor.name()?;
            let payload = match cursor.skip_sign(&Token::Comma) {
                true => cursor.string()?,
                false => String::new(),
            };
            Ok(SessionCommand::Notify(channel, payload))
        }
        _ => match cursor.skip_sign(&Token::Mul) {
            true => Ok(SessionCommand::Unlisten(None)),
            false => cursor.name().map(Some).map(SessionCommand::Unlisten),
        },
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

/// `transaction_mode_list_or_empty` of gram.y: the last of one kind counts.
fn modes(cursor: &mut Cursor<'_>) -> Result<Vec<Mode>> {
    let mut modes = Vec::new();
    while let Some(mode) = mode(cursor)? {
        modes.push(mode);
        if cursor.skip_sign(&Token::Comma) && cursor.first().is_none() {
            return Err(cursor.unexpected());
        }
    }
    Ok(modes)
}

/// `transaction_mode_list`: at least one.
fn some_modes(cursor: &mut Cursor<'_>) -> Result<Vec<Mode>> {
    let modes = modes(cursor)?;
    match modes.is_empty() {
        true => Err(cursor.unexpected()),
        false => Ok(modes),
    }
}

fn mode(cursor: &mut Cursor<'_>) -> Result<Option<Mode>> {
    let here = cursor.place();
    let (name, value) = match cursor.word().as_deref() {
        Some("ISOLATION") => {
            cursor.expect("LEVEL")?;
            ("isolation", isolation_level(cursor)?)
        }
        Some("READ") if cursor.skip_any(&["ONLY"]) => ("read_only", "on"),
        Some("READ") => {
            cursor.expect("WRITE")?;
            ("read_only", "off")
        }
        Some("NOT") => {
            cursor.expect("DEFERRABLE")?;
            ("deferrable", "off")
        }
        Some("DEFERRABLE") => ("deferrable", "on"),
        _ => {
            cursor.go_back(here);
            return Ok(None);
        }
    };
    Ok(Some(Mode { name, value }))
}

fn isolation_level(cursor: &mut Cursor<'_>) -> Result<&'static str> {
    if cursor.skip_any(&["READ"]) {
        if cursor.skip_any(&["UNCOMMITTED"]) {
            return Ok("read uncommitted");
        }
        cursor.expect("COMMITTED")?;
        return Ok("read committed");
    }
    if cursor.skip_any(&["REPEATABLE"]) {
        cursor.expect("READ")?;
        return Ok("repeatable read");
    }
    cursor.expect("SERIALIZABLE")?;
    Ok("serializable")
}

fn set(cursor: &mut Cursor<'_>) -> Result<SessionCommand> {
    let mut is_in_session = false;
    let local = match cursor.peek().as_deref() {
        Some("LOCAL") => cursor.skip_any(&["LOCAL"]),
        Some("SESSION") if !cursor.next_is_assignment() => {
            is_in_session = cursor.skip_any(&["SESSION"]);
            if cursor.skip_any(&["CHARACTERISTICS"]) {
                cursor.expect("AS")?;
                cursor.expect("TRANSACTION")?;
                return some_modes(cursor).map(SessionCommand::SetCharacteristics);
            }
            false
        }
        _ => false,
    };
    if cursor.skip_any(&["TRANSACTION"]) {
        if cursor.skip_any(&["SNAPSHOT"]) {
            return Err(Error::unsupported("SET TRANSACTION SNAPSHOT"));
        }
        return some_modes(cursor).map(SessionCommand::SetTransaction);
    }
    if cursor.skip_any(&["TIME"]) {
        cursor.expect("ZONE")?;
        let name = "timezone".to_owned();
        let value = zone(cursor)?.filter(|zone| zone != "local");
        return Ok(SessionCommand::Set { name, value, local });
    }
    if cursor.skip_any(&["NAMES"]) {
        let name = "client_encoding".to_owned();
        let value = setting_value(cursor)?;
        return Ok(SessionCommand::Set { name, value, local });
    }
    if cursor.peek().as_deref() == Some("ROLE") && !cursor.next_is_assignment() {
        cursor.read();
        return role(cursor, "role", "none", local);
    }
    if is_in_session && cursor.peek().as_deref() == Some("AUTHORIZATION") {
        cursor.read();
        return role(cursor, "session_authorization", "default", local);
    }
    let (name, value) = setting_assignment(cursor)?;
    Ok(SessionCommand::Set { name, value, local })
}

/// SET ROLE and SET SESSION AUTHORIZATION: `word` takes back what they did.
fn role(cursor: &mut Cursor<'_>, setting: &str, word: &str, local: bool) -> Result<SessionCommand> {
    let is_word = cursor.skip_any(&[&word.to_uppercase()]);
    let value = match (is_word, cursor.first().map(|token| &token.token)) {
        (true, _) => None,
        (false, Some(Token::Word(_))) => Some(cursor.name()?),
        (false, _) => Some(cursor.string()?),
    };
    Ok(SessionCommand::Set {
        name: setting.to_owned(),
        value,
        local,
    })
}

/// A time zone; `INTERVAL '-02:30' HOUR TO MINUTE` is hours east of Greenwich, as
/// `check_timezone` in variable.c takes it.
fn zone(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if !cursor.skip_any(&["INTERVAL"]) {
        return setting_value(cursor);
    }
    let text = cursor.string()?;
    let unit = match cursor.skip_any(&["HOUR"]) {
        true if cursor.skip_any(&["TO"]) => {
            cursor.expect("MINUTE")?;
            "minute"
        }
        true => "hour",
        false => "second",
    };
    // A number counts the smallest field.
    let text = match text.trim().parse::<f64>() {
        Ok(_) => format!("{text} {unit}"),
        Err(_) => text,
    };
    let ScalarValue::IntervalMonthDayNano(Some(interval)) =
        input::value(&text, oid::INTERVAL, &Style::default())?
    else {
        return Err(Error::unsupported("this time zone"));
    };
    let refused = match (interval.months, interval.days) {
        (0, 0) => None,
        (0, _) => Some("Cannot specify days in time zone interval."),
        (_, _) => Some("Cannot specify months in time zone interval."),
    };
    if let Some(detail) = refused {
        let message = format!("invalid value for parameter \"TimeZone\": \"INTERVAL '{text}'\"");
        return Err(Error::new(ErrorKind::InvalidParameterValue, message).with_detail(detail));
    }
    let seconds = interval.nanoseconds / 1_000_000_000;
    if seconds.abs() >= 86_400 || seconds % 60 != 0 {
        let what = "a time zone that is a day away, or not by whole minutes";
        return Err(Error::unsupported(what));
    }
    #[expect(clippy::cast_precision_loss, reason = "a day has few seconds")]
    let hours = seconds as f64 / 3600.0;
    Ok(Some(hours.to_string()))
}

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
        _ => setting_name(cursor).map(SessionCommand::Show),
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
    if cursor.skip_all(&["SESSION", "AUTHORIZATION"]) {
        return Ok(SessionCommand::Reset(Some(
            "session_authorization".to_owned(),
        )));
    }
    let name = setting_name(cursor)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::parse::parse as parse_message;
    use crate::engine::statement::StatementKind;

    fn check(text: &str, expected: &SessionCommand) {
        let statements = parse_message(text, "lake").expect("the statement parses");
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
        let mode = |name, value| Mode { name, value };
        check("begin", &SessionCommand::Begin(vec![]));
        check(
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY NOT DEFERRABLE",
            &SessionCommand::Begin(vec![
                mode("isolation", "repeatable read"),
                mode("read_only", "on"),
                mode("deferrable", "off"),
            ]),
        );
        check(
            "START TRANSACTION READ WRITE",
            &SessionCommand::Begin(vec![mode("read_only", "off")]),
        );
        assert!(parse_message("SET TRANSACTION", "lake").is_err());
        assert!(parse_message("BEGIN READ ONLY,", "lake").is_err());
        check("END", &SessionCommand::Commit);
        check("ABORT WORK", &SessionCommand::Rollback);
        check(
            "ROLLBACK TO SAVEPOINT \"A\"",
            &SessionCommand::RollbackTo("A".into()),
        );
        check(
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            &SessionCommand::SetCharacteristics(vec![mode("read_only", "on")]),
        );
        check("DEALLOCATE ALL", &SessionCommand::Deallocate(None));
    }
}
