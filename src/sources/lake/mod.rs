//! The lake: Delta tables, and folders or single files of Parquet, Avro, CSV and JSON.

pub mod capture;
mod delta;
mod failure;
mod files;
pub mod format;
mod parquet_source;

use datafusion::execution::SessionState;

use super::{LakeTable, Layout, PinnedTable};
use crate::error::Result;
use crate::storage::Lake;

/// Pins tables of one lake. Keeps what it learned of them (Delta snapshots, schemas of files),
/// each entry valid only while the table's files or log are what they were.
#[derive(Debug)]
pub struct LakeSource {
    lake: Lake,
    session: SessionState,
    delta: delta::DeltaTables,
    files: files::FileTables,
}

impl LakeSource {
    /// `session` gives the readers their configuration, caches and runtime; the lake's store is
    /// registered with its runtime here.
    pub fn new(lake: Lake, session: SessionState) -> Self {
        let runtime = session.runtime_env();
        // What `session` reads by URL is the lake and nothing else: a log or a plan that names a
        // local file finds no store for it. Being absent already is as good.
        if let Ok(local) = url::Url::parse("file:///") {
            drop(runtime.deregister_object_store(&local));
        }
        runtime.register_object_store(&lake.url, std::sync::Arc::clone(&lake.store));
        let delta = delta::DeltaTables::new(lake.clone());
        let files = files::FileTables::new(lake.clone(), std::sync::Arc::clone(runtime));
        Self {
            lake,
            session,
            delta,
            files,
        }
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
        match table.layout {
            Layout::Delta => self.delta.pin(&table.path).await,
            Layout::Folder | Layout::File => self.files.pin(table, &self.session).await,
        }
    }
}

#[cfg(test)]
mod tests;
