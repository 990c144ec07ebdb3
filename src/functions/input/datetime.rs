//! Dates and times in ISO style.

use arrow::array::timezone::Tz;
use chrono::{Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};

use super::invalid_syntax;
use crate::error::{Error, ErrorKind, Result};
use crate::types::oid;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// What stands in a text: each part may be absent.
#[derive(Debug)]
struct Parts<'a> {
    date: &'a str,
    time: &'a str,
    zone: &'a str,
    is_bc: bool,
}

/// Days since 1970.
pub(super) fn date(text: &str) -> Result<i32> {
    let days = match text.trim_ascii() {
        "epoch" => Some(0),
        trimmed => days_of(&split(trimmed), text)?,
    };
    days.ok_or_else(|| invalid(oid::DATE, text))
}

/// Microseconds of the day.
pub(super) fn time(text: &str) -> Result<i64> {
    let trimmed = text.trim_ascii();
    micros_of_day(trimmed, text)?.ok_or_else(|| invalid(oid::TIME, text))
}

/// Microseconds since 1970; an offset in the text is not looked at, as in PostgreSQL.
pub(super) fn timestamp(text: &str) -> Result<i64> {
    match special(text) {
        Some(micros) => Ok(micros),
        None => {
            let parts = split(text.trim_ascii());
            local_micros(&parts, text)?.ok_or_else(|| invalid(oid::TIMESTAMP, text))
        }
    }
}

/// Microseconds since 1970 in UTC; without an offset in the text, it is of `session_zone`.
pub(super) fn timestamptz(text: &str, session_zone: Tz) -> Result<i64> {
    if let Some(micros) = special(text) {
        return Ok(micros);
    }
    let parts = split(text.trim_ascii());
    let bad = || invalid(oid::TIMESTAMPTZ, text);
    let local = local_micros(&parts, text)?.ok_or_else(bad)?;
    let seconds = match parts.zone {
        "" => zone_offset(session_zone, local),
        "Z" | "z" => Some(0),
        zone => match offset(zone) {
            Some(seconds) => Some(i64::from(seconds)),
            None => zone_offset(zone.parse().map_err(|_| unknown_zone(zone))?, local),
        },
    };
    let seconds = seconds.ok_or_else(|| out_of_range(text))?;
    local
        .checked_sub(seconds * MICROS_PER_SECOND)
        .ok_or_else(|| out_of_range(text))
}

fn special(text: &str) -> Option<i64> {
    match text.trim_ascii() {
        "infinity" => Some(i64::MAX),
        "-infinity" => Some(i64::MIN),
        "epoch" => Some(0),
        _ => None,
    }
}

fn invalid(pg_oid: u32, text: &str) -> Error {
    invalid_syntax(ErrorKind::InvalidDatetimeFormat, pg_oid, text)
}

fn out_of_range(text: &str) -> Error {
    let message = format!("date/time field value out of range: \"{text}\"");
    Error::new(ErrorKind::DatetimeFieldOverflow, message)
}

/// As `DateTimeParseError` in datetime.c: PostgreSQL has folded the name by then.
fn unknown_zone(zone: &str) -> Error {
    let message = format!("time zone \"{}\" not recognized", zone.to_lowercase());
    Error::new(ErrorKind::InvalidParameterValue, message)
}

/// `2024-02-29 01:02:03.4+02 BC`, or with a `T` between.
fn split(text: &str) -> Parts<'_> {
    let (text, is_bc) = match text.strip_suffix("BC") {
        Some(rest) => (rest.trim_ascii_end(), true),
        None => (
            text.strip_suffix("AD").unwrap_or(text).trim_ascii_end(),
            false,
        ),
    };
    let date_end = text
        .find(|character: char| !(character.is_ascii_digit() || character == '-'))
        .unwrap_or(text.len());
    let (date, rest) = text.split_at(date_end);
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    let time_end = rest
        .find(|character: char| !(character.is_ascii_digit() || ".:".contains(character)))
        .unwrap_or(rest.len());
    let (time, zone) = rest.split_at(time_end);
    Parts {
        date,
        time,
        zone: zone.trim_ascii(),
        is_bc,
    }
}

