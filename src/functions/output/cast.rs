//! Casts to text, by the output functions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringBuilder};
use arrow::datatypes::{DataType, FieldRef};
use bytes::BytesMut;
use datafusion::common::{DataFusionError, Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::style::Style;
use super::text::text_value;
use super::values::Values;
use crate::error::{Error, Result};
use crate::types;

/// The function that writes values as texts of a column's type.
pub fn output(to: FieldRef, style: Style) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Output {
        signature: Signature::any(1, Volatility::Immutable),
        style,
        to,
    }))
}

/// Whether values of this type are written by [`output`]. Texts are what they are, and Arrow
/// writes whole numbers, decimals and booleans as PostgreSQL's casts do.
pub fn writes(of: &DataType) -> bool {
    !matches!(
        of,
        DataType::Null
            | DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..)
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Dictionary(..)
            | DataType::RunEndEncoded(..)
    )
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Output {
    signature: Signature,
    to: FieldRef,
    style: Style,
}

impl ScalarUDFImpl for Output {
    fn name(&self) -> &'static str {
        "output"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(self.to.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        let field = self.to.as_ref().clone();
        Ok(Arc::new(field.with_name("output").with_nullable(true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let pg_oid = types::of_field(&arguments.arg_fields[0]).oid;
        let write = |values: &ArrayRef| -> DataFusionResult<ArrayRef> {
            let texts = texts(values, pg_oid, &self.style)
                .map_err(|error| DataFusionError::External(Box::new(error)))?;
            Ok(arrow::compute::cast(&texts, self.to.data_type())?)
        };
        match &arguments.args[0] {
            ColumnarValue::Array(values) => write(values).map(ColumnarValue::Array),
            ColumnarValue::Scalar(value) => {
                let text = write(&value.to_array()?)?;
                ScalarValue::try_from_array(&text, 0).map(ColumnarValue::Scalar)
            }
        }
    }
}

/// Values of a type of PostgreSQL as texts, where [`writes`] says so.
///
/// # Errors
/// A value that has no text.
pub fn texts(array: &ArrayRef, pg_oid: u32, style: &Style) -> Result<ArrayRef> {
    let values = Values::of(array, pg_oid)?;
    let mut written = StringBuilder::with_capacity(array.len(), 0);
    let mut text = BytesMut::new();
    for row in 0..array.len() {
        if values.is_null(row) {
            written.append_null();
            continue;
        }
        text.clear();
        text_value(&mut text, &values, row, style)?;
        written.append_value(std::str::from_utf8(&text).map_err(Error::internal)?);
    }
    Ok(Arc::new(written.finish()))
}
