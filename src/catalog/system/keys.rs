//! Keys, declared or told by servers, as PostgreSQL's catalog shows constraints: with an index below each that is unique,
//! for drivers look for keys by their indexes.

use super::SystemView;
use super::data::Builtin;
use super::relations::lake_relations;
use super::table::{Table, Value};
use crate::catalog::snapshot::oid_of;
use crate::catalog::sql::identifier;
use crate::catalog::views::{FullName, Key, KeyKind};
use crate::catalog::{Inventory, Relation, Snapshot};
use crate::error::Result;

/// The access method `btree`, as in `pg_am`.
pub(super) const BTREE: u32 = 403;

/// A key and where it is declared.
#[derive(Clone, Copy, Debug)]
pub struct DeclaredKey<'a> {
    /// Its relation.
    pub relation: &'a Relation,
    /// The OID of the relation's schema.
    pub namespace: u32,
    /// What is declared.
    pub key: &'a Key,
}

/// The relation that a foreign key refers to, and the key there.
#[derive(Clone, Copy, Debug)]
struct Referenced<'a> {
    relation: &'a Relation,
    columns: &'a [String],
    key: Option<&'a Key>,
}

impl<'a> DeclaredKey<'a> {
    /// The OID of the constraint, stable over restarts.
    pub fn oid(&self) -> u32 {
        object_oid("constraint", self.relation, self.key)
    }

    /// The OID of the index below it; a foreign key has none of its own.
    pub fn index(&self) -> Option<u32> {
        let is_unique = self.key.is_unique();
        is_unique.then(|| object_oid("index", self.relation, self.key))
    }

    /// As `pg_get_indexdef` shows its index, or one column of it.
    pub fn index_text(&self, column: Option<usize>) -> String {
        let columns: Vec<String> = self.key.columns.iter().map(|it| identifier(it)).collect();
        match column {
            Some(column) => columns.get(column).cloned().unwrap_or_default(),
            None => format!(
                "CREATE UNIQUE INDEX {} ON {}.{} USING btree ({})",
                identifier(&self.key.name),
                identifier(&self.relation.schema),
                identifier(&self.relation.name),
                columns.join(", ")
            ),
        }
    }

    /// The numbers of its columns as an array is written; `None` if one is not there (any more).
    fn numbers(&self, inventory: Option<&Inventory>) -> Option<Vec<i16>> {
        numbers(self.relation, &self.key.columns, inventory)
    }

    fn referenced(&self, snapshot: &'a Snapshot) -> Option<Referenced<'a>> {
        let KeyKind::Foreign(to, columns) = &self.key.kind else {
            return None;
        };
        let relation = snapshot.schemas.get(&to.0)?.relations.get(&to.1)?;
        let mut keys = snapshot.keys_of(to);
        let is_same = |key: &&Key| {
            key.is_unique()
                && key.columns.len() == columns.len()
                && key.columns.iter().all(|column| columns.contains(column))
        };
        Some(Referenced {
            relation,
            columns,
            key: keys.find(is_same),
        })
    }
}

fn object_oid(kind: &str, relation: &Relation, key: &Key) -> u32 {
    let (schema, name) = (&relation.schema, &relation.name);
    oid_of(&format!("{kind}\0{schema}\0{name}\0{}", key.name))
}

fn numbers(
    relation: &Relation,
    columns: &[String],
    inventory: Option<&Inventory>,
) -> Option<Vec<i16>> {
    let known = inventory?.columns(relation.oid)?;
    let number = |column: &String| i16::try_from(known.index_of(column).ok()? + 1).ok();
    columns.iter().map(number).collect()
}

/// Numbers as an array is written.
fn array(numbers: &[i16]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}

impl Snapshot {
    /// The keys of a relation: those that are declared, and those that its server tells.
    fn keys_of(&self, name: &FullName) -> impl Iterator<Item = &Key> {
        let declared = self.views.keys.get(name);
        let told = self.told_keys.get(name);
        declared.into_iter().chain(told).flatten()
    }

    /// Every key of a relation that is there, declared or told.
    pub fn keys(&self) -> impl Iterator<Item = DeclaredKey<'_>> {
        let all = self.views.keys.iter().chain(&self.told_keys);
        all.flat_map(|(name, keys)| {
            let schema = self.schemas.get(&name.0);
            let found = schema.and_then(|schema| Some((schema, schema.relations.get(&name.1)?)));
            let found = found.map(|(schema, relation)| {
                keys.iter().map(move |key| DeclaredKey {
                    relation,
                    namespace: schema.oid,
                    key,
                })
            });
            found.into_iter().flatten()
        })
    }

    /// Whether a relation has a unique key, and whether a foreign key comes from it or goes to it.
    pub(super) fn key_facts(&self, relation: &Relation) -> (bool, bool) {
        let name = (relation.schema.clone(), relation.name.clone());
        let is_foreign = |key: &Key| !key.is_unique();
        let all = self.views.keys.values().chain(self.told_keys.values());
        let mut all = all.flatten();
        let refers = all.any(|key| matches!(&key.kind, KeyKind::Foreign(to, _) if *to == name));
        (
            self.keys_of(&name).any(Key::is_unique),
            refers || self.keys_of(&name).any(is_foreign),
        )
    }
}

