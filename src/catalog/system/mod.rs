//! `pg_catalog`, `information_schema` and `lakegate`: relations that describe what exists.
//!
//! Every relation of PostgreSQL 16's `pg_catalog` is here with its columns. Its rows are those of
//! `data/` (types, functions, operators ...), and those that [`PROJECTIONS`] makes of the catalog;
//! of the kinds of object that Lakegate does not have there are no rows.

mod acl;
mod attributes;
mod data;
mod dependencies;
mod descriptions;
mod foreign;
mod granted;
mod information_schema;
mod keys;
mod lakegate;
mod last_rows;
mod made_of;
mod policies;
mod relations;
mod roles;
mod server;
mod sessions;
mod standard;
mod table;
mod zones;

use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

pub use data::{
    Builtin, Definition, INFORMATION_SCHEMA_OID, OperatorRow, PG_CATALOG_OID, Signature, TypeRow,
    is_type,
};
pub use descriptions::column_name;
pub use foreign::{server_oid, wrapper_oid};
pub use keys::DeclaredKey;
pub use lakegate::{LAKEGATE, LAKEGATE_OID, ViewProblem, view_problems};
pub use roles::{role_name, role_oid};
pub use sessions::{
    BackendState, CursorRow, Held, PreparedRow, ProbeRow, SessionRow, SessionsSeen, VersionRow,
};
pub use table::{columns, field};

use super::{Needs, SystemRelation, SystemView, Wanted};
use crate::error::{Error, Result};
use last_rows::LastRows;
use table::Table;

/// Schemas of the system's own relations. As in PostgreSQL, `pg_catalog` is searched first.
pub const SYSTEM_SCHEMAS: [&str; 3] = ["pg_catalog", "information_schema", LAKEGATE];

/// Whether a schema holds the system's own relations.
pub fn is_system_schema(name: &str) -> bool {
    SYSTEM_SCHEMAS.contains(&name)
}

/// The OID of the role that owns everything, as of the role `initdb` makes.
pub const OWNER_OID: u32 = 10;

/// The OID of the database, which is the only one.
pub const DATABASE_OID: u32 = 5;

/// Adds the rows about our objects.
type Fill = fn(&Builtin, &SystemView, &mut Table) -> Result<()>;

/// Schema and name of a relation, what its rows are made of, and what makes them.
type Made = (&'static str, &'static str, Needs, Fill);

