//! `format(text, ...)`: texts put into a pattern, as `text_format` in varlena.c.
//! <https://www.postgresql.org/docs/16/functions-string.html#FUNCTIONS-STRING-FORMAT>

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::output::{Style, texts, writes};
use super::scalar::external;
use crate::catalog::sql::{identifier, literal};
use crate::error::{Error, ErrorKind, Result};
use crate::types;

/// Characters that a width may ask for; more is a mistake, or an attack.
const WIDTH_MAX: i64 = 1 << 20;

/// The function, for a session's way of writing values.
pub(super) fn function(style: Style) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Format {
        signature: Signature::variadic_any(Volatility::Stable),
        style,
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Format {
    signature: Signature,
    style: Style,
}

impl ScalarUDFImpl for Format {
    fn name(&self) -> &'static str {
        "format"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let mut arguments = call.args.iter();
        let is_scalar = arguments.all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let mut written = Vec::with_capacity(columns.len());
        for (column, field) in columns.iter().zip(&call.arg_fields) {
            let as_text: ArrayRef = match writes(column.data_type()) {
                true => texts(column, types::of_field(field).oid, &self.style).map_err(external)?,
                // PostgreSQL's output function of booleans, where a cast writes whole words.
                false if *column.data_type() == DataType::Boolean => {
                    let letters = column.as_boolean().iter();
                    let letters = letters.map(|value| value.map(|it| if it { "t" } else { "f" }));
                    Arc::new(letters.collect::<StringArray>())
                }
                false => Arc::clone(column),
            };
            written.push(cast(&as_text, &DataType::Utf8)?);
        }
        let n_rows = columns.first().map_or(0, |column| column.len());
        let mut formatted = StringBuilder::with_capacity(n_rows, 0);
        for row in 0..n_rows {
            let values: Vec<Option<&str>> = written
                .iter()
                .map(|texts| {
                    let texts = texts.as_string::<i32>();
                    texts.is_valid(row).then(|| texts.value(row))
                })
                .collect();
            match values.split_first() {
                Some((Some(pattern), values)) => {
                    formatted.append_value(format(pattern, values).map_err(external)?);
                }
                _ => formatted.append_null(),
            }
        }
        let formatted: ArrayRef = Arc::new(formatted.finish());
        if is_scalar {
            return ScalarValue::try_from_array(&formatted, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(formatted))
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidParameterValue, message.into())
}

fn unterminated() -> Error {
    invalid("unterminated format() type specifier").with_hint("For a single \"%\" use \"%%\".")
}

/// A pattern with values in its places.
fn format(pattern: &str, values: &[Option<&str>]) -> Result<String> {
    let mut written = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut next = 0;
    while let Some((before, after)) = rest.split_once('%') {
        written.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            written.push('%');
            rest = after;
            continue;
        }
        let mut place = Place::of(after)?;
        rest = place.rest;
        match place.width {
            Some(Width::Next) => place.set_width(take(values, &mut next, None)?)?,
            Some(Width::At(at)) => place.set_width(take(values, &mut next, Some(at))?)?,
            _ => {}
        }
        let value = take(values, &mut next, place.argument)?;
        place.write(value, &mut written)?;
    }
    written.push_str(rest);
    Ok(written)
}

/// The value at a place counted from 1, else the one behind that which was taken last.
fn take<'a>(
    values: &[Option<&'a str>],
    next: &mut usize,
    at: Option<usize>,
) -> Result<Option<&'a str>> {
    let index = match at {
        Some(0) => {
            return Err(invalid(
                "format specifies argument 0, but arguments are numbered from 1",
            ));
        }
        Some(at) => at - 1,
        None => *next,
    };
    *next = index + 1;
    let value = values.get(index).copied();
    value.ok_or_else(|| invalid("too few arguments for format()"))
}

/// Where a width is said.
#[derive(Clone, Copy, Debug)]
enum Width {
    Is(i64),
    Next,
    At(usize),
}

/// A place in a pattern: `%[position][flags][width]type`.
struct Place<'a> {
    argument: Option<usize>,
    is_left: bool,
    width: Option<Width>,
    kind: char,
    rest: &'a str,
}

impl<'a> Place<'a> {
    /// What follows a `%`.
    fn of(text: &'a str) -> Result<Self> {
        let (mut argument, mut rest) = (None, text);
        let (number, behind) = digits(rest)?;
        let mut width = None;
        match (number, behind.strip_prefix('$')) {
            (Some(number), Some(behind)) => (argument, rest) = (Some(number), behind),
            // Digits without a dollar are a width.
            (Some(number), None) => {
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                (width, rest) = (Some(Width::Is(number)), behind);
            }
            (None, _) => {}
        }
        let mut is_left = false;
        if width.is_none() {
            while let Some(behind) = rest.strip_prefix('-') {
                (is_left, rest) = (true, behind);
            }
            (width, rest) = Self::width(rest)?;
        }
        let kind = rest.chars().next().ok_or_else(unterminated)?;
        if !matches!(kind, 's' | 'I' | 'L') {
            let message = format!("unrecognized format() type specifier \"{kind}\"");
            return Err(invalid(message).with_hint("For a single \"%\" use \"%%\"."));
        }
        Ok(Self {
            argument,
            is_left,
            width,
            kind,
            rest: &rest[kind.len_utf8()..],
        })
    }

