//! How each kind of source is read: a relation is pinned to one version, then scanned at it.

pub mod lake;
pub mod warehouse;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use serde::{Deserialize, Serialize};

/// What a relation's rows were when a statement pinned it. Equal versions mean equal rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// The version number of a Delta table.
    Delta(u64),
    /// A digest over names, sizes and tags of a relation's files.
    Files([u8; 32]),
    /// What a server tells its state by.
    Token([u8; 32]),
    /// Rows that never change while the process runs.
    Immutable,
    /// Unknown: may change at any time, so the statement must not be cached.
    None,
}

impl Version {
    /// As a sentence names it.
    pub fn in_words(&self) -> String {
        match self {
            Version::Delta(version) => format!("version {version}"),
            other => format!("version {other}"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Delta(version) => write!(f, "v{version}"),
            Version::Files(digest) => shown(f, "files:", digest),
            Version::Token(token) => shown(f, "token:", token),
            Version::Immutable => f.write_str("immutable"),
            Version::None => f.write_str("none"),
        }
    }
}

/// The beginning of a digest.
fn shown(f: &mut fmt::Formatter<'_>, kind: &str, digest: &[u8; 32]) -> fmt::Result {
    f.write_str(kind)?;
    let mut bytes = digest[..6].iter();
    bytes.try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// A moment of a table's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum At {
    /// The version of this number.
    Version(u64),
    /// The last version until then.
    Instant(DateTime<Utc>),
}

/// What is told of a table's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Told {
    /// Its versions.
    History,
    /// The files of one version.
    Files,
    /// What became of its columns.
    SchemaHistory,
}

/// A table of the lake, as discovery found it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LakeTable {
    /// Below the lake's root, without a slash at either end.
    pub path: String,
    /// How the rows lie there.
    pub layout: Layout,
}

impl LakeTable {
    /// Whether it keeps the rows that it had before.
    pub fn has_history(&self) -> bool {
        self.layout == Layout::Delta
    }
}

/// How the rows of a lake table lie in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Layout {
    /// A folder with a `_delta_log`.
    Delta,
    /// A folder of files of one format, with or without Hive levels.
    Folder,
    /// One file.
    File,
}

/// What a source keeps of what it learned of tables.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// What is kept.
    pub name: &'static str,
    /// How many there are.
    pub n_entries: u64,
    /// The memory that they take, about, and may take, in bytes.
    pub n_bytes: u64,
    /// See [`Self::n_bytes`].
    pub bytes_max: u64,
}

/// How much a relation holds, as far as that is known without reading its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Its rows; `None` where files of it don't say how many they hold.
    pub rows: Option<u64>,
    /// The bytes of its files.
    pub bytes: u64,
}

impl Size {
    /// That of files, each with its rows, if it says how many, and its bytes.
    pub fn of_files(files: impl Iterator<Item = (Option<u64>, u64)>) -> Self {
        let nothing = Self {
            rows: Some(0),
            bytes: 0,
        };
        files.fold(nothing, |all, (rows, bytes)| Self {
            rows: all
                .rows
                .zip(rows)
                .map(|(all, rows)| all.saturating_add(rows)),
            bytes: all.bytes.saturating_add(bytes),
        })
    }
}

/// A relation at one version: what every later step of a statement reads.
#[derive(Clone, Debug)]
pub struct PinnedTable {
    /// Which rows.
    pub version: Version,
    /// Tells these rows from all others that this or another relation has, had or will have, also where
    /// a table was dropped and made anew and counts its versions from 0 again. `None` where that is
    /// not known, or not yet: then nothing that is made of the rows may be kept.
    pub digest: Option<[u8; 32]>,
    /// As the digest, but the same in every process and at every moment that the rows are read at, so that
    /// what is made of them can be kept where others find it. `None` where that is not known.
    pub identity: Option<[u8; 32]>,
    /// When these rows were last changed, by the store's clock; `None` if there are none.
    pub changed: Option<DateTime<Utc>>,
    /// How much that is.
    pub size: Size,
    /// Reads exactly these rows, however often it is asked. Its schema has PostgreSQL's types only
    /// ([`crate::types::lake_type`]).
    pub provider: Arc<dyn TableProvider>,
}

/// What became of a Delta table's rows between two of its versions: the later one has those of the earlier one, with
/// those that came and without those that went, as bags.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// [`PinnedTable::identity`] at the earlier version.
    pub identity_from: Option<[u8; 32]>,
    /// The same at the later one.
    pub identity_to: Option<[u8; 32]>,
    /// The rows that came.
    pub added: ChangedRows,
    /// The rows that went.
    pub removed: ChangedRows,
    /// How many files the later version has.
    pub n_files: u64,
    /// The bytes of its files.
    pub bytes: u64,
}

/// The rows of some files of a table.
#[derive(Clone, Debug, Default)]
pub struct ChangedRows {
    /// So many files.
    pub n_files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Reads them, with the schema of the table; `None` where there are none.
    pub provider: Option<Arc<dyn TableProvider>>,
}

/// Why it is not known what became of a table's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfollowed {
    /// The log does not tell: commits are gone, or the table was made anew, or it keeps no versions.
    Log,
    /// Columns or features of the table were changed.
    Columns,
    /// Files that went are gone.
    Files,
}
