//! `information_schema`: the standard's view of schemas, tables and columns.

use super::SystemView;
use super::acl::owner;
use super::data::{Builtin, PG_CATALOG_OID};
use super::relations::lake_relations;
use super::table::{Table, Value};
use crate::auth::Object;
use crate::error::Result;
use crate::types::{self, PgType, oid};

/// Every schema, the system's among them.
pub(super) fn schemata(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let rights = view.rights();
    let lake = view.snapshot.schemas.keys().map(String::as_str);
    let lake = lake.filter(|name| {
        let object = Object::schema(name);
        rights.own(&object)
            || object
                .privileges()
                .iter()
                .any(|it| rights.may(*it, &object))
    });
    for name in lake.chain(["information_schema", "lakegate", "pg_catalog"]) {
        table.push(&[
            ("catalog_name", view.database.as_str().into()),
            ("schema_name", name.into()),
            ("schema_owner", owner(view, &Object::schema(name)).1.into()),
        ])?;
    }
    Ok(())
}

/// Every relation, the system's among them.
pub(super) fn tables(builtin: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let definitions = builtin.definitions().iter();
    let system = definitions.map(|definition| {
        let table_type = match definition.kind {
            "r" => "BASE TABLE",
            _ => "VIEW",
        };
        (definition.schema, definition.name, table_type)
    });
    let rights = view.rights();
    let lake = lake_relations(view);
    let lake = lake.filter(|(_, relation)| rights.may_any(&relation.schema, &relation.name));
    let lake = lake.map(|(_, relation)| {
        let names = (relation.schema.as_str(), relation.name.as_str());
        let table_type = match (relation.view(), relation.foreign()) {
            (Some(_), _) => "VIEW",
            (_, Some(_)) => "FOREIGN",
            (None, None) => "BASE TABLE",
        };
        (names.0, names.1, table_type)
    });
    for (schema, name, table_type) in lake.chain(system) {
        table.push(&[
            ("table_catalog", view.database.as_str().into()),
            ("table_schema", schema.into()),
            ("table_name", name.into()),
            ("table_type", table_type.into()),
            ("is_insertable_into", "NO".into()),
            ("is_typed", "NO".into()),
        ])?;
    }
    Ok(())
}

/// The views of the views folder, and the system relations that are views. The definitions of
/// those are not SQL.
pub(super) fn views(builtin: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let rights = view.rights();
    let own = lake_relations(view).filter_map(|(_, relation)| {
        let (schema, name) = (relation.schema.as_str(), relation.name.as_str());
        let text = relation.view()?.text();
        // As in PostgreSQL, the definition is its owner's to see.
        let text = rights.own(&Object::relation(schema, name)).then_some(text);
        rights.may_any(schema, name).then_some((schema, name, text))
    });
    let definitions = builtin.definitions().iter();
    let system = definitions
        .filter(|definition| definition.kind == "v")
        .map(|definition| (definition.schema, definition.name, None));
    for (schema, name, text) in own.chain(system) {
        table.push(&[
            ("table_catalog", view.database.as_str().into()),
            ("table_schema", schema.into()),
            ("table_name", name.into()),
            ("view_definition", text.as_deref().into()),
            ("check_option", "NONE".into()),
            ("is_updatable", "NO".into()),
            ("is_insertable_into", "NO".into()),
            ("is_trigger_updatable", "NO".into()),
            ("is_trigger_deletable", "NO".into()),
            ("is_trigger_insertable_into", "NO".into()),
        ])?;
    }
    Ok(())
}

/// Every column, the system's among them. Tables that cannot be opened have none here;
/// `lakegate.view_errors` says why.
pub(super) fn columns(builtin: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let rights = view.rights();
    let inventory = view.inventory.as_deref();
    for (_, relation) in lake_relations(view) {
        let columns = inventory.and_then(|inventory| inventory.columns(relation.oid));
        let (schema, name) = (&relation.schema, &relation.name);
        let is_wanted = table.has("table_schema", schema) && table.has("table_name", name);
        let Some(columns) = columns.filter(|_| is_wanted) else {
            continue;
        };
        let numbered = columns.fields().iter().zip(1..);
        for (column, position) in
            numbered.filter(|(column, _)| rights.may_any_of_column(schema, name, column.name()))
        {
            push_column(
                builtin,
                view,
                table,
                &Column {
                    schema: &relation.schema,
                    table: &relation.name,
                    name: column.name(),
                    position,
                    nullable: relation.view().is_some() || column.is_nullable(),
                    pg_type: types::of_field(column),
                },
            )?;
        }
    }
    for definition in builtin.definitions() {
        if !table.has("table_schema", definition.schema)
            || !table.has("table_name", definition.name)
        {
            continue;
        }
        for (column, position) in definition.columns.iter().zip(1..) {
            push_column(
                builtin,
                view,
                table,
                &Column {
                    schema: definition.schema,
                    table: definition.name,
                    name: column.name,
                    position,
                    nullable: !column.not_null,
                    pg_type: column.pg_type(),
                },
            )?;
        }
    }
    Ok(())
}