fn days_of(parts: &Parts<'_>, text: &str) -> Result<Option<i32>> {
    let fields: Vec<&str> = match parts.date.contains('-') {
        true => parts.date.split('-').collect(),
        false if parts.date.len() == 8 => {
            vec![&parts.date[..4], &parts.date[4..6], &parts.date[6..]]
        }
        false => return Ok(None),
    };
    let [year, month, day] = fields[..] else {
        return Ok(None);
    };
    let (Ok(mut year), Ok(month), Ok(day)) = (
        year.parse::<i32>(),
        month.parse::<u32>(),
        day.parse::<u32>(),
    ) else {
        return Ok(None);
    };
    if parts.date.find('-').is_some_and(|n_digits| n_digits < 3) {
        // `1/2/03`-like dates depend on DateStyle's order.
        return Ok(None);
    }
    if year == 0 {
        return Err(out_of_range(text));
    }
    if parts.is_bc {
        year = 1 - year;
    }
    let date = NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| out_of_range(text))?;
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    i32::try_from(days)
        .map(Some)
        .map_err(|_| out_of_range(text))
}

fn micros_of_day(time: &str, text: &str) -> Result<Option<i64>> {
    if time.is_empty() {
        return Ok(None);
    }
    let fields: Vec<&str> = time.split(':').collect();
    let (hours, minutes, seconds) = match fields[..] {
        [hours, minutes] => (hours, minutes, "0"),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return Ok(None),
    };
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let (Ok(hours), Ok(minutes), Ok(whole)) = (
        hours.parse::<i64>(),
        minutes.parse::<i64>(),
        whole.parse::<i64>(),
    ) else {
        return Ok(None);
    };
    // A seventh digit rounds, as PostgreSQL's microseconds do.
    let fraction: f64 = match fraction {
        "" => 0.0,
        digits => match format!("0.{digits}").parse() {
            Ok(fraction) => fraction,
            Err(_) => return Ok(None),
        },
    };
    #[expect(clippy::cast_possible_truncation, reason = "at most a million")]
    let fraction = (fraction * 1e6).round() as i64;
    if hours > 24 || minutes > 59 || whole > 60 {
        return Err(out_of_range(text));
    }
    let micros = (hours * 3600 + minutes * 60 + whole) * MICROS_PER_SECOND + fraction;
    if micros > MICROS_PER_DAY {
        return Err(out_of_range(text));
    }
    Ok(Some(micros))
}

fn local_micros(parts: &Parts<'_>, text: &str) -> Result<Option<i64>> {
    let Some(days) = days_of(parts, text)? else {
        return Ok(None);
    };
    let of_day = match parts.time {
        "" => Some(0),
        time => micros_of_day(time, text)?,
    };
    let Some(of_day) = of_day else {
        return Ok(None);
    };
    let micros = i64::from(days)
        .checked_mul(MICROS_PER_DAY)
        .and_then(|micros| micros.checked_add(of_day));
    micros.map(Some).ok_or_else(|| out_of_range(text))
}

/// Seconds east of Greenwich at a local time. Of two readings the later (standard time) is taken;
/// a time that the clocks leave out is read by the offset before.
fn zone_offset(zone: Tz, local_micros: i64) -> Option<i64> {
    let midnight = NaiveDateTime::new(NaiveDate::default(), NaiveTime::default());
    let local = midnight.checked_add_signed(Duration::microseconds(local_micros))?;
    let offset = match zone.offset_from_local_datetime(&local) {
        LocalResult::Single(offset) => offset,
        LocalResult::Ambiguous(_, later) => later,
        LocalResult::None => {
            let before = local.checked_sub_signed(Duration::hours(3))?;
            zone.offset_from_local_datetime(&before).latest()?
        }
    };
    Some(i64::from(offset.fix().local_minus_utc()))
}

/// Seconds east of Greenwich of `+05`, `-5:30`, `+0530`; `None` for anything else.
pub fn offset(value: &str) -> Option<i32> {
    let (sign, digits) = match value.as_bytes().first()? {
        b'+' => (1, &value[1..]),
        b'-' => (-1, &value[1..]),
        _ => return None,
    };
    let mut parts = digits.split(':');
    let hours = parts.next()?;
    let (hours, minutes) = match (hours.len(), parts.next()) {
        (1 | 2, minutes) => (hours, minutes.unwrap_or("0")),
        (4, None) => hours.split_at(2),
        _ => return None,
    };
    let seconds = parts.next().unwrap_or("0");
    let all_digits = [hours, minutes, seconds].iter().all(|part| {
        (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    });
    if !all_digits || parts.next().is_some() {
        return None;
    }
    let (hours, minutes, seconds): (i32, i32, i32) = (
        hours.parse().ok()?,
        minutes.parse().ok()?,
        seconds.parse().ok()?,
    );
    // PostgreSQL's MAX_TZDISP_HOUR.
    (hours <= 15 && minutes < 60 && seconds < 60)
        .then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}
