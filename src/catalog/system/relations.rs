//! `pg_class`, `pg_namespace` and the views of PostgreSQL over them.

use super::acl::{acl, owner};
use super::data::{Builtin, Definition, INFORMATION_SCHEMA_OID, PG_CATALOG_OID};
use super::keys::BTREE;
use super::lakegate::{LAKEGATE, LAKEGATE_OID};
use super::roles::owner_of_all;
use super::table::{Table, Value};
use super::{OWNER_OID, SystemView};
use crate::auth::Object;
use crate::catalog::Relation;
use crate::error::Result;
use crate::sources::Size;

/// The bytes of a page, in which `relpages` counts: BLCKSZ of PostgreSQL.
const PAGE_BYTES: u64 = 8192;

/// `record_in`, `record_out`, `record_recv` and `record_send`.
const RECORD_FUNCTIONS: [u32; 4] = [2290, 2291, 2402, 2403];
/// `array_in`, `array_out`, `array_recv` and `array_send`.
const ARRAY_FUNCTIONS: [u32; 4] = [750, 751, 2400, 2401];
/// `array_subscript_handler`.
const ARRAY_SUBSCRIPT: u32 = 6179;
/// `array_typanalyze`.
const ARRAY_TYPANALYZE: u32 = 3816;

/// The OID of the schema of a system relation.
pub(super) fn namespace_of(definition: &Definition) -> u32 {
    match definition.schema {
        "pg_catalog" => PG_CATALOG_OID,
        LAKEGATE => LAKEGATE_OID,
        _ => INFORMATION_SCHEMA_OID,
    }
}

/// The relations of the lake, with the OIDs of their schemas.
pub(super) fn lake_relations(view: &SystemView) -> impl Iterator<Item = (u32, &Relation)> {
    view.snapshot.schemas.values().flat_map(|schema| {
        let relations = schema.relations.values();
        relations.map(|relation| (schema.oid, relation.as_ref()))
    })
}

/// `relkind`: an ordinary table, a foreign one, or a view of either kind.
fn kind_of(relation: &Relation) -> &'static str {
    match (relation.view(), relation.foreign()) {
        (Some(view), _) if view.materialized.is_some() => "m",
        (Some(_), _) => "v",
        (_, Some(_)) => "f",
        (None, None) => "r",
    }
}

/// The schemas of the lake, and that of Lakegate's own relations.
pub(super) fn pg_namespace(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let lake = view.snapshot.schemas.iter();
    let lake = lake.map(|(name, schema)| (name.as_str(), schema.oid));
    for (name, oid) in lake.chain([(LAKEGATE, LAKEGATE_OID)]) {
        let object = Object::schema(name);
        let privileges = match name {
            LAKEGATE => None,
            _ => acl(view, &object),
        };
        table.push(&[
            ("oid", oid.into()),
            ("nspname", name.into()),
            ("nspowner", owner(view, &object).0.into()),
            ("nspacl", Value::Written(privileges.as_deref())),
        ])?;
    }
    Ok(())
}

/// The tables of the lake, and the system relations themselves.
pub(super) fn pg_class(builtin: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for definition in builtin.definitions() {
        push_class(
            table,
            &Class {
                oid: definition.oid,
                name: definition.name,
                namespace: namespace_of(definition),
                row_type: 0,
                kind: definition.kind,
                n_columns: definition.columns.len(),
                identity: "n",
                owner: OWNER_OID,
                acl: None,
                options: None,
                access_method: 0,
                keys: (false, false),
                has_row_security: false,
                forces_row_security: false,
                size: None,
            },
        )?;
    }
    let authority = view.snapshot.views.authority.as_ref();
    let has_acl = table.has_column("relacl");
    for (namespace, relation) in lake_relations(view) {
        if !table.has_oid("oid", relation.oid) || !table.has("relname", &relation.name) {
            continue;
        }
        let object = Object::relation(&relation.schema, &relation.name);
        let inventory = view.inventory.as_deref();
        let columns = inventory.and_then(|inventory| inventory.columns(relation.oid));
        push_class(
            table,
            &Class {
                oid: relation.oid,
                name: &relation.name,
                namespace,
                row_type: relation.row_type,
                kind: kind_of(relation),
                n_columns: columns.map_or(0, |columns| columns.fields().len()),
                // As heap_create has it: of rows that are elsewhere nobody asks which they are.
                identity: match kind_of(relation) {
                    "r" | "m" => "d",
                    _ => "n",
                },
                owner: owner(view, &object).0,
                acl: match has_acl {
                    true => acl(view, &object),
                    false => None,
                },
                options: relation
                    .view()
                    .filter(|view| view.security_invoker)
                    .map(|_| "{security_invoker=true}"),
                access_method: 0,
                keys: view.snapshot.key_facts(relation),
                has_row_security: authority.has_row_security(&object),
                forces_row_security: authority.forces_row_security(&object),
                size: inventory.and_then(|inventory| inventory.size(relation.oid)),
            },
        )?;
    }
    push_indexes(view, table)
}

