//! Parses CREATE SNAPSHOT and DROP SNAPSHOT, which are Lakegate's own:
//! `CREATE SNAPSHOT name [AS OF 'instant'] [(table VERSION number, ...)] [COMMENT 'text']`.
//!
//! The versions are written by Lakegate itself, into the file of the snapshot.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::tokenizer::Token;

use super::names::{list, name};
use super::{Cursor, Definition};
use crate::error::{Error, ErrorKind, Result};

/// CREATE SNAPSHOT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSnapshot {
    /// The snapshot.
    pub name: String,
    /// The moment, as written; `None` for now.
    pub as_of: Option<String>,
    /// The version of each table, by schema and name, if they are said.
    pub versions: Option<BTreeMap<(String, String), u64>>,
    /// What it is for.
    pub comment: Option<String>,
}

/// CREATE SNAPSHOT, behind these words.
pub(super) fn create_snapshot(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let snapshot = cursor.name()?;
    let mut as_of = None;
    if cursor.skip_all(&["AS", "OF"]) {
        cursor.skip_any(&["TIMESTAMP"]);
        as_of = Some(cursor.string()?);
    }
    let mut versions = None;
    if cursor.skip_sign(&Token::LParen) {
        let known: &mut BTreeMap<_, _> = versions.insert(BTreeMap::new());
        if !cursor.skip_sign(&Token::RParen) {
            for (table, version) in list(cursor, table_version)? {
                known.insert(table, version);
            }
            cursor.expect_sign(&Token::RParen)?;
        }
    }
    let comment = match cursor.skip_any(&["COMMENT"]) {
        true => Some(cursor.string()?).filter(|text| !text.is_empty()),
        false => None,
    };
    Ok(Definition::CreateSnapshot(CreateSnapshot {
        name: snapshot,
        as_of,
        versions,
        comment,
    }))
}

/// `schema.table VERSION number`.
fn table_version(cursor: &mut Cursor<'_>) -> Result<((String, String), u64)> {
    let table = name(cursor)?;
    let Some(schema) = table.schema else {
        let message = "a table of a snapshot is named with its schema";
        return Err(Error::new(ErrorKind::SyntaxError, message));
    };
    cursor.expect("VERSION")?;
    let number = match cursor.first().map(|token| &token.token) {
        Some(Token::Number(digits, _)) => digits.parse().ok(),
        _ => None,
    };
    let version = number.ok_or_else(|| cursor.unexpected())?;
    cursor.read();
    Ok(((schema, table.name), version))
}

/// DROP SNAPSHOT, behind these words.
pub(super) fn drop_snapshot(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    Ok(Definition::DropSnapshot {
        names: list(cursor, |cursor| cursor.name())?,
        if_exists,
    })
}
