//! What a table's log lists from a version on: equal listings mean an unchanged table.

use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;

use crate::error::Result;
use crate::storage;

/// How many commits are few, and how many bytes they have at most.
const COMMITS_MAX: usize = 16;
const COMMITS_BYTES_MAX: u64 = 1 << 20;

/// The commits and checkpoints of a log from one version on, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Listing {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    version: u64,
    name: String,
    size: u64,
    /// The store's tag, or the time of the last change where it has none.
    tag: String,
    changed: DateTime<Utc>,
}

impl Listing {
    /// Lists the log of the table at `path` from `version` on: one request.
    pub(super) async fn read(
        store: &Arc<dyn ObjectStore>,
        path: &str,
        version: u64,
    ) -> Result<Self> {
        let log = folder(path);
        // Sorts before every file of this version, and after every file of the one before.
        let offset = log.clone().join(format!("{version:020}"));
        let objects: Vec<_> = store
            .list_with_offset(Some(&log), &offset)
            .try_collect()
            .await
            .map_err(|cause| storage::error(path, cause))?;
        let mut entries: Vec<_> = objects
            .into_iter()
            .filter(|object| object.location.parts_count() == log.parts_count() + 1)
            .filter_map(|object| {
                let name = object.location.filename()?;
                Some(Entry {
                    version: version_of(name)?,
                    name: name.to_owned(),
                    size: object.size,
                    changed: object.last_modified,
                    tag: object
                        .e_tag
                        .unwrap_or_else(|| object.last_modified.to_rfc3339()),
                })
            })
            .collect();
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { entries })
    }

    /// The names of the files it lists.
    pub(super) fn names(&self) -> Vec<&str> {
        self.entries.iter().map(|it| it.name.as_str()).collect()
    }

    /// Whether it lists nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The oldest version it lists.
    pub(super) fn first(&self) -> Option<u64> {
        self.entries.iter().map(|entry| entry.version).min()
    }

    /// What it lists from a version on.
    pub(super) fn from(mut self, version: u64) -> Self {
        self.entries.retain(|entry| entry.version >= version);
        self
    }

    /// The version and the kind of each file, and when it was written.
    pub(super) fn files(&self) -> impl Iterator<Item = (u64, Kind, DateTime<Utc>)> {
        let entries = self.entries.iter();
        entries.filter_map(|entry| Some((entry.version, kind_of(&entry.name)?, entry.changed)))
    }

    /// When a version was written.
    pub(super) fn changed(&self, version: u64) -> Option<DateTime<Utc>> {
        let entries = self.entries.iter().filter(|entry| entry.version == version);
        entries.map(|entry| entry.changed).min()
    }

    /// Tells the table that has this version from every other that lay or will lie here: the commit's
    /// file, and where that is no longer kept, its checkpoint.
    pub(super) fn tell_apart(&self, version: u64, hasher: &mut blake3::Hasher) {
        let of_version = || self.entries.iter().filter(|it| it.version == version);
        let commit = of_version().find(|it| kind_of(&it.name) == Some(Kind::Commit));
        if let Some(entry) = commit.or_else(|| of_version().next()) {
            for text in [&entry.name, &entry.tag, &entry.changed.to_rfc3339()] {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
            hasher.update(&entry.size.to_le_bytes());
        }
    }

    /// The versions behind this one, if the commit of each is listed, and all of them are few and small.
    pub(super) fn few_since(&self, version: u64) -> Option<RangeInclusive<u64>> {
        let versions = version + 1..=self.latest()?;
        let commits = self.entries.iter().filter(|entry| {
            versions.contains(&entry.version) && kind_of(&entry.name) == Some(Kind::Commit)
        });
        let sizes: Vec<u64> = commits.map(|entry| entry.size).collect();
        let are_all = versions.clone().count() == sizes.len();
        let are_few = sizes.len() <= COMMITS_MAX && sizes.iter().sum::<u64>() <= COMMITS_BYTES_MAX;
        (are_all && are_few).then_some(versions)
    }

    /// The newest version it lists.
    pub(super) fn latest(&self) -> Option<u64> {
        self.entries.iter().map(|entry| entry.version).max()
    }

    /// Whether everything of the older listing is still there as it was, and there was something.
    pub(super) fn continues(&self, older: &Listing) -> bool {
        !older.entries.is_empty()
            && older
                .entries
                .iter()
                .all(|entry| self.entries.contains(entry))
    }
}

