//! Operators as the types `regoper` and `regoperator` read and spell them (regproc.c): by a symbol that
//! only one operator has, and by a symbol with the types of its operands.

use super::format_type::{format_type, type_oid};
use super::names::{Names, parse_name};
use crate::catalog::system::OperatorRow;
use crate::error::{Error, ErrorKind, Result};

/// What stands for the operand that an operator has not.
const NONE: &str = "none";

/// The operator of a symbol, as `regoperin`.
///
/// # Errors
/// Several operators have it.
pub(super) fn by_symbol(names: &Names, text: &str) -> Result<Option<u32>> {
    let Some(symbol) = symbol(text) else {
        return Ok(None);
    };
    let mut found = of_symbol(names, symbol);
    let first = found.next().map(|(oid, _)| oid);
    match found.next() {
        None => Ok(first),
        Some(_) => Err(Error::new(
            ErrorKind::AmbiguousFunction,
            format!("more than one operator named {text}"),
        )),
    }
}

/// The operator of a symbol and two types, as `regoperatorin`.
///
/// # Errors
/// They are not written as `=(integer,integer)`, or a type does not exist.
pub(super) fn by_operands(names: &Names, text: &str) -> Result<Option<u32>> {
    let invalid = |message: &str| Error::new(ErrorKind::InvalidTextRepresentation, message);
    let (name, rest) = text
        .split_once('(')
        .ok_or_else(|| invalid("expected a left parenthesis"))?;
    let list = rest
        .trim_end()
        .strip_suffix(')')
        .ok_or_else(|| invalid("expected a right parenthesis"))?;
    let [left, right] = operands(list).ok_or_else(|| invalid("expected two types"))?;
    let operands = [operand(names, left)?, operand(names, right)?];
    let Some(symbol) = symbol(name) else {
        return Ok(None);
    };
    let mut found = of_symbol(names, symbol);
    let found = found.find(|(_, row)| row.operands == operands);
    Ok(found.map(|(oid, _)| oid))
}

/// As `regoperout`: with its schema if its symbol does not tell it.
pub(super) fn spell_symbol(names: &Names, oid: u32) -> String {
    match names.builtin.operators().get(&oid) {
        None => oid.to_string(),
        Some(row) => match of_symbol(names, &row.name).count() {
            1 => row.name.clone(),
            _ => format!("pg_catalog.{}", row.name),
        },
    }
}

/// As `regoperatorout`.
pub(super) fn spell_operands(names: &Names, oid: u32) -> String {
    let Some(row) = names.builtin.operators().get(&oid) else {
        return oid.to_string();
    };
    let spelled = row.operands.map(|operand| match operand {
        0 => NONE.to_uppercase(),
        oid => format_type(&names.builtin, oid, None),
    });
    format!("{}({})", row.name, spelled.join(","))
}

/// An operator that does not exist.
pub(super) fn missing(text: &str) -> Error {
    let message = format!("operator does not exist: {text}");
    Error::new(ErrorKind::UndefinedFunction, message)
}

/// The symbol of a name that may have a schema; `None` in a schema without operators.
fn symbol(text: &str) -> Option<&str> {
    let text = text.trim();
    match text.rsplit_once('.') {
        None => Some(text),
        Some((schema, symbol)) => {
            let is_ours = matches!(parse_name(schema).ok()?.as_slice(), [it] if it == "pg_catalog");
            is_ours.then(|| symbol.trim_start())
        }
    }
}

fn of_symbol<'a>(
    names: &'a Names,
    symbol: &'a str,
) -> impl Iterator<Item = (u32, &'a OperatorRow)> {
    let operators = names.builtin.operators().iter();
    operators
        .filter(move |(_, row)| row.name == symbol)
        .map(|(oid, row)| (*oid, row))
}

/// Two types between which a comma stands, outside of their own parentheses.
fn operands(list: &str) -> Option<[&str; 2]> {
    let mut depth = 0_u32;
    let mut at = None;
    for (index, letter) in list.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 && at.replace(index).is_some() => return None,
            _ => {}
        }
    }
    let at = at?;
    Some([list[..at].trim(), list[at + 1..].trim()])
}

fn operand(names: &Names, text: &str) -> Result<u32> {
    if text.eq_ignore_ascii_case(NONE) {
        return Ok(0);
    }
    let missing = || {
        let message = format!("type \"{text}\" does not exist");
        Error::new(ErrorKind::UndefinedObject, message)
    };
    type_oid(names, text).ok_or_else(missing)
}
