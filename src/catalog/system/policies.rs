//! Row policies and column masks as the catalog shows them: `pg_policy`, `pg_policies`,
//! `pg_seclabel` and `pg_seclabels`.

use super::SystemView;
use super::data::{Builtin, Definition};
use super::relations::lake_relations;
use super::roles::role_oid;
use super::table::{Table, Value};
use crate::auth::{Mask, Object, Policy};
use crate::catalog::Relation;
use crate::catalog::snapshot::oid_of;
use crate::catalog::sql::identifier;
use crate::catalog::views::label_of;
use crate::error::Result;

/// The provider of the labels that mask columns.
const PROVIDER: &str = "lakegate";

/// The policies of the relations that are there.
fn policies(view: &SystemView) -> impl Iterator<Item = (&Relation, &Policy)> {
    let authority = view.snapshot.views.authority.as_ref();
    lake_relations(view).flat_map(move |(_, relation)| {
        let object = Object::relation(&relation.schema, &relation.name);
        let own = authority.policies().filter(move |it| it.relation == object);
        own.map(move |policy| (relation, policy))
    })
}

/// A condition as `pg_get_expr` shows it.
fn shown(policy: &Policy) -> Option<String> {
    let using = policy.using.as_ref()?;
    Some(format!("({using})"))
}

/// The policies, each with the OIDs of its roles; 0 is PUBLIC.
pub(super) fn pg_policy(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let authority = view.snapshot.views.authority.as_ref();
    for (relation, policy) in policies(view) {
        let names = policy.roles.iter();
        let oids = names.filter_map(|role| role_oid(authority, &view.actor, role));
        let mut oids: Vec<String> = oids.map(|oid| oid.to_string()).collect();
        if policy.roles.is_empty() {
            oids.push("0".to_owned());
        }
        let (schema, name) = (&relation.schema, &relation.name);
        let oid = oid_of(&format!("policy\0{schema}\0{name}\0{}", policy.name));
        let roles = format!("{{{}}}", oids.join(","));
        table.push(&[
            ("oid", oid.into()),
            ("polname", policy.name.as_str().into()),
            ("polrelid", relation.oid.into()),
            ("polcmd", policy.command.letter().into()),
            ("polpermissive", policy.is_permissive.into()),
            ("polroles", Value::Written(Some(&roles))),
            ("polqual", shown(policy).as_deref().into()),
        ])?;
    }
    Ok(())
}

/// The policies, each with the names of its roles.
pub(super) fn pg_policies(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (relation, policy) in policies(view) {
        let mut roles: Vec<String> = policy.roles.iter().map(|role| quoted(role)).collect();
        if policy.roles.is_empty() {
            roles.push("public".to_owned());
        }
        let roles = format!("{{{}}}", roles.join(","));
        let permissive = match policy.is_permissive {
            true => "PERMISSIVE",
            false => "RESTRICTIVE",
        };
        table.push(&[
            ("schemaname", relation.schema.as_str().into()),
            ("tablename", relation.name.as_str().into()),
            ("policyname", policy.name.as_str().into()),
            ("permissive", permissive.into()),
            ("roles", Value::Written(Some(&roles))),
            ("cmd", policy.command.word().into()),
            ("qual", shown(policy).as_deref().into()),
        ])?;
    }
    Ok(())
}

/// An element of an array as `array_out` writes it.
fn quoted(element: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    match !element.is_empty() && element.chars().all(is_plain) && element != "null" {
        true => element.to_owned(),
        false => format!("\"{}\"", element.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// The masks of columns that are there, with their relations and the columns' numbers.
fn masks(view: &SystemView) -> Vec<(u32, &Relation, i32, &Mask)> {
    let authority = view.snapshot.views.authority.as_ref();
    let inventory = view.inventory.as_deref();
    let mut found = Vec::new();
    for (namespace, relation) in lake_relations(view) {
        let object = Object::relation(&relation.schema, &relation.name);
        for mask in authority.masks().filter(|mask| mask.relation == object) {
            let columns = inventory.and_then(|it| it.columns(relation.oid));
            let index = columns.and_then(|columns| columns.index_of(&mask.column).ok());
            let number = index.and_then(|index| i32::try_from(index + 1).ok());
            if let Some(number) = number {
                found.push((namespace, relation, number, mask));
            }
        }
    }
    found
}

fn class_oid(builtin: &Builtin) -> u32 {
    let class: Option<&Definition> = builtin.definition("pg_catalog", "pg_class");
    class.map_or(0, |class| class.oid)
}

/// The labels of masked columns.
pub(super) fn pg_seclabel(builtin: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (_, relation, number, mask) in masks(view) {
        table.push(&[
            ("objoid", relation.oid.into()),
            ("classoid", class_oid(builtin).into()),
            ("objsubid", number.into()),
            ("provider", PROVIDER.into()),
            ("label", label_of(mask).as_str().into()),
        ])?;
    }
    Ok(())
}

/// The same, with the columns' names.
pub(super) fn pg_seclabels(builtin: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (namespace, relation, number, mask) in masks(view) {
        let names = [&relation.schema, &relation.name, &mask.column];
        let name = names.map(|name| identifier(name)).join(".");
        table.push(&[
            ("objoid", relation.oid.into()),
            ("classoid", class_oid(builtin).into()),
            ("objsubid", number.into()),
            ("objtype", "column".into()),
            ("objnamespace", namespace.into()),
            ("objname", name.as_str().into()),
            ("provider", PROVIDER.into()),
            ("label", label_of(mask).as_str().into()),
        ])?;
    }
    Ok(())
}
