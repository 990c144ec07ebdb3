//! Casts to `varchar` and `character` are calls of functions that know the length; DataFusion
//! forgets it. <https://www.postgresql.org/docs/16/datatype-character.html>

use datafusion::sql::sqlparser::ast::{CharacterLength, DataType, Expr, Value};

use super::normalize::{call, last_part};
use crate::error::{Error, ErrorKind, Result};

/// The longest length of either type (`MaxAttrSize`).
const LENGTH_MAX: u64 = 10_485_760;

/// The cast of an expression to a type of characters; `None` for other types.
///
/// # Errors
/// A length that no type has.
pub(super) fn cast(expression: &Expr, data_type: &DataType) -> Result<Option<Expr>> {
    let (function, length, default) = match data_type {
        DataType::Varchar(length)
        | DataType::CharacterVarying(length)
        | DataType::CharVarying(length)
        | DataType::Nvarchar(length) => ("varchar", length_of(length.as_ref()), None),
        DataType::Char(length) | DataType::Character(length) => {
            // Without a length it is one character.
            ("bpchar", length_of(length.as_ref()), Some(1))
        }
        DataType::Custom(name, modifiers) if last_part(name) == "bpchar" => {
            let length = modifiers.first().map(|length| length.parse().ok());
            ("bpchar", length.flatten(), None)
        }
        _ => return Ok(None),
    };
    let mut arguments = vec![expression.clone()];
    if let Some(length) = length.or(default) {
        check(function, length)?;
        arguments.push(Expr::Value(Value::Number(length.to_string(), false).into()));
    }
    Ok(Some(call(function, arguments)))
}

fn length_of(length: Option<&CharacterLength>) -> Option<u64> {
    match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
        Some(CharacterLength::Max) | None => None,
    }
}

/// As `anychar_typmodin` in varchar.c.
fn check(function: &str, length: u64) -> Result<()> {
    let name = match function {
        "varchar" => "varchar",
        _ => "char",
    };
    let message = match length {
        0 => format!("length for type {name} must be at least 1"),
        1..=LENGTH_MAX => return Ok(()),
        _ => format!("length for type {name} cannot exceed {LENGTH_MAX}"),
    };
    Err(Error::new(ErrorKind::InvalidParameterValue, message))
}
