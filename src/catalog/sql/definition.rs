//! Parses the statements that define what exists: views, schemas, comments and roles.
//!
//! Their grammar is PostgreSQL's (manual, part VI, at each command's page). A view's query is kept
//! as the text that was written.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::grant::{GrantRole, grant};
use super::role::{
    CreateRole, RoleSpec, SettingChange, alter_group, alter_role, create_role, drop_role,
    without_secret,
};
use super::{Cursor, Lines};
use crate::auth::RoleChange;
use crate::error::{Error, Result};

/// The name of a relation, with or without its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// As written; who reads the statement says what its absence means.
    pub schema: Option<String>,
    /// The relation's own name.
    pub name: String,
}

/// A query inside of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectText {
    /// As written, without space and comments around it.
    pub text: String,
    /// Its first character in the text that was parsed, counted from 1.
    pub position: usize,
}

/// A statement about what exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// CREATE VIEW.
    CreateView {
        /// The view.
        name: Name,
        /// The names given to its columns; fewer than it has, or none.
        columns: Vec<String>,
        /// What it answers.
        query: SelectText,
        /// Whether a view of this name gives way.
        or_replace: bool,
    },
    /// DROP VIEW.
    DropView {
        /// The views.
        names: Vec<Name>,
        /// Whether one that is not there is passed over.
        if_exists: bool,
        /// Whether the views that read them go too.
        cascade: bool,
    },
    /// ALTER VIEW ... RENAME TO.
    RenameView {
        /// The view.
        name: Name,
        /// Whether it is passed over if it is not there.
        if_exists: bool,
        /// Its new name, in the same schema.
        to: String,
    },
    /// ALTER VIEW ... SET SCHEMA.
    MoveView {
        /// The view.
        name: Name,
        /// Whether it is passed over if it is not there.
        if_exists: bool,
        /// Its new schema.
        to: String,
    },
    /// CREATE SCHEMA.
    CreateSchema {
        /// The schema.
        name: String,
        /// Whether one that is there is passed over.
        if_not_exists: bool,
    },
    /// DROP SCHEMA.
    DropSchema {
        /// The schemas.
        names: Vec<String>,
        /// Whether one that is not there is passed over.
        if_exists: bool,
        /// Whether what is in it goes too.
        cascade: bool,
    },
    /// CREATE ROLE, CREATE USER and CREATE GROUP.
    CreateRole(CreateRole),
    /// ALTER ROLE, and ALTER USER.
    AlterRole {
        /// The role.
        role: RoleSpec,
        /// What changes.
        change: RoleChange,
    },
    /// ALTER ROLE ... RENAME TO.
    RenameRole {
        /// The role.
        role: RoleSpec,
        /// Its new name.
        to: String,
    },
    /// ALTER ROLE ... SET and RESET.
    AlterRoleSetting {
        /// The role; `None` for ALL.
        role: Option<RoleSpec>,
        /// What changes.
        change: SettingChange,
    },
    /// DROP ROLE, DROP USER and DROP GROUP.
    DropRole {
        /// The roles.
        roles: Vec<RoleSpec>,
        /// Whether one that is not there is passed over.
        if_exists: bool,
    },
    /// GRANT and REVOKE of roles.
    GrantRole(GrantRole),
    /// COMMENT ON.
    Comment {
        /// What is described.
        on: Commented,
        /// `None` takes the description away.
        text: Option<String>,
    },
}

/// What a comment is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commented {
    /// COMMENT ON SCHEMA.
    Schema(String),
    /// COMMENT ON VIEW.
    View(Name),
    /// COMMENT ON TABLE.
    Table(Name),
    /// COMMENT ON COLUMN.
    Column(Name, String),
}

