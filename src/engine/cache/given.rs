//! A kept answer that is given once more: its rows as batches, or as they were written before for a client who
//! reads them alike.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;

use super::Results;
use super::held::Held;
use super::key::CacheKey;
use crate::engine::answer::Column;
use crate::functions::output::Style;
use crate::types::Encoding;

/// Bytes of the largest answer of which is also kept how it was written: a tile, not a table.
const WRITTEN_BYTES_MAX: usize = 64 << 10;

/// What decides about the bytes in which a client is sent rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Of each column whether its values are in the binary format.
    pub are_binary: Box<[bool]>,
    /// What of the session shows in values.
    pub style: Style,
    /// The encoding of texts.
    pub encoding: Encoding,
}

/// An answer that is given.
#[derive(Debug)]
pub(in crate::engine) struct Given {
    results: Arc<Results>,
    key: CacheKey,
    held: Arc<Held>,
    /// How many of its batches were taken.
    n_taken: usize,
}

impl Given {
    pub(super) fn new(results: &Arc<Results>, key: CacheKey, held: Arc<Held>) -> Self {
        Self {
            results: Arc::clone(results),
            key,
            held,
            n_taken: 0,
        }
    }

    pub(in crate::engine) fn columns(&self) -> &[Column] {
        &self.held.columns
    }

    pub(in crate::engine) fn schema(&self) -> &SchemaRef {
        &self.held.schema
    }

    /// The next rows.
    pub(in crate::engine) fn next(&mut self) -> Option<RecordBatch> {
        let batch = self.held.batches.get(self.n_taken).cloned();
        self.n_taken += 1;
        batch
    }

    /// All rows as they were written in a form, and how many they are, if that is kept and none was taken: they are
    /// taken by this.
    pub(in crate::engine) fn written(&mut self, form: &Form) -> Option<(Bytes, usize)> {
        if self.n_taken > 0 {
            return None;
        }
        let bytes = self.held.written(form)?;
        self.n_taken = self.held.batches.len();
        Some((bytes, self.held.n_rows))
    }

    /// Keeps how all rows were written in a form, unless that is much.
    pub(in crate::engine) fn keep_written(&self, form: Form, bytes: &[u8]) {
        if bytes.len() <= WRITTEN_BYTES_MAX && self.held.written(&form).is_none() {
            let bytes = Bytes::copy_from_slice(bytes);
            let mut inner = self.results.lock();
            inner.store.keep_written(&self.key, &self.held, form, bytes);
        }
    }
}