/// The relations whose rows are made of the catalog.
const PROJECTIONS: &[Made] = &[
    (
        "pg_catalog",
        "pg_attribute",
        Needs::Inventory,
        attributes::pg_attribute,
    ),
    (
        "pg_catalog",
        "pg_auth_members",
        Needs::Snapshot,
        roles::pg_auth_members,
    ),
    ("pg_catalog", "pg_authid", Needs::Snapshot, roles::pg_authid),
    ("pg_catalog", "pg_class", Needs::Known, relations::pg_class),
    (
        "pg_catalog",
        "pg_cursors",
        Needs::Snapshot,
        sessions::pg_cursors,
    ),
    (
        "pg_catalog",
        "pg_database",
        Needs::Snapshot,
        server::pg_database,
    ),
    (
        "pg_catalog",
        "pg_db_role_setting",
        Needs::Snapshot,
        roles::pg_db_role_setting,
    ),
    (
        "pg_catalog",
        "pg_default_acl",
        Needs::Snapshot,
        acl::pg_default_acl,
    ),
    (
        "pg_catalog",
        "pg_description",
        Needs::Inventory,
        descriptions::pg_description,
    ),
    (
        "pg_catalog",
        "pg_extension",
        Needs::Snapshot,
        dependencies::pg_extension,
    ),
    ("pg_catalog", "pg_group", Needs::Snapshot, roles::pg_group),
    (
        "pg_catalog",
        "pg_matviews",
        Needs::Snapshot,
        relations::pg_matviews,
    ),
    (
        "pg_catalog",
        "pg_namespace",
        Needs::Snapshot,
        relations::pg_namespace,
    ),
    (
        "pg_catalog",
        "pg_policies",
        Needs::Snapshot,
        policies::pg_policies,
    ),
    (
        "pg_catalog",
        "pg_policy",
        Needs::Snapshot,
        policies::pg_policy,
    ),
    (
        "pg_catalog",
        "pg_prepared_statements",
        Needs::Snapshot,
        sessions::pg_prepared_statements,
    ),
    ("pg_catalog", "pg_roles", Needs::Snapshot, roles::pg_roles),
    (
        "pg_catalog",
        "pg_seclabel",
        Needs::Inventory,
        policies::pg_seclabel,
    ),
    (
        "pg_catalog",
        "pg_seclabels",
        Needs::Inventory,
        policies::pg_seclabels,
    ),
    (
        "pg_catalog",
        "pg_settings",
        Needs::Snapshot,
        server::pg_settings,
    ),
    (
        "pg_catalog",
        "pg_stat_activity",
        Needs::Snapshot,
        sessions::pg_stat_activity,
    ),
    (
        "pg_catalog",
        "pg_stat_gssapi",
        Needs::Snapshot,
        sessions::pg_stat_gssapi,
    ),
    ("pg_catalog", "pg_shadow", Needs::Snapshot, roles::pg_user),
    (
        "pg_catalog",
        "pg_tables",
        Needs::Snapshot,
        relations::pg_tables,
    ),
    ("pg_catalog", "pg_type", Needs::Snapshot, relations::pg_type),
    ("pg_catalog", "pg_user", Needs::Snapshot, roles::pg_user),
    (
        "pg_catalog",
        "pg_views",
        Needs::Snapshot,
        relations::pg_views,
    ),
    (
        "information_schema",
        "applicable_roles",
        Needs::Snapshot,
        granted::applicable_roles,
    ),
    (
        "information_schema",
        "column_privileges",
        Needs::Inventory,
        granted::column_privileges,
    ),
    (
        "information_schema",
        "enabled_roles",
        Needs::Snapshot,
        granted::enabled_roles,
    ),
    (
        "information_schema",
        "role_column_grants",
        Needs::Inventory,
        granted::role_column_grants,
    ),
    (
        "information_schema",
        "role_table_grants",
        Needs::Snapshot,
        granted::role_table_grants,
    ),
    (
        "information_schema",
        "table_privileges",
        Needs::Snapshot,
        granted::table_privileges,
    ),
    (
        "information_schema",
        "columns",
        Needs::Inventory,
        information_schema::columns,
    ),
    (
        "information_schema",
        "schemata",
        Needs::Snapshot,
        information_schema::schemata,
    ),
    (
        "information_schema",
        "tables",
        Needs::Snapshot,
        information_schema::tables,
    ),
    (
        "information_schema",
        "views",
        Needs::Snapshot,
        information_schema::views,
    ),
    (
        "pg_catalog",
        "pg_constraint",
        Needs::Inventory,
        keys::pg_constraint,
    ),
    (
        "pg_catalog",
        "pg_depend",
        Needs::Snapshot,
        dependencies::pg_depend,
    ),
    ("pg_catalog", "pg_index", Needs::Inventory, keys::pg_index),
    (
        "pg_catalog",
        "pg_indexes",
        Needs::Snapshot,
        keys::pg_indexes,
    ),
    (
        "pg_catalog",
        "pg_rewrite",
        Needs::Snapshot,
        dependencies::pg_rewrite,
    ),
    (
        "information_schema",
        "character_sets",
        Needs::Snapshot,
        standard::character_sets,
    ),
    (
        "information_schema",
        "check_constraints",
        Needs::Inventory,
        keys::check_constraints,
    ),
    (
        "information_schema",
        "collation_character_set_applicability",
        Needs::Snapshot,
        standard::collation_character_set_applicability,
    ),
    (
        "information_schema",
        "collations",
        Needs::Snapshot,
        standard::collations,
    ),
    (
        "information_schema",
        "constraint_column_usage",
        Needs::Snapshot,
        keys::constraint_column_usage,
    ),
    (
        "information_schema",
        "constraint_table_usage",
        Needs::Snapshot,
        keys::constraint_table_usage,
    ),
    (
        "information_schema",
        "information_schema_catalog_name",
        Needs::Snapshot,
        standard::information_schema_catalog_name,
    ),
    (
        "information_schema",
        "key_column_usage",
        Needs::Snapshot,
        keys::key_column_usage,
    ),
    (
        "information_schema",
        "referential_constraints",
        Needs::Snapshot,
        keys::referential_constraints,
    ),
    (
        "information_schema",
        "table_constraints",
        Needs::Inventory,
        keys::table_constraints,
    ),
    (
        "information_schema",
        "view_table_usage",
        Needs::Snapshot,
        dependencies::view_table_usage,
    ),
    (
        "information_schema",
        "administrable_role_authorizations",
        Needs::Snapshot,
        granted::administrable_role_authorizations,
    ),
    (
        "pg_catalog",
        "pg_timezone_names",
        Needs::Snapshot,
        zones::pg_timezone_names,
    ),
    (LAKEGATE, "omissions", Needs::Snapshot, lakegate::omissions),
    (LAKEGATE, "snapshots", Needs::Snapshot, lakegate::snapshots),
    (LAKEGATE, "tables", Needs::Snapshot, lakegate::tables),
    (LAKEGATE, "versions", Needs::Snapshot, sessions::versions),
    (
        LAKEGATE,
        "unhandled_probes",
        Needs::Snapshot,
        sessions::unhandled_probes,
    ),
    (
        LAKEGATE,
        "view_errors",
        Needs::Inventory,
        lakegate::view_errors,
    ),
];

