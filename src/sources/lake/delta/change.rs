//! What became of a table's rows between two of its versions: the files that came, and those that went.
//!
//! The rows of the later version are those of the earlier one, with those that came and without those that went,
//! as bags. A file with another deletion vector is another file. Commits that only lay rows otherwise (`dataChange`
//! is false of all their files) are left out where that leaves only files that one of the two versions has.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use deltalake_core::kernel::StorageType;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::at::Past;
use super::snapshot::Appended;
use super::{DeltaTables, READS_MAX, vectors};
use crate::error::Result;
use crate::sources::{Change, ChangedRows, Unfollowed};
use crate::storage;

/// More commits than that are not followed: to read them takes longer than what they say is worth.
const COMMITS_MAX: u64 = 1_000;

/// What a commit does to the table.
#[derive(Deserialize)]
struct Action {
    add: Option<Entry>,
    remove: Option<Entry>,
    #[serde(rename = "metaData")]
    metadata: Option<IgnoredAny>,
    protocol: Option<IgnoredAny>,
}

/// A file that comes or goes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    path: String,
    #[serde(default = "yes")]
    data_change: bool,
    deletion_vector: Option<Vector>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    storage_type: String,
    path_or_inline_dv: String,
    offset: Option<i32>,
}

/// A file with its deletion vector, as the protocol tells files apart ("Action Reconciliation").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct File {
    /// Without percent signs.
    path: String,
    /// How it is stored, where, and at which offset.
    vector: Option<(char, String, Option<i32>)>,
}

impl Entry {
    fn file(&self) -> File {
        let vector = self.deletion_vector.as_ref();
        File {
            path: decoded(&self.path),
            vector: vector.map(|vector| {
                let kind = vector.storage_type.chars().next().unwrap_or_default();
                (kind, vector.path_or_inline_dv.clone(), vector.offset)
            }),
        }
    }
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// The files of a version, and their bytes.
type Files = BTreeMap<File, u64>;

/// How many times more the rows of a file are to be taken: 1 or -1.
type Signs = BTreeMap<File, i8>;

impl DeltaTables {
    /// What became of the rows of the table at `path` between two versions. `n_files` is how many files the earlier
    /// one has, where that is known: of a table that was only appended to, it need not be read then.
    ///
    /// # Errors
    /// The log cannot be read, or is damaged.
    pub(in crate::sources::lake) async fn change(
        &self,
        path: &str,
        (from, to): (u64, u64),
        n_files: Option<u64>,
    ) -> Result<Result<Change, Unfollowed>> {
        let log = self.log(path).await?;
        let is_listed = |version| log.history.changed(version).is_some();
        if from > to || to - from > COMMITS_MAX || !(from..=to).all(is_listed) {
            return Ok(Err(Unfollowed::Log));
        }
        let now = self.version(path, &log, to).await?;
        let identities = [(from, log.history.changed(from)), (to, now.changed)];
        let identities = identities
            .map(|(version, changed)| super::identity(path, &now.snapshot, version, changed));
        let of_nothing = Change {
            identity_from: identities[0],
            identity_to: identities[1],
            added: ChangedRows::default(),
            removed: ChangedRows::default(),
            n_files: now.snapshot.n_files() as u64,
            bytes: now.snapshot.size().bytes,
        };
        if let Some(appended) = now.snapshot.appended_since(from) {
            return Ok(Ok(Change {
                added: self.appended_rows(path, &now, &appended)?,
                ..of_nothing
            }));
        }
        let commits: Vec<Vec<Action>> = stream::iter(from + 1..=to)
            .map(|version| self.actions::<Action>(path, version))
            .buffered(READS_MAX)
            .try_collect()
            .await?;
        let is_of_columns =
            |action: &Action| action.metadata.is_some() || action.protocol.is_some();
        if commits.iter().flatten().any(is_of_columns) {
            return Ok(Err(Unfollowed::Columns));
        }
        let files = files_of(&now);
        let mut change = of_nothing;
        let raw = raw_paths(&commits);
        if let Some(added) = appended(&commits, &files, n_files) {
            change.added = rows_of((self, path), &now, &files, &added, &raw)?;
            return Ok(Ok(change));
        }
        if !log.history.is_readable(from) {
            return Ok(Err(Unfollowed::Log));
        }
        let then = self.version(path, &log, from).await?;
        let files_then = files_of(&then);
        let Some(signs) = net(&commits, &files_then, &files) else {
            return Ok(Err(Unfollowed::Log));
        };
        let with = |sign: i8| -> Vec<&File> {
            let signs = signs.iter().filter(|(_, known)| **known == sign);
            signs.map(|(file, _)| file).collect()
        };
        let (added, removed) = (with(1), with(-1));
        if !self.are_left(path, &removed, &raw).await? {
            return Ok(Err(Unfollowed::Files));
        }
        change.added = rows_of((self, path), &now, &files, &added, &raw)?;
        change.removed = rows_of((self, path), &then, &files_then, &removed, &raw)?;
        Ok(Ok(change))
    }