impl Definition {
    /// PostgreSQL's command tag.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::CreateView { .. } => "CREATE VIEW",
            Self::DropView { .. } => "DROP VIEW",
            Self::RenameView { .. } | Self::MoveView { .. } => "ALTER VIEW",
            Self::CreateSchema { .. } => "CREATE SCHEMA",
            Self::DropSchema { .. } => "DROP SCHEMA",
            Self::CreateRole(_) => "CREATE ROLE",
            Self::AlterRole { .. } | Self::RenameRole { .. } | Self::AlterRoleSetting { .. } => {
                "ALTER ROLE"
            }
            Self::DropRole { .. } => "DROP ROLE",
            Self::GrantRole(grant) if grant.is_grant => "GRANT ROLE",
            Self::GrantRole(_) => "REVOKE ROLE",
            Self::Comment { .. } => "COMMENT",
        }
    }

    /// Whether it says who may come in, and who may what.
    pub fn is_about_roles(&self) -> bool {
        matches!(
            self,
            Self::CreateRole(_)
                | Self::AlterRole { .. }
                | Self::RenameRole { .. }
                | Self::AlterRoleSetting { .. }
                | Self::DropRole { .. }
                | Self::GrantRole(_)
        )
    }
}

/// Parses a statement that defines something; `None` if it is of another kind.
///
/// # Errors
/// `SyntaxError` with its position; `FeatureNotSupported` for an option that is not honoured.
pub fn definition(
    text: &str,
    lines: &Lines,
    tokens: &[TokenWithSpan],
) -> Option<Result<Definition>> {
    let mut cursor = Cursor::new(lines, tokens);
    let is_replacing = cursor.skip_all(&["CREATE", "OR", "REPLACE", "VIEW"]);
    if is_replacing || cursor.skip_all(&["CREATE", "VIEW"]) {
        return Some(create_view(text, lines, cursor, is_replacing));
    }
    let parse = match () {
        () if cursor.skip_all(&["DROP", "VIEW"]) => drop_view,
        () if cursor.skip_all(&["ALTER", "VIEW"]) => alter_view,
        () if cursor.skip_all(&["CREATE", "SCHEMA"]) => create_schema,
        () if cursor.skip_all(&["DROP", "SCHEMA"]) => drop_schema,
        () if cursor.skip_all(&["COMMENT", "ON"]) => comment,
        () => return role(cursor),
    };
    let parsed = parse(&mut cursor);
    Some(parsed.and_then(|definition| cursor.expect_end().map(|()| definition)))
}

/// CREATE USER MAPPING is no statement about a role.
fn role(mut cursor: Cursor<'_>) -> Option<Result<Definition>> {
    let mut begins = |command: &str, kind: &str| {
        let place = cursor.place();
        let found = cursor.skip_all(&[command, kind]);
        let is_mapping = kind == "USER" && cursor.peek().as_deref() == Some("MAPPING");
        if found && is_mapping {
            cursor.go_back(place);
        }
        found && !is_mapping
    };
    let is_user = begins("CREATE", "USER");
    let any = |begins: &mut dyn FnMut(&str, &str) -> bool, command: &str| {
        ["ROLE", "USER", "GROUP"]
            .iter()
            .any(|kind| begins(command, kind))
    };
    let parsed = match () {
        () if is_user || begins("CREATE", "ROLE") || begins("CREATE", "GROUP") => {
            create_role(&mut cursor, is_user)
        }
        () if begins("ALTER", "GROUP") => alter_group(&mut cursor),
        () if any(&mut begins, "ALTER") => alter_role(&mut cursor),
        () if any(&mut begins, "DROP") => drop_role(&mut cursor),
        () if cursor.skip_any(&["GRANT"]) => grant(&mut cursor, true),
        () if cursor.skip_any(&["REVOKE"]) => grant(&mut cursor, false),
        () => return None,
    };
    let parsed = parsed.and_then(|definition| cursor.expect_end().map(|()| definition));
    Some(parsed.map_err(|error| without_secret(error, &cursor)))
}

fn create_view(
    text: &str,
    lines: &Lines,
    mut cursor: Cursor<'_>,
    or_replace: bool,
) -> Result<Definition> {
    let name = name(&mut cursor)?;
    let mut columns = Vec::new();
    if cursor.skip_sign(&Token::LParen) {
        columns = list(&mut cursor, |cursor| cursor.name())?;
        cursor.expect_sign(&Token::RParen)?;
    }
    if cursor.skip_any(&["WITH"]) {
        let option = cursor.read().and_then(|_| cursor.peek());
        let option = option.unwrap_or_default().to_lowercase();
        return Err(Error::unsupported(format!("the view option \"{option}\"")));
    }
    cursor.expect("AS")?;
    let first = cursor.first().ok_or_else(|| cursor.unexpected())?;
    let mut last = first;
    let mut before_last = Vec::new();
    while let Some(token) = cursor.first() {
        before_last.push(cursor.peek());
        last = token;
        cursor.read();
    }
    let ending: Vec<&str> = before_last
        .iter()
        .rev()
        .take(2)
        .map(|word| word.as_deref().unwrap_or(""))
        .collect();
    if ending == ["OPTION", "CHECK"] {
        return Err(Error::unsupported("WITH CHECK OPTION"));
    }
    let query = &text[lines.byte(text, first.span.start)..lines.byte(text, last.span.end)];
    Ok(Definition::CreateView {
        name,
        columns,
        query: SelectText {
            text: query.to_owned(),
            position: lines.position(first.span.start),
        },
        or_replace,
    })
}

