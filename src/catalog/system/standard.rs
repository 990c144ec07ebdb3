//! The views of `information_schema` about the database itself: its name, its characters and their
//! orders.

use super::SystemView;
use super::data::Builtin;
use super::table::{Table, Value};
use crate::error::Result;

/// The database's name.
pub(super) fn information_schema_catalog_name(
    _: &Builtin,
    view: &SystemView,
    table: &mut Table,
) -> Result<()> {
    table.push(&[("catalog_name", view.database.as_str().into())])
}

/// The one set of characters.
pub(super) fn character_sets(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    table.push(&[
        ("character_set_name", "UTF8".into()),
        ("character_repertoire", "UCS".into()),
        ("form_of_use", "UTF8".into()),
        // The order is that of code points (C.UTF-8), which `pg_collation` does not name.
        ("default_collate_catalog", view.database.as_str().into()),
    ])
}

/// The orders of texts.
pub(super) fn collations(builtin: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for name in builtin.collations() {
        table.push(&[
            ("collation_catalog", view.database.as_str().into()),
            ("collation_schema", "pg_catalog".into()),
            ("collation_name", name.as_str().into()),
            ("pad_attribute", "NO PAD".into()),
        ])?;
    }
    Ok(())
}

/// The orders of texts, each with the set of characters.
pub(super) fn collation_character_set_applicability(
    builtin: &Builtin,
    view: &SystemView,
    table: &mut Table,
) -> Result<()> {
    for name in builtin.collations() {
        table.push(&[
            ("collation_catalog", view.database.as_str().into()),
            ("collation_schema", "pg_catalog".into()),
            ("collation_name", name.as_str().into()),
            ("character_set_catalog", Value::Null),
            ("character_set_schema", Value::Null),
            ("character_set_name", "UTF8".into()),
        ])?;
    }
    Ok(())
}
