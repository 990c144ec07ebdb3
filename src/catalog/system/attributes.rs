//! `pg_attribute`: the columns of the lake's tables and of the system relations.

use super::SystemView;
use super::acl::acl;
use super::data::{Builtin, TypeRow};
use super::relations::lake_relations;
use super::table::{Table, Value};
use crate::auth::Object;
use crate::catalog::Relation;
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
                    pg_type: column.pg_type(),
                    number,
                    not_null: column.not_null,
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
                    acl: match has_acl {
                        true => acl_of_column(view, relation, column.name()),
                        false => None,
                    },
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
        ("attcollation", row.map_or(0, |row| row.collation).into()),
        ("attacl", Value::Written(column.acl.as_deref())),
    ])
}
