//! Rows that the gateway itself has: those of relations that describe what exists, and what is told of tables.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::datasource::empty::EmptyTable;

use super::context::StatementContext;
use super::system_table::SystemTable;
use super::{failure, travel};
use crate::catalog::{SystemRelation, SystemView, Wanted};
use crate::error::Result;
use crate::sources::{PinnedTable as PinnedRows, Size, Version};

/// What relations of the catalog are made of.
pub(super) struct System {
    pub(super) view: Arc<SystemView>,
    /// Tells it from all else that it was; `None` where it is of a moment, or not told.
    pub(super) digest: Option<[u8; 32]>,
}

/// What tells the catalog of now apart, as a session sees it. Names are looked up along its search path.
pub(super) fn digest_of(view: &SystemView, context: &StatementContext) -> Option<[u8; 32]> {
    let looks_back = travel::looks_back(context);
    let identity = view.identity().filter(|_| !looks_back)?;
    let told = format!("{identity} {:?}", context.facts.search_path);
    Some(*blake3::hash(told.as_bytes()).as_bytes())
}

/// The rows of a relation that describes what exists.
///
/// # Errors
/// A fault of ours: rows that do not fit the columns.
pub(super) fn rows_of(relation: &Arc<dyn SystemRelation>, system: &System) -> Result<PinnedRows> {
    let view = &system.view;
    let rows = match relation.always_has_rows() {
        true => of_gateway(Arc::new(SystemTable::new(relation, view))),
        false => rows_once(relation.rows(view, &Wanted::default())?)?,
    };
    Ok(PinnedRows {
        digest: system.digest.filter(|_| relation.is_of_catalog()),
        ..rows
    })
}

/// What the gateway itself has rows of.
fn of_gateway(provider: Arc<dyn TableProvider>) -> PinnedRows {
    PinnedRows {
        version: Version::None,
        digest: None,
        identity: None,
        changed: None,
        size: Size::default(),
        provider,
    }
}

/// Rows that are made before planning, which knows then if there are none.
pub(super) fn rows_once(rows: RecordBatch) -> Result<PinnedRows> {
    Ok(of_gateway(match rows.num_rows() {
        0 => Arc::new(EmptyTable::new(rows.schema())),
        _ => {
            let table = MemTable::try_new(rows.schema(), vec![vec![rows]]);
            Arc::new(table.map_err(|error| failure::from_datafusion(&error))?)
        }
    }))
}