/// All relations whose rows are made of the catalog.
fn projections() -> impl Iterator<Item = &'static Made> {
    PROJECTIONS.iter().chain(foreign::PROJECTIONS)
}

/// Whether this relation of `pg_catalog` has no rows in any lake.
pub fn never_has_rows(name: &str) -> bool {
    let made = projections().any(|(schema, of, ..)| *schema == "pg_catalog" && *of == name);
    !made && data::is_without_rows(name)
}

/// Every system relation.
pub fn relations(builtin: &Arc<Builtin>) -> Vec<Arc<dyn SystemRelation>> {
    let definitions = builtin.definitions().iter();
    definitions
        .map(|definition| {
            let projection = projections().find(|(schema, name, ..)| {
                *schema == definition.schema && *name == definition.name
            });
            Arc::new(Projection {
                builtin: Arc::clone(builtin),
                schema: definition.schema,
                name: definition.name,
                columns: OnceLock::new(),
                needs: projection.map_or(Needs::Snapshot, |(_, _, needs, _)| *needs),
                fill: projection.map(|(.., fill)| *fill),
                last: LastRows::default(),
            }) as Arc<dyn SystemRelation>
        })
        .collect()
}

/// A relation's static rows, and those made of the catalog.
#[derive(Debug)]
struct Projection {
    builtin: Arc<Builtin>,
    schema: &'static str,
    name: &'static str,
    columns: OnceLock<SchemaRef>,
    needs: Needs,
    fill: Option<Fill>,
    last: LastRows,
}

impl SystemRelation for Projection {
    fn schema_name(&self) -> &str {
        self.schema
    }

    fn name(&self) -> &str {
        self.name
    }

    fn columns(&self) -> SchemaRef {
        let columns = self.columns.get_or_init(|| {
            let columns = self.builtin.columns(self.schema, self.name);
            columns.expect("a projection is made of each definition")
        });
        Arc::clone(columns)
    }

    fn needs(&self) -> Needs {
        self.needs
    }

    fn always_has_rows(&self) -> bool {
        made_of::always_has_rows(self.schema, self.name)
    }

    fn is_of_catalog(&self) -> bool {
        self.fill.is_none() || made_of::is_of_catalog(self.schema, self.name)
    }

    fn rows(&self, view: &SystemView, wanted: &Wanted) -> Result<RecordBatch> {
        if !self.always_has_rows() {
            return self.made(view, wanted);
        }
        if let Some(rows) = self.last.get(view, wanted) {
            return Ok(rows);
        }
        let rows = self.made(view, wanted)?;
        self.last.keep(view, wanted, &rows);
        Ok(rows)
    }
}

impl Projection {
    fn made(&self, view: &SystemView, wanted: &Wanted) -> Result<RecordBatch> {
        let mut table = Table::of(self.columns(), wanted);
        if let Some(fill) = self.fill {
            fill(&self.builtin, view, &mut table)?;
        }
        let made = table.finish()?;
        let Some(fixed) = self.builtin.rows(self.schema, self.name)? else {
            return Ok(made);
        };
        let fixed = wanted.of(&fixed)?;
        match self.fill {
            None => Ok(fixed),
            Some(_) => concat_batches(&made.schema(), &[fixed, made]).map_err(Error::internal),
        }
    }
}
