//! Rows as DataRow messages. Each column is looked through once a batch; then, a block of rows at
//! a time, its numbers and dates are written into runs, column by column, and the rows are put
//! together from runs and from texts as they lie in the batch.

mod array;
mod binary_runs;
mod column;
mod copy;
mod datetime_runs;
mod digits;
mod numeric;
mod padded;
mod run;
mod text_runs;
mod value;

use std::ops::Range;

use arrow::array::RecordBatch;
use bytes::{BufMut, BytesMut};
use pgwire::messages::data::{FORMAT_CODE_BINARY, FORMAT_CODE_TEXT, MESSAGE_TYPE_BYTE_DATA_ROW};

use super::transcode;
use crate::engine::Column;
use crate::error::Result;
use crate::functions::output::{Offsets, Style};
use crate::types::Encoding;
use column::EncodedColumn;
use run::Run;
pub(super) use value::set_length;

/// Bytes of a row before its values: type, length, number of values.
const HEADER_BYTES: usize = 7;

/// Rows of a block: enough that each column's loop is worth its start, and few enough that the
/// runs are still in a near cache when they are read.
const BLOCK_ROWS_MAX: usize = 128;

/// Values of a block, however wide the rows are: 160 KiB of them.
const BLOCK_VALUES_MAX: usize = 4096;

/// Bytes of the out-buffer that are made ready for each value of the first rows; longer rows take
/// those of others.
const ROOM_BYTES: usize = 24;

/// Bytes of the out-buffer made ready beyond: a text is copied in whole steps.
const SPARE_BYTES: usize = 512;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// As text.
    Text,
    /// In PostgreSQL's binary form.
    Binary,
}

impl Format {
    /// The format of a code; `None` for a code that does not exist.
    pub(super) fn of(code: i16) -> Option<Self> {
        match code {
            FORMAT_CODE_TEXT => Some(Self::Text),
            FORMAT_CODE_BINARY => Some(Self::Binary),
            _ => None,
        }
    }

    /// Its code.
    pub(super) fn code(self) -> i16 {
        match self {
            Self::Text => FORMAT_CODE_TEXT,
            Self::Binary => FORMAT_CODE_BINARY,
        }
    }
}

/// How much is written at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// Rows; no more are written.
    pub(super) n_rows_max: usize,
    /// Bytes of the out-buffer; the row that reaches them is the last.
    pub(super) n_bytes: usize,
}

/// The rows of one batch, from the first on.
#[derive(Debug)]
pub(super) struct RowEncoder {
    columns: Vec<EncodedColumn>,
    /// What a row is made of, in its order.
    pieces: Vec<Piece>,
    /// Whether a column's values are all written one at a time.
    is_slow: bool,
    /// The type byte of each row's message.
    message_type: u8,
    style: Style,
    offsets: Offsets,
    /// Where texts are not in UTF-8.
    transcoder: Option<transcode::Rows>,
    n_rows: usize,
    next_row: usize,
    /// Bytes of the out-buffer that are made ready for each row: a little more than those before
    /// had, for they are zeroed first.
    row_bytes: usize,
    /// The rows that the runs hold.
    block: Range<usize>,
}

/// A part of a row.
#[derive(Debug)]
enum Piece {
    /// Neighbouring columns of short values.
    Run(Run),
    /// The column at this place.
    Column(usize),
}

/// The pieces of a row of these columns.
fn pieces(columns: &[EncodedColumn]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        match pieces.last_mut() {
            Some(Piece::Run(run)) if column.is_in_run() => run.columns.end = index + 1,
            _ if column.is_in_run() => pieces.push(Piece::Run(Run::of(index..index + 1))),
            _ => pieces.push(Piece::Column(index)),
        }
    }
    pieces
}

impl RowEncoder {
    /// Looks through a batch. `columns` and `formats` have one for each of its columns.
    ///
    /// # Errors
    /// A value that PostgreSQL's type cannot hold.
    pub(super) fn new(
        batch: &RecordBatch,
        columns: &[Column],
        formats: &[Format],
        style: Style,
        encoding: Encoding,
    ) -> Result<Self> {
        let encoded: Vec<_> = batch
            .columns()
            .iter()
            .zip(columns)
            .zip(formats)
            .map(|((array, column), format)| {
                EncodedColumn::of(array, column.pg_type, *format, &style)
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            pieces: pieces(&encoded),
            is_slow: encoded.iter().any(EncodedColumn::is_slow),
            row_bytes: HEADER_BYTES + ROOM_BYTES * encoded.len(),
            columns: encoded,
            message_type: MESSAGE_TYPE_BYTE_DATA_ROW,
            style,
            offsets: Offsets::of(style.zone),
            transcoder: transcode::Rows::of(encoding, columns, formats),
            n_rows: batch.num_rows(),
            next_row: 0,
            block: 0..0,
        })
    }

    /// Writes the rows that are left in messages of this type instead of DataRow.
    pub(super) fn set_message_type(&mut self, message_type: u8) {
        self.message_type = message_type;
    }

