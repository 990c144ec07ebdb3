//! `date_bin`, `isfinite`, and intervals brought into shape: `justify_hours`, `justify_days`,
//! `justify_interval`. <https://www.postgresql.org/docs/16/functions-datetime.html>

use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::fields::timestamp_out_of_range;
use super::zone::micros;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::input::FIRST_MICROSECOND;
use crate::functions::output::{MICROS_PER_DAY, Style};
use crate::functions::overloads::{Gives, Kind, Overloaded};

/// The functions of this file.
pub(super) fn functions(style: Style) -> Vec<Arc<ScalarUDF>> {
    let bin = Overloaded::stable("date_bin")
        .in_zone(style.zone)
        .with(
            &[Kind::Interval, Kind::Instant, Kind::Instant],
            Gives::Argument(1),
            bin,
        )
        .with(
            &[Kind::Interval, Kind::Timestamp, Kind::Timestamp],
            Gives::Argument(1),
            bin,
        );
    let finite = |row: &[ScalarValue]| {
        let is_finite = match &row[0] {
            ScalarValue::Date32(Some(day)) => !matches!(*day, i32::MIN | i32::MAX),
            ScalarValue::TimestampMicrosecond(Some(at), _) => !matches!(*at, i64::MIN | i64::MAX),
            // PostgreSQL's intervals end, until version 17.
            _ => true,
        };
        Ok(ScalarValue::from(is_finite))
    };
    let isfinite = [Kind::Date, Kind::Timestamp, Kind::Instant, Kind::Interval]
        .into_iter()
        .fold(Overloaded::immutable("isfinite"), |function, kind| {
            function.with(&[kind], Gives::Of(DataType::Boolean), finite)
        });
    vec![
        bin.udf(),
        isfinite.udf(),
        justify("justify_hours", hours),
        justify("justify_days", days),
        justify("justify_interval", both),
    ]
}

fn interval(value: &ScalarValue) -> IntervalMonthDayNano {
    match value {
        ScalarValue::IntervalMonthDayNano(Some(interval)) => *interval,
        _ => IntervalMonthDayNano::ZERO,
    }
}

/// As `timestamp_bin`.
fn bin(row: &[ScalarValue]) -> Result<ScalarValue> {
    let (stride, at, origin) = (interval(&row[0]), micros(&row[1]), micros(&row[2]));
    if matches!(at, i64::MIN | i64::MAX) {
        return Ok(row[1].clone());
    }
    if matches!(origin, i64::MIN | i64::MAX) {
        let message = "origin out of range";
        return Err(Error::new(ErrorKind::DatetimeFieldOverflow, message));
    }
    if stride.months != 0 {
        let message = "timestamps cannot be binned into intervals containing months or years";
        return Err(Error::new(ErrorKind::FeatureNotSupported, message));
    }
    let length = i64::from(stride.days)
        .checked_mul(MICROS_PER_DAY)
        .and_then(|days| days.checked_add(stride.nanoseconds / 1000))
        .ok_or_else(|| Error::new(ErrorKind::DatetimeFieldOverflow, "interval out of range"))?;
    if length <= 0 {
        let message = "stride must be greater than zero";
        return Err(Error::new(ErrorKind::DatetimeFieldOverflow, message));
    }
    let from_origin = at.checked_sub(origin).ok_or_else(timestamp_out_of_range)?;
    let binned = at
        .checked_sub(from_origin.rem_euclid(length))
        .filter(|binned| *binned >= FIRST_MICROSECOND)
        .ok_or_else(timestamp_out_of_range)?;
    let zone = match &row[1] {
        ScalarValue::TimestampMicrosecond(_, zone) => zone.clone(),
        _ => None,
    };
    Ok(ScalarValue::TimestampMicrosecond(Some(binned), zone))
}

/// Months, days and microseconds of an interval.
type Counts = (i64, i64, i64);

fn justify(name: &'static str, shape: fn(Counts) -> Counts) -> Arc<ScalarUDF> {
    let gives = Gives::Of(DataType::Interval(IntervalUnit::MonthDayNano));
    Overloaded::immutable(name)
        .with(&[Kind::Interval], gives, move |row| {
            let value = interval(&row[0]);
            let counts = (
                i64::from(value.months),
                i64::from(value.days),
                value.nanoseconds / 1000,
            );
            let (months, days, micros) = shape(counts);
            let range = || Error::new(ErrorKind::DatetimeFieldOverflow, "interval out of range");
            let months = i32::try_from(months).map_err(|_| range())?;
            let days = i32::try_from(days).map_err(|_| range())?;
            let shaped = IntervalMonthDayNano::new(months, days, micros * 1000);
            Ok(ScalarValue::IntervalMonthDayNano(Some(shaped)))
        })
        .udf()
}

/// Brings what is beyond `length` into the larger count, and both to one sign.
fn carried(larger: i64, smaller: i64, length: i64) -> (i64, i64) {
    let (larger, smaller) = (larger + smaller / length, smaller % length);
    match (larger.signum(), smaller.signum()) {
        (1, -1) => (larger - 1, smaller + length),
        (-1, 1) => (larger + 1, smaller - length),
        _ => (larger, smaller),
    }
}

/// Days of a month, where no month is named.
const DAYS_PER_MONTH: i64 = 30;

fn hours((months, days, micros): Counts) -> Counts {
    let (days, micros) = carried(days, micros, MICROS_PER_DAY);
    (months, days, micros)
}

fn days((months, days, micros): Counts) -> Counts {
    let (months, days) = carried(months, days, DAYS_PER_MONTH);
    (months, days, micros)
}

/// As `interval_justify_interval`: all counts get the sign of the largest that is not zero.
fn both((months, days, micros): Counts) -> Counts {
    let (mut days, mut micros) = (days + micros / MICROS_PER_DAY, micros % MICROS_PER_DAY);
    let mut months = months + days / DAYS_PER_MONTH;
    days %= DAYS_PER_MONTH;
    if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
        days += DAYS_PER_MONTH;
        months -= 1;
    } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
        days -= DAYS_PER_MONTH;
        months += 1;
    }
    if days > 0 && micros < 0 {
        micros += MICROS_PER_DAY;
        days -= 1;
    } else if days < 0 && micros > 0 {
        micros -= MICROS_PER_DAY;
        days += 1;
    }
    (months, days, micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_get_one_sign() {
        let hour = MICROS_PER_DAY / 24;
        assert_eq!(hours((0, 0, 27 * hour)), (0, 1, 3 * hour));
        assert_eq!(days((0, 35, 0)), (1, 5, 0));
        assert_eq!(both((1, 0, -hour)), (0, 29, 23 * hour));
        assert_eq!(both((0, -1, hour)), (0, 0, -23 * hour));
    }
}
