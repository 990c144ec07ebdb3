//! Dates and times, in every form that PostgreSQL reads.
//! <https://www.postgresql.org/docs/16/datatype-datetime.html#DATATYPE-DATETIME-INPUT>

mod abbreviations;
mod fields;
mod parts;
mod reader;
mod words;

pub use abbreviations::{Meaning, meaning};

use crate::error::{Error, ErrorKind, Result};
use crate::functions::output::Style;
use crate::types::oid;
use parts::{MICROS_PER_DAY, MICROS_PER_SECOND, Parts, Wrong};
use reader::{Offset, Read, Wanted};

/// The first day of a date, 4714-11-24 BC, and the last, 262142-12-31, in days since 1970. PostgreSQL's
/// dates end in the year 5874897, but every date must be a timestamp too.
const DATES: std::ops::RangeInclusive<i64> = -2_440_588..=95_026_236;
/// Every date of PostgreSQL's, to 5874897-12-31.
const ALL_DATES: std::ops::RangeInclusive<i64> = -2_440_588..=2_145_042_905;
/// The first microsecond of a timestamp, 4714-11-24 BC, since 1970. The last is the last that counts
/// from 1970 hold: 294247-01-10, some thirty years before PostgreSQL's.
pub(in crate::functions) const FIRST_MICROSECOND: i64 = -2_440_588 * MICROS_PER_DAY;

/// Days since 1970, as `date_in`, of a date that Arrow's can be computed with: the infinities are not.
pub(super) fn date(text: &str, style: &Style) -> Result<i32> {
    let days = any_date(text, style)?;
    match is_plain_date(days) {
        true => Ok(days),
        false => Err(Error::unsupported(
            "an infinite date, or one behind the last timestamp,",
        )),
    }
}

/// Whether a date, in days since 1970, is a timestamp as well.
pub fn is_plain_date(days: i32) -> bool {
    DATES.contains(&i64::from(days))
}

/// Days since 1970, as `date_in`; the infinities are the ends of the range.
pub(in crate::functions) fn any_date(text: &str, style: &Style) -> Result<i32> {
    match read(text, oid::DATE, Wanted::Date, style)? {
        Read::Infinity => Ok(i32::MAX),
        Read::MinusInfinity => Ok(i32::MIN),
        Read::Epoch => Ok(0),
        Read::Parts(parts, _) => {
            let days = Some(parts.days()).filter(|days| ALL_DATES.contains(days));
            days.and_then(|days| i32::try_from(days).ok())
                .ok_or_else(|| {
                    let message = format!("date out of range: \"{text}\"");
                    Error::new(ErrorKind::DatetimeFieldOverflow, message)
                })
        }
    }
}

/// Microseconds of the day, as `time_in`.
pub(super) fn time(text: &str, style: &Style) -> Result<i64> {
    match read(text, oid::TIME, Wanted::Time, style)? {
        Read::Parts(parts, _) => Ok(parts.micros_of_day()),
        _ => Err(invalid(oid::TIME, text)),
    }
}

/// Microseconds of the day and the zone in seconds east of Greenwich, as `timetz_in`. Without a zone in the
/// text it is the session's, as it is at the date in the text, or else now.
pub(in crate::functions) fn time_with_offset(text: &str, style: &Style) -> Result<(i64, i64)> {
    let Read::Parts(parts, zone) = read(text, oid::TIMETZ, Wanted::Time, style)? else {
        return Err(invalid(oid::TIMETZ, text));
    };
    let has_date = parts.month > 0 && parts.day > 0;
    let seconds = match zone.unwrap_or(Offset::Of(style.zone)) {
        Offset::Seconds(seconds) => Some(seconds),
        Offset::Of(zone) if has_date => {
            let micros = parts.days().checked_mul(MICROS_PER_DAY);
            let local = micros.and_then(|micros| micros.checked_add(parts.micros_of_day()));
            local.and_then(|local| zone.offset_at_local(local))
        }
        Offset::Under(name, zone) if has_date => {
            let micros = parts.days().checked_mul(MICROS_PER_DAY);
            let local = micros.and_then(|micros| micros.checked_add(parts.micros_of_day()));
            local.and_then(|local| zone.offset_of_abbreviation(name, local))
        }
        Offset::Of(zone) => Some(zone.offset_seconds(chrono::Utc::now().timestamp_micros())),
        Offset::Under(name, zone) => {
            Some(zone.offset_under(name, chrono::Utc::now().timestamp_micros()))
        }
    };
    let seconds = seconds.ok_or_else(|| invalid(oid::TIMETZ, text))?;
    Ok((parts.micros_of_day(), seconds))
}

