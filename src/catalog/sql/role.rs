//! Parses the statements about roles: CREATE, ALTER and DROP of ROLE and USER.
//! <https://www.postgresql.org/docs/16/sql-createrole.html>

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Cursor, Definition};
use crate::auth::{Password, RoleChange, Until};
use crate::error::{Error, ErrorKind, Result};

/// CREATE ROLE, behind these words; with CREATE USER a role may log in unless it is said otherwise.
pub(super) fn create_role(cursor: &mut Cursor<'_>, is_user: bool) -> Result<Definition> {
    let name = role_name(cursor)?;
    let mut change = options(cursor)?;
    if is_user {
        change.can_login.get_or_insert(true);
    }
    Ok(Definition::CreateRole { name, change })
}

/// ALTER ROLE and ALTER USER, behind these words.
pub(super) fn alter_role(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let name = role_name(cursor)?;
    for action in ["SET", "RESET", "RENAME", "IN"] {
        if cursor.peek().as_deref() == Some(action) {
            return Err(Error::unsupported(format!("ALTER ROLE ... {action}")));
        }
    }
    let change = options(cursor)?;
    Ok(Definition::AlterRole { name, change })
}

/// DROP ROLE and DROP USER, behind these words.
pub(super) fn drop_role(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    let mut names = vec![role_name(cursor)?];
    while cursor.skip_sign(&Token::Comma) {
        names.push(role_name(cursor)?);
    }
    Ok(Definition::DropRole { names, if_exists })
}

/// A syntax error names the token at which reading stopped; where that is a string, it may be a
/// password at the wrong place, which must not get into a log.
pub(super) fn without_secret(error: Error, cursor: &Cursor<'_>) -> Error {
    let is_word = matches!(
        cursor.first().map(|token| &token.token),
        None | Some(Token::Word(_) | Token::Number(..))
    );
    match (error.kind(), error.position(), is_word) {
        (ErrorKind::SyntaxError, Some(position), false) => {
            Error::new(ErrorKind::SyntaxError, "syntax error at or near \"'...'\"").at(position)
        }
        _ => error,
    }
}

fn role_name(cursor: &mut Cursor<'_>) -> Result<String> {
    let word = cursor.peek().unwrap_or_default();
    if ["CURRENT_USER", "CURRENT_ROLE", "SESSION_USER", "ALL"].contains(&word.as_str()) {
        return Err(Error::unsupported(format!(
            "{word} in place of a role's name"
        )));
    }
    cursor.name()
}

/// Options that say what is so anyway.
const DEFAULTS: [&str; 5] = [
    "NOCREATEDB",
    "NOCREATEROLE",
    "NOREPLICATION",
    "NOBYPASSRLS",
    "INHERIT",
];

/// Options that mean something in PostgreSQL, and nothing here.
const REFUSED: [&str; 11] = [
    "CREATEDB",
    "CREATEROLE",
    "REPLICATION",
    "BYPASSRLS",
    "NOINHERIT",
    "IN",
    "ROLE",
    "ADMIN",
    "USER",
    "SYSID",
    "GROUP",
];

fn options(cursor: &mut Cursor<'_>) -> Result<RoleChange> {
    cursor.skip_any(&["WITH"]);
    let mut change = RoleChange::default();
    while cursor.first().is_some() {
        let place = cursor.place();
        let option = cursor.word().ok_or_else(|| cursor.unexpected())?;
        let is_new = match option.as_str() {
            "SUPERUSER" => change.is_superuser.replace(true).is_none(),
            "NOSUPERUSER" => change.is_superuser.replace(false).is_none(),
            "LOGIN" => change.can_login.replace(true).is_none(),
            "NOLOGIN" => change.can_login.replace(false).is_none(),
            "ENCRYPTED" => {
                cursor.expect("PASSWORD")?;
                change.password.replace(password(cursor)?).is_none()
            }
            "PASSWORD" => change.password.replace(password(cursor)?).is_none(),
            "UNENCRYPTED" => return Err(unencrypted()),
            "VALID" => {
                cursor.expect("UNTIL")?;
                let until = Until::parse(&cursor.string()?)?;
                change.valid_until.replace(until).is_none()
            }
            "CONNECTION" => {
                cursor.expect("LIMIT")?;
                let limit = connection_limit(cursor)?;
                change.connections_max.replace(limit).is_none()
            }
            known if DEFAULTS.contains(&known) => true,
            known if REFUSED.contains(&known) => {
                return Err(Error::unsupported(format!("the role option {known}")));
            }
            other => {
                // As createuser in gram.y: a word that is none of its keywords.
                let message = format!("unrecognized role option \"{}\"", other.to_lowercase());
                return Err(Error::new(ErrorKind::SyntaxError, message));
            }
        };
        if !is_new {
            cursor.go_back(place);
            let position = cursor.unexpected().position().unwrap_or(1);
            let message = "conflicting or redundant options";
            return Err(Error::new(ErrorKind::SyntaxError, message).at(position));
        }
    }
    Ok(change)
}

fn password(cursor: &mut Cursor<'_>) -> Result<Option<Password>> {
    match cursor.skip_any(&["NULL"]) {
        true => Ok(None),
        false => Password::of(&cursor.string()?).map(Some),
    }
}

fn unencrypted() -> Error {
    let message = "UNENCRYPTED PASSWORD is no longer supported";
    Error::new(ErrorKind::FeatureNotSupported, message)
        .with_hint("Remove UNENCRYPTED to store the password in encrypted form instead.")
}

fn connection_limit(cursor: &mut Cursor<'_>) -> Result<i32> {
    let is_negative = cursor.skip_sign(&Token::Minus);
    let digits = match cursor.first().map(|token| &token.token) {
        Some(Token::Number(digits, false)) => digits.clone(),
        _ => return Err(cursor.unexpected()),
    };
    let Ok(number) = digits.parse::<i32>() else {
        return Err(cursor.unexpected());
    };
    cursor.read();
    let limit = if is_negative { -number } else { number };
    if limit < -1 {
        let message = format!("invalid connection limit: {limit}");
        return Err(Error::new(ErrorKind::InvalidParameterValue, message));
    }
    Ok(limit)
}
