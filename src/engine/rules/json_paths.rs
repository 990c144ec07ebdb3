//! The right operands of JSON's operators: keys, places and paths, constant where they can be.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, ExprSchemable, cast, lit};

use crate::error::{Error, ErrorKind, Result};
use crate::functions::json;

/// Where an operator leads.
pub(super) enum Path {
    /// Known while planning.
    Constant(Vec<Part>),
    /// Known for each row.
    Computed(Expr),
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A member of an object.
    Key(String),
    /// An element of an array, from 0 or from behind.
    Index(i64),
    /// A part of a path: the key of an object or the place in an array.
    Word(String),
    /// NULL, which leads nowhere.
    Nowhere,
}

/// How parts of nested values are had.
pub(super) struct Accesses {
    /// A structure's field.
    pub(super) field: fn(Expr, String) -> Expr,
    /// A list's element, from 1 or from behind.
    pub(super) element: fn(Expr, i64) -> Expr,
    /// A map's value.
    pub(super) entry: fn(Expr, String) -> Expr,
}

impl Path {
    /// The path as the function's argument.
    pub(super) fn expression(self, is_path: bool) -> Expr {
        let parts = match self {
            Self::Computed(expression) => return expression,
            Self::Constant(parts) => parts,
        };
        if !is_path {
            return match parts.into_iter().next() {
                Some(Part::Key(key) | Part::Word(key)) => lit(key),
                Some(Part::Index(index)) => lit(index),
                Some(Part::Nowhere) | None => lit(ScalarValue::Utf8(None)),
            };
        }
        let words: Vec<ScalarValue> = parts
            .into_iter()
            .map(|part| match part {
                Part::Key(word) | Part::Word(word) => ScalarValue::Utf8(Some(word)),
                Part::Index(index) => ScalarValue::Utf8(Some(index.to_string())),
                Part::Nowhere => ScalarValue::Utf8(None),
            })
            .collect();
        let list = ScalarValue::new_list(&words, &DataType::Utf8, true);
        lit(ScalarValue::List(list))
    }
}

/// A text as a key.
pub(super) fn of_key(expression: &Expr) -> Path {
    match constant_text(expression) {
        Some(Some(key)) => Path::Constant(vec![Part::Key(key)]),
        Some(None) => Path::Constant(vec![Part::Nowhere]),
        // A parameter without a type is text, too.
        None => Path::Computed(cast(expression.clone(), DataType::Utf8)),
    }
}

/// An integer as a place.
pub(super) fn of_index(expression: &Expr) -> Path {
    match constant_integer(expression) {
        Some(index) => Path::Constant(vec![Part::Index(index)]),
        None => Path::Computed(cast(expression.clone(), DataType::Int64)),
    }
}

/// An array of texts as a path; `None` if it is of another type.
///
/// # Errors
/// A constant that is not an array.
pub(super) fn of_array(expression: &Expr, field: &Field) -> Result<Option<Path>> {
    if let Some(text) = constant_text(expression) {
        let Some(text) = text else {
            return Ok(Some(Path::Constant(vec![Part::Nowhere])));
        };
        return words(&text).map(|parts| Some(Path::Constant(parts)));
    }
    if let Expr::ScalarFunction(call) = expression
        && call.func.name() == "make_array"
    {
        let parts: Option<Vec<Part>> = call
            .args
            .iter()
            .map(|argument| constant_text(argument).map(part))
            .collect();
        if let Some(parts) = parts {
            return Ok(Some(Path::Constant(parts)));
        }
    }
    Ok(match field.data_type() {
        DataType::List(element) if json::is_text(element.data_type()) => {
            Some(Path::Computed(expression.clone()))
        }
        _ => None,
    })
}

fn part(word: Option<String>) -> Part {
    word.map_or(Part::Nowhere, Part::Word)
}

fn constant_text(expression: &Expr) -> Option<Option<String>> {
    match expression {
        Expr::Literal(
            ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text),
            _,
        ) => Some(text.clone()),
        Expr::Literal(ScalarValue::Null, _) => Some(None),
        Expr::Cast(Cast { expr, field }) if json::is_text(field.data_type()) => constant_text(expr),
        _ => None,
    }
}

