//! Pins folders and single files of Parquet, Avro, CSV and JSON.

mod avro;
mod csv;
mod document;
mod hive;
mod infer;
mod json;
mod listing;
mod merge;
mod parquet;
mod partitions;
mod read;
mod scan;
mod source;
mod text;

use std::sync::Arc;

use arrow::datatypes::{Field, Fields, Schema, SchemaRef};
use chrono::{DateTime, TimeDelta, Utc};
use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::scalar::ScalarValue;
use futures::stream::{self, StreamExt, TryStreamExt};
use moka::future::Cache;
use moka::sync::Cache as SyncCache;
use object_store::path::Path;

use self::listing::{DataFile, Listing};
use super::format::Format;
use crate::error::{Error, Result};
use crate::sources::{LakeTable, Layout, PinnedTable, Size, Version};
use crate::storage::{Lake, Noted, Standing};
use crate::types::lake_type;

/// How many tables' merged schemas are kept, a few KiB each.
const TABLES_MAX: u64 = 2_000;

/// How many files' schemas are kept, about 1 KiB each.
const FILES_MAX: u64 = 100_000;

/// How many files are opened at a time to read their schemas.
const OPENED_MAX: usize = 32;

/// The coarsest clock by which a store tells when a file was changed: that of FAT. A file that is replaced
/// in place by one of its size within it may look as it did before.
const CLOCK_GRAIN: TimeDelta = TimeDelta::seconds(2);

/// The tables of one lake that are files.
#[derive(Debug)]
pub(super) struct FileTables {
    lake: Lake,
    runtime: Arc<RuntimeEnv>,
    /// By path and digest of the files. Never stale: other files are another key.
    shapes: Cache<(String, [u8; 32]), Arc<Shape>>,
    /// By path, size and tag. Never stale: another file is another key.
    files: Cache<(String, u64, String), Arc<FileShape>>,
    /// What tables were when they were last listed. Right as long as what was noted down stands; each statement
    /// looks.
    last: SyncCache<LakeTable, Arc<Last>>,
}

/// A table as it was last listed.
#[derive(Debug)]
struct Last {
    standing: Standing,
    digest: [u8; 32],
    changed: Option<DateTime<Utc>>,
    shape: Arc<Shape>,
    provider: Arc<dyn TableProvider>,
}

impl Last {
    fn pinned(&self, path: &str) -> PinnedTable {
        let settled = settled(path, &self.digest, self.changed);
        PinnedTable {
            version: Version::Files(self.digest),
            digest: settled,
            identity: settled,
            changed: self.changed,
            size: self.shape.size(),
            provider: Arc::clone(&self.provider),
        }
    }
}

/// What is known of one file.
#[derive(Debug)]
struct FileShape {
    /// Its columns, as they lie in it.
    schema: SchemaRef,
    /// How many rows it holds, if its own footer says so.
    n_rows: Option<usize>,
}

/// What is known of a table at one version.
#[derive(Debug)]
pub(super) struct Shape {
    format: Format,
    /// The columns that are read from files, merged, as they are served.
    file_schema: SchemaRef,
    /// The columns that the folders' names say.
    partition_fields: Fields,
    files: Vec<PinnedFile>,
}

impl Shape {
    fn size(&self) -> Size {
        let files = self.files.iter();
        Size::of_files(files.map(|it| (it.n_rows.map(|rows| rows as u64), it.file.meta.size)))
    }
}

/// A file of a pinned table.
#[derive(Clone, Debug)]
struct PinnedFile {
    file: DataFile,
    partition_values: Vec<ScalarValue>,
    n_rows: Option<usize>,
}

impl FileTables {
    pub(super) fn new(lake: Lake, runtime: Arc<RuntimeEnv>) -> Self {
        Self {
            lake,
            runtime,
            shapes: Cache::new(TABLES_MAX),
            files: Cache::new(FILES_MAX),
            last: SyncCache::new(TABLES_MAX),
        }
    }

    /// As [`Self::pin`], where the table is on a disk that tells that it has not changed: without waiting for
    /// anything. `None` where that is not known.
    pub(super) fn pin_at_once(&self, table: &LakeTable) -> Option<PinnedTable> {
        let last = self.last.get(table)?;
        let stands = last.standing.stands();
        stands.then(|| last.pinned(&table.path))
    }