/// The declared keys.
pub(super) fn pg_constraint(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let inventory = view.inventory.as_deref();
    for key in view.snapshot.keys() {
        let Some(columns) = key.numbers(inventory) else {
            continue;
        };
        let referenced = key.referenced(&view.snapshot);
        let referred = referenced.and_then(|to| numbers(to.relation, to.columns, inventory));
        if !key.key.is_unique() && referred.is_none() {
            continue;
        }
        let index_of_other = referenced
            .and_then(|to| Some(object_oid("index", to.relation, to.key?)))
            .unwrap_or(0);
        let (kind, action, how) = match &key.key.kind {
            KeyKind::Primary => ("p", " ", " "),
            KeyKind::Unique => ("u", " ", " "),
            KeyKind::Foreign(..) => ("f", "a", "s"),
        };
        let (columns, referred) = (array(&columns), referred.as_deref().map(array));
        table.push(&[
            ("oid", key.oid().into()),
            ("conname", key.key.name.as_str().into()),
            ("connamespace", key.namespace.into()),
            ("contype", kind.into()),
            // Of what is only declared, nobody has looked whether it is so.
            ("convalidated", key.key.is_enforced.into()),
            ("conrelid", key.relation.oid.into()),
            ("conindid", key.index().unwrap_or(index_of_other).into()),
            (
                "confrelid",
                referenced.map_or(0, |to| to.relation.oid).into(),
            ),
            ("confupdtype", action.into()),
            ("confdeltype", action.into()),
            ("confmatchtype", how.into()),
            ("conislocal", true.into()),
            ("connoinherit", true.into()),
            ("conkey", Value::Written(Some(&columns))),
            ("confkey", Value::Written(referred.as_deref())),
        ])?;
    }
    Ok(())
}

/// The indexes below the keys.
pub(super) fn pg_index(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for key in view.snapshot.keys() {
        let columns = key.numbers(view.inventory.as_deref());
        let (Some(index), Some(columns)) = (key.index(), columns) else {
            continue;
        };
        let count = i16::try_from(columns.len()).unwrap_or(i16::MAX);
        let zeros = array(&vec![0; columns.len()]);
        let columns = array(&columns);
        table.push(&[
            ("indexrelid", index.into()),
            ("indrelid", key.relation.oid.into()),
            ("indnatts", count.into()),
            ("indnkeyatts", count.into()),
            ("indisunique", true.into()),
            ("indisprimary", (key.key.kind == KeyKind::Primary).into()),
            ("indimmediate", true.into()),
            ("indisvalid", true.into()),
            ("indisready", true.into()),
            ("indislive", true.into()),
            ("indkey", Value::Written(Some(&columns))),
            ("indcollation", Value::Written(Some(&zeros))),
            ("indclass", Value::Written(Some(&zeros))),
            ("indoption", Value::Written(Some(&zeros))),
        ])?;
    }
    Ok(())
}

/// The same, as a view.
pub(super) fn pg_indexes(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for key in view.snapshot.keys().filter(|key| key.key.is_unique()) {
        table.push(&[
            ("schemaname", key.relation.schema.as_str().into()),
            ("tablename", key.relation.name.as_str().into()),
            ("indexname", key.key.name.as_str().into()),
            ("indexdef", key.index_text(None).as_str().into()),
        ])?;
    }
    Ok(())
}

/// The keys of the relations that may be read. PostgreSQL shows them only to those who may write;
/// here are none.
fn shown<'a>(view: &'a SystemView) -> impl Iterator<Item = DeclaredKey<'a>> {
    let rights = view.rights();
    let keys = view.snapshot.keys();
    keys.filter(move |key| rights.may_any(&key.relation.schema, &key.relation.name))
}

/// The declared keys, and the columns that are never NULL.
pub(super) fn table_constraints(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let database = view.database.as_str();
    let mut push = |schema: &str, name: &str, relation: &str, kind: &str, enforced: &str| {
        let distinct: Value<'_> = match kind {
            "UNIQUE" => "YES".into(),
            _ => Value::Null,
        };
        table.push(&[
            ("constraint_catalog", database.into()),
            ("constraint_schema", schema.into()),
            ("constraint_name", name.into()),
            ("table_catalog", database.into()),
            ("table_schema", schema.into()),
            ("table_name", relation.into()),
            ("constraint_type", kind.into()),
            ("is_deferrable", "NO".into()),
            ("initially_deferred", "NO".into()),
            ("enforced", enforced.into()),
            ("nulls_distinct", distinct),
        ])
    };
    for key in shown(view) {
        let kind = match &key.key.kind {
            KeyKind::Primary => "PRIMARY KEY",
            KeyKind::Unique => "UNIQUE",
            KeyKind::Foreign(..) => "FOREIGN KEY",
        };
        let (schema, relation) = (&key.relation.schema, &key.relation.name);
        let enforced = match key.key.is_enforced {
            true => "YES",
            false => "NO",
        };
        push(schema, &key.key.name, relation, kind, enforced)?;
    }
    for (relation, _, name) in never_null(view) {
        push(&relation.schema, &name, &relation.name, "CHECK", "YES")?;
    }
    Ok(())
}