fn constant_integer(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Literal(value, _) => match value.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(value)) => value,
            _ => None,
        },
        Expr::Cast(Cast { expr, field }) if field.data_type().is_integer() => {
            constant_integer(expr)
        }
        Expr::Negative(inner) => constant_integer(inner)?.checked_neg(),
        _ => None,
    }
}

/// One step into a nested value; `None` where it leads nowhere.
pub(super) fn step(
    value: Expr,
    part: &Part,
    schema: &DFSchema,
    accesses: &Accesses,
) -> DataFusionResult<Option<Expr>> {
    Ok(match value.get_type(schema)? {
        DataType::Struct(fields) => match part {
            Part::Key(name) | Part::Word(name) => {
                let known = fields.iter().any(|field| field.name() == name);
                known.then(|| (accesses.field)(value, name.clone()))
            }
            Part::Index(_) | Part::Nowhere => None,
        },
        DataType::Map(..) => match part {
            Part::Key(key) | Part::Word(key) => Some((accesses.entry)(value, key.clone())),
            Part::Index(_) | Part::Nowhere => None,
        },
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::FixedSizeList(..) => {
            let index = match part {
                Part::Index(index) => Some(*index),
                Part::Word(word) => json::path_index(word),
                Part::Key(_) | Part::Nowhere => None,
            };
            // DataFusion counts from 1, and from behind as PostgreSQL does.
            let place = index.map(|index| if index < 0 { index } else { index + 1 });
            place.map(|place| (accesses.element)(value, place))
        }
        _ => None,
    })
}

/// The elements of an array's text, of one dimension, as `array_in` in arrayfuncs.c reads them.
fn words(text: &str) -> Result<Vec<Part>> {
    let malformed = || {
        let message = format!("malformed array literal: \"{text}\"");
        Error::new(ErrorKind::InvalidTextRepresentation, message)
    };
    let inner = text.trim().strip_prefix('{').ok_or_else(malformed)?;
    let mut letters = inner.chars().peekable();
    let mut parts = Vec::new();
    let (mut word, mut quoted, mut kept) = (String::new(), false, 0);
    loop {
        match letters.next().ok_or_else(malformed)? {
            '{' => return Err(Error::unsupported("a path of more than one dimension")),
            end @ (',' | '}') => {
                let bare = word[kept..].trim_end();
                let length = kept + bare.len();
                word.truncate(length);
                let empty = word.is_empty() && !quoted;
                if empty && !(end == '}' && parts.is_empty()) {
                    return Err(malformed());
                }
                if !empty {
                    let null = !quoted && word.eq_ignore_ascii_case("null");
                    let word = std::mem::take(&mut word);
                    parts.push(part((!null).then_some(word)));
                }
                (quoted, kept) = (false, 0);
                if end == '}' {
                    break;
                }
            }
            '"' => {
                quoted = true;
                loop {
                    match letters.next().ok_or_else(malformed)? {
                        '"' => break,
                        '\\' => word.push(letters.next().ok_or_else(malformed)?),
                        letter => word.push(letter),
                    }
                }
                kept = word.len();
            }
            '\\' => {
                word.push(letters.next().ok_or_else(malformed)?);
                kept = word.len();
            }
            letter if letter.is_whitespace() && word.is_empty() => {}
            letter => word.push(letter),
        }
    }
    match letters.all(char::is_whitespace) {
        true => Ok(parts),
        false => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&[Option<&str>]>) {
        let expected = expected.map(|parts| {
            let parts = parts.iter().map(|word| part(word.map(str::to_owned)));
            parts.collect::<Vec<_>>()
        });
        assert_eq!(words(text).ok(), expected, "{text}");
    }

    #[test]
    fn reads_arrays() {
        check("{}", Some(&[]));
        check(
            " { a , b c,0 } ",
            Some(&[Some("a"), Some("b c"), Some("0")]),
        );
        check("{\"a,b\",\"\",null,\"null\"}", {
            Some(&[Some("a,b"), Some(""), None, Some("null")])
        });
        check("a", None);
        check("{a,}", None);
        check("{a", None);
        check("{a} b", None);
    }
}
