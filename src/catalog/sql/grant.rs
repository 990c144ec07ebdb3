//! Parses GRANT and REVOKE.
//! <https://www.postgresql.org/docs/16/sql-grant.html>

use datafusion::sql::sqlparser::tokenizer::Token;

use super::names::name;
use super::role::{RoleSpec, role_list, role_spec};
use super::{Cursor, Definition, Name};
use crate::auth::Privilege;
use crate::error::{Error, ErrorKind, Result};

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
    if let Some(privileges) = grant_privilege(cursor, is_grant)? {
        return Ok(privileges);
    }
    let option_alone = match is_grant {
        true => None,
        false => option_for(cursor),
    };
    let roles = role_list(cursor)?;
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
        if !cursor.skip_sign(&Token::Comma) {
            return Ok(options);
        }
    }
}

/// GRANT and REVOKE of privileges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantPrivilege {
    /// GRANT; else REVOKE.
    pub is_grant: bool,
    /// Which.
    pub privileges: Privileges,
    /// On what.
    pub on: GrantObjects,
    /// To whom, or from whom.
    pub to: Vec<RoleSpec>,
    /// WITH GRANT OPTION, or GRANT OPTION FOR.
    pub option: bool,
    /// GRANTED BY.
    pub granted_by: Option<RoleSpec>,
    /// CASCADE: what was granted by way of it goes too.
    pub cascade: bool,
}

impl GrantPrivilege {
    /// Whether it is about columns.
    pub fn names_columns(&self) -> bool {
        self.columns().next().is_some()
    }

    /// The columns that it names.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        let (all, named): (&[String], &[_]) = match &self.privileges {
            Privileges::All(columns) => (columns, &[]),
            Privileges::Named(named) => (&[], named),
        };
        all.iter()
            .chain(named.iter().flat_map(|(_, columns)| columns))
    }
}

/// The privileges that a statement names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Privileges {
    /// ALL, of a whole object or of these columns.
    All(Vec<String>),
    /// Each by its name, of a whole object or of these columns.
    Named(Vec<(Privilege, Vec<String>)>),
}

/// The objects that a statement names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantObjects {
    /// Tables and views.
    Relations(Vec<Name>),
    /// ALL TABLES IN SCHEMA.
    AllTables(Vec<String>),
    /// Schemas.
    Schemas(Vec<String>),
    /// Databases.
    Databases(Vec<String>),
    /// Foreign servers.
    Servers(Vec<String>),
    /// Foreign-data wrappers.
    Wrappers(Vec<String>),
}

/// ALTER DEFAULT PRIVILEGES.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterDefaults {
    /// FOR ROLE: whose new objects; none named are those of whom the statement runs as.
    pub roles: Vec<RoleSpec>,
    /// IN SCHEMA; none named are all.
    pub schemas: Vec<String>,
    /// GRANT; else REVOKE.
    pub is_grant: bool,
    /// ON SCHEMAS; else ON TABLES.
    pub on_schemas: bool,
    /// Which; empty for ALL.
    pub privileges: Vec<Privilege>,
    /// To whom, or from whom.
    pub to: Vec<RoleSpec>,
    /// WITH GRANT OPTION, or GRANT OPTION FOR.
    pub option: bool,
}

/// ALTER DEFAULT PRIVILEGES, behind these words.
pub(super) fn alter_defaults(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let (mut roles, mut schemas) = (Vec::new(), Vec::new());
    loop {
        if cursor.skip_all(&["FOR", "ROLE"]) || cursor.skip_all(&["FOR", "USER"]) {
            roles = role_list(cursor)?;
        } else if cursor.skip_all(&["IN", "SCHEMA"]) {
            schemas = name_list(cursor)?;
        } else {
            break;
        }
    }
    let is_grant = cursor.skip_any(&["GRANT"]);
    if !is_grant {
        cursor.expect("REVOKE")?;
    }
    let mut option = !is_grant && cursor.skip_all(&["GRANT", "OPTION", "FOR"]);
    let privileges = match privileges(cursor)? {
        Privileges::All(columns) if columns.is_empty() => Vec::new(),
        Privileges::Named(named) if named.iter().all(|(_, columns)| columns.is_empty()) => {
            named.into_iter().map(|(privilege, _)| privilege).collect()
        }
        _ => {
            let message = "default privileges cannot be set for columns";
            return Err(Error::new(ErrorKind::InvalidGrantOperation, message));
        }
    };
    cursor.expect("ON")?;
    let on_schemas = match cursor.word().as_deref() {
        Some("TABLES") => false,
        Some("SCHEMAS") => true,
        Some(kind @ ("FUNCTIONS" | "ROUTINES" | "SEQUENCES" | "TYPES")) => {
            return Err(Error::unsupported(format!("default privileges on {kind}")));
        }
        _ => return Err(cursor.unexpected()),
    };
    if on_schemas && !schemas.is_empty() {
        let message = "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS";
        return Err(Error::new(ErrorKind::InvalidGrantOperation, message));
    }
    cursor.expect(if is_grant { "TO" } else { "FROM" })?;
    let to = grantees(cursor)?;
    option |= is_grant && cursor.skip_all(&["WITH", "GRANT", "OPTION"]);
    behavior(cursor);
    Ok(Definition::AlterDefaults(AlterDefaults {
        roles,
        schemas,
        is_grant,
        on_schemas,
        privileges,
        to,
        option,
    }))
}

