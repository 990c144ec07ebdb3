//! Pins Delta tables at a moment of their history.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use futures::FutureExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::history::{Enablement, History, Search};
use super::log::{self, Listing};
use super::snapshot::Snapshot;
use super::{DeltaTables, LastStanding, gone, refused};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::{At, PinnedTable, Version};
use crate::storage::{self, Noted};

/// A table's log, as it was last listed.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) history: History,
    /// The newest version, and what is listed from it on.
    pub(super) latest: u64,
    listing: Listing,
    /// Another one if the table was made anew: what is known of its versions is of the old one.
    pub(super) generation: u64,
    standing: LastStanding,
}

/// A version of a table, and when it was committed to the store.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) changed: Option<DateTime<Utc>>,
    /// Reads it, for every statement.
    provider: Arc<dyn TableProvider>,
}

impl Past {
    fn pinned(&self, path: &str, log: &Log, version: u64) -> PinnedTable {
        PinnedTable {
            version: Version::Delta(version),
            digest: Some(digest(path, log, version)),
            identity: super::identity(path, &self.snapshot, version, self.changed),
            changed: self.changed,
            size: self.snapshot.size(),
            provider: Arc::clone(&self.provider),
        }
    }
}

/// The table properties of in-commit timestamps (protocol, "In-Commit Timestamps").
const ENABLED: &str = "delta.enableInCommitTimestamps";
const ENABLED_SINCE: &str = "delta.inCommitTimestampEnablementVersion";
const ENABLED_AT: &str = "delta.inCommitTimestampEnablementTimestamp";

impl DeltaTables {
    /// Pins the table at a moment. One request if the log has not changed and the version is known.
    ///
    /// # Errors
    /// `InvalidParameterValue`, with the oldest and the latest version that can be read, if that
    /// of the moment cannot.
    pub(in crate::sources::lake) async fn pin_at(&self, path: &str, at: At) -> Result<PinnedTable> {
        let log = self.log(path).await?;
        let version = self.require_version(path, &log, Some(at)).await?;
        let past = match self.version(path, &log, version).await {
            Ok(past) => past,
            // Commits may have been removed since the log was listed.
            Err(error) => match self.whole_log(path).await {
                Ok(log) if !log.history.is_readable(version) => {
                    return Err(no_version(path, version, &log));
                }
                _ => return Err(error),
            },
        };
        Ok(past.pinned(path, &log, version))
    }

    /// As [`Self::pin_at`] at a version that is known, where the table is on a disk that tells that its log has not
    /// changed: without waiting for anything. `None` where that is not known.
    pub(in crate::sources::lake) fn pin_version_at_once(
        &self,
        path: &str,
        version: u64,
    ) -> Option<PinnedTable> {
        let log = self.logs.get(path).now_or_never().flatten()?;
        if !log.standing.stands() || !log.history.is_readable(version) {
            return None;
        }
        let key = (path.to_owned(), log.generation, version);
        let past = self.past.get(&key).now_or_never().flatten()?;
        Some(past.pinned(path, &log, version))
    }

    /// The number of the version at a moment.
    ///
    /// # Errors
    /// As [`Self::pin_at`].
    pub(super) async fn require_version(
        &self,
        path: &str,
        log: &Log,
        at: Option<At>,
    ) -> Result<u64> {
        match at {
            None => Ok(log.latest),
            Some(At::Version(version)) if log.history.is_readable(version) => Ok(version),
            Some(At::Version(version)) => Err(no_version(path, version, log)),
            Some(At::Instant(instant)) => {
                let found = self.version_at(path, log, instant).await?;
                found.ok_or_else(|| before_all(path, instant, log))
            }
        }
    }

    /// The number of the version at a moment; `None` if there was none yet, or none that is left.
    pub(in crate::sources::lake) async fn version_number(
        &self,
        path: &str,
        at: Option<At>,
    ) -> Result<Option<u64>> {
        let log = self.log(path).await?;
        match at {
            None => Ok(Some(log.latest)),
            Some(At::Version(version)) => Ok(log.history.is_readable(version).then_some(version)),
            Some(At::Instant(instant)) => self.version_at(path, &log, instant).await,
        }
    }

