//! A version of a table: what deltalake has read of its log, and the files that commits have appended since.
//!
//! When a commit is new, deltalake goes through all that it knows of the table, a batch for each commit that came since
//! the last checkpoint. A commit that does nothing but add files is read here instead; deltalake's own reading waits for
//! who needs it, which is who scans the whole table.

use std::collections::HashSet;
use std::iter;
use std::sync::{Arc, OnceLock};

use deltalake_core::DeltaTable;
use deltalake_core::delta_datafusion::DeltaScanNext;
use deltalake_core::kernel::DeletionVectorDescriptor;
use deltalake_core::table::state::DeltaTableState;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::OnceCell;

use super::{guard, refused, scan, size};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::Size;

/// More files than that are left to deltalake.
const APPENDED_MAX: usize = 1_000;

/// What deltalake has read: a version, with all of its files.
#[derive(Debug)]
pub(super) struct Reading {
    table: DeltaTable,
    state: DeltaTableState,
    /// Reads all its rows.
    scan: DeltaScanNext,
    size: Size,
    /// What its files are called, once somebody asks.
    names: OnceLock<HashSet<String>>,
}

impl Reading {
    fn of(path: &str, table: DeltaTable) -> Result<Self> {
        guard::check(path, &table)?;
        let state = table.snapshot().map_err(|cause| refused(path, cause))?;
        Ok(Self {
            state: state.clone(),
            scan: scan(path, state)?,
            size: size(state),
            names: OnceLock::new(),
            table,
        })
    }

    /// Its version's description and files.
    pub(super) fn state(&self) -> &DeltaTableState {
        &self.state
    }

    /// Reads all its rows.
    pub(super) fn scan(&self) -> &DeltaScanNext {
        &self.scan
    }

    fn n_files(&self) -> usize {
        self.state.log_data().num_files()
    }

    fn names(&self) -> &HashSet<String> {
        let files = || self.state.log_data().into_iter();
        self.names
            .get_or_init(|| files().map(|file| file.path().into_owned()).collect())
    }
}

/// A file of a version.
#[derive(Clone, Debug)]
pub(super) struct DataFile {
    /// Below the table's folder, without percent signs.
    pub(super) name: String,
    pub(super) bytes: u64,
    /// When it was written, in milliseconds since 1970.
    pub(super) modified: i64,
    /// Its rows, those that are marked as deleted included; `None` if the log does not say how many.
    pub(super) rows: Option<u64>,
    /// What marks some of its rows as deleted.
    pub(super) vector: Option<DeletionVectorDescriptor>,
}

/// A file that a commit has added, and nothing has marked or removed.
#[derive(Debug)]
pub(super) struct Appended {
    /// The version that has it first.
    version: u64,
    /// As the log has it.
    raw: String,
    file: DataFile,
}

impl Appended {
    /// As the log calls it.
    pub(super) fn raw(&self) -> &str {
        &self.raw
    }

    pub(super) fn file(&self) -> &DataFile {
        &self.file
    }
}

/// What a commit does that only adds files. Other actions are none of these, and not read here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Appending {
    Add(Add),
    CommitInfo(IgnoredAny),
    Txn(IgnoredAny),
}

/// A file that comes (protocol, "Add File and Remove File").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Add {
    path: String,
    size: u64,
    modification_time: i64,
    stats: Option<String>,
    deletion_vector: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    num_records: Option<u64>,
}

impl Add {
    /// `None` if it is more than a file with its rows.
    fn appended(self, version: u64) -> Option<Appended> {
        if self.deletion_vector.is_some() || guard::leads_outside(&self.path) {
            return None;
        }
        let rows = match self.stats.as_deref() {
            None => None,
            Some(stats) => serde_json::from_str::<Statistics>(stats).ok()?.num_records,
        };
        let name = percent_decode_str(&self.path).decode_utf8_lossy();
        Some(Appended {
            version,
            file: DataFile {
                name: name.into_owned(),
                bytes: self.size,
                modified: self.modification_time,
                rows,
                vector: None,
            },
            raw: self.path,
        })
    }
}

/// A version of a table.
#[derive(Debug)]
pub(super) struct Snapshot {
    path: String,
    version: u64,
    /// Of this version, or of one before it that has the same columns and properties.
    reading: Arc<Reading>,
    /// What came since, in the order of the commits.
    appended: Vec<Arc<Appended>>,
    size: Size,
    /// Of this version, once somebody asks.
    whole: OnceCell<Arc<Reading>>,
}

impl Snapshot {
    /// What deltalake has read of the table at `path`.
    ///
    /// # Errors
    /// As [`guard::check`].
    pub(super) fn of(path: &str, version: u64, table: DeltaTable) -> Result<Self> {
        let reading = Reading::of(path, table)?;
        Ok(Self {
            path: path.to_owned(),
            version,
            size: reading.size,
            reading: Arc::new(reading),
            appended: Vec::new(),
            whole: OnceCell::new(),
        })
    }

