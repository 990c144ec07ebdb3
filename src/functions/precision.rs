//! Casts to `time(p)`, `timestamp(p)` and `interval(p)`: so many digits of a second's fraction.
//! <https://www.postgresql.org/docs/16/datatype-datetime.html>

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray};
use arrow::datatypes::{
    DataType, FieldRef, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{DataFusionError, Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::kept;
use crate::types::MODIFIER_KEY;

/// 2000-01-01, from which PostgreSQL counts, in microseconds since 1970.
const EPOCH_MICROS: i128 = 946_684_800_000_000;
/// Digits of a microsecond.
const PRECISION_MAX: u32 = 6;
/// What stands for all fields in the modifier of an interval (`INTERVAL_FULL_RANGE`).
const ALL_FIELDS: i64 = 0x7fff;

/// The function of this file.
pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(OfPrecision {
        signature: Signature::any(2, Volatility::Immutable),
    }))
}

/// `of_precision(value, digits)`, which stands for a cast.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfPrecision {
    signature: Signature,
}

impl ScalarUDFImpl for OfPrecision {
    fn name(&self) -> &'static str {
        "of_precision"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, of: &[DataType]) -> DataFusionResult<DataType> {
        Ok(of[0].clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        let digits = digits(arguments.scalar_arguments[1]);
        let field = arguments.arg_fields[0].as_ref().clone();
        let modifier = match field.data_type() {
            DataType::Interval(_) => (ALL_FIELDS << 16) | i64::from(digits),
            _ => i64::from(digits),
        };
        let mut metadata = field.metadata().clone();
        metadata.insert(MODIFIER_KEY.to_owned(), modifier.to_string());
        Ok(Arc::new(
            field.with_name(self.name()).with_metadata(metadata),
        ))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let digits = match &call.args[1] {
            ColumnarValue::Scalar(value) => digits(Some(value)),
            ColumnarValue::Array(_) => PRECISION_MAX,
        };
        match &call.args[0] {
            ColumnarValue::Array(values) => rounded(values, digits).map(ColumnarValue::Array),
            ColumnarValue::Scalar(value) => {
                let value = rounded(&value.to_array()?, digits)?;
                ScalarValue::try_from_array(&value, 0).map(ColumnarValue::Scalar)
            }
        }
    }
}

/// More digits than there are mean all of them, as `anytimestamp_typmod_check` has it.
fn digits(value: Option<&ScalarValue>) -> u32 {
    match value.map(|value| value.cast_to(&DataType::Int64)) {
        Some(Ok(ScalarValue::Int64(Some(digits)))) => {
            u32::try_from(digits).map_or(PRECISION_MAX, |digits| digits.min(PRECISION_MAX))
        }
        _ => PRECISION_MAX,
    }
}

fn rounded(values: &ArrayRef, digits: u32) -> DataFusionResult<ArrayRef> {
    let unit = 10_i64.pow(PRECISION_MAX - digits);
    Ok(match values.data_type() {
        DataType::Time64(TimeUnit::Microsecond) => {
            let values = values.as_primitive::<Time64MicrosecondType>();
            Arc::new(values.unary::<_, Time64MicrosecondType>(|micros| nearest(micros, 0, unit)))
        }
        // Of the types that Arrow lacks, one alone has fractions of seconds.
        DataType::Binary => {
            let values = values.as_binary::<i32>().iter();
            let rounded = values.map(|time| {
                time.map(|time| kept::round_time(time, |micros| nearest(micros, 0, unit)))
                    .transpose()
            });
            let rounded = rounded
                .collect::<crate::error::Result<BinaryArray>>()
                .map_err(|error| DataFusionError::External(Box::new(error)))?;
            Arc::new(rounded)
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let values = values.as_primitive::<TimestampMicrosecondType>();
            let rounded = values.unary::<_, TimestampMicrosecondType>(|micros| match micros {
                i64::MIN | i64::MAX => micros,
                _ => nearest(micros, EPOCH_MICROS, unit),
            });
            Arc::new(rounded.with_timezone_opt(zone.clone()))
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let values = values.as_primitive::<IntervalMonthDayNanoType>();
            let rounded = values.unary::<_, IntervalMonthDayNanoType>(|value| {
                let micros = nearest(value.nanoseconds / 1000, 0, unit);
                IntervalMonthDayNano::new(value.months, value.days, micros.saturating_mul(1000))
            });
            Arc::new(rounded)
        }
        other => {
            let message = format!("{other} has no precision of seconds");
            return Err(DataFusionError::Plan(message));
        }
    })
}

/// The nearest whole number of units from an epoch on; halves go away from it
/// (`AdjustTimestampForTypmod` in timestamp.c).
fn nearest(micros: i64, epoch: i128, unit: i64) -> i64 {
    let (from_epoch, unit) = (i128::from(micros) - epoch, i128::from(unit));
    let whole = (from_epoch.abs() + unit / 2) / unit * unit;
    let rounded = whole * from_epoch.signum() + epoch;
    i64::try_from(rounded).unwrap_or(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_away_from_2000() {
        let at = |micros: i64| 946_684_800_000_000 + micros;
        let check = |micros: i64, unit: i64, expected: i64| {
            assert_eq!(nearest(at(micros), EPOCH_MICROS, unit), at(expected));
        };
        check(500_000, 1_000_000, 1_000_000);
        check(-500_000, 1_000_000, -1_000_000);
        check(499_999, 1_000_000, 0);
        check(1_234_567, 1000, 1_235_000);
        check(7, 1, 7);
    }
}
