//! Texts of clients whose encoding is not UTF-8: `client_encoding`.
//! <https://www.postgresql.org/docs/16/multibyte.html#MULTIBYTE-AUTOMATIC-CONVERSION>
//!
//! Everything is made and kept in UTF-8. What a client sends is brought into it where a message is
//! read; rows are brought out of it where they were encoded, for only there it is known which of
//! their values are text; all other messages just before they are sent.

use std::borrow::Cow;

use bytes::{Buf, BufMut, BytesMut};

use super::encode::Format;
use super::message::checked_utf8;
use crate::engine::Column;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Encoding, element_of, oid};

/// Stands in messages for characters that the client's encoding does not have: an error must not
/// fail for its own text.
const SUBSTITUTE: u8 = b'?';

/// Bytes of a message before its body: type and length.
const HEAD_BYTES: usize = 5;

/// What follows the name of a column in RowDescription: two OIDs, three int2 and a modifier.
const FIELD_BYTES: usize = 18;

/// A text that a client sent.
///
/// # Errors
/// `CharacterNotInRepertoire` for bytes that are none of the encoding.
pub(super) fn from_client(bytes: &[u8], encoding: Encoding) -> Result<Cow<'_, str>> {
    match encoding.is_utf8() || bytes.is_ascii() {
        true => checked_utf8(bytes).map(Cow::Borrowed),
        false => Ok(Cow::Owned(
            bytes.iter().map(|byte| encoding.character(*byte)).collect(),
        )),
    }
}

/// A parameter in binary, its texts in UTF-8.
///
/// # Errors
/// An array of texts, whose lengths lie among them.
pub(super) fn parameter(bytes: &[u8], pg_oid: u32, encoding: Encoding) -> Result<Cow<'_, [u8]>> {
    let text = match Part::of(pg_oid, Format::Binary) {
        _ if encoding.is_utf8() || bytes.is_ascii() => return Ok(Cow::Borrowed(bytes)),
        Part::Plain => return Ok(Cow::Borrowed(bytes)),
        Part::Array => return Err(array(encoding)),
        Part::Text => bytes,
        Part::Versioned => bytes.get(1..).unwrap_or_default(),
    };
    let mut whole = bytes[..bytes.len() - text.len()].to_vec();
    whole.extend(from_client(text, encoding)?.bytes());
    Ok(Cow::Owned(whole))
}

/// A text as the client reads it.
///
/// # Errors
/// `UntranslatableCharacter` for one that the encoding does not have.
pub(super) fn to_client(text: &str, encoding: Encoding) -> Result<Vec<u8>> {
    let bytes = text.chars().map(|character| {
        let byte = encoding.byte(character);
        byte.ok_or_else(|| untranslatable(character, encoding))
    });
    bytes.collect()
}

/// Whether the client's encoding has the names of all columns.
///
/// # Errors
/// As [`to_client`].
pub(super) fn check_names(columns: &[Column], encoding: Encoding) -> Result<()> {
    if encoding.is_utf8() {
        return Ok(());
    }
    let mut names = columns.iter().map(|column| column.name.as_str());
    names.try_for_each(|name| to_client(name, encoding).map(drop))
}

