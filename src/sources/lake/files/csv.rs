//! The columns of a CSV file: its header, its delimiter, and types guessed from its rows.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt};
use object_store::ObjectStore;

use super::FileShape;
use super::infer::Guess;
use super::listing::DataFile;
use super::read;
use crate::error::{Error, ErrorKind, Result};

/// How many rows are looked at to guess types. A row below them that does not fit its column is
/// an error when it is read.
const ROWS_MAX: usize = 1_000_000;

/// How long a row may be, in bytes: a quote that is never closed must not eat all memory.
const ROW_BYTES_MAX: usize = 64 << 20;

/// What a CSV file's first row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) delimiter: u8,
    pub(super) names: Vec<String>,
}

/// Reads the header and guesses the columns' types.
///
/// # Errors
/// `InvalidRowData` naming file and row.
pub(super) async fn shape(store: &Arc<dyn ObjectStore>, file: &DataFile) -> Result<FileShape> {
    let mut rows = Rows::open(store, file.path(), &file.meta.location).await?;
    let Some(header) = rows.header().await? else {
        return Ok(FileShape {
            schema: Arc::new(Schema::empty()),
            n_rows: None,
        });
    };
    let mut guesses = vec![Guess::Null; header.names.len()];
    let mut fields = Vec::new();
    for row in 1..=ROWS_MAX {
        if !rows.next(header.delimiter, &mut fields).await? {
            break;
        }
        if fields.len() != guesses.len() {
            return Err(Error::new(
                ErrorKind::InvalidRowData,
                format!(
                    "row {row} of file \"{}\" has {} fields, but its header has {}",
                    file.path(),
                    fields.len(),
                    guesses.len()
                ),
            ));
        }
        for (guess, field) in guesses.iter_mut().zip(&fields) {
            if !field.is_empty() {
                *guess = guess.and(field);
            }
        }
    }
    let fields: Vec<_> = header
        .names
        .iter()
        .zip(guesses)
        .map(|(name, guess)| Field::new(name, guess.data_type(), true))
        .collect();
    Ok(FileShape {
        schema: Arc::new(Schema::new(fields)),
        n_rows: None,
    })
}

/// The rows of a CSV file, one after the other.
pub(super) struct Rows {
    path: String,
    input: BoxStream<'static, Result<Bytes>>,
    buffer: BytesMut,
    is_at_end: bool,
}

impl Rows {
    pub(super) async fn open(
        store: &Arc<dyn ObjectStore>,
        path: &str,
        location: &object_store::path::Path,
    ) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            input: read::text(store, location).await?,
            buffer: BytesMut::new(),
            is_at_end: false,
        })
    }

    /// Reads the first row, and leaves it to be read again; `None` for an empty file.
    ///
    /// # Errors
    /// `InvalidRowData` if two columns have one name.
    pub(super) async fn peek_header(&mut self) -> Result<Option<Header>> {
        self.skip_mark().await?;
        let mut names = Vec::new();
        loop {
            let delimiter = sniff(&self.buffer, &self.path);
            if parse(&self.buffer, delimiter, self.is_at_end, &mut names).is_some() {
                let names = named(&names);
                self.check_names(&names)?;
                return Ok(Some(Header { delimiter, names }));
            }
            if self.is_at_end {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    /// Reads the first row; `None` for an empty file.
    async fn header(&mut self) -> Result<Option<Header>> {
        let header = self.peek_header().await?;
        if let Some(header) = &header {
            self.next(header.delimiter, &mut Vec::new()).await?;
        }
        Ok(header)
    }

    /// Reads the next row into `fields`; false at the end.
    async fn next(&mut self, delimiter: u8, fields: &mut Vec<String>) -> Result<bool> {
        loop {
            if let Some(length) = parse(&self.buffer, delimiter, self.is_at_end, fields) {
                self.buffer.advance(length);
                return Ok(true);
            }
            if self.is_at_end {
                return Ok(false);
            }
            self.fill().await?;
        }
    }

    /// What was not read yet.
    pub(super) fn rest(self) -> BoxStream<'static, Result<Bytes>> {
        let first = self.buffer.freeze();
        futures::stream::once(async { Ok(first) })
            .chain(self.input)
            .boxed()
    }

    async fn fill(&mut self) -> Result<()> {
        match self.input.next().await {
            Some(bytes) => self.buffer.extend_from_slice(&bytes?),
            None => self.is_at_end = true,
        }
        if self.buffer.len() > ROW_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::InvalidRowData,
                format!("a row of file \"{}\" is longer than 64 MiB", self.path),
            ));
        }
        Ok(())
    }

    /// Skips the mark that some writers put before UTF-8.
    async fn skip_mark(&mut self) -> Result<()> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        while self.buffer.len() < MARK.len() && !self.is_at_end {
            self.fill().await?;
        }
        if self.buffer.starts_with(MARK) {
            self.buffer.advance(MARK.len());
        }
        Ok(())
    }

    fn check_names(&self, names: &[String]) -> Result<()> {
        let mut seen = HashSet::new();
        match names.iter().find(|name| !seen.insert(name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Error::new(
                ErrorKind::InvalidRowData,
                format!(
                    "the header of file \"{}\" has the column \"{name}\" twice",
                    self.path
                ),
            )),
        }
    }
}

