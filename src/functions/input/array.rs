//! Arrays, of any number of dimensions.

use std::iter::Peekable;
use std::str::Chars;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

use super::number::Digits;
use super::{null, scalar, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::kept;
use crate::functions::output::Style;
use crate::types::{arrow_type, oid};

/// PostgreSQL's MAXDIM.
const DIMENSIONS_MAX: usize = 6;

/// What stands between two commas.
#[derive(Debug, PartialEq, Eq)]
enum Element {
    Null,
    Text(String),
    Array(Vec<Element>),
}

/// As `array_in`.
pub(super) fn value(literal: &str, element: u32, style: &Style) -> Result<ScalarValue> {
    let mut reader = Reader {
        literal,
        characters: literal.chars().peekable(),
    };
    reader.skip_space();
    let bounds = reader.bounds()?;
    if reader.characters.peek() != Some(&'{') {
        let detail = "Array value must start with \"{\" or dimension information.";
        return Err(malformed(literal).with_detail(detail));
    }
    let elements = reader.array(1)?;
    reader.skip_space();
    if reader.characters.next().is_some() {
        return Err(malformed(literal).with_detail("Junk after closing right brace."));
    }
    let Some(lengths) = dimensions(&elements) else {
        let detail = "Multidimensional arrays must have sub-arrays with matching dimensions.";
        return Err(malformed(literal).with_detail(detail));
    };
    if let Some(bounds) = bounds {
        check_bounds(literal, &bounds, &lengths)?;
    }
    list(elements, element, style)
}

/// Lists begin with 1, here and in Arrow: other bounds would be forgotten.
fn check_bounds(literal: &str, bounds: &[(i32, i32)], lengths: &[usize]) -> Result<()> {
    let spans = bounds.iter().map(|(lower, upper)| {
        let span = i64::from(*upper) - i64::from(*lower) + 1;
        usize::try_from(span).unwrap_or(0)
    });
    if !spans.eq(lengths.iter().copied()) {
        let detail = "Specified array dimensions do not match array contents.";
        return Err(malformed(literal).with_detail(detail));
    }
    match bounds.iter().all(|(lower, _)| *lower == 1) {
        true => Ok(()),
        false => Err(Error::unsupported(
            "an array whose bounds do not begin with 1",
        )),
    }
}

/// The length of each dimension; `None` if arrays of one level have different ones.
fn dimensions(elements: &[Element]) -> Option<Vec<usize>> {
    let mut shapes = elements.iter().map(|element| match element {
        Element::Array(inner) => dimensions(inner),
        Element::Null | Element::Text(_) => Some(Vec::new()),
    });
    let inner = match shapes.next() {
        Some(first) => first?,
        None => Vec::new(),
    };
    let are_same = shapes.all(|shape| shape.as_ref() == Some(&inner));
    are_same.then(|| [vec![elements.len()], inner].concat())
}

fn list(elements: Vec<Element>, element: u32, style: &Style) -> Result<ScalarValue> {
    let is_beyond =
        |it: &Element| matches!(it, Element::Text(text) if kept::beyond_decimals(text).is_some());
    let is_flat = !elements.iter().any(|it| matches!(it, Element::Array(_)));
    if element == oid::NUMERIC && is_flat && !elements.iter().any(is_beyond) {
        let digits = elements.into_iter().map(|element| match element {
            Element::Text(text) => Digits::of(&text).map(Some),
            Element::Null | Element::Array(_) => Ok(None),
        });
        return of_numerics(digits.collect::<Result<_>>()?);
    }
    let values = elements.into_iter().map(|inner| match inner {
        Element::Null => null(element),
        Element::Text(text) => scalar::value(&text, element, style),
        Element::Array(inner) => list(inner, element, style),
    });
    of_values(&values.collect::<Result<Vec<_>>>()?, element)
}

/// An array of values of one type, or of arrays of them.
///
/// # Errors
/// `FeatureNotSupported`: Lakegate has no values of the type.
pub fn of_values(values: &[ScalarValue], element: u32) -> Result<ScalarValue> {
    let is_kept = |value: &ScalarValue| matches!(value, ScalarValue::Binary(_));
    let alike: Vec<ScalarValue>;
    // One that Arrow's type does not hold has the others kept as it is.
    let values = match matches!(element, oid::NUMERIC | oid::DATE) && values.iter().any(is_kept) {
        true => {
            let kept = values.iter().map(|value| kept::of_scalar(value, element));
            alike = kept.collect::<Result<_>>()?;
            alike.as_slice()
        }
        false => values,
    };
    let data_type = match values.first() {
        Some(first) if is_kept(first) => first.data_type(),
        Some(first @ ScalarValue::List(_)) => first.data_type(),
        _ => arrow_type(element).ok_or_else(|| unsupported(element))?,
    };
    if values.iter().any(|value| value.data_type() != data_type) {
        return Err(Error::unsupported(
            "an array of numeric arrays with different numbers of digits",
        ));
    }
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(
        values, &data_type,
    )))
}

/// An array of numerics: all get the scale of the longest.
///
/// # Errors
/// `FeatureNotSupported`: one has more than 38 digits then.
pub fn of_numerics(digits: Vec<Option<Digits>>) -> Result<ScalarValue> {
    const PRECISION: u8 = 38;
    let scale = digits
        .iter()
        .flatten()
        .map(Digits::scale)
        .max()
        .unwrap_or(0);
    let bad = || Error::unsupported("an array of numerics of more than 38 digits");
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
    let data_type = DataType::Decimal128(PRECISION, arrow_scale);
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(
        &values, &data_type,
    )))
}

