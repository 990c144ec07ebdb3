//! Schema `lakegate`: what PostgreSQL's catalog has no place for.

use super::SystemView;
use super::data::{Builtin, DefinedColumn, Definition};
use super::relations::lake_relations;
use super::table::Table;
use crate::catalog::Relation;
use crate::error::{Error, Result};
use crate::sources::Layout;
use crate::types::oid;

/// The schema's name.
pub const LAKEGATE: &str = "lakegate";

/// The schema's OID. PostgreSQL itself stays far below, objects of users begin at 16384.
pub const LAKEGATE_OID: u32 = 16000;

/// A relation of the schema: name, OID, columns.
type Own = (&'static str, u32, &'static [(&'static str, u32)]);

const RELATIONS: &[Own] = &[
    (
        "omissions",
        16001,
        &[("path", oid::TEXT), ("reason", oid::TEXT)],
    ),
    (
        "tables",
        16002,
        &[
            ("schema_name", oid::TEXT),
            ("table_name", oid::TEXT),
            ("path", oid::TEXT),
            ("layout", oid::TEXT),
        ],
    ),
    (
        "view_errors",
        16003,
        &[
            ("schema_name", oid::TEXT),
            ("relation_name", oid::TEXT),
            ("path", oid::TEXT),
            ("condition", oid::TEXT),
            ("message", oid::TEXT),
            ("detail", oid::TEXT),
            ("hint", oid::TEXT),
        ],
    ),
];

/// The relations of the schema.
pub(super) fn definitions() -> impl Iterator<Item = Definition> {
    let column = |&(name, type_oid): &(&'static str, u32)| DefinedColumn {
        name,
        type_oid,
        not_null: false,
    };
    RELATIONS
        .iter()
        .map(move |(name, oid, columns)| Definition {
            schema: LAKEGATE,
            name,
            oid: *oid,
            kind: "v",
            columns: columns.iter().map(column).collect(),
        })
}

/// What discovery found but did not make a table.
pub(super) fn omissions(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for omission in &view.snapshot.omissions {
        table.push(&[
            ("path", omission.path.as_str().into()),
            ("reason", omission.reason.as_str().into()),
        ])?;
    }
    Ok(())
}

/// Where each table's rows lie.
pub(super) fn tables(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (_, relation) in lake_relations(view) {
        let lake_table = relation.table.as_ref().ok();
        let layout = lake_table.map(|lake_table| match lake_table.layout {
            Layout::Delta => "delta",
            Layout::Folder => "folder",
            Layout::File => "file",
        });
        table.push(&[
            ("schema_name", relation.schema.as_str().into()),
            ("table_name", relation.name.as_str().into()),
            ("path", path_of(relation).into()),
            ("layout", layout.into()),
        ])?;
    }
    Ok(())
}

/// The relations that cannot be read, and why.
pub(super) fn view_errors(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (_, relation) in lake_relations(view) {
        let inventory = view.inventory.as_deref();
        let opened = inventory.and_then(|inventory| inventory.get(&relation.oid)?.as_ref().err());
        if let Some(error) = relation.table.as_ref().err().or(opened) {
            push_error(table, relation, error)?;
        }
    }
    Ok(())
}

fn push_error(table: &mut Table, relation: &Relation, error: &Error) -> Result<()> {
    let condition = format!("{:?}", error.kind());
    table.push(&[
        ("schema_name", relation.schema.as_str().into()),
        ("relation_name", relation.name.as_str().into()),
        ("path", path_of(relation).into()),
        ("condition", condition.as_str().into()),
        ("message", error.message().into()),
        ("detail", error.detail().into()),
        ("hint", error.hint().into()),
    ])
}

fn path_of(relation: &Relation) -> Option<&str> {
    let table = relation.table.as_ref().ok()?;
    Some(table.path.as_str())
}