    /// Notes down what lies there, before it is listed.
    async fn note(&self, table: &LakeTable) -> Option<Standing> {
        let path = Path::parse(&table.path).ok()?;
        let noted = match table.layout {
            Layout::File => Noted::File(&path),
            Layout::Folder | Layout::Delta => Noted::Tree(&path),
        };
        self.lake.note(noted).await
    }

    /// Pins the files as they are now: one listing, and the schemas of files not seen before.
    pub(super) async fn pin(
        &self,
        table: &LakeTable,
        session: &SessionState,
    ) -> Result<PinnedTable> {
        let standing = self.note(table).await;
        let listing = Listing::read(&self.lake.store, table).await?;
        let digest = listing.digest();
        let changed = listing.changed();
        let settled = settled(&table.path, &digest, changed);
        let shape = self
            .shapes
            .try_get_with((table.path.clone(), digest), self.shape(listing, session))
            .await
            .map_err(|error| Error::clone(&error))?;
        let size = shape.size();
        let provider = scan::FileTable::new(self.lake.clone(), &self.runtime, Arc::clone(&shape));
        let provider: Arc<dyn TableProvider> = Arc::new(provider);
        if let Some(standing) = standing {
            let last = Last {
                standing,
                digest,
                changed,
                shape,
                provider: Arc::clone(&provider),
            };
            self.last.insert(table.clone(), Arc::new(last));
        }
        Ok(PinnedTable {
            version: Version::Files(digest),
            digest: settled,
            identity: settled,
            changed,
            size,
            provider,
        })
    }

    /// Reads and merges the schemas of all files.
    async fn shape(&self, listing: Listing, session: &SessionState) -> Result<Arc<Shape>> {
        let format = listing.format;
        let shapes: Vec<_> = stream::iter(listing.files.iter().cloned())
            .map(|file| self.file_shape(format, file, session))
            .buffered(OPENED_MAX)
            .try_collect()
            .await?;
        let partitions = partitions::columns(&listing)?;
        let schemas = listing
            .files
            .iter()
            .zip(&shapes)
            .map(|(file, shape)| (file.meta.location.as_ref(), &shape.schema));
        let merged = merge::schemas(schemas, matches!(format, Format::Csv | Format::Json))?;
        let is_partition = |field: &Field| {
            let name = field.name();
            partitions.fields.iter().any(|key| key.name() == name)
        };
        let file_fields: Vec<_> = merged
            .iter()
            .filter(|field| !is_partition(field))
            .map(served)
            .collect();
        let files = listing
            .files
            .into_iter()
            .zip(partitions.values)
            .zip(&shapes)
            .map(|((file, partition_values), shape)| PinnedFile {
                file,
                partition_values,
                n_rows: shape.n_rows,
            })
            .collect();
        Ok(Arc::new(Shape {
            format,
            file_schema: Arc::new(Schema::new(file_fields)),
            partition_fields: partitions.fields,
            files,
        }))
    }

    async fn file_shape(
        &self,
        format: Format,
        file: DataFile,
        session: &SessionState,
    ) -> Result<Arc<FileShape>> {
        let key = (
            file.meta.location.to_string(),
            file.meta.size,
            file.tag().to_owned(),
        );
        let infer = async {
            let store = &self.lake.store;
            let shape = match format {
                Format::Parquet => parquet::shape(store, &file, &self.runtime, session).await?,
                Format::Csv => csv::shape(store, &file).await?,
                Format::Json => json::shape(store, &file).await?,
                Format::Avro => avro::shape(store, &file).await?,
            };
            Ok::<_, Error>(Arc::new(shape))
        };
        self.files
            .try_get_with(key, infer)
            .await
            .map_err(|error| Error::clone(&error))
    }
}

/// What tells the files' rows from all others, once no file can be replaced any more without another
/// time of its last change. Files that change in the future have clocks of their own, and wait for ours.
fn settled(path: &str, digest: &[u8; 32], changed: Option<DateTime<Utc>>) -> Option<[u8; 32]> {
    let is_settled = changed.is_some_and(|changed| changed + CLOCK_GRAIN < Utc::now());
    let mut hasher = blake3::Hasher::new();
    hasher.update(path.as_bytes());
    hasher.update(digest);
    is_settled.then(|| *hasher.finalize().as_bytes())
}

/// A merged column as the table serves it. A file may lack it, so it may be NULL.
fn served(field: &Field) -> Field {
    let data_type = match lake_type(field.data_type()) {
        arrow::datatypes::DataType::Null => arrow::datatypes::DataType::Utf8View,
        other => other,
    };
    Field::new(field.name(), data_type, true).with_metadata(field.metadata().clone())
}
