//! `lakegate.cache`: how much is kept, and what it was good for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;

use super::Results;
use crate::catalog::system::columns;
use crate::catalog::{Needs, SystemRelation, SystemView, Wanted};
use crate::error::{Error, Result};
use crate::sources::Known;
use crate::sources::lake::LakeSource;
use crate::types::oid;

/// The name of the cache of answers.
pub(super) const RESULTS: &str = "results";

/// The name of the cache of what statements take and give.
pub(super) const DESCRIPTIONS: &str = "descriptions";

/// The name of the cache of what texts say and what the names in them mean.
pub(super) const STATEMENTS: &str = "statements";

/// The columns, as [`crate::catalog::system`] tells of them.
const COLUMNS: &[(&str, u32)] = &[
    ("cache", oid::TEXT),
    ("entries", oid::INT8),
    ("bytes", oid::INT8),
    ("max_bytes", oid::INT8),
    ("hits", oid::INT8),
    ("shared", oid::INT8),
    ("misses", oid::INT8),
    ("saved_seconds", oid::FLOAT8),
];

/// The relation.
#[derive(Debug)]
pub(super) struct CacheRelation {
    pub(super) results: Arc<Results>,
    /// What is known of its tables.
    pub(super) lake: Arc<LakeSource>,
}

impl SystemRelation for CacheRelation {
    fn name(&self) -> &str {
        "cache"
    }

    fn columns(&self) -> SchemaRef {
        columns(COLUMNS)
    }

    fn needs(&self) -> Needs {
        Needs::Snapshot
    }

    fn always_has_rows(&self) -> bool {
        true
    }

    fn rows(&self, _: &SystemView, wanted: &Wanted) -> Result<RecordBatch> {
        let mut rows = vec![self.results(), self.descriptions(), self.statements()];
        rows.extend(self.lake.known().into_iter().map(Row::of_known));
        let number = |of: fn(&Row) -> Option<i64>| -> ArrayRef {
            Arc::new(Int64Array::from_iter(rows.iter().map(of)))
        };
        let names = rows.iter().map(|row| row.cache);
        let saved = rows.iter().map(|row| row.saved_seconds);
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(names)),
            number(|row| Some(row.entries)),
            number(|row| row.bytes),
            number(|row| row.max_bytes),
            number(|row| row.hits),
            number(|row| row.shared),
            number(|row| row.misses),
            Arc::new(Float64Array::from_iter(saved)),
        ];
        let whole = RecordBatch::try_new(self.columns(), arrays).map_err(Error::internal)?;
        wanted.of(&whole)
    }
}

/// A row, by the names of the columns. What a cache does not count is NULL.
struct Row {
    cache: &'static str,
    entries: i64,
    bytes: Option<i64>,
    max_bytes: Option<i64>,
    hits: Option<i64>,
    shared: Option<i64>,
    misses: Option<i64>,
    saved_seconds: Option<f64>,
}

impl Row {
    fn of_known(known: Known) -> Self {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            cache: known.name,
            entries: number(known.n_entries),
            bytes: Some(number(known.n_bytes)),
            max_bytes: Some(number(known.bytes_max)),
            hits: None,
            shared: None,
            misses: None,
            saved_seconds: None,
        }
    }
}

impl CacheRelation {
    fn results(&self) -> Row {
        let results = &self.results;
        let (n_entries, n_bytes) = results.lock().store.size();
        let filling = results.filling.load(Ordering::Relaxed);
        let counts = &results.counts;
        #[expect(
            clippy::cast_precision_loss,
            reason = "nobody asks for microseconds of years"
        )]
        let saved_seconds = counted(&counts.saved_micros) as f64 / 1e6;
        Row {
            cache: RESULTS,
            entries: size(n_entries),
            bytes: Some(size(n_bytes + filling)),
            max_bytes: Some(size(results.bytes_max)),
            hits: Some(counted(&counts.n_hits)),
            shared: Some(counted(&counts.n_shared)),
            misses: Some(counted(&counts.n_misses)),
            saved_seconds: Some(saved_seconds),
        }
    }

    fn descriptions(&self) -> Row {
        let descriptions = &self.results.descriptions;
        Row {
            cache: DESCRIPTIONS,
            entries: size(descriptions.n_entries()),
            bytes: None,
            max_bytes: None,
            hits: Some(counted(&descriptions.n_hits)),
            shared: None,
            misses: Some(counted(&descriptions.n_misses)),
            saved_seconds: None,
        }
    }

    fn statements(&self) -> Row {
        let statements = &self.results.statements;
        let (n_entries, n_bytes) = statements.size();
        Row {
            cache: STATEMENTS,
            entries: size(n_entries),
            bytes: Some(size(n_bytes)),
            max_bytes: Some(size(statements.bytes_max)),
            hits: Some(counted(&statements.n_hits)),
            shared: None,
            misses: Some(counted(&statements.n_misses)),
            saved_seconds: None,
        }
    }
}

fn size(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn counted(number: &AtomicU64) -> i64 {
    i64::try_from(number.load(Ordering::Relaxed)).unwrap_or(i64::MAX)
}
