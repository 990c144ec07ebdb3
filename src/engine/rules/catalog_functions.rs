//! Functions of the catalog in FROM that give the rows of a relation: `pg_timezone_names()`,
//! `pg_get_keywords()`. They are read as that relation.

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, TableAlias, TableFactor};

use super::normalize::last_part;

/// Functions without arguments, and the schema and name of the relation of their rows.
const RELATIONS: &[(&str, &str, &str)] = &[
    (
        "pg_available_extensions",
        "pg_catalog",
        "pg_available_extensions",
    ),
    ("pg_cursor", "pg_catalog", "pg_cursors"),
    ("pg_get_keywords", "lakegate", "keywords"),
    ("pg_lock_status", "pg_catalog", "pg_locks"),
    (
        "pg_prepared_statement",
        "pg_catalog",
        "pg_prepared_statements",
    ),
    ("pg_show_all_settings", "pg_catalog", "pg_settings"),
    ("pg_timezone_abbrevs", "pg_catalog", "pg_timezone_abbrevs"),
    ("pg_timezone_names", "pg_catalog", "pg_timezone_names"),
];

/// Reads the relation in place of the function, under the function's name.
pub(super) fn as_relation(factor: &mut TableFactor) {
    let TableFactor::Table {
        name, alias, args, ..
    } = factor
    else {
        return;
    };
    if !args.as_ref().is_some_and(|given| given.args.is_empty()) {
        return;
    }
    let function = last_part(name);
    let Some((_, schema, relation)) = RELATIONS.iter().find(|(of, ..)| *of == function) else {
        return;
    };
    *args = None;
    *name = ObjectName::from(vec![Ident::new(*schema), Ident::new(*relation)]);
    alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: Ident::new(function),
        columns: Vec::new(),
        at: None,
    });
}
