//! Which versions of a table still have all of their files: vacuum takes away those that no newer version
//! needs, and leaves the log as it is.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use object_store::path::Path;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::at::Log;
use super::{DeltaTables, READS_MAX};
use crate::error::{Error, Result};
use crate::storage;

/// Spans of versions that cannot be read any more: each from its first version to before its end.
#[derive(Debug, Default)]
pub(super) struct Lost {
    spans: Vec<(u64, u64)>,
}

impl Lost {
    /// Whether a file of this version is gone.
    pub(super) fn has(&self, version: u64) -> bool {
        let mut spans = self.spans.iter();
        spans.any(|(first, end)| (*first..*end).contains(&version))
    }
}

/// What a commit does to files.
#[derive(Deserialize)]
struct Action {
    add: Option<File>,
    remove: Option<File>,
}

#[derive(Deserialize)]
struct File {
    path: String,
}

impl DeltaTables {
    /// The oldest version that can be read to its last row, and the latest, if this one cannot.
    pub(in crate::sources::lake) async fn what_is_left(
        &self,
        path: &str,
        version: u64,
    ) -> Result<Option<String>> {
        let log = self.log(path).await?;
        let lost = self.lost(path, &log).await?;
        if !lost.has(version) {
            return Ok(None);
        }
        let first = log.history.oldest().unwrap_or(log.latest);
        let mut whole = (first..=log.latest)
            .filter(|version| log.history.is_readable(*version) && !lost.has(*version));
        Ok(Some(match whole.next() {
            Some(oldest) => format!(
                "The oldest version that still has all of its files is {oldest}, the latest is {}.",
                log.latest
            ),
            None => "No version has all of its files any more.".to_owned(),
        }))
    }

    /// The versions of which files are gone: one listing, and every commit that is left.
    pub(super) async fn lost(&self, path: &str, log: &Log) -> Result<Lost> {
        let present = self.data_files(path).await?;
        let versions: Vec<u64> = log
            .history
            .times()
            .iter()
            .map(|(version, _)| *version)
            .collect();
        let commits: BTreeMap<u64, Vec<Action>> =
            stream::iter(versions)
                .map(|version| async move {
                    Ok::<_, Error>((version, self.actions(path, version).await?))
                })
                .buffer_unordered(READS_MAX)
                .try_collect()
                .await?;
        let oldest = log.history.oldest().unwrap_or_default();
        // Since when each file that is gone was there.
        let mut since: BTreeMap<String, u64> = BTreeMap::new();
        let mut lost = Lost::default();
        for (version, actions) in commits {
            for action in actions {
                if let Some(file) = action.remove.map(|file| decoded(&file.path))
                    && !present.contains(&file)
                {
                    let first = since.remove(&file).unwrap_or(oldest);
                    lost.spans.push((first, version));
                }
                if let Some(file) = action.add.map(|file| decoded(&file.path))
                    && !present.contains(&file)
                {
                    since.entry(file).or_insert(version);
                }
            }
        }
        let latest = self.version(path, log, log.latest).await?;
        for file in latest.snapshot.files() {
            let file = decoded(&file.name);
            if !present.contains(&file) {
                let first = since.get(&file).copied().unwrap_or(oldest);
                lost.spans.push((first, u64::MAX));
            }
        }
        Ok(lost)
    }

    /// The names of the files below a table's folder.
    async fn data_files(&self, path: &str) -> Result<BTreeSet<String>> {
        let folder = Path::from_iter(path.split('/'));
        let listed: Vec<_> = self
            .lake
            .store
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(|cause| storage::error(path, cause))?;
        let names = listed.into_iter().filter_map(|object| {
            let parts = object.location.prefix_match(&folder)?;
            let parts: Vec<_> = parts.map(|part| part.as_ref().to_owned()).collect();
            Some(decoded(&parts.join("/")))
        });
        Ok(names.collect())
    }
}

/// A file's name without percent signs of either the log or the store.
fn decoded(name: &str) -> String {
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}