    /// How many rows are not written yet.
    pub(super) fn n_rows_left(&self) -> usize {
        self.n_rows - self.next_row
    }

    /// Appends the next rows; how many they are. After an error `out` ends with the row before
    /// the one that failed.
    ///
    /// # Errors
    /// A value that PostgreSQL's type cannot hold.
    pub(super) fn encode(&mut self, limit: Limit, out: &mut BytesMut) -> Result<usize> {
        let start = out.len();
        let encoded = self.encode_rows(limit, out);
        match &self.transcoder {
            Some(transcoder) => transcoder.transcode(out, start).and(encoded),
            None => encoded,
        }
    }

    fn encode_rows(&mut self, limit: Limit, out: &mut BytesMut) -> Result<usize> {
        let first = self.next_row;
        let end = first + self.n_rows_left().min(limit.n_rows_max);
        while self.next_row < end && out.len() < limit.n_bytes {
            if self.block.end <= self.next_row {
                self.fill_block();
            }
            let n_bytes_max = limit.n_bytes - out.len();
            self.quick_rows(end.min(self.block.end), n_bytes_max, out);
            if self.next_row < end.min(self.block.end) && out.len() < limit.n_bytes {
                self.one_row(out)?;
            }
        }
        Ok(self.next_row - first)
    }

    /// Fills the runs with the next rows.
    fn fill_block(&mut self) {
        let n_rows = (BLOCK_VALUES_MAX / self.columns.len().max(1)).clamp(1, BLOCK_ROWS_MAX);
        self.block = self.next_row..self.n_rows.min(self.next_row + n_rows);
        for piece in &mut self.pieces {
            if let Piece::Run(run) = piece {
                run.start(self.block.len());
                for column in &self.columns[run.columns.clone()] {
                    column.append_to(run, self.block.clone(), &self.style, &mut self.offsets);
                }
            }
        }
    }

    /// Writes rows as long as each is made of runs and of values sent as they are, up to the row
    /// `end` and about `n_bytes_max` bytes. What is not so simple is left to [`Self::one_row`].
    fn quick_rows(&mut self, end: usize, n_bytes_max: usize, out: &mut BytesMut) {
        if self.is_slow {
            return;
        }
        let start = out.len();
        let first = self.next_row;
        let n_expected = (end - first) * self.row_bytes;
        out.resize(start + n_expected.min(n_bytes_max) + SPARE_BYTES, 0);
        let mut at = start;
        let room = out.as_mut();
        while self.next_row < end && at - start < n_bytes_max {
            let Some(n_bytes) = self.quick_row(&mut room[at..]) else {
                break;
            };
            at += n_bytes;
            self.next_row += 1;
        }
        out.truncate(at);
        if self.next_row > first {
            let mean = (at - start) / (self.next_row - first);
            self.row_bytes = mean + mean / 8;
        }
    }

    /// Writes the next row into `out`; its bytes, or `None` if it is not that simple.
    #[inline(always)]
    fn quick_row(&self, out: &mut [u8]) -> Option<usize> {
        let in_block = self.next_row - self.block.start;
        let mut at = HEADER_BYTES;
        for piece in &self.pieces {
            let room = out.get_mut(at..)?;
            at += match piece {
                Piece::Run(run) => {
                    let (bytes, length) = run.row_onwards(in_block)?;
                    copy::run(bytes, length, room)?
                }
                Piece::Column(index) => self.columns.get(*index)?.copy_to(self.next_row, room)?,
            };
        }
        let length = u32::try_from(at - 1).ok()?;
        let n_columns = u16::try_from(self.columns.len()).ok()?;
        let header = out.first_chunk_mut::<HEADER_BYTES>()?;
        header[0] = self.message_type;
        header[1..5].copy_from_slice(&length.to_be_bytes());
        header[5..].copy_from_slice(&n_columns.to_be_bytes());
        Some(at)
    }

    /// Appends the next row, whatever it is.
    fn one_row(&mut self, out: &mut BytesMut) -> Result<()> {
        let start = out.len();
        let encoded = self.append_row(out, start);
        match encoded {
            Ok(()) => self.next_row += 1,
            Err(_) => out.truncate(start),
        }
        encoded
    }

    fn append_row(&self, out: &mut BytesMut, start: usize) -> Result<()> {
        out.put_u8(self.message_type);
        out.put_i32(0);
        out.put_u16(u16::try_from(self.columns.len()).unwrap_or(u16::MAX));
        let in_block = self.next_row - self.block.start;
        for piece in &self.pieces {
            let columns = match piece {
                Piece::Run(run) => match run.row(in_block) {
                    Some(bytes) => {
                        out.put_slice(bytes);
                        continue;
                    }
                    None => run.columns.clone(),
                },
                Piece::Column(index) => *index..*index + 1,
            };
            for column in &self.columns[columns] {
                column.append(self.next_row, &self.style, out)?;
            }
        }
        set_length(out, start + 1, 0)
    }
}

#[cfg(test)]
mod tests;
