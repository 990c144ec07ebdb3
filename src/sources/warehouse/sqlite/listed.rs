//! The tables of a file of SQLite, and what it tells of them: keys, and how many rows ANALYZE has counted.

use rusqlite::Connection;

use crate::sources::warehouse::told::{
    KeyColumn, RemoteKeyKind, RemoteTable, Told, add_key_columns,
};

const TABLES: &str = "SELECT name FROM main.sqlite_master WHERE type IN ('table', 'view') \
    AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

/// The columns of primary keys. One that is the row's number has no index, and is never NULL; others may be,
/// unless they say otherwise.
const PRIMARY: &str = "SELECT m.name, c.name, \
        NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name) AS i WHERE i.origin = 'pk') \
        OR NOT EXISTS (SELECT 1 FROM pragma_table_info(m.name) AS o WHERE o.pk > 0 AND NOT o.\"notnull\") \
    FROM main.sqlite_master AS m JOIN pragma_table_info(m.name) AS c \
    WHERE m.type = 'table' AND c.pk > 0 ORDER BY m.name, c.pk";

/// Those of unique constraints.
const UNIQUE: &str = "SELECT m.name, i.name, x.name \
    FROM main.sqlite_master AS m JOIN pragma_index_list(m.name) AS i JOIN pragma_index_info(i.name) AS x \
    WHERE m.type = 'table' AND i.origin = 'u' ORDER BY m.name, i.seq DESC, x.seqno";

/// Those of foreign keys, which say the columns that they refer to.
const FOREIGN: &str = "SELECT m.name, f.id, f.\"table\", f.\"from\", f.\"to\" \
    FROM main.sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f \
    WHERE m.type = 'table' AND f.\"to\" IS NOT NULL ORDER BY m.name, f.id DESC, f.seq";

/// The tables and views.
pub(super) fn tables(connection: &Connection) -> rusqlite::Result<Vec<RemoteTable>> {
    let mut statement = connection.prepare(TABLES)?;
    let tables = statement.query_map([], |row| {
        Ok(RemoteTable {
            name: row.get(0)?,
            told: Told::default(),
            lake: None,
        })
    })?;
    let mut tables: Vec<RemoteTable> = tables.collect::<rusqlite::Result<_>>()?;
    let keys = [
        (PRIMARY, primary as KeyOf),
        (UNIQUE, unique),
        (FOREIGN, foreign),
    ];
    for (query, of_row) in keys {
        let mut statement = connection.prepare(query)?;
        let columns = statement.query_map([], of_row)?;
        let columns: Vec<KeyColumn> = columns.collect::<rusqlite::Result<_>>()?;
        add_key_columns(&mut tables, columns.into_iter());
    }
    Ok(tables)
}

type KeyOf = fn(&rusqlite::Row<'_>) -> rusqlite::Result<KeyColumn>;

fn primary(row: &rusqlite::Row<'_>) -> rusqlite::Result<KeyColumn> {
    let is_never_null: bool = row.get(2)?;
    Ok(KeyColumn {
        table: row.get(0)?,
        key: String::new(),
        column: row.get(1)?,
        kind: match is_never_null {
            true => RemoteKeyKind::Primary,
            false => RemoteKeyKind::Unique,
        },
        name: None,
        is_enforced: true,
    })
}

fn unique(row: &rusqlite::Row<'_>) -> rusqlite::Result<KeyColumn> {
    Ok(KeyColumn {
        table: row.get(0)?,
        key: row.get(1)?,
        column: row.get(2)?,
        kind: RemoteKeyKind::Unique,
        name: None,
        is_enforced: true,
    })
}

/// Each connection decides anew whether SQLite sees to foreign keys, and by default it does not.
fn foreign(row: &rusqlite::Row<'_>) -> rusqlite::Result<KeyColumn> {
    let number: i64 = row.get(1)?;
    Ok(KeyColumn {
        table: row.get(0)?,
        key: number.to_string(),
        column: row.get(3)?,
        kind: RemoteKeyKind::Foreign(row.get(2)?, vec![row.get(4)?]),
        name: None,
        is_enforced: false,
    })
}

/// How many rows a table had when it was analyzed last: the first number of what is kept of its indexes.
/// <https://www.sqlite.org/fileformat2.html#stat1tab>
pub(super) fn n_rows(connection: &Connection, table: &str) -> rusqlite::Result<Option<u64>> {
    let was_analyzed = "SELECT count(*) > 0 FROM main.sqlite_master WHERE name = 'sqlite_stat1'";
    if !connection.query_row(was_analyzed, [], |row| row.get(0))? {
        return Ok(None);
    }
    let counted = "SELECT max(CAST(stat AS INTEGER)) FROM main.sqlite_stat1 WHERE tbl = ?1";
    let rows: Option<i64> = connection.query_row(counted, [table], |row| row.get(0))?;
    Ok(rows.and_then(|rows| u64::try_from(rows).ok()))
}