/// What differs between rows of `columns`.
struct Column<'a> {
    schema: &'a str,
    table: &'a str,
    name: &'a str,
    position: i32,
    nullable: bool,
    pg_type: PgType,
}

fn push_column(
    builtin: &Builtin,
    view: &SystemView,
    table: &mut Table,
    column: &Column<'_>,
) -> Result<()> {
    let database = view.database.as_str();
    let position = column.position.to_string();
    let row = builtin.type_row(column.pg_type.oid);
    let (precision, radix, scale) = numeric_facts(column.pg_type);
    table.push(&[
        ("table_catalog", database.into()),
        ("table_schema", column.schema.into()),
        ("table_name", column.table.into()),
        ("column_name", column.name.into()),
        ("ordinal_position", column.position.into()),
        (
            "is_nullable",
            if column.nullable { "YES" } else { "NO" }.into(),
        ),
        (
            "data_type",
            data_type(builtin, column.pg_type).as_str().into(),
        ),
        (
            "character_octet_length",
            character_octets(column.pg_type.oid),
        ),
        ("numeric_precision", precision),
        ("numeric_precision_radix", radix),
        ("numeric_scale", scale),
        ("datetime_precision", datetime_precision(column.pg_type.oid)),
        ("udt_catalog", database.into()),
        ("udt_schema", "pg_catalog".into()),
        ("udt_name", row.map(|row| row.name.as_str()).into()),
        ("dtd_identifier", position.as_str().into()),
        ("is_self_referencing", "NO".into()),
        ("is_identity", "NO".into()),
        ("identity_cycle", "NO".into()),
        ("is_generated", "NEVER".into()),
        ("is_updatable", "NO".into()),
    ])
}

/// Arrays are ARRAY, other types of `pg_catalog` have their names without modifiers.
fn data_type(builtin: &Builtin, pg_type: PgType) -> String {
    let row = builtin.type_row(pg_type.oid);
    match row {
        Some(row) if row.element != 0 => "ARRAY".to_owned(),
        Some(row) if row.namespace == PG_CATALOG_OID => {
            types::format_type(pg_type.oid, -1).unwrap_or_else(|| row.name.clone())
        }
        _ => "USER-DEFINED".to_owned(),
    }
}

// As _pg_char_octet_length in information_schema.sql: 2^30 for text of no fixed length.
fn character_octets(type_oid: u32) -> Value<'static> {
    match type_oid {
        oid::TEXT | oid::VARCHAR | oid::BPCHAR => Value::Int(1 << 30),
        _ => Value::Null,
    }
}

// As _pg_numeric_precision, _pg_numeric_precision_radix and _pg_numeric_scale in
// information_schema.sql.
fn numeric_facts(pg_type: PgType) -> (Value<'static>, Value<'static>, Value<'static>) {
    let binary = |bits, scale| (Value::Int(bits), Value::Int(2), scale);
    match pg_type.oid {
        oid::INT2 => binary(16, Value::Int(0)),
        oid::INT4 => binary(32, Value::Int(0)),
        oid::INT8 => binary(64, Value::Int(0)),
        oid::FLOAT4 => binary(24, Value::Null),
        oid::FLOAT8 => binary(53, Value::Null),
        oid::NUMERIC if pg_type.modifier < 4 => (Value::Null, Value::Int(10), Value::Null),
        oid::NUMERIC => {
            let packed = i64::from(pg_type.modifier - 4);
            let (precision, scale) = (Value::Int(packed >> 16), Value::Int(packed & 0x7ff));
            (precision, Value::Int(10), scale)
        }
        _ => (Value::Null, Value::Null, Value::Null),
    }
}

fn datetime_precision(type_oid: u32) -> Value<'static> {
    match type_oid {
        oid::DATE => Value::Int(0),
        oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL => Value::Int(6),
        _ => Value::Null,
    }
}
