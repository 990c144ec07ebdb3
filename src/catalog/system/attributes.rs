//! `pg_attribute`: the columns of the lake's tables, of the indexes below declared keys, and of the system
//! relations.

use super::SystemView;
use super::acl::acl;
use super::data::{Builtin, TypeRow};
use super::relations::lake_relations;
use super::table::{Table, Value};
use crate::auth::Object;
use crate::catalog::{Inventory, Relation};
use crate::error::Result;
use crate::types::{self, PgType};

/// Tables that cannot be opened have no columns here; `lakegate.view_errors` says why.
pub(super) fn pg_attribute(builtin: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let has_acl = table.has_column("attacl");
    for definition in builtin.definitions() {
        if !table.has_oid("attrelid", definition.oid) {
            continue;
        }
        for (column, number) in definition.columns.iter().zip(1..) {
            push_attribute(
                builtin,
                table,
                &Attribute {
                    relation: definition.oid,
                    name: column.name,
                    pg_type: column.declared_type(),
                    number,
                    not_null: column.not_null,
                    collation: column.collation,
                    acl: None,
                },
            )?;
        }
    }
    let Some(inventory) = &view.inventory else {
        return Ok(());
    };
    for (_, relation) in lake_relations(view) {
        if !table.has_oid("attrelid", relation.oid) {
            continue;
        }
        let Some(columns) = inventory.columns(relation.oid) else {
            continue;
        };
        for (column, number) in columns.fields().iter().zip(1..) {
            push_attribute(
                builtin,
                table,
                &Attribute {
                    relation: relation.oid,
                    name: column.name(),
                    pg_type: types::of_field(column),
                    number,
                    // PostgreSQL states nothing of a view's columns.
                    not_null: relation.view().is_none() && !column.is_nullable(),
                    collation: None,
                    acl: match has_acl {
                        true => acl_of_column(view, relation, column.name()),
                        false => None,
                    },
                },
            )?;
        }
    }
    push_indexes(builtin, view, inventory, table)
}

/// The columns of the indexes below declared keys: those of the keys.
fn push_indexes(
    builtin: &Builtin,
    view: &SystemView,
    inventory: &Inventory,
    table: &mut Table,
) -> Result<()> {
    for key in view.snapshot.keys() {
        let columns = inventory.columns(key.relation.oid);
        let (Some(index), Some(columns)) = (key.index(), columns) else {
            continue;
        };
        if !table.has_oid("attrelid", index) {
            continue;
        }
        for (name, number) in key.key.columns.iter().zip(1..) {
            // A column may have gone from the files since the key was declared.
            let Ok(column) = columns.field_with_name(name) else {
                continue;
            };
            push_attribute(
                builtin,
                table,
                &Attribute {
                    relation: index,
                    name: name.as_str(),
                    pg_type: types::of_field(column),
                    number,
                    not_null: false,
                    collation: None,
                    acl: None,
                },
            )?;
        }
    }
    Ok(())
}

fn acl_of_column(view: &SystemView, relation: &Relation, column: &str) -> Option<String> {
    let (schema, name) = (relation.schema.clone(), relation.name.clone());
    acl(view, &Object::Column(schema, name, column.to_owned()))
}

/// What differs between rows of `pg_attribute`.
struct Attribute<'a> {
    relation: u32,
    name: &'a str,
    pg_type: PgType,
    number: i16,
    not_null: bool,
    /// `None` if it is its type's.
    collation: Option<u32>,
    acl: Option<String>,
}

fn push_attribute(builtin: &Builtin, table: &mut Table, column: &Attribute<'_>) -> Result<()> {
    let row = builtin.type_row(column.pg_type.oid);
    let dimensions = row.map_or(0, |row| i16::from(row.element != 0));
    table.push(&[
        ("attrelid", column.relation.into()),
        ("attname", column.name.into()),
        ("atttypid", column.pg_type.oid.into()),
        ("attlen", row.map_or(-1, |row| row.length).into()),
        ("attnum", column.number.into()),
        ("attcacheoff", (-1).into()),
        ("atttypmod", column.pg_type.modifier.into()),
        ("attndims", dimensions.into()),
        ("attbyval", row.is_some_and(|row| row.by_value).into()),
        (
            "attalign",
            row.map_or("i", |row: &TypeRow| &row.align).into(),
        ),
        (
            "attstorage",
            row.map_or("x", |row: &TypeRow| &row.storage).into(),
        ),
        ("attnotnull", column.not_null.into()),
        ("attislocal", true.into()),
        ("attstattarget", (-1).into()),
        (
            "attcollation",
            column
                .collation
                .or_else(|| row.map(|row| row.collation))
                .unwrap_or_default()
                .into(),
        ),
        ("attacl", Value::Written(column.acl.as_deref())),
    ])
}
