//! Whether files on this machine are still what a listing found: asked by a few system calls, where another
//! listing would be a step on another thread.
//!
//! A disk tells of a file's every change by the time of its inode's last change (`ctime`), which no program
//! can set, and of every file that comes or goes by that of its folder. Only the grain of the disk's
//! clock can hide a change: so what changed lately is not noted down, and is listed again.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path as LocalPath, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use object_store::path::Path;

use super::Lake;

/// How long ago a change must be, so that the next has another time: the grain of the coarsest clock, that of
/// ext3 and of small inodes of ext4, is a second.
const GRAIN: Duration = Duration::from_secs(2);

/// Files and folders that are noted down together. Of more, a listing takes hardly longer.
const ENTRIES_MAX: usize = 256;

/// File systems of which every folder tells what came and went (`man 5 filesystems`). Those that programs make (FUSE), and
/// those of other machines, do not: their folders may have no times, or those of a while ago.
const TELLING: &[&str] = &[
    "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs",
];

/// Where the system tells what is mounted (`man 5 proc_pid_mountinfo`). Where there is no such file, nothing is
/// noted down.
const MOUNTS: &str = "/proc/self/mountinfo";

/// Files and folders of this machine as they were at a moment.
#[derive(Debug)]
pub struct Standing {
    entries: Vec<(PathBuf, Inode)>,
}

/// What tells a file or folder from itself at any other moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
    size: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What of a lake is noted down.
#[derive(Debug)]
pub enum Noted<'a> {
    /// One file.
    File(&'a Path),
    /// A folder, and these of its files. Those in folders below it are not of interest.
    Folder(&'a Path, Vec<&'a str>),
    /// A folder with all that is below it.
    Tree(&'a Path),
}

impl Standing {
    /// Whether everything is as it was. Blocks for a system call a file, some microseconds on a local disk.
    pub fn stands(&self) -> bool {
        let mut entries = self.entries.iter();
        entries.all(|(path, known)| fs::metadata(path).is_ok_and(|now| Inode::of(&now) == *known))
    }
}

impl Lake {
    /// Notes down what is there, on a thread that may wait; to be done before what is there is listed: then a change
    /// in between makes a difference to what was noted. `None` where that would not be sure, or where much is there.
    pub async fn note(&self, noted: Noted<'_>) -> Option<Standing> {
        let (folder, files, is_deep) = match noted {
            Noted::File(path) => (None, vec![self.on_disk(path)?], false),
            Noted::Folder(path, files) => {
                let folder = self.on_disk(path)?;
                let files = files.iter().map(|name| folder.join(name)).collect();
                (Some(folder), files, false)
            }
            Noted::Tree(path) => (Some(self.on_disk(path)?), Vec::new(), true),
        };
        let note = move || {
            let mut entries = Vec::new();
            files
                .into_iter()
                .try_for_each(|path| add(path, &mut entries))?;
            match folder {
                Some(folder) if is_deep => add_tree(folder, &mut entries)?,
                Some(folder) => add(folder, &mut entries)?,
                None => {}
            }
            is_told_of(&entries).then_some(Standing { entries })
        };
        tokio::task::spawn_blocking(note).await.ok().flatten()
    }
}

impl Inode {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether its next change has another time, however soon it comes.
    fn is_settled(&self) -> bool {
        let changed = self.changed.max(self.modified);
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(changed.0), u32::try_from(changed.1)) else {
            return false;
        };
        let changed = UNIX_EPOCH + Duration::new(seconds, nanos);
        let age = SystemTime::now().duration_since(changed);
        age.is_ok_and(|age| age > GRAIN)
    }
}

/// Notes a file or folder down; `None` if it changed lately, or there are too many.
fn add(path: PathBuf, entries: &mut Vec<(PathBuf, Inode)>) -> Option<()> {
    let inode = Inode::of(&fs::metadata(&path).ok()?);
    if entries.len() >= ENTRIES_MAX || !inode.is_settled() {
        return None;
    }
    entries.push((path, inode));
    Some(())
}

