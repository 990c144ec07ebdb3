//! A short value ready to be sent: its length field and its bytes, in a place of fixed size.

use std::ops::Range;

use arrow::array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow::buffer::NullBuffer;

/// Bytes of a length field.
const LENGTH_BYTES: usize = 4;

/// Bytes that a value in a cell may have. A timestamp with microseconds and an offset of seconds
/// has 35: `2024-02-29 01:02:03.123456+00:53:28`.
pub(super) const VALUE_BYTES_MAX: usize = 36;

/// Bytes of a cell that are copied whatever the value is. Nearly every number and date fits, and a
/// copy of fixed size is a few instructions.
const COPIED_ALWAYS: usize = 24;

/// A length field and a value behind it, or the length field of NULL alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    bytes: [u8; LENGTH_BYTES + VALUE_BYTES_MAX],
    /// How many of the bytes count; 0 where the value does not fit or cannot be sent, and must be
    /// written by itself.
    length: usize,
}

impl Cell {
    /// A cell without a value.
    pub(super) const EMPTY: Self = Self {
        bytes: [0; LENGTH_BYTES + VALUE_BYTES_MAX],
        length: 0,
    };

    /// Has `write` put a value into the cell.
    #[inline(always)]
    fn set(&mut self, write: impl FnOnce(&mut [u8; VALUE_BYTES_MAX]) -> Option<usize>) {
        let (length, room) = self.bytes.split_at_mut(LENGTH_BYTES);
        let room = room.first_chunk_mut().expect("a cell has this many bytes");
        self.length = match write(room) {
            Some(n_bytes) => {
                let n_sent = u32::try_from(n_bytes).unwrap_or(0);
                length.copy_from_slice(&n_sent.to_be_bytes());
                LENGTH_BYTES + n_bytes
            }
            None => 0,
        };
    }

    /// Leaves the value to be written by itself.
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// Puts NULL into the cell.
    pub(super) fn set_null(&mut self) {
        self.bytes[..LENGTH_BYTES].copy_from_slice(&(-1_i32).to_be_bytes());
        self.length = LENGTH_BYTES;
    }

    /// The bytes to be sent; `None` if the value must be written by itself.
    pub(super) fn sent(&self) -> Option<&[u8]> {
        match self.length {
            0 => None,
            length => self.bytes.get(..length),
        }
    }

    /// Copies the cell to the start of `out`, which must have room for any cell; the bytes that
    /// count, or `None` if there is no room or the value must be written by itself.
    #[inline(always)]
    pub(super) fn copy_to(&self, out: &mut [u8]) -> Option<usize> {
        let room = out.first_chunk_mut::<{ LENGTH_BYTES + VALUE_BYTES_MAX }>()?;
        let (first, rest) = room.split_at_mut(COPIED_ALWAYS);
        first.copy_from_slice(&self.bytes[..COPIED_ALWAYS]);
        if self.length > COPIED_ALWAYS {
            rest.copy_from_slice(&self.bytes[COPIED_ALWAYS..]);
        }
        (self.length > 0).then_some(self.length)
    }
}

/// Fills cells with the values of these rows. `write` puts a value into the bytes it is given and
/// returns how many they are, or `None` if the value must be written by itself.
#[inline(always)]
pub(super) fn fill<T: ArrowPrimitiveType>(
    cells: &mut [Cell],
    array: &PrimitiveArray<T>,
    rows: Range<usize>,
    mut write: impl FnMut(&mut [u8; VALUE_BYTES_MAX], T::Native) -> Option<usize>,
) {
    let values = &array.values()[rows.clone()];
    for (cell, value) in cells.iter_mut().zip(values) {
        cell.set(|room| write(room, *value));
    }
    set_nulls(cells, array.nulls(), rows);
}

/// Fills cells by the rows' numbers.
pub(super) fn fill_with(
    cells: &mut [Cell],
    rows: Range<usize>,
    mut write: impl FnMut(&mut [u8; VALUE_BYTES_MAX], usize) -> Option<usize>,
) {
    for (cell, row) in cells.iter_mut().zip(rows) {
        cell.set(|room| write(room, row));
    }
}

/// Puts NULL into the cells of the rows that are null.
pub(super) fn set_nulls(cells: &mut [Cell], nulls: Option<&NullBuffer>, rows: Range<usize>) {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else {
        return;
    };
    for (cell, row) in cells.iter_mut().zip(rows) {
        if nulls.is_null(row) {
            cell.set_null();
        }
    }
}
