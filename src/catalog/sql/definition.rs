//! Parses the statements that define what exists: views, schemas, comments and roles.
//!
//! Their grammar is PostgreSQL's (manual, part VI, at each command's page). A view's query is kept
//! as the text that was written.

use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;

use super::foreign::{ForeignDefinition, foreign};
use super::foreign_alter::alter_named;
use super::grant::{
    AlterDefaults, GrantPrivilege, GrantRole, alter_defaults, behavior, drop_owned, grant,
    reassign_owned,
};
use super::key::{AlterKeys, AlteredKind, alter_keys};
use super::materialized::{
    AlterMaterialized, CreateMaterialized, alter_materialized, create_materialized,
};
use super::names::{list, name, of_path, path};
use super::policy::{
    AlterPolicy, AlterRowSecurity, CreatePolicy, LabelColumn, alter_policy, create_policy,
    drop_policy, security_label,
};
use super::role::{
    CreateRole, RoleSpec, SettingChange, SettingsOf, alter_database, alter_group, alter_role,
    create_role, drop_role, role_spec, without_secret,
};
use super::snapshot::{CreateSnapshot, create_snapshot, drop_snapshot};
use super::table::{alter_table, is_definition_of_table};
use super::view::{alter_view, create_view, drop_materialized, drop_view};
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

/// CREATE VIEW.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateView {
    /// The view.
    pub name: Name,
    /// The names given to its columns; fewer than it has, or none.
    pub columns: Vec<String>,
    /// `security_invoker`: it is read with its reader's rights, and not its owner's.
    pub security_invoker: bool,
    /// What it answers.
    pub query: SelectText,
    /// Whether a view of this name gives way.
    pub or_replace: bool,
    /// CREATE MATERIALIZED VIEW, and what it says beside.
    pub materialized: Option<CreateMaterialized>,
}

/// What ALTER ... OWNER TO gives to another owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owned {
    /// ALTER VIEW, and whether one that is not there is passed over.
    View(Name, bool),
    /// ALTER MATERIALIZED VIEW, the same.
    Materialized(Name, bool),
    /// ALTER TABLE, the same.
    Table(Name, bool),
    /// ALTER FOREIGN TABLE, the same.
    Foreign(Name, bool),
    /// ALTER SCHEMA.
    Schema(String),
    /// ALTER SERVER.
    Server(String),
}

