//! A folder of small text files that several gateways read and change: the views folder.
//!
//! A reader sees the folder before or after a change of several files, never between. A writer
//! changes files only if they hold what it last read in them. On local disk writers exclude each
//! other by a lock of the operating system, on an object store by creating the journal.

mod journal;
mod local;
mod remote;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;

pub use journal::Change;
use journal::Journal;

use crate::error::{Error, ErrorKind, Result};

/// Where a change of several files is written down before it is made.
const JOURNAL: &str = "_commit.json";

/// How often a listing is taken again when files changed while they were read.
const READS_MAX: usize = 20;

/// The largest file that is read, in bytes. Definitions are a few KiB.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A folder of text files.
#[derive(Clone, Debug)]
pub struct Folder {
    place: Place,
    /// Where it is, without secrets: for messages.
    pub shown: String,
}

#[derive(Clone, Debug)]
enum Place {
    Local(PathBuf),
    Remote(Arc<dyn ObjectStore>),
}

/// What tells one state of a file from another.
type Tag = String;

/// A text file as it was read.
#[derive(Clone, Debug)]
pub struct TextFile {
    tag: Tag,
    /// What it holds; an error if it could not be read, or is not text.
    pub text: Result<Arc<str>>,
}

/// The files of a folder at one moment, by their paths below it.
#[derive(Clone, Debug, Default)]
pub struct Files {
    files: BTreeMap<String, TextFile>,
    /// The tags that the listing had, the journal's among them.
    listing: BTreeMap<String, Tag>,
}

impl Files {
    /// Path and content of each file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TextFile)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The text of a file; `None` if there is no such file, or no text in it.
    pub fn text(&self, path: &str) -> Option<&Arc<str>> {
        self.files.get(path)?.text.as_ref().ok()
    }

    /// Whether there is a file at this path, readable or not.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether two readings found the same files in the same state.
    pub fn is_same(&self, other: &Self) -> bool {
        self.listing == other.listing
    }

    /// The same files with one written anew, or gone.
    #[must_use]
    pub fn with(&self, path: &str, text: Option<&str>) -> Self {
        let mut changed = self.clone();
        match text {
            Some(text) => {
                let file = TextFile {
                    tag: Tag::new(),
                    text: Ok(text.into()),
                };
                changed.files.insert(path.to_owned(), file);
            }
            None => {
                changed.files.remove(path);
            }
        }
        changed
    }

    /// What leads from these files to `after`.
    pub fn changes_to(&self, after: &Self) -> Vec<Change> {
        let paths = self.files.keys().chain(after.files.keys());
        let paths: std::collections::BTreeSet<&String> = paths.collect();
        let text = |files: &Self, path: &str| files.text(path).map(|text| text.to_string());
        paths
            .into_iter()
            .map(|path| Change {
                path: path.clone(),
                before: text(self, path),
                after: text(after, path),
            })
            .filter(|change| change.before != change.after)
            .collect()
    }
}

impl Folder {
    /// A folder on local disk. It need not exist yet.
    pub(super) fn local(root: PathBuf) -> Self {
        Self {
            shown: root.display().to_string(),
            place: Place::Local(root),
        }
    }

    /// A folder in an object store that `store` is rooted at.
    pub(super) fn remote(store: Arc<dyn ObjectStore>, shown: String) -> Self {
        Self {
            place: Place::Remote(store),
            shown,
        }
    }

    /// The text files whose names end in `extension`, as they are now. `known` are those of an
    /// earlier reading: of them, only what changed is read again. A folder that is not there has
    /// no files.
    ///
    /// # Errors
    /// The folder cannot be listed, or does not stand still while it is read.
    pub async fn read(&self, extension: &str, known: &Files) -> Result<Files> {
        let mut listing = self.list(extension).await?;
        let mut known = known.clone();
        for _ in 0..READS_MAX {
            if listing == known.listing {
                return Ok(known);
            }
            let files = self.read_listed(&listing, &known).await?;
            let after = self.list(extension).await?;
            known = files;
            // Nothing moved: what was read is one moment's. Otherwise what moved is read again.
            if after == listing {
                return Ok(known);
            }
            listing = after;
        }
        Err(Error::new(
            ErrorKind::IoError,
            format!(
                "the folder \"{}\" changes faster than it can be read",
                self.shown
            ),
        ))
    }

