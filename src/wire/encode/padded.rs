//! Values of `character(n)`, which are kept without the spaces at their end, and sent with them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use crate::error::{Error, Result};
use crate::types::{PgType, element_of, oid};

/// Bytes of the modifier before the length (`VARHDRSZ`).
const MODIFIER_BASE: i32 = 4;

/// The length in characters to which values of a type are padded; `None` for those that are not.
pub(super) fn length(pg_type: PgType) -> Option<usize> {
    let length = usize::try_from(pg_type.modifier.checked_sub(MODIFIER_BASE)?).ok()?;
    let element = element_of(pg_type.oid).unwrap_or(pg_type.oid);
    (element == oid::BPCHAR).then_some(length)
}

/// A column of texts, or of arrays of them, with spaces behind each, as `bpchar_input` pads them.
///
/// # Errors
/// It is no column of texts.
pub(super) fn padded(texts: &ArrayRef, length: usize) -> Result<ArrayRef> {
    if let DataType::List(element) = texts.data_type() {
        let lists = texts.as_list::<i32>();
        let elements = padded(lists.values(), length)?;
        let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
        let lists = ListArray::try_new(Arc::clone(element), offsets, elements, nulls);
        return Ok(Arc::new(lists.map_err(Error::internal)?));
    }
    let texts = cast(texts, &DataType::Utf8).map_err(Error::internal)?;
    let texts = texts.as_string::<i32>();
    let mut padded = StringBuilder::with_capacity(texts.iter().len(), 0);
    for text in texts {
        padded.append_option(text.map(|text| format!("{text:length$}")));
    }
    Ok(Arc::new(padded.finish()))
}