    /// The log as it is now: what is new in it is listed; all of it if it was made anew.
    pub(super) async fn log(&self, path: &str) -> Result<Arc<Log>> {
        let known = self.logs.get(path).await;
        let log = match known {
            Some(known) if known.standing.stands() => return Ok(known),
            Some(known) => {
                let folder = log::folder(path);
                // Before it is listed: what comes in between is then another log than was noted.
                let noted = self
                    .lake
                    .note(Noted::Folder(&folder, known.listing.names()));
                let noted = noted.await;
                let listing = Listing::read(&self.lake.store, path, known.latest).await?;
                if listing == known.listing {
                    known.standing.is_now(noted);
                    return Ok(known);
                }
                match listing.continues(&known.listing) {
                    true => self.grown(&known, listing),
                    false => self.whole_log(path).await?,
                }
            }
            None => self.whole_log(path).await?,
        };
        let log = Arc::new(log);
        self.logs.insert(path.to_owned(), Arc::clone(&log)).await;
        Ok(log)
    }

    fn grown(&self, known: &Log, listing: Listing) -> Log {
        let latest = listing.latest().unwrap_or(known.latest);
        Log {
            history: known.history.and(&listing),
            latest,
            listing: listing.from(latest),
            generation: known.generation,
            standing: LastStanding::default(),
        }
    }

    async fn whole_log(&self, path: &str) -> Result<Log> {
        let listing = Listing::read(&self.lake.store, path, 0).await?;
        let latest = listing.latest().ok_or_else(|| gone(path))?;
        Ok(Log {
            history: History::of(&listing),
            latest,
            listing: listing.from(latest),
            generation: self.generations.fetch_add(1, Ordering::Relaxed),
            standing: LastStanding::default(),
        })
    }

    /// A version that can be read: loaded once, whoever reads it.
    pub(super) async fn version(&self, path: &str, log: &Log, version: u64) -> Result<Arc<Past>> {
        let load = async {
            if version == log.latest
                && let Some(latest) = self.latest.get(path).await
                && latest.snapshot.version() == version
                && latest.listing == log.listing
            {
                return Ok(Arc::new(Past {
                    snapshot: Arc::clone(&latest.snapshot),
                    changed: log.listing.changed(version),
                    provider: Arc::clone(&latest.provider),
                }));
            }
            let mut table = self.open(path)?;
            let loaded = table.load_version(version).await;
            loaded.map_err(|cause| refused(path, cause))?;
            let snapshot = Arc::new(Snapshot::of(path, version, table)?);
            let changed = log.history.changed(version);
            let provider = Arc::new(self.provider_of(path, &snapshot)?);
            Ok(Arc::new(Past {
                snapshot,
                changed,
                provider,
            }))
        };
        let key = (path.to_owned(), log.generation, version);
        let past = self.past.try_get_with(key, load).await;
        past.map_err(|error: Arc<Error>| Error::clone(&error))
    }

    /// The last version until an instant; `None` if there was none yet, or none that is left.
    pub(super) async fn version_at(
        &self,
        path: &str,
        log: &Log,
        instant: DateTime<Utc>,
    ) -> Result<Option<u64>> {
        let millis = instant.timestamp_millis();
        let enablement = self.enablement(path, log).await?;
        let (mut first, mut last) = match log.history.search(millis, enablement) {
            Search::Version(version) => return Ok(Some(version)),
            Search::Before => return Ok(None),
            Search::Within(first, last) => (first, last),
        };
        if self.own_time(path, log, last).await? <= millis {
            return Ok(Some(last));
        }
        if self.own_time(path, log, first).await? > millis {
            return Ok(None);
        }
        // The first is not after the instant, and the last is.
        while last - first > 1 {
            let middle = first + (last - first) / 2;
            match self.own_time(path, log, middle).await? <= millis {
                true => first = middle,
                false => last = middle,
            }
        }
        Ok(Some(first))
    }

    /// Since when the table's commits hold their time themselves; `None` if they do not.
    pub(super) async fn enablement(&self, path: &str, log: &Log) -> Result<Option<Enablement>> {
        let latest = self.version(path, log, log.latest).await?;
        let properties = latest.snapshot.described().state().metadata();
        let properties = properties.configuration();
        if properties.get(ENABLED).map(String::as_str) != Some("true") {
            return Ok(None);
        }
        let number = |name: &str| match properties.get(name) {
            None => Ok(None),
            Some(text) => text.parse::<u64>().map(Some).map_err(|cause| {
                let message =
                    format!("property {name} of table \"{path}\" is no number: \"{text}\"");
                Error::new(ErrorKind::DataCorrupted, message).with_cause(cause)
            }),
        };
        let at = number(ENABLED_AT)?.map(|at| i64::try_from(at).unwrap_or(i64::MAX));
        let version = number(ENABLED_SINCE)?.unwrap_or_default();
        Ok(Some(Enablement { version, at }))
    }