/// The types of the rows of the lake's relations, and of arrays of them.
pub(super) fn pg_type(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (namespace, relation) in lake_relations(view) {
        let types = [relation.row_type, relation.row_array];
        if !types.iter().any(|oid| table.has_oid("oid", *oid)) {
            continue;
        }
        let object = Object::relation(&relation.schema, &relation.name);
        let owner = owner(view, &object).0;
        let array_name = format!("_{}", relation.name);
        push_type(
            table,
            &RowType {
                oid: relation.row_type,
                name: &relation.name,
                kind: ("c", "C"),
                relation: relation.oid,
                subscript: 0,
                element: 0,
                array: relation.row_array,
                functions: RECORD_FUNCTIONS,
                analyze: 0,
            },
            (namespace, owner),
        )?;
        push_type(
            table,
            &RowType {
                oid: relation.row_array,
                name: &array_name,
                kind: ("b", "A"),
                relation: 0,
                subscript: ARRAY_SUBSCRIPT,
                element: relation.row_type,
                array: 0,
                functions: ARRAY_FUNCTIONS,
                analyze: ARRAY_TYPANALYZE,
            },
            (namespace, owner),
        )?;
    }
    Ok(())
}

/// What differs between the type of a relation's rows and that of arrays of them.
struct RowType<'a> {
    oid: u32,
    name: &'a str,
    /// `typtype` and `typcategory`.
    kind: (&'a str, &'a str),
    relation: u32,
    subscript: u32,
    element: u32,
    array: u32,
    /// Those that read and write values, in text and binary.
    functions: [u32; 4],
    analyze: u32,
}

fn push_type(
    table: &mut Table,
    row_type: &RowType<'_>,
    (namespace, owner): (u32, u32),
) -> Result<()> {
    let [input, output, receive, send] = row_type.functions;
    table.push(&[
        ("oid", row_type.oid.into()),
        ("typname", row_type.name.into()),
        ("typnamespace", namespace.into()),
        ("typowner", owner.into()),
        ("typlen", (-1i16).into()),
        ("typtype", row_type.kind.0.into()),
        ("typcategory", row_type.kind.1.into()),
        ("typisdefined", true.into()),
        ("typdelim", ",".into()),
        ("typrelid", row_type.relation.into()),
        ("typsubscript", row_type.subscript.into()),
        ("typelem", row_type.element.into()),
        ("typarray", row_type.array.into()),
        ("typinput", input.into()),
        ("typoutput", output.into()),
        ("typreceive", receive.into()),
        ("typsend", send.into()),
        ("typanalyze", row_type.analyze.into()),
        ("typalign", "d".into()),
        ("typstorage", "x".into()),
        ("typtypmod", (-1).into()),
    ])
}

/// The indexes below declared keys.
fn push_indexes(view: &SystemView, table: &mut Table) -> Result<()> {
    for key in view.snapshot.keys() {
        let Some(oid) = key.index() else { continue };
        let object = Object::relation(&key.relation.schema, &key.relation.name);
        push_class(
            table,
            &Class {
                oid,
                name: &key.key.name,
                namespace: key.namespace,
                row_type: 0,
                kind: "i",
                n_columns: key.key.columns.len(),
                identity: "n",
                owner: owner(view, &object).0,
                acl: None,
                options: None,
                access_method: BTREE,
                keys: (false, false),
                has_row_security: false,
                forces_row_security: false,
                size: None,
            },
        )?;
    }
    Ok(())
}

/// What differs between rows of `pg_class`.
struct Class<'a> {
    oid: u32,
    name: &'a str,
    namespace: u32,
    /// `reltype`; 0 of those whose rows have none.
    row_type: u32,
    kind: &'a str,
    /// 0 if unknown: the table was not opened for this.
    n_columns: usize,
    /// `relreplident`.
    identity: &'a str,
    owner: u32,
    acl: Option<String>,
    /// `reloptions`, as an array is written.
    options: Option<&'a str>,
    /// `relam`; tables here have none.
    access_method: u32,
    /// Whether unique keys are declared, and whether foreign keys come or go. PostgreSQL's own have
    /// triggers, by which psql decides whether to look for them.
    keys: (bool, bool),
    has_row_security: bool,
    forces_row_security: bool,
    /// What a table holds, once it was opened.
    size: Option<Size>,
}

