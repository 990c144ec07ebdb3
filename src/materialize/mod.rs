//! Materialized views: where their rows are stored, of what they were made, and what became of refreshes.
//!
//! The rows of each are a Delta table below the state folder, `materialized/<schema>/<name>`. They may
//! be read in place of the view's query only if the commit that stored them says that they were made of
//! what the query would read ([`Made::state`]). Whoever asks decides that, when it has fixed versions.

mod columns;
mod made;
mod matviews;
mod refreshes;
mod told;
mod vacuum;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use moka::sync::Cache;
use object_store::ObjectStoreExt;
use object_store::path::Path;

pub use columns::{StoredColumn, stored_columns, stored_field};
pub use made::{Digest, Earlier, Input, KeptColumn, KeptStates, Made, Making};
pub use told::{CodeOf, Look, Refreshed, Standing, Way};

use crate::catalog::SystemRelation;
use crate::catalog::views::FullName;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::lake::LakeSource;
use crate::sources::{At, LakeTable, Layout, PinnedTable, Version};
use crate::storage::{self, Place};
use told::Told;

/// How many stored versions' records are kept, some KiB each. An entry never goes stale: its key is
/// the digest of a version of a table.
const RECORDS_MAX: u64 = 1_000;

/// How often it is looked for what nobody reads any more of a stored table, at most.
const VACUUM_EVERY: Duration = Duration::from_secs(600);

/// Stored rows of a materialized view.
#[derive(Clone, Debug)]
pub struct StoredRows {
    /// The version of its Delta table.
    pub version: u64,
    /// The rows, as they lie there.
    pub rows: PinnedTable,
    /// Of what they were made; `None` if somebody else has written them.
    pub made: Option<Arc<Made>>,
}

impl StoredRows {
    /// The rows as the view's; `None` if nothing is known of them, or something else than they are.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn served(&self) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(made) = &self.made else {
            return Ok(None);
        };
        let provider = Arc::clone(&self.rows.provider);
        columns::served(provider, &made.columns, made.beside()).map_err(Error::internal)
    }
}

/// Rows to be stored.
pub struct ToStore {
    /// The view.
    pub name: FullName,
    /// What is stored of it now, as it was seen when the rows were begun.
    pub before: Option<StoredRows>,
    /// Of what they are made.
    pub making: Making,
    /// The stored columns.
    pub schema: SchemaRef,
    /// The rows, with as many columns.
    pub rows: SendableRecordBatchStream,
}

/// What became of rows that were to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// They are stored.
    Version {
        /// As this version of the table.
        version: u64,
        /// So many rows.
        n_rows: u64,
    },
    /// Somebody else was faster, and nothing was stored: what there is now is to be looked at.
    Conflict,
}

/// Where the rows of materialized views are stored.
#[derive(Debug)]
pub struct Materialized {
    url: String,
    options: BTreeMap<String, String>,
    /// What readers of the stored tables run in.
    base: SessionState,
    opened: Mutex<Option<Arc<Opened>>>,
    /// What the commits of versions say, by the digests of the versions.
    records: Cache<[u8; 32], Option<Arc<Made>>>,
    told: Told,
    /// Held while a view is refreshed by this process.
    turns: Mutex<HashMap<FullName, Arc<tokio::sync::Mutex<()>>>>,
    /// When this process last looked what nobody reads any more of each.
    vacuumed: Mutex<HashMap<FullName, Instant>>,
    code_of: CodeOf,
}

#[derive(Debug)]
struct Opened {
    place: Place,
    source: LakeSource,
}

impl Materialized {
    /// The tables below `url`, which need not be there yet; `options` are those of its store. `base` gives
    /// readers their configuration and runtime, `code_of` the codes of failures.
    pub fn new(
        url: String,
        options: BTreeMap<String, String>,
        base: SessionState,
        code_of: CodeOf,
    ) -> Arc<Self> {
        Arc::new(Self {
            url,
            options,
            base,
            opened: Mutex::default(),
            records: Cache::new(RECORDS_MAX),
            told: Told::default(),
            turns: Mutex::default(),
            vacuumed: Mutex::default(),
            code_of,
        })
    }

    /// `lakegate.matviews` and `lakegate.refreshes`, for the catalog.
    pub fn relations(self: &Arc<Self>) -> Vec<Arc<dyn SystemRelation>> {
        vec![
            Arc::new(matviews::Matviews(Arc::clone(self))),
            Arc::new(refreshes::Refreshes(Arc::clone(self))),
        ]
    }

