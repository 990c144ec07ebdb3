//! Arrays of one dimension.

use arrow::array::timezone::Tz;
use datafusion::common::ScalarValue;

use super::number::Digits;
use super::{null, text, unsupported};
use crate::error::{Error, ErrorKind};
use crate::types::{arrow_type, oid};
use crate::wire::failure::Failure;

/// As `array_in`, for arrays of one dimension.
pub(super) fn from_text(literal: &str, element: u32, zone: Tz) -> Result<ScalarValue, Failure> {
    let elements = split(literal)?;
    if element == oid::NUMERIC {
        let digits = elements
            .iter()
            .map(|element| element.as_deref().map(Digits::of).transpose())
            .collect::<Result<_, _>>()?;
        return of_numerics(digits);
    }
    let values = elements
        .iter()
        .map(|value| match value {
            Some(value) => text::value(value, element, zone),
            None => null(element),
        })
        .collect::<Result<Vec<_>, _>>()?;
    of_values(&values, element)
}

/// An array of values of one type.
pub(super) fn of_values(values: &[ScalarValue], element: u32) -> Result<ScalarValue, Failure> {
    let data_type = arrow_type(element).ok_or_else(|| unsupported(element))?;
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(
        values, &data_type,
    )))
}

/// An array of numerics: all get the scale of the longest.
pub(super) fn of_numerics(digits: Vec<Option<Digits>>) -> Result<ScalarValue, Failure> {
    const PRECISION: u8 = 38;
    let scale = digits
        .iter()
        .flatten()
        .map(Digits::scale)
        .max()
        .unwrap_or(0);
    let bad = || {
        Failure::from(Error::unsupported(
            "an array of numerics of more than 38 digits",
        ))
    };
    let arrow_scale = i8::try_from(scale).map_err(|_| bad())?;
    let mut values = Vec::with_capacity(digits.len());
    for digits in digits {
        let unscaled = match digits
            .map(|digits| digits.with_scale(scale).into_scalar())
            .transpose()?
        {
            Some(ScalarValue::Decimal128(unscaled, ..)) => unscaled,
            Some(_) => return Err(bad()),
            None => None,
        };
        values.push(ScalarValue::Decimal128(unscaled, PRECISION, arrow_scale));
    }
    let data_type = arrow::datatypes::DataType::Decimal128(PRECISION, arrow_scale);
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(
        &values, &data_type,
    )))
}

fn malformed(literal: &str) -> Failure {
    Error::new(
        ErrorKind::InvalidTextRepresentation,
        format!("malformed array literal: \"{literal}\""),
    )
    .into()
}

/// The elements of `{a,"b c",NULL}`.
fn split(literal: &str) -> Result<Vec<Option<String>>, Failure> {
    let inner = literal
        .trim_ascii()
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or_else(|| malformed(literal))?;
    let mut elements = Vec::new();
    if inner.trim_ascii().is_empty() {
        return Ok(elements);
    }
    let mut characters = inner.chars();
    loop {
        let (element, more) = next_element(&mut characters, literal)?;
        elements.push(element);
        if !more {
            return Ok(elements);
        }
    }
}

/// An element, and whether a comma follows it.
fn next_element(
    characters: &mut std::str::Chars<'_>,
    literal: &str,
) -> Result<(Option<String>, bool), Failure> {
    let mut element = String::new();
    let mut in_quotes = false;
    let mut was_quoted = false;
    // What trailing spaces may be cut to: escaped ones are the element's own.
    let mut kept = 0;
    loop {
        let character = characters.next();
        match character {
            Some('\\') => {
                element.push(characters.next().ok_or_else(|| malformed(literal))?);
                kept = element.len();
            }
            Some('"') => {
                if !in_quotes && (was_quoted || !element.is_empty()) {
                    return Err(malformed(literal));
                }
                in_quotes = !in_quotes;
                was_quoted = true;
                kept = element.len();
            }
            Some(character) if in_quotes => element.push(character),
            Some('{') => {
                return Err(Error::unsupported("an array parameter of several dimensions").into());
            }
            Some('}') => return Err(malformed(literal)),
            None if in_quotes => return Err(malformed(literal)),
            None | Some(',') => {
                element.truncate(kept);
                if element.is_empty() && !was_quoted {
                    return Err(malformed(literal));
                }
                let is_null = !was_quoted && element.eq_ignore_ascii_case("null");
                return Ok(((!is_null).then_some(element), character.is_some()));
            }
            Some(space) if space.is_ascii_whitespace() => {
                if !element.is_empty() && !was_quoted {
                    element.push(space);
                }
            }
            Some(_) if was_quoted => return Err(malformed(literal)),
            Some(character) => {
                element.push(character);
                kept = element.len();
            }
        }
    }
}