fn push_class(table: &mut Table, class: &Class<'_>) -> Result<()> {
    let pages = class.size.map_or(0, |size| size.bytes.div_ceil(PAGE_BYTES));
    // -1 is unknown, as of a table of PostgreSQL's that was never analyzed.
    let rows = class.size.and_then(|size| size.rows);
    let rows = rows.map_or("-1".to_owned(), |rows| rows.to_string());
    table.push(&[
        ("oid", class.oid.into()),
        ("relname", class.name.into()),
        ("relnamespace", class.namespace.into()),
        ("reltype", class.row_type.into()),
        ("relowner", class.owner.into()),
        ("relam", class.access_method.into()),
        ("relpages", i32::try_from(pages).unwrap_or(i32::MAX).into()),
        ("reltuples", rows.as_str().into()),
        ("relhasindex", class.keys.0.into()),
        ("relpersistence", "p".into()),
        ("relkind", class.kind.into()),
        (
            "relnatts",
            i16::try_from(class.n_columns).unwrap_or(i16::MAX).into(),
        ),
        ("relhasrules", matches!(class.kind, "v" | "m").into()),
        ("relhastriggers", class.keys.1.into()),
        ("relrowsecurity", class.has_row_security.into()),
        ("relforcerowsecurity", class.forces_row_security.into()),
        ("relispopulated", true.into()),
        ("relreplident", class.identity.into()),
        ("relacl", Value::Written(class.acl.as_deref())),
        ("reloptions", Value::Written(class.options)),
    ])
}

/// The tables of the lake, and the system relations that are tables.
pub(super) fn pg_tables(builtin: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let definitions = builtin.definitions().iter();
    let system = definitions
        .filter(|definition| definition.kind == "r")
        .map(|definition| (definition.schema, definition.name, false));
    let lake = lake_relations(view).filter(|(_, relation)| kind_of(relation) == "r");
    let authority = view.snapshot.views.authority.as_ref();
    let lake = lake.map(|(_, relation)| {
        let (schema, name) = (relation.schema.as_str(), relation.name.as_str());
        let object = Object::relation(schema, name);
        (schema, name, authority.has_row_security(&object))
    });
    for (schema, name, has_row_security) in system.chain(lake) {
        table.push(&[
            ("schemaname", schema.into()),
            ("tablename", name.into()),
            ("tableowner", owner_of_all(view).into()),
            ("hasindexes", false.into()),
            ("hasrules", false.into()),
            ("hastriggers", false.into()),
            ("rowsecurity", has_row_security.into()),
        ])?;
    }
    Ok(())
}

/// The views of the views folder, and the system relations that are views. The definitions of
/// those are not SQL.
pub(super) fn pg_views(builtin: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let definitions = builtin.definitions().iter();
    for definition in definitions.filter(|definition| definition.kind == "v") {
        table.push(&[
            ("schemaname", definition.schema.into()),
            ("viewname", definition.name.into()),
            ("viewowner", owner_of_all(view).into()),
        ])?;
    }
    for (_, relation) in lake_relations(view) {
        let definition = relation.view();
        let Some(definition) = definition.filter(|view| view.materialized.is_none()) else {
            continue;
        };
        table.push(&[
            ("schemaname", relation.schema.as_str().into()),
            ("viewname", relation.name.as_str().into()),
            (
                "viewowner",
                owner(view, &Object::relation(&relation.schema, &relation.name))
                    .1
                    .into(),
            ),
            ("definition", definition.text().as_str().into()),
        ])?;
    }
    Ok(())
}

/// The materialized views of the views folder. All of them can be read at any time: one whose rows
/// are not there, or not those of now, is answered by its query.
pub(super) fn pg_matviews(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (_, relation) in lake_relations(view) {
        let definition = relation.view();
        let Some(definition) = definition.filter(|view| view.materialized.is_some()) else {
            continue;
        };
        let owned = Object::relation(&relation.schema, &relation.name);
        table.push(&[
            ("schemaname", relation.schema.as_str().into()),
            ("matviewname", relation.name.as_str().into()),
            ("matviewowner", owner(view, &owned).1.into()),
            ("hasindexes", view.snapshot.key_facts(relation).0.into()),
            ("ispopulated", true.into()),
            ("definition", definition.text().as_str().into()),
        ])?;
    }
    Ok(())
}
