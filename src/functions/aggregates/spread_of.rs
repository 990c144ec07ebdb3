//! Variances and their roots, of sums that are there already.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, i256};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::spread;
use super::squares::{ARROW_SCALE, Exact, Which};
use crate::functions::scalar::external;

/// A function of the sum of exact numbers, the sum of their squares and their count; `None` if there is no aggregate of this name.
pub(in crate::functions) fn spread_of(name: &str) -> Option<ScalarUDF> {
    Some(ScalarUDF::from(SpreadOf {
        signature: Signature::any(3, Volatility::Immutable),
        which: spread::which(name)?,
    }))
}

/// SQL text cannot name it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SpreadOf {
    signature: Signature,
    which: Which,
}

impl ScalarUDFImpl for SpreadOf {
    fn name(&self) -> &str {
        match (self.which.is_sample, self.which.is_root) {
            (true, true) => "stddev_samp_of\u{1}",
            (true, false) => "var_samp_of\u{1}",
            (false, true) => "stddev_pop_of\u{1}",
            (false, false) => "var_pop_of\u{1}",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(38, ARROW_SCALE))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let [sums, squares, counts] = columns.as_slice() else {
            return internal_err!("a variance is of three arguments");
        };
        let DataType::Decimal128(_, of_squares) = squares.data_type() else {
            return internal_err!("squares are {}", squares.data_type());
        };
        let scale = of_squares.unsigned_abs() / 2;
        let (sums, squares) = (
            exact(sums, scale)?,
            exact(squares, of_squares.unsigned_abs())?,
        );
        let Some(counts) = counts.as_primitive_opt::<Int64Type>() else {
            return internal_err!("a variance is of a count");
        };
        let values = sums.into_iter().zip(squares).zip(counts);
        let values = values.map(|parts| match parts {
            ((Some(sum), Some(squares)), Some(count)) => {
                let sums = Exact {
                    count,
                    sum,
                    squares,
                };
                let value = sums.value(self.which, u32::from(scale));
                value.map_err(external)
            }
            _ => Ok(None),
        });
        let values = values.collect::<Result<Decimal128Array>>()?;
        let values = values.with_precision_and_scale(38, ARROW_SCALE)?;
        Ok(ColumnarValue::Array(Arc::new(values)))
    }
}

/// Sums of numbers with so many digits behind the point, though they may be written with more.
fn exact(sums: &ArrayRef, scale: u8) -> Result<Vec<Option<i256>>> {
    Ok(match sums.data_type() {
        DataType::Int64 => {
            let sums = sums.as_primitive::<Int64Type>().iter();
            let unit = i256::from_i128(10_i128.pow(u32::from(scale)));
            sums.map(|sum| Some(i256::from_i128(i128::from(sum?)) * unit))
                .collect()
        }
        DataType::Decimal128(_, own) if own.unsigned_abs() >= scale => {
            let unit = i256::from_i128(10_i128.pow(u32::from(own.unsigned_abs() - scale)));
            let sums = sums.as_primitive::<Decimal128Type>().iter();
            sums.map(|sum| Some(i256::from_i128(sum?) / unit)).collect()
        }
        other => return internal_err!("a sum is of {other}"),
    })
}
