//! Lists the files of a table, as they are when a statement pins them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::error::{Error, ErrorKind, Result};
use crate::sources::lake::capture::Capture;
use crate::sources::lake::format::{Format, is_hidden};
use crate::sources::{LakeTable, Layout};
use crate::storage;

/// A table's files, in the order of their paths.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) files: Vec<DataFile>,
    pub(super) format: Format,
}

/// A file with rows.
#[derive(Clone, Debug)]
pub(super) struct DataFile {
    pub(super) meta: ObjectMeta,
    /// The Hive levels between the table and the file, still encoded: key and value.
    pub(super) levels: Vec<(String, String)>,
    /// What the path says if it is one of Event Hubs Capture.
    pub(super) capture: Option<Capture>,
    tag: String,
}

impl DataFile {
    /// The store's tag, or the time of the last change where it has none.
    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// Its path, for messages.
    pub(super) fn path(&self) -> &str {
        self.meta.location.as_ref()
    }

    fn new(meta: ObjectMeta, n_table_parts: usize) -> Self {
        let parts: Vec<_> = meta.location.parts().skip(n_table_parts).collect();
        let folders = parts.len().saturating_sub(1);
        let levels = parts[..folders]
            .iter()
            .filter_map(|part| part.as_ref().split_once('='))
            .filter(|(key, _)| !key.is_empty())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let names: Vec<_> = parts.iter().map(|part| part.as_ref()).collect();
        let capture = Capture::of(&names);
        let tag = match &meta.e_tag {
            Some(tag) => tag.clone(),
            None => meta.last_modified.to_rfc3339(),
        };
        Self {
            meta,
            levels,
            capture,
            tag,
        }
    }
}

impl Listing {
    /// Lists the table's files: one request for a file, one for each 1,000 files of a folder.
    ///
    /// # Errors
    /// `UndefinedFile` if there is none; `DatatypeMismatch` if their formats differ.
    pub(super) async fn read(store: &Arc<dyn ObjectStore>, table: &LakeTable) -> Result<Self> {
        let path =
            Path::parse(&table.path).map_err(|cause| storage::error(&table.path, cause.into()))?;
        let mut files = match table.layout {
            Layout::File => {
                let meta = store
                    .head(&path)
                    .await
                    .map_err(|cause| storage::error(&table.path, cause))?;
                vec![DataFile::new(meta, path.parts_count())]
            }
            _ => folder(store, &path).await?,
        };
        files.sort_unstable_by(|a, b| a.meta.location.cmp(&b.meta.location));
        let format = only_format(&table.path, &files)?;
        Ok(Self { files, format })
    }

    /// When a file was last added or replaced. One that is gone leaves no trace.
    pub(super) fn changed(&self) -> Option<DateTime<Utc>> {
        self.files.iter().map(|file| file.meta.last_modified).max()
    }

    /// Equal digests mean equal files.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for file in &self.files {
            // Lengths keep a path and a tag from running into each other.
            for text in [file.path(), file.tag()] {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
            hasher.update(&file.meta.size.to_le_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

async fn folder(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<Vec<DataFile>> {
    let n_parts = path.parts_count();
    let is_data = |meta: &ObjectMeta| {
        let mut parts = meta.location.parts().skip(n_parts);
        let name = meta.location.filename().unwrap_or_default();
        !parts.any(|part| is_hidden(part.as_ref())) && Format::of_file(name).is_some()
    };
    let mut files = Vec::new();
    let mut objects = store.list(Some(path));
    while let Some(meta) = objects.next().await {
        let meta = meta.map_err(|cause| storage::error(path.as_ref(), cause))?;
        let mut parts = meta.location.parts().skip(n_parts);
        // The files of a Delta table are rows only if its log says so.
        if parts.any(|part| part.as_ref() == "_delta_log") {
            return Err(Error::new(
                ErrorKind::DatatypeMismatch,
                format!(
                    "the folder \"{path}\" holds data files and a Delta table: \"{}\"",
                    meta.location
                ),
            ));
        }
        if is_data(&meta) {
            files.push(DataFile::new(meta, n_parts));
        }
    }
    Ok(files)
}

fn only_format(path: &str, files: &[DataFile]) -> Result<Format> {
    let mut formats = files.iter().filter_map(|file| {
        let name = file.meta.location.filename()?;
        Some((Format::of_file(name)?, file))
    });
    let Some((first, of_first)) = formats.next() else {
        return Err(Error::new(
            ErrorKind::UndefinedFile,
            format!("there are no data files at \"{path}\" any more"),
        ));
    };
    match formats.find(|(format, _)| *format != first) {
        None => Ok(first),
        Some((other, of_other)) => Err(Error::new(
            ErrorKind::DatatypeMismatch,
            format!(
                "the files of \"{path}\" are not of one format: \"{}\" is {}, \"{}\" is {}",
                of_first.path(),
                first.name(),
                of_other.path(),
                other.name()
            ),
        )),
    }
}