/// A statement about what exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// CREATE VIEW.
    CreateView(CreateView),
    /// DROP VIEW, and DROP MATERIALIZED VIEW.
    DropView {
        /// As what they are named.
        kind: AlteredKind,
        /// The views.
        names: Vec<Name>,
        /// Whether one that is not there is passed over.
        if_exists: bool,
        /// Whether the views that read them go too.
        cascade: bool,
    },
    /// ALTER VIEW ... RENAME TO, and ALTER TABLE ... RENAME TO.
    RenameView {
        /// As what the relation is named; it must be a view.
        kind: AlteredKind,
        /// The view.
        name: Name,
        /// Whether it is passed over if it is not there.
        if_exists: bool,
        /// Its new name, in the same schema.
        to: String,
    },
    /// ALTER VIEW ... SET SCHEMA.
    MoveView {
        /// As what it is named.
        kind: AlteredKind,
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
    /// ALTER ROLE ... SET and RESET, and those of ALTER DATABASE.
    AlterRoleSetting {
        /// Whose sessions begin with it.
        of: SettingsOf,
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
    /// GRANT and REVOKE of privileges.
    GrantPrivilege(GrantPrivilege),
    /// ALTER DEFAULT PRIVILEGES.
    AlterDefaults(AlterDefaults),
    /// ALTER ... OWNER TO.
    AlterOwner {
        /// What.
        on: Owned,
        /// Its new owner.
        to: RoleSpec,
    },
    /// ALTER MATERIALIZED VIEW ... SET and RESET.
    AlterMaterialized(AlterMaterialized),
    /// ALTER ... ADD and DROP CONSTRAINT.
    AlterKeys(AlterKeys),
    /// DROP OWNED.
    DropOwned {
        /// Of these roles.
        roles: Vec<RoleSpec>,
        /// Whether what needs it goes too.
        cascade: bool,
    },
    /// REASSIGN OWNED.
    ReassignOwned {
        /// Of these roles.
        roles: Vec<RoleSpec>,
        /// The new owner.
        to: RoleSpec,
    },
    /// CREATE POLICY.
    CreatePolicy(CreatePolicy),
    /// ALTER POLICY.
    AlterPolicy(AlterPolicy),
    /// DROP POLICY.
    DropPolicy {
        /// The policy.
        name: String,
        /// The relation whose rows it is about.
        on: Name,
        /// Whether one that is not there is passed over.
        if_exists: bool,
    },
    /// ALTER TABLE and ALTER VIEW ... ROW LEVEL SECURITY.
    AlterRowSecurity(AlterRowSecurity),
    /// SECURITY LABEL ON COLUMN.
    LabelColumn(LabelColumn),
    /// CREATE SNAPSHOT.
    CreateSnapshot(CreateSnapshot),
    /// DROP SNAPSHOT.
    DropSnapshot {
        /// The snapshots.
        names: Vec<String>,
        /// Whether one that is not there is passed over.
        if_exists: bool,
    },
    /// What is on servers of a warehouse.
    Foreign(ForeignDefinition),
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
    /// COMMENT ON MATERIALIZED VIEW.
    Materialized(Name),
    /// COMMENT ON TABLE.
    Table(Name),
    /// COMMENT ON FOREIGN TABLE.
    Foreign(Name),
    /// COMMENT ON COLUMN.
    Column(Name, String),
}

impl Definition {
    /// PostgreSQL's command tag.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::CreateView(view) if view.materialized.is_some() => "CREATE MATERIALIZED VIEW",
            Self::CreateView(_) => "CREATE VIEW",
            Self::DropView {
                kind: AlteredKind::Materialized,
                ..
            } => "DROP MATERIALIZED VIEW",
            Self::DropView { .. } => "DROP VIEW",
            Self::RenameView { kind, .. } | Self::MoveView { kind, .. } => kind.altered(),
            Self::AlterMaterialized(_) => AlteredKind::Materialized.altered(),
            Self::CreateSchema { .. } => "CREATE SCHEMA",
            Self::DropSchema { .. } => "DROP SCHEMA",
            Self::CreateRole(_) => "CREATE ROLE",
            Self::AlterRoleSetting {
                of: SettingsOf::Database(_),
                ..
            } => "ALTER DATABASE",
            Self::AlterRole { .. } | Self::RenameRole { .. } | Self::AlterRoleSetting { .. } => {
                "ALTER ROLE"
            }
            Self::DropRole { .. } => "DROP ROLE",
            Self::GrantRole(grant) if grant.is_grant => "GRANT ROLE",
            Self::GrantRole(_) => "REVOKE ROLE",
            Self::GrantPrivilege(grant) if grant.is_grant => "GRANT",
            Self::GrantPrivilege(_) => "REVOKE",
            Self::AlterDefaults(_) => "ALTER DEFAULT PRIVILEGES",
            Self::AlterOwner { on, .. } => match on {
                Owned::View(..) => "ALTER VIEW",
                Owned::Materialized(..) => AlteredKind::Materialized.altered(),
                Owned::Table(..) => "ALTER TABLE",
                Owned::Foreign(..) => AlteredKind::Foreign.altered(),
                Owned::Schema(_) => "ALTER SCHEMA",
                Owned::Server(_) => "ALTER SERVER",
            },
            Self::AlterKeys(alter) => alter.kind.altered(),
            Self::DropOwned { .. } => "DROP OWNED",
            Self::ReassignOwned { .. } => "REASSIGN OWNED",
            Self::CreatePolicy(_) => "CREATE POLICY",
            Self::AlterPolicy(_) => "ALTER POLICY",
            Self::DropPolicy { .. } => "DROP POLICY",
            Self::AlterRowSecurity(alter) if alter.is_view => "ALTER VIEW",
            Self::AlterRowSecurity(_) => "ALTER TABLE",
            Self::LabelColumn(_) => "SECURITY LABEL",
            Self::CreateSnapshot(_) => "CREATE SNAPSHOT",
            Self::DropSnapshot { .. } => "DROP SNAPSHOT",
            Self::Foreign(definition) => definition.tag(),
            Self::Comment { .. } => "COMMENT",
        }
    }

    /// Whether it makes a materialized view that is to have its rows at once.
    pub fn wants_rows(&self) -> bool {
        match self {
            Self::CreateView(view) => {
                let said = view.materialized.as_ref();
                said.is_some_and(|said| said.with_data)
            }
            _ => false,
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
                | Self::GrantPrivilege(_)
                | Self::AlterDefaults(_)
                | Self::AlterOwner { .. }
                | Self::DropOwned { .. }
                | Self::ReassignOwned { .. }
                | Self::CreatePolicy(_)
                | Self::AlterPolicy(_)
                | Self::DropPolicy { .. }
                | Self::AlterRowSecurity(_)
                | Self::LabelColumn(_)
        )
    }
}