/// As [`add`], with all that is below a folder. It is noted before it is read, so that what comes meanwhile
/// makes a difference.
fn add_tree(folder: PathBuf, entries: &mut Vec<(PathBuf, Inode)>) -> Option<()> {
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        add(folder.clone(), entries)?;
        for entry in fs::read_dir(&folder).ok()? {
            let path = entry.ok()?.path();
            match fs::metadata(&path).ok()?.is_dir() {
                true => folders.push(path),
                false => add(path, entries)?,
            }
        }
    }
    Some(())
}

/// Whether all of it lies on one disk, of a kind whose folders tell what came and went.
fn is_told_of(entries: &[(PathBuf, Inode)]) -> bool {
    let Some((first, inode)) = entries.first() else {
        return false;
    };
    let is_one_disk = entries.iter().all(|(_, it)| it.device == inode.device);
    let Ok(mounts) = fs::read_to_string(MOUNTS) else {
        return false;
    };
    let kind = |path: &LocalPath| -> io::Result<bool> {
        Ok(kind_of(&mounts, &path.canonicalize()?).is_some_and(|kind| TELLING.contains(&kind)))
    };
    is_one_disk && kind(first).unwrap_or(false)
}

/// The kind of the file system that a canonical path lies on: that of the longest mount point above it, and of those
/// the last, which hides the others.
fn kind_of<'a>(mounts: &'a str, path: &LocalPath) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let point = unescaped(place.split(' ').nth(4)?);
        let depth = LocalPath::new(&point).components().count();
        path.starts_with(&point)
            .then(|| Some((depth, kind.split(' ').next()?)))
            .flatten()
    });
    // The last of those that are equally deep.
    mounts.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

/// A mount point without the escapes of spaces and their kind: `\040`.
fn unescaped(point: &str) -> String {
    let mut plain = Vec::with_capacity(point.len());
    let mut rest = point.as_bytes();
    while let [first, behind @ ..] = rest {
        let escaped = behind
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        plain.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() {
            &behind[3..]
        } else {
            behind
        };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_says_the_kind() {
        let mounts = "21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n\
             30 21 0:40 / /lake rw - fuse.blobfuse blobfuse rw\n\
             31 30 8:2 / /lake/on\\040disk rw shared:1 master:2 - xfs /dev/sdb rw\n\
             32 21 0:50 / /lake rw - nfs4 server:/lake rw";
        fn check(mounts: &str, path: &str, expected: &str) {
            assert_eq!(
                kind_of(mounts, LocalPath::new(path)),
                Some(expected),
                "{path}"
            );
        }
        check(mounts, "/lakes/s", "ext4");
        check(mounts, "/lake/s", "nfs4");
        check(mounts, "/lake/on disk/s", "xfs");
    }

    fn old(path: &LocalPath) -> Inode {
        let mut inode = Inode::of(&fs::metadata(path).expect("it is there"));
        // The disk's clock cannot be set back: only what is noted can.
        inode.changed.0 -= 10;
        inode.modified.0 -= 10;
        inode
    }

    #[test]
    fn only_what_is_settled_is_noted() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        assert!(add(folder.path().to_owned(), &mut Vec::new()).is_none());
        assert!(old(folder.path()).is_settled());
        let mut later = old(folder.path());
        later.changed.0 += 3600;
        assert!(!later.is_settled());
    }

    #[test]
    fn every_change_makes_a_difference() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = folder.path().join("a.csv");
        fs::write(&file, "id\n1\n").expect("it can be written");
        let of = |path: &LocalPath| {
            let inode = Inode::of(&fs::metadata(path).expect("it is there"));
            (path.to_owned(), inode)
        };
        let standing = || Standing {
            entries: vec![of(folder.path()), of(&file)],
        };
        let first = standing();
        assert!(first.stands());
        let deadline = SystemTime::now() + 10 * GRAIN;
        // Until the disk's clock has gone on.
        for number in 0.. {
            let more = folder.path().join(format!("{number}.csv"));
            fs::write(more, "id\n2\n").expect("it can be written");
            if !first.stands() {
                break;
            }
            assert!(SystemTime::now() < deadline, "nothing tells of new files");
        }
        let second = standing();
        fs::write(&file, "id\n1\n2\n").expect("it can be written");
        assert!(!second.stands());
        let third = standing();
        fs::remove_file(&file).expect("it can be removed");
        assert!(!third.stands());
    }
}