fn malformed(literal: &str) -> Error {
    let message = format!("malformed array literal: \"{literal}\"");
    Error::new(ErrorKind::InvalidTextRepresentation, message)
}

/// What of a literal is not read.
struct Reader<'a> {
    literal: &'a str,
    characters: Peekable<Chars<'a>>,
}

impl Reader<'_> {
    /// The error for a character, or the end, where it must not be.
    fn unexpected(&self, character: Option<char>) -> Error {
        let detail = match character {
            Some(character) => format!("Unexpected \"{character}\" character."),
            None => "Unexpected end of input.".to_owned(),
        };
        malformed(self.literal).with_detail(detail)
    }

    fn skip_space(&mut self) {
        while self.characters.next_if(char::is_ascii_whitespace).is_some() {}
    }

    /// `[1:2][1:3]=`, if it is there (`ReadArrayDimensions`).
    fn bounds(&mut self) -> Result<Option<Vec<(i32, i32)>>> {
        let mut bounds = Vec::new();
        while self.characters.next_if_eq(&'[').is_some() {
            let first = self.bound()?;
            let (lower, upper) = match self.characters.next_if_eq(&':') {
                Some(_) => (first, self.bound()?),
                None => (1, first),
            };
            if self.characters.next_if_eq(&']').is_none() {
                let detail = "Missing \"]\" after array dimensions.";
                return Err(malformed(self.literal).with_detail(detail));
            }
            if upper < lower {
                let message = "upper bound cannot be less than lower bound";
                return Err(Error::new(ErrorKind::ArraySubscriptError, message));
            }
            bounds.push((lower, upper));
            self.skip_space();
        }
        if bounds.is_empty() {
            return Ok(None);
        }
        if self.characters.next_if_eq(&'=').is_none() {
            let detail = "Missing \"=\" after array dimensions.";
            return Err(malformed(self.literal).with_detail(detail));
        }
        self.skip_space();
        Ok(Some(bounds))
    }

    fn bound(&mut self) -> Result<i32> {
        let mut digits = String::new();
        let is_part = |it: &char| it.is_ascii_digit() || matches!(it, '-' | '+');
        while let Some(character) = self.characters.next_if(is_part) {
            digits.push(character);
        }
        digits.parse().map_err(|_| {
            let detail = "\"[\" must introduce explicitly-specified array dimensions.";
            malformed(self.literal).with_detail(detail)
        })
    }

    /// `{1, "b c", {..}}`; the opening brace was seen.
    fn array(&mut self, depth: usize) -> Result<Vec<Element>> {
        self.characters.next();
        if depth > DIMENSIONS_MAX {
            let message = format!(
                "number of array dimensions ({depth}) exceeds the maximum allowed ({DIMENSIONS_MAX})"
            );
            return Err(Error::new(ErrorKind::StatementTooComplex, message));
        }
        let mut elements = Vec::new();
        self.skip_space();
        if self.characters.next_if_eq(&'}').is_some() {
            return Ok(elements);
        }
        loop {
            self.skip_space();
            elements.push(match self.characters.peek() {
                Some('{') => Element::Array(self.array(depth + 1)?),
                Some('"') => self.quoted()?,
                _ => self.bare()?,
            });
            self.skip_space();
            match self.characters.next() {
                Some(',') => {}
                Some('}') => return Ok(elements),
                None => return Err(self.unexpected(None)),
                Some(_) => {
                    let detail = "Unexpected array element.";
                    return Err(malformed(self.literal).with_detail(detail));
                }
            }
        }
    }

    /// The character behind a backslash.
    fn escaped(&mut self) -> Result<char> {
        let character = self.characters.next();
        character.ok_or_else(|| self.unexpected(None))
    }

    fn quoted(&mut self) -> Result<Element> {
        self.characters.next();
        let mut text = String::new();
        loop {
            match self.characters.next() {
                Some('"') => return Ok(Element::Text(text)),
                Some('\\') => text.push(self.escaped()?),
                Some(character) => text.push(character),
                None => return Err(self.unexpected(None)),
            }
        }
    }

    fn bare(&mut self) -> Result<Element> {
        let mut text = String::new();
        // Space at the end is cut off; escaped space is the element's own.
        let mut n_kept = 0;
        let mut has_escape = false;
        while let Some(character) = self.characters.next_if(|it| !matches!(it, ',' | '}')) {
            match character {
                '{' | '"' => return Err(self.unexpected(Some(character))),
                '\\' => {
                    text.push(self.escaped()?);
                    has_escape = true;
                    n_kept = text.len();
                }
                space if space.is_ascii_whitespace() => text.push(space),
                other => {
                    text.push(other);
                    n_kept = text.len();
                }
            }
        }
        text.truncate(n_kept);
        if text.is_empty() {
            let next = self.characters.peek().copied();
            return Err(self.unexpected(next));
        }
        match !has_escape && text.eq_ignore_ascii_case("null") {
            true => Ok(Element::Null),
            false => Ok(Element::Text(text)),
        }
    }
}
