//! Functions of double precision that fail where they have no value, or none that a number holds.
//! DataFusion's give NaN, infinities and zeros.
//! <https://www.postgresql.org/docs/16/functions-math.html>

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::overloads::undefined;
use super::scalar::external;
use crate::error::{Error, ErrorKind, Result};

type Compute = fn(f64) -> Result<f64>;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let functions: [(&'static str, Compute); 9] = [
        ("acos", |value| within(value, -1.0, 1.0, f64::acos)),
        ("asin", |value| within(value, -1.0, 1.0, f64::asin)),
        ("acosh", |value| {
            within(value, 1.0, f64::INFINITY, f64::acosh)
        }),
        ("atanh", |value| within(value, -1.0, 1.0, f64::atanh)),
        ("sin", |value| of_finite(value, f64::sin)),
        ("cos", |value| of_finite(value, f64::cos)),
        ("tan", |value| of_finite(value, f64::tan)),
        ("cot", |value| of_finite(value, |value| 1.0 / value.tan())),
        ("cosh", |value| Ok(value.cosh())),
    ];
    functions
        .into_iter()
        .map(|(name, compute)| {
            Arc::new(ScalarUDF::from(Checked {
                signature: Signature::user_defined(Volatility::Immutable),
                name,
                compute,
            }))
        })
        .collect()
}

/// As `dexp` in float.c.
pub(super) fn exp(value: f64) -> Result<f64> {
    let result = value.exp();
    let out_of_range = |how: &str| {
        let message = format!("value out of range: {how}");
        Err(Error::new(ErrorKind::NumericValueOutOfRange, message))
    };
    match value.is_finite() {
        true if result.is_infinite() => out_of_range("overflow"),
        true if result == 0.0 => out_of_range("underflow"),
        _ => Ok(result),
    }
}

/// As `dacos` and its kind: NaN has itself for a value.
fn within(value: f64, least: f64, most: f64, compute: fn(f64) -> f64) -> Result<f64> {
    match value < least || value > most {
        true => Err(input_out_of_range()),
        false => Ok(compute(value)),
    }
}

/// As `dsin` and its kind.
fn of_finite(value: f64, compute: fn(f64) -> f64) -> Result<f64> {
    match value.is_infinite() {
        true => Err(input_out_of_range()),
        false => Ok(compute(value)),
    }
}

fn input_out_of_range() -> Error {
    Error::new(ErrorKind::NumericValueOutOfRange, "input is out of range")
}

#[derive(Debug)]
struct Checked {
    signature: Signature,
    name: &'static str,
    compute: Compute,
}

impl PartialEq for Checked {
    /// The name says what is computed.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Checked {}

impl std::hash::Hash for Checked {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        Ok(match given {
            [of] if of.is_numeric() || of.is_null() => vec![DataType::Float64],
            // A quoted literal is a float8, as PostgreSQL prefers.
            [DataType::Utf8 | DataType::Utf8View] => vec![DataType::Float64],
            // Refused where the type of the result is asked for.
            other => other.to_vec(),
        })
    }

    fn return_type(&self, arguments: &[DataType]) -> DataFusionResult<DataType> {
        match arguments {
            [of] if of.is_numeric() || of.is_null() => Ok(DataType::Float64),
            [DataType::Utf8 | DataType::Utf8View] => Ok(DataType::Float64),
            other => Err(external(undefined(self.name, other))),
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        match &call.args[0] {
            ColumnarValue::Array(values) => self.of_array(values).map(ColumnarValue::Array),
            ColumnarValue::Scalar(value) => {
                let values = self.of_array(&value.to_array()?)?;
                ScalarValue::try_from_array(&values, 0).map(ColumnarValue::Scalar)
            }
        }
    }
}

impl Checked {
    fn of_array(&self, values: &ArrayRef) -> DataFusionResult<ArrayRef> {
        let values = values.as_primitive::<Float64Type>();
        let computed: Result<Float64Array> = values
            .iter()
            .map(|value| value.map(self.compute).transpose())
            .collect();
        Ok(Arc::new(computed.map_err(external)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_value_fails() {
        assert_eq!(exp(0.0).ok(), Some(1.0));
        assert!(exp(710.0).is_err());
        assert!(exp(-750.0).is_err());
        assert_eq!(exp(f64::NEG_INFINITY).ok(), Some(0.0));
        assert!(within(2.0, -1.0, 1.0, f64::acos).is_err());
        assert!(within(f64::NAN, -1.0, 1.0, f64::acos).is_ok_and(f64::is_nan));
        assert!(of_finite(f64::INFINITY, f64::sin).is_err());
    }
}
