//! Other lakes in the store of a lake: each below a folder of its own, where no table of the lake itself lies. Whoever
//! reads the lake reads them as well, and what is kept of tables by their paths never takes one lake's for another's.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::{Path, PathPart};
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result as StoreResult,
};

use super::Lake;

/// The folder of all of them. What begins so is hidden: discovery finds no tables in it.
const FOLDER: &str = "_servers";

/// The lakes below [`FOLDER`], by the names of their folders.
#[derive(Debug, Default)]
pub(super) struct Mounts(RwLock<BTreeMap<String, Lake>>);

impl Lake {
    /// Has another lake read below a folder of this name. It takes the place of one that was there.
    pub fn mount(&self, name: &str, other: &Lake) {
        let mut mounts = self
            .mounts
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        mounts.insert(name.to_owned(), other.clone());
    }

    /// The lake below a folder of this name.
    pub fn mounted(&self, name: &str) -> Option<Lake> {
        let mounts = self.mounts.0.read().unwrap_or_else(PoisonError::into_inner);
        mounts.get(name).cloned()
    }

    /// Takes away the others.
    pub fn keep_mounts(&self, is_kept: impl Fn(&str) -> bool) {
        let mut mounts = self
            .mounts
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        mounts.retain(|name, _| is_kept(name));
    }

    /// The path here of one in the lake below a folder of this name.
    pub fn mounted_path(name: &str, path: &str) -> String {
        format!("{FOLDER}/{name}/{path}")
    }

    /// Where a path lies on a disk of this machine; `None` if it lies elsewhere.
    pub(super) fn on_disk(&self, path: &Path) -> Option<PathBuf> {
        let (root, path) = match self.mounts.place(path) {
            Some(place) => (place.lake.root?, place.inner),
            None => (self.root.clone()?, path.clone()),
        };
        let parts = path.parts();
        Some(parts.fold(root, |place, part| place.join(part.as_ref())))
    }
}

/// A path in a lake that is mounted.
struct Place {
    lake: Lake,
    /// The path there.
    inner: Path,
    /// The folder that stands for its root.
    folder: Path,
}

impl Place {
    fn outer(&self, inner: &Path) -> Path {
        outer(&self.folder, inner)
    }

    /// The path there, if it is not the root.
    fn prefix(&self) -> Option<&Path> {
        (!self.inner.as_ref().is_empty()).then_some(&self.inner)
    }
}

fn outer(folder: &Path, inner: &Path) -> Path {
    Path::from_iter(folder.parts().chain(inner.parts()))
}

impl Mounts {
    fn place(&self, path: &Path) -> Option<Place> {
        let mut parts = path.parts();
        let is_ours = |part: &PathPart<'_>| part.as_ref() == FOLDER;
        let first = parts.next().filter(is_ours)?;
        let name = parts.next()?;
        let mounts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let lake = mounts.get(name.as_ref())?.clone();
        Some(Place {
            lake,
            inner: Path::from_iter(parts),
            folder: Path::from_iter([first, name]),
        })
    }
}

/// The store of a lake, and those of the lakes that are mounted in it.
#[derive(Debug)]
pub(super) struct Mounted {
    own: Arc<dyn ObjectStore>,
    mounts: Arc<Mounts>,
}

impl Mounted {
    pub(super) fn over(own: Arc<dyn ObjectStore>, mounts: &Arc<Mounts>) -> Arc<dyn ObjectStore> {
        Arc::new(Self {
            own,
            mounts: Arc::clone(mounts),
        })
    }

    fn place(&self, path: Option<&Path>) -> Option<Place> {
        self.mounts.place(path?)
    }

    /// What a mounted lake lists, under the paths that it has here.
    fn renamed(
        place: Place,
        listed: BoxStream<'static, StoreResult<ObjectMeta>>,
    ) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let renamed = listed.map(move |found| {
            found.map(|found| ObjectMeta {
                location: place.outer(&found.location),
                ..found
            })
        });
        renamed.boxed()
    }
}

impl fmt::Display for Mounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.own.fmt(f)
    }
}

/// Nothing is written to a lake that is mounted.
fn read_only(path: &Path) -> StoreError {
    StoreError::NotSupported {
        source: format!("\"{path}\" lies in a lake that is only read").into(),
    }
}

