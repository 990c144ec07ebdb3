//! Pins Delta tables: keeps their snapshots, and learns by one listing whether they changed.

mod at;
mod change;
mod guard;
mod history;
mod left;
mod log;
mod plain;
mod provider;
mod snapshot;
mod stats;
mod told;
mod vectors;

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use deltalake_core::delta_datafusion::{DeltaScanConfig, DeltaScanNext};
use deltalake_core::logstore::{
    LogStore, LogStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories,
};
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaResult, DeltaTable, DeltaTableBuilder, DeltaTableError};
use futures::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use url::Url;

use self::at::{Log, Past};
use self::log::Listing;
use self::plain::Plain;
use self::provider::Provider;
use self::snapshot::{Appending, DataFile, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::{Known, PinnedTable, Size, Version};
use crate::storage::{Lake, Noted, SCHEME, Standing};

/// How many tables' logs are kept that were read at a moment, some KiB each.
const TABLES_MAX: u64 = 1_000;

/// What a snapshot takes beside its files, and for each of them its entry and statistics, about: in bytes.
const SNAPSHOT_BYTES: usize = 16 << 10;
const FILE_BYTES: usize = 1 << 10;

/// How many loads are shared at a time. Only concurrent statements need the same entry.
const LOADS_MAX: u64 = 64;

/// How many times of commits are kept, about 100 bytes each.
const OWN_TIMES_MAX: u64 = 100_000;

/// How many commits are read, or files looked for, at a time.
const READS_MAX: usize = 16;

/// How often a table may be committed to while it is being loaded, before that is an error.
const ATTEMPTS_MAX: usize = 16;

/// Who writes the tables of a lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writers {
    /// Whoever likes, as the protocol has it.
    Any,
    /// The gateway: the files of a version have the columns that the log says, of the same types.
    Own,
}

/// The Delta tables of one lake.
#[derive(Debug)]
pub(super) struct DeltaTables {
    lake: Lake,
    writers: Writers,
    bytes_max: u64,
    /// The last snapshot of each table, by path. An entry is right while the log lists as it did
    /// when the entry was made; each statement compares.
    latest: Cache<String, Arc<Loaded>>,
    /// Loads under way, by path and by what the log listed, so that equal ones are one. An entry
    /// never goes stale: another log is another key.
    loads: Cache<(String, Listing), Arc<Loaded>>,
    /// The log of each table that was read at a moment, by path. Right while it lists as it did; each
    /// statement compares.
    logs: Cache<String, Arc<Log>>,
    /// Versions by path, by which table it was that lay there, and by number. They never go stale.
    past: Cache<(String, u64, u64), Arc<Past>>,
    /// The times that commits hold themselves, by the same. They never go stale.
    own_times: Cache<(String, u64, u64), i64>,
    /// Counts the tables whose logs were listed.
    generations: AtomicU64,
}

/// A table's snapshot, and what its log listed from that version on.
#[derive(Debug)]
struct Loaded {
    snapshot: Arc<Snapshot>,
    listing: Listing,
    digest: [u8; 32],
    /// As [`identity`] has it.
    identity: Option<[u8; 32]>,
    /// Reads it, for every statement.
    provider: Arc<dyn TableProvider>,
    standing: LastStanding,
}

/// What lay on disk when something was listed; `None` where that is not told.
#[derive(Debug, Default)]
struct LastStanding(Mutex<Option<Arc<Standing>>>);

impl LastStanding {
    /// Whether it is known to be there as it was. Blocks as [`Standing::stands`].
    fn stands(&self) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.clone();
        last.is_some_and(|last| last.stands())
    }

    fn is_now(&self, noted: Option<Standing>) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = noted.map(Arc::new);
    }
}

impl Loaded {
    fn pinned(&self) -> PinnedTable {
        PinnedTable {
            version: Version::Delta(self.snapshot.version()),
            digest: Some(self.digest),
            identity: self.identity,
            changed: self.listing.changed(self.snapshot.version()),
            size: self.snapshot.size(),
            provider: Arc::clone(&self.provider),
        }
    }
}

