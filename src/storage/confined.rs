//! A store of what lies below its root, on local disk through links too: it only reads, unless it is one for
//! tables of our own, to which files are added and from which they are taken away. Nothing is replaced by renaming.

use std::collections::HashMap;
use std::fmt;
use std::fs::DirEntry;
use std::ops::Range;
use std::path::{Path as LocalPath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result as StoreResult,
};

use crate::error::{Error, ErrorKind, Result};

/// A read-only store of the local folder `root`, which is canonical.
pub(super) fn local(root: &LocalPath) -> Result<Arc<dyn ObjectStore>> {
    of_disk(root, false)
}

/// A store of the local folder `root`, which is canonical, that files are added to and taken from.
pub(super) fn writable_local(root: &LocalPath) -> Result<Arc<dyn ObjectStore>> {
    of_disk(root, true)
}

fn of_disk(root: &LocalPath, is_writable: bool) -> Result<Arc<dyn ObjectStore>> {
    let disk = LocalFileSystem::new_with_prefix(root).map_err(|cause| {
        Error::new(
            ErrorKind::IoError,
            format!("could not open the lake at \"{}\"", root.display()),
        )
        .with_cause(cause)
    })?;
    let disk = Arc::new(disk);
    Ok(Arc::new(Confined {
        inner: Arc::clone(&disk) as Arc<dyn ObjectStore>,
        disk: Some(Disk {
            root: root.to_owned(),
            disk,
        }),
        is_writable,
    }))
}

/// A read-only view of a remote store. It has no links, so nothing leads out of its root.
pub(super) fn remote(inner: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    of_store(inner, false)
}

/// The same, that files are added to and taken from.
pub(super) fn writable_remote(inner: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    of_store(inner, true)
}

fn of_store(inner: Arc<dyn ObjectStore>, is_writable: bool) -> Arc<dyn ObjectStore> {
    Arc::new(Confined {
        inner,
        disk: None,
        is_writable,
    })
}

#[derive(Debug)]
struct Confined {
    inner: Arc<dyn ObjectStore>,
    disk: Option<Disk>,
    is_writable: bool,
}

/// What is needed to see where a path of the local store really lies.
#[derive(Clone, Debug)]
struct Disk {
    root: PathBuf,
    disk: Arc<LocalFileSystem>,
}

impl Disk {
    /// Checks that `location` lies below the root when all links are followed. What is not there
    /// passes: the store itself says so better.
    fn check(&self, location: &Path) -> StoreResult<()> {
        let path = self.disk.path_to_filesystem(location)?;
        match path.canonicalize() {
            Ok(real) if real.starts_with(&self.root) => Ok(()),
            Ok(_) => Err(leads_outside(location)),
            Err(_) => Ok(()),
        }
    }

    /// Checks a path and every folder on the way to it.
    fn check_way(&self, location: &Path) -> StoreResult<()> {
        let mut way = Path::default();
        for part in location.parts() {
            way = way.join(part);
            self.check(&way)?;
        }
        Ok(())
    }

    /// Checks what was listed. Where a folder lies is looked up once, and then only links in it may lie elsewhere: a folder
    /// is read faster than each of its files is looked up.
    fn check_listed(&self, found: &[ObjectMeta]) -> StoreResult<()> {
        let mut folders: HashMap<&str, bool> = HashMap::new();
        for meta in found {
            let location = meta.location.as_ref();
            let folder = location.rsplit_once('/').map_or("", |(folder, _)| folder);
            let has_links = match folders.get(folder) {
                Some(has_links) => *has_links,
                None => {
                    let has_links = self.has_links(folder)?;
                    folders.insert(folder, has_links);
                    has_links
                }
            };
            if has_links {
                self.check(&meta.location)?;
            }
        }
        Ok(())
    }

    /// Whether there are links in a folder, which itself is checked; also where that cannot be seen.
    fn has_links(&self, folder: &str) -> StoreResult<bool> {
        let folder = match folder {
            "" => self.root.clone(),
            below => {
                let below = Path::parse(below)?;
                self.check(&below)?;
                self.disk.path_to_filesystem(&below)?
            }
        };
        let Ok(mut entries) = folder.read_dir() else {
            return Ok(true);
        };
        let is_link = |entry: std::io::Result<DirEntry>| {
            let kind = entry.and_then(|entry| entry.file_type());
            kind.map_or(true, |kind| kind.is_symlink())
        };
        Ok(entries.any(is_link))
    }
}

fn leads_outside(location: &Path) -> StoreError {
    StoreError::PermissionDenied {
        path: location.to_string(),
        source: "a link leads out of the lake".into(),
    }
}

fn read_only(operation: &str) -> StoreError {
    StoreError::NotSupported {
        source: format!("the lake is read-only: {operation} refused").into(),
    }
}