    /// The version that further commits make of it; `None` if they do more than to add files, or too many of them.
    pub(super) fn with(&self, commits: Vec<(u64, Vec<Appending>)>) -> Option<Self> {
        let (reading, known) = match self.whole.get() {
            Some(whole) => (whole, &[] as &[_]),
            None => (&self.reading, self.appended.as_slice()),
        };
        let mut appended = known.to_vec();
        let mut names: HashSet<&str> = known.iter().map(|it| it.file.name.as_str()).collect();
        let mut version = self.version;
        let mut came = Vec::new();
        for (number, actions) in commits {
            version = number;
            for action in actions {
                if let Appending::Add(add) = action {
                    came.push(Arc::new(add.appended(number)?));
                }
            }
        }
        // A file that is there already is told of anew.
        let is_new = |it: &Arc<Appended>| !reading.names().contains(&it.file.name);
        if !came.iter().all(is_new)
            || !came.iter().all(|it| names.insert(&it.file.name))
            || known.len() + came.len() > APPENDED_MAX
        {
            return None;
        }
        let before = (self.size.rows, self.size.bytes);
        let sizes = came.iter().map(|it| (it.file.rows, it.file.bytes));
        let size = Size::of_files(iter::once(before).chain(sizes));
        appended.extend(came);
        Some(Self {
            path: self.path.clone(),
            version,
            reading: Arc::clone(reading),
            appended,
            size,
            whole: OnceCell::new(),
        })
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    pub(super) fn n_files(&self) -> usize {
        self.reading.n_files() + self.appended.len()
    }

    /// Its columns, properties and protocol: those of [`Self::whole`], and nothing of its files.
    pub(super) fn described(&self) -> &Reading {
        &self.reading
    }

    /// deltalake's table of this version or of one before it: where its reading goes on from.
    pub(super) fn table(&self) -> &DeltaTable {
        &self.whole.get().unwrap_or(&self.reading).table
    }

    /// The files that came since a version, if they are all that became of it; `None` where that is not known.
    pub(super) fn appended_since(&self, version: u64) -> Option<Vec<&Appended>> {
        let is_known = (self.reading.state.version()..=self.version).contains(&version);
        let since = self.appended.iter().filter(|it| it.version > version);
        is_known.then(|| since.map(Arc::as_ref).collect())
    }

    /// All its files.
    pub(super) fn files(&self) -> impl Iterator<Item = DataFile> {
        let read = self.reading.state.log_data().into_iter();
        let read = read.map(|file| DataFile {
            name: file.path().into_owned(),
            bytes: u64::try_from(file.size()).unwrap_or_default(),
            modified: file.modification_time(),
            rows: file.num_records().map(|rows| rows as u64),
            vector: file.deletion_vector_descriptor(),
        });
        read.chain(self.appended.iter().map(|it| it.file.clone()))
    }

    /// What deltalake reads of this version.
    ///
    /// # Errors
    /// The log cannot be read, or is another table's by now.
    pub(super) async fn whole(&self) -> Result<&Arc<Reading>> {
        if self.appended.is_empty() {
            return Ok(&self.reading);
        }
        let read = async {
            let mut table = self.reading.table.clone();
            let updated = table.update_incremental(Some(self.version)).await;
            updated.map_err(|cause| refused(&self.path, cause))?;
            let whole = Reading::of(&self.path, table)?;
            match self.is_of(&whole) {
                true => Ok(Arc::new(whole)),
                false => {
                    let message = format!(
                        "table \"{}\" was made anew while the statement read it",
                        self.path
                    );
                    Err(Error::new(ErrorKind::IoError, message))
                }
            }
        };
        self.whole.get_or_try_init(|| read).await
    }

    /// Whether deltalake found the files that are known here.
    fn is_of(&self, whole: &Reading) -> bool {
        let names = whole.names();
        whole.state.version() == self.version
            && whole.n_files() == self.n_files()
            && whole.size == self.size
            && self.appended.iter().all(|it| names.contains(&it.file.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_that_do_more_than_add_are_not_read_here() {
        fn check(line: &str, expected: bool) {
            let action = serde_json::from_str::<Appending>(line);
            let is_read = match action {
                Ok(Appending::Add(add)) => add.appended(1).is_some(),
                Ok(_) => true,
                Err(_) => false,
            };
            assert_eq!(is_read, expected, "{line}");
        }
        let add = |path: &str, more: &str| {
            format!(
                r#"{{"add": {{"path": "{path}", "partitionValues": {{}}, "size": 1, "modificationTime": 2, "dataChange": true{more}}}}}"#
            )
        };
        check(&add("a.parquet", ""), true);
        check(
            &add("a.parquet", r#", "stats": "{\"numRecords\": 3}""#),
            true,
        );
        check(
            &add("a.parquet", r#", "stats": "{\"numRecords\": -3}""#),
            false,
        );
        check(&add("../a.parquet", ""), false);
        let vector = r#", "deletionVector": {"storageType": "i"}"#;
        check(&add("a.parquet", vector), false);
        check(r#"{"commitInfo": {"operation": "WRITE"}}"#, true);
        check(r#"{"txn": {"appId": "a", "version": 1}}"#, true);
        for other in [
            "remove",
            "metaData",
            "protocol",
            "domainMetadata",
            "cdc",
            "new",
        ] {
            check(&format!(r#"{{"{other}": {{}}}}"#), false);
        }
        check(r#"{"add": {"path": "a"}}"#, false);
        check(r#"{"txn": {}, "remove": {}}"#, false);
        check("{", false);
    }

    #[test]
    fn what_is_added_is_told_as_the_log_has_it() {
        let line = r#"{"add": {"path": "a%20b.parquet", "size": 10, "modificationTime": 20, "stats": "{\"numRecords\": 3, \"minValues\": {}}"}}"#;
        let Ok(Appending::Add(add)) = serde_json::from_str(line) else {
            panic!("it adds a file");
        };
        let appended = add.appended(7).expect("it is a file");
        let file = appended.file();
        assert_eq!(appended.raw(), "a%20b.parquet");
        assert_eq!(
            (file.name.as_str(), file.bytes, file.modified, file.rows),
            ("a b.parquet", 10, 20, Some(3))
        );
    }
}
