//! Parses the statements about servers of a warehouse and what is on them (SQL/MED), and writes them.
//! <https://www.postgresql.org/docs/16/sql-createserver.html>

use datafusion::sql::sqlparser::tokenizer::Token;

use super::foreign_alter::alter_table;
use super::grant::behavior;
use super::names::{list, name, path};
use super::role::{RoleSpec, role_spec, without_secret};
use super::{Cursor, Name};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::Options;

/// A statement about what is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignDefinition {
    /// CREATE SERVER.
    CreateServer(CreateServer),
    /// ALTER SERVER.
    AlterServer {
        /// The server.
        name: String,
        /// VERSION, if it is said.
        version: Option<String>,
        /// What becomes of its options.
        changes: Vec<OptionChange>,
    },
    /// ALTER SERVER ... RENAME TO.
    RenameServer {
        /// The server.
        name: String,
        /// Its new name.
        to: String,
    },
    /// DROP SERVER.
    DropServer(Dropped<String>),
    /// CREATE USER MAPPING.
    CreateMapping(CreateMapping),
    /// ALTER USER MAPPING.
    AlterMapping {
        /// Whose, and on which server.
        on: Mapped,
        /// What becomes of its options.
        changes: Vec<OptionChange>,
    },
    /// DROP USER MAPPING, and whether one that is not there is passed over.
    DropMapping(Mapped, bool),
    /// CREATE FOREIGN TABLE.
    CreateTable(CreateForeignTable),
    /// ALTER FOREIGN TABLE ... OPTIONS.
    AlterTable {
        /// The table.
        name: Name,
        /// Whether one that is not there is passed over.
        if_exists: bool,
        /// What becomes of its options.
        changes: Vec<OptionChange>,
    },
    /// DROP FOREIGN TABLE.
    DropTable(Dropped<Name>),
    /// IMPORT FOREIGN SCHEMA.
    Import(ImportSchema),
}

/// CREATE SERVER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateServer {
    /// The server.
    pub name: String,
    /// Whether one that is there is passed over.
    pub if_not_exists: bool,
    /// TYPE.
    pub server_type: Option<String>,
    /// VERSION.
    pub version: Option<String>,
    /// FOREIGN DATA WRAPPER.
    pub wrapper: String,
    /// OPTIONS.
    pub options: Options,
}

/// What is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped<T> {
    /// The objects.
    pub names: Vec<T>,
    /// Whether one that is not there is passed over.
    pub if_exists: bool,
    /// Whether what needs them goes too.
    pub cascade: bool,
}

/// A role on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// FOR.
    pub role: RoleSpec,
    /// SERVER.
    pub server: String,
}

/// CREATE USER MAPPING.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateMapping {
    /// Whose, and on which server.
    pub on: Mapped,
    /// Whether one that is there is passed over.
    pub if_not_exists: bool,
    /// OPTIONS.
    pub options: Options,
}

/// CREATE FOREIGN TABLE. Its columns are those of the table at its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateForeignTable {
    /// The table.
    pub name: Name,
    /// Whether one that is there is passed over.
    pub if_not_exists: bool,
    /// SERVER.
    pub server: String,
    /// OPTIONS.
    pub options: Options,
}

/// IMPORT FOREIGN SCHEMA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSchema {
    /// The schema at the server.
    pub remote: String,
    /// LIMIT TO and EXCEPT.
    pub which: Imported,
    /// FROM SERVER.
    pub server: String,
    /// INTO.
    pub local: String,
    /// OPTIONS.
    pub options: Options,
}

/// Which tables of a schema are imported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Imported {
    /// All of them.
    All,
    /// LIMIT TO.
    Only(Vec<String>),
    /// EXCEPT.
    AllBut(Vec<String>),
}

/// What becomes of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionChange {
    /// ADD, which needs not be said.
    Add(String, String),
    /// SET.
    Set(String, String),
    /// DROP.
    Drop(String),
}

impl ForeignDefinition {
    /// PostgreSQL's command tag.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::CreateServer(_) => "CREATE SERVER",
            Self::AlterServer { .. } | Self::RenameServer { .. } => "ALTER SERVER",
            Self::DropServer(_) => "DROP SERVER",
            Self::CreateMapping(_) => "CREATE USER MAPPING",
            Self::AlterMapping { .. } => "ALTER USER MAPPING",
            Self::DropMapping(..) => "DROP USER MAPPING",
            Self::CreateTable(_) => "CREATE FOREIGN TABLE",
            Self::AlterTable { .. } => "ALTER FOREIGN TABLE",
            Self::DropTable(_) => "DROP FOREIGN TABLE",
            Self::Import(_) => "IMPORT FOREIGN SCHEMA",
        }
    }
}

