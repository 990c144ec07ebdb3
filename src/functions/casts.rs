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
        Scalar::new("char", any_text, oid::CHAR, |row| {
            Ok(ScalarValue::from(one_byte(text(&row[0]))))
        })
        .udf(),
        // Kept as text in one spelling, so that equal ones are equal texts and sort as their bytes.
        Scalar::new("uuid", any_text, oid::UUID, |row| {
            input::uuid(text(&row[0])).map(ScalarValue::from)
        })
        .udf(),
    ]
}

/// As `charin` and then `charout` in char.c: the first byte, or the one that three octal digits behind
/// a backslash name; bytes that are no ASCII are written as such, and the byte 0 as nothing.
fn one_byte(text: &str) -> String {
    let octal = |digit: u8| {
        (b'0'..=b'7')
            .contains(&digit)
            .then(|| u32::from(digit - b'0'))
    };
    let byte = match text.as_bytes() {
        [b'\\', first, second, third] => {
            let digits = (octal(*first), octal(*second), octal(*third));
            match digits {
                (Some(first), Some(second), Some(third)) => {
                    // As a cast to char in C: what is too large loses its upper bits.
                    (first << 6 | second << 3 | third) & 0xff
                }
                _ => u32::from(b'\\'),
            }
        }
        [first, ..] => u32::from(*first),
        [] => 0,
    };
    match byte {
        0 => String::new(),
        1..0x80 => char::from_u32(byte).map_or_else(String::new, String::from),
        _ => format!("\\{byte:03o}"),
    }
}

/// As `namein` in name.c: what is too long is cut, between two letters.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(NAME_BYTES_MAX)]
}