fn drop_view(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    Ok(Definition::DropView {
        names: list(cursor, name)?,
        if_exists,
        cascade: behavior(cursor),
    })
}

fn alter_view(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    let name = name(cursor)?;
    if cursor.skip_all(&["RENAME", "TO"]) {
        let to = cursor.name()?;
        return Ok(Definition::RenameView {
            name,
            if_exists,
            to,
        });
    }
    if cursor.skip_all(&["SET", "SCHEMA"]) {
        let to = cursor.name()?;
        return Ok(Definition::MoveView {
            name,
            if_exists,
            to,
        });
    }
    match cursor.peek() {
        Some(action) => Err(Error::unsupported(format!("ALTER VIEW ... {action}"))),
        None => Err(cursor.unexpected()),
    }
}

fn create_schema(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_not_exists = cursor.skip_all(&["IF", "NOT", "EXISTS"]);
    if cursor.peek().as_deref() == Some("AUTHORIZATION") {
        return Err(Error::unsupported("CREATE SCHEMA AUTHORIZATION"));
    }
    let name = cursor.name()?;
    match cursor.peek() {
        Some(element) => Err(Error::unsupported(format!("CREATE SCHEMA ... {element}"))),
        None => Ok(Definition::CreateSchema {
            name,
            if_not_exists,
        }),
    }
}

fn drop_schema(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    Ok(Definition::DropSchema {
        names: list(cursor, |cursor| cursor.name())?,
        if_exists,
        cascade: behavior(cursor),
    })
}

fn comment(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let kind = cursor.word().ok_or_else(|| cursor.unexpected())?;
    let on = match kind.as_str() {
        "SCHEMA" => Commented::Schema(cursor.name()?),
        "VIEW" => Commented::View(name(cursor)?),
        "TABLE" => Commented::Table(name(cursor)?),
        "COLUMN" => {
            let mut path = path(cursor)?;
            let column = path.pop().unwrap_or_default();
            if path.is_empty() {
                return Err(cursor.unexpected());
            }
            Commented::Column(of_path(path)?, column)
        }
        other => return Err(Error::unsupported(format!("COMMENT ON {other}"))),
    };
    cursor.expect("IS")?;
    let text = match cursor.skip_any(&["NULL"]) {
        true => None,
        // As in PostgreSQL, an empty comment is none.
        false => Some(cursor.string()?).filter(|text| !text.is_empty()),
    };
    Ok(Definition::Comment { on, text })
}

/// CASCADE or RESTRICT, which is the default.
fn behavior(cursor: &mut Cursor<'_>) -> bool {
    let cascade = cursor.skip_any(&["CASCADE"]);
    if !cascade {
        cursor.skip_any(&["RESTRICT"]);
    }
    cascade
}

fn name(cursor: &mut Cursor<'_>) -> Result<Name> {
    of_path(path(cursor)?)
}

fn path(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut path = vec![cursor.name()?];
    while cursor.skip_sign(&Token::Period) {
        path.push(cursor.name()?);
    }
    Ok(path)
}

fn of_path(mut path: Vec<String>) -> Result<Name> {
    let name = path.pop().unwrap_or_default();
    let schema = path.pop();
    if !path.is_empty() {
        let message = "cross-database references of a definition";
        return Err(Error::unsupported(message));
    }
    Ok(Name { schema, name })
}

/// One or more, with commas between.
fn list<T>(
    cursor: &mut Cursor<'_>,
    mut one: impl FnMut(&mut Cursor<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut found = vec![one(cursor)?];
    while cursor.skip_sign(&Token::Comma) {
        found.push(one(cursor)?);
    }
    Ok(found)
}