/// Microseconds since 1970, as `timestamp_in`; an offset in the text is not looked at.
pub(super) fn timestamp(text: &str, style: &Style) -> Result<i64> {
    match read(text, oid::TIMESTAMP, Wanted::Date, style)? {
        Read::Parts(parts, _) => local_micros(&parts).ok_or_else(|| timestamp_range(text)),
        special => Ok(special_micros(special)),
    }
}

/// Microseconds since 1970 in UTC, as `timestamptz_in`; without a zone in the text, it is of the
/// session's.
pub(super) fn timestamptz(text: &str, style: &Style) -> Result<i64> {
    let (parts, zone) = match read(text, oid::TIMESTAMPTZ, Wanted::Date, style)? {
        Read::Parts(parts, zone) => (parts, zone),
        special => return Ok(special_micros(special)),
    };
    let local = local_micros(&parts).ok_or_else(|| timestamp_range(text))?;
    let seconds = match zone.unwrap_or(Offset::Of(style.zone)) {
        Offset::Seconds(seconds) => Some(seconds),
        Offset::Of(zone) => zone.offset_at_local(local),
        Offset::Under(name, zone) => zone.offset_of_abbreviation(name, local),
    };
    seconds
        .and_then(|seconds| local.checked_sub(seconds * MICROS_PER_SECOND))
        .filter(|micros| *micros >= FIRST_MICROSECOND)
        .ok_or_else(|| timestamp_range(text))
}

fn special_micros(special: Read) -> i64 {
    match special {
        Read::Infinity => i64::MAX,
        Read::MinusInfinity => i64::MIN,
        Read::Epoch | Read::Parts(..) => 0,
    }
}

fn local_micros(parts: &Parts) -> Option<i64> {
    let micros = parts.days().checked_mul(MICROS_PER_DAY)?;
    let micros = micros.checked_add(parts.micros_of_day())?;
    (micros >= FIRST_MICROSECOND && micros != i64::MAX).then_some(micros)
}

fn read(text: &str, pg_oid: u32, wanted: Wanted, style: &Style) -> Result<Read> {
    let fields = fields::fields(text).ok_or(Wrong::Format);
    let read = fields.and_then(|fields| reader::read(&fields, wanted, style));
    read.map_err(|wrong| error(&wrong, pg_oid, text))
}

/// As `DateTimeParseError`.
fn error(wrong: &Wrong, pg_oid: u32, text: &str) -> Error {
    let out_of_range = || {
        let message = format!("date/time field value out of range: \"{text}\"");
        Error::new(ErrorKind::DatetimeFieldOverflow, message)
    };
    match wrong {
        Wrong::Format => invalid(pg_oid, text),
        Wrong::Range => out_of_range(),
        Wrong::Order => {
            out_of_range().with_hint("Perhaps you need a different \"datestyle\" setting.")
        }
        Wrong::Offset => {
            let message = format!("time zone displacement out of range: \"{text}\"");
            Error::new(ErrorKind::InvalidTimeZoneDisplacementValue, message)
        }
        Wrong::Zone(zone) => {
            let message = format!("time zone \"{zone}\" not recognized");
            Error::new(ErrorKind::InvalidParameterValue, message)
        }
        Wrong::OfTheMoment(word) => Error::unsupported(format!("the date or time '{word}'"))
            .with_hint("Use now(), current_date or current_time."),
    }
}

fn invalid(pg_oid: u32, text: &str) -> Error {
    // The input functions say less than the types' full names.
    let name = match pg_oid {
        oid::DATE => "date",
        oid::TIME => "time",
        oid::TIMETZ => "time with time zone",
        oid::TIMESTAMP => "timestamp",
        _ => "timestamp with time zone",
    };
    let message = format!("invalid input syntax for type {name}: \"{text}\"");
    Error::new(ErrorKind::InvalidDatetimeFormat, message)
}

fn timestamp_range(text: &str) -> Error {
    let message = format!("timestamp out of range: \"{text}\"");
    Error::new(ErrorKind::DatetimeFieldOverflow, message)
}

/// Seconds east of Greenwich of `+05`, `-5:30`, `+0530`; `None` for anything else.
pub fn offset(value: &str) -> Option<i32> {
    let seconds = parts::offset(value).ok()?;
    i32::try_from(seconds).ok()
}

#[cfg(test)]
mod tests;
