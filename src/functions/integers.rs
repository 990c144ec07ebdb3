//! Integer arithmetic that fails where it would overflow, and rounding as PostgreSQL's casts round.
//! <https://www.postgresql.org/docs/16/functions-math.html>

use std::sync::Arc;

use arrow::array::{ArrayRef, Datum, Float64Array};
use arrow::compute::kernels::{arity, numeric};
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{Error, ErrorKind};

/// An operation that DataFusion would let wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checked {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
}

/// The function of an operation: two integers of one type, and their result of the same type.
pub fn checked(operation: Checked) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(CheckedInteger {
        signature: Signature::any(2, Volatility::Immutable),
        operation,
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedInteger {
    signature: Signature,
    operation: Checked,
}

impl ScalarUDFImpl for CheckedInteger {
    fn name(&self) -> &'static str {
        match self.operation {
            Checked::Add => "checked_add",
            Checked::Subtract => "checked_subtract",
            Checked::Multiply => "checked_multiply",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = arguments.args.as_slice() else {
            return Err(DataFusionError::Internal("two operands".to_owned()));
        };
        let compute = |left: &dyn Datum, right: &dyn Datum| match self.operation {
            Checked::Add => numeric::add(left, right),
            Checked::Subtract => numeric::sub(left, right),
            Checked::Multiply => numeric::mul(left, right),
        };
        let result = match (left, right) {
            (ColumnarValue::Array(left), ColumnarValue::Array(right)) => compute(left, right),
            (ColumnarValue::Array(left), ColumnarValue::Scalar(right)) => {
                compute(left, &right.to_scalar()?)
            }
            (ColumnarValue::Scalar(left), ColumnarValue::Array(right)) => {
                compute(&left.to_scalar()?, right)
            }
            (ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)) => {
                compute(&left.to_scalar()?, &right.to_scalar()?)
            }
        };
        let values = result.map_err(|error| out_of_range(error, &arguments.return_field))?;
        let scalar = arguments
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        match scalar {
            true => datafusion::common::ScalarValue::try_from_array(&values, 0)
                .map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(values)),
        }
    }
}

/// PostgreSQL's `integer out of range` (int.c).
fn out_of_range(error: ArrowError, field: &arrow::datatypes::Field) -> DataFusionError {
    match error {
        ArrowError::ArithmeticOverflow(_) => {
            let of = crate::types::of_field(field);
            let name = crate::types::format_type(of.oid, -1).unwrap_or_default();
            let message = format!("{name} out of range");
            let error = Error::new(ErrorKind::NumericValueOutOfRange, message);
            DataFusionError::External(Box::new(error))
        }
        other => other.into(),
    }
}

/// `rint`: the nearest whole number, halves to the even one, as casts from double precision round.
pub fn rint() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Rint {
        signature: Signature::exact(vec![DataType::Float64], Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rint {
    signature: Signature,
}

impl ScalarUDFImpl for Rint {
    fn name(&self) -> &'static str {
        "rint"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = ColumnarValue::values_to_arrays(&arguments.args)?;
        let values = datafusion::common::cast::as_float64_array(&values[0])?;
        let rounded: Float64Array = arity::unary::<_, _, Float64Type>(values, f64::round_ties_even);
        Ok(ColumnarValue::Array(Arc::new(rounded) as ArrayRef))
    }
}
