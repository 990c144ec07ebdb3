//! The time between two moments, and how long an interval is when it is compared.
//! <https://www.postgresql.org/docs/16/functions-datetime.html>

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::output::MICROS_PER_DAY;
use super::overloads::{Gives, Kind, Overloaded};
use crate::error::{Error, ErrorKind, Result};

/// The difference of two timestamps, or of two instants, in days and what is left of one
/// (`timestamp_mi` in timestamp.c). Made once: two calls in a statement are of the same function, as
/// GROUP BY needs to know.
pub fn between() -> Arc<ScalarUDF> {
    static BETWEEN: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let interval = || Gives::Of(DataType::Interval(IntervalUnit::MonthDayNano));
        Overloaded::immutable("timestamp_mi")
            .with(&[Kind::Timestamp, Kind::Timestamp], interval(), difference)
            .with(&[Kind::Instant, Kind::Instant], interval(), difference)
            .udf()
    });
    Arc::clone(&BETWEEN)
}

fn difference(row: &[ScalarValue]) -> Result<ScalarValue> {
    let micros = |value: &ScalarValue| match value {
        ScalarValue::TimestampMicrosecond(Some(micros), _)
            if !matches!(*micros, i64::MIN | i64::MAX) =>
        {
            Some(*micros)
        }
        _ => None,
    };
    let out_of_range = |what: &str| Error::new(ErrorKind::DatetimeFieldOverflow, what.to_owned());
    let (Some(later), Some(earlier)) = (micros(&row[0]), micros(&row[1])) else {
        return Err(out_of_range("cannot subtract infinite timestamps"));
    };
    let between = i128::from(later) - i128::from(earlier);
    let day = i128::from(MICROS_PER_DAY);
    let days = i32::try_from(between / day).map_err(|_| out_of_range("interval out of range"))?;
    // Less than a day: it fits.
    let nanos = i64::try_from(between % day * 1000).unwrap_or_default();
    let interval = IntervalMonthDayNano::new(0, days, nanos);
    Ok(ScalarValue::IntervalMonthDayNano(Some(interval)))
}

/// How long an interval is, in microseconds: a month counts 30 days, and a day 24 hours
/// (`interval_cmp_value` in timestamp.c).
pub fn length() -> Arc<ScalarUDF> {
    Overloaded::immutable("interval_cmp_value")
        .with(
            &[Kind::Interval],
            Gives::Of(DataType::Decimal128(38, 0)),
            |row| {
                let ScalarValue::IntervalMonthDayNano(Some(interval)) = &row[0] else {
                    return Ok(ScalarValue::Decimal128(None, 38, 0));
                };
                let days = i128::from(interval.months) * 30 + i128::from(interval.days);
                let micros =
                    days * i128::from(MICROS_PER_DAY) + i128::from(interval.nanoseconds / 1000);
                Ok(ScalarValue::Decimal128(Some(micros), 38, 0))
            },
        )
        .udf()
}
