//! COPY TO STDOUT: the rows of a statement in CopyData messages, as fast as the client takes them.
//! <https://www.postgresql.org/docs/16/protocol-flow.html#PROTOCOL-COPY>

use std::sync::Arc;

use bytes::{Buf, BufMut, BytesMut};
use pgwire::messages::copy::MESSAGE_TYPE_BYTE_COPY_DATA;

use super::client::{Client, OUTPUT_BYTES};
use super::connection::Connection;
use super::copy_line::LineWriter;
use super::encode::{Format, Limit};
use super::failure::Step;
use super::respond;
use super::rows::{Presentation, Rows};
use super::run::{Binding, Sent};
use super::transcode;
use super::watch::Watch;
use crate::engine::{Copy, CopyLayout, Shown, Statement};
use crate::types::Encoding;

/// What the file begins with: its signature, no flags, no further header
/// (<https://www.postgresql.org/docs/16/sql-copy.html>, "Binary Format").
const BINARY_HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Stands in the place of a row's number of values, after the last.
const BINARY_TRAILER: i16 = -1;

/// Bytes of a message before its content: type and length.
const MESSAGE_HEAD_BYTES: usize = 5;

/// Rows up to the limit of the out-buffer.
const FULL_BUFFER: Limit = Limit {
    n_rows_max: usize::MAX,
    n_bytes: OUTPUT_BYTES,
};

impl Connection {
    /// Runs a COPY. As `DoCopyTo` in copyto.c: an error in the midst of the rows is an
    /// ErrorResponse without CopyDone.
    pub(super) async fn copy(
        &mut self,
        copy: &Copy,
        statement: &Arc<Statement>,
        watch: &Watch,
    ) -> Step {
        // As `DoCopy`: a relation is looked up before the options are read, a query is not.
        if copy.relation.is_none() {
            copy.layout.clone()?;
        }
        let binding = Binding {
            statement,
            parameters: Vec::new(),
            expected: None,
            shown: match copy.layout {
                Ok(CopyLayout::Binary) => Shown::Binary,
                _ => Shown::Text,
            },
            sent: Sent::Extended,
        };
        let mut rows = self.answer(binding, watch).await?;
        let layout = copy.layout.clone()?;
        let format = match layout {
            CopyLayout::Binary => Format::Binary,
            CopyLayout::Text { .. } | CopyLayout::Csv { .. } => Format::Text,
        };
        let writer = LineWriter::of(layout, &rows.columns)?;
        let encoding = self.session.settings.client_encoding();
        let presentation = Presentation {
            formats: vec![format; rows.columns.len()],
            style: self.session.style(),
            // Lines are put together in UTF-8, and brought out of it whole.
            encoding: match writer {
                Some(_) => Encoding::Utf8,
                None => encoding,
            },
        };
        let client = &mut self.client;
        // What fails before its first row fails without a CopyOutResponse.
        rows.prepare(client, watch).await?;
        respond::copy_out(&mut client.output, format, rows.columns.len());
        let mut sending = Sending {
            client,
            watch,
            presentation: &presentation,
            encoding,
        };
        let n_rows = match writer {
            None => sending.binary(&mut rows).await?,
            Some(writer) => sending.lines(&mut rows, &writer).await?,
        };
        let output = &mut self.client.output;
        respond::copy_done(output);
        respond::command_complete(output, rows.tag.complete(n_rows));
        Ok(())
    }
}

/// Where rows are sent, and how.
struct Sending<'a> {
    client: &'a mut Client,
    watch: &'a Watch,
    presentation: &'a Presentation,
    /// The client's.
    encoding: Encoding,
}

impl Sending<'_> {
    /// Sends rows in binary; how many they were. A message of COPY differs from DataRow in its
    /// type alone, so that the encoder writes it as it is.
    async fn binary(&mut self, rows: &mut Rows) -> Step<u64> {
        let mut n_rows = 0;
        while let Some(encoder) = rows
            .current(self.client, self.watch, self.presentation)
            .await?
        {
            encoder.set_message_type(MESSAGE_TYPE_BYTE_COPY_DATA);
            let output = &mut self.client.output;
            let n_encoded = match n_rows {
                0 => {
                    let start = output.len();
                    let one = Limit {
                        n_rows_max: 1,
                        n_bytes: usize::MAX,
                    };
                    let n_encoded = encoder.encode(one, output)?;
                    put_binary_header(output, start)?;
                    n_encoded
                }
                _ => encoder.encode(FULL_BUFFER, output)?,
            };
            n_rows += u64::try_from(n_encoded).unwrap_or(0);
            self.flush_if_full().await?;
        }
        let output = &mut self.client.output;
        let start = output.len();
        start_message(output);
        output.put_i16(BINARY_TRAILER);
        super::encode::set_length(output, start + 1, 0)?;
        if n_rows == 0 {
            put_binary_header(output, start)?;
        }
        Ok(n_rows)
    }

    /// Sends rows as lines; how many they were.
    async fn lines(&mut self, rows: &mut Rows, writer: &LineWriter) -> Step<u64> {
        if writer.header() {
            let columns = rows.columns.clone();
            let names = columns.iter().map(|column| column.name.as_bytes());
            let start = self.client.output.len();
            writer.put_line(names.map(Some), false, &mut self.client.output)?;
            transcode::line(&mut self.client.output, start, self.encoding)?;
        }
        let mut n_rows = 0;
        let mut encoded = BytesMut::new();
        while let Some(encoder) = rows
            .current(self.client, self.watch, self.presentation)
            .await?
        {
            encoded.clear();
            let result = encoder.encode(FULL_BUFFER, &mut encoded);
            // The rows before one that fails are sent.
            let mut left = &encoded[..];
            while !left.is_empty() {
                let row = take_row(&mut left);
                let start = self.client.output.len();
                writer.put_line(values(row), true, &mut self.client.output)?;
                transcode::line(&mut self.client.output, start, self.encoding)?;
                self.flush_if_full().await?;
                n_rows += 1;
            }
            result?;
        }
        Ok(n_rows)
    }

    async fn flush_if_full(&mut self) -> Step {
        if self.client.output.len() >= OUTPUT_BYTES {
            self.watch.flush(self.client).await?;
        }
        Ok(())
    }
}

/// Begins a CopyData message, whose length is still to be set.
pub(super) fn start_message(output: &mut BytesMut) {
    output.put_u8(MESSAGE_TYPE_BYTE_COPY_DATA);
    output.put_i32(0);
}

/// Puts the header before the content of the message at `start`: PostgreSQL sends it together
/// with the first row.
fn put_binary_header(output: &mut BytesMut, start: usize) -> Step {
    let content = output.split_off(start + MESSAGE_HEAD_BYTES);
    output.put_slice(BINARY_HEADER);
    output.put_slice(&content);
    Ok(super::encode::set_length(output, start + 1, 0)?)
}

/// Takes a DataRow of our own making: its values, after their number.
fn take_row<'a>(rows: &mut &'a [u8]) -> &'a [u8] {
    rows.advance(1);
    let length = usize::try_from(rows.get_i32()).unwrap_or(4) - 4;
    let (row, rest) = rows.split_at(length);
    *rows = rest;
    &row[2..]
}

/// The values of a row; `None` is NULL.
fn values(mut row: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        if row.is_empty() {
            return None;
        }
        let Ok(length) = usize::try_from(row.get_i32()) else {
            return Some(None);
        };
        let (value, rest) = row.split_at(length);
        row = rest;
        Some(Some(value))
    })
}
