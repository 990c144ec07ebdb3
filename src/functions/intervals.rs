//! Intervals multiplied and divided, and the time between two moments in years, months and days.
//! <https://www.postgresql.org/docs/16/functions-datetime.html>

use std::sync::{Arc, LazyLock};

use arrow::datatypes::IntervalMonthDayNano;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::output::{MICROS_PER_DAY, Zone};
use super::scalar::{Argument, Scalar};
use crate::error::{Error, ErrorKind, Result};
use crate::types::oid;

const DAYS_PER_MONTH: f64 = 30.0;
const SECONDS_PER_DAY: f64 = 86_400.0;

/// `interval * number`, as `interval_mul` in timestamp.c. Made once: two calls in a statement are of
/// the same function, as GROUP BY needs to know.
pub fn multiplied() -> Arc<ScalarUDF> {
    static MULTIPLIED: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| scaled("interval_mul", |factor| Ok(Scale::By(factor))));
    Arc::clone(&MULTIPLIED)
}

/// `interval / number`, as `interval_div` in timestamp.c. Made once, as [`multiplied`] is.
pub fn divided() -> Arc<ScalarUDF> {
    static DIVIDED: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        scaled("interval_div", |divisor| match divisor {
            0.0 => Err(Error::new(ErrorKind::DivisionByZero, "division by zero")),
            _ => Ok(Scale::Over(divisor)),
        })
    });
    Arc::clone(&DIVIDED)
}

/// What an interval is scaled by: a quotient is not a product with the inverse to the last digit.
#[derive(Clone, Copy, Debug)]
enum Scale {
    By(f64),
    Over(f64),
}

impl Scale {
    fn apply(self, value: f64) -> f64 {
        match self {
            Self::By(factor) => value * factor,
            Self::Over(divisor) => value / divisor,
        }
    }
}

fn scaled(
    name: &'static str,
    scale: impl Fn(f64) -> Result<Scale> + Send + Sync + 'static,
) -> Arc<ScalarUDF> {
    let arguments = &[Argument::Of(oid::INTERVAL), Argument::Of(oid::FLOAT8)];
    Scalar::new(name, arguments, oid::INTERVAL, move |row| match row {
        [
            ScalarValue::IntervalMonthDayNano(Some(interval)),
            ScalarValue::Float64(Some(number)),
        ] => {
            let scaled = cascaded(*interval, scale(*number)?)?;
            Ok(ScalarValue::IntervalMonthDayNano(Some(scaled)))
        }
        _ => ScalarValue::try_from(&arrow::datatypes::DataType::Null).map_err(Error::internal),
    })
    .udf()
}

/// Scales each count, and hands down to the next what is no whole one.
fn cascaded(interval: IntervalMonthDayNano, scale: Scale) -> Result<IntervalMonthDayNano> {
    let (months, days) = (f64::from(interval.months), f64::from(interval.days));
    let whole_months = whole(scale.apply(months))?;
    let mut whole_days = whole(scale.apply(days))?;
    let days_of_month = to_micros((scale.apply(months) - f64::from(whole_months)) * DAYS_PER_MONTH);
    let part_of_days = scale.apply(days) - f64::from(whole_days) + days_of_month.fract();
    let mut seconds = to_micros(part_of_days * SECONDS_PER_DAY);
    if seconds.abs() >= SECONDS_PER_DAY {
        let more = (seconds / SECONDS_PER_DAY).trunc();
        whole_days = whole_days
            .checked_add(whole(more)?)
            .ok_or_else(out_of_range)?;
        seconds -= more * SECONDS_PER_DAY;
    }
    whole_days = whole_days
        .checked_add(whole(days_of_month)?)
        .ok_or_else(out_of_range)?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "as PostgreSQL's, which computes in float8"
    )]
    let micros = (interval.nanoseconds / 1000) as f64;
    let micros = (scale.apply(micros) + seconds * 1e6).round_ties_even();
    // Nanoseconds are what Arrow's intervals count.
    if micros.is_nan() || micros.abs() >= 9.2e15 {
        return Err(out_of_range());
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    let nanos = micros as i64 * 1000;
    Ok(IntervalMonthDayNano::new(whole_months, whole_days, nanos))
}

