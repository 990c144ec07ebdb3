//! Parses the statements about roles: CREATE, ALTER and DROP of ROLE, USER and GROUP.
//! <https://www.postgresql.org/docs/16/sql-createrole.html>

use datafusion::sql::sqlparser::tokenizer::Token;

use super::grant::{GrantRole, RoleOptions};
use super::setting::{setting_assignment, setting_name};
use super::{Cursor, Definition};
use crate::auth::{Password, RoleChange, Until};
use crate::error::{Error, ErrorKind, Result};

/// A role as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleSpec {
    /// By its name.
    Name(String),
    /// `CURRENT_USER`, `CURRENT_ROLE`.
    CurrentUser,
    /// `SESSION_USER`.
    SessionUser,
    /// `PUBLIC`: everybody.
    Public,
}

/// CREATE ROLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRole {
    /// The role.
    pub name: String,
    /// What differs from a role of which nothing is said.
    pub change: RoleChange,
    /// IN ROLE: the roles that it is made a member of.
    pub in_roles: Vec<RoleSpec>,
    /// ROLE: its members.
    pub members: Vec<RoleSpec>,
    /// ADMIN: its members who may grant it.
    pub admins: Vec<RoleSpec>,
}

/// Whose sessions begin with a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsOf {
    /// ALTER ROLE: those of a role, or of ALL; and the database behind IN DATABASE.
    Role(Option<RoleSpec>, Option<String>),
    /// ALTER DATABASE.
    Database(String),
}

/// What ALTER ROLE ... SET and RESET do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingChange {
    /// SET name TO value, as SHOW would print it.
    Set(String, String),
    /// SET name TO DEFAULT, and RESET name.
    Reset(String),
    /// RESET ALL.
    ResetAll,
}

/// CREATE ROLE, behind these words; with CREATE USER a role may log in unless it is said otherwise.
pub(super) fn create_role(cursor: &mut Cursor<'_>, is_user: bool) -> Result<Definition> {
    let name = match role_spec(cursor)? {
        RoleSpec::Name(name) => name,
        RoleSpec::Public => return Err(reserved("public")),
        RoleSpec::CurrentUser | RoleSpec::SessionUser => {
            let message = "a word in place of the name of a new role";
            return Err(Error::unsupported(message));
        }
    };
    let mut options = options(cursor, true)?;
    if is_user {
        options.change.can_login.get_or_insert(true);
    }
    Ok(Definition::CreateRole(CreateRole { name, ..options }))
}

fn reserved(name: &str) -> Error {
    let message = format!("role name \"{name}\" is reserved");
    Error::new(ErrorKind::ReservedName, message)
}

/// ALTER ROLE and ALTER USER, behind these words.
pub(super) fn alter_role(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let role = match cursor.skip_any(&["ALL"]) {
        true => None,
        false => Some(role_spec(cursor)?),
    };
    let database = match cursor.skip_all(&["IN", "DATABASE"]) {
        true => Some(cursor.name()?),
        false => None,
    };
    if let Some(change) = setting_change(cursor)? {
        let of = SettingsOf::Role(role, database);
        return Ok(Definition::AlterRoleSetting { of, change });
    }
    if database.is_some() {
        return Err(cursor.unexpected());
    }
    let Some(role) = role else {
        return Err(cursor.unexpected());
    };
    if cursor.skip_all(&["RENAME", "TO"]) {
        let to = cursor.name()?;
        return Ok(Definition::RenameRole { role, to });
    }
    let change = options(cursor, false)?.change;
    Ok(Definition::AlterRole { role, change })
}

/// ALTER DATABASE, behind these words.
pub(super) fn alter_database(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let of = SettingsOf::Database(cursor.name()?);
    match setting_change(cursor)? {
        Some(change) => Ok(Definition::AlterRoleSetting { of, change }),
        None => Err(Error::unsupported("ALTER DATABASE but for SET and RESET")),
    }
}

/// SET and RESET, if that is what follows.
fn setting_change(cursor: &mut Cursor<'_>) -> Result<Option<SettingChange>> {
    if cursor.skip_any(&["SET"]) {
        let (name, value) = setting_assignment(cursor)?;
        return Ok(Some(match value {
            Some(value) => SettingChange::Set(name, value),
            None => SettingChange::Reset(name),
        }));
    }
    if cursor.skip_any(&["RESET"]) {
        return Ok(Some(match cursor.skip_any(&["ALL"]) {
            true => SettingChange::ResetAll,
            false => SettingChange::Reset(setting_name(cursor)?),
        }));
    }
    Ok(None)
}

