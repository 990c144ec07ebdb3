//! Parses GRANT and REVOKE.
//! <https://www.postgresql.org/docs/16/sql-grant.html>

use super::role::{RoleSpec, role_list, role_spec};
use super::{Cursor, Definition};
use crate::error::{Error, Result};

/// GRANT of roles, and its REVOKE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRole {
    /// GRANT; else REVOKE.
    pub is_grant: bool,
    /// The roles.
    pub roles: Vec<RoleSpec>,
    /// To whom, or from whom.
    pub to: Vec<RoleSpec>,
    /// WITH.
    pub options: RoleOptions,
    /// REVOKE ADMIN OPTION FOR and its kind: the option that is revoked, and not the membership.
    pub option_alone: Option<RoleOption>,
    /// GRANTED BY.
    pub granted_by: Option<RoleSpec>,
    /// CASCADE: what was granted by way of it goes too.
    pub cascade: bool,
}

/// An option of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleOption {
    /// ADMIN.
    Admin,
    /// INHERIT.
    Inherit,
    /// SET.
    Set,
}

/// The options of a membership that a statement names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleOptions {
    /// ADMIN.
    pub has_admin: Option<bool>,
    /// INHERIT.
    pub inherits: Option<bool>,
    /// SET.
    pub can_set: Option<bool>,
}

impl RoleOptions {
    fn option(&mut self, option: RoleOption) -> &mut Option<bool> {
        match option {
            RoleOption::Admin => &mut self.has_admin,
            RoleOption::Inherit => &mut self.inherits,
            RoleOption::Set => &mut self.can_set,
        }
    }
}

/// GRANT and REVOKE, behind that word.
pub(super) fn grant(cursor: &mut Cursor<'_>, is_grant: bool) -> Result<Definition> {
    let option_alone = match is_grant {
        true => None,
        false => option_for(cursor),
    };
    let roles = role_list(cursor)?;
    if cursor.peek().as_deref() == Some("ON") {
        return Err(Error::unsupported(match is_grant {
            true => "GRANT of privileges",
            false => "REVOKE of privileges",
        }));
    }
    cursor.expect(if is_grant { "TO" } else { "FROM" })?;
    let to = role_list(cursor)?;
    let mut options = RoleOptions::default();
    if is_grant && cursor.skip_any(&["WITH"]) {
        options = with_options(cursor)?;
    }
    let granted_by = granted_by(cursor)?;
    Ok(Definition::GrantRole(GrantRole {
        is_grant,
        roles,
        to,
        options,
        option_alone,
        granted_by,
        cascade: !is_grant && behavior(cursor),
    }))
}

/// CASCADE or RESTRICT, which is the default.
pub(super) fn behavior(cursor: &mut Cursor<'_>) -> bool {
    let cascade = cursor.skip_any(&["CASCADE"]);
    if !cascade {
        cursor.skip_any(&["RESTRICT"]);
    }
    cascade
}

/// GRANTED BY.
fn granted_by(cursor: &mut Cursor<'_>) -> Result<Option<RoleSpec>> {
    match cursor.skip_all(&["GRANTED", "BY"]) {
        true => role_spec(cursor).map(Some),
        false => Ok(None),
    }
}

fn role_option(word: &str) -> Option<RoleOption> {
    Some(match word {
        "ADMIN" => RoleOption::Admin,
        "INHERIT" => RoleOption::Inherit,
        "SET" => RoleOption::Set,
        _ => return None,
    })
}

/// ADMIN OPTION FOR and its kind. A role may be named so: only the whole phrase is one.
fn option_for(cursor: &mut Cursor<'_>) -> Option<RoleOption> {
    let place = cursor.place();
    let option = cursor.word().as_deref().and_then(role_option);
    if option.is_some() && cursor.skip_all(&["OPTION", "FOR"]) {
        return option;
    }
    cursor.go_back(place);
    None
}

/// The list of `grant_role_opt_list` in gram.y.
fn with_options(cursor: &mut Cursor<'_>) -> Result<RoleOptions> {
    let mut options = RoleOptions::default();
    loop {
        let unexpected = cursor.unexpected();
        let option = cursor.word().as_deref().and_then(role_option);
        let option = option.ok_or(unexpected)?;
        let value = match cursor.word().as_deref() {
            Some("OPTION" | "TRUE") => true,
            Some("FALSE") => false,
            _ => return Err(cursor.unexpected()),
        };
        *options.option(option) = Some(value);
        if !cursor.skip_sign(&datafusion::sql::sqlparser::tokenizer::Token::Comma) {
            return Ok(options);
        }
    }
}
