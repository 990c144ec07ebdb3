//! `ceil` and `floor`, which give whole numbers: of a numeric one without digits behind the point.
//! <https://www.postgresql.org/docs/16/functions-math.html>

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::overloads::undefined;
use super::scalar::external;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [("ceil", true), ("ceiling", true), ("floor", false)]
        .map(|(name, is_up)| {
            Arc::new(ScalarUDF::from(Whole {
                signature: Signature::user_defined(Volatility::Immutable),
                name,
                is_up,
            }))
        })
        .into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Whole {
    signature: Signature,
    name: &'static str,
    is_up: bool,
}

impl ScalarUDFImpl for Whole {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        Ok(match given {
            [DataType::Decimal128(..)] => given.to_vec(),
            [of] if of.is_numeric() || of.is_null() => vec![DataType::Float64],
            // A quoted literal is a float8, as PostgreSQL prefers.
            [DataType::Utf8 | DataType::Utf8View] => vec![DataType::Float64],
            // Refused where the type of the result is asked for.
            other => other.to_vec(),
        })
    }

    fn return_type(&self, arguments: &[DataType]) -> DataFusionResult<DataType> {
        match arguments {
            [DataType::Decimal128(precision, scale)] => {
                let whole = precision.saturating_sub(scale.unsigned_abs()) + 1;
                Ok(DataType::Decimal128(whole.min(38), 0))
            }
            [DataType::Float64] => Ok(DataType::Float64),
            other => Err(external(undefined(self.name, other))),
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let to = call.return_field.data_type();
        match &call.args[0] {
            ColumnarValue::Array(values) => Ok(ColumnarValue::Array(self.whole(values, to)?)),
            ColumnarValue::Scalar(value) => {
                let whole = self.whole(&value.to_array()?, to)?;
                ScalarValue::try_from_array(&whole, 0).map(ColumnarValue::Scalar)
            }
        }
    }
}

impl Whole {
    fn whole(&self, values: &ArrayRef, to: &DataType) -> DataFusionResult<ArrayRef> {
        let is_up = self.is_up;
        let DataType::Decimal128(_, scale) = values.data_type() else {
            let values = values.as_primitive::<Float64Type>();
            let whole = if is_up { f64::ceil } else { f64::floor };
            return Ok(Arc::new(values.unary::<_, Float64Type>(whole)));
        };
        let unit = 10_i128.pow(u32::from(scale.unsigned_abs()));
        let values = values.as_primitive::<Decimal128Type>();
        let whole = values.unary::<_, Decimal128Type>(|value| match is_up {
            true => -(-value).div_euclid(unit),
            false => value.div_euclid(unit),
        });
        Ok(Arc::new(whole.with_data_type(to.clone())))
    }
}
