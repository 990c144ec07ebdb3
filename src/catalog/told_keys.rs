//! The keys that servers tell of foreign tables, as keys of the relations here. They are shown beside those that are
//! declared; nothing is concluded from them, for a server may drop one at any time.

use std::collections::BTreeMap;

use super::views::{FullName, Key, KeyKind, Keys, Views, default_key_name};
use super::{Kind, Relation, Schema};
use crate::sources::warehouse::{ForeignTable, RemoteKey, RemoteKeyKind};

/// The keys of every foreign table. What a file declares goes before.
pub(super) fn of(views: &Views, schemas: &BTreeMap<String, Schema>) -> Keys {
    let mut keys = Keys::new();
    for (schema_name, schema) in schemas {
        for (name, relation) in &schema.relations {
            let Some(table) = foreign(relation) else {
                continue;
            };
            let on = (schema_name.clone(), name.clone());
            let declared = views.keys.get(&on).map_or(&[][..], Vec::as_slice);
            let told = of_table(table, declared, &on, schema);
            if !told.is_empty() {
                keys.insert(on, told);
            }
        }
    }
    keys
}

fn foreign(relation: &Relation) -> Option<&ForeignTable> {
    match &relation.kind {
        Ok(Kind::Foreign(table)) => Some(table),
        _ => None,
    }
}

fn of_table(table: &ForeignTable, declared: &[Key], on: &FullName, schema: &Schema) -> Vec<Key> {
    let mut found: Vec<Key> = Vec::new();
    for key in &table.told.keys {
        let Some(kind) = kind(key, table, on, schema) else {
            continue;
        };
        let known = || declared.iter().chain(&found);
        let name = match &key.name {
            Some(name) => name.clone(),
            None => {
                let known: Vec<Key> = known().cloned().collect();
                default_key_name(&known, on, &key.columns, &kind)
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

/// What a key is here; `None` of a foreign key to a table that is not in the same schema here, too.
fn kind(key: &RemoteKey, of: &ForeignTable, on: &FullName, schema: &Schema) -> Option<KeyKind> {
    Some(match &key.kind {
        RemoteKeyKind::Primary => KeyKind::Primary,
        RemoteKeyKind::Unique => KeyKind::Unique,
        RemoteKeyKind::Foreign(to, columns) => {
            let is_meant = |other: &ForeignTable| {
                let is_there = other.server == of.server && other.remote.schema == of.remote.schema;
                is_there && other.remote.table == *to
            };
            let mut relations = schema.relations.iter();
            let (to, _) = relations.find(|(_, it)| foreign(it).is_some_and(is_meant))?;
            let is_whole = columns.len() == key.columns.len();
            is_whole.then(|| KeyKind::Foreign((on.0.clone(), to.clone()), columns.clone()))?
        }
    })
}
