//! The function `to_number`, whose numeric has the digits that its pattern has, and of literals those
//! that were read. <https://www.postgresql.org/docs/16/functions-formatting.html>

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::number_read::read;
use super::numeral::Numeral;
use crate::error::Result;
use crate::functions::input::Digits;
use crate::functions::overloads::undefined;
use crate::functions::scalar::external;

/// Digits of the numeric where the pattern is not known beforehand.
const SCALE: i8 = 10;

/// The function of this file.
pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(ToNumber {
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToNumber {
    signature: Signature,
}

impl ScalarUDFImpl for ToNumber {
    fn name(&self) -> &'static str {
        "to_number"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        let is_text = |of: &DataType| {
            matches!(
                of,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null
            )
        };
        match given {
            [text, pattern] if is_text(text) && is_text(pattern) => {
                Ok(vec![DataType::Utf8, DataType::Utf8])
            }
            _ => Err(external(undefined(self.name(), given))),
        }
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(DataType::Decimal128(38, SCALE))
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        let literal = |index: usize| {
            let value: Option<&ScalarValue> = arguments.scalar_arguments[index];
            value.and_then(|value| value.try_as_str().flatten())
        };
        let data_type = match (literal(0), literal(1)) {
            (Some(text), Some(pattern)) => number(text, pattern).ok().flatten(),
            (None, Some(pattern)) => of_pattern(pattern),
            _ => None,
        };
        let data_type = data_type.map_or(DataType::Decimal128(38, SCALE), |it| it.data_type());
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let to = call.return_field.data_type();
        let is_constant = call
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let n_rows = if is_constant { 1 } else { call.number_rows };
        let (texts, patterns) = (
            call.args[0].to_array(n_rows)?,
            call.args[1].to_array(n_rows)?,
        );
        let (texts, patterns) = (texts.as_string::<i32>(), patterns.as_string::<i32>());
        let mut values = Vec::with_capacity(n_rows);
        for index in 0..n_rows {
            let value = match texts.is_null(index) || patterns.is_null(index) {
                true => None,
                false => number(texts.value(index), patterns.value(index)).map_err(external)?,
            };
            values.push(match value {
                Some(value) => value.cast_to(to)?,
                None => ScalarValue::try_from(to)?,
            });
        }
        match (is_constant, values.len()) {
            (true, 1) => Ok(ColumnarValue::Scalar(values.remove(0))),
            (_, 0) => Ok(ColumnarValue::Array(arrow::array::new_empty_array(to))),
            _ => Ok(ColumnarValue::Array(ScalarValue::iter_to_array(values)?)),
        }
    }
}

/// A numeric as wide as any, with the digits of a pattern behind the point.
fn of_pattern(pattern: &str) -> Option<ScalarValue> {
    let numeral = Numeral::of(pattern).ok()?;
    let scale = i8::try_from(numeral.behind + numeral.shift).ok()?;
    (scale < 38).then_some(ScalarValue::Decimal128(None, 38, scale))
}

/// The number in a text; NULL by an empty pattern.
fn number(text: &str, pattern: &str) -> Result<Option<ScalarValue>> {
    if pattern.is_empty() {
        return Ok(None);
    }
    let numeral = Numeral::of(pattern)?;
    let read = read(text, &numeral)?;
    let shifted = match numeral.shift {
        0 => read,
        shift => format!("{read}e-{shift}"),
    };
    Digits::of(&shifted)?.into_scalar().map(Some)
}
