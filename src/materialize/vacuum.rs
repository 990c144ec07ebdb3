//! Removes what nobody reads any more of a stored table: files of versions that are no longer remembered, files of refreshes
//! that never ended, and the log before all that is kept.
//!
//! deltalake's own vacuum says what it does in commits of the log, which would stand where refreshes look for what they
//! have stored.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deltalake_core::DeltaTableError;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use percent_encoding::percent_decode_str;

use super::made::EARLIER_MAX;
use super::write;
use crate::error::Result;
use crate::storage::{self, Place};

/// How long rows are kept behind those that took their place, at least: statements that have begun may read them.
const REPLACED: TimeDelta = TimeDelta::hours(1);

/// So old a file that no version has is of no refresh any more: see [`WRITES_MAX`].
const LEFT_OVER: TimeDelta = TimeDelta::hours(24);

/// A refresh that writes for longer stores nothing, as its first files might be taken for left over.
pub(super) const WRITES_MAX: Duration = Duration::from_secs(12 * 3600);

/// How many commits are read at a time.
const READ_AT_ONCE: usize = 8;

/// Takes away what is neither of the versions that are remembered nor of the last hour. If it fails or is dropped, what is
/// left is taken away the next time: files go before the log that names them. How many files went.
///
/// # Errors
/// The store does not answer, or the log cannot be read.
pub(super) async fn vacuum(place: &Place, path: &str) -> Result<usize> {
    let failed = |cause| storage::error(path, cause);
    let folder = Path::from_iter(path.split('/'));
    let listed = place.lake.store.list(Some(&folder));
    let listed: Vec<ObjectMeta> = listed.try_collect().await.map_err(failed)?;
    let now = Utc::now();
    let log = Log::of(&folder, &listed);
    let Some(oldest) = log.oldest_kept(now - REPLACED) else {
        return Ok(0);
    };
    let files: Vec<&ObjectMeta> = listed.iter().filter(|it| is_rows(&folder, it)).collect();
    let is_any_old = files
        .iter()
        .any(|file| file.last_modified < now - LEFT_OVER);
    if !log.commits.keys().any(|version| *version < oldest) && !is_any_old {
        return Ok(0);
    }
    let added = added(place, path, &log).await?;
    let mut kept = files_at(place, path, oldest).await?;
    let since = added.range(oldest..).flat_map(|(_, names)| names);
    kept.extend(since.cloned());
    let known: HashSet<&String> = added.range(..oldest).flat_map(|(_, names)| names).collect();
    let is_gone = |file: &&&ObjectMeta| {
        let name = file.location.filename().unwrap_or_default().to_owned();
        !kept.contains(&name) && (known.contains(&name) || file.last_modified < now - LEFT_OVER)
    };
    let gone: Vec<Path> = files
        .iter()
        .filter(is_gone)
        .map(|file| file.location.clone())
        .collect();
    let n_gone = gone.len();
    let old_log = log.before_checkpoint_of(oldest);
    for locations in [gone, old_log] {
        let locations = stream::iter(locations.into_iter().map(Ok)).boxed();
        let deleted = place.writable.delete_stream(locations);
        let is_left = |cause: &object_store::Error| {
            // Another gateway may take away the same.
            !matches!(cause, object_store::Error::NotFound { .. })
        };
        let deleted = deleted.filter(|it| {
            let is_told = it.as_ref().err().is_none_or(is_left);
            std::future::ready(is_told)
        });
        deleted
            .try_for_each(|_| async { Ok(()) })
            .await
            .map_err(failed)?;
    }
    Ok(n_gone)
}

/// Whether a file has rows of the table, by its name: refreshes write no others but the log.
fn is_rows(folder: &Path, file: &ObjectMeta) -> bool {
    let is_beside_log = file.location.parts_count() == folder.parts_count() + 1;
    let name = file.location.filename().unwrap_or_default();
    is_beside_log && name.starts_with("part-") && name.ends_with(".parquet")
}

/// What lies in a table's log.
struct Log {
    commits: BTreeMap<u64, DateTime<Utc>>,
    /// Files of commits and checkpoints, with their versions.
    files: Vec<(u64, Path)>,
    /// The versions of checkpoints in one file.
    checkpoints: Vec<u64>,
}

impl Log {
    fn of(folder: &Path, listed: &[ObjectMeta]) -> Self {
        let log = folder.clone().join("_delta_log");
        let mut found = Self {
            commits: BTreeMap::new(),
            files: Vec::new(),
            checkpoints: Vec::new(),
        };
        for file in listed {
            let name = file.location.filename().unwrap_or_default();
            let is_of_log = file.location.parts_count() == log.parts_count() + 1;
            let Some((version, rest)) = name.split_once('.') else {
                continue;
            };
            let Some(version) = version.parse().ok().filter(|_| version.len() == 20) else {
                continue;
            };
            if !is_of_log || !file.location.prefix_matches(&log) {
                continue;
            }
            match rest {
                "json" => drop(found.commits.insert(version, file.last_modified)),
                "checkpoint.parquet" => found.checkpoints.push(version),
                _ => continue,
            }
            found.files.push((version, file.location.clone()));
        }
        found
    }