/// Brings the message at `start`, the last one and a line of COPY, out of UTF-8.
///
/// # Errors
/// As [`to_client`]; the message is gone then.
pub(super) fn line(out: &mut BytesMut, start: usize, encoding: Encoding) -> Result<()> {
    let is_same = encoding.is_utf8() || out[start + HEAD_BYTES..].is_ascii();
    if is_same {
        return Ok(());
    }
    let line = out.split_off(start + HEAD_BYTES);
    let line = std::str::from_utf8(&line)
        .map_err(Error::internal)
        .and_then(|line| to_client(line, encoding));
    match line {
        Ok(line) => {
            out.put_slice(&line);
            super::encode::set_length(out, start + 1, 0)
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// As `report_untranslatable_char` in mbutils.c.
fn untranslatable(character: char, encoding: Encoding) -> Error {
    let mut buffer = [0; 4];
    let bytes = character.encode_utf8(&mut buffer).bytes();
    let bytes: Vec<String> = bytes.map(|byte| format!("0x{byte:02x}")).collect();
    let message = format!(
        "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"{}\"",
        bytes.join(" "),
        encoding.name()
    );
    Error::new(ErrorKind::UntranslatableCharacter, message)
}

fn array(encoding: Encoding) -> Error {
    let name = encoding.name();
    Error::unsupported(format!(
        "an array of texts in binary while client_encoding is \"{name}\""
    ))
}

/// What of a value is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Plain,
    Text,
    /// After a byte that says the version, as jsonb has it.
    Versioned,
    /// The elements of an array.
    Array,
}

impl Part {
    fn of(pg_oid: u32, format: Format) -> Self {
        match (format, pg_oid) {
            (Format::Text, _) => Self::Text,
            (
                Format::Binary,
                oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::JSON | oid::UNKNOWN,
            ) => Self::Text,
            (Format::Binary, oid::JSONB) => Self::Versioned,
            (Format::Binary, other) => match element_of(other) {
                Some(element) if Self::of(element, format) != Self::Plain => Self::Array,
                _ => Self::Plain,
            },
        }
    }
}

/// Brings rows out of UTF-8.
#[derive(Debug)]
pub(super) struct Rows {
    encoding: Encoding,
    parts: Vec<Part>,
}

impl Rows {
    /// `None` where there is nothing to do.
    pub(super) fn of(encoding: Encoding, columns: &[Column], formats: &[Format]) -> Option<Self> {
        let parts = columns.iter().zip(formats);
        let parts = parts.map(|(column, format)| Part::of(column.pg_type.oid, *format));
        (!encoding.is_utf8()).then(|| Self {
            encoding,
            parts: parts.collect(),
        })
    }

    /// Rewrites the rows from `start` on. After an error the buffer ends with the row before it.
    ///
    /// # Errors
    /// A value that the encoding does not have.
    pub(super) fn transcode(&self, out: &mut BytesMut, start: usize) -> Result<()> {
        if out[start..].is_ascii() {
            return Ok(());
        }
        let mut rows = out.split_off(start);
        while let Some(row) = take_message(&mut rows) {
            let begin = out.len();
            if let Err(error) = self.row(&row, out) {
                out.truncate(begin);
                return Err(error);
            }
        }
        Ok(())
    }

    fn row(&self, row: &[u8], out: &mut BytesMut) -> Result<()> {
        let begin = out.len();
        let (head, mut values) = row.split_at(HEAD_BYTES + 2);
        out.put_slice(head);
        for part in &self.parts {
            let length = values.get_i32();
            let Ok(length) = usize::try_from(length) else {
                out.put_i32(length);
                continue;
            };
            let (value, rest) = values.split_at(length);
            values = rest;
            let at = out.len();
            out.put_i32(0);
            self.value(value, *part, out)?;
            set_length(out, at, at + 4);
        }
        set_length(out, begin + 1, begin + 1);
        Ok(())
    }

    fn value(&self, value: &[u8], part: Part, out: &mut BytesMut) -> Result<()> {
        let n_before = match part {
            Part::Plain => value.len(),
            Part::Text => 0,
            Part::Versioned => 1,
            Part::Array => return Err(array(self.encoding)),
        };
        let (before, text) = value.split_at(n_before.min(value.len()));
        out.put_slice(before);
        out.put_slice(&to_client(checked_utf8(text)?, self.encoding)?);
        Ok(())
    }
}

/// Writes how many bytes lie behind `from` in the int4 at `at`.
fn set_length(out: &mut BytesMut, at: usize, from: usize) {
    // A value or a row is shorter than it was, and its length then fitted.
    let length = i32::try_from(out.len() - from).unwrap_or(i32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// Takes the message that a buffer begins with.
fn take_message(buffer: &mut BytesMut) -> Option<BytesMut> {
    let length = buffer.get(1..HEAD_BYTES)?.first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    (buffer.len() > length).then(|| buffer.split_to(1 + length))
}

/// Rewrites the messages from `start` on that are no rows.
pub(super) fn messages(out: &mut BytesMut, start: usize, encoding: Encoding) {
    let mut rest = out.split_off(start);
    while let Some(message) = take_message(&mut rest) {
        let tag = message[0];
        if message.is_ascii() || !matches!(tag, b'T' | b'E' | b'N' | b'S' | b'C' | b'A') {
            out.unsplit(message);
            continue;
        }
        let at = out.len() + 1;
        out.put_slice(&message[..HEAD_BYTES]);
        let body = &message[HEAD_BYTES..];
        match tag {
            b'T' => row_description(body, out, encoding),
            _ => out.put_slice(&substituted(body, encoding)),
        }
        set_length(out, at, at);
    }
    out.unsplit(rest);
}

fn row_description(body: &[u8], out: &mut BytesMut, encoding: Encoding) {
    let (count, mut fields) = body.split_at(2);
    out.put_slice(count);
    while let Some(end) = fields.iter().position(|byte| *byte == 0) {
        let n_bytes = (end + 1 + FIELD_BYTES).min(fields.len());
        out.put_slice(&substituted(&fields[..end], encoding));
        out.put_slice(&fields[end..n_bytes]);
        fields = &fields[n_bytes..];
    }
}

fn substituted(text: &[u8], encoding: Encoding) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let bytes = text
        .chars()
        .map(|character| encoding.byte(character).unwrap_or(SUBSTITUTE));
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::PgType;

    fn column(pg_oid: u32) -> Column {
        Column {
            name: "x".to_owned(),
            pg_type: PgType::of(pg_oid),
        }
    }

    fn row(values: &[&[u8]]) -> BytesMut {
        let mut body = BytesMut::new();
        body.put_u16(u16::try_from(values.len()).expect("a test has few values"));
        for value in values {
            body.put_i32(i32::try_from(value.len()).expect("a test's values are short"));
            body.put_slice(value);
        }
        let mut row = BytesMut::from("D");
        row.put_i32(i32::try_from(body.len() + 4).expect("a test's rows are short"));
        row.put_slice(&body);
        row
    }

    #[test]
    fn texts_of_rows_are_rewritten_and_numbers_are_not() {
        let columns = [column(oid::TEXT), column(oid::INT4), column(oid::JSONB)];
        let rows = Rows::of(Encoding::Latin9, &columns, &[Format::Binary; 3]);
        let rows = rows.expect("LATIN9 is not UTF-8");
        let mut out = row(&["€é".as_bytes(), &[0, 0, 1, 0xe9], "\u{1}\"é\"".as_bytes()]);
        let done = rows.transcode(&mut out, 0);
        assert!(done.is_ok());
        assert_eq!(out, row(&[b"\xa4\xe9", &[0, 0, 1, 0xe9], b"\x01\"\xe9\""]));
    }

    #[test]
    fn what_an_encoding_does_not_have_is_an_error_in_rows() {
        let rows = Rows::of(Encoding::Latin1, &[column(oid::TEXT)], &[Format::Text]);
        let rows = rows.expect("LATIN1 is not UTF-8");
        let mut out = row(&["é".as_bytes()]);
        out.unsplit(row(&["€".as_bytes()]));
        let error = rows
            .transcode(&mut out, 0)
            .err()
            .map(|error| error.to_string());
        let message = "character with byte sequence 0xe2 0x82 0xac in encoding \"UTF8\" has no \
                       equivalent in encoding \"LATIN1\"";
        assert_eq!(error.as_deref(), Some(message));
        assert_eq!(out, row(&[b"\xe9"]));
    }

    #[test]
    fn messages_are_rewritten_one_by_one() {
        let mut out = BytesMut::from(&b"T\0\0\0\x1b\0\x01"[..]);
        out.put_slice("é".as_bytes());
        out.put_slice(&[0; 1 + FIELD_BYTES]);
        out.unsplit(row(&["é".as_bytes()]));
        let untouched = row(&["é".as_bytes()]);
        messages(&mut out, 0, Encoding::Latin1);
        assert_eq!(&out[..9], b"T\0\0\0\x1a\0\x01\xe9\0");
        assert_eq!(&out[out.len() - untouched.len()..], untouched);
    }
}