impl DeltaTables {
    /// Snapshots take so many bytes: three quarters those of the latest versions, the others of older ones.
    pub(super) fn new(lake: Lake, bytes_max: usize, writers: Writers) -> Self {
        register_log_stores();
        let past_bytes_max = bytes_max / 4;
        let latest_bytes_max = bytes_max - past_bytes_max;
        Self {
            lake,
            writers,
            bytes_max: bytes_max as u64,
            latest: Cache::builder()
                // What is read is kept, one table alone also where it is larger: it would else be loaded for each statement.
                .weigher(move |_, loaded: &Arc<Loaded>| {
                    weight(loaded.snapshot.n_files())
                        .min(u32::try_from(latest_bytes_max).unwrap_or(u32::MAX))
                })
                .eviction_policy(EvictionPolicy::lru())
                .max_capacity(latest_bytes_max as u64)
                .build(),
            loads: Cache::new(LOADS_MAX),
            logs: Cache::new(TABLES_MAX),
            past: Cache::builder()
                .weigher(|_, past: &Arc<Past>| weight(past.snapshot.n_files()))
                .max_capacity(past_bytes_max as u64)
                .build(),
            own_times: Cache::new(OWN_TIMES_MAX),
            generations: AtomicU64::new(0),
        }
    }

    /// How much is kept.
    pub(super) fn known(&self) -> Known {
        Known {
            name: "snapshots",
            n_entries: self.latest.entry_count() + self.past.entry_count(),
            n_bytes: self.latest.weighted_size() + self.past.weighted_size(),
            bytes_max: self.bytes_max,
        }
    }

    /// Pins the table at its latest version: one request if it has not changed, and none where a disk tells so.
    pub(super) async fn pin(&self, path: &str) -> Result<PinnedTable> {
        if let Some(pinned) = self.pin_at_once(path) {
            return Ok(pinned);
        }
        let known = self
            .latest
            .try_get_with(path.to_owned(), self.load(path, None, None))
            .await
            .map_err(|error| Error::clone(&error))?;
        let log = log::folder(path);
        // Before it is listed: what comes in between is then another log than was noted.
        let noted = self.lake.note(Noted::Folder(&log, known.listing.names()));
        let noted = noted.await;
        let listing = Listing::read(&self.lake.store, path, known.snapshot.version()).await?;
        if listing == known.listing {
            known.standing.is_now(noted);
            return Ok(known.pinned());
        }
        let loaded = self.reload(path, known, listing).await?;
        Ok(loaded.pinned())
    }

    /// As [`Self::pin`], where the table is on a disk that tells that it has not changed: without waiting for
    /// anything. `None` where that is not known.
    pub(super) fn pin_at_once(&self, path: &str) -> Option<PinnedTable> {
        let known = self.latest.get(path).now_or_never().flatten()?;
        known.standing.stands().then(|| known.pinned())
    }

    async fn reload(
        &self,
        path: &str,
        known: Arc<Loaded>,
        listing: Listing,
    ) -> Result<Arc<Loaded>> {
        // A log that still has the version that we know, as we know it, only grew.
        let base = listing.continues(&known.listing).then_some(known);
        // A table that was made anew may not have come as far as the one that is known: what is listed
        // behind its end tells no two such tables apart.
        let listing = match listing.is_empty() {
            true => Listing::read(&self.lake.store, path, 0).await?,
            false => listing,
        };
        let key = (path.to_owned(), listing.clone());
        let loaded = self
            .loads
            .try_get_with(key, self.load(path, base, Some(listing)))
            .await
            .map_err(|error| Error::clone(&error))?;
        self.latest
            .insert(path.to_owned(), Arc::clone(&loaded))
            .await;
        Ok(loaded)
    }

