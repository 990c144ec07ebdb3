//! What exists: the lake's schemas and tables, and the system relations that describe them.

mod background;
mod capture;
mod discover;
mod folder;
mod imports;
mod inventory;
mod kept_imports;
mod kept_inventory;
mod other_lakes;
mod refresh;
mod roles;
mod snapshot;
pub mod sql;
pub mod system;
mod told_keys;
pub mod views;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use self::discover::Discovery;
pub use self::discover::PUBLIC;
pub use self::folder::Judge;
pub use self::inventory::{Inventory, MomentOf, Patience, ViewColumns};
use self::system::Builtin;
pub use self::system::{
    BackendState, CursorRow, Held, PreparedRow, ProbeRow, SessionRow, SessionsSeen, VersionRow,
};
use self::views::{Good, Keys, ReferencesOf, View, Views};
use crate::auth::{Actor, Rights};
use crate::error::{Error, Result};
use crate::sources::LakeTable;
use crate::sources::lake::LakeSource;
use crate::sources::warehouse::{ForeignTable, Warehouse};
use crate::storage::Folder;

/// Everything that exists at one moment. Made whole, never changed.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Grows with every snapshot that differs from the one before.
    pub epoch: u64,
    /// By name; `public` always exists.
    pub schemas: BTreeMap<String, Schema>,
    /// What discovery left out, and why.
    pub omissions: Vec<Omission>,
    /// The schemas of which it is not known what they hold, because their servers did not say.
    pub unlisted: BTreeMap<String, Error>,
    /// The keys that servers told of tables that are imported.
    pub told_keys: Keys,
    /// What the views folder says.
    pub views: Arc<Views>,
}

/// A schema and its relations.
#[derive(Debug, Default)]
pub struct Schema {
    /// Stable over restarts: derived from the name.
    pub oid: u32,
    /// By name, in the lake's spelling.
    pub relations: BTreeMap<String, Arc<Relation>>,
}

/// What a relation's rows are.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Those of files in the lake.
    Table(LakeTable),
    /// Those that a query gives.
    View(Arc<View>),
    /// Those of a table of a server.
    Foreign(Arc<ForeignTable>),
}

/// A table of the lake, or a view.
#[derive(Debug)]
pub struct Relation {
    /// The schema's name.
    pub schema: String,
    /// The relation's name, in the lake's spelling.
    pub name: String,
    /// Stable over restarts: derived from schema and name.
    pub oid: u32,
    /// The OID of the type of its rows, as stable.
    pub row_type: u32,
    /// That of arrays of them.
    pub row_array: u32,
    /// Where its rows come from; an error if the name is taken twice.
    pub kind: Result<Kind>,
}

impl Relation {
    /// The table of files, if it is one: of the lake, or of another that is a server.
    pub fn table(&self) -> Option<&LakeTable> {
        match &self.kind {
            Ok(Kind::Table(table)) => Some(table),
            Ok(Kind::Foreign(table)) => table.lake.as_ref(),
            _ => None,
        }
    }

    /// The table at its server, if it is one.
    pub fn foreign(&self) -> Option<&Arc<ForeignTable>> {
        match &self.kind {
            Ok(Kind::Foreign(table)) => Some(table),
            _ => None,
        }
    }

    /// The view, if it is one.
    pub fn view(&self) -> Option<&Arc<View>> {
        match &self.kind {
            Ok(Kind::View(view)) => Some(view),
            _ => None,
        }
    }
}

/// A path that discovery did not make a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omission {
    /// Below the lake's root.
    pub path: String,
    /// Why, as a sentence for the user.
    pub reason: String,
}

/// What the rows of a system relation are made of. A later one includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// What exists.
    Snapshot,
    /// What is known by now of the relations.
    Known,
    /// The columns of all relations.
    Inventory,
}

/// What a system relation may see.
#[derive(Clone, Debug)]
pub struct SystemView {
    /// What exists.
    pub snapshot: Arc<Snapshot>,
    /// What is known of the relations, present if [`SystemRelation::needs`] says so.
    pub inventory: Option<Arc<Inventory>>,
    /// The database as the session named it.
    pub database: String,
    /// As whom the statement runs.
    pub actor: Actor,
    /// Every setting of the session by lower-case name, as SHOW prints it.
    pub settings: Arc<BTreeMap<String, String>>,
    /// What sessions do and hold.
    pub sessions: SessionsSeen,
}

impl SystemView {
    /// Tells what exists, what is known of it, whose rights count and the database's name from all others that there were
    /// while the gateway runs. `None` where that is not told: a view could not be planned, and may be any moment.
    pub fn identity(&self) -> Option<String> {
        let known = match &self.inventory {
            Some(inventory) => Some(inventory.identity()?),
            None => None,
        };
        let (epoch, actor, database) = (self.snapshot.epoch, &self.actor, &self.database);
        Some(format!("{epoch} {known:?} {actor:?} {database:?}"))
    }

