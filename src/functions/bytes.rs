//! Single bytes and bits of values of type bytea.
//! <https://www.postgresql.org/docs/16/functions-binarystring.html>

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Argument, Scalar, number};
use crate::error::{Error, ErrorKind, Result};
use crate::types::oid;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let (bytes, whole, index) = (
        Argument::Of(oid::BYTEA),
        Argument::Of(oid::INT4),
        Argument::Of(oid::INT8),
    );
    vec![
        Scalar::new("get_byte", &[bytes, whole], oid::INT4, |row| {
            let bytes = bytes_of(&row[0]);
            let at = place(number(&row[1]), bytes.len())?;
            Ok(ScalarValue::Int32(Some(i32::from(bytes[at]))))
        })
        .udf(),
        Scalar::new("set_byte", &[bytes, whole, whole], oid::BYTEA, |row| {
            let mut bytes = bytes_of(&row[0]).to_vec();
            let at = place(number(&row[1]), bytes.len())?;
            // As in PostgreSQL, what is more than a byte is cut off.
            bytes[at] = u8::try_from(number(&row[2]) & 0xff).unwrap_or_default();
            Ok(ScalarValue::Binary(Some(bytes)))
        })
        .udf(),
        Scalar::new("get_bit", &[bytes, index], oid::INT4, |row| {
            let bytes = bytes_of(&row[0]);
            let at = place(number(&row[1]), bytes.len() * 8)?;
            Ok(ScalarValue::Int32(Some(i32::from(
                bytes[at / 8] >> (at % 8) & 1,
            ))))
        })
        .udf(),
        Scalar::new("set_bit", &[bytes, index, whole], oid::BYTEA, |row| {
            let mut bytes = bytes_of(&row[0]).to_vec();
            let at = place(number(&row[1]), bytes.len() * 8)?;
            let bit = 1_u8 << (at % 8);
            match number(&row[2]) {
                0 => bytes[at / 8] &= !bit,
                1 => bytes[at / 8] |= bit,
                _ => {
                    let message = "new bit must be 0 or 1";
                    return Err(Error::new(ErrorKind::InvalidParameterValue, message));
                }
            }
            Ok(ScalarValue::Binary(Some(bytes)))
        })
        .udf(),
    ]
}

fn bytes_of(value: &ScalarValue) -> &[u8] {
    match value {
        ScalarValue::Binary(bytes) => bytes.as_deref().unwrap_or_default(),
        _ => &[],
    }
}

/// An index within so many bytes or bits.
fn place(index: i64, length: usize) -> Result<usize> {
    let place = usize::try_from(index).ok().filter(|place| *place < length);
    place.ok_or_else(|| {
        let last = i64::try_from(length).unwrap_or(i64::MAX) - 1;
        let message = format!("index {index} out of valid range, 0..{last}");
        Error::new(ErrorKind::ArraySubscriptError, message)
    })
}
