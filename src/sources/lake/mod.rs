//! The lake: Delta tables, and folders or single files of Parquet, Avro, CSV and JSON.

pub mod capture;
mod delta;
mod failure;
mod files;
pub mod format;
mod parquet_source;

use arrow::array::RecordBatch;
use datafusion::execution::SessionState;
use object_store::path::Path;

use self::delta::Writers;
use super::{At, Change, Known, LakeTable, Layout, PinnedTable, Told, Unfollowed};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::Lake;

/// Memory for snapshots where nothing else is said, in bytes.
const SNAPSHOTS_BYTES_MAX: usize = 256 << 20;

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
        Self::with_budget(lake, session, SNAPSHOTS_BYTES_MAX)
    }

    /// As [`Self::new`], of Delta tables that the gateway alone writes.
    pub fn of_own_tables(lake: Lake, session: SessionState) -> Self {
        let delta = delta::DeltaTables::new(lake.clone(), SNAPSHOTS_BYTES_MAX, Writers::Own);
        Self::with_delta(lake, session, delta)
    }

    /// As [`Self::new`], with so many bytes for snapshots.
    pub fn with_budget(lake: Lake, session: SessionState, snapshots_bytes_max: usize) -> Self {
        let delta = delta::DeltaTables::new(lake.clone(), snapshots_bytes_max, Writers::Any);
        Self::with_delta(lake, session, delta)
    }

    fn with_delta(lake: Lake, session: SessionState, delta: delta::DeltaTables) -> Self {
        let runtime = session.runtime_env();
        // What `session` reads by URL is the lake and nothing else: a log or a plan that names a
        // local file finds no store for it. Being absent already is as good.
        if let Ok(local) = url::Url::parse("file:///") {
            drop(runtime.deregister_object_store(&local));
        }
        runtime.register_object_store(&lake.url, std::sync::Arc::clone(&lake.store));
        let files = files::FileTables::new(lake.clone(), std::sync::Arc::clone(runtime));
        Self {
            lake,
            session,
            delta,
            files,
        }
    }

    /// What is kept of what was learned.
    pub fn known(&self) -> Vec<Known> {
        let footers = self
            .session
            .runtime_env()
            .cache_manager
            .get_file_metadata_cache();
        let entries = footers.list_entries();
        let n_bytes: usize = entries.values().map(|entry| entry.size_bytes).sum();
        let footers = Known {
            name: "footers",
            n_entries: entries.len() as u64,
            n_bytes: n_bytes as u64,
            bytes_max: footers.cache_limit() as u64,
        };
        vec![footers, self.delta.known()]
    }

    /// The lake that is read.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The number of the version that a table has at a moment; `None` if it had none yet, or keeps none.
    ///
    /// # Errors
    /// As [`Self::pin`], of what cannot be read at all.
    pub async fn version(&self, table: &LakeTable, at: Option<At>) -> Result<Option<u64>> {
        match table.layout {
            Layout::Delta => self.delta.version_number(&table.path, at).await,
            Layout::Folder | Layout::File => Ok(None),
        }
    }

    /// What is told of a table's history, as rows.
    ///
    /// # Errors
    /// As [`Self::pin`].
    pub async fn told(&self, table: &LakeTable, told: Told, at: Option<At>) -> Result<RecordBatch> {
        match table.layout {
            Layout::Delta => self.delta.told(&table.path, told, at).await,
            Layout::Folder | Layout::File => Err(Error::unsupported("a history of files")),
        }
    }

    /// If files of this version of a table are gone, the versions that can still be read, as a sentence.
    ///
    /// # Errors
    /// As [`Self::version`]; `FeatureNotSupported`: it keeps none.
    pub async fn what_is_left(&self, table: &LakeTable, version: u64) -> Result<Option<String>> {
        match table.layout {
            Layout::Delta => self.delta.what_is_left(&table.path, version).await,
            Layout::Folder | Layout::File => Err(Error::unsupported("versions of files")),
        }
    }

    /// What became of a table's rows from a version to a later one. `n_files` is how many files the earlier one has,
    /// where that is known ([`Self::n_files`]).
    ///
    /// # Errors
    /// As [`Self::version`].
    pub async fn change(
        &self,
        table: &LakeTable,
        versions: (u64, u64),
        n_files: Option<u64>,
    ) -> Result<Result<Change, Unfollowed>> {
        match table.layout {
            Layout::Delta => self.delta.change(&table.path, versions, n_files).await,
            Layout::Folder | Layout::File => Ok(Err(Unfollowed::Log)),
        }
    }

    /// How many files a version of a table has; `None` if it keeps none.
    ///
    /// # Errors
    /// As [`Self::version`].
    pub async fn n_files(&self, table: &LakeTable, version: u64) -> Result<Option<u64>> {
        match table.layout {
            Layout::Delta => self.delta.n_files_of(&table.path, version).await.map(Some),
            Layout::Folder | Layout::File => Ok(None),
        }
    }

    /// Pins `table` at a moment of its history; at its latest version if none is given.
    ///
    /// # Errors
    /// `UndefinedFile` when the table is no longer there; `DataCorrupted`, `IoError` or
    /// `DatatypeMismatch`, naming the file, when it cannot be read; `InvalidParameterValue`, with the
    /// versions there are, when it has none of the moment; `FeatureNotSupported` when it has no history.
    pub async fn pin(&self, table: &LakeTable, at: Option<At>) -> Result<PinnedTable> {
        match (table.layout, at) {
            (Layout::Delta, None) => self.delta.pin(&table.path).await,
            (Layout::Delta, Some(at)) => self.delta.pin_at(&table.path, at).await,
            (Layout::Folder, None) => match self.files.pin(table, &self.session).await {
                // It became a Delta table since it was listed, for its first file comes before its log.
                Err(error)
                    if error.kind() == ErrorKind::DatatypeMismatch
                        && self.has_log(&table.path).await? =>
                {
                    self.delta.pin(&table.path).await
                }
                pinned => pinned,
            },
            (Layout::File, None) => self.files.pin(table, &self.session).await,
            (Layout::Folder | Layout::File, Some(_)) => {
                let what = format!("time travel of the files at \"{}\"", table.path);
                Err(Error::unsupported(what))
            }
        }
    }

    /// As [`Self::pin`] at the latest version, or one of a number, where it is known without waiting that the table is
    /// what it was when it was last pinned; `None` where it is not.
    pub fn pin_at_once(&self, table: &LakeTable, at: Option<At>) -> Option<PinnedTable> {
        match (table.layout, at) {
            (Layout::Delta, None) => self.delta.pin_at_once(&table.path),
            (Layout::Delta, Some(At::Version(version))) => {
                self.delta.pin_version_at_once(&table.path, version)
            }
            (Layout::Folder | Layout::File, None) => self.files.pin_at_once(table),
            (_, Some(_)) => None,
        }
    }

    /// Whether a folder has the log of a Delta table.
    async fn has_log(&self, path: &str) -> Result<bool> {
        let log = Path::from_iter(path.split('/').chain(["_delta_log"]));
        Ok(self.lake.are_there(vec![log]).await?.contains(&true))
    }
}

#[cfg(test)]
mod tests;