/// Names of columns; one without a name is called by its place, as DuckDB does.
fn named(names: &[String]) -> Vec<String> {
    names
        .iter()
        .enumerate()
        .map(|(at, name)| match name.as_str() {
            "" => format!("column{at}"),
            name => name.to_owned(),
        })
        .collect()
}

/// The delimiter: of the usual ones, the one that the first row has most of outside of quotes.
fn sniff(text: &[u8], path: &str) -> u8 {
    let lower = path.to_ascii_lowercase();
    if lower.ends_with(".tsv") || lower.contains(".tsv.") {
        return b'\t';
    }
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut is_quoted = false;
    for byte in text {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' | b'\r' if !is_quoted => break,
            byte if !is_quoted => {
                for (delimiter, count) in &mut counts {
                    *count += usize::from(delimiter == byte);
                }
            }
            _ => {}
        }
    }
    // The first of equals, so that a single column counts as comma-separated.
    counts
        .into_iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(delimiter, _)| delimiter)
}

/// Parses the first row of `text` into `fields`, passing over empty lines; gives how many bytes
/// it took. `None` if the row may go on beyond the text. As the reader of the rows does it: a
/// quote counts only at the start of a field, and two within quotes are one.
fn parse(text: &[u8], delimiter: u8, is_at_end: bool, fields: &mut Vec<String>) -> Option<usize> {
    fields.clear();
    let mut at = text
        .iter()
        .position(|byte| !matches!(byte, b'\n' | b'\r'))?;
    loop {
        let (field, end) = parse_field(&text[at..], delimiter);
        at += end;
        let next = text.get(at);
        if next.is_none() && !is_at_end {
            return None;
        }
        fields.push(field);
        match next {
            Some(byte) if *byte == delimiter => at += 1,
            Some(_) => return Some(at + 1),
            None => return Some(at),
        }
    }
}

/// A field and where it ends: at a delimiter, a line's end, or the text's end.
fn parse_field(text: &[u8], delimiter: u8) -> (String, usize) {
    let is_end = |byte: u8| byte == delimiter || matches!(byte, b'\n' | b'\r');
    let mut field = Vec::new();
    let mut at = 0;
    if text.first() == Some(&b'"') {
        at = 1;
        while let Some(byte) = text.get(at) {
            at += 1;
            match byte {
                b'"' if text.get(at) == Some(&b'"') => {
                    field.push(b'"');
                    at += 1;
                }
                b'"' => break,
                byte => field.push(*byte),
            }
        }
    }
    while let Some(byte) = text.get(at) {
        if is_end(*byte) {
            break;
        }
        field.push(*byte);
        at += 1;
    }
    (String::from_utf8_lossy(&field).into_owned(), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_sniffed() {
        fn check(header: &str, expected: u8) {
            assert_eq!(sniff(header.as_bytes(), "x.csv"), expected, "{header}");
        }
        check("a,b,c\n1;2;3;4", b',');
        check("a;b,c;d\n", b';');
        check("\"a,b,c\"|d", b'|');
        check("a\tb", b'\t');
        check("single", b',');
    }

    #[test]
    fn rows_are_parsed_as_csv_says() {
        fn check(text: &str, is_at_end: bool, expected: Option<(&[&str], usize)>) {
            let mut fields = Vec::new();
            let length = parse(text.as_bytes(), b',', is_at_end, &mut fields);
            let fields: Vec<_> = fields.iter().map(String::as_str).collect();
            assert_eq!(length, expected.map(|(_, length)| length), "{text}");
            if let Some((expected, _)) = expected {
                assert_eq!(fields, expected, "{text}");
            }
        }
        check("a,b\nc", false, Some((&["a", "b"], 4)));
        check("a,b", false, None);
        check("a,b", true, Some((&["a", "b"], 3)));
        check("\r\na,\n", false, Some((&["a", ""], 5)));
        check("\"a,\"\"b\nc\",d\n", false, Some((&["a,\"b\nc", "d"], 12)));
        check("\"a\n", false, None);
        check("\n\n", true, None);
    }
}
