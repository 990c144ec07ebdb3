//! Dates that Arrow's do not hold: the infinities, and those that are no timestamps.
//!
//! Kept as days since 2000, PostgreSQL's own, with the sign bit turned.

use bytes::{BufMut, BytesMut};

use super::damaged;
use crate::error::Result;
use crate::functions::input::any_date;
use crate::functions::output::{Style, date};

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;

pub(super) fn from_text(text: &str, style: &Style) -> Result<Vec<u8>> {
    any_date(text, style).map(|days| kept(days_of_2000(days)))
}

pub(super) fn text(out: &mut BytesMut, kept: &[u8], style: &Style) -> Result<()> {
    date(out, days_of_1970(of(kept)?), style);
    Ok(())
}

pub(super) fn receive(bytes: &[u8]) -> Result<Vec<u8>> {
    match <[u8; 4]>::try_from(bytes) {
        Ok(days) => Ok(kept(i32::from_be_bytes(days))),
        Err(_) => Err(super::too_short()),
    }
}

pub(super) fn send(out: &mut BytesMut, kept: &[u8]) -> Result<()> {
    out.put_i32(of(kept)?);
    Ok(())
}

/// The infinities stay what they are.
pub(super) fn days_of_2000(days: i32) -> i32 {
    match days {
        i32::MIN | i32::MAX => days,
        _ => days - EPOCH_DAYS,
    }
}

pub(super) fn days_of_1970(days: i32) -> i32 {
    match days {
        i32::MIN | i32::MAX => days,
        _ => days.saturating_add(EPOCH_DAYS),
    }
}

fn kept(days: i32) -> Vec<u8> {
    (days ^ i32::MIN).to_be_bytes().to_vec()
}

fn of(kept: &[u8]) -> Result<i32> {
    let bytes = <[u8; 4]>::try_from(kept).map_err(|_| damaged())?;
    Ok(i32::from_be_bytes(bytes) ^ i32::MIN)
}
