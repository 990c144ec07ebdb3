//! Multiranges: ranges in order, none touching the next.
//! <https://www.postgresql.org/docs/16/rangetypes.html#RANGETYPES-BUILTIN>
//!
//! Kept as the ranges one behind the other, which begin with 1, and 0 at the end: of two that begin
//! alike the shorter is first, as in `multirange_cmp`.

use bytes::{Buf, BufMut, BytesMut};

use super::bound::Subtype;
use super::range::{self, EMPTY, Range};
use super::{damaged, take, too_short};
use crate::error::{Error, Result};

/// The bytes of a multirange of any ranges (`multirange_canonicalize`).
pub(super) fn kept(ranges: impl IntoIterator<Item = Option<Range>>) -> Vec<u8> {
    let mut keyed: Vec<(Vec<u8>, Range)> = ranges
        .into_iter()
        .flatten()
        .map(|range| (range::kept(Some(&range)), range))
        .collect();
    keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut joined: Vec<Range> = Vec::with_capacity(keyed.len());
    for (_, range) in keyed {
        match joined.last_mut() {
            Some(last) if touches(last, &range) => {
                if is_farther(&range, last) {
                    last.upper = range.upper;
                }
            }
            _ => joined.push(range),
        }
    }
    let mut kept = Vec::new();
    joined.iter().for_each(|range| range.keep(&mut kept));
    kept.push(EMPTY);
    kept
}

/// Whether a range overlaps the next, or nothing lies between them.
fn touches(first: &Range, next: &Range) -> bool {
    match (&first.upper.value, &next.lower.value) {
        (Some(end), Some(start)) if end == start => {
            first.upper.is_inclusive || next.lower.is_inclusive
        }
        (Some(end), Some(start)) => end > start,
        _ => true,
    }
}

/// Whether a range ends behind another.
fn is_farther(one: &Range, other: &Range) -> bool {
    match (&one.upper.value, &other.upper.value) {
        (Some(one_end), Some(other_end)) => {
            (one_end, one.upper.is_inclusive) > (other_end, other.upper.is_inclusive)
        }
        (one_end, other_end) => one_end.is_none() && other_end.is_some(),
    }
}

/// The ranges of a kept multirange.
pub(super) fn ranges(kept: &[u8], subtype: Subtype) -> Result<Vec<Range>> {
    let mut left = kept;
    let mut ranges = Vec::new();
    while *left.first().ok_or_else(damaged)? != EMPTY {
        ranges.extend(Range::take(&mut left, subtype)?);
    }
    Ok(ranges)
}

/// As `multirange_recv`.
pub(super) fn receive(bytes: &[u8], subtype: Subtype) -> Result<Vec<u8>> {
    let mut left = bytes;
    let word = |left: &mut &[u8]| {
        let mut taken = take(left, 4).ok_or_else(too_short)?;
        usize::try_from(taken.get_i32()).map_err(|_| too_short())
    };
    let n_ranges = word(&mut left)?;
    let mut received = Vec::new();
    for _ in 0..n_ranges {
        let length = word(&mut left)?;
        let range = take(&mut left, length).ok_or_else(too_short)?;
        received.push(range::received(range, subtype)?);
    }
    match left.is_empty() {
        true => Ok(kept(received)),
        false => Err(super::bad_binary("incorrect binary data format")),
    }
}

/// As `multirange_send`.
pub(super) fn send(out: &mut BytesMut, kept: &[u8], subtype: Subtype) -> Result<()> {
    let ranges = ranges(kept, subtype)?;
    out.put_i32(i32::try_from(ranges.len()).map_err(Error::internal)?);
    for range in &ranges {
        let mut sent = BytesMut::new();
        range::send_range(&mut sent, Some(range), subtype)?;
        out.put_i32(i32::try_from(sent.len()).map_err(Error::internal)?);
        out.put_slice(&sent);
    }
    Ok(())
}