#[async_trait]
impl ObjectStore for Mounted {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> StoreResult<PutResult> {
        match self.place(Some(location)) {
            Some(_) => Err(read_only(location)),
            None => self.own.put_opts(location, payload, options).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        match self.place(Some(location)) {
            Some(_) => Err(read_only(location)),
            None => self.own.put_multipart_opts(location, options).await,
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        match self.place(Some(location)) {
            Some(place) => {
                let mut result = place.lake.store.get_opts(&place.inner, options).await?;
                result.meta.location = location.clone();
                Ok(result)
            }
            None => self.own.get_opts(location, options).await,
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        match self.place(Some(location)) {
            Some(place) => place.lake.store.get_ranges(&place.inner, ranges).await,
            None => self.own.get_ranges(location, ranges).await,
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        let mounts = Arc::clone(&self.mounts);
        let own = locations.map(move |location| {
            let location = location?;
            match mounts.place(&location) {
                Some(_) => Err(read_only(&location)),
                None => Ok(location),
            }
        });
        self.own.delete_stream(own.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        match self.place(prefix) {
            Some(place) => {
                let listed = place.lake.store.list(place.prefix());
                Self::renamed(place, listed)
            }
            None => self.own.list(prefix),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let Some(place) = self.place(prefix) else {
            return self.own.list_with_offset(prefix, offset);
        };
        // What is listed is sorted by the paths, which all begin with the folder.
        let listed = match offset.prefix_match(&place.folder) {
            Some(inner) => {
                let inner = Path::from_iter(inner);
                place.lake.store.list_with_offset(place.prefix(), &inner)
            }
            None if *offset < place.folder => place.lake.store.list(place.prefix()),
            None => futures::stream::empty().boxed(),
        };
        Self::renamed(place, listed)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        let Some(place) = self.place(prefix) else {
            return self.own.list_with_delimiter(prefix).await;
        };
        let mut listed = place.lake.store.list_with_delimiter(place.prefix()).await?;
        for path in &mut listed.common_prefixes {
            *path = place.outer(path);
        }
        for found in &mut listed.objects {
            found.location = place.outer(&found.location);
        }
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        match self.place(Some(from)).or_else(|| self.place(Some(to))) {
            Some(_) => Err(read_only(to)),
            None => self.own.copy_opts(from, to, options).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;

    use super::*;
    use crate::storage::open;

    async fn lake(folder: &std::path::Path, files: &[(&str, &str)]) -> Lake {
        for (name, text) in files {
            let file = folder.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let url = folder.to_str().unwrap();
        open(url, &BTreeMap::new()).await.unwrap()
    }

    #[tokio::test]
    async fn another_lake_is_read_below_its_folder_alone() {
        let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let own = lake(own.path(), &[("s/a", "1")]).await;
        let other = lake(other.path(), &[("s/a", "2"), ("s/b", "3"), ("top", "4")]).await;
        own.mount("archive", &other);
        let read = async |path: &str| {
            let got = own.store.get(&Path::from(path)).await?;
            assert_eq!(got.meta.location.as_ref(), path);
            got.bytes().await
        };
        assert_eq!(read("s/a").await.unwrap(), "1");
        assert_eq!(read("_servers/archive/s/a").await.unwrap(), "2");
        assert!(read("_servers/archive/../s/b").await.is_err());
        assert!(read("_servers/others/s/a").await.is_err());
        let list = async |path: Option<&str>| {
            let path = path.map(Path::from);
            let listed = own.store.list(path.as_ref());
            let listed: Vec<ObjectMeta> = listed.try_collect().await.unwrap();
            let names = listed.into_iter().map(|it| it.location.to_string());
            names.collect::<Vec<_>>()
        };
        assert_eq!(list(None).await, ["s/a"]);
        let below = ["_servers/archive/s/a", "_servers/archive/s/b"];
        assert_eq!(list(Some("_servers/archive/s")).await, below);
        let root = Path::from("_servers/archive");
        assert_eq!(list(Some(root.as_ref())).await.len(), 3);
        let behind = |offset: &str| {
            let listed = own.store.list_with_offset(Some(&root), &Path::from(offset));
            listed
                .map(|it| it.unwrap().location.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(behind(below[0]).await, [below[1], "_servers/archive/top"]);
        assert_eq!(behind("_servers").await.len(), 3);
        assert!(behind("_sevens").await.is_empty());
        let levels = own.store.list_with_delimiter(Some(&root)).await.unwrap();
        assert_eq!(levels.common_prefixes, [Path::from("_servers/archive/s")]);
        assert_eq!(levels.objects[0].location.as_ref(), "_servers/archive/top");
        let path = Path::from("_servers/archive/s/c");
        assert!(own.store.put(&path, "5".into()).await.is_err());
        own.keep_mounts(|name| name != "archive");
        assert!(read("_servers/archive/s/a").await.is_err());
    }
}
