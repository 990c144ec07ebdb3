//! Lists as PostgreSQL's arrays.

use bytes::{BufMut, BytesMut};

use super::Style;
use super::value::{binary_value, text_value, with_length};
use super::values::{List, Values};
use crate::error::{Error, Result};

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

fn range(list: &List, row: usize) -> std::ops::Range<usize> {
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

/// Appends a list as `array_send` does: its dimensions, then its elements row by row.
pub(super) fn binary(out: &mut BytesMut, list: &List, row: usize, style: &Style) -> Result<()> {
    let mut lengths = Vec::new();
    let mut has_null = false;
    measure(list, row, 0, &mut lengths, &mut has_null)?;
    // An array without elements has no dimensions, however deep its type is.
    if lengths.contains(&0) {
        lengths.clear();
    }
    let lower_bound = i32::from(!list.is_vector);
    out.put_i32(i32::try_from(lengths.len()).unwrap_or(0));
    out.put_i32(i32::from(has_null));
    out.put_u32(list.element_oid);
    for length in &lengths {
        out.put_i32(i32::try_from(*length).unwrap_or(i32::MAX));
        out.put_i32(lower_bound);
    }
    elements(out, list, row, style)
}

/// The length of each dimension, which must be the same everywhere.
fn measure(
    list: &List,
    row: usize,
    depth: usize,
    lengths: &mut Vec<usize>,
    has_null: &mut bool,
) -> Result<()> {
    let range = range(list, row);
    match lengths.get(depth) {
        None => lengths.push(range.len()),
        Some(length) if *length == range.len() => {}
        Some(_) => return Err(ragged()),
    }
    for element in range {
        match &list.elements {
            Values::List(_) if list.elements.is_null(element) => return Err(ragged()),
            Values::List(inner) => measure(inner, element, depth + 1, lengths, has_null)?,
            values => *has_null |= values.is_null(element),
        }
    }
    Ok(())
}

fn ragged() -> Error {
    Error::unsupported("sending an array of sub-arrays of different lengths in binary")
}

fn elements(out: &mut BytesMut, list: &List, row: usize, style: &Style) -> Result<()> {
    for element in range(list, row) {
        match &list.elements {
            Values::List(inner) => elements(out, inner, element, style)?,
            values if values.is_null(element) => out.put_i32(-1),
            values => with_length(out, |out| {
                binary_value(out, values, element, list.element_oid, style)
            })?,
        }
    }
    Ok(())
}
