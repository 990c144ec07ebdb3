//! Lists as PostgreSQL's arrays, in text.

use bytes::{BufMut, BytesMut};

use super::style::Style;
use super::text::text_value;
use super::values::{List, Values};
use crate::error::Result;

/// Appends a list as `array_out` does: `{1,NULL,"a b"}`.
pub(super) fn text(out: &mut BytesMut, list: &List, row: usize, style: &Style) -> Result<()> {
    if list.is_vector {
        return vector(out, list, row, style);
    }
    out.put_u8(b'{');
    for (index, element) in range(list, row).enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        if list.elements.is_null(element) {
            out.put_slice(b"NULL");
            continue;
        }
        let start = out.len();
        text_value(out, &list.elements, element, style)?;
        if !matches!(list.elements, Values::List(_)) {
            quote_where_needed(out, start);
        }
    }
    out.put_u8(b'}');
    Ok(())
}

/// Appends an `int2vector` or `oidvector`: `1 2 3`.
fn vector(out: &mut BytesMut, list: &List, row: usize, style: &Style) -> Result<()> {
    for (index, element) in range(list, row).enumerate() {
        if index > 0 {
            out.put_u8(b' ');
        }
        text_value(out, &list.elements, element, style)?;
    }
    Ok(())
}

/// The places of a row's elements.
pub fn range(list: &List, row: usize) -> std::ops::Range<usize> {
    let offsets = list.lists.value_offsets();
    let at = |index: usize| usize::try_from(offsets[index]).unwrap_or(0);
    at(row)..at(row + 1)
}

/// Quotes the text from `start` on if it would be read as something else.
fn quote_where_needed(out: &mut BytesMut, start: usize) {
    let element = &out[start..];
    let needed = element.is_empty()
        || element.eq_ignore_ascii_case(b"NULL")
        || element.iter().any(|byte| {
            matches!(
                byte,
                b'"' | b'\\' | b'{' | b'}' | b',' | b' ' | b'\t'..=b'\r'
            )
        });
    if !needed {
        return;
    }
    let element = out.split_off(start);
    out.put_u8(b'"');
    for byte in element {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(byte);
    }
    out.put_u8(b'"');
}