/// A statement about what is elsewhere; `None` if it is about something else.
pub(super) fn foreign(cursor: &mut Cursor<'_>) -> Option<Result<ForeignDefinition>> {
    let parse = match () {
        () if cursor.skip_all(&["CREATE", "SERVER"]) => create_server,
        () if cursor.skip_all(&["ALTER", "SERVER"]) => alter_server,
        () if cursor.skip_all(&["DROP", "SERVER"]) => drop_server,
        () if is_mapping(cursor, "CREATE") => create_mapping,
        () if is_mapping(cursor, "ALTER") => alter_mapping,
        () if is_mapping(cursor, "DROP") => drop_mapping,
        () if cursor.skip_all(&["CREATE", "FOREIGN", "TABLE"]) => create_table,
        () if cursor.skip_all(&["ALTER", "FOREIGN", "TABLE"]) => alter_table,
        () if cursor.skip_all(&["DROP", "FOREIGN", "TABLE"]) => drop_table,
        () if cursor.skip_all(&["IMPORT", "FOREIGN", "SCHEMA"]) => import,
        () => return None,
    };
    let parsed = parse(cursor).and_then(|found| cursor.expect_end().map(|()| found));
    Some(parsed.map_err(|error| without_secret(error, cursor)))
}

/// Reads the words of a command about a mapping, if they are such: a role may be named `mapping`.
fn is_mapping(cursor: &mut Cursor<'_>, command: &str) -> bool {
    let place = cursor.place();
    let found = cursor.skip_all(&[command, "USER", "MAPPING"])
        && matches!(cursor.peek().as_deref(), Some("FOR" | "IF"));
    if !found {
        cursor.go_back(place);
    }
    found
}

fn create_server(cursor: &mut Cursor<'_>) -> Result<ForeignDefinition> {
    let if_not_exists = cursor.skip_all(&["IF", "NOT", "EXISTS"]);
    let name = cursor.name()?;
    let server_type = match cursor.skip_any(&["TYPE"]) {
        true => Some(cursor.string()?),
        false => None,
    };
    let version = version(cursor)?;
    for word in ["FOREIGN", "DATA", "WRAPPER"] {
        cursor.expect(word)?;
    }
    Ok(ForeignDefinition::CreateServer(CreateServer {
        name,
        if_not_exists,
        server_type,
        version,
        wrapper: cursor.name()?,
        options: options(cursor)?,
    }))
}

fn version(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    match cursor.skip_any(&["VERSION"]) {
        true => cursor.string().map(Some),
        false => Ok(None),
    }
}

fn alter_server(cursor: &mut Cursor<'_>) -> Result<ForeignDefinition> {
    let name = cursor.name()?;
    if cursor.skip_all(&["RENAME", "TO"]) {
        let to = cursor.name()?;
        return Ok(ForeignDefinition::RenameServer { name, to });
    }
    let version = version(cursor)?;
    let changes = match cursor.peek().is_some() || version.is_none() {
        true => changes(cursor)?,
        false => Vec::new(),
    };
    Ok(ForeignDefinition::AlterServer {
        name,
        version,
        changes,
    })
}

