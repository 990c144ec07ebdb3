//! Parses the declarations of keys: ALTER ... ADD and DROP CONSTRAINT.
//! <https://www.postgresql.org/docs/16/sql-altertable.html>
//!
//! A key of files that others write cannot be enforced, only declared. PostgreSQL 18 writes that as
//! `NOT ENFORCED`, which must stand there, lest somebody relies on more.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::grant::behavior;
use super::names::{list, name};
use super::{Cursor, Definition, Name};
use crate::error::{Error, Result};

/// A declared key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// The constraint's name, if one is given.
    pub name: Option<String>,
    /// Its columns.
    pub columns: Vec<String>,
    /// What they are.
    pub kind: KeyKindSpec,
}

/// What the columns of a key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyKindSpec {
    /// PRIMARY KEY.
    Primary,
    /// UNIQUE.
    Unique,
    /// FOREIGN KEY: the relation it refers to, and columns of it; none for its primary key's.
    Foreign(Name, Vec<String>),
}

/// What ALTER does to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyAction {
    /// ADD.
    Add(KeySpec),
    /// DROP CONSTRAINT.
    Drop {
        /// The constraint.
        name: String,
        /// Whether it is passed over if it is not there.
        if_exists: bool,
        /// Whether the foreign keys that refer to it go too.
        cascade: bool,
    },
}

/// The kind of relation that ALTER names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlteredKind {
    /// ALTER TABLE, which takes views as well.
    Table,
    /// ALTER VIEW.
    View,
    /// ALTER MATERIALIZED VIEW.
    Materialized,
    /// ALTER FOREIGN TABLE.
    Foreign,
}

impl AlteredKind {
    /// As a message or a statement names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Materialized => "materialized view",
            Self::Foreign => "foreign table",
        }
    }

    /// The tag of ALTER.
    pub fn altered(self) -> &'static str {
        match self {
            Self::Table => "ALTER TABLE",
            Self::View => "ALTER VIEW",
            Self::Materialized => "ALTER MATERIALIZED VIEW",
            Self::Foreign => "ALTER FOREIGN TABLE",
        }
    }
}

/// ALTER ... ADD and DROP CONSTRAINT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterKeys {
    /// As what the relation is named.
    pub kind: AlteredKind,
    /// The relation.
    pub on: Name,
    /// Whether it is passed over if it is not there.
    pub if_exists: bool,
    /// One after the other.
    pub actions: Vec<KeyAction>,
}

/// Reads ALTER TABLE or ALTER VIEW if it is about keys; `None`, and nothing read, if it is not.
pub(super) fn alter_keys(cursor: &mut Cursor<'_>) -> Option<Result<Definition>> {
    let place = cursor.place();
    let kind = match () {
        () if cursor.skip_all(&["ALTER", "TABLE"]) => AlteredKind::Table,
        () if cursor.skip_all(&["ALTER", "VIEW"]) => AlteredKind::View,
        () if cursor.skip_all(&["ALTER", "MATERIALIZED", "VIEW"]) => AlteredKind::Materialized,
        () => return None,
    };
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    cursor.skip_any(&["ONLY"]);
    let on = name(cursor).ok();
    let (Some(on), true) = (on, is_about_keys(cursor)) else {
        cursor.go_back(place);
        return None;
    };
    let actions = list(cursor, action);
    Some(actions.and_then(|actions| {
        cursor.expect_end()?;
        Ok(Definition::AlterKeys(AlterKeys {
            kind,
            on,
            if_exists,
            actions,
        }))
    }))
}

fn is_about_keys(cursor: &mut Cursor<'_>) -> bool {
    let place = cursor.place();
    let found = match cursor.word().as_deref() {
        Some("ADD") => {
            let next = cursor.peek();
            let starts = ["CONSTRAINT", "PRIMARY", "FOREIGN", "UNIQUE"];
            next.is_some_and(|next| starts.contains(&next.as_str()))
        }
        Some("DROP") => cursor.peek().as_deref() == Some("CONSTRAINT"),
        _ => false,
    };
    cursor.go_back(place);
    found
}

fn action(cursor: &mut Cursor<'_>) -> Result<KeyAction> {
    if cursor.skip_all(&["DROP", "CONSTRAINT"]) {
        let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
        return Ok(KeyAction::Drop {
            name: cursor.name()?,
            if_exists,
            cascade: behavior(cursor),
        });
    }
    cursor.expect("ADD")?;
    let name = match cursor.skip_any(&["CONSTRAINT"]) {
        true => Some(cursor.name()?),
        false => None,
    };
    let spec = key(cursor, name)?;
    let is_declared = cursor.skip_all(&["NOT", "ENFORCED"]);
    if !is_declared {
        return Err(Error::unsupported("a key that is enforced").with_hint(
            "Lakegate does not write, and cannot enforce it. Declare it with NOT ENFORCED.",
        ));
    }
    Ok(KeyAction::Add(spec))
}

fn key(cursor: &mut Cursor<'_>, name: Option<String>) -> Result<KeySpec> {
    if cursor.skip_all(&["FOREIGN", "KEY"]) {
        let columns = columns(cursor)?;
        cursor.expect("REFERENCES")?;
        let to = super::names::name(cursor)?;
        let is_listed = cursor.first().is_some_and(|it| it.token == Token::LParen);
        let referenced = match is_listed {
            true => self::columns(cursor)?,
            false => Vec::new(),
        };
        let kind = KeyKindSpec::Foreign(to, referenced);
        return Ok(KeySpec {
            name,
            columns,
            kind,
        });
    }
    let kind = match () {
        () if cursor.skip_all(&["PRIMARY", "KEY"]) => KeyKindSpec::Primary,
        () if cursor.skip_any(&["UNIQUE"]) => KeyKindSpec::Unique,
        () => match cursor.peek() {
            Some(word) if word == "CHECK" || word == "EXCLUDE" => {
                return Err(Error::unsupported(format!("a constraint by {word}")));
            }
            _ => return Err(cursor.unexpected()),
        },
    };
    Ok(KeySpec {
        name,
        columns: columns(cursor)?,
        kind,
    })
}

fn columns(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    cursor.expect_sign(&Token::LParen)?;
    let columns = list(cursor, |cursor| cursor.name())?;
    cursor.expect_sign(&Token::RParen)?;
    Ok(columns)
}