    /// The place; `None` if it is not there and not to be made.
    fn open(&self, makes: bool) -> Result<Option<Arc<Opened>>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = opened.as_ref() {
            return Ok(Some(Arc::clone(opened)));
        }
        let Some(place) = storage::place(&self.url, &self.options, makes)? else {
            return Ok(None);
        };
        let source = LakeSource::of_own_tables(place.lake.clone(), self.base.clone());
        let made = Arc::new(Opened { place, source });
        *opened = Some(Arc::clone(&made));
        Ok(Some(made))
    }

    /// What is stored of a view now: one listing if that has not changed.
    ///
    /// # Errors
    /// The store does not answer, or what lies there is no table.
    pub async fn latest(&self, name: &FullName) -> Result<Option<StoredRows>> {
        self.stored(name, None).await
    }

    /// What was stored of a view as a version of its table, if that is still there.
    ///
    /// # Errors
    /// As [`Self::latest`].
    pub async fn version(&self, name: &FullName, version: u64) -> Result<Option<StoredRows>> {
        self.stored(name, Some(At::Version(version))).await
    }

    async fn stored(&self, name: &FullName, at: Option<At>) -> Result<Option<StoredRows>> {
        let Some(opened) = self.open(false)? else {
            return Ok(None);
        };
        let table = LakeTable {
            path: path_of(name),
            layout: Layout::Delta,
        };
        let rows = match opened.source.pin(&table, at).await {
            Ok(rows) => rows,
            Err(error) if error.kind() == ErrorKind::UndefinedFile => return Ok(None),
            Err(error) if at.is_some() && error.kind() == ErrorKind::InvalidParameterValue => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let Version::Delta(version) = rows.version else {
            return Ok(None);
        };
        let known = rows.digest.and_then(|digest| self.records.get(&digest));
        let made = match known {
            Some(made) => made,
            None => {
                let made = opened.record(&table.path, version).await?.map(Arc::new);
                if let Some(digest) = rows.digest {
                    self.records.insert(digest, made.clone());
                }
                made
            }
        };
        Ok(Some(StoredRows {
            version,
            rows,
            made,
        }))
    }

    /// Stores rows in one commit, or not at all.
    ///
    /// # Errors
    /// The rows end with an error, or cannot be stored.
    pub async fn store(&self, to_store: ToStore) -> Result<Stored> {
        let Some(opened) = self.open(true)? else {
            let message = format!("there is no folder \"{}\"", self.url);
            return Err(Error::new(ErrorKind::IoError, message));
        };
        let before = to_store.before.as_ref();
        let known = before.and_then(|it| Some((it.version, it.made.as_deref()?)));
        let writing = write::Writing {
            path: path_of(&to_store.name),
            on: before.map(|before| before.version),
            made: Made::of(to_store.making, known),
            schema: to_store.schema,
            rows: to_store.rows,
        };
        match write::write(&opened.place, writing).await? {
            write::Wrote::Version(version, n_rows) => {
                self.vacuum(&opened, &to_store.name).await;
                Ok(Stored::Version { version, n_rows })
            }
            write::Wrote::Conflict => Ok(Stored::Conflict),
        }
    }

    /// Takes away what nobody reads any more of a view's table, if it was not looked for lately. What fails is done the
    /// next time: nobody is wrong for it.
    async fn vacuum(&self, opened: &Opened, name: &FullName) {
        {
            let mut vacuumed = self.vacuumed.lock().unwrap_or_else(PoisonError::into_inner);
            let last = vacuumed.get(name);
            if last.is_some_and(|last| last.elapsed() < VACUUM_EVERY) {
                return;
            }
            vacuumed.insert(name.clone(), Instant::now());
        }
        let (schema, view) = name;
        match vacuum::vacuum(&opened.place, &path_of(name)).await {
            Ok(0) => {}
            Ok(n_files) => tracing::debug!(schema, view, n_files, "vacuum stored rows"),
            Err(error) => tracing::warn!(schema, view, %error, "vacuum stored rows"),
        }
    }

    /// The turn to refresh a view: in this process one at a time.
    pub async fn turn(&self, name: &FullName) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(name.clone()).or_default())
        };
        turn.lock_owned().await
    }

    /// Where a view's rows lie, for those who read them by other means.
    fn shown_path(&self, name: &FullName) -> String {
        let url = self
            .url
            .split_once('?')
            .map_or(self.url.as_str(), |it| it.0);
        format!("{url}/{}", path_of(name))
    }

    /// Notes what was seen of a view.
    pub fn saw(&self, name: &FullName, look: Look) {
        self.told.saw(name, look);
    }

    /// Notes how a refresh ended.
    pub fn refreshed(&self, refreshed: Refreshed) {
        self.told.refreshed(refreshed);
    }

    /// Notes until when nobody refreshes a view by itself.
    pub fn paused(&self, name: &FullName, until: DateTime<Utc>) {
        self.told.paused(name, until);
    }

    /// How a view's refreshes go.
    pub fn standing(&self, name: &FullName) -> Standing {
        self.told.standing(name)
    }
}

impl Opened {
    /// What the commit of a version says; `None` if it is not there, or says nothing to us.
    async fn record(&self, path: &str, version: u64) -> Result<Option<Made>> {
        let commit = format!("{version:020}.json");
        let location = Path::from_iter(path.split('/').chain(["_delta_log", &commit]));
        let failed = |cause| storage::error(path, cause);
        let found = match self.place.lake.store.get(&location).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(cause) => return Err(failed(cause)),
        };
        let bytes = found.bytes().await.map_err(failed)?;
        Ok(Made::of_commit(&bytes))
    }
}

/// The folder of a view's rows. What is no letter, digit, `_` or `-` is written as `=` and its bytes.
fn path_of((schema, name): &FullName) -> String {
    let folder = |name: &str| {
        let mut folder = String::with_capacity(name.len());
        for byte in name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => {
                    folder.push(char::from(byte));
                }
                other => folder.push_str(&format!("={other:02X}")),
            }
        }
        folder
    };
    format!("{}/{}", folder(schema), folder(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_told_apart_by_names() {
        let path = |schema: &str, name: &str| path_of(&(schema.to_owned(), name.to_owned()));
        assert_eq!(path("gold", "daily"), "gold/daily");
        assert_eq!(path("a b", "../x"), "a=20b/=2E=2E=2Fx");
        assert_ne!(path("s", "a=20b"), path("s", "a b"));
    }
}
