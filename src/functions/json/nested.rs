//! Nested values of the lake as JSON texts: structures, maps, and lists of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, StringBuilder};
use arrow::datatypes::Field;
use arrow::json::writer::{EncoderOptions, make_encoder};

use crate::error::{Error, Result};

/// Each value as a JSON text; nulls inside are written, as `row_to_json` does.
///
/// # Errors
/// A type that JSON has no form for.
pub fn texts(array: &ArrayRef) -> Result<StringArray> {
    let field = Arc::new(Field::new("value", array.data_type().clone(), true));
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(&field, array, &options).map_err(|cause| {
        Error::unsupported(format!("sending values of type {}", array.data_type()))
            .with_cause(cause)
    })?;
    let mut texts = StringBuilder::with_capacity(array.len(), 32 * array.len());
    let mut text = Vec::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        encoder.encode(row, &mut text);
        texts.append_value(String::from_utf8_lossy(&text));
    }
    Ok(texts.finish())
}