    /// The oldest version that is kept: those are that are remembered, and those that were the latest after `since`.
    fn oldest_kept(&self, since: DateTime<Utc>) -> Option<u64> {
        let (latest, _) = self.commits.last_key_value()?;
        let remembered = latest.saturating_sub(EARLIER_MAX as u64);
        let before = self.commits.iter().filter(|(_, at)| **at <= since);
        let then = before.map(|(version, _)| *version).max();
        let (first, _) = self.commits.first_key_value()?;
        Some(then.unwrap_or(*first).min(remembered).max(*first))
    }

    /// What lies before the newest checkpoint that has all of a version.
    fn before_checkpoint_of(&self, version: u64) -> Vec<Path> {
        let checkpoints = self.checkpoints.iter().copied();
        let Some(checkpoint) = checkpoints.filter(|it| *it <= version).max() else {
            return Vec::new();
        };
        let files = self.files.iter();
        let before = files.filter(|(version, _)| *version < checkpoint);
        before.map(|(_, location)| location.clone()).collect()
    }
}

/// The names of the files that each commit of the log has added.
async fn added(place: &Place, path: &str, log: &Log) -> Result<BTreeMap<u64, Vec<String>>> {
    let commits = log.commits.keys().copied();
    let read = stream::iter(commits).map(|version| async move {
        let commit = format!("{version:020}.json");
        let location = Path::from_iter(path.split('/').chain(["_delta_log", &commit]));
        let found = place.lake.store.get(&location).await?;
        let bytes = found.bytes().await?;
        Ok((version, names_added(&bytes)))
    });
    let read = read.buffered(READ_AT_ONCE).try_collect().await;
    read.map_err(|cause| storage::error(path, cause))
}

fn names_added(commit: &[u8]) -> Vec<String> {
    let lines = commit.split(|byte| *byte == b'\n');
    let added = lines.filter_map(|line| {
        let action: serde_json::Value = serde_json::from_slice(line).ok()?;
        Some(name_of(action.get("add")?.get("path")?.as_str()?))
    });
    added.collect()
}

/// The name of a file in the store, by its path in the log.
fn name_of(path: &str) -> String {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}

/// The names of the files that a version has.
async fn files_at(place: &Place, path: &str, version: u64) -> Result<HashSet<String>> {
    let shown = format!("{}/{path}", place.lake.shown);
    let failed = |cause: DeltaTableError| write::failed(&shown, cause);
    let mut table = write::open(place, path)?;
    table.load_version(version).await.map_err(failed)?;
    let state = table.snapshot().map_err(failed)?;
    let files = state.log_data();
    Ok(files.iter().map(|file| name_of(&file.path())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[(&str, i64)]) -> Vec<ObjectMeta> {
        let files = names.iter().map(|(name, minutes_ago)| ObjectMeta {
            location: Path::from(format!("m/v/{name}")),
            last_modified: Utc::now() - TimeDelta::minutes(*minutes_ago),
            size: 1,
            e_tag: None,
            version: None,
        });
        files.collect()
    }

    fn log(latest: u64, minutes_between: i64) -> Log {
        let ago = |version: u64| (latest - version) as i64 * minutes_between;
        let names: Vec<(String, i64)> = (0..=latest)
            .map(|version| (format!("_delta_log/{version:020}.json"), ago(version)))
            .chain([(format!("_delta_log/{:020}.checkpoint.parquet", 9), 0)])
            .chain([("part-0.parquet".to_owned(), 0)])
            .collect();
        let names: Vec<(&str, i64)> = names
            .iter()
            .map(|(name, at)| (name.as_str(), *at))
            .collect();
        Log::of(&Path::from("m/v"), &listed(&names))
    }

    #[test]
    fn what_is_remembered_is_kept_and_what_was_the_latest_within_an_hour() {
        let since = Utc::now() - REPLACED;
        assert_eq!(log(50, 60).oldest_kept(since), Some(0));
        assert_eq!(log(250, 60).oldest_kept(since), Some(150));
        // Of a minute each, 60 are of the last hour, and of a second each all are.
        assert_eq!(log(250, 1).oldest_kept(since), Some(150));
        assert_eq!(log(250, 0).oldest_kept(since), Some(0));
    }

    #[test]
    fn the_log_is_kept_from_a_checkpoint_on() {
        let log = log(30, 60);
        assert_eq!(log.commits.len(), 31);
        assert!(log.before_checkpoint_of(8).is_empty());
        assert_eq!(log.before_checkpoint_of(9).len(), 9);
        assert_eq!(log.before_checkpoint_of(20).len(), 9);
    }

    #[test]
    fn files_are_known_by_what_commits_add() {
        let commit = b"{\"commitInfo\":{}}\n{\"add\":{\"path\":\"part-0%20a.parquet\"}}\n{\"remove\":{\"path\":\"b\"}}";
        assert_eq!(names_added(commit), ["part-0 a.parquet"]);
    }
}