/// The folder of a table's log.
pub(super) fn folder(path: &str) -> Path {
    Path::from_iter(path.split('/').chain(["_delta_log"]))
}

/// What a file of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    /// A whole checkpoint, of one file or with sidecars.
    Checkpoint,
    /// One of several files of a checkpoint.
    Part {
        n_parts: u32,
    },
}

/// What a commit or checkpoint is, by its file's name (protocol, "Delta Log Entries", "Checkpoints").
fn kind_of(name: &str) -> Option<Kind> {
    let (_, rest) = name.split_at_checked(20)?;
    if rest == ".json" {
        return Some(Kind::Commit);
    }
    let rest = rest.strip_prefix(".checkpoint.")?;
    let parts: Vec<&str> = rest.split('.').collect();
    match parts.as_slice() {
        ["parquet"] | [_, "parquet" | "json"] => Some(Kind::Checkpoint),
        [_, n_parts, "parquet"] => Some(Kind::Part {
            n_parts: n_parts.parse().ok()?,
        }),
        _ => None,
    }
}

/// The version of a commit's or checkpoint's file name; `None` for other files, such as
/// checksums and compacted ranges, which change no rows.
fn version_of(name: &str) -> Option<u64> {
    let (version, rest) = name.split_at_checked(20)?;
    let is_log = rest == ".json" || (rest.starts_with(".checkpoint.") && !rest.ends_with(".crc"));
    is_log.then(|| version.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_names() {
        fn check(rest: &str, expected: Option<Kind>) {
            assert_eq!(kind_of(&format!("00000000000000000012{rest}")), expected);
        }
        check(".json", Some(Kind::Commit));
        check(".checkpoint.parquet", Some(Kind::Checkpoint));
        check(".checkpoint.80a083e8-7026.parquet", Some(Kind::Checkpoint));
        check(".checkpoint.80a083e8-7026.json", Some(Kind::Checkpoint));
        let part = Kind::Part { n_parts: 3 };
        check(".checkpoint.0000000001.0000000003.parquet", Some(part));
        check(".crc", None);
    }

    #[test]
    fn few_small_commits_in_a_row_are_told() {
        fn check(names: &[&str], size: u64, expected: Option<&[u64]>) {
            let entries = names.iter().map(|name| Entry {
                version: version_of(name).expect("it is of a version"),
                name: (*name).to_owned(),
                size,
                tag: String::new(),
                changed: DateTime::UNIX_EPOCH,
            });
            let listing = Listing {
                entries: entries.collect(),
            };
            let few = listing.few_since(5).map(Vec::from_iter);
            assert_eq!(few.as_deref(), expected, "{names:?}");
        }
        let five = "00000000000000000005.json";
        let six = "00000000000000000006.json";
        let seven = "00000000000000000007.json";
        let checkpoint = "00000000000000000006.checkpoint.parquet";
        check(&[five, six, seven], 10, Some(&[6, 7]));
        check(&[five, checkpoint, six, seven], 10, Some(&[6, 7]));
        check(&[five], 10, Some(&[]));
        check(&[five, seven], 10, None);
        check(&[five, checkpoint], 10, None);
        check(&[five, six, seven], 1 << 20, None);
    }

    #[test]
    fn only_commits_and_checkpoints_have_versions() {
        fn check(name: &str, expected: Option<u64>) {
            assert_eq!(version_of(name), expected, "{name}");
        }
        check("00000000000000000012.json", Some(12));
        check("00000000000000000012.checkpoint.parquet", Some(12));
        check("00000000000000000012.crc", None);
        check("_last_checkpoint", None);
        check(
            "00000000000000000001.00000000000000000002.compacted.json",
            None,
        );
    }
}