    /// Loads the latest version, from `base` on or from nothing. `listing` is what the log lists from the version of `base` on.
    async fn load(
        &self,
        path: &str,
        base: Option<Arc<Loaded>>,
        listing: Option<Listing>,
    ) -> Result<Arc<Loaded>> {
        if let (Some(base), Some(listing)) = (&base, listing)
            && let Some(snapshot) = self.appended(path, &base.snapshot, &listing).await
        {
            let listing = listing.from(snapshot.version());
            return self.loaded(path, snapshot, listing);
        }
        let mut table = match base {
            Some(base) => base.snapshot.table().clone(),
            None => self.open(path)?,
        };
        for _ in 0..ATTEMPTS_MAX {
            table
                .update_state()
                .await
                .map_err(|cause| refused(path, cause))?;
            let version = table.version().ok_or_else(|| gone(path))?;
            let listing = Listing::read(&self.lake.store, path, version).await?;
            // A commit between the load and the listing would else never be noticed.
            if listing.latest().is_none_or(|latest| latest <= version) {
                return self.loaded(path, Snapshot::of(path, version, table)?, listing);
            }
        }
        Err(Error::new(
            ErrorKind::IoError,
            format!("table \"{path}\" is committed to faster than it can be loaded"),
        ))
    }

    fn loaded(&self, path: &str, snapshot: Snapshot, listing: Listing) -> Result<Arc<Loaded>> {
        let snapshot = Arc::new(snapshot);
        let version = snapshot.version();
        Ok(Arc::new(Loaded {
            digest: digest(path, &snapshot, &listing),
            identity: identity(path, &snapshot, version, listing.changed(version)),
            provider: Arc::new(self.provider_of(path, &snapshot)?),
            standing: LastStanding::default(),
            snapshot,
            listing,
        }))
    }

    /// The latest version that is listed, if the commits since that of `base` have only added files, and few of them. What
    /// else they do, and why one cannot be read, is for deltalake to tell.
    async fn appended(&self, path: &str, base: &Snapshot, listing: &Listing) -> Option<Snapshot> {
        let versions = listing.few_since(base.version())?;
        let commits = stream::iter(versions).map(|version| async move {
            let actions = self.actions::<Appending>(path, version).await?;
            Ok::<_, Error>((version, actions))
        });
        let commits = commits.buffered(READS_MAX).try_collect().await;
        base.with(commits.ok()?)
    }

    /// What reads the snapshot.
    fn provider_of(&self, path: &str, snapshot: &Arc<Snapshot>) -> Result<Provider> {
        let provider = Provider::new(Arc::clone(snapshot), None);
        let folder = table_url(&self.lake.url, path)?;
        Ok(match self.writers {
            Writers::Any => provider,
            Writers::Own => provider.plain(|schema| {
                Plain::of(snapshot, snapshot.files(), &self.lake, (&folder, schema))
            }),
        })
    }

    /// What reads some files of the snapshot, which the log calls so.
    fn provider_of_files(
        &self,
        path: &str,
        snapshot: &Arc<Snapshot>,
        names: HashSet<String>,
        files: impl Iterator<Item = DataFile>,
    ) -> Result<Provider> {
        let n_files = names.len();
        let provider = Provider::new(Arc::clone(snapshot), Some(names));
        let folder = table_url(&self.lake.url, path)?;
        Ok(provider.plain(|schema| {
            let plain = Plain::of(snapshot, files, &self.lake, (&folder, schema));
            // Names that URLs write otherwise are left to the log's own reader.
            plain.filter(|plain| plain.n_files() == n_files)
        }))
    }

    fn open(&self, path: &str) -> Result<DeltaTable> {
        let url = table_url(&self.lake.url, path)?;
        DeltaTableBuilder::from_url(url)
            .map(|builder| {
                builder.with_storage_backend(Arc::clone(&self.lake.store), self.lake.url.clone())
            })
            .and_then(DeltaTableBuilder::build)
            .map_err(Error::internal)
    }
}

