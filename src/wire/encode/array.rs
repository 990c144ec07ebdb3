//! Lists as PostgreSQL's arrays, in binary.

use bytes::{BufMut, BytesMut};

use super::value::{binary_value, with_length};
use crate::error::{Error, Result};
use crate::functions::output::{List, Values, range};

/// Appends a list as `array_send` does: its dimensions, then its elements row by row.
pub(super) fn binary(out: &mut BytesMut, list: &List, row: usize) -> Result<()> {
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
    elements(out, list, row)
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

fn elements(out: &mut BytesMut, list: &List, row: usize) -> Result<()> {
    for element in range(list, row) {
        match &list.elements {
            Values::List(inner) => elements(out, inner, element)?,
            values if values.is_null(element) => out.put_i32(-1),
            values => with_length(out, |out| {
                binary_value(out, values, element, list.element_oid)
            })?,
        }
    }
    Ok(())
}
