//! Lines of COPY in text and CSV (`CopyAttributeOutText` and `CopyAttributeOutCSV` in copyto.c).

use bytes::{BufMut, BytesMut};

use super::copy::start_message;
use super::encode::set_length;
use crate::engine::{Column, CopyLayout, ForceQuote};
use crate::error::{Error, ErrorKind, Result};

/// Writes lines in one layout.
#[derive(Debug)]
pub(super) struct LineWriter {
    delimiter: u8,
    null: String,
    header: bool,
    /// In CSV.
    quoting: Option<Quoting>,
    /// The bytes that make a value be written otherwise than it is.
    special: [bool; 256],
}

#[derive(Debug)]
struct Quoting {
    quote: u8,
    escape: u8,
    /// Whether each column is quoted whatever its values are.
    forced: Vec<bool>,
}

impl LineWriter {
    /// For rows of these columns; `None` in binary, which has no lines.
    ///
    /// # Errors
    /// `UndefinedColumn`: one of FORCE_QUOTE is not among them.
    pub(super) fn of(layout: CopyLayout, columns: &[Column]) -> Result<Option<Self>> {
        Ok(match layout {
            CopyLayout::Binary => None,
            CopyLayout::Text {
                delimiter,
                null,
                header,
            } => Some(Self {
                delimiter,
                null,
                header,
                quoting: None,
                special: special(&[delimiter, b'\\', 8, b'\t', b'\n', 11, 12, b'\r']),
            }),
            CopyLayout::Csv {
                delimiter,
                null,
                header,
                quote,
                escape,
                force_quote,
            } => Some(Self {
                delimiter,
                null,
                header,
                quoting: Some(Quoting {
                    quote,
                    escape,
                    forced: forced(&force_quote, columns)?,
                }),
                special: special(&[delimiter, quote, b'\n', b'\r']),
            }),
        })
    }

    /// Whether the first line names the columns.
    pub(super) fn header(&self) -> bool {
        self.header
    }

    /// Appends a line as a CopyData message. `may_force` is off for the line of names, of which
    /// none is quoted without need.
    ///
    /// # Errors
    /// It is too long for a message.
    pub(super) fn put_line<'a>(
        &self,
        values: impl Iterator<Item = Option<&'a [u8]>>,
        may_force: bool,
        out: &mut BytesMut,
    ) -> Result<()> {
        let start = out.len();
        start_message(out);
        for (index, value) in values.enumerate() {
            if index > 0 {
                out.put_u8(self.delimiter);
            }
            match (value, &self.quoting) {
                (None, _) => out.put_slice(self.null.as_bytes()),
                (Some(value), None) => self.put_text(value, out),
                (Some(value), Some(quoting)) => {
                    let is_forced = may_force && quoting.forced[index];
                    self.put_csv(value, quoting, is_forced, out);
                }
            }
        }
        out.put_u8(b'\n');
        let set = set_length(out, start + 1, 0);
        if set.is_err() {
            out.truncate(start);
        }
        set
    }

    fn is_plain(&self, value: &[u8]) -> bool {
        !value.iter().any(|byte| self.special[usize::from(*byte)])
    }

    fn put_text(&self, value: &[u8], out: &mut BytesMut) {
        if self.is_plain(value) {
            return out.put_slice(value);
        }
        for byte in value {
            let letter = match byte {
                8 => b'b',
                b'\t' => b't',
                b'\n' => b'n',
                11 => b'v',
                12 => b'f',
                b'\r' => b'r',
                byte => *byte,
            };
            if self.special[usize::from(*byte)] {
                out.put_u8(b'\\');
            }
            out.put_u8(letter);
        }
    }

    fn put_csv(&self, value: &[u8], quoting: &Quoting, is_forced: bool, out: &mut BytesMut) {
        let is_single = quoting.forced.len() == 1;
        let is_quoted = is_forced
            || value == self.null.as_bytes()
            // Alone in a line it would be read as the end of the data.
            || (is_single && value == b"\\.")
            || !self.is_plain(value);
        if !is_quoted {
            return out.put_slice(value);
        }
        out.put_u8(quoting.quote);
        for byte in value {
            if *byte == quoting.quote || *byte == quoting.escape {
                out.put_u8(quoting.escape);
            }
            out.put_u8(*byte);
        }
        out.put_u8(quoting.quote);
    }
}

fn special(bytes: &[u8]) -> [bool; 256] {
    let mut special = [false; 256];
    for byte in bytes {
        special[usize::from(*byte)] = true;
    }
    special
}

fn forced(force_quote: &ForceQuote, columns: &[Column]) -> Result<Vec<bool>> {
    let ForceQuote::Columns(names) = force_quote else {
        return Ok(vec![true; columns.len()]);
    };
    let mut forced = vec![false; columns.len()];
    for name in names {
        let Some(index) = columns.iter().position(|column| column.name == *name) else {
            let message = format!("column \"{name}\" does not exist");
            return Err(Error::new(ErrorKind::UndefinedColumn, message));
        };
        if forced[index] {
            let message = format!("column \"{name}\" specified more than once");
            return Err(Error::new(ErrorKind::DuplicateColumn, message));
        }
        forced[index] = true;
    }
    Ok(forced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{PgType, oid};

    fn check(layout: CopyLayout, values: &[Option<&str>], expected: &str) {
        let columns = vec![
            Column {
                name: "a".into(),
                pg_type: PgType::of(oid::TEXT),
            };
            values.len()
        ];
        let writer = LineWriter::of(layout, &columns).unwrap().unwrap();
        let mut out = BytesMut::new();
        let values = values.iter().map(|value| value.map(str::as_bytes));
        writer.put_line(values, true, &mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out[5..]), expected);
    }

    fn text(delimiter: u8) -> CopyLayout {
        CopyLayout::Text {
            delimiter,
            null: "\\N".into(),
            header: false,
        }
    }

    fn csv(null: &str, force_quote: ForceQuote) -> CopyLayout {
        CopyLayout::Csv {
            delimiter: b',',
            null: null.into(),
            header: false,
            quote: b'"',
            escape: b'"',
            force_quote,
        }
    }

    #[test]
    fn text_is_escaped_as_postgres_does() {
        check(text(b'\t'), &[Some("a"), None, Some("")], "a\t\\N\t\n");
        check(
            text(b'\t'),
            &[Some("\\N\t\n\r\u{8}\u{b}\u{c}\u{1}")],
            "\\\\N\\t\\n\\r\\b\\v\\f\u{1}\n",
        );
        check(text(b'|'), &[Some("a|b"), Some("\t")], "a\\|b|\\t\n");
    }

    #[test]
    fn csv_is_quoted_as_postgres_does() {
        let none = || ForceQuote::Columns(Vec::new());
        check(csv("", none()), &[Some("a"), None, Some("")], "a,,\"\"\n");
        check(csv("N", none()), &[Some("N"), None], "\"N\",N\n");
        check(csv("", none()), &[Some("a\"b,c")], "\"a\"\"b,c\"\n");
        check(csv("", none()), &[Some("\\.")], "\"\\.\"\n");
        check(csv("", none()), &[Some("\\."), Some("\n")], "\\.,\"\n\"\n");
        check(csv("", ForceQuote::All), &[Some("a"), None], "\"a\",\n");
    }
}