/// What tells a version of the table from all other rows: where it lies, which table it is by the
/// identifier in its log, the number, and the commit as it lies in the store.
fn digest(path: &str, snapshot: &Snapshot, listing: &Listing) -> [u8; 32] {
    let mut hasher = named(path, snapshot);
    hasher.update(&snapshot.version().to_le_bytes());
    listing.tell_apart(snapshot.version(), &mut hasher);
    *hasher.finalize().as_bytes()
}

/// What tells a version of the table from all other rows in every process: where it lies, the identifier
/// in its log, which no table that is made anew has, the number, and when it was committed to the store.
fn identity(
    path: &str,
    snapshot: &Snapshot,
    version: u64,
    changed: Option<DateTime<Utc>>,
) -> Option<[u8; 32]> {
    let mut hasher = named(path, snapshot);
    hasher.update(&version.to_le_bytes());
    hasher.update(&changed?.timestamp_millis().to_le_bytes());
    Some(*hasher.finalize().as_bytes())
}

/// Where a table lies, and which it is.
fn named(path: &str, snapshot: &Snapshot) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    for text in ["delta", path, snapshot.described().state().metadata().id()] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher
}

/// The memory that a snapshot of so many files takes, about: in bytes.
fn weight(n_files: usize) -> u32 {
    let bytes = n_files
        .saturating_mul(FILE_BYTES)
        .saturating_add(SNAPSHOT_BYTES);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// What the log says of the table's files. Rows that deletion vectors mark are no longer there.
fn size(state: &DeltaTableState) -> Size {
    Size::of_files(state.log_data().iter().map(|file| {
        let deleted = file.deletion_vector_descriptor();
        let deleted = deleted.map_or(0, |vector| vector.cardinality);
        let left = |rows: usize| (rows as u64).saturating_sub(u64::try_from(deleted).unwrap_or(0));
        let rows = file.num_records().map(left);
        (rows, u64::try_from(file.size()).unwrap_or(0))
    }))
}

/// A scan of what deltalake has read, with the schema as it is served.
fn scan(path: &str, state: &DeltaTableState) -> Result<DeltaScanNext> {
    let config = DeltaScanConfig::new().with_wrap_partition_values(false);
    DeltaScanNext::new(state.snapshot().clone(), config).map_err(|cause| {
        let source = cause.into();
        refused(path, DeltaTableError::GenericError { source })
    })
}

/// Percent-encodes each segment, as URLs want it.
fn table_url(lake: &Url, path: &str) -> Result<Url> {
    let mut url = lake.clone();
    url.path_segments_mut()
        .map_err(|()| Error::new(ErrorKind::InternalError, "the lake's URL has no path"))?
        .clear()
        .extend(path.split('/').filter(|segment| !segment.is_empty()))
        .push("");
    Ok(url)
}

fn gone(path: &str) -> Error {
    Error::new(
        ErrorKind::UndefinedFile,
        format!("there is no Delta table at \"{path}\" any more"),
    )
}

/// What deltalake says about a table that cannot be opened, in our terms.
fn refused(path: &str, cause: DeltaTableError) -> Error {
    match cause {
        DeltaTableError::NotATable(_) => gone(path),
        DeltaTableError::ObjectStore { source } => crate::storage::error(path, source),
        cause => {
            let message = format!("the log of table \"{path}\" cannot be read: {cause}");
            Error::new(ErrorKind::DataCorrupted, message).with_cause(cause)
        }
    }
}

/// Teaches deltalake our scheme. Its registry is global; the entry is the same for all lakes,
/// because the store is given with each table.
fn register_log_stores() {
    if let Ok(scheme) = Url::parse(&format!("{SCHEME}://")) {
        logstore_factories().insert(scheme, Arc::new(LogStores));
    }
}

struct LogStores;

impl LogStoreFactory for LogStores {
    fn with_options(
        &self,
        prefixed_store: ObjectStoreRef,
        root_store: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(
            prefixed_store,
            root_store,
            location,
            options,
        ))
    }
}
