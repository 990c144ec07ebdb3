//! An answer that is kept: its rows, in no more memory than they need.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use datafusion::common::utils::memory::RecordBatchMemoryCounter;

use super::given::Form;
use crate::engine::answer::Column;
use crate::error::{Error, Result};

/// Rows of an answer whose batches are made one: what one batch of the engine has.
const ROWS_IN_ONE_MAX: usize = 8192;

/// What an entry takes beside its rows, in bytes: its key in two maps, its columns' names and types.
const ENTRY_BYTES: usize = 1 << 10;

/// Forms in which is kept how an answer was written; of more, the oldest goes. A dashboard's clients read alike.
const FORMS_MAX: usize = 4;

/// The whole answer of a statement.
#[derive(Debug)]
pub(in crate::engine) struct Held {
    pub(in crate::engine) columns: Vec<Column>,
    pub(in crate::engine) schema: SchemaRef,
    pub(in crate::engine) batches: Vec<RecordBatch>,
    pub(super) n_rows: usize,
    /// What its rows take of memory.
    n_bytes_of_rows: usize,
    /// How it was written, by the form. Changes only while the store is locked that counts the bytes.
    written: Mutex<VecDeque<(Form, Bytes)>>,
    n_bytes_written: AtomicUsize,
    /// How long it took to compute it.
    pub(super) cost: Duration,
    /// The bytes of the files that it was computed of; not told where rows of them are hidden.
    pub(super) scanned: u64,
    /// Until when it is right; `None` for ever.
    pub(super) until: Option<DateTime<Utc>>,
    pub(super) n_hits: AtomicU64,
}

/// What is known of an answer beside its rows.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Facts {
    pub(in crate::engine) columns: Vec<Column>,
    pub(in crate::engine) schema: SchemaRef,
    pub(in crate::engine) scanned: u64,
    pub(in crate::engine) until: Option<DateTime<Utc>>,
}

impl Held {
    /// The answer of these batches, which were made compact before.
    ///
    /// # Errors
    /// The batches are not of one schema: a fault of ours.
    pub(super) fn new(facts: Facts, batches: Vec<RecordBatch>, cost: Duration) -> Result<Self> {
        let n_rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let batches = match batches.as_slice() {
            [first, _, ..] if n_rows <= ROWS_IN_ONE_MAX => {
                let whole = concat_batches(&first.schema(), &batches);
                vec![compact(&whole.map_err(Error::internal)?)?]
            }
            _ => batches,
        };
        Ok(Self {
            n_rows,
            n_bytes_of_rows: ENTRY_BYTES + bytes_of(&batches),
            written: Mutex::default(),
            n_bytes_written: AtomicUsize::new(0),
            columns: facts.columns,
            schema: facts.schema,
            scanned: facts.scanned,
            until: facts.until,
            batches,
            cost,
            n_hits: AtomicU64::new(0),
        })
    }

    /// What it takes of memory.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes_of_rows + self.n_bytes_written.load(Ordering::Relaxed)
    }

    /// How it was written in a form.
    pub(super) fn written(&self, form: &Form) -> Option<Bytes> {
        let written = self.forms();
        let mut written = written.iter();
        let (_, bytes) = written.find(|(known, _)| known == form)?;
        Some(bytes.clone())
    }

    /// Keeps how it was written; for the store, which counts the bytes.
    pub(super) fn keep_written(&self, form: Form, bytes: Bytes) {
        let mut written = self.forms();
        if written.len() >= FORMS_MAX {
            written.pop_front();
        }
        written.push_back((form, bytes));
        let sizes = written
            .iter()
            .map(|(form, bytes)| written_bytes(form, bytes));
        self.n_bytes_written.store(sizes.sum(), Ordering::Relaxed);
    }

    fn forms(&self) -> MutexGuard<'_, VecDeque<(Form, Bytes)>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is right at this moment.
    pub(super) fn is_right_at(&self, moment: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| moment < until)
    }

    /// It was given once more; how often that makes.
    pub(super) fn given(&self) -> u64 {
        self.n_hits.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What it saves for the memory it takes, if it is given this often: nanoseconds a byte.
    pub(super) fn worth(&self, n_hits: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "it is only compared")]
        let (times, bytes) = ((n_hits + 1) as f64, self.n_bytes() as f64);
        self.cost.as_secs_f64() * 1e9 * times / bytes
    }
}

