//! Values as text outside of the protocol, by the protocol's own encoder.

use arrow::array::RecordBatch;
use bytes::{Buf, BytesMut};

use super::encode::{Format, Limit, RowEncoder};
use crate::engine::Column;
use crate::error::Result;
use crate::functions::output::Style;
use crate::types::{Encoding, oid};

/// The rows of a batch as a client reads them in text, in a session in UTC. `None` is NULL.
///
/// # Errors
/// A value that PostgreSQL's type cannot hold.
pub fn rows(batch: &RecordBatch, columns: &[Column]) -> Result<Vec<Vec<Option<String>>>> {
    let style = Style::default();
    let formats = vec![Format::Text; columns.len()];
    let mut encoder = RowEncoder::new(batch, columns, &formats, style, Encoding::Utf8)?;
    let mut message = BytesMut::new();
    let one = Limit {
        n_rows_max: 1,
        n_bytes: usize::MAX,
    };
    let mut rows = Vec::with_capacity(batch.num_rows());
    while encoder.n_rows_left() > 0 {
        message.clear();
        encoder.encode(one, &mut message)?;
        rows.push(values(&message));
    }
    Ok(rows)
}

/// The values of a DataRow message of our own making.
fn values(mut message: &[u8]) -> Vec<Option<String>> {
    message.advance(5);
    let n_values = message.get_u16();
    (0..n_values)
        .map(|_| {
            let length = usize::try_from(message.get_i32()).ok()?;
            let value = String::from_utf8_lossy(&message[..length]).into_owned();
            message.advance(length);
            Some(value)
        })
        .collect()
}

/// A text value as JSON: numbers, booleans and json bare, everything else as a string.
pub fn json_value(value: &str, type_oid: u32) -> String {
    match type_oid {
        oid::BOOL => (value == "t").to_string(),
        oid::JSON | oid::JSONB => value.to_owned(),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => value.to_owned(),
        // JSON has no NaN and no Infinity.
        oid::NUMERIC | oid::FLOAT4 | oid::FLOAT8
            if value.ends_with(|end: char| end.is_ascii_digit()) =>
        {
            value.to_owned()
        }
        _ => json_string(value),
    }
}

/// A string as JSON writes it.
pub fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
