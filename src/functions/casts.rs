//! Casts to types that Arrow lacks: `name`, `"char"` and `uuid`.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::input;
use super::scalar::{Argument, Scalar, text};
use crate::types::oid;

/// A `name` holds 64 bytes with the one that ends it.
const NAME_BYTES_MAX: usize = 63;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let any_text = &[Argument::Of(oid::TEXT)];
    vec![
        Scalar::new("name", any_text, oid::NAME, |row| {
            Ok(ScalarValue::from(cut(text(&row[0]))))
        })
        .udf(),
        // As `charin` in char.c: the first byte, which for text in UTF-8 is the first letter
        // as long as it is ASCII.
        Scalar::new("char", any_text, oid::CHAR, |row| {
            let text = text(&row[0]);
            let end = text
                .char_indices()
                .nth(1)
                .map_or(text.len(), |(end, _)| end);
            Ok(ScalarValue::from(&text[..end]))
        })
        .udf(),
        // Kept as text in one spelling, so that equal ones are equal texts and sort as their bytes.
        Scalar::new("uuid", any_text, oid::UUID, |row| {
            input::uuid(text(&row[0])).map(ScalarValue::from)
        })
        .udf(),
    ]
}

/// As `namein` in name.c: what is too long is cut, between two letters.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(NAME_BYTES_MAX)]
}
