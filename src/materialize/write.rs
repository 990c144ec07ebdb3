//! Stores the rows of a materialized view: one commit, or none.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use deltalake_core::kernel::EagerSnapshot;
use deltalake_core::kernel::transaction::{CommitProperties, TransactionError};
use deltalake_core::operations::write::{SchemaMode, WriteBuilder};
use deltalake_core::protocol::SaveMode;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use futures::StreamExt;
use url::Url;

use super::columns::to_stored;
use super::made::{KEY, Made};
use super::vacuum::WRITES_MAX;
use crate::error::{Error, ErrorKind, Result};
use crate::storage::Place;

/// Of no column are minima and maxima written into the log: infinite dates and NaN have none there.
const NO_STATISTICS: (&str, Option<&str>) = ("delta.dataSkippingNumIndexedCols", Some("0"));

/// So often is what the log says of the table's files written down as a whole: a log of thousands of refreshes is
/// read from there.
const CHECKPOINTS: (&str, Option<&str>) = ("delta.checkpointInterval", Some("10"));

/// So long checkpoints tell of files that went: as long as [`super::vacuum`] keeps them.
const REPLACED: (&str, Option<&str>) = (
    "delta.deletedFileRetentionDuration",
    Some("interval 1 hour"),
);

/// Rows to be stored.
pub(super) struct Writing {
    /// The table's folder below the place.
    pub(super) path: String,
    /// The version that they take the place of; `None` if there is no table yet.
    pub(super) on: Option<u64>,
    /// What is said of them.
    pub(super) made: Made,
    /// The stored columns.
    pub(super) schema: SchemaRef,
    /// The rows, with as many columns; an error ends them.
    pub(super) rows: SendableRecordBatchStream,
}

/// What became of it.
pub(super) enum Wrote {
    /// The rows are version so and so, and are so many.
    Version(u64, u64),
    /// Somebody else was faster, and nothing was stored.
    Conflict,
}

/// Stores rows in one commit on the version that was seen, or not at all. Not cancel safe: a commit
/// may be made that nobody is told of; it is as right as any other.
pub(super) async fn write(place: &Place, writing: Writing) -> Result<Wrote> {
    let shown = format!("{}/{}", place.lake.shown, writing.path);
    let mut table = open(place, &writing.path)?;
    let mut snapshot: Option<EagerSnapshot> = None;
    if let Some(version) = writing.on {
        table.load().await.map_err(|cause| failed(&shown, cause))?;
        if table.version() != Some(version) {
            return Ok(Wrote::Conflict);
        }
        let state = table.snapshot().map_err(|cause| failed(&shown, cause))?;
        snapshot = Some(state.snapshot().clone());
    }
    let told = Arc::new(Told::default());
    let plan = plan(writing.schema, writing.rows, &told).map_err(Error::internal)?;
    let said = serde_json::to_value(&writing.made).map_err(Error::internal)?;
    let commit = CommitProperties::default()
        .with_metadata([(KEY.to_owned(), said)])
        // Whoever comes second looks at what the first has made.
        .with_max_retries(0)
        .with_cleanup_expired_logs(Some(false));
    let written = WriteBuilder::new(table.log_store(), snapshot)
        .with_input_plan(plan)
        .with_save_mode(SaveMode::Overwrite)
        .with_schema_mode(SchemaMode::Overwrite)
        .with_configuration([NO_STATISTICS, CHECKPOINTS, REPLACED])
        .with_commit_properties(commit)
        .await;
    match written {
        Ok(table) => {
            let version = table.version().unwrap_or_default();
            Ok(Wrote::Version(version, told.n_rows()))
        }
        Err(cause) => match told.failure() {
            Some(error) => Err(error),
            None if is_conflict(&cause) => Ok(Wrote::Conflict),
            None => Err(failed(&shown, cause)),
        },
    }
}

pub(super) fn open(place: &Place, path: &str) -> Result<DeltaTable> {
    let mut url: Url = place.lake.url.clone();
    url.path_segments_mut()
        .map_err(|()| Error::new(ErrorKind::InternalError, "the place's URL has no path"))?
        .clear()
        .extend(path.split('/'))
        .push("");
    DeltaTableBuilder::from_url(url)
        .map(|builder| {
            let writable = Arc::clone(&place.writable);
            builder.with_storage_backend(writable, place.lake.url.clone())
        })
        .and_then(DeltaTableBuilder::build)
        .map_err(Error::internal)
}

/// Whether somebody else committed meanwhile.
fn is_conflict(cause: &DeltaTableError) -> bool {
    matches!(
        cause,
        DeltaTableError::Transaction {
            source: TransactionError::MaxCommitAttempts(_)
                | TransactionError::CommitConflict(_)
                | TransactionError::VersionAlreadyExists(_),
        } | DeltaTableError::VersionAlreadyExists(_)
    )
}

pub(super) fn failed(shown: &str, cause: DeltaTableError) -> Error {
    let message = format!("could not write the table \"{shown}\"");
    Error::new(ErrorKind::IoError, message)
        .with_detail(format!("{cause}."))
        .with_cause(cause)
}

/// A plan that gives these rows, once.
fn plan(
    schema: SchemaRef,
    rows: SendableRecordBatchStream,
    told: &Arc<Told>,
) -> Result<LogicalPlan, DataFusionError> {
    let once = Once {
        schema: Arc::clone(&schema),
        rows: Mutex::new(Some(rows)),
        told: Arc::clone(told),
    };
    let table = StreamingTable::try_new(schema, vec![Arc::new(once)])?;
    LogicalPlanBuilder::scan("rows", provider_as_source(Arc::new(table)), None)?.build()
}

/// Ends rows that are written for so long that the first files of theirs may be taken for left over.
fn in_time(begun: Instant) -> Result<(), DataFusionError> {
    if begun.elapsed() < WRITES_MAX {
        return Ok(());
    }
    let hours = WRITES_MAX.as_secs() / 3600;
    let message = format!("the rows were not stored within {hours} hours");
    let error = Error::new(ErrorKind::QueryCanceled, message);
    Err(DataFusionError::External(Box::new(error)))
}

/// What came of the rows while they were written.
#[derive(Debug, Default)]
struct Told {
    inner: Mutex<(u64, Option<Error>)>,
}

impl Told {
    fn lock(&self) -> std::sync::MutexGuard<'_, (u64, Option<Error>)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn n_rows(&self) -> u64 {
        self.lock().0
    }

    fn failure(&self) -> Option<Error> {
        self.lock().1.clone()
    }
}

/// Rows that can be taken once.
struct Once {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
    told: Arc<Told>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (schema, told) = (Arc::clone(&self.schema), Arc::clone(&self.told));
        let Some(rows) = rows else {
            let message = "the rows of a materialized view were asked for twice".to_owned();
            let error = futures::stream::iter([Err(DataFusionError::Internal(message))]);
            return Box::pin(RecordBatchStreamAdapter::new(schema, error));
        };
        let own = Arc::clone(&schema);
        let begun = Instant::now();
        let stored = rows.map(move |batch| {
            let batch = batch.and_then(|batch| in_time(begun).map(|()| batch));
            let stored = batch.and_then(|batch| to_stored(&batch, &own));
            match &stored {
                Ok(batch) => told.lock().0 += batch.num_rows() as u64,
                Err(DataFusionError::External(cause)) => {
                    told.lock().1 = cause.downcast_ref::<Error>().cloned();
                }
                Err(_) => {}
            }
            stored
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, stored))
    }
}
