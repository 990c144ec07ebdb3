//! Neighbouring columns of short values: their part of each row, written column by column.

use std::ops::Range;

use arrow::array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow::buffer::NullBuffer;

/// Bytes of a length field.
const LENGTH_BYTES: usize = 4;

/// Bytes that a value in a run may have. A timestamp with microseconds and an offset of seconds
/// has 35: `2024-02-29 01:02:03.123456+00:53:28`.
pub(super) const VALUE_BYTES_MAX: usize = 36;

/// Bytes that a value may take with its length.
const STEP_BYTES: usize = LENGTH_BYTES + VALUE_BYTES_MAX;

/// The end of a row of which a value does not fit or cannot be sent: its values must be written
/// one at a time.
const BROKEN: usize = usize::MAX;

/// The parts of a block's rows. Each has room for the longest values, so that a value may be
/// written whole words at a time: what is too much is overwritten by the next.
#[derive(Debug)]
pub(super) struct Run {
    /// The columns whose values these are.
    pub(super) columns: Range<usize>,
    bytes: Vec<u8>,
    /// Where each row's part ends, or [`BROKEN`].
    ends: Vec<usize>,
}

impl Run {
    /// A run of these columns, without rows.
    pub(super) fn of(columns: Range<usize>) -> Self {
        Self {
            columns,
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn row_bytes(&self) -> usize {
        STEP_BYTES * self.columns.len()
    }

    /// Begins with so many rows, all of them empty.
    pub(super) fn start(&mut self, n_rows: usize) {
        self.bytes.resize(self.row_bytes() * n_rows, 0);
        self.ends.clear();
        self.ends.resize(n_rows, 0);
    }

    /// A row's part; `None` if its values must be written one at a time.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> Option<&[u8]> {
        let start = row * self.row_bytes();
        let end = start.checked_add(*self.ends.get(row)?)?;
        self.bytes.get(start..end)
    }

    /// The bytes from a row's part on, and how many of them are the part's; `None` if its values
    /// must be written one at a time.
    #[inline(always)]
    pub(super) fn row_onwards(&self, row: usize) -> Option<(&[u8], usize)> {
        let length = *self.ends.get(row)?;
        let bytes = self.bytes.get(row * self.row_bytes()..)?;
        (length != BROKEN).then_some((bytes, length))
    }

    /// Appends these rows' values of the next column. `write` puts a value into the bytes it is
    /// given and returns how many they are, or `None` if the row must be written otherwise.
    #[inline(always)]
    pub(super) fn append<T: ArrowPrimitiveType>(
        &mut self,
        array: &PrimitiveArray<T>,
        rows: Range<usize>,
        mut write: impl FnMut(&mut [u8; VALUE_BYTES_MAX], T::Native) -> Option<usize>,
    ) {
        let values = &array.values()[rows.clone()];
        let stride = self.row_bytes();
        let parts = self.bytes.chunks_exact_mut(stride).zip(&mut self.ends);
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        // One place calls `write`, so that it becomes part of the loop.
        for (((part, end), value), row) in parts.zip(values).zip(rows) {
            *end = match nulls.is_some_and(|nulls| nulls.is_null(row)) {
                true => append_null(part, *end),
                false => append_value(part, *end, |room| write(room, *value)),
            };
        }
    }

    /// Appends the next column's values by the rows' numbers.
    pub(super) fn append_by_row(
        &mut self,
        nulls: Option<&NullBuffer>,
        rows: Range<usize>,
        mut write: impl FnMut(&mut [u8; VALUE_BYTES_MAX], usize) -> Option<usize>,
    ) {
        let stride = self.row_bytes();
        let parts = self.bytes.chunks_exact_mut(stride).zip(&mut self.ends);
        for ((part, end), row) in parts.zip(rows) {
            *end = match nulls.is_some_and(|nulls| nulls.is_null(row)) {
                true => append_null(part, *end),
                false => append_value(part, *end, |room| write(room, row)),
            };
        }
    }

    /// Appends a column of NULLs.
    pub(super) fn append_nulls(&mut self) {
        let stride = self.row_bytes();
        let parts = self.bytes.chunks_exact_mut(stride).zip(&mut self.ends);
        for (part, end) in parts {
            *end = append_null(part, *end);
        }
    }
}

/// Appends a value with its length at `end` of a row's part; the new end.
#[inline(always)]
fn append_value(
    part: &mut [u8],
    end: usize,
    write: impl FnOnce(&mut [u8; VALUE_BYTES_MAX]) -> Option<usize>,
) -> usize {
    // There is no room behind BROKEN.
    let Some(step) = part
        .get_mut(end..)
        .and_then(|rest| rest.first_chunk_mut::<STEP_BYTES>())
    else {
        return BROKEN;
    };
    let (length, room) = step.split_at_mut(LENGTH_BYTES);
    let room = room.first_chunk_mut().expect("a step has this many bytes");
    let Some(n_bytes) = write(room) else {
        return BROKEN;
    };
    let n_sent = u32::try_from(n_bytes).unwrap_or(0);
    length.copy_from_slice(&n_sent.to_be_bytes());
    end + LENGTH_BYTES + n_bytes
}

fn append_null(part: &mut [u8], end: usize) -> usize {
    match part.get_mut(end..).and_then(<[u8]>::first_chunk_mut) {
        Some(length) => {
            *length = (-1_i32).to_be_bytes();
            end + LENGTH_BYTES
        }
        None => BROKEN,
    }
}
