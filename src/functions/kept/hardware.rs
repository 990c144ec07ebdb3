//! `macaddr` and `macaddr8`, kept as the bytes of the address.
//! <https://www.postgresql.org/docs/16/datatype-net-types.html#DATATYPE-MACADDR>

use bytes::{BufMut, BytesMut};

use super::{bad_binary, too_short};
use crate::error::{Error, ErrorKind, Result};

/// As `macaddr_in` in mac.c: six bytes with one of three separators, or in two or three runs.
pub(super) fn six(text: &str) -> Result<Vec<u8>> {
    let invalid = || invalid("macaddr", text);
    let trimmed = text.trim_ascii();
    let groups: Vec<&str> = trimmed.split([':', '-', '.']).collect();
    let mut separators = trimmed.chars().filter(|it| matches!(it, ':' | '-' | '.'));
    let separator = separators.next();
    if separators.any(|other| Some(other) != separator) {
        return Err(invalid());
    }
    // Digits of each group, as the formats of sscanf there have them.
    let (n_digits, is_exact) = match (separator, groups.len()) {
        (Some(':' | '-'), 6) => (2, false),
        (Some(':' | '-'), 2) => (6, true),
        (Some('.' | '-'), 3) => (4, true),
        (None, 1) => (12, true),
        _ => return Err(invalid()),
    };
    let mut bytes = Vec::with_capacity(6);
    for group in groups {
        let is_long = group.is_empty() || group.len() > n_digits;
        if is_long || (is_exact && group.len() != n_digits) {
            return Err(invalid());
        }
        let width = n_digits;
        append(&mut bytes, &format!("{group:0>width$}")).ok_or_else(invalid)?;
    }
    Ok(bytes)
}

/// As `macaddr8_in` in mac8.c: six or eight bytes of two digits, with one separator or none; the two
/// bytes in the middle of six are `ff:fe`.
pub(super) fn eight(text: &str) -> Result<Vec<u8>> {
    let invalid = || invalid("macaddr8", text);
    let trimmed = text.trim_ascii().as_bytes();
    let mut bytes = Vec::with_capacity(8);
    let mut separator = None;
    let mut left = trimmed;
    while !left.is_empty() {
        let pair = super::take(&mut left, 2).ok_or_else(invalid)?;
        let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
        append(&mut bytes, pair).ok_or_else(invalid)?;
        if let [first @ (b':' | b'-' | b'.'), rest @ ..] = left {
            if *separator.get_or_insert(*first) != *first || rest.is_empty() {
                return Err(invalid());
            }
            left = rest;
        }
    }
    match bytes.len() {
        6 => Ok([&bytes[..3], &[0xff, 0xfe], &bytes[3..]].concat()),
        8 => Ok(bytes),
        _ => Err(invalid()),
    }
}

pub(super) fn text(out: &mut BytesMut, kept: &[u8]) {
    for (index, byte) in kept.iter().enumerate() {
        if index > 0 {
            out.put_u8(b':');
        }
        out.put_slice(format!("{byte:02x}").as_bytes());
    }
}

/// As `macaddr_recv` and `macaddr8_recv`, which takes six bytes too.
pub(super) fn receive(bytes: &[u8], length: usize) -> Result<Vec<u8>> {
    match (bytes.len(), length) {
        (6, 8) => Ok([&bytes[..3], &[0xff, 0xfe], &bytes[3..]].concat()),
        (given, wanted) if given == wanted => Ok(bytes.to_vec()),
        (given, wanted) if given < wanted => Err(too_short()),
        _ => Err(bad_binary("incorrect binary data format")),
    }
}

/// Appends the bytes of hexadecimal digits.
fn append(bytes: &mut Vec<u8>, digits: &str) -> Option<()> {
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for place in (0..digits.len()).step_by(2) {
        let pair = digits.get(place..place + 2)?;
        bytes.push(u8::from_str_radix(pair, 16).ok()?);
    }
    Some(())
}

fn invalid(type_name: &str, text: &str) -> Error {
    let message = format!("invalid input syntax for type {type_name}: \"{text}\"");
    Error::new(ErrorKind::InvalidTextRepresentation, message)
}
