//! Nested values of the lake as JSON texts: structures, maps, and lists of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder, StringViewArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};

use crate::error::{Error, Result};
use crate::types::{of_field, oid};

/// Each value as a JSON text; nulls inside are written, as `row_to_json` does.
///
/// # Errors
/// A type that JSON has no form for.
pub fn texts(array: &ArrayRef) -> Result<StringArray> {
    let field = Arc::new(Field::new("value", array.data_type().clone(), true));
    let options = EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(JsonInside));
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

/// Writes texts that are JSON already as they are, where they lie inside of a structure.
#[derive(Debug)]
struct JsonInside;

impl EncoderFactory for JsonInside {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let is_json = matches!(of_field(field).oid, oid::JSON | oid::JSONB);
        if !is_json || *array.data_type() != DataType::Utf8View {
            return Ok(None);
        }
        let encoder = JsonTexts(array.as_string_view());
        let nulls = array.nulls().cloned();
        Ok(Some(NullableEncoder::new(Box::new(encoder), nulls)))
    }
}

struct JsonTexts<'a>(&'a StringViewArray);

impl Encoder for JsonTexts<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.value(row).as_bytes());
    }
}
