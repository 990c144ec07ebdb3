//! Ranges. <https://www.postgresql.org/docs/16/rangetypes.html>
//!
//! Kept as 0 if empty; else 1, the lower bound and the upper bound. A bound is a byte that says
//! whether it is infinite, its value, and a byte for whether the value belongs to the range, which
//! sort as `range_cmp_bounds` in rangetypes.c.

use bytes::{Buf, BufMut, BytesMut};

use super::bound::Subtype;
use super::{damaged, take, too_short};
use crate::error::{Error, ErrorKind, Result};

pub(super) const EMPTY: u8 = 0;
pub(super) const NOT_EMPTY: u8 = 1;
const LOWER_INFINITE: u8 = 0;
const FINITE: u8 = 1;
const UPPER_INFINITE: u8 = 2;

/// The flags of `range_send`.
const FLAG_EMPTY: u8 = 0x01;
const FLAG_LOWER_INCLUSIVE: u8 = 0x02;
const FLAG_UPPER_INCLUSIVE: u8 = 0x04;
const FLAG_LOWER_INFINITE: u8 = 0x08;
const FLAG_UPPER_INFINITE: u8 = 0x10;

/// One end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    /// The kept value; `None` is infinite.
    pub(super) value: Option<Vec<u8>>,
    /// Whether the value belongs to the range.
    pub(super) is_inclusive: bool,
}

/// A range that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) lower: Bound,
    pub(super) upper: Bound,
}

impl Range {
    /// As `make_range`; `None` is the empty range.
    ///
    /// # Errors
    /// The bounds are in the wrong order, or there is no value behind the last.
    pub(super) fn new(
        mut lower: Bound,
        mut upper: Bound,
        subtype: Subtype,
    ) -> Result<Option<Self>> {
        lower.is_inclusive &= lower.value.is_some();
        upper.is_inclusive &= upper.value.is_some();
        if let (Some(first), Some(last)) = (&lower.value, &upper.value) {
            if first > last {
                let message = "range lower bound must be less than or equal to range upper bound";
                return Err(Error::new(ErrorKind::DataException, message));
            }
            if first == last && !(lower.is_inclusive && upper.is_inclusive) {
                return Ok(None);
            }
        }
        let next = |bound: &Bound| match &bound.value {
            Some(value) => subtype.next(value),
            None => Ok(None),
        };
        if !lower.is_inclusive
            && let Some(first) = next(&lower)?
        {
            lower = Bound {
                value: Some(first),
                is_inclusive: true,
            };
        }
        if upper.is_inclusive
            && let Some(behind) = next(&upper)?
        {
            upper = Bound {
                value: Some(behind),
                is_inclusive: false,
            };
        }
        let is_empty = lower.value.is_some()
            && lower.value == upper.value
            && !(lower.is_inclusive && upper.is_inclusive);
        Ok((!is_empty).then_some(Self { lower, upper }))
    }

    /// Takes a range off the start of bytes.
    pub(super) fn take(left: &mut &[u8], subtype: Subtype) -> Result<Option<Self>> {
        if byte(left)? == EMPTY {
            return Ok(None);
        }
        let lower = match byte(left)? {
            LOWER_INFINITE => Bound::infinite(),
            _ => Bound {
                value: Some(subtype.take(left)?.to_vec()),
                is_inclusive: byte(left)? == 0,
            },
        };
        let upper = match byte(left)? {
            UPPER_INFINITE => Bound::infinite(),
            _ => Bound {
                value: Some(subtype.take(left)?.to_vec()),
                is_inclusive: byte(left)? == 1,
            },
        };
        Ok(Some(Self { lower, upper }))
    }

    /// Appends it as it is kept.
    pub(super) fn keep(&self, kept: &mut Vec<u8>) {
        kept.push(NOT_EMPTY);
        match &self.lower.value {
            None => kept.push(LOWER_INFINITE),
            Some(value) => {
                kept.push(FINITE);
                kept.extend(value);
                kept.push(u8::from(!self.lower.is_inclusive));
            }
        }
        match &self.upper.value {
            None => kept.push(UPPER_INFINITE),
            Some(value) => {
                kept.push(FINITE);
                kept.extend(value);
                kept.push(u8::from(self.upper.is_inclusive));
            }
        }
    }
}

impl Bound {
    pub(super) fn infinite() -> Self {
        Self {
            value: None,
            is_inclusive: false,
        }
    }
}

/// The bytes of a range.
pub(super) fn kept(range: Option<&Range>) -> Vec<u8> {
    let mut kept = Vec::new();
    match range {
        Some(range) => range.keep(&mut kept),
        None => kept.push(EMPTY),
    }
    kept
}

/// As `range_recv`.
pub(super) fn receive(bytes: &[u8], subtype: Subtype) -> Result<Vec<u8>> {
    received(bytes, subtype).map(|range| kept(range.as_ref()))
}

pub(super) fn received(bytes: &[u8], subtype: Subtype) -> Result<Option<Range>> {
    let (flags, mut left) = bytes.split_first().ok_or_else(too_short)?;
    let has = |flag: u8| flags & flag != 0;
    let mut bound = |is_absent: bool, is_inclusive: bool| {
        if is_absent {
            return Ok(Bound::infinite());
        }
        let mut length = take(&mut left, 4).ok_or_else(too_short)?;
        let length = usize::try_from(length.get_i32()).map_err(|_| too_short())?;
        let value = take(&mut left, length).ok_or_else(too_short)?;
        Ok::<Bound, Error>(Bound {
            value: Some(subtype.receive(value)?),
            is_inclusive,
        })
    };
    let is_empty = has(FLAG_EMPTY);
    let lower = bound(
        is_empty || has(FLAG_LOWER_INFINITE),
        has(FLAG_LOWER_INCLUSIVE),
    )?;
    let upper = bound(
        is_empty || has(FLAG_UPPER_INFINITE),
        has(FLAG_UPPER_INCLUSIVE),
    )?;
    if !left.is_empty() {
        return Err(super::bad_binary("incorrect binary data format"));
    }
    match is_empty {
        true => Ok(None),
        false => Range::new(lower, upper, subtype),
    }
}

pub(super) fn send(out: &mut BytesMut, kept: &[u8], subtype: Subtype) -> Result<()> {
    let range = Range::take(&mut &*kept, subtype)?;
    send_range(out, range.as_ref(), subtype)
}

/// As `range_send`.
pub(super) fn send_range(
    out: &mut BytesMut,
    range: Option<&Range>,
    subtype: Subtype,
) -> Result<()> {
    let Some(Range { lower, upper }) = range else {
        out.put_u8(FLAG_EMPTY);
        return Ok(());
    };
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    out.put_u8(
        flag(lower.is_inclusive, FLAG_LOWER_INCLUSIVE)
            | flag(upper.is_inclusive, FLAG_UPPER_INCLUSIVE)
            | flag(lower.value.is_none(), FLAG_LOWER_INFINITE)
            | flag(upper.value.is_none(), FLAG_UPPER_INFINITE),
    );
    for value in [&lower.value, &upper.value].into_iter().flatten() {
        let mut sent = BytesMut::new();
        subtype.send(&mut sent, value)?;
        out.put_i32(i32::try_from(sent.len()).map_err(Error::internal)?);
        out.put_slice(&sent);
    }
    Ok(())
}

pub(super) fn byte(left: &mut &[u8]) -> Result<u8> {
    take(left, 1).map(|taken| taken[0]).ok_or_else(damaged)
}
