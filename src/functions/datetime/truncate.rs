//! `date_trunc`: a moment or an interval down to a unit.
//! <https://www.postgresql.org/docs/16/functions-datetime.html#FUNCTIONS-DATETIME-TRUNC>

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::civil::{Civil, MICROS_PER_SECOND, monday_of};
use super::fields::timestamp_out_of_range;
use super::unit::{Unit, unrecognized, unsupported};
use super::zone::{Place, place};
use crate::error::Result;
use crate::functions::output::{MICROS_PER_DAY, Style};
use crate::functions::overloads::undefined;
use crate::functions::scalar::external;

/// The function, for sessions in this zone.
pub(super) fn function(style: Style) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(DateTrunc {
        signature: Signature::user_defined(Volatility::Stable),
        style,
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateTrunc {
    signature: Signature,
    style: Style,
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &'static str {
        "date_trunc"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        let session = || {
            let zone = self.style.zone.name();
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()))
        };
        let of = match given {
            // A date is the instant at which it begins in the session's zone.
            [_, DataType::Date32] | [_, _, DataType::Utf8 | DataType::Utf8View] => session(),
            [_, DataType::Timestamp(_, Some(_))] => session(),
            [_, DataType::Timestamp(_, None)] => DataType::Timestamp(TimeUnit::Microsecond, None),
            [
                _,
                DataType::Interval(_) | DataType::Duration(_) | DataType::Time64(_),
            ] => DataType::Interval(IntervalUnit::MonthDayNano),
            [_, DataType::Null | DataType::Utf8 | DataType::Utf8View] => session(),
            _ => return Err(external(undefined(self.name(), given))),
        };
        let mut types = vec![DataType::Utf8, of];
        types.extend(given.get(2).map(|_| DataType::Utf8));
        Ok(types)
    }

    fn return_type(&self, arguments: &[DataType]) -> DataFusionResult<DataType> {
        Ok(arguments[1].clone())
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let is_constant = call
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let n_rows = if is_constant { 1 } else { call.number_rows };
        let columns: DataFusionResult<Vec<ArrayRef>> = call
            .args
            .iter()
            .map(|argument| argument.to_array(n_rows))
            .collect();
        let truncated = self.truncated(&columns?)?;
        Ok(match is_constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&truncated, 0)?),
            false => ColumnarValue::Array(truncated),
        })
    }
}

