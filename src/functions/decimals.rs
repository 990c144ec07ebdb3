//! `div`, `scale`, `min_scale` and `trim_scale` of numerics.
//! <https://www.postgresql.org/docs/16/functions-math.html>
//!
//! A column has one scale: `trim_scale` of a column is the same numbers, and that of a literal has the
//! digits that it needs.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal256Array, Int32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal256Type, i256};
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::overloads::undefined;
use super::scalar::external;
use crate::error::{Error, ErrorKind, Result};

/// Digits of the widest decimal.
const DIGITS_MAX: u8 = 76;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [Kind::Div, Kind::Scale, Kind::MinScale, Kind::TrimScale]
        .into_iter()
        .map(|kind| {
            Arc::new(ScalarUDF::from(Decimals {
                signature: Signature::user_defined(Volatility::Immutable),
                kind,
            }))
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Div,
    Scale,
    MinScale,
    TrimScale,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Decimals {
    signature: Signature,
    kind: Kind,
}

fn is_decimal(of: &DataType) -> bool {
    matches!(of, DataType::Decimal128(..) | DataType::Decimal256(..))
}

impl ScalarUDFImpl for Decimals {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Div => "div",
            Kind::Scale => "scale",
            Kind::MinScale => "min_scale",
            Kind::TrimScale => "trim_scale",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        Ok(given
            .iter()
            .map(|of| match of {
                of if of.is_integer() => DataType::Decimal128(20, 0),
                DataType::Null | DataType::Utf8 => DataType::Decimal128(38, 10),
                other => other.clone(),
            })
            .collect())
    }

    fn return_type(&self, given: &[DataType]) -> DataFusionResult<DataType> {
        let n_arguments = if self.kind == Kind::Div { 2 } else { 1 };
        let coerced = self.coerce_types(given)?;
        if given.len() != n_arguments || !coerced.iter().all(is_decimal) {
            return Err(external(undefined(self.name(), given)));
        }
        let is_wide = |of: &DataType| matches!(of, DataType::Decimal256(..));
        Ok(match self.kind {
            Kind::Div if coerced.iter().any(is_wide) => DataType::Decimal256(DIGITS_MAX, 0),
            Kind::Div => DataType::Decimal128(38, 0),
            Kind::Scale | Kind::MinScale => DataType::Int32,
            Kind::TrimScale => coerced[0].clone(),
        })
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let to = call.return_field.data_type();
        let are_scalars = call
            .args
            .iter()
            .all(|it| matches!(it, ColumnarValue::Scalar(_)));
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let values = match self.kind {
            Kind::Div => {
                let (left, right) = (wide(&columns[0])?, wide(&columns[1])?);
                let quotients = quotients(&left, &right).map_err(external)?;
                cast(&quotients, to)?
            }
            Kind::Scale => {
                let scale = i32::from(scale_of(columns[0].data_type()).max(0));
                let of = wide(&columns[0])?;
                let scales: Int32Array = of.iter().map(|it| it.map(|_| scale)).collect();
                Arc::new(scales)
            }
            Kind::MinScale => {
                let scale = scale_of(columns[0].data_type());
                let of = wide(&columns[0])?;
                let scales: Int32Array = of
                    .iter()
                    .map(|it| it.map(|it| i32::from(needed(it, scale).max(0))))
                    .collect();
                Arc::new(scales)
            }
            Kind::TrimScale => cast(&columns[0], to)?,
        };
        match are_scalars {
            true => ScalarValue::try_from_array(&values, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(values)),
        }
    }
}

fn scale_of(of: &DataType) -> i8 {
    match of {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => *scale,
        _ => 0,
    }
}

/// The same numbers with as many digits as there may be.
fn wide(values: &ArrayRef) -> DataFusionResult<Decimal256Array> {
    let to = DataType::Decimal256(DIGITS_MAX, scale_of(values.data_type()));
    let wide = cast(values, &to)?;
    Ok(wide.as_primitive::<Decimal256Type>().clone())
}

/// Quotients without what is behind the point, as `numeric_div_trunc`.
fn quotients(left: &Decimal256Array, right: &Decimal256Array) -> Result<ArrayRef> {
    let (of_left, of_right) = (scale_of(left.data_type()), scale_of(right.data_type()));
    let most = of_left.max(of_right);
    let too_large = || Error::unsupported("div() of numerics of this many digits");
    let ten = i256::from_i128(10);
    let quotient = |left: i256, right: i256| {
        if right == i256::ZERO {
            return Err(Error::new(ErrorKind::DivisionByZero, "division by zero"));
        }
        let fitted = |value: i256, scale: i8| {
            let factor = ten.checked_pow(u32::from((most - scale).unsigned_abs()))?;
            value.checked_mul(factor)
        };
        let left = fitted(left, of_left).ok_or_else(too_large)?;
        let right = fitted(right, of_right).ok_or_else(too_large)?;
        Ok(left.wrapping_div(right))
    };
    let quotients: Result<Decimal256Array> = left
        .iter()
        .zip(right)
        .map(|pair| match pair {
            (Some(left), Some(right)) => quotient(left, right).map(Some),
            _ => Ok(None),
        })
        .collect();
    let whole = quotients?.with_data_type(DataType::Decimal256(DIGITS_MAX, 0));
    Ok(Arc::new(whole))
}

/// How many digits behind the point a number needs.
fn needed(mut unscaled: i256, mut scale: i8) -> i8 {
    let ten = i256::from_i128(10);
    while scale > 0 && unscaled.wrapping_rem(ten) == i256::ZERO {
        unscaled = unscaled.wrapping_div(ten);
        scale -= 1;
    }
    scale
}

/// A literal without the zeros at its end; `None` of NULL, and of what is no numeric.
pub(super) fn trimmed(literal: &ScalarValue) -> Option<ScalarValue> {
    let to = match literal {
        ScalarValue::Decimal128(Some(value), precision, scale) => {
            let needed = needed(i256::from_i128(*value), *scale);
            DataType::Decimal128(*precision, needed)
        }
        ScalarValue::Decimal256(Some(value), precision, scale) => {
            DataType::Decimal256(*precision, needed(*value, *scale))
        }
        _ => return None,
    };
    literal.cast_to(&to).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_end_are_not_needed() {
        let of = |value: i128, scale| needed(i256::from_i128(value), scale);
        assert_eq!(of(12300, 4), 2);
        assert_eq!(of(0, 4), 0);
        assert_eq!(of(-105, 2), 2);
        assert_eq!(of(1000, 0), 0);
    }
}
