//! Arithmetic that fails where it would overflow or divide by zero, and casts to integers that
//! round and check as PostgreSQL's do.
//! <https://www.postgresql.org/docs/16/functions-math.html>

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Datum, Float64Array};
use arrow::compute::CastOptions;
use arrow::compute::kernels::{arity, numeric};
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
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
    /// `/` of floating-point numbers, which fails where it would give an infinity.
    Divide,
}

/// The function of an operation: two numbers of one type, and their result of the same type.
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
            Checked::Divide => "checked_divide",
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
            Checked::Divide => divide(left, right),
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

/// As `float8_div` and `float4_div` in float.h: infinities and NaN are only of operands that are such.
fn divide(left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, ArrowError> {
    let quotients = numeric::div(left, right)?;
    match quotients.data_type() {
        DataType::Float32 => check_quotients::<Float32Type>(left, right, &quotients)?,
        _ => check_quotients::<Float64Type>(left, right, &quotients)?,
    }
    Ok(quotients)
}

fn check_quotients<T>(
    left: &dyn Datum,
    right: &dyn Datum,
    quotients: &ArrayRef,
) -> Result<(), ArrowError>
where
    T: ArrowPrimitiveType,
    T::Native: Into<f64>,
{
    let (left, left_is_one) = left.get();
    let (right, right_is_one) = right.get();
    let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
    for (row, quotient) in quotients.as_primitive::<T>().iter().enumerate() {
        let Some(quotient) = quotient.map(Into::<f64>::into) else {
            continue;
        };
        if quotient.is_normal() {
            continue;
        }
        let dividend: f64 = left.value(if left_is_one { 0 } else { row }).into();
        let divisor: f64 = right.value(if right_is_one { 0 } else { row }).into();
        if divisor == 0.0 && !dividend.is_nan() {
            return Err(ArrowError::DivideByZero);
        }
        let wrong = match () {
            () if quotient.is_infinite() && !dividend.is_infinite() => "overflow",
            () if quotient == 0.0 && dividend != 0.0 && !divisor.is_infinite() => "underflow",
            () => continue,
        };
        let message = format!("value out of range: {wrong}");
        let error = Error::new(ErrorKind::NumericValueOutOfRange, message);
        return Err(ArrowError::ExternalError(Box::new(error)));
    }
    Ok(())
}

/// The cast of numbers to a narrower integer, which is only of values that it holds.
pub fn narrowed(to: FieldRef) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Narrowed {
        signature: Signature::any(1, Volatility::Immutable),
        to,
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Narrowed {
    signature: Signature,
    to: FieldRef,
}

impl ScalarUDFImpl for Narrowed {
    fn name(&self) -> &'static str {
        "narrowed"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.data_type().clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let to = self.to.data_type();
        arguments.args[0].cast_to(to, Some(&options)).map_err(|_| {
            let of = crate::types::of_arrow(to);
            let name = crate::types::format_type(of.oid, -1).unwrap_or_default();
            let message = format!("{name} out of range");
            let error = Error::new(ErrorKind::NumericValueOutOfRange, message);
            DataFusionError::External(Box::new(error))
        })
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