    fn width(text: &'a str) -> Result<(Option<Width>, &'a str)> {
        let Some(behind) = text.strip_prefix('*') else {
            let (number, behind) = digits(text)?;
            let width = number.map(|it| Width::Is(i64::try_from(it).unwrap_or(i64::MAX)));
            return Ok((width, behind));
        };
        let (number, rest) = digits(behind)?;
        match (number, rest.strip_prefix('$')) {
            (Some(at), Some(rest)) => Ok((Some(Width::At(at)), rest)),
            (Some(_), None) => Err(invalid("width argument position must be ended by \"$\"")),
            (None, _) => Ok((Some(Width::Next), rest)),
        }
    }

    /// A negative width is one to the left.
    fn set_width(&mut self, value: Option<&str>) -> Result<()> {
        let width = match value {
            None => 0,
            Some(text) => text.trim().parse::<i64>().map_err(|_| {
                let message = format!("invalid input syntax for type integer: \"{text}\"");
                Error::new(ErrorKind::InvalidTextRepresentation, message)
            })?,
        };
        self.is_left |= width < 0;
        self.width = Some(Width::Is(width.saturating_abs()));
        Ok(())
    }

    fn write(&self, value: Option<&str>, written: &mut String) -> Result<()> {
        let text = match (self.kind, value) {
            ('I', None) => {
                let message = "null values cannot be formatted as an SQL identifier";
                return Err(Error::new(ErrorKind::NullValueNotAllowed, message));
            }
            ('I', Some(value)) => identifier(value),
            ('L', Some(value)) => literal(value),
            ('L', None) => "NULL".to_owned(),
            (_, value) => value.unwrap_or_default().to_owned(),
        };
        let width = match self.width {
            Some(Width::Is(width)) => width,
            _ => 0,
        };
        if width > WIDTH_MAX {
            return Err(invalid("number is out of range"));
        }
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let spaces = " ".repeat(usize::try_from(width - length).unwrap_or(0));
        match self.is_left {
            true => written.extend([text, spaces]),
            false => written.extend([spaces, text]),
        }
        Ok(())
    }
}

/// The number at the beginning of a text, if there is one, and what follows.
fn digits(text: &str) -> Result<(Option<usize>, &str)> {
    let end = text.find(|it: char| !it.is_ascii_digit());
    let (number, rest) = text.split_at(end.unwrap_or(text.len()));
    if number.is_empty() {
        return Ok((None, rest));
    }
    let parsed = number.parse().ok().filter(|it| i32::try_from(*it).is_ok());
    match parsed {
        Some(number) => Ok((Some(number), rest)),
        None => Err(invalid("number is out of range")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, values: &[Option<&str>], expected: &str) {
        assert_eq!(format(pattern, values).unwrap(), expected);
    }

    #[test]
    fn patterns_of_the_manual() {
        let (foo, bar) = (Some("foo"), Some("bar"));
        check("Hello %s, %1$s", &[Some("World")], "Hello World, World");
        check(
            "Testing %s, %s, %s, %%",
            &[Some("one"), Some("two"), Some("three")],
            "Testing one, two, three, %",
        );
        check(
            "%I %L",
            &[Some("Foo bar"), Some("O'Reilly")],
            "\"Foo bar\" 'O''Reilly'",
        );
        check("|%10s|", &[foo], "|       foo|");
        check("|%-10s|", &[foo], "|foo       |");
        check("|%*s|", &[Some("10"), foo], "|       foo|");
        check("|%*s|", &[Some("-10"), foo], "|foo       |");
        check("|%-*s|", &[Some("10"), foo], "|foo       |");
        check("|%*2$s|", &[foo, Some("10"), bar], "|       bar|");
        check("%3$s, %2$s, %1$s", &[foo, bar, Some("b")], "b, bar, foo");
        check("|%1$*2$s|", &[foo, Some("10"), bar], "|       foo|");
        check("%s %2$s %s", &[foo, bar, Some("b")], "foo bar b");
        check("%L%s", &[None, None], "NULL");
    }

    #[test]
    fn mistakes_are_told() {
        for (pattern, values) in [
            ("%", &[][..]),
            ("%s", &[]),
            ("%x", &[Some("a")]),
            ("%0$s", &[Some("a")]),
            ("%I", &[None]),
            ("%99999999999s", &[Some("a")]),
            ("%1", &[Some("a")]),
        ] {
            assert!(format(pattern, values).is_err(), "{pattern}");
        }
    }
}
