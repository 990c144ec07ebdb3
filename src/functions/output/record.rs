//! Records in text. <https://www.postgresql.org/docs/16/rowtypes.html#ROWTYPES-IO-SYNTAX>

use bytes::{BufMut, BytesMut};

use super::style::Style;
use super::text::text_value;
use super::values::Record;
use crate::error::Result;

/// Appends a record as `record_out` does: `(1,,"a b")`.
pub(super) fn text(out: &mut BytesMut, record: &Record, row: usize, style: &Style) -> Result<()> {
    out.put_u8(b'(');
    for (index, (_, values)) in record.fields.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        if values.is_null(row) {
            continue;
        }
        let start = out.len();
        text_value(out, values, row, style)?;
        quote_where_needed(out, start);
    }
    out.put_u8(b')');
    Ok(())
}

/// Quotes the text from `start` on if it would be read as something else.
fn quote_where_needed(out: &mut BytesMut, start: usize) {
    let field = &out[start..];
    let is_special = |byte: &u8| {
        matches!(
            byte,
            b'"' | b'\\' | b'(' | b')' | b',' | b' ' | b'\t'..=b'\r'
        )
    };
    if !field.is_empty() && !field.iter().any(is_special) {
        return;
    }
    let field = out.split_off(start);
    out.put_u8(b'"');
    for byte in field {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(byte);
        }
        out.put_u8(byte);
    }
    out.put_u8(b'"');
}
