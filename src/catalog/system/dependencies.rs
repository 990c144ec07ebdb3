//! What views read: `pg_rewrite` and `pg_depend`, as if each view had PostgreSQL's rule for it.

use super::data::Builtin;
use super::lakegate::{LAKEGATE, LAKEGATE_OID};
use super::relations::lake_relations;
use super::table::Table;
use super::{OWNER_OID, SystemView};
use crate::catalog::snapshot::oid_of;
use crate::catalog::views::View;
use crate::catalog::{PUBLIC, Relation, Snapshot};
use crate::error::Result;

/// The OID of the extension that schema `lakegate` is of. PostgreSQL's own stay below, and what has an OID
/// below 16384 came with the server.
const EXTENSION_OID: u32 = 16_100;

/// The OID of a view's rule, stable over restarts.
fn rule_oid(view: &Relation) -> u32 {
    oid_of(&format!("rule\0{}\0{}", view.schema, view.name))
}

impl Snapshot {
    /// The relations of the lake that a view reads, each once.
    fn read_by(&self, view: &View) -> Vec<(u32, &Relation)> {
        let mut found: Vec<(u32, &Relation)> = Vec::new();
        for (schema, name) in &view.reads {
            let schemas = match schema {
                Some(schema) => vec![schema.as_str()],
                None => vec![view.schema.as_str(), PUBLIC],
            };
            let relation = schemas.into_iter().find_map(|schema| {
                let found = self.find(schema, name, |_| false).ok()??;
                let schema = self.schemas.get(&found.schema)?;
                Some((schema.oid, schema.relations.get(&found.name)?.as_ref()))
            });
            if let Some(relation) = relation
                && found.iter().all(|(_, other)| other.oid != relation.1.oid)
            {
                found.push(relation);
            }
        }
        found
    }
}

/// Schema `lakegate` is an extension's, so that pg_dump leaves it to the server that has it.
pub(super) fn pg_extension(_: &Builtin, _: &SystemView, table: &mut Table) -> Result<()> {
    table.push(&[
        ("oid", EXTENSION_OID.into()),
        ("extname", LAKEGATE.into()),
        ("extowner", OWNER_OID.into()),
        ("extnamespace", LAKEGATE_OID.into()),
        ("extversion", env!("CARGO_PKG_VERSION").into()),
    ])
}

/// The rule `_RETURN` of each view.
pub(super) fn pg_rewrite(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (_, relation) in lake_relations(view).filter(|(_, it)| it.view().is_some()) {
        table.push(&[
            ("oid", rule_oid(relation).into()),
            ("rulename", "_RETURN".into()),
            ("ev_class", relation.oid.into()),
            ("ev_type", "1".into()),
            ("ev_enabled", "O".into()),
            ("is_instead", true.into()),
            ("ev_qual", "<>".into()),
            ("ev_action", "<>".into()),
        ])?;
    }
    Ok(())
}

/// That views need what they read, their rules the views, and relations their schemas.
pub(super) fn pg_depend(builtin: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let catalog = |name| {
        builtin
            .definition("pg_catalog", name)
            .map_or(0, |it| it.oid)
    };
    let (classes, rules) = (catalog("pg_class"), catalog("pg_rewrite"));
    let (namespaces, extensions) = (catalog("pg_namespace"), catalog("pg_extension"));
    let mut push = |of: (u32, u32), on: (u32, u32), kind: &str| {
        table.push(&[
            ("classid", of.0.into()),
            ("objid", of.1.into()),
            ("refclassid", on.0.into()),
            ("refobjid", on.1.into()),
            ("deptype", kind.into()),
        ])
    };
    let extension = (extensions, EXTENSION_OID);
    push((namespaces, LAKEGATE_OID), extension, "e")?;
    let own = builtin.definitions().iter();
    for definition in own.filter(|it| it.schema == LAKEGATE) {
        push((classes, definition.oid), extension, "e")?;
    }
    for (namespace, relation) in lake_relations(view) {
        push((classes, relation.oid), (namespaces, namespace), "n")?;
        let Some(definition) = relation.view() else {
            continue;
        };
        let rule = rule_oid(relation);
        push((rules, rule), (classes, relation.oid), "i")?;
        push((rules, rule), (classes, relation.oid), "n")?;
        for (_, read) in view.snapshot.read_by(definition) {
            push((rules, rule), (classes, read.oid), "n")?;
        }
    }
    Ok(())
}

/// The relations that views read, for their owners.
pub(super) fn view_table_usage(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let rights = view.rights();
    let database = view.database.as_str();
    for (_, relation) in lake_relations(view) {
        let Some(definition) = relation.view() else {
            continue;
        };
        for (_, read) in view.snapshot.read_by(definition) {
            if !rights.own(&crate::auth::Object::relation(&read.schema, &read.name)) {
                continue;
            }
            table.push(&[
                ("view_catalog", database.into()),
                ("view_schema", relation.schema.as_str().into()),
                ("view_name", relation.name.as_str().into()),
                ("table_catalog", database.into()),
                ("table_schema", read.schema.as_str().into()),
                ("table_name", read.name.as_str().into()),
            ])?;
        }
    }
    Ok(())
}