/// ALTER GROUP, behind these words: the old spelling of GRANT and REVOKE.
pub(super) fn alter_group(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let role = role_spec(cursor)?;
    if cursor.skip_all(&["RENAME", "TO"]) {
        let to = cursor.name()?;
        return Ok(Definition::RenameRole { role, to });
    }
    let is_grant = cursor.skip_any(&["ADD"]);
    if !is_grant {
        cursor.expect("DROP")?;
    }
    cursor.expect("USER")?;
    Ok(Definition::GrantRole(GrantRole {
        is_grant,
        roles: vec![role],
        to: role_list(cursor)?,
        options: RoleOptions::default(),
        option_alone: None,
        granted_by: None,
        cascade: false,
    }))
}

/// DROP ROLE and DROP USER, behind these words.
pub(super) fn drop_role(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    Ok(Definition::DropRole {
        roles: role_list(cursor)?,
        if_exists,
    })
}

/// One or more roles, with commas between.
pub(super) fn role_list(cursor: &mut Cursor<'_>) -> Result<Vec<RoleSpec>> {
    let mut roles = vec![role_spec(cursor)?];
    while cursor.skip_sign(&Token::Comma) {
        roles.push(role_spec(cursor)?);
    }
    Ok(roles)
}

/// `RoleSpec` of gram.y: `"public"` and `"none"` are reserved quoted, too.
pub(super) fn role_spec(cursor: &mut Cursor<'_>) -> Result<RoleSpec> {
    let spec = match cursor.peek().as_deref() {
        Some("CURRENT_USER" | "CURRENT_ROLE") => RoleSpec::CurrentUser,
        Some("SESSION_USER") => RoleSpec::SessionUser,
        _ => {
            return match cursor.name()?.as_str() {
                "public" => Ok(RoleSpec::Public),
                "none" => Err(reserved("none")),
                name => Ok(RoleSpec::Name(name.to_owned())),
            };
        }
    };
    cursor.read();
    Ok(spec)
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

fn options(cursor: &mut Cursor<'_>, is_new: bool) -> Result<CreateRole> {
    cursor.skip_any(&["WITH"]);
    let mut found = CreateRole {
        name: String::new(),
        change: RoleChange::default(),
        in_roles: Vec::new(),
        members: Vec::new(),
        admins: Vec::new(),
    };
    while cursor.first().is_some() {
        let place = cursor.place();
        let option = cursor.word().ok_or_else(|| cursor.unexpected())?;
        let is_first = match (option.as_str(), is_new) {
            ("IN", true) => {
                if !cursor.skip_any(&["ROLE", "GROUP"]) {
                    return Err(cursor.unexpected());
                }
                put_all(&mut found.in_roles, role_list(cursor)?)
            }
            ("ROLE" | "USER", true) => put_all(&mut found.members, role_list(cursor)?),
            ("ADMIN", true) => put_all(&mut found.admins, role_list(cursor)?),
            ("SYSID", true) => return Err(Error::unsupported("the role option SYSID")),
            (option, _) => attribute(cursor, option, &mut found.change)?,
        };
        if !is_first {
            cursor.go_back(place);
            let position = cursor.unexpected().position().unwrap_or(1);
            let message = "conflicting or redundant options";
            return Err(Error::new(ErrorKind::SyntaxError, message).at(position));
        }
    }
    Ok(found)
}

fn put_all(roles: &mut Vec<RoleSpec>, named: Vec<RoleSpec>) -> bool {
    let is_first = roles.is_empty();
    *roles = named;
    is_first
}

/// An attribute of a role; whether it is the first of its kind.
fn attribute(cursor: &mut Cursor<'_>, option: &str, change: &mut RoleChange) -> Result<bool> {
    let (name, is_on) = match option.strip_prefix("NO") {
        Some(name) => (name, false),
        None => (option, true),
    };
    let switch = match name {
        "SUPERUSER" => &mut change.is_superuser,
        "LOGIN" => &mut change.can_login,
        "INHERIT" => &mut change.inherits,
        "CREATEROLE" => &mut change.can_create_roles,
        "CREATEDB" => &mut change.can_create_databases,
        "REPLICATION" => &mut change.can_replicate,
        "BYPASSRLS" => &mut change.bypasses_row_security,
        _ => return valued(cursor, option, change),
    };
    Ok(switch.replace(is_on).is_none())
}

/// An attribute that has a value.
fn valued(cursor: &mut Cursor<'_>, option: &str, change: &mut RoleChange) -> Result<bool> {
    Ok(match option {
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
        other => {
            // As AlterOptRoleElem in gram.y: a word that is none of its keywords.
            let message = format!("unrecognized role option \"{}\"", other.to_lowercase());
            return Err(Error::new(ErrorKind::SyntaxError, message));
        }
    })
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