    /// The rights of whom the statement runs as.
    pub fn rights(&self) -> Rights<'_> {
        self.snapshot.views.authority.rights_of(&self.actor)
    }
}

/// What a scan of a system relation wants.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The numbers of the columns, in order; `None` for all.
    pub columns: Option<Vec<usize>>,
    /// What columns must be: rows in which they are something else may be left out.
    pub only: Vec<Only>,
}

/// The values that a column may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Only {
    /// The column's name.
    pub column: String,
    /// The values as text, names and OIDs.
    pub values: Vec<String>,
}

impl Wanted {
    /// The wanted columns of all rows.
    ///
    /// # Errors
    /// A fault of ours: there is no such column.
    pub fn of(&self, whole: &RecordBatch) -> Result<RecordBatch> {
        match &self.columns {
            Some(columns) => whole.project(columns).map_err(Error::internal),
            None => Ok(whole.clone()),
        }
    }

    /// Whether rows are wanted in which a column is this.
    pub fn has(&self, column: &str, value: &str) -> bool {
        let mut conditions = self.only.iter().filter(|only| only.column == column);
        conditions.all(|only| only.values.iter().any(|wanted| wanted == value))
    }
}

/// A relation of `pg_catalog`, `information_schema` or `lakegate`: rows made from what is known.
/// Upper rooms hand theirs to [`Catalog::new`], so that no ring arises.
pub trait SystemRelation: Send + Sync + std::fmt::Debug {
    /// The schema's name: that of upper rooms' relations, unless it is told.
    fn schema_name(&self) -> &str {
        system::LAKEGATE
    }
    /// The relation's name.
    fn name(&self) -> &str;
    /// Its columns; PostgreSQL types that Arrow lacks are named in the fields' metadata
    /// ([`crate::types::TYPE_KEY`]).
    fn columns(&self) -> SchemaRef;
    /// What its rows are made of.
    fn needs(&self) -> Needs;
    /// Whether it has rows in every lake, so that they need not be made to know that.
    fn always_has_rows(&self) -> bool;
    /// Whether its rows are the same as long as [`SystemView::identity`] is: they are made of nothing else.
    fn is_of_catalog(&self) -> bool {
        false
    }
    /// Its rows, as far as they are wanted.
    ///
    /// # Errors
    /// A fault of ours: rows that do not fit the columns.
    fn rows(&self, view: &SystemView, wanted: &Wanted) -> Result<RecordBatch>;
}

/// Where definitions are kept.
#[derive(Debug)]
pub struct Folders {
    /// The views folder.
    pub views: Folder,
    /// The state folder.
    pub state: Folder,
}

/// The catalog: lists the lake, reads the views folder, and knows the system relations.
#[derive(Debug)]
pub struct Catalog {
    lake: Arc<LakeSource>,
    warehouse: Arc<Warehouse>,
    folders: Folders,
    references_of: ReferencesOf,
    known: Arc<RwLock<Known>>,
    /// The last good definitions; held while definitions are judged and written.
    good: tokio::sync::Mutex<Option<Good>>,
    listings: Arc<refresh::Listings>,
    opened: Arc<inventory::Opened>,
    recalled: tokio::sync::OnceCell<()>,
    last_kept: tokio::sync::Mutex<kept_inventory::LastKept>,
    recalled_imports: tokio::sync::OnceCell<()>,
    /// What the file of imports holds, as far as this gateway knows.
    kept_imports: tokio::sync::Mutex<Option<String>>,
    system: HashMap<(String, String), Arc<dyn SystemRelation>>,
    builtin: Arc<Builtin>,
}

/// What was found out last. The lake's part is stale as soon as the lake changes.
#[derive(Debug, Default)]
struct Known {
    discovery: Option<Arc<Discovery>>,
    views: Arc<Views>,
    imported: imports::Imported,
    /// What imports were seen with before this gateway began, or since.
    last_seen: kept_imports::LastSeen,
    /// Made of both, once both are there.
    snapshot: Option<Arc<Snapshot>>,
    /// Of the last snapshot that was made.
    epoch: u64,
}

impl Catalog {
    /// A catalog of the lake, of the servers of a warehouse and the views folder, of its own system relations and those of upper
    /// rooms. `references_of` tells what a query reads.
    pub fn new(
        (lake, warehouse): (Arc<LakeSource>, Arc<Warehouse>),
        folders: Folders,
        references_of: ReferencesOf,
        system: Vec<Arc<dyn SystemRelation>>,
    ) -> Self {
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
            warehouse,
            folders,
            references_of,
            known: Arc::default(),
            good: tokio::sync::Mutex::default(),
            listings: Arc::default(),
            opened: Arc::default(),
            recalled: tokio::sync::OnceCell::default(),
            last_kept: tokio::sync::Mutex::default(),
            recalled_imports: tokio::sync::OnceCell::default(),
            kept_imports: tokio::sync::Mutex::default(),
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

    /// The servers of a warehouse.
    pub fn warehouse(&self) -> &Warehouse {
        &self.warehouse
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
