//! The texts of ranges and multiranges.
//! <https://www.postgresql.org/docs/16/rangetypes.html#RANGETYPES-IO>

use bytes::{BufMut, BytesMut};

use super::bound::Subtype;
use super::multirange;
use super::range::{self, Bound, Range};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::output::Style;

/// As `range_in`.
pub(super) fn range(text: &str, subtype: Subtype, style: &Style) -> Result<Vec<u8>> {
    read_range(text, subtype, style).map(|range| range::kept(range.as_ref()))
}

fn read_range(text: &str, subtype: Subtype, style: &Style) -> Result<Option<Range>> {
    let malformed = |detail: &str| malformed("range", text, detail);
    let left = text.trim_ascii_start();
    let word = left
        .get(..5)
        .filter(|word| word.eq_ignore_ascii_case("empty"));
    if word.is_some() {
        return match left[5..].trim_ascii_start().is_empty() {
            true => Ok(None),
            false => Err(malformed("Junk after \"empty\" key word.")),
        };
    }
    let (is_lower_inclusive, left) = match left.strip_prefix('[') {
        Some(left) => (true, left),
        None => match left.strip_prefix('(') {
            Some(left) => (false, left),
            None => return Err(malformed("Missing left parenthesis or bracket.")),
        },
    };
    let (lower, left) = bound(left).ok_or_else(|| malformed("Unexpected end of input."))?;
    let left = left
        .strip_prefix(',')
        .ok_or_else(|| malformed("Missing comma after lower bound."))?;
    let (upper, left) = bound(left).ok_or_else(|| malformed("Unexpected end of input."))?;
    let (is_upper_inclusive, left) = match left.strip_prefix(']') {
        Some(left) => (true, left),
        None => match left.strip_prefix(')') {
            Some(left) => (false, left),
            None => return Err(malformed("Too many commas.")),
        },
    };
    if !left.trim_ascii_start().is_empty() {
        return Err(malformed("Junk after right parenthesis or bracket."));
    }
    let read = |text: Option<String>, is_inclusive: bool| {
        let value = text.map(|text| subtype.read(&text, style)).transpose()?;
        Ok::<Bound, Error>(Bound {
            value,
            is_inclusive,
        })
    };
    Range::new(
        read(lower, is_lower_inclusive)?,
        read(upper, is_upper_inclusive)?,
        subtype,
    )
}

/// The text of a bound without quotes and backslashes (`None`: infinite), and what is behind it, as
/// `range_parse_bound`; `None` if the text ends in it.
fn bound(text: &str) -> Option<(Option<String>, &str)> {
    let ends = |character: char| matches!(character, ',' | '(' | ')' | '[' | ']');
    if text.starts_with([',', ')', ']']) {
        return Some((None, text));
    }
    let mut written = String::new();
    let mut is_quoted = false;
    let mut characters = text.char_indices().peekable();
    loop {
        let (at, character) = characters.next()?;
        match character {
            other if !is_quoted && ends(other) => return Some((Some(written), &text[at..])),
            '\\' => written.push(characters.next()?.1),
            '"' if !is_quoted => is_quoted = true,
            '"' => match characters.next_if(|(_, next)| *next == '"') {
                Some(_) => written.push('"'),
                None => is_quoted = false,
            },
            other => written.push(other),
        }
    }
}

/// As `multirange_in`.
pub(super) fn multirange(text: &str, subtype: Subtype, style: &Style) -> Result<Vec<u8>> {
    let malformed = |detail: &str| malformed("multirange", text, detail);
    let mut left = text
        .trim_ascii_start()
        .strip_prefix('{')
        .ok_or_else(|| malformed("Missing left brace."))?
        .trim_ascii_start();
    let mut ranges = Vec::new();
    if let Some(behind) = left.strip_prefix('}') {
        left = behind;
    } else {
        loop {
            left = left.trim_ascii_start();
            let starts = left.starts_with(['[', '('])
                || left
                    .get(..5)
                    .is_some_and(|word| word.eq_ignore_ascii_case("empty"));
            if !starts {
                return Err(malformed(match left.is_empty() {
                    true => "Unexpected end of input.",
                    false => "Expected range start.",
                }));
            }
            let end = end_of_range(left).ok_or_else(|| malformed("Unexpected end of input."))?;
            ranges.push(read_range(&left[..end], subtype, style)?);
            left = left[end..].trim_ascii_start();
            match left.chars().next() {
                Some(',') => left = &left[1..],
                Some('}') => {
                    left = &left[1..];
                    break;
                }
                Some(_) => return Err(malformed("Expected comma or end of multirange.")),
                None => return Err(malformed("Unexpected end of input.")),
            }
        }
    }
    match left.trim_ascii_start().is_empty() {
        true => Ok(multirange::kept(ranges)),
        false => Err(malformed("Junk after closing right brace.")),
    }
}

/// Where the range at the start of a text ends.
fn end_of_range(text: &str) -> Option<usize> {
    if !text.starts_with(['[', '(']) {
        return Some(5);
    }
    let mut is_quoted = false;
    let mut characters = text.char_indices();
    loop {
        match characters.next()? {
            (_, '\\') => {
                characters.next()?;
            }
            (_, '"') => is_quoted = !is_quoted,
            (at, ')' | ']') if !is_quoted => return Some(at + 1),
            _ => {}
        }
    }
}

fn malformed(what: &str, text: &str, detail: &str) -> Error {
    let message = format!("malformed {what} literal: \"{text}\"");
    Error::new(ErrorKind::InvalidTextRepresentation, message).with_detail(detail)
}

pub(super) fn write_range(
    out: &mut BytesMut,
    kept: &[u8],
    subtype: Subtype,
    style: &Style,
) -> Result<()> {
    let range = Range::take(&mut &*kept, subtype)?;
    write(out, range.as_ref(), subtype, style)
}

pub(super) fn write_multirange(
    out: &mut BytesMut,
    kept: &[u8],
    subtype: Subtype,
    style: &Style,
) -> Result<()> {
    out.put_u8(b'{');
    for (index, range) in multirange::ranges(kept, subtype)?.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        write(out, Some(range), subtype, style)?;
    }
    out.put_u8(b'}');
    Ok(())
}

/// As `range_deparse`.
fn write(out: &mut BytesMut, range: Option<&Range>, subtype: Subtype, style: &Style) -> Result<()> {
    let Some(Range { lower, upper }) = range else {
        out.put_slice(b"empty");
        return Ok(());
    };
    out.put_u8(if lower.is_inclusive { b'[' } else { b'(' });
    write_bound(out, lower, subtype, style)?;
    out.put_u8(b',');
    write_bound(out, upper, subtype, style)?;
    out.put_u8(if upper.is_inclusive { b']' } else { b')' });
    Ok(())
}

/// In quotes where it would be read as something else (`range_bound_escape`).
fn write_bound(out: &mut BytesMut, bound: &Bound, subtype: Subtype, style: &Style) -> Result<()> {
    let Some(value) = &bound.value else {
        return Ok(());
    };
    let start = out.len();
    subtype.text(out, value, style)?;
    let is_special = |byte: &u8| {
        matches!(
            byte,
            b'"' | b'\\' | b'(' | b')' | b'[' | b']' | b',' | b' ' | b'\t'..=b'\r'
        )
    };
    if !out[start..].iter().any(is_special) {
        return Ok(());
    }
    let written = out.split_off(start);
    out.put_u8(b'"');
    for byte in written {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(byte);
        }
        out.put_u8(byte);
    }
    out.put_u8(b'"');
    Ok(())
}
