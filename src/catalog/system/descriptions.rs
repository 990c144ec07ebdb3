//! `pg_description`: what comments say of schemas, relations and columns of the lake.

use super::SystemView;
use super::data::Builtin;
use super::table::Table;
use crate::catalog::{Inventory, Relation, Snapshot};
use crate::error::Result;

/// The comments of the views folder.
pub(super) fn pg_description(
    builtin: &Builtin,
    view: &SystemView,
    table: &mut Table,
) -> Result<()> {
    let oid_of = |catalog| {
        builtin
            .definition("pg_catalog", catalog)
            .map(|found| found.oid)
    };
    let (Some(classes), Some(namespaces)) = (oid_of("pg_class"), oid_of("pg_namespace")) else {
        return Ok(());
    };
    for (name, schema) in &view.snapshot.schemas {
        if let Some(Some(text)) = view.snapshot.views.schemas.get(name) {
            push(table, schema.oid, namespaces, 0, text)?;
        }
        for relation in schema.relations.values() {
            if let Some(text) = view.snapshot.description(relation) {
                push(table, relation.oid, classes, 0, text)?;
            }
            let inventory = view.inventory.as_deref();
            let columns = inventory.and_then(|inventory| inventory.columns(relation.oid));
            for (column, number) in columns.iter().flat_map(|columns| columns.fields()).zip(1..) {
                if let Some(text) = view.snapshot.column_description(relation, column.name()) {
                    push(table, relation.oid, classes, number, text)?;
                }
            }
        }
    }
    Ok(())
}

fn push(table: &mut Table, object: u32, catalog: u32, column: i32, text: &str) -> Result<()> {
    table.push(&[
        ("objoid", object.into()),
        ("classoid", catalog.into()),
        ("objsubid", column.into()),
        ("description", text.into()),
    ])
}

impl Snapshot {
    /// The description of a relation.
    pub fn description<'a>(&'a self, relation: &'a Relation) -> Option<&'a str> {
        if let Some(view) = relation.view() {
            return view.description.as_deref();
        }
        let name = (relation.schema.clone(), relation.name.clone());
        let said = self.views.tables.get(&name).map(String::as_str);
        said.or_else(|| relation.foreign()?.told.comment.as_deref())
    }

    /// The description of a relation's column: what is said here, else by its source.
    pub fn column_description<'a>(
        &'a self,
        relation: &'a Relation,
        column: &str,
    ) -> Option<&'a str> {
        let name = (relation.schema.clone(), relation.name.clone());
        let key = (name, column.to_owned());
        let said = self.views.columns.get(&key);
        let told = || relation.foreign()?.told.columns.get(column);
        said.or_else(told).map(String::as_str)
    }

    /// The relation of this OID.
    pub fn relation(&self, oid: u32) -> Option<&Relation> {
        let schemas = self.schemas.values();
        let mut relations = schemas.flat_map(|schema| schema.relations.values());
        relations
            .find(|relation| relation.oid == oid)
            .map(AsRef::as_ref)
    }
}

/// The name of a relation's column by its number, counted from 1.
pub fn column_name(inventory: &Inventory, relation: u32, number: i64) -> Option<&str> {
    let columns = inventory.columns(relation)?;
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    columns
        .fields()
        .get(index)
        .map(|column| column.name().as_str())
}
