//! The cast to numeric without precision and scale, which keeps a number as it is.
//! <https://www.postgresql.org/docs/16/datatype-numeric.html#DATATYPE-NUMERIC-DECIMAL>
//!
//! An Arrow column has one precision and scale. Those of a decimal are its own, integers have no fraction, a
//! quoted literal has its own digits; texts and floating-point numbers of a column get
//! `numeric(38, 10)`. Of a floating-point number the digits count that are certain: 6 of a float4, 15 of
//! a float8, whatever the numeric's precision (`float8_numeric` in numeric.c).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::input::{Digits, decimals, read_kept};
use super::kept;
use super::output::Style;
use crate::types::{self, arrow_type, oid};

/// The function of this file; [`super::input`]'s rule is for casts that name a precision.
pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Numeric {
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Numeric {
    signature: Signature,
}

impl ScalarUDFImpl for Numeric {
    fn name(&self) -> &'static str {
        "numeric"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(target(&arguments[0]))
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let literal = arguments.scalar_arguments[0];
        let is_kept = literal.is_some_and(is_beyond_decimals)
            || types::kept(&arguments.arg_fields[0]) == Some(oid::NUMERIC);
        if is_kept {
            let field = Field::new(self.name(), DataType::Binary, true);
            return Ok(types::named(&field.into(), oid::NUMERIC));
        }
        let data_type = literal.and_then(own_digits);
        let data_type = data_type.unwrap_or_else(|| target(arguments.arg_fields[0].data_type()));
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to = arguments.return_field.data_type();
        match &arguments.args[0] {
            ColumnarValue::Array(array) => converted(array, to).map(ColumnarValue::Array),
            ColumnarValue::Scalar(value) => {
                let array = converted(&value.to_array()?, to)?;
                ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar)
            }
        }
    }
}

/// Whether a quoted literal is a number that no decimal holds, NaN or infinite.
fn is_beyond_decimals(literal: &ScalarValue) -> bool {
    let text = literal.try_as_str().flatten();
    text.is_some_and(|text| kept::beyond_decimals(text).is_some())
}

/// The type of a quoted literal's digits.
fn own_digits(literal: &ScalarValue) -> Option<DataType> {
    let text = literal.try_as_str()??;
    let value = Digits::of(text).and_then(Digits::into_scalar);
    value.ok().map(|value| value.data_type())
}

fn target(of: &DataType) -> DataType {
    match of {
        DataType::Decimal128(..) | DataType::Decimal256(..) => of.clone(),
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => DataType::Decimal128(5, 0),
        DataType::UInt16 | DataType::Int32 => DataType::Decimal128(10, 0),
        DataType::UInt32 | DataType::Int64 | DataType::UInt64 => DataType::Decimal128(20, 0),
        _ => arrow_type(oid::NUMERIC).unwrap_or(DataType::Decimal128(38, 10)),
    }
}

/// The cast of a floating-point number to a numeric of this field's precision and scale.
pub fn of_float(to: FieldRef) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(OfFloat {
        signature: Signature::any(1, Volatility::Immutable),
        to,
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfFloat {
    signature: Signature,
    to: FieldRef,
}

impl ScalarUDFImpl for OfFloat {
    fn name(&self) -> &'static str {
        "numeric_of_float"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = self.to.as_ref().clone().with_name(self.name());
        Ok(Arc::new(field.with_nullable(true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to = self.to.data_type();
        match &arguments.args[0] {
            ColumnarValue::Array(array) => converted(array, to).map(ColumnarValue::Array),
            ColumnarValue::Scalar(value) => {
                let array = converted(&value.to_array()?, to)?;
                ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar)
            }
        }
    }
}

/// The certain digits of floating-point numbers, as texts.
fn certain_digits(array: &ArrayRef) -> Option<StringArray> {
    match array.data_type() {
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().iter();
            Some(values.map(|it| it.map(|it| format!("{it:.5e}"))).collect())
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().iter();
            Some(values.map(|it| it.map(|it| format!("{it:.14e}"))).collect())
        }
        _ => None,
    }
}

fn converted(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if let Some(digits) = certain_digits(array) {
        return decimals(&digits, to).map_err(|error| DataFusionError::External(Box::new(error)));
    }
    match array.data_type() {
        DataType::Binary => Ok(Arc::clone(array)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if *to == DataType::Binary => {
            let texts = cast(array, &DataType::Utf8)?;
            read_kept(texts.as_string(), oid::NUMERIC, &Style::default())
                .map_err(|error| DataFusionError::External(Box::new(error)))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = cast(array, &DataType::Utf8)?;
            decimals(texts.as_string(), to)
                .map_err(|error| DataFusionError::External(Box::new(error)))
        }
        _ => {
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            Ok(cast_with_options(array, to, &options)?)
        }
    }
}
