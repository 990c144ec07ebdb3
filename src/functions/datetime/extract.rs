//! `extract`, which is numeric, and `date_part`, which is double precision.
//! <https://www.postgresql.org/docs/16/functions-datetime.html#FUNCTIONS-DATETIME-EXTRACT>

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder, Float64Builder};
use arrow::datatypes::{
    DataType, Date32Type, Field, FieldRef, IntervalMonthDayNanoType, IntervalUnit,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{DataFusionError, Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::fields::{Moment, Part, part};
use super::unit::Unit;
use crate::functions::output::Style;
use crate::functions::overloads::undefined;
use crate::functions::scalar::external;

/// Digits of a field's value before and behind the point.
const WHOLE_DIGITS: u8 = 12;
/// Digits behind the point of what has microseconds in it.
const SECONDS_SCALE: i8 = 6;
/// Digits behind the point of a day's fraction.
const JULIAN_SCALE: i8 = 20;

/// Both functions, for sessions in this zone.
pub(super) fn functions(style: Style) -> Vec<Arc<ScalarUDF>> {
    [true, false]
        .map(|is_numeric| {
            Arc::new(ScalarUDF::from(Extract {
                signature: Signature::user_defined(Volatility::Stable),
                is_numeric,
                style,
            }))
        })
        .into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Extract {
    signature: Signature,
    is_numeric: bool,
    style: Style,
}

impl ScalarUDFImpl for Extract {
    fn name(&self) -> &'static str {
        match self.is_numeric {
            true => "extract",
            false => "date_part",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        let [_, of] = given else {
            return Err(external(undefined(self.name(), given)));
        };
        let of = match of {
            // date_part of a date is that of its midnight; extract knows dates.
            DataType::Date32 if !self.is_numeric => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            DataType::Date32 | DataType::Interval(IntervalUnit::MonthDayNano) => of.clone(),
            DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
            DataType::Timestamp(_, zone) => {
                DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
            }
            DataType::Interval(_) | DataType::Duration(_) => {
                DataType::Interval(IntervalUnit::MonthDayNano)
            }
            DataType::Null => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => return Err(external(undefined(self.name(), given))),
        };
        Ok(vec![DataType::Utf8, of])
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(self.data_type(None, false))
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        let unit = arguments.scalar_arguments[0].and_then(unit_of);
        let is_date = *arguments.arg_fields[1].data_type() == DataType::Date32;
        let data_type = self.data_type(unit, is_date);
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let n_rows = match &call.args[..] {
            [ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)] => 1,
            _ => call.number_rows,
        };
        let is_constant = call
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let names = call.args[0].to_array(n_rows)?;
        let moments = call.args[1].to_array(n_rows)?;
        let taken = self.taken(&names, &moments, call.return_field.data_type())?;
        Ok(match is_constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&taken, 0)?),
            false => ColumnarValue::Array(taken),
        })
    }
}

fn unit_of(name: &ScalarValue) -> Option<Unit> {
    Unit::named(name.try_as_str().flatten()?)
}

impl Extract {
    fn data_type(&self, unit: Option<Unit>, is_date: bool) -> DataType {
        if !self.is_numeric {
            return DataType::Float64;
        }
        let scale = match unit {
            Some(Unit::Epoch) if is_date => 0,
            None | Some(Unit::Epoch | Unit::Second) => SECONDS_SCALE,
            Some(Unit::Milliseconds) => 3,
            Some(Unit::Julian) if !is_date => JULIAN_SCALE,
            Some(_) => 0,
        };
        // An interval's seconds since 1970 have more digits than a moment's.
        let whole = match unit {
            None | Some(Unit::Epoch) => WHOLE_DIGITS + 4,
            Some(_) => WHOLE_DIGITS,
        };
        DataType::Decimal128(whole + scale.unsigned_abs(), scale)
    }

    fn taken(
        &self,
        names: &ArrayRef,
        moments: &ArrayRef,
        to: &DataType,
    ) -> DataFusionResult<ArrayRef> {
        let names = names.as_string::<i32>();
        // The name is the same in all rows but in the rarest of statements.
        let mut known: Option<(&str, Option<Unit>)> = None;
        let mut parts = Vec::with_capacity(moments.len());
        for index in 0..moments.len() {
            if names.is_null(index) || moments.is_null(index) {
                parts.push(None);
                continue;
            }
            let name = names.value(index);
            let unit = match known {
                Some((last, unit)) if last == name => unit,
                _ => Unit::named(name),
            };
            known = Some((name, unit));
            let moment = moment(moments, index, &self.style)?;
            parts.push(part(&moment, unit, name).map_err(external)?);
        }
        Ok(match to {
            DataType::Decimal128(precision, scale) => {
                let mut values = Decimal128Builder::with_capacity(parts.len())
                    .with_precision_and_scale(*precision, *scale)?;
                for part in parts {
                    let value = part.map(|part| part.numeric(*scale)).transpose();
                    values.append_option(value.map_err(external)?);
                }
                Arc::new(values.finish())
            }
            _ => {
                let mut values = Float64Builder::with_capacity(parts.len());
                for part in parts {
                    values.append_option(part.map(Part::float));
                }
                Arc::new(values.finish())
            }
        })
    }
}

fn moment(moments: &ArrayRef, index: usize, style: &Style) -> DataFusionResult<Moment> {
    Ok(match moments.data_type() {
        DataType::Date32 => Moment::Date(moments.as_primitive::<Date32Type>().value(index)),
        DataType::Time64(_) => {
            Moment::Time(moments.as_primitive::<Time64MicrosecondType>().value(index))
        }
        DataType::Timestamp(_, zone) => {
            let micros = moments
                .as_primitive::<TimestampMicrosecondType>()
                .value(index);
            match zone {
                None => Moment::Timestamp(micros),
                Some(_) => {
                    let is_finite = !matches!(micros, i64::MIN | i64::MAX);
                    let offset = match is_finite {
                        true => style.zone.offset_seconds(micros),
                        false => 0,
                    };
                    Moment::Instant(micros, offset)
                }
            }
        }
        DataType::Interval(_) => {
            let interval = moments
                .as_primitive::<IntervalMonthDayNanoType>()
                .value(index);
            Moment::Interval {
                months: i64::from(interval.months),
                days: i64::from(interval.days),
                micros: interval.nanoseconds / 1000,
            }
        }
        other => {
            let message = format!("{other} has no fields");
            return Err(DataFusionError::Plan(message));
        }
    })
}
