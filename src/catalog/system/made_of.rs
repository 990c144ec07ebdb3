//! Which relations are made of what exists and of rights alone, and not of what sessions do or what time it is.

/// Those that list the system's own relations too.
const ALWAYS_WITH_ROWS: &[(&str, &str)] = &[
    ("pg_catalog", "pg_attribute"),
    ("pg_catalog", "pg_class"),
    ("pg_catalog", "pg_type"),
    ("information_schema", "columns"),
    ("information_schema", "tables"),
];

/// Others of `pg_catalog`.
const OF_CATALOG: &[&str] = &[
    "pg_constraint",
    "pg_database",
    "pg_depend",
    "pg_description",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_indexes",
    "pg_namespace",
    "pg_policies",
    "pg_policy",
    "pg_rewrite",
    "pg_tables",
    "pg_views",
];

/// Others of `information_schema`.
const OF_INFORMATION_SCHEMA: &[&str] = &[
    "character_sets",
    "check_constraints",
    "collations",
    "constraint_column_usage",
    "constraint_table_usage",
    "key_column_usage",
    "referential_constraints",
    "schemata",
    "table_constraints",
    "view_table_usage",
    "views",
];

/// Whether a relation has rows in every lake.
pub(super) fn always_has_rows(schema: &str, name: &str) -> bool {
    ALWAYS_WITH_ROWS.contains(&(schema, name))
}

/// Whether a relation's rows are made of the snapshot, the inventory, whose rights count and the database's name alone.
pub(super) fn is_of_catalog(schema: &str, name: &str) -> bool {
    let listed = match schema {
        "pg_catalog" => OF_CATALOG,
        "information_schema" => OF_INFORMATION_SCHEMA,
        _ => &[],
    };
    always_has_rows(schema, name) || listed.contains(&name)
}
