//! What exists: the lake's schemas and tables, and the system relations that describe them.

mod discover;
mod inventory;
mod snapshot;
pub mod system;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use self::system::Builtin;
use crate::error::Result;
use crate::sources::LakeTable;
use crate::sources::lake::LakeSource;

/// Everything that exists at one moment. Made whole, never changed.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Grows with every snapshot that differs from the one before.
    pub epoch: u64,
    /// By name; `public` always exists.
    pub schemas: BTreeMap<String, Schema>,
    /// What discovery left out, and why.
    pub omissions: Vec<Omission>,
}

/// A schema and its relations.
#[derive(Debug, Default)]
pub struct Schema {
    /// Stable over restarts: derived from the name.
    pub oid: u32,
    /// By name, in the lake's spelling.
    pub relations: BTreeMap<String, Arc<Relation>>,
}

/// A relation of the lake.
#[derive(Debug)]
pub struct Relation {
    /// The schema's name.
    pub schema: String,
    /// The relation's name, in the lake's spelling.
    pub name: String,
    /// Stable over restarts: derived from schema and name.
    pub oid: u32,
    /// Where its rows are; an error if the name is taken twice.
    pub table: Result<LakeTable>,
}

/// A path that discovery did not make a table.
#[derive(Debug, Clone)]
pub struct Omission {
    /// Below the lake's root.
    pub path: String,
    /// Why, as a sentence for the user.
    pub reason: String,
}

/// The columns of every relation that could be opened, the error of every one that could not.
/// By the relation's OID.
pub type Inventory = HashMap<u32, Result<SchemaRef>>;

/// What a system relation may see.
#[derive(Clone, Debug)]
pub struct SystemView {
    /// What exists.
    pub snapshot: Arc<Snapshot>,
    /// Columns, present if [`SystemRelation::needs_inventory`] says so.
    pub inventory: Option<Arc<Inventory>>,
    /// The database as the session named it.
    pub database: String,
    /// The session's user.
    pub user: String,
    /// Every setting of the session by lower-case name, as SHOW prints it.
    pub settings: Arc<BTreeMap<String, String>>,
}

/// A relation of `pg_catalog`, `information_schema` or `lakegate`: rows made from what is known.
/// Upper rooms hand theirs to [`Catalog::new`], so that no ring arises.
pub trait SystemRelation: Send + Sync + std::fmt::Debug {
    /// The schema's name.
    fn schema_name(&self) -> &str;
    /// The relation's name.
    fn name(&self) -> &str;
    /// Its columns; PostgreSQL types that Arrow lacks are named in the fields' metadata
    /// ([`crate::types::TYPE_KEY`]).
    fn columns(&self) -> SchemaRef;
    /// Whether its rows need the columns of all relations.
    fn needs_inventory(&self) -> bool {
        false
    }
    /// All its rows.
    ///
    /// # Errors
    /// A fault of ours: rows that do not fit the columns.
    fn rows(&self, view: &SystemView) -> Result<RecordBatch>;
}

/// The catalog: lists the lake, and knows the system relations.
#[derive(Debug)]
pub struct Catalog {
    lake: Arc<LakeSource>,
    /// What was listed last. Stale as soon as the lake changes; `refresh` lists again.
    latest: RwLock<Option<Arc<Snapshot>>>,
    refreshes: inventory::Refreshes,
    columns: inventory::Columns,
    system: HashMap<(String, String), Arc<dyn SystemRelation>>,
    builtin: Arc<Builtin>,
}

impl Catalog {
    /// A catalog of the lake, its own system relations, and those of upper rooms.
    pub fn new(lake: Arc<LakeSource>, system: Vec<Arc<dyn SystemRelation>>) -> Self {
        let key = |relation: &Arc<dyn SystemRelation>| {
            (
                relation.schema_name().to_owned(),
                relation.name().to_owned(),
            )
        };
        let builtin = Arc::new(Builtin::default());
        let system = system::relations(&builtin)
            .into_iter()
            .chain(system)
            .map(|relation| (key(&relation), relation))
            .collect();
        Self {
            lake,
            latest: RwLock::default(),
            refreshes: inventory::Refreshes::default(),
            columns: inventory::Columns::default(),
            system,
            builtin,
        }
    }

    /// PostgreSQL's own catalog, which functions look into.
    pub fn builtin(&self) -> &Arc<Builtin> {
        &self.builtin
    }

    /// The source that pins the lake's tables.
    pub fn lake(&self) -> &LakeSource {
        &self.lake
    }

    /// The system relation of this name.
    pub fn system_relation(&self, schema: &str, name: &str) -> Option<Arc<dyn SystemRelation>> {
        self.system
            .get(&(schema.to_owned(), name.to_owned()))
            .map(Arc::clone)
    }
}

#[cfg(test)]
mod tests;