    /// How many files a version of the table has.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(in crate::sources::lake) async fn n_files_of(
        &self,
        path: &str,
        version: u64,
    ) -> Result<u64> {
        let log = self.log(path).await?;
        let past = self.version(path, &log, version).await?;
        Ok(past.snapshot.n_files() as u64)
    }

    /// The rows of files that came to a version of the table at `path`.
    fn appended_rows(
        &self,
        path: &str,
        past: &Past,
        appended: &[&Appended],
    ) -> Result<ChangedRows> {
        if appended.is_empty() {
            return Ok(ChangedRows::default());
        }
        let names = appended.iter().map(|it| it.raw().to_owned()).collect();
        let files = appended.iter().map(|it| it.file().clone());
        let provider = self.provider_of_files(path, &past.snapshot, names, files)?;
        Ok(ChangedRows {
            n_files: appended.len(),
            bytes: appended.iter().map(|it| it.file().bytes).sum(),
            provider: Some(Arc::new(provider)),
        })
    }

    /// Whether files, and their deletion vectors, are still there: vacuum takes those that no version of now needs.
    async fn are_left(
        &self,
        path: &str,
        files: &[&File],
        raw: &BTreeMap<File, String>,
    ) -> Result<bool> {
        let mut locations = BTreeSet::new();
        for file in files {
            let Some(Ok(below)) = raw.get(file).map(Path::from_url_path) else {
                return Ok(false);
            };
            locations.insert(below);
            match &file.vector {
                Some(('u', name, _)) => match vectors::location(name) {
                    Some(below) => drop(locations.insert(below)),
                    None => return Ok(false),
                },
                Some(('i', ..)) | None => {}
                Some(_) => return Ok(false),
            }
        }
        let folder = Path::from_iter(path.split('/'));
        let looked: Vec<bool> = stream::iter(locations)
            .map(|below| {
                let location = Path::from_iter(folder.parts().chain(below.parts()));
                async move {
                    match self.lake.store.head(&location).await {
                        Ok(_) => Ok(true),
                        Err(object_store::Error::NotFound { .. }) => Ok(false),
                        Err(cause) => Err(storage::error(path, cause)),
                    }
                }
            })
            .buffer_unordered(READS_MAX)
            .try_collect()
            .await?;
        Ok(looked.into_iter().all(|is_there| is_there))
    }
}

/// The files of a version.
fn files_of(past: &Past) -> Files {
    let files = past.snapshot.files().map(|file| {
        let vector = file.vector.map(|vector| {
            let kind = match vector.storage_type {
                StorageType::UuidRelativePath => 'u',
                StorageType::Inline => 'i',
                StorageType::AbsolutePath => 'p',
            };
            (kind, vector.path_or_inline_dv, vector.offset)
        });
        let path = file.name;
        (File { path, vector }, file.bytes)
    });
    files.collect()
}

/// What the log calls each file.
fn raw_paths(commits: &[Vec<Action>]) -> BTreeMap<File, String> {
    let entries = commits.iter().flatten();
    let entries = entries.flat_map(|action| action.remove.iter().chain(&action.add));
    entries
        .map(|entry| (entry.file(), entry.path.clone()))
        .collect()
}

/// The files that came, if it is known without the earlier version that nothing else was done: no file went, and
/// there are as many more as were added, so that none of them was there before.
fn appended<'a>(
    commits: &[Vec<Action>],
    files: &'a Files,
    n_files: Option<u64>,
) -> Option<Vec<&'a File>> {
    let actions = || commits.iter().flatten();
    if actions().any(|action| action.remove.is_some()) {
        return None;
    }
    let added: BTreeSet<File> = actions()
        .filter_map(|action| Some(action.add.as_ref()?.file()))
        .collect();
    let added = added.iter().map(|file| Some(files.get_key_value(file)?.0));
    let added: Vec<&File> = added.collect::<Option<_>>()?;
    (n_files? + added.len() as u64 == files.len() as u64).then_some(added)
}

/// Which files' rows came and went, from those of the earlier version to those of the later one; `None` if the
/// commits do not lead from there to here.
fn net(commits: &[Vec<Action>], then: &Files, now: &Files) -> Option<Signs> {
    let mut present: BTreeSet<File> = then.keys().cloned().collect();
    let mut rearranged: Vec<Signs> = Vec::new();
    for actions in commits {
        let mut signs = Signs::new();
        for removed in actions.iter().filter_map(|action| action.remove.as_ref()) {
            let file = removed.file();
            if present.remove(&file) {
                signs.insert(file, -1);
            }
        }
        let n_removed = signs.len();
        for added in actions.iter().filter_map(|action| action.add.as_ref()) {
            let file = added.file();
            if present.insert(file.clone()) {
                *signs.entry(file).or_default() += 1;
            }
        }
        let entries = actions.iter();
        let mut entries = entries.flat_map(|action| action.remove.iter().chain(&action.add));
        if n_removed > 0 && entries.all(|entry| !entry.data_change) {
            rearranged.push(signs);
        }
    }
    if !present.iter().eq(now.keys()) {
        return None;
    }
    let came = now.keys().filter(|file| !then.contains_key(*file));
    let went = then.keys().filter(|file| !now.contains_key(*file));
    let mut net: Signs = came.map(|file| (file.clone(), 1)).collect();
    net.extend(went.map(|file| (file.clone(), -1)));
    // What only lies otherwise has the same rows: it may be left out, as long as each file that is left can be read
    // at one of the two versions.
    for signs in rearranged {
        let mut without = net.clone();
        for (file, sign) in signs {
            *without.entry(file).or_default() -= sign;
        }
        without.retain(|_, sign| *sign != 0);
        let is_read = |(file, sign): (&File, &i8)| match sign {
            1 => now.contains_key(file),
            -1 => then.contains_key(file),
            _ => false,
        };
        if without.iter().all(is_read) {
            net = without;
        }
    }
    Some(net)
}

