//! Moments and intervals made of numbers: `make_date`, `make_time`, `make_timestamp`,
//! `make_timestamptz`, `make_interval`, `to_timestamp` of seconds.
//! <https://www.postgresql.org/docs/16/functions-datetime.html#FUNCTIONS-DATETIME-TABLE>

use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::civil::{Civil, MICROS_PER_SECOND};
use super::fields::timestamp_out_of_range;
use super::zone::{Place, instant, instants, place};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::calendar;
use crate::functions::output::{MICROS_PER_DAY, Style};
use crate::functions::overloads::{Gives, Kind, Overloaded, float, integer};
use crate::functions::scalar::text;

/// The functions of this file.
pub(super) fn functions(style: Style) -> Vec<Arc<ScalarUDF>> {
    vec![
        make_date(),
        make_time(),
        make_timestamp(),
        make_timestamptz(style),
        make_interval(),
    ]
}

const FIELDS: [Kind; 6] = [
    Kind::Int4,
    Kind::Int4,
    Kind::Int4,
    Kind::Int4,
    Kind::Int4,
    Kind::Float8,
];

fn make_date() -> Arc<ScalarUDF> {
    Overloaded::immutable("make_date")
        .with(&FIELDS[..3], Gives::Of(DataType::Date32), |row| {
            let day = date(&row[..3], "date")?.day_number();
            let day = i32::try_from(day).map_err(|_| timestamp_out_of_range())?;
            Ok(ScalarValue::Date32(Some(day)))
        })
        .udf()
}

fn make_time() -> Arc<ScalarUDF> {
    let time_type = DataType::Time64(TimeUnit::Microsecond);
    Overloaded::immutable("make_time")
        .with(&FIELDS[3..], Gives::Of(time_type), |row| {
            let micros = of_day(&row[..3], "time")?;
            Ok(ScalarValue::Time64Microsecond(Some(micros)))
        })
        .udf()
}

fn make_timestamp() -> Arc<ScalarUDF> {
    let timestamps = DataType::Timestamp(TimeUnit::Microsecond, None);
    Overloaded::immutable("make_timestamp")
        .with(&FIELDS, Gives::Of(timestamps), |row| {
            Ok(ScalarValue::TimestampMicrosecond(Some(local(row)?), None))
        })
        .udf()
}

fn make_timestamptz(style: Style) -> Arc<ScalarUDF> {
    let zone: Arc<str> = style.zone.name().into();
    let at = move |row: &[ScalarValue], place: Place| {
        let local = local(&row[..6])?;
        let seconds = place.offset_at_local(local);
        let at = seconds.and_then(|seconds| local.checked_sub(seconds * MICROS_PER_SECOND));
        Ok(instant(at.ok_or_else(timestamp_out_of_range)?, &zone))
    };
    let at_named = at.clone();
    let with_zone: Vec<Kind> = FIELDS.into_iter().chain([Kind::Text]).collect();
    Overloaded::stable("make_timestamptz")
        .with(&FIELDS, Gives::Of(instants(&style)), move |row| {
            at(row, Place::Zone(style.zone))
        })
        .with(&with_zone, Gives::Of(instants(&style)), move |row| {
            at_named(row, offset_or_place(text(&row[6]))?)
        })
        .udf()
}

/// As `parse_sane_timezone`: an offset counts east of Greenwich here, unlike in other names of zones.
fn offset_or_place(name: &str) -> Result<Place> {
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        let message = format!("invalid input syntax for type numeric time zone: \"{name}\"");
        return Err(Error::new(ErrorKind::InvalidParameterValue, message)
            .with_hint("Numeric time zones must have \"-\" or \"+\" as first character."));
    }
    match crate::functions::input::offset(name) {
        Some(seconds) => Ok(Place::Seconds(i64::from(seconds))),
        None => place(name),
    }
}

fn date(row: &[ScalarValue], of: &str) -> Result<Civil> {
    let (year, month, day) = (integer(&row[0]), integer(&row[1]), integer(&row[2]));
    let wrong = || {
        let message = format!("{of} field value out of range: {year}-{month:02}-{day:02}");
        Error::new(ErrorKind::DatetimeFieldOverflow, message)
    };
    // There is no year 0; those before it are counted from 1 BC.
    let astronomical = match year {
        0 => return Err(wrong()),
        year if year < 0 => year + 1,
        year => year,
    };
    let civil = Civil {
        year: astronomical,
        month,
        day,
        ..Civil::default()
    };
    let is_day = (1..=12).contains(&month)
        && day >= 1
        && calendar::date_of(civil.day_number()) == (astronomical, month, day);
    match is_day && (-4713..=262_142).contains(&astronomical) {
        true => Ok(civil),
        false => Err(wrong()),
    }
}

