//! Tells JSON lines from a JSON document, by where the file's first value ends: an object that ends on
//! its first line is a line; one that goes on, or an array, is a document.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use object_store::ObjectStore;
use object_store::path::Path;

use super::read;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::lake::format;

/// How long a document may be, in bytes: it is parsed as a whole.
const DOCUMENT_BYTES_MAX: usize = 64 << 20;

/// The text of a JSON file.
pub(super) enum Text {
    /// A record a line.
    Lines(BoxStream<'static, Result<Bytes>>),
    /// One record, or an array of them.
    Document(Bytes),
}

/// Opens a file of JSON.
///
/// # Errors
/// `DataCorrupted` if it is a document longer than 64 MiB; or it cannot be read.
pub(super) async fn open(store: &Arc<dyn ObjectStore>, location: &Path) -> Result<Text> {
    let mut input = read::text(store, location).await?;
    if format::is_lines(location.filename().unwrap_or_default()) {
        return Ok(Text::Lines(input));
    }
    let mut nesting = Nesting::default();
    let mut buffer = BytesMut::new();
    let is_document = loop {
        let Some(chunk) = input.next().await.transpose()? else {
            // Whatever it is, it has one line.
            break false;
        };
        buffer.extend_from_slice(&chunk);
        if let Some(is_document) = chunk.iter().find_map(|byte| nesting.is_document(*byte)) {
            break is_document;
        }
        check_length(&buffer, location)?;
    };
    if !is_document {
        let first = stream::once(async { Ok(buffer.freeze()) });
        return Ok(Text::Lines(first.chain(input).boxed()));
    }
    while let Some(chunk) = input.next().await.transpose()? {
        buffer.extend_from_slice(&chunk);
        check_length(&buffer, location)?;
    }
    Ok(Text::Document(buffer.freeze()))
}

fn check_length(buffer: &BytesMut, location: &Path) -> Result<()> {
    if buffer.len() > DOCUMENT_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::DataCorrupted,
            format!("a JSON document in file \"{location}\" is longer than 64 MiB"),
        ));
    }
    Ok(())
}

/// The records of a document one after the other: brackets and commas of the array around them, if
/// there is one, become spaces.
pub(super) fn records(document: Bytes) -> Bytes {
    let is_array = document.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if !is_array {
        return document;
    }
    let mut text = BytesMut::from(document);
    let mut nesting = Nesting::default();
    for byte in text.as_mut() {
        let before = nesting.depth;
        nesting.pass(*byte);
        let is_outer = before.min(nesting.depth) == 0 || (before == 1 && *byte == b',');
        if is_outer && !nesting.is_in_text {
            *byte = b' ';
        }
    }
    text.freeze()
}

/// How deep a place in a JSON text lies.
#[derive(Default)]
struct Nesting {
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
}

impl Nesting {
    fn pass(&mut self, byte: u8) {
        if self.is_in_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.is_in_text = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.is_in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// Whether the text is a document, once this byte of it says so.
    fn is_document(&mut self, byte: u8) -> Option<bool> {
        let before = self.depth;
        match (before, byte) {
            (0, byte) if byte.is_ascii_whitespace() => return None,
            (0, b'[') => return Some(true),
            (0, b'{') => {}
            // No record starts like this; the reader of lines says so.
            (0, _) => return Some(false),
            (_, b'\n') => return Some(true),
            _ => {}
        }
        self.pass(byte);
        (self.depth == 0).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_end_decides() {
        fn check(text: &str, expected: Option<bool>) {
            let mut nesting = Nesting::default();
            let found = text.bytes().find_map(|byte| nesting.is_document(byte));
            assert_eq!(found, expected, "{text}");
        }
        check("\n {\"a\":1}\n{\"a\":2}", Some(false));
        check("{\"a\":{\"b\":\"}\\\"\"}}\n{", Some(false));
        check("{\n\"a\":1}", Some(true));
        check("{\"a\":\"{\",\n\"b\":1}", Some(true));
        check(" [{\"a\":1}]", Some(true));
        check("{\"a\":1", None);
        check("", None);
        check("1\n", Some(false));
    }

    #[test]
    fn an_arrays_records_stand_alone() {
        fn check(text: &str, expected: &str) {
            let found = records(Bytes::copy_from_slice(text.as_bytes()));
            assert_eq!(str::from_utf8(&found).unwrap(), expected);
        }
        check(
            "[{\"a\":[1,2]},\n{\"a\":\"],[\"}]\n",
            " {\"a\":[1,2]} \n{\"a\":\"],[\"}  ",
        );
        check("[]", "  ");
        check("{\"a\":[1,2]}", "{\"a\":[1,2]}");
    }
}
