//! What MySQL's `information_schema` tells of databases, tables and columns.

use std::str::FromStr;

use super::failure::Cause;
use super::session::Session;
use super::types::{Declared, column};
use crate::sources::Size;
use crate::sources::warehouse::ForeignTable;
use crate::sources::warehouse::quote::{identifier, literal};
use crate::sources::warehouse::relation::RemoteRelation;
use crate::sources::warehouse::told::{
    KeyColumn, RemoteKeyKind, RemoteTable, Told, add_comments, add_key_columns,
};

/// The comment that MySQL gives views itself.
const VIEW_COMMENT: &str = "VIEW";

/// What counts, and cannot be read as tables are.
const SEQUENCE: &str = "SEQUENCE";

/// What every primary key is called.
const PRIMARY: &str = "PRIMARY";

/// What is left out by `SELECT *`, in MySQL's words and MariaDB's.
const INVISIBLE: &str = "INVISIBLE";

/// The tables of a database; `None` if it is not there. Names are compared by the server as it
/// pleases, and here as they are.
pub(super) async fn tables(
    session: &mut Session,
    schema: &str,
) -> Result<Option<Vec<RemoteTable>>, Cause> {
    let quoted = literal(schema);
    let query =
        format!("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {quoted}");
    let databases = session.texts(&query).await?;
    let is_schema = |row: &[Option<String>]| text(row, 0) == Some(schema);
    if !databases.iter().any(|row| is_schema(row)) {
        return Ok(None);
    }
    let query = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, TABLE_COMMENT FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = {quoted} ORDER BY TABLE_NAME"
    );
    let found = session.texts(&query).await?;
    let found = found.iter().filter(|row| is_schema(row));
    let found = found.filter(|row| text(row, 2) != Some(SEQUENCE));
    let table = |row: &Vec<Option<String>>| {
        let comment = text(row, 3).filter(|comment| !["", VIEW_COMMENT].contains(comment));
        Some(RemoteTable {
            name: text(row, 1)?.to_owned(),
            told: Told {
                comment: comment.map(str::to_owned),
                ..Told::default()
            },
            lake: None,
        })
    };
    let mut tables: Vec<RemoteTable> = found.filter_map(table).collect();
    if !tables.is_empty() {
        tell(session, schema, &mut tables).await?;
    }
    Ok(Some(tables))
}

/// What is told of a database's tables beside.
async fn tell(
    session: &mut Session,
    schema: &str,
    tables: &mut [RemoteTable],
) -> Result<(), Cause> {
    let quoted = literal(schema);
    let query = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_COMMENT FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = {quoted} AND COLUMN_COMMENT <> ''"
    );
    let found = session.texts(&query).await?;
    let is_here = |row: &&Vec<Option<String>>| text(row, 0) == Some(schema);
    let comments = found.iter().filter(is_here).filter_map(|row| {
        let own = |place| text(row, place).map(str::to_owned);
        Some((own(1)?, own(2)?, own(3)?))
    });
    add_comments(tables, comments);
    let query = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS \
         WHERE TABLE_SCHEMA = {quoted} AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
    );
    let found = session.texts(&query).await?;
    let keys = found.iter().filter(is_here).filter_map(|row| unique(row));
    add_key_columns(tables, keys);
    let query = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, \
         REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
         WHERE TABLE_SCHEMA = {quoted} AND REFERENCED_TABLE_SCHEMA = {quoted} \
         ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"
    );
    let found = session.texts(&query).await?;
    let keys = found.iter().filter(is_here).filter_map(|row| foreign(row));
    add_key_columns(tables, keys);
    Ok(())
}

/// A column of a unique index. Its name is an index's, which other tables may have, too.
fn unique(row: &[Option<String>]) -> Option<KeyColumn> {
    let key = text(row, 2)?.to_owned();
    Some(KeyColumn {
        table: text(row, 1)?.to_owned(),
        column: text(row, 3).map(str::to_owned),
        kind: match key == PRIMARY {
            true => RemoteKeyKind::Primary,
            false => RemoteKeyKind::Unique,
        },
        name: None,
        is_enforced: true,
        key,
    })
}

/// A column of a foreign key. A session may have switched its checks off when rows were written.
fn foreign(row: &[Option<String>]) -> Option<KeyColumn> {
    let referenced = vec![text(row, 5)?.to_owned()];
    Some(KeyColumn {
        table: text(row, 1)?.to_owned(),
        key: text(row, 2)?.to_owned(),
        column: text(row, 3).map(str::to_owned),
        kind: RemoteKeyKind::Foreign(text(row, 4)?.to_owned(), referenced),
        name: text(row, 2).map(str::to_owned),
        is_enforced: false,
    })
}

/// A table's columns; `None` if it is not there.
pub(super) async fn describe(
    session: &mut Session,
    table: &ForeignTable,
) -> Result<Option<RemoteRelation>, Cause> {
    let (schema, name) = (table.remote.schema.as_str(), table.remote.table.as_str());
    let place = format!(
        "WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
        literal(schema),
        literal(name)
    );
    let is_here =
        |row: &&Vec<Option<String>>| text(row, 0) == Some(schema) && text(row, 1) == Some(name);
    let query = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES {place}"
    );
    let sizes = session.texts(&query).await?;
    let Some(size) = sizes.iter().find(is_here) else {
        return Ok(None);
    };
    let query = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, \
         CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, CHARACTER_SET_NAME, EXTRA \
         FROM information_schema.COLUMNS {place} ORDER BY ORDINAL_POSITION"
    );
    let columns = session.texts(&query).await?;
    let columns = columns.iter().filter(is_here);
    let columns =
        columns.filter(|row| text(row, 10).is_none_or(|extra| !extra.contains(INVISIBLE)));
    let misfit = table.server.misfit(&table.options);
    Ok(Some(RemoteRelation {
        sql: format!("{}.{}", identifier(schema), identifier(name)),
        columns: columns.map(|row| column(&declared(row), misfit)).collect(),
        size: Size {
            rows: number(size, 2),
            bytes: number(size, 3).unwrap_or(0),
        },
        ranges: Vec::new(),
        depends: false,
    }))
}

fn declared(row: &[Option<String>]) -> Declared<'_> {
    Declared {
        name: text(row, 2).unwrap_or_default(),
        data_type: text(row, 3).unwrap_or_default(),
        column_type: text(row, 4).unwrap_or_default(),
        is_not_null: text(row, 5) == Some("NO"),
        length: number(row, 6),
        precision: number(row, 7),
        scale: number(row, 8),
        charset: text(row, 9),
    }
}

fn number<T: FromStr>(row: &[Option<String>], place: usize) -> Option<T> {
    text(row, place)?.parse().ok()
}

fn text(row: &[Option<String>], place: usize) -> Option<&str> {
    row.get(place)?.as_deref()
}
