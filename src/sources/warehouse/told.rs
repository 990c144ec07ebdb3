//! What a source tells of its tables beside their columns and rows: comments, and keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sources::LakeTable;

/// What a source says of a table, which is shown and decides about no rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// Its comment.
    pub comment: Option<String>,
    /// The comments of its columns, by their names.
    pub columns: BTreeMap<String, String>,
    /// Its keys, a primary one first.
    pub keys: Vec<RemoteKey>,
}

/// A key of a table at its source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RemoteKey {
    /// The constraint's name; `None` where its source gives it none that is of use beside those of other tables.
    pub name: Option<String>,
    /// Its columns, in their order.
    pub columns: Vec<String>,
    /// What they are.
    pub kind: RemoteKeyKind,
    /// Whether the source sees to it, and has looked at all rows.
    pub is_enforced: bool,
}

/// What the columns of a key are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RemoteKeyKind {
    /// No two rows have the same, and none is NULL.
    Primary,
    /// No two rows have the same.
    Unique,
    /// A row of this table of the same schema has them in these of its columns.
    Foreign(String, Vec<String>),
}

/// A table that a source lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteTable {
    /// Its name.
    pub name: String,
    /// What the source says of it.
    pub told: Told,
    /// Where it lies, if its server is a lake.
    pub lake: Option<LakeTable>,
}

/// One column of a key, as sources list them: a row for each.
#[derive(Debug)]
pub(super) struct KeyColumn {
    /// The table.
    pub(super) table: String,
    /// What tells the key from the table's others.
    pub(super) key: String,
    /// The column; `None` for an expression, of which a key of columns cannot be told.
    pub(super) column: Option<String>,
    /// What the key is; of a foreign key, with the one column that this refers to.
    pub(super) kind: RemoteKeyKind,
    /// As in [`RemoteKey`].
    pub(super) name: Option<String>,
    /// The same.
    pub(super) is_enforced: bool,
}

/// Puts comments of columns, as table, column and text, to their tables.
pub(super) fn add_comments(
    tables: &mut [RemoteTable],
    comments: impl Iterator<Item = (String, String, String)>,
) {
    let mut by_name = by_name(tables);
    for (table, column, text) in comments {
        if let Some(told) = by_name.get_mut(&table) {
            told.columns.insert(column, text);
        }
    }
}

/// Puts keys to their tables.
pub(super) fn add_keys(
    tables: &mut [RemoteTable],
    keys: impl Iterator<Item = (String, RemoteKey)>,
) {
    let mut by_name = by_name(tables);
    for (table, key) in keys {
        if let Some(told) = by_name.get_mut(&table) {
            match key.kind {
                RemoteKeyKind::Primary => told.keys.insert(0, key),
                _ => told.keys.push(key),
            }
        }
    }
}

/// As [`add_keys`], of the columns of keys, which come one behind the other.
pub(super) fn add_key_columns(
    tables: &mut [RemoteTable],
    columns: impl Iterator<Item = KeyColumn>,
) {
    let mut keys: Vec<(KeyColumn, Option<RemoteKey>)> = Vec::new();
    for column in columns {
        let begun = keys.last_mut();
        let begun =
            begun.filter(|(first, _)| (&first.table, &first.key) == (&column.table, &column.key));
        match begun {
            Some((_, key)) => *key = key.take().and_then(|key| longer(key, &column)),
            None => {
                let key = column.column.as_ref().map(|name| RemoteKey {
                    name: column.name.clone(),
                    columns: vec![name.clone()],
                    kind: column.kind.clone(),
                    is_enforced: column.is_enforced,
                });
                keys.push((column, key));
            }
        }
    }
    let known = keys.into_iter();
    add_keys(tables, known.filter_map(|(of, key)| Some((of.table, key?))));
}

/// A key with one more column.
fn longer(mut key: RemoteKey, column: &KeyColumn) -> Option<RemoteKey> {
    key.columns.push(column.column.clone()?);
    if let (RemoteKeyKind::Foreign(_, referenced), RemoteKeyKind::Foreign(_, more)) =
        (&mut key.kind, &column.kind)
    {
        referenced.extend(more.iter().cloned());
    }
    Some(key)
}

fn by_name(tables: &mut [RemoteTable]) -> BTreeMap<String, &mut Told> {
    let tables = tables.iter_mut();
    tables
        .map(|table| (table.name.clone(), &mut table.told))
        .collect()
}