/// What the columns that are never NULL are checked for.
pub(super) fn check_constraints(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (relation, column, name) in never_null(view) {
        let clause = format!("{column} IS NOT NULL");
        table.push(&[
            ("constraint_catalog", view.database.as_str().into()),
            ("constraint_schema", relation.schema.as_str().into()),
            ("constraint_name", name.as_str().into()),
            ("check_clause", clause.as_str().into()),
        ])?;
    }
    Ok(())
}

/// The columns of tables that are never NULL: the table, the column, and the name that
/// information_schema.sql makes for the constraint.
fn never_null(view: &SystemView) -> Vec<(&Relation, String, String)> {
    let rights = view.rights();
    let inventory = view.inventory.as_deref();
    let mut found = Vec::new();
    for (namespace, relation) in lake_relations(view) {
        let columns = inventory.and_then(|inventory| inventory.columns(relation.oid));
        let may_know = rights.may_any(&relation.schema, &relation.name);
        let Some(columns) = columns.filter(|_| may_know && relation.view().is_none()) else {
            continue;
        };
        for (column, number) in columns.fields().iter().zip(1..) {
            if !column.is_nullable() {
                let oid = relation.oid;
                let name = format!("{namespace}_{oid}_{number}_not_null");
                found.push((relation, column.name().clone(), name));
            }
        }
    }
    found
}

/// The columns of the keys.
pub(super) fn key_column_usage(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let database = view.database.as_str();
    for key in shown(view) {
        let referenced = key.referenced(&view.snapshot);
        for (at, (column, position)) in key.key.columns.iter().zip(1..).enumerate() {
            // Where the column stands in the key that is referred to.
            let place = referenced.and_then(|to| {
                let column = &to.columns[at];
                let place = to.key?.columns.iter().position(|other| other == column)?;
                i32::try_from(place + 1).ok()
            });
            table.push(&[
                ("constraint_catalog", database.into()),
                ("constraint_schema", key.relation.schema.as_str().into()),
                ("constraint_name", key.key.name.as_str().into()),
                ("table_catalog", database.into()),
                ("table_schema", key.relation.schema.as_str().into()),
                ("table_name", key.relation.name.as_str().into()),
                ("column_name", column.as_str().into()),
                ("ordinal_position", Value::from(position)),
                (
                    "position_in_unique_constraint",
                    place.map_or(Value::Null, Value::from),
                ),
            ])?;
        }
    }
    Ok(())
}

/// The foreign keys, and the keys that they refer to.
pub(super) fn referential_constraints(
    _: &Builtin,
    view: &SystemView,
    table: &mut Table,
) -> Result<()> {
    let database = view.database.as_str();
    for key in shown(view) {
        let Some(to) = key.referenced(&view.snapshot) else {
            continue;
        };
        table.push(&[
            ("constraint_catalog", database.into()),
            ("constraint_schema", key.relation.schema.as_str().into()),
            ("constraint_name", key.key.name.as_str().into()),
            ("unique_constraint_catalog", database.into()),
            (
                "unique_constraint_schema",
                to.relation.schema.as_str().into(),
            ),
            (
                "unique_constraint_name",
                to.key.map(|key| key.name.as_str()).into(),
            ),
            ("match_option", "NONE".into()),
            ("update_rule", "NO ACTION".into()),
            ("delete_rule", "NO ACTION".into()),
        ])?;
    }
    Ok(())
}

/// The columns that keys need: their own, and of foreign keys those referred to.
pub(super) fn constraint_column_usage(
    _: &Builtin,
    view: &SystemView,
    table: &mut Table,
) -> Result<()> {
    let database = view.database.as_str();
    for key in shown(view) {
        let (relation, columns) = match key.referenced(&view.snapshot) {
            Some(to) => (to.relation, to.columns),
            None => (key.relation, key.key.columns.as_slice()),
        };
        for column in columns {
            table.push(&[
                ("table_catalog", database.into()),
                ("table_schema", relation.schema.as_str().into()),
                ("table_name", relation.name.as_str().into()),
                ("column_name", column.as_str().into()),
                ("constraint_catalog", database.into()),
                ("constraint_schema", key.relation.schema.as_str().into()),
                ("constraint_name", key.key.name.as_str().into()),
            ])?;
        }
    }
    Ok(())
}

/// The relations that keys need.
pub(super) fn constraint_table_usage(
    _: &Builtin,
    view: &SystemView,
    table: &mut Table,
) -> Result<()> {
    let database = view.database.as_str();
    for key in shown(view) {
        let referenced = key.referenced(&view.snapshot);
        let relation = referenced.map_or(key.relation, |to| to.relation);
        table.push(&[
            ("table_catalog", database.into()),
            ("table_schema", relation.schema.as_str().into()),
            ("table_name", relation.name.as_str().into()),
            ("constraint_catalog", database.into()),
            ("constraint_schema", key.relation.schema.as_str().into()),
            ("constraint_name", key.key.name.as_str().into()),
        ])?;
    }
    Ok(())
}