impl Confined {
    /// Blocks for a few system calls, as the local store's own metadata calls would.
    fn check(&self, location: &Path) -> StoreResult<()> {
        match &self.disk {
            Some(disk) => disk.check(location),
            None => Ok(()),
        }
    }

    /// Refuses to write where nothing is written, or a folder on the way is a link that leads outside.
    fn check_write(&self, location: &Path) -> StoreResult<()> {
        if !self.is_writable {
            return Err(read_only("put"));
        }
        match &self.disk {
            Some(disk) => disk.check_way(location),
            None => Ok(()),
        }
    }

    /// Refuses a listing in which a link leads outside. A disk lists in no order, but readers of
    /// stores rely on the order of paths, deltalake's log above all: so it is sorted here.
    fn checked(
        &self,
        prefix: Option<&Path>,
        listing: BoxStream<'static, StoreResult<ObjectMeta>>,
    ) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let Some(disk) = self.disk.clone() else {
            return listing;
        };
        if let Some(Err(outside)) = prefix.map(|prefix| disk.check(prefix)) {
            return stream::once(async { Err(outside) }).boxed();
        }
        let sorted = async move {
            let mut found: Vec<ObjectMeta> = listing.try_collect().await?;
            disk.check_listed(&found)?;
            found.sort_unstable_by(|a, b| a.location.as_ref().cmp(b.location.as_ref()));
            Ok::<_, StoreError>(stream::iter(found.into_iter().map(Ok::<_, StoreError>)))
        };
        stream::once(sorted).try_flatten().boxed()
    }
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_writable { "Own" } else { "ReadOnly" };
        write!(f, "{what}({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Confined {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> StoreResult<PutResult> {
        self.check_write(location)?;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.check_write(location)?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.check(location)?;
        let mut result = self.inner.get_opts(location, options).await?;
        // A `PrefixStore` answers with the path as the whole bucket knows it.
        result.meta.location = location.clone();
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        self.check(location)?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        if !self.is_writable {
            return stream::once(async { Err(read_only("delete")) }).boxed();
        }
        let disk = self.disk.clone();
        let checked = locations.map(move |location| {
            let location = location?;
            if let Some(disk) = &disk {
                disk.check_way(&location)?;
            }
            Ok(location)
        });
        self.inner.delete_stream(checked.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.checked(prefix, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.checked(prefix, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        if let Some(prefix) = prefix {
            self.check(prefix)?;
        }
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> StoreResult<()> {
        Err(read_only("copy"))
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn links_out_of_the_root_are_refused_and_named() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.csv"), "a\n1\n").unwrap();
        let lake = tempfile::tempdir().unwrap();
        let root = lake.path().canonicalize().unwrap();
        std::fs::write(root.join("plain.csv"), "a\n1\n").unwrap();
        std::os::unix::fs::symlink(root.join("plain.csv"), root.join("inside.csv")).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("folder")).unwrap();
        let store = local(&root).unwrap();

        store.get(&Path::from("plain.csv")).await.unwrap();
        store.get(&Path::from("inside.csv")).await.unwrap();
        let refused = store.get(&Path::from("folder/secret.csv")).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("folder/secret.csv"), "{refused}");
        let folder = Path::from("folder");
        assert!(store.list_with_delimiter(Some(&folder)).await.is_err());
        assert!(store.list(Some(&folder)).next().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn nothing_is_written() {
        let lake = tempfile::tempdir().unwrap();
        std::fs::write(lake.path().join("plain.csv"), "a\n1\n").unwrap();
        let store = local(&lake.path().canonicalize().unwrap()).unwrap();
        let path = Path::from("plain.csv");
        assert!(store.put(&path, "b\n2\n".into()).await.is_err());
        assert!(store.delete(&path).await.is_err());
        assert!(store.copy(&path, &Path::from("copy.csv")).await.is_err());
        assert!(lake.path().join("plain.csv").exists());
    }

    #[tokio::test]
    async fn what_is_ours_is_written_and_nothing_else() {
        let outside = tempfile::tempdir().unwrap();
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("folder")).unwrap();
        let store = writable_local(&root).unwrap();
        for name in ["b", "c", "a"] {
            let path = Path::from(format!("s/t/{name}"));
            store.put(&path, "x".into()).await.unwrap();
        }
        let folder = Path::from("s");
        let listed: Vec<ObjectMeta> = store.list(Some(&folder)).try_collect().await.unwrap();
        let names: Vec<&str> = listed.iter().map(|it| it.location.as_ref()).collect();
        assert_eq!(names, ["s/t/a", "s/t/b", "s/t/c"]);
        let refused = store.put(&Path::from("folder/x"), "x".into()).await;
        assert!(refused.is_err());
        assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none());
        std::fs::write(outside.path().join("x"), "x").unwrap();
        assert!(store.delete(&Path::from("folder/x")).await.is_err());
        assert!(outside.path().join("x").exists());
        store.delete(&Path::from("s/t/a")).await.unwrap();
        assert!(!root.join("s/t/a").exists());
    }
}