fn dropped<T>(
    cursor: &mut Cursor<'_>,
    one: impl FnMut(&mut Cursor<'_>) -> Result<T>,
) -> Result<Dropped<T>> {
    Ok(Dropped {
        if_exists: cursor.skip_all(&["IF", "EXISTS"]),
        names: list(cursor, one)?,
        cascade: behavior(cursor),
    })
}

fn drop_server(cursor: &mut Cursor<'_>) -> Result<ForeignDefinition> {
    let servers = dropped(cursor, |cursor| cursor.name())?;
    Ok(ForeignDefinition::DropServer(servers))
}

fn mapped(cursor: &mut Cursor<'_>) -> Result<Mapped> {
    cursor.expect("FOR")?;
    let role = match cursor.skip_any(&["USER"]) {
        true => RoleSpec::CurrentUser,
        false => role_spec(cursor)?,
    };
    cursor.expect("SERVER")?;
    let server = cursor.name()?;
    Ok(Mapped { role, server })
}

fn create_mapping(cursor: &mut Cursor<'_>) -> Result<ForeignDefinition> {
    Ok(ForeignDefinition::CreateMapping(CreateMapping {
        if_not_exists: cursor.skip_all(&["IF", "NOT", "EXISTS"]),
        on: mapped(cursor)?,
        options: options(cursor)?,
    }))
}

fn alter_mapping(cursor: &mut Cursor<'_>) -> Result<ForeignDefinition> {
    Ok(ForeignDefinition::AlterMapping {
        on: mapped(cursor)?,
        changes: changes(cursor)?,
    })
}

fn drop_mapping(cursor: &mut Cursor<'_>) -> Result<ForeignDefinition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    Ok(ForeignDefinition::DropMapping(mapped(cursor)?, if_exists))
}

fn create_table(cursor: &mut Cursor<'_>) -> Result<ForeignDefinition> {
    let if_not_exists = cursor.skip_all(&["IF", "NOT", "EXISTS"]);
    let name = name(cursor)?;
    cursor.expect_sign(&Token::LParen)?;
    if !cursor.skip_sign(&Token::RParen) {
        let what = "a list of columns in CREATE FOREIGN TABLE";
        return Err(Error::unsupported(what).with_hint(
            "Leave the parentheses empty: the columns are those of the table at its server.",
        ));
    }
    cursor.expect("SERVER")?;
    Ok(ForeignDefinition::CreateTable(CreateForeignTable {
        name,
        if_not_exists,
        server: cursor.name()?,
        options: options(cursor)?,
    }))
}

fn drop_table(cursor: &mut Cursor<'_>) -> Result<ForeignDefinition> {
    Ok(ForeignDefinition::DropTable(dropped(cursor, name)?))
}

fn import(cursor: &mut Cursor<'_>) -> Result<ForeignDefinition> {
    let remote = cursor.name()?;
    let which = match () {
        () if cursor.skip_all(&["LIMIT", "TO"]) => Imported::Only(tables(cursor)?),
        () if cursor.skip_any(&["EXCEPT"]) => Imported::AllBut(tables(cursor)?),
        () => Imported::All,
    };
    cursor.expect("FROM")?;
    cursor.expect("SERVER")?;
    let server = cursor.name()?;
    cursor.expect("INTO")?;
    Ok(ForeignDefinition::Import(ImportSchema {
        remote,
        which,
        server,
        local: cursor.name()?,
        options: options(cursor)?,
    }))
}

/// Tables of the schema that is imported; what stands before a dot is it again.
fn tables(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    cursor.expect_sign(&Token::LParen)?;
    let paths = list(cursor, path)?;
    cursor.expect_sign(&Token::RParen)?;
    let last = paths.into_iter().filter_map(|mut path| path.pop());
    Ok(last.collect())
}

/// OPTIONS, if it is there.
fn options(cursor: &mut Cursor<'_>) -> Result<Options> {
    let mut options = Options::new();
    if !cursor.skip_any(&["OPTIONS"]) {
        return Ok(options);
    }
    cursor.expect_sign(&Token::LParen)?;
    let said = list(cursor, |cursor| Ok((cursor.name()?, cursor.string()?)))?;
    cursor.expect_sign(&Token::RParen)?;
    for (name, value) in said {
        if options.insert(name.clone(), value).is_some() {
            return Err(twice(&name));
        }
    }
    Ok(options)
}

/// As transformGenericOptions in foreigncmds.c.
fn twice(name: &str) -> Error {
    let message = format!("option \"{name}\" provided more than once");
    Error::new(ErrorKind::DuplicateObject, message)
}

/// OPTIONS of ALTER.
pub(super) fn changes(cursor: &mut Cursor<'_>) -> Result<Vec<OptionChange>> {
    cursor.expect("OPTIONS")?;
    cursor.expect_sign(&Token::LParen)?;
    let changes = list(cursor, |cursor| {
        Ok(match () {
            () if cursor.skip_any(&["DROP"]) => OptionChange::Drop(cursor.name()?),
            () if cursor.skip_any(&["SET"]) => OptionChange::Set(cursor.name()?, cursor.string()?),
            () => {
                cursor.skip_any(&["ADD"]);
                OptionChange::Add(cursor.name()?, cursor.string()?)
            }
        })
    })?;
    cursor.expect_sign(&Token::RParen)?;
    Ok(changes)
}

/// Options after changes, as transformGenericOptions in foreigncmds.c.
///
/// # Errors
/// `UndefinedObject`: one that is set or dropped is not there; `DuplicateObject`: one that is added
/// is.
pub fn changed_options(options: &Options, changes: &[OptionChange]) -> Result<Options> {
    let mut changed = options.clone();
    let missing = |name: &str| {
        let message = format!("option \"{name}\" not found");
        Error::new(ErrorKind::UndefinedObject, message)
    };
    for change in changes {
        match change {
            OptionChange::Add(name, value) => {
                if changed.insert(name.clone(), value.clone()).is_some() {
                    return Err(twice(name));
                }
            }
            OptionChange::Set(name, value) => {
                let known = changed.get_mut(name).ok_or_else(|| missing(name))?;
                value.clone_into(known);
            }
            OptionChange::Drop(name) => {
                changed.remove(name).ok_or_else(|| missing(name))?;
            }
        }
    }
    Ok(changed)
}

impl Imported {
    /// Whether a table is among them.
    pub fn has(&self, table: &str) -> bool {
        let is_it = |tables: &[String]| tables.iter().any(|named| named == table);
        match self {
            Self::All => true,
            Self::Only(tables) => is_it(tables),
            Self::AllBut(tables) => !is_it(tables),
        }
    }

    /// The same without a table; `None` if nothing is left.
    pub fn without(&self, table: &str) -> Option<Self> {
        Some(match self {
            Self::All => Self::AllBut(vec![table.to_owned()]),
            Self::AllBut(tables) => {
                Self::AllBut(tables.iter().cloned().chain([table.to_owned()]).collect())
            }
            Self::Only(tables) => {
                let left = tables.iter().filter(|named| *named != table);
                let left: Vec<String> = left.cloned().collect();
                if left.is_empty() {
                    return None;
                }
                Self::Only(left)
            }
        })
    }
}
