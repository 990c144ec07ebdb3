//! The rows of a large system relation, as they were made last: each connection of some drivers begins by reading
//! all of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;

use super::SystemView;
use crate::auth::Actor;
use crate::catalog::{Inventory, Snapshot, Wanted};

/// How many bytes of rows are kept of one relation.
const BYTES_MAX: usize = 64 << 20;

/// What rows were made of, and the rows.
#[derive(Debug)]
struct Made {
    snapshot: Arc<Snapshot>,
    inventory: Option<Arc<Inventory>>,
    actor: Actor,
    database: String,
    columns: Option<Vec<usize>>,
    rows: RecordBatch,
}

/// The last rows of a relation that is made of the snapshot, the inventory, the rights and the database's name alone.
#[derive(Debug, Default)]
pub(super) struct LastRows(Mutex<Option<Made>>);

impl LastRows {
    /// The rows, if what they are made of is what it was.
    pub(super) fn get(&self, view: &SystemView, wanted: &Wanted) -> Option<RecordBatch> {
        let last = self.last();
        let made = last.as_ref()?;
        let is_same = wanted.only.is_empty()
            && made.columns == wanted.columns
            && Arc::ptr_eq(&made.snapshot, &view.snapshot)
            && is_same(made.inventory.as_deref(), view.inventory.as_deref())
            && made.actor == view.actor
            && made.database == view.database;
        is_same.then(|| made.rows.clone())
    }

    /// Keeps all of a relation's rows.
    pub(super) fn keep(&self, view: &SystemView, wanted: &Wanted, rows: &RecordBatch) {
        if !wanted.only.is_empty() || rows.get_array_memory_size() > BYTES_MAX {
            return;
        }
        *self.last() = Some(Made {
            snapshot: Arc::clone(&view.snapshot),
            inventory: view.inventory.as_ref().map(Arc::clone),
            actor: view.actor.clone(),
            database: view.database.clone(),
            columns: wanted.columns.clone(),
            rows: rows.clone(),
        });
    }

    fn last(&self) -> MutexGuard<'_, Option<Made>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same(made: Option<&Inventory>, now: Option<&Inventory>) -> bool {
    match (made, now) {
        (Some(made), Some(now)) => made.is_same(now),
        (None, None) => true,
        _ => false,
    }
}
