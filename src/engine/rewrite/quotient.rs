//! An average of a sum and a count that are known, as `avg` of PostgreSQL's types gives it.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, i256};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast,
};

/// The sum, a numeric of any scale, divided by the count, rounded to the scale of `to`; NULL where nothing
/// was counted.
pub(super) fn quotient(sum: Expr, count: Expr, to: &DataType) -> Option<Expr> {
    let DataType::Decimal128(precision, scale) = *to else {
        return None;
    };
    let function = Quotient {
        signature: Signature::any(2, Volatility::Immutable),
        to: (precision, scale),
    };
    Some(ScalarUDF::from(function).call(vec![sum, cast(count, DataType::Int64)]))
}

/// The division. SQL text cannot name it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Quotient {
    signature: Signature,
    /// Precision and scale of what comes out.
    to: (u8, i8),
}

impl ScalarUDFImpl for Quotient {
    fn name(&self) -> &'static str {
        "quotient\u{1}"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        let (precision, scale) = self.to;
        Ok(DataType::Decimal128(precision, scale))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&call.args)?;
        let [sums, counts] = arrays.as_slice() else {
            return internal_err!("a quotient has two arguments");
        };
        let DataType::Decimal128(_, scale) = sums.data_type() else {
            return internal_err!("a sum of {} is divided", sums.data_type());
        };
        let (sums, counts) = (
            sums.as_primitive::<Decimal128Type>(),
            counts.as_primitive::<Int64Type>(),
        );
        let quotients = sums.iter().zip(counts).map(|pair| match pair {
            (Some(sum), Some(count)) if count != 0 => {
                divided(sum, count, self.to.1 - scale).map(Some)
            }
            _ => Ok(None),
        });
        let quotients = quotients.collect::<Result<Decimal128Array>>()?;
        let (precision, scale) = self.to;
        let quotients = quotients.with_precision_and_scale(precision, scale)?;
        quotients.validate_decimal_precision(precision)?;
        Ok(ColumnarValue::Array(Arc::new(quotients)))
    }
}

/// A quotient with so many more digits, rounded half away from zero.
fn divided(sum: i128, count: i64, more_digits: i8) -> Result<i128> {
    let ten = |digits: i8| i256::from_i128(10).checked_pow(u32::from(digits.unsigned_abs()));
    let (sum, count) = (i256::from_i128(sum), i256::from_i128(count.into()));
    let quotient = || {
        let (sum, count) = match more_digits >= 0 {
            true => (sum.checked_mul(ten(more_digits)?)?, count),
            false => (sum, count.checked_mul(ten(more_digits)?)?),
        };
        let (whole, rest) = (sum.checked_div(count)?, sum.checked_rem(count)?);
        let rest = rest.checked_abs()?.checked_mul(i256::from_i128(2))?;
        let up = i256::from_i128(if rest >= count { 1 } else { 0 });
        let rounded = match sum.is_negative() {
            true => whole.checked_sub(up),
            false => whole.checked_add(up),
        };
        rounded?.to_i128()
    };
    match quotient() {
        Some(quotient) => Ok(quotient),
        None => exec_err!("Arithmetic Overflow in an average"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        let check = |sum: i128, count: i64, more: i8, expected: i128| {
            let quotient = divided(sum, count, more);
            assert_eq!(quotient.expect("it fits"), expected, "{sum} / {count}");
        };
        check(1, 3, 4, 3333);
        check(2, 3, 4, 6667);
        check(-2, 3, 4, -6667);
        check(1, 2, 0, 1);
        check(-1, 2, 0, -1);
        check(0, 5, 3, 0);
        check(12345, 1, -2, 123);
        check(12350, 1, -2, 124);
        assert!(divided(i128::MAX, 1, 16).is_err());
    }
}