/// The bytes that it takes to keep how an answer was written.
pub(super) fn written_bytes(form: &Form, bytes: &Bytes) -> usize {
    size_of::<(Form, Bytes)>() + form.are_binary.len() + bytes.len()
}

/// The bytes that batches take together, each buffer counted once.
pub(super) fn bytes_of(batches: &[RecordBatch]) -> usize {
    let mut counter = RecordBatchMemoryCounter::new();
    for batch in batches {
        counter.count_batch(batch);
    }
    counter.memory_usage()
}

/// The same rows in buffers of their own, where they are a part of larger ones: a few rows would else keep
/// in memory all that they were taken from.
///
/// # Errors
/// Arrow cannot copy the rows: a fault of ours.
pub(super) fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(compact_column);
    let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options).map_err(Error::internal)
}

fn compact_column(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Utf8View => return Ok(Arc::new(column.as_string_view().gc())),
        DataType::BinaryView => return Ok(Arc::new(column.as_binary_view().gc())),
        _ => {}
    }
    let needed = column.to_data().get_slice_memory_size();
    let is_compact = needed.is_ok_and(|needed| column.get_buffer_memory_size() <= needed * 5 / 4);
    if is_compact {
        return Ok(Arc::clone(column));
    }
    let all = UInt64Array::from_iter_values(0..column.len() as u64);
    take(column, &all, None).map_err(Error::internal)
}

#[cfg(test)]
pub(super) mod tests {
    use arrow::array::{Int64Array, StringArray, StringViewArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    /// An answer of one column of numbers, which took this many milliseconds.
    pub(in crate::engine::cache) fn held(n_rows: i64, cost_ms: u64) -> Held {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..n_rows));
        let batch = RecordBatch::try_from_iter([("n", column)]).expect("one column");
        let facts = Facts {
            columns: Vec::new(),
            schema: batch.schema(),
            scanned: 0,
            until: None,
        };
        let cost = Duration::from_millis(cost_ms);
        Held::new(facts, vec![batch], cost).expect("one schema")
    }

    #[test]
    fn a_few_rows_do_not_keep_many_in_memory() {
        let text = |row: i64| format!("a text that is too long to lie in its view: {row}");
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..100_000).map(text)));
        let views: ArrayRef = Arc::new(StringViewArray::from_iter_values((0..100_000).map(text)));
        let schema = Schema::new(vec![
            Field::new("number", DataType::Int64, false),
            Field::new("text", DataType::Utf8, false),
            Field::new("view", DataType::Utf8View, false),
        ]);
        let whole = RecordBatch::try_new(Arc::new(schema), vec![numbers, texts, views]);
        let few = whole.expect("columns of one length").slice(50_000, 3);
        assert!(bytes_of(std::slice::from_ref(&few)) > 1 << 20);
        let small = compact(&few).expect("rows can be copied");
        assert_eq!(small, few);
        assert!(bytes_of(&[small]) < 4 << 10);
    }

    #[test]
    fn small_batches_become_one() {
        let column = |from: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![from, from + 1])) };
        let batch = |from| RecordBatch::try_from_iter([("n", column(from))]).expect("one column");
        let facts = Facts {
            columns: Vec::new(),
            schema: batch(0).schema(),
            scanned: 0,
            until: None,
        };
        let held = Held::new(facts, vec![batch(0), batch(2)], Duration::ZERO);
        let batches = held.expect("one schema").batches;
        assert_eq!(batches.len(), 1);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 2, 3]));
        assert_eq!(batches[0].column(0), &numbers);
    }
}