/// Microseconds of a day, up to its end, as `float_time_overflows` and `make_timestamp_internal`.
fn of_day(row: &[ScalarValue], of: &str) -> Result<i64> {
    let (hour, minute, second) = (integer(&row[0]), integer(&row[1]), float(&row[2]));
    let micros = (second * 1e6).round_ties_even();
    let is_time = (0..=24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..=60e6).contains(&micros)
        && !second.is_nan();
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    let total = match is_time {
        true => (hour * 60 + minute) * 60 * MICROS_PER_SECOND + micros as i64,
        false => i64::MAX,
    };
    if total > MICROS_PER_DAY {
        let message = format!("{of} field value out of range: {hour}:{minute:02}:{second:02}");
        return Err(Error::new(ErrorKind::DatetimeFieldOverflow, message));
    }
    Ok(total)
}

fn local(row: &[ScalarValue]) -> Result<i64> {
    let day = date(&row[..3], "date")?.day_number();
    let of_day = of_day(&row[3..6], "time")?;
    let micros = day.checked_mul(MICROS_PER_DAY);
    micros
        .and_then(|micros| micros.checked_add(of_day))
        .ok_or_else(timestamp_out_of_range)
}

/// The number of arguments that `make_interval` has at most: years, months, weeks, days, hours,
/// minutes, seconds. All have a default of 0.
const INTERVAL_FIELDS: usize = 7;

fn make_interval() -> Arc<ScalarUDF> {
    let mut function = Overloaded::immutable("make_interval");
    for count in 0..=INTERVAL_FIELDS {
        let kinds: Vec<Kind> = (0..count)
            .map(|index| match index {
                6 => Kind::Float8,
                _ => Kind::Int4,
            })
            .collect();
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        function = function.with(&kinds, Gives::Of(interval), interval_of);
    }
    function.udf()
}

fn interval_of(row: &[ScalarValue]) -> Result<ScalarValue> {
    let field = |index: usize| row.get(index).map_or(0, integer);
    let out_of_range = || Error::new(ErrorKind::DatetimeFieldOverflow, "interval out of range");
    let seconds = row.get(6).map_or(0.0, float);
    let micros = (seconds * 1e6).round_ties_even();
    if micros.is_nan() || micros.abs() >= 9.2e15 {
        return Err(out_of_range());
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    let micros = micros as i64 + (field(4) * 60 + field(5)) * 60 * MICROS_PER_SECOND;
    let months = i32::try_from(field(0) * 12 + field(1)).map_err(|_| out_of_range())?;
    let days = i32::try_from(field(2) * 7 + field(3)).map_err(|_| out_of_range())?;
    let nanos = micros.checked_mul(1000).ok_or_else(out_of_range)?;
    let interval = IntervalMonthDayNano::new(months, days, nanos);
    Ok(ScalarValue::IntervalMonthDayNano(Some(interval)))
}

/// `to_timestamp(seconds)`, as `float8_timestamptz`.
pub(in crate::functions) fn of_seconds(seconds: f64) -> Result<i64> {
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { i64::MAX } else { i64::MIN });
    }
    let range = || {
        let message = match seconds.is_nan() {
            true => "timestamp cannot be NaN".to_owned(),
            false => format!("timestamp out of range: \"{seconds}\""),
        };
        Error::new(ErrorKind::DatetimeFieldOverflow, message)
    };
    // From 4714 BC to the last that microseconds from 1970 count, as seconds.
    if !(-210_866_803_200.0..9_223_372_036_854.0).contains(&seconds) {
        return Err(range());
    }
    // PostgreSQL counts from 2000, which decides how the last microsecond is rounded.
    let epoch = 946_684_800.0;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    let micros = ((seconds - epoch) * 1e6).round_ties_even() as i64;
    micros.checked_add(946_684_800_000_000).ok_or_else(range)
}
