//! `time with time zone`. <https://www.postgresql.org/docs/16/datatype-datetime.html>
//!
//! Kept as the microsecond at Greenwich and the zone in seconds west of it, which is the order of
//! `timetz_cmp_internal` in date.c.

use bytes::{BufMut, BytesMut};

use super::{damaged, too_short};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::input::time_with_offset;
use crate::functions::output::{MICROS_PER_DAY, Style, time, utc_offset};

const MICROS_PER_SECOND: i64 = 1_000_000;
/// The farthest zone, in seconds (`TZDISP_LIMIT`).
const ZONE_LIMIT: i32 = 16 * 3600;

pub(super) fn from_text(text: &str, style: &Style) -> Result<Vec<u8>> {
    let (micros, east) = time_with_offset(text, style)?;
    let west = i32::try_from(-east).map_err(Error::internal)?;
    Ok(kept(micros, west))
}

pub(super) fn text(out: &mut BytesMut, kept: &[u8]) -> Result<()> {
    let (micros, west) = of(kept)?;
    time(out, micros);
    utc_offset(out, -i64::from(west));
    Ok(())
}

/// As `timetz_recv`.
pub(super) fn receive(bytes: &[u8]) -> Result<Vec<u8>> {
    let (Some(micros), Some(west)) = (
        bytes.first_chunk().copied().map(i64::from_be_bytes),
        bytes.last_chunk().copied().map(i32::from_be_bytes),
    ) else {
        return Err(too_short());
    };
    if bytes.len() != 12 {
        return Err(super::bad_binary("incorrect binary data format"));
    }
    if !(0..=MICROS_PER_DAY).contains(&micros) {
        return Err(Error::new(
            ErrorKind::DatetimeFieldOverflow,
            "time out of range",
        ));
    }
    if west <= -ZONE_LIMIT || west >= ZONE_LIMIT {
        let kind = ErrorKind::InvalidTimeZoneDisplacementValue;
        return Err(Error::new(kind, "time zone displacement out of range"));
    }
    Ok(kept(micros, west))
}

pub(super) fn send(out: &mut BytesMut, kept: &[u8]) -> Result<()> {
    let (micros, west) = of(kept)?;
    out.put_i64(micros);
    out.put_i32(west);
    Ok(())
}

pub(super) fn rounded(bytes: &[u8], round: impl Fn(i64) -> i64) -> Result<Vec<u8>> {
    let (micros, west) = of(bytes)?;
    Ok(kept(round(micros), west))
}

/// The bytes of a time of day, in microseconds, in a zone so many seconds west of Greenwich. The sign
/// bits are turned, so that bytes compare as the numbers do.
fn kept(micros: i64, west: i32) -> Vec<u8> {
    let at_greenwich = micros + i64::from(west) * MICROS_PER_SECOND;
    let mut kept = (at_greenwich ^ i64::MIN).to_be_bytes().to_vec();
    kept.extend((west ^ i32::MIN).to_be_bytes());
    kept
}

fn of(kept: &[u8]) -> Result<(i64, i32)> {
    let at_greenwich = kept.first_chunk().ok_or_else(damaged)?;
    let west = kept.last_chunk().ok_or_else(damaged)?;
    let at_greenwich = i64::from_be_bytes(*at_greenwich) ^ i64::MIN;
    let west = i32::from_be_bytes(*west) ^ i32::MIN;
    Ok((at_greenwich - i64::from(west) * MICROS_PER_SECOND, west))
}