/// Parses a statement that defines something; `None` if it is of another kind. `database` is the one
/// that names of relations may have in front.
///
/// # Errors
/// `SyntaxError` with its position; `FeatureNotSupported` for an option that is not honoured.
pub fn definition(
    text: &str,
    lines: &Lines,
    tokens: &[TokenWithSpan],
    database: Option<&str>,
) -> Option<Result<Definition>> {
    let mut cursor = Cursor::new(lines, tokens).in_database(database);
    let is_replacing = cursor.skip_all(&["CREATE", "OR", "REPLACE", "VIEW"]);
    if is_replacing || cursor.skip_all(&["CREATE", "VIEW"]) {
        return Some(create_view(text, lines, cursor, is_replacing));
    }
    if cursor.skip_all(&["CREATE", "MATERIALIZED", "VIEW"]) {
        return Some(create_materialized(text, lines, cursor));
    }
    if let Some(parsed) = alter_keys(&mut cursor) {
        return Some(parsed);
    }
    if let Some(parsed) = alter_named(&mut cursor) {
        return Some(parsed);
    }
    if let Some(parsed) = foreign(&mut cursor) {
        return Some(parsed.map(Definition::Foreign));
    }
    let is_new = cursor.skip_all(&["CREATE", "POLICY"]);
    if is_new || cursor.skip_all(&["ALTER", "POLICY"]) {
        let parse = if is_new { create_policy } else { alter_policy };
        let parsed = parse(text, lines, &mut cursor);
        return Some(parsed.and_then(|definition| cursor.expect_end().map(|()| definition)));
    }
    let parse = match () {
        () if cursor.skip_all(&["DROP", "VIEW"]) => drop_view,
        () if cursor.skip_all(&["DROP", "MATERIALIZED", "VIEW"]) => drop_materialized,
        () if cursor.skip_all(&["ALTER", "MATERIALIZED", "VIEW"]) => alter_materialized,
        () if cursor.skip_all(&["DROP", "OWNED"]) => drop_owned,
        () if cursor.skip_all(&["REASSIGN", "OWNED"]) => reassign_owned,
        () if cursor.skip_all(&["ALTER", "DEFAULT", "PRIVILEGES"]) => alter_defaults,
        () if cursor.skip_all(&["ALTER", "SCHEMA"]) => alter_schema,
        () if cursor.skip_all(&["ALTER", "DATABASE"]) => alter_database,
        () if cursor.skip_all(&["DROP", "POLICY"]) => drop_policy,
        () if cursor.skip_all(&["SECURITY", "LABEL"]) => security_label,
        () if is_definition_of_table(&mut cursor) => alter_table,
        () if cursor.skip_all(&["ALTER", "VIEW"]) => alter_view,
        () if cursor.skip_all(&["CREATE", "SCHEMA"]) => create_schema,
        () if cursor.skip_all(&["DROP", "SCHEMA"]) => drop_schema,
        () if cursor.skip_all(&["CREATE", "SNAPSHOT"]) => create_snapshot,
        () if cursor.skip_all(&["DROP", "SNAPSHOT"]) => drop_snapshot,
        () if cursor.skip_all(&["COMMENT", "ON"]) => comment,
        () => return role(cursor),
    };
    let parsed = parse(&mut cursor);
    Some(parsed.and_then(|definition| cursor.expect_end().map(|()| definition)))
}

fn role(mut cursor: Cursor<'_>) -> Option<Result<Definition>> {
    let mut begins = |command: &str, kind: &str| cursor.skip_all(&[command, kind]);
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

fn alter_schema(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let name = cursor.name()?;
    if !cursor.skip_all(&["OWNER", "TO"]) {
        return Err(Error::unsupported("ALTER SCHEMA but for OWNER TO"));
    }
    Ok(Definition::AlterOwner {
        on: Owned::Schema(name),
        to: role_spec(cursor)?,
    })
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
        "MATERIALIZED" => {
            cursor.expect("VIEW")?;
            Commented::Materialized(name(cursor)?)
        }
        "TABLE" => Commented::Table(name(cursor)?),
        "FOREIGN" => {
            cursor.expect("TABLE")?;
            Commented::Foreign(name(cursor)?)
        }
        "COLUMN" => {
            let mut path = path(cursor)?;
            let column = path.pop().unwrap_or_default();
            if path.is_empty() {
                return Err(cursor.unexpected());
            }
            Commented::Column(of_path(cursor, path)?, column)
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