fn whole(value: f64) -> Result<i32> {
    let value = value.trunc();
    let holds = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value);
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    holds.then_some(value as i32).ok_or_else(out_of_range)
}

/// As `TSROUND` in timestamp.h.
fn to_micros(value: f64) -> f64 {
    (value * 1e6).round_ties_even() / 1e6
}

fn out_of_range() -> Error {
    Error::new(ErrorKind::DatetimeFieldOverflow, "interval out of range")
}

/// `age(later, earlier)`, as `timestamp_age` and `timestamptz_age` in timestamp.c: instants are
/// compared as the session's clocks show them.
pub(super) fn age(zone: Zone) -> Arc<ScalarUDF> {
    Scalar::new(
        "age",
        &[Argument::Any, Argument::Any],
        oid::INTERVAL,
        move |row| {
            let (first, second) = (local(&row[0], zone)?, local(&row[1], zone)?);
            let is_negative = first < second;
            let (later, earlier) = match is_negative {
                true => (second, first),
                false => (first, second),
            };
            let age = between(later, earlier, is_negative).ok_or_else(out_of_range)?;
            Ok(ScalarValue::IntervalMonthDayNano(Some(age)))
        },
    )
    .udf()
}

/// What the session's clocks show at a moment.
fn local(value: &ScalarValue, zone: Zone) -> Result<NaiveDateTime> {
    let micros = match value {
        ScalarValue::Date32(Some(days)) if !matches!(*days, i32::MIN | i32::MAX) => {
            Some(i64::from(*days) * MICROS_PER_DAY)
        }
        ScalarValue::TimestampMicrosecond(Some(micros), None) => Some(*micros),
        ScalarValue::TimestampMicrosecond(Some(micros), Some(_)) => {
            micros.checked_add(zone.offset_seconds(*micros) * 1_000_000)
        }
        ScalarValue::Utf8(Some(_)) | ScalarValue::Utf8View(Some(_)) => {
            let message = "function age(unknown, unknown) is not unique";
            return Err(Error::new(ErrorKind::AmbiguousFunction, message));
        }
        _ => None,
    };
    micros
        .and_then(DateTime::from_timestamp_micros)
        .map(|moment| moment.naive_utc())
        .ok_or_else(|| Error::new(ErrorKind::DatetimeFieldOverflow, "timestamp out of range"))
}

fn between(
    later: NaiveDateTime,
    earlier: NaiveDateTime,
    is_negative: bool,
) -> Option<IntervalMonthDayNano> {
    let micros_of_day = |at: NaiveDateTime| {
        i64::from(at.num_seconds_from_midnight()) * 1_000_000 + i64::from(at.nanosecond() / 1000)
    };
    let mut micros = micros_of_day(later) - micros_of_day(earlier);
    let mut days = i64::from(later.day()) - i64::from(earlier.day());
    let mut months = (i64::from(later.year()) - i64::from(earlier.year())) * 12
        + i64::from(later.month())
        - i64::from(earlier.month());
    if micros < 0 {
        micros += MICROS_PER_DAY;
        days -= 1;
    }
    while days < 0 {
        // A month has the days of that of the second argument, whichever comes first in time.
        let month = if is_negative { later } else { earlier };
        days += days_of_month(month.date())?;
        months -= 1;
    }
    let sign = if is_negative { -1 } else { 1 };
    Some(IntervalMonthDayNano::new(
        i32::try_from(sign * months).ok()?,
        i32::try_from(sign * days).ok()?,
        sign * micros * 1000,
    ))
}

fn days_of_month(date: NaiveDate) -> Option<i64> {
    let first = date.with_day(1)?;
    let next = first.checked_add_months(chrono::Months::new(1))?;
    Some((next - first).num_days())
}
