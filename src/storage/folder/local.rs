//! A folder of text files on local disk: a lock between gateways, and files replaced by renaming.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::journal::{Change, Journal, Verdict};
use super::{JOURNAL, Tag, changed_meanwhile, text_of};
use crate::error::{Error, ErrorKind, Result};

/// Held by the gateway that changes files; the operating system lets go of it with its process.
const LOCK: &str = "_lock";

/// How long a writer waits for another. Commits take milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it sleeps between tries.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// How many folders may lie in one another.
const DEPTH_MAX: usize = 16;

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(Error::internal)?
}

/// Every file below `root` with its tag; none if there is no such folder.
pub(super) async fn list(root: PathBuf) -> Result<BTreeMap<String, Tag>> {
    blocking(move || {
        let mut found = BTreeMap::new();
        match list_into(&root, "", 0, &mut found) {
            Ok(()) => Ok(found),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && found.is_empty() => Ok(found),
            Err(cause) => Err(failed(&root, "list", cause)),
        }
    })
    .await
}

fn list_into(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut BTreeMap<String, Tag>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = format!("{prefix}{name}");
        // Through links: a folder under git may hold some. One that dangles is no file.
        let Ok(meta) = fs::metadata(entry.path()) else {
            continue;
        };
        if meta.is_dir() {
            if depth < DEPTH_MAX && !name.starts_with('.') {
                let below = list_into(&entry.path(), &format!("{path}/"), depth + 1, found);
                match below {
                    // Gone since its name was read.
                    Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                    other => other?,
                }
            }
        } else {
            found.insert(path, tag(&meta));
        }
    }
    Ok(())
}

fn tag(meta: &fs::Metadata) -> Tag {
    let (inode, size) = (meta.ino(), meta.size());
    let (seconds, nanoseconds) = (meta.mtime(), meta.mtime_nsec());
    format!("{inode:x}-{seconds:x}.{nanoseconds:x}-{size:x}")
}

/// What a file holds; `None` if it is not there.
pub(super) async fn get(path: PathBuf) -> Result<Option<(String, Tag)>> {
    blocking(move || read(&path)).await
}

fn read(path: &Path) -> Result<Option<(String, Tag)>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failed(path, "read", cause)),
    };
    let text = text_of(&path.display().to_string(), bytes)?;
    Ok(Some((text, Tag::new())))
}

/// Makes the changes, all or none, under the lock.
pub(super) async fn commit(root: PathBuf, changes: Vec<Change>) -> Result<()> {
    blocking(move || {
        let _lock = lock(&root)?;
        finish(&root)?;
        for change in &changes {
            let now = read(&root.join(&change.path))?.map(|(text, _)| text);
            // What is there already by somebody else's hand is not ours: both cannot have made it.
            if change.judge(now.as_deref()) != Verdict::Make {
                return Err(changed_meanwhile(&change.path));
            }
        }
        if changes.len() > 1 {
            let journal = Journal::new(changes.clone()).decided();
            replace(&root.join(JOURNAL), &journal.text()?)?;
        }
        make(&root, &changes)
    })
    .await
}

/// Finishes what a writer died over.
pub(super) async fn recover(root: PathBuf) -> Result<()> {
    blocking(move || {
        if !root.join(JOURNAL).exists() {
            return Ok(());
        }
        let _lock = lock(&root)?;
        finish(&root)
    })
    .await
}

/// Makes what a journal says is left to be made. A file that somebody changed since stays theirs.
fn finish(root: &Path) -> Result<()> {
    let Some((text, _)) = read(&root.join(JOURNAL))? else {
        return Ok(());
    };
    let journal = Journal::read(&text)?;
    let mut left = Vec::new();
    for change in journal.changes {
        let now = read(&root.join(&change.path))?.map(|(text, _)| text);
        if change.judge(now.as_deref()) == Verdict::Make {
            left.push(change);
        }
    }
    make(root, &left)
}

/// Makes changes, and clears away the journal.
fn make(root: &Path, changes: &[Change]) -> Result<()> {
    for change in changes {
        let path = root.join(&change.path);
        match &change.after {
            Some(text) => replace(&path, text)?,
            None => remove(root, &path)?,
        }
    }
    match fs::remove_file(root.join(JOURNAL)) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(failed(&root.join(JOURNAL), "remove", cause))
        }
        _ => Ok(()),
    }
}

/// Writes a file beside its place and moves it there: readers see the old or the new one whole.
fn replace(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut beside = tempfile_in(folder)?;
        beside.1.write_all(text.as_bytes())?;
        beside.1.sync_all()?;
        fs::rename(&beside.0, path)
    };
    write().map_err(|cause| failed(path, "write", cause))
}

/// A new file whose name no listing shows.
fn tempfile_in(folder: &Path) -> io::Result<(PathBuf, File)> {
    let path = folder.join(format!(".{:032x}", rand::random::<u128>()));
    let file = File::create_new(&path)?;
    Ok((path, file))
}

/// Removes a file, and the folders it was the last of.
fn remove(root: &Path, path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            return Err(failed(path, "remove", cause));
        }
        _ => {}
    }
    let mut folder = path.parent();
    while let Some(empty) = folder.filter(|folder| *folder != root) {
        // Not empty, or gone: either way there is nothing to do.
        if fs::remove_dir(empty).is_err() {
            break;
        }
        folder = empty.parent();
    }
    Ok(())
}

/// The lock of the folder, which is made if need be.
fn lock(root: &Path) -> Result<File> {
    let path = root.join(LOCK);
    let open = || {
        fs::create_dir_all(root)?;
        File::options().create(true).append(true).open(&path)
    };
    let file = open().map_err(|cause| failed(root, "write", cause))?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_TIMEOUT => {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                let message = format!("another gateway holds \"{}\"", path.display());
                return Err(Error::new(ErrorKind::SerializationFailure, message));
            }
            Err(TryLockError::Error(cause)) => return Err(failed(&path, "lock", cause)),
        }
    }
}

fn failed(path: &Path, verb: &str, cause: io::Error) -> Error {
    let kind = match cause.kind() {
        io::ErrorKind::PermissionDenied if verb == "read" || verb == "list" => {
            ErrorKind::InsufficientPrivilege
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ErrorKind::ReadOnlySqlTransaction
        }
        _ => ErrorKind::IoError,
    };
    let message = format!("could not {verb} \"{}\": {cause}", path.display());
    Error::new(kind, message).with_cause(cause)
}