    async fn read_listed(&self, listing: &BTreeMap<String, Tag>, known: &Files) -> Result<Files> {
        let mut files = BTreeMap::new();
        for (path, tag) in listing {
            if path == JOURNAL {
                continue;
            }
            let file = match known.files.get(path) {
                Some(file) if file.tag == *tag => file.clone(),
                _ => match self.get(path).await {
                    // Gone since it was listed; the next listing says so too.
                    Ok(None) => continue,
                    Ok(Some((text, _))) => TextFile {
                        tag: tag.clone(),
                        text: Ok(text.into()),
                    },
                    Err(error) => TextFile {
                        tag: tag.clone(),
                        text: Err(error),
                    },
                },
            };
            files.insert(path.clone(), file);
        }
        if listing.contains_key(JOURNAL)
            && let Some((text, _)) = self.get(JOURNAL).await?
        {
            overlay(&mut files, &Journal::read(&text)?);
        }
        Ok(Files {
            files,
            listing: listing.clone(),
        })
    }

    /// What one file holds; `None` if it is not there.
    ///
    /// # Errors
    /// It cannot be read, or is not text.
    pub async fn read_file(&self, path: &str) -> Result<Option<String>> {
        Ok(self.get(path).await?.map(|(text, _)| text))
    }

    /// Makes the changes, all or none.
    ///
    /// # Errors
    /// `SerializationFailure` if a file no longer holds what it is to be changed from;
    /// `ReadOnlySqlTransaction` if the folder cannot be written.
    pub async fn commit(&self, changes: Vec<Change>) -> Result<()> {
        match &self.place {
            Place::Local(root) => local::commit(root.clone(), changes).await,
            Place::Remote(store) => remote::commit(store, changes, remote::JOURNAL_AGE_MAX).await,
        }
    }

    /// Finishes or forgets a change that its writer died over. Readers see it right before that
    /// too; this only clears it away.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub async fn recover(&self) -> Result<()> {
        match &self.place {
            Place::Local(root) => local::recover(root.clone()).await,
            // The next writer waits for the journal, and sees whether its writer lives.
            Place::Remote(_) => Ok(()),
        }
    }

    async fn list(&self, extension: &str) -> Result<BTreeMap<String, Tag>> {
        let listed = match &self.place {
            Place::Local(root) => local::list(root.clone()).await?,
            Place::Remote(store) => remote::list(store).await?,
        };
        let is_hidden = |path: &str| path.split('/').any(|name| name.starts_with('.'));
        Ok(listed
            .into_iter()
            .filter(|(path, _)| path == JOURNAL || path.ends_with(extension))
            .filter(|(path, _)| !is_hidden(path))
            .collect())
    }

    async fn get(&self, path: &str) -> Result<Option<(String, Tag)>> {
        match &self.place {
            Place::Local(root) => local::get(root.join(path)).await,
            Place::Remote(store) => remote::get(store, path).await,
        }
    }
}

/// What a decided change will have made of the files.
fn overlay(files: &mut BTreeMap<String, TextFile>, journal: &Journal) {
    if !journal.decided {
        return;
    }
    for change in &journal.changes {
        match &change.after {
            Some(text) => {
                let file = TextFile {
                    tag: Tag::new(),
                    text: Ok(text.as_str().into()),
                };
                files.insert(change.path.clone(), file);
            }
            None => {
                files.remove(&change.path);
            }
        }
    }
}

/// The bytes of a file as text.
///
/// # Errors
/// `DataCorrupted` naming the file, if they are not UTF-8 or too many.
fn text_of(path: &str, bytes: Vec<u8>) -> Result<String> {
    let damaged = |what: &str| {
        let message = format!("file \"{path}\" {what}");
        Error::new(ErrorKind::DataCorrupted, message)
    };
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(damaged("is larger than 16 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| damaged("is not UTF-8"))?;
    Ok(text)
}

/// The error for a file that somebody else changed.
fn changed_meanwhile(path: &str) -> Error {
    let message = format!("could not change \"{path}\" because of a concurrent change");
    Error::new(ErrorKind::SerializationFailure, message)
        .with_hint("The transaction might succeed if retried.")
}

#[cfg(test)]
mod tests;
