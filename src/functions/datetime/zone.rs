//! `AT TIME ZONE`, which is the function `timezone`: an instant as a zone's clocks show it, and back.
//! <https://www.postgresql.org/docs/16/functions-datetime.html#FUNCTIONS-DATETIME-ZONECONVERT>

use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::civil::MICROS_PER_SECOND;
use super::fields::timestamp_out_of_range;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::input::{self, Abbreviation};
use crate::functions::output::{Style, Zone};
use crate::functions::overloads::{Gives, Kind, Overloaded};
use crate::functions::scalar::text;

/// Where a clock stands.
#[derive(Clone, Copy, Debug)]
pub(in crate::functions) enum Place {
    /// Seconds east of Greenwich, always the same.
    Seconds(i64),
    /// In a zone.
    Zone(Zone),
    /// In a zone, under an abbreviation that has meant several offsets there.
    Abbreviation(&'static str, Zone),
}

impl Place {
    /// Seconds east of Greenwich at an instant.
    pub(in crate::functions) fn offset_seconds(self, micros: i64) -> i64 {
        match self {
            Self::Seconds(seconds) => seconds,
            Self::Zone(zone) => zone.offset_seconds(micros),
            Self::Abbreviation(name, zone) => zone.offset_under(name, micros),
        }
    }

    /// Seconds east of Greenwich when the clock shows this.
    pub(in crate::functions) fn offset_at_local(self, micros: i64) -> Option<i64> {
        match self {
            Self::Seconds(seconds) => Some(seconds),
            Self::Zone(zone) => zone.offset_at_local(micros),
            Self::Abbreviation(name, zone) => zone.offset_of_abbreviation(name, micros),
        }
    }
}

/// The zone of a name, as `DecodeTimezoneName`: an abbreviation, a zone, or POSIX's spelling, whose
/// sign counts west of Greenwich.
///
/// # Errors
/// There is no such zone.
pub(in crate::functions) fn place(name: &str) -> Result<Place> {
    match input::abbreviation(&name.to_lowercase()) {
        Some((_, Abbreviation::Offset(seconds))) => return Ok(Place::Seconds(i64::from(seconds))),
        Some((name, Abbreviation::Zone(zone))) => {
            return Ok(Place::Abbreviation(name, Zone::of(zone)));
        }
        None => {}
    }
    if let Some(zone) = Zone::named(name) {
        return Ok(Place::Zone(zone));
    }
    let posix = match name.find(['+', '-']) {
        Some(0) => input::offset(name),
        Some(split) => {
            let (letters, offset) = name.split_at(split);
            let is_name = letters.len() >= 3 && letters.bytes().all(|it| it.is_ascii_alphabetic());
            is_name.then(|| input::offset(offset)).flatten()
        }
        None => None,
    };
    match posix {
        Some(seconds) => Ok(Place::Seconds(-i64::from(seconds))),
        None => {
            let message = format!("time zone \"{name}\" not recognized");
            Err(Error::new(ErrorKind::InvalidParameterValue, message))
        }
    }
}

/// An interval as an offset from Greenwich, east of it.
fn of_interval(interval: IntervalMonthDayNano) -> Result<Place> {
    if interval.months != 0 || interval.days != 0 {
        let message = "interval time zone must not include months or days";
        return Err(Error::new(ErrorKind::InvalidParameterValue, message));
    }
    Ok(Place::Seconds(
        interval.nanoseconds / (MICROS_PER_SECOND * 1000),
    ))
}

fn given(value: &ScalarValue) -> Result<Place> {
    match value {
        ScalarValue::IntervalMonthDayNano(Some(interval)) => of_interval(*interval),
        other => place(text(other)),
    }
}

/// The type of instants in a session.
pub(in crate::functions) fn instants(style: &Style) -> DataType {
    let zone = style.zone.name();
    DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()))
}

/// Microseconds of a moment; those of a moment without end stay as they are.
pub(super) fn micros(value: &ScalarValue) -> i64 {
    match value {
        ScalarValue::TimestampMicrosecond(Some(micros), _) => *micros,
        _ => 0,
    }
}

/// An instant of microseconds since 1970.
pub(in crate::functions) fn instant(micros: i64, zone: &Arc<str>) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(Some(micros), Some(Arc::clone(zone)))
}

/// The function of this file.
pub(super) fn function(style: Style) -> Arc<ScalarUDF> {
    let zone: Arc<str> = style.zone.name().into();
    let to_local = |row: &[ScalarValue]| {
        let (place, at) = (given(&row[0])?, micros(&row[1]));
        if matches!(at, i64::MIN | i64::MAX) {
            return Ok(ScalarValue::TimestampMicrosecond(Some(at), None));
        }
        let local = at.checked_add(place.offset_seconds(at) * MICROS_PER_SECOND);
        let local = local.ok_or_else(timestamp_out_of_range)?;
        Ok(ScalarValue::TimestampMicrosecond(Some(local), None))
    };
    let to_instant = move |row: &[ScalarValue]| {
        let (place, at) = (given(&row[0])?, micros(&row[1]));
        if matches!(at, i64::MIN | i64::MAX) {
            return Ok(instant(at, &zone));
        }
        let seconds = place.offset_at_local(at);
        let at = seconds.and_then(|seconds| at.checked_sub(seconds * MICROS_PER_SECOND));
        Ok(instant(at.ok_or_else(timestamp_out_of_range)?, &zone))
    };
    let timestamps = || Gives::Of(DataType::Timestamp(TimeUnit::Microsecond, None));
    let instants = || Gives::Of(instants(&style));
    let back = to_instant.clone();
    Overloaded::stable("timezone")
        .in_zone(style.zone)
        .with(&[Kind::Text, Kind::Instant], timestamps(), to_local)
        .with(&[Kind::Text, Kind::Timestamp], instants(), to_instant)
        .with(&[Kind::Interval, Kind::Instant], timestamps(), to_local)
        .with(&[Kind::Interval, Kind::Timestamp], instants(), back)
        .udf()
}
