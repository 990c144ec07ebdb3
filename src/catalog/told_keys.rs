//! The keys that servers tell of imported tables, as keys of the relations here. They are shown beside those that are
//! declared; nothing is concluded from them, for a server may drop one at any time.

use std::collections::BTreeMap;

use super::imports::Imported;
use super::views::{Import, Key, KeyKind, Keys, Views, default_key_name};
use super::{Kind, Schema};
use crate::sources::warehouse::{RemoteKey, RemoteKeyKind, RemoteTable};

/// The keys of every imported table that is a relation here. What a file declares goes before.
pub(super) fn of(views: &Views, schemas: &BTreeMap<String, Schema>, imported: &Imported) -> Keys {
    let mut keys = Keys::new();
    for import in &views.foreign.imports {
        let tables = imported.get(import).into_iter();
        let tables = tables.flat_map(|listing| listing.tables.iter());
        for table in tables.filter(|table| is_here(schemas, import, &table.name)) {
            let on = (import.local.clone(), table.name.clone());
            let declared = views.keys.get(&on).map_or(&[][..], Vec::as_slice);
            let told = of_table(table, declared, import, schemas);
            if !told.is_empty() {
                keys.insert(on, told);
            }
        }
    }
    keys
}

/// Whether the relation of a table's name is that table, and not a view that goes before it.
fn is_here(schemas: &BTreeMap<String, Schema>, import: &Import, table: &str) -> bool {
    let relation = schemas
        .get(&import.local)
        .and_then(|schema| schema.relations.get(table));
    let kind = relation.map(|relation| &relation.kind);
    matches!(kind, Some(Ok(Kind::Foreign(foreign)))
        if foreign.server == import.server && foreign.remote.schema == import.remote
            && foreign.remote.table == table && import.which.has(table))
}

fn of_table(
    table: &RemoteTable,
    declared: &[Key],
    import: &Import,
    schemas: &BTreeMap<String, Schema>,
) -> Vec<Key> {
    let mut found: Vec<Key> = Vec::new();
    let on = (import.local.clone(), table.name.clone());
    for key in &table.told.keys {
        let Some(kind) = kind(key, import, schemas) else {
            continue;
        };
        let known = || declared.iter().chain(&found);
        let name = match &key.name {
            Some(name) => name.clone(),
            None => {
                let known: Vec<Key> = known().cloned().collect();
                default_key_name(&known, &on, &key.columns, &kind)
            }
        };
        let is_said = known().any(|other| {
            other.name == name
                || (other.kind == kind
                    && (kind == KeyKind::Primary || other.columns == key.columns))
        });
        if !is_said {
            found.push(Key {
                name,
                columns: key.columns.clone(),
                kind,
                is_enforced: key.is_enforced,
            });
        }
    }
    found
}

/// What a key is here; `None` of a foreign key to a table that is not imported with it.
fn kind(key: &RemoteKey, import: &Import, schemas: &BTreeMap<String, Schema>) -> Option<KeyKind> {
    Some(match &key.kind {
        RemoteKeyKind::Primary => KeyKind::Primary,
        RemoteKeyKind::Unique => KeyKind::Unique,
        RemoteKeyKind::Foreign(to, columns) => {
            let is_whole = columns.len() == key.columns.len() && is_here(schemas, import, to);
            is_whole
                .then(|| KeyKind::Foreign((import.local.clone(), to.clone()), columns.clone()))?
        }
    })
}