impl DateTrunc {
    fn truncated(&self, columns: &[ArrayRef]) -> DataFusionResult<ArrayRef> {
        let (names, moments) = (columns[0].as_string::<i32>(), &columns[1]);
        let zones = columns.get(2).map(|zones| zones.as_string::<i32>());
        let is_null = |index: usize| {
            names.is_null(index)
                || moments.is_null(index)
                || zones.is_some_and(|zones| zones.is_null(index))
        };
        if let DataType::Interval(_) = moments.data_type() {
            let intervals = moments.as_primitive::<IntervalMonthDayNanoType>();
            let values = (0..moments.len()).map(|index| match is_null(index) {
                true => Ok(None),
                false => interval(names.value(index), intervals.value(index)).map(Some),
            });
            let values: Result<Vec<_>> = values.collect();
            let values = values.map_err(external)?;
            return Ok(Arc::new(arrow::array::PrimitiveArray::<
                IntervalMonthDayNanoType,
            >::from(values)));
        }
        let micros = moments.as_primitive::<TimestampMicrosecondType>();
        let zone = match moments.data_type() {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        // The name is the same in all rows but in the rarest of statements, and moments come together that are equal.
        let (mut known, mut last): (Option<Named<'_>>, Option<(i64, i64)>) = (None, None);
        let values = (0..moments.len()).map(|index| {
            if is_null(index) {
                return Ok(None);
            }
            let (name, value) = (names.value(index), micros.value(index));
            let named = match known {
                Some(known) if known.name == name => known,
                _ => {
                    last = None;
                    *known.insert(Named::of(name))
                }
            };
            if let Some((of, truncated)) = last
                && of == value
                && zones.is_none()
            {
                return Ok(Some(truncated));
            }
            let truncated = match (&zone, zones) {
                (None, _) => local(named, value, "timestamp without time zone"),
                (Some(_), None) => instant(named, value, Place::Zone(self.style.zone)),
                (Some(_), Some(zones)) => instant(named, value, place(zones.value(index))?),
            }?;
            last = Some((value, truncated));
            Ok(Some(truncated))
        });
        let values: Result<Vec<Option<i64>>> = values.collect();
        let values = values.map_err(external)?;
        let values = arrow::array::PrimitiveArray::<TimestampMicrosecondType>::from(values);
        Ok(Arc::new(values.with_timezone_opt(zone)))
    }
}

/// The name of a unit, and which it is.
#[derive(Clone, Copy)]
struct Named<'a> {
    name: &'a str,
    unit: Option<Unit>,
}

impl<'a> Named<'a> {
    fn of(name: &'a str) -> Self {
        Self {
            name,
            unit: Unit::named(name),
        }
    }
}

/// As `timestamp_trunc`.
fn local(named: Named<'_>, micros: i64, of: &str) -> Result<i64> {
    let Named { name, unit } = named;
    // What is no length of time is no unit here.
    let is_length = |unit: &Unit| !unit.is_special();
    let unit = unit.filter(is_length);
    let unit = unit.ok_or_else(|| unrecognized(name, of))?;
    if !is_truncating(unit) {
        return Err(unsupported(name, of));
    }
    if matches!(micros, i64::MIN | i64::MAX) {
        return Ok(micros);
    }
    down(unit, micros).ok_or_else(timestamp_out_of_range)
}

/// As `timestamptz_trunc_internal`: what is longer than an hour begins when the clock says so.
fn instant(named: Named<'_>, micros: i64, place: Place) -> Result<i64> {
    let of = "timestamp with time zone";
    if matches!(micros, i64::MIN | i64::MAX) {
        return local(named, micros, of);
    }
    let offset = place.offset_seconds(micros) * MICROS_PER_SECOND;
    let shown = micros
        .checked_add(offset)
        .ok_or_else(timestamp_out_of_range)?;
    let truncated = local(named, shown, of)?;
    let is_short = matches!(
        named.unit,
        Some(Unit::Microseconds | Unit::Milliseconds | Unit::Second | Unit::Minute | Unit::Hour)
    );
    match is_short {
        true => truncated.checked_sub(offset),
        false => place
            .offset_at_local(truncated)
            .and_then(|seconds| truncated.checked_sub(seconds * MICROS_PER_SECOND)),
    }
    .ok_or_else(timestamp_out_of_range)
}

fn is_truncating(unit: Unit) -> bool {
    matches!(
        unit,
        Unit::Microseconds
            | Unit::Milliseconds
            | Unit::Second
            | Unit::Minute
            | Unit::Hour
            | Unit::Day
            | Unit::Week
            | Unit::Month
            | Unit::Quarter
            | Unit::Year
            | Unit::Decade
            | Unit::Century
            | Unit::Millennium
    )
}

/// The last beginning of a unit before a moment.
fn down(unit: Unit, micros: i64) -> Option<i64> {
    let short = match unit {
        Unit::Microseconds => Some(1),
        Unit::Milliseconds => Some(1000),
        Unit::Second => Some(MICROS_PER_SECOND),
        Unit::Minute => Some(60 * MICROS_PER_SECOND),
        Unit::Hour => Some(3600 * MICROS_PER_SECOND),
        Unit::Day => Some(MICROS_PER_DAY),
        _ => None,
    };
    if let Some(length) = short {
        return micros.checked_sub(micros.rem_euclid(length));
    }
    let civil = Civil::of(micros);
    let year = civil.year;
    let (year, month) = match unit {
        Unit::Week => {
            let (iso_year, week) = civil.iso_week();
            return monday_of(iso_year, week).checked_mul(MICROS_PER_DAY);
        }
        Unit::Month => (year, civil.month),
        Unit::Quarter => (year, 3 * ((civil.month - 1) / 3) + 1),
        Unit::Decade if year > 0 => (year / 10 * 10, 1),
        Unit::Decade => (-((8 - (year - 1)) / 10) * 10, 1),
        Unit::Century if year > 0 => ((year + 99) / 100 * 100 - 99, 1),
        Unit::Century => (-((99 - (year - 1)) / 100) * 100 + 1, 1),
        Unit::Millennium if year > 0 => ((year + 999) / 1000 * 1000 - 999, 1),
        Unit::Millennium => (-((999 - (year - 1)) / 1000) * 1000 + 1, 1),
        _ => (year, 1),
    };
    Civil {
        year,
        month,
        day: 1,
        ..Civil::default()
    }
    .to_micros()
}

/// As `interval_trunc`: towards zero, count by count.
fn interval(name: &str, value: IntervalMonthDayNano) -> Result<IntervalMonthDayNano> {
    let unit = Unit::named(name).ok_or_else(|| unrecognized(name, "interval"))?;
    let months = |of: i32| Some(IntervalMonthDayNano::new(value.months / of * of, 0, 0));
    let micros = |of: i64| {
        let nanos = value.nanoseconds / (of * 1000) * (of * 1000);
        Some(IntervalMonthDayNano::new(value.months, value.days, nanos))
    };
    let truncated = match unit {
        Unit::Millennium => months(12_000),
        Unit::Century => months(1200),
        Unit::Decade => months(120),
        Unit::Year => months(12),
        Unit::Quarter => months(3),
        Unit::Month => months(1),
        Unit::Day => Some(IntervalMonthDayNano::new(value.months, value.days, 0)),
        Unit::Hour => micros(3600 * MICROS_PER_SECOND),
        Unit::Minute => micros(60 * MICROS_PER_SECOND),
        Unit::Second => micros(MICROS_PER_SECOND),
        Unit::Milliseconds => micros(1000),
        Unit::Microseconds => micros(1),
        _ => None,
    };
    truncated.ok_or_else(|| {
        let error = unsupported(name, "interval");
        match unit {
            Unit::Week => error.with_detail("Months usually have fractional weeks."),
            _ => error,
        }
    })
}