/// GRANT and REVOKE of privileges; `None` if it is one of roles: those have no ON.
pub(super) fn grant_privilege(
    cursor: &mut Cursor<'_>,
    is_grant: bool,
) -> Result<Option<Definition>> {
    let place = cursor.place();
    let mut option = !is_grant && cursor.skip_all(&["GRANT", "OPTION", "FOR"]);
    if !option && !is_about_objects(cursor) {
        cursor.go_back(place);
        return Ok(None);
    }
    let privileges = privileges(cursor)?;
    cursor.expect("ON")?;
    let on = objects(cursor)?;
    cursor.expect(if is_grant { "TO" } else { "FROM" })?;
    let to = grantees(cursor)?;
    option |= is_grant && cursor.skip_all(&["WITH", "GRANT", "OPTION"]);
    let granted_by = granted_by(cursor)?;
    let cascade = !is_grant && behavior(cursor);
    Ok(Some(Definition::GrantPrivilege(GrantPrivilege {
        is_grant,
        privileges,
        on,
        to,
        option,
        granted_by,
        cascade,
    })))
}

/// Whether ON comes before TO or FROM.
fn is_about_objects(cursor: &mut Cursor<'_>) -> bool {
    let place = cursor.place();
    let mut found = false;
    while cursor.first().is_some() {
        match cursor.peek().as_deref() {
            Some("ON") => {
                found = true;
                break;
            }
            Some("TO" | "FROM") => break,
            _ => cursor.read(),
        };
    }
    cursor.go_back(place);
    found
}

fn privileges(cursor: &mut Cursor<'_>) -> Result<Privileges> {
    if cursor.skip_any(&["ALL"]) {
        cursor.skip_any(&["PRIVILEGES"]);
        return columns(cursor).map(Privileges::All);
    }
    let mut named = Vec::new();
    loop {
        let Some(word) = cursor.word() else {
            return Err(cursor.unexpected());
        };
        let privilege = Privilege::of_word(&word).ok_or_else(|| {
            let message = format!("unrecognized privilege type \"{}\"", word.to_lowercase());
            Error::new(ErrorKind::SyntaxError, message)
        })?;
        named.push((privilege, columns(cursor)?));
        if !cursor.skip_sign(&Token::Comma) {
            return Ok(Privileges::Named(named));
        }
    }
}

/// `(a, b)`, if it comes next.
fn columns(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    if !cursor.skip_sign(&Token::LParen) {
        return Ok(Vec::new());
    }
    let columns = name_list(cursor)?;
    cursor.expect_sign(&Token::RParen)?;
    Ok(columns)
}

fn name_list(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut names = vec![cursor.name()?];
    while cursor.skip_sign(&Token::Comma) {
        names.push(cursor.name()?);
    }
    Ok(names)
}

/// What stands behind ON.
fn objects(cursor: &mut Cursor<'_>) -> Result<GrantObjects> {
    if cursor.skip_all(&["ALL", "TABLES", "IN", "SCHEMA"]) {
        return name_list(cursor).map(GrantObjects::AllTables);
    }
    if cursor.skip_any(&["SCHEMA"]) {
        return name_list(cursor).map(GrantObjects::Schemas);
    }
    if cursor.skip_any(&["DATABASE"]) {
        return name_list(cursor).map(GrantObjects::Databases);
    }
    if cursor.skip_all(&["FOREIGN", "SERVER"]) {
        return name_list(cursor).map(GrantObjects::Servers);
    }
    if cursor.skip_all(&["FOREIGN", "DATA", "WRAPPER"]) {
        return name_list(cursor).map(GrantObjects::Wrappers);
    }
    let others = [
        "ALL",
        "DOMAIN",
        "FOREIGN",
        "FUNCTION",
        "LANGUAGE",
        "LARGE",
        "PARAMETER",
        "PROCEDURE",
        "ROUTINE",
        "SEQUENCE",
        "TABLESPACE",
        "TYPE",
    ];
    if let Some(kind) = cursor.peek().filter(|kind| others.contains(&kind.as_str()))
        && !cursor.next_ends_a_name()
    {
        return Err(Error::unsupported(format!("privileges ON {kind}")));
    }
    cursor.skip_any(&["TABLE"]);
    let mut names = vec![name(cursor)?];
    while cursor.skip_sign(&Token::Comma) {
        names.push(name(cursor)?);
    }
    Ok(GrantObjects::Relations(names))
}

/// Roles, each perhaps behind the word GROUP, which means nothing.
fn grantees(cursor: &mut Cursor<'_>) -> Result<Vec<RoleSpec>> {
    let mut roles = Vec::new();
    loop {
        cursor.skip_any(&["GROUP"]);
        roles.push(role_spec(cursor)?);
        if !cursor.skip_sign(&Token::Comma) {
            return Ok(roles);
        }
    }
}

/// DROP OWNED, behind these words.
pub(super) fn drop_owned(cursor: &mut Cursor<'_>) -> Result<Definition> {
    cursor.expect("BY")?;
    Ok(Definition::DropOwned {
        roles: role_list(cursor)?,
        cascade: behavior(cursor),
    })
}

/// REASSIGN OWNED, behind these words.
pub(super) fn reassign_owned(cursor: &mut Cursor<'_>) -> Result<Definition> {
    cursor.expect("BY")?;
    let roles = role_list(cursor)?;
    cursor.expect("TO")?;
    Ok(Definition::ReassignOwned {
        roles,
        to: role_spec(cursor)?,
    })
}