/// The rows of some files of a version of one of the tables.
fn rows_of(
    (tables, path): (&DeltaTables, &str),
    past: &Past,
    files: &Files,
    chosen: &[&File],
    raw: &BTreeMap<File, String>,
) -> Result<ChangedRows> {
    if chosen.is_empty() {
        return Ok(ChangedRows::default());
    }
    let names = chosen.iter();
    let names = names.map(|file| raw.get(*file).unwrap_or(&file.path).clone());
    let names: HashSet<String> = names.collect();
    let read = past
        .snapshot
        .files()
        .filter(|file| names.contains(&file.name));
    let provider = tables.provider_of_files(path, &past.snapshot, names.clone(), read)?;
    Ok(ChangedRows {
        n_files: chosen.len(),
        bytes: chosen.iter().filter_map(|file| files.get(*file)).sum(),
        provider: Some(Arc::new(provider)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        File {
            path: path.to_owned(),
            vector: None,
        }
    }

    fn files(paths: &[&str]) -> Files {
        paths.iter().map(|path| (file(path), 1)).collect()
    }

    /// A commit of files that come (`+a`) and go (`-a`).
    fn commit(entries: &[&str], data_change: bool) -> Vec<Action> {
        let entry = |path: &str| Entry {
            path: path.to_owned(),
            data_change,
            deletion_vector: None,
        };
        let entries = entries.iter();
        entries
            .map(|written| {
                let (sign, path) = written.split_at(1);
                Action {
                    add: (sign == "+").then(|| entry(path)),
                    remove: (sign == "-").then(|| entry(path)),
                    metadata: None,
                    protocol: None,
                }
            })
            .collect()
    }

    fn check(then: &[&str], commits: &[Vec<Action>], now: &[&str], expected: Option<&[&str]>) {
        let found = net(commits, &files(then), &files(now));
        let found = found.map(|signs| {
            let signs = signs.iter();
            let shown = signs.map(|(file, sign)| match sign {
                1 => format!("+{}", file.path),
                _ => format!("-{}", file.path),
            });
            shown.collect::<BTreeSet<_>>()
        });
        let expected = expected.map(|shown| shown.iter().map(ToString::to_string).collect());
        assert_eq!(found, expected);
    }

    #[test]
    fn what_came_and_went_is_told_by_commits() {
        let append = |path: &str| commit(&[path], true);
        check(&["a"], &[append("+b")], &["a", "b"], Some(&["+b"]));
        // What came and went again is nothing.
        let commits = [append("+b"), commit(&["-b"], true)];
        check(&["a"], &commits, &["a"], Some(&[]));
        // Rows that lie otherwise.
        let commits = [append("+c"), commit(&["-a", "-b", "+d"], false)];
        check(&["a", "b"], &commits, &["c", "d"], Some(&["+c"]));
        // What was compacted together with what came cannot be read by itself any more.
        let commits = [append("+b"), commit(&["-a", "-b", "+c"], false)];
        check(&["a"], &commits, &["c"], Some(&["+c", "-a"]));
        // Then rows of what was compacted went.
        let commits = [
            commit(&["-a", "-b", "+c"], false),
            commit(&["-c", "+d"], true),
        ];
        check(&["a", "b"], &commits, &["d"], Some(&["+d", "-a", "-b"]));
        // New statistics of a file that is there.
        check(&["a"], &[commit(&["+a"], false)], &["a"], Some(&[]));
        check(&["a"], &[append("+b")], &["a", "c"], None);
    }

    #[test]
    fn appends_are_told_by_counts() {
        let now = files(&["a", "b"]);
        let n_added = |commits: &[Vec<Action>], n_files| {
            let added = appended(commits, &now, n_files);
            added.map(|added| added.len())
        };
        assert_eq!(n_added(&[commit(&["+b"], true)], Some(1)), Some(1));
        // It was there before.
        assert_eq!(n_added(&[commit(&["+b"], true)], Some(2)), None);
        assert_eq!(n_added(&[commit(&["+b"], true)], None), None);
        assert_eq!(n_added(&[commit(&["+b", "-a"], true)], Some(1)), None);
        assert_eq!(n_added(&[], Some(2)), Some(0));
    }
}
