//! `extract`, which is numeric, and `date_part`, which is double precision.
//! <https://www.postgresql.org/docs/16/functions-datetime.html#FUNCTIONS-DATETIME-EXTRACT>

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, PrimitiveBuilder, StringArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, FieldRef, Float64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
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
        let is_constant = call
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let n_rows = match is_constant {
            true => 1,
            false => call.number_rows,
        };
        let moments = call.args[1].to_array(n_rows)?;
        let names = match &call.args[0] {
            ColumnarValue::Scalar(name) => Names::One(name.try_as_str().flatten()),
            ColumnarValue::Array(names) => Names::Each(names.as_string::<i32>()),
        };
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
        names: &Names<'_>,
        moments: &ArrayRef,
        to: &DataType,
    ) -> DataFusionResult<ArrayRef> {
        let moments = Moments::of(moments, &self.style)?;
        Ok(match to {
            DataType::Decimal128(precision, scale) => {
                let numeric = |part: Part| part.numeric(*scale).map_err(external);
                let values = each::<Decimal128Type>(names, &moments, numeric)?;
                Arc::new(values.with_precision_and_scale(*precision, *scale)?)
            }
            _ => Arc::new(each::<Float64Type>(names, &moments, |part| {
                Ok(part.float())
            })?),
        })
    }
}

/// The field of each moment, as `value` has it.
fn each<T: ArrowPrimitiveType>(
    names: &Names<'_>,
    moments: &Moments<'_>,
    value: impl Fn(Part) -> DataFusionResult<T::Native>,
) -> DataFusionResult<PrimitiveArray<T>> {
    let mut values = PrimitiveBuilder::<T>::with_capacity(moments.n_rows);
    // The name is the same in all rows but in the rarest of statements, and the moment often that of the row before.
    let mut named: Option<(&str, Option<Unit>)> = None;
    let mut last: Option<(Moment, Option<T::Native>)> = None;
    for index in 0..moments.n_rows {
        let (Some(name), Some(moment)) = (names.at(index), moments.at(index)) else {
            values.append_null();
            continue;
        };
        let unit = match named {
            Some((known, unit)) if known == name => unit,
            _ => {
                last = None;
                Unit::named(name)
            }
        };
        named = Some((name, unit));
        let own = match last {
            Some((known, own)) if known == moment => own,
            _ => {
                let part = part(&moment, unit, name).map_err(external)?;
                part.map(&value).transpose()?
            }
        };
        last = Some((moment, own));
        values.append_option(own);
    }
    Ok(values.finish())
}

/// The names of the fields that are asked for.
enum Names<'a> {
    One(Option<&'a str>),
    Each(&'a StringArray),
}

impl<'a> Names<'a> {
    fn at(&self, index: usize) -> Option<&'a str> {
        match self {
            Self::One(name) => *name,
            Self::Each(names) => names.is_valid(index).then(|| names.value(index)),
        }
    }
}

/// Moments of one type.
struct Moments<'a> {
    values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
    n_rows: usize,
}

enum Values<'a> {
    Dates(&'a [i32]),
    Times(&'a [i64]),
    Timestamps(&'a [i64]),
    Instants(&'a [i64], &'a Style),
    Intervals(&'a [IntervalMonthDayNano]),
}

impl<'a> Moments<'a> {
    fn of(moments: &'a ArrayRef, style: &'a Style) -> DataFusionResult<Self> {
        let values = match moments.data_type() {
            DataType::Date32 => Values::Dates(moments.as_primitive::<Date32Type>().values()),
            DataType::Time64(_) => {
                Values::Times(moments.as_primitive::<Time64MicrosecondType>().values())
            }
            DataType::Timestamp(_, zone) => {
                let micros = moments.as_primitive::<TimestampMicrosecondType>().values();
                match zone {
                    None => Values::Timestamps(micros),
                    Some(_) => Values::Instants(micros, style),
                }
            }
            DataType::Interval(_) => {
                Values::Intervals(moments.as_primitive::<IntervalMonthDayNanoType>().values())
            }
            other => {
                let message = format!("{other} has no fields");
                return Err(DataFusionError::Plan(message));
            }
        };
        Ok(Self {
            values,
            nulls: moments.nulls(),
            n_rows: moments.len(),
        })
    }

    fn at(&self, index: usize) -> Option<Moment> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(index)) {
            return None;
        }
        Some(match &self.values {
            Values::Dates(days) => Moment::Date(days[index]),
            Values::Times(micros) => Moment::Time(micros[index]),
            Values::Timestamps(micros) => Moment::Timestamp(micros[index]),
            Values::Instants(micros, style) => {
                let micros = micros[index];
                let is_finite = !matches!(micros, i64::MIN | i64::MAX);
                let offset = match is_finite {
                    true => style.zone.offset_seconds(micros),
                    false => 0,
                };
                Moment::Instant(micros, offset)
            }
            Values::Intervals(intervals) => {
                let interval = intervals[index];
                Moment::Interval {
                    months: i64::from(interval.months),
                    days: i64::from(interval.days),
                    micros: interval.nanoseconds / 1000,
                }
            }
        })
    }
}