    /// The time that a commit holds itself, in milliseconds since 1970. A commit never changes.
    pub(super) async fn own_time(&self, path: &str, log: &Log, version: u64) -> Result<i64> {
        let read = async {
            let bytes = self.commit(path, version).await?;
            let damaged = || {
                let message =
                    format!("commit {version} of table \"{path}\" has no in-commit timestamp");
                Error::new(ErrorKind::DataCorrupted, message)
            };
            // It is in the first action (protocol, "In-Commit Timestamps").
            let first = bytes
                .split(|byte| *byte == b'\n')
                .next()
                .unwrap_or_default();
            let action: Action =
                serde_json::from_slice(first).map_err(|cause| damaged().with_cause(cause))?;
            let info = action.commit_info.ok_or_else(damaged)?;
            info.in_commit_timestamp.ok_or_else(damaged)
        };
        let key = (path.to_owned(), log.generation, version);
        let time = self.own_times.try_get_with(key, read).await;
        time.map_err(|error: Arc<Error>| Error::clone(&error))
    }

    /// The bytes of a commit.
    pub(super) async fn commit(&self, path: &str, version: u64) -> Result<bytes::Bytes> {
        let name = format!("{version:020}.json");
        let location = Path::from_iter(path.split('/').chain(["_delta_log", &name]));
        let found = self.lake.store.get(&location).await;
        let found = found.map_err(|cause| storage::error(path, cause))?;
        let bytes = found.bytes().await;
        bytes.map_err(|cause| storage::error(path, cause))
    }

    /// The actions of a commit, as much as `T` wants to know of them.
    ///
    /// # Errors
    /// It cannot be read; `DataCorrupted`: a line of it is no action.
    pub(super) async fn actions<T: DeserializeOwned>(
        &self,
        path: &str,
        version: u64,
    ) -> Result<Vec<T>> {
        let bytes = self.commit(path, version).await?;
        let lines = bytes.split(|byte| *byte == b'\n');
        lines
            .filter(|line| !line.is_empty())
            .map(|line| {
                serde_json::from_slice(line).map_err(|cause| {
                    let message = format!("commit {version} of table \"{path}\" is damaged");
                    Error::new(ErrorKind::DataCorrupted, message).with_cause(cause)
                })
            })
            .collect()
    }
}

/// What tells a version from all other rows: where it lies, which of the tables that lay there it is of,
/// and the number. A table that was made anew is another one by its generation, which no other table
/// of this process has.
fn digest(path: &str, log: &Log, version: u64) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for text in ["delta at a moment", path] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    for number in [log.generation, version] {
        hasher.update(&number.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[derive(Deserialize)]
struct Action {
    #[serde(rename = "commitInfo")]
    commit_info: Option<CommitInfo>,
}

#[derive(Deserialize)]
struct CommitInfo {
    #[serde(rename = "inCommitTimestamp")]
    in_commit_timestamp: Option<i64>,
}

/// The versions that are left, as a sentence.
pub(super) fn what_is_left(log: &Log) -> String {
    match log.history.oldest() {
        Some(oldest) => format!(
            "The oldest version still kept is {oldest}, the latest is {}.",
            log.latest
        ),
        None => "No version can be read any more.".to_owned(),
    }
}

fn no_version(path: &str, version: u64, log: &Log) -> Error {
    let message = match version > log.latest {
        true => format!("version {version} of table \"{path}\" does not exist"),
        false => format!("version {version} of table \"{path}\" is no longer kept"),
    };
    Error::new(ErrorKind::InvalidParameterValue, message).with_detail(what_is_left(log))
}

fn before_all(path: &str, instant: DateTime<Utc>, log: &Log) -> Error {
    let shown = instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let message = format!("table \"{path}\" has no version as of {shown}");
    Error::new(ErrorKind::InvalidParameterValue, message).with_detail(what_is_left(log))
}
