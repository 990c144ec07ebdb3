//! `parse_ident`: the parts of a name as SQL text has it. <https://www.postgresql.org/docs/16/functions-string.html>

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Argument, Scalar, text};
use crate::error::{Error, ErrorKind, Result};
use crate::types::oid;

/// The OID of `text[]`.
const TEXT_ARRAY: u32 = 1009;

/// The function of this file.
pub(super) fn function() -> Arc<ScalarUDF> {
    let arguments = &[Argument::Of(oid::TEXT), Argument::Of(oid::BOOL)];
    Scalar::new("parse_ident", arguments, TEXT_ARRAY, |row| {
        let is_strict = !matches!(row.get(1), Some(ScalarValue::Boolean(Some(false))));
        let parts = parts(text(&row[0]), is_strict)?;
        let parts: Vec<ScalarValue> = parts.into_iter().map(ScalarValue::from).collect();
        let list = ScalarValue::new_list_nullable(&parts, &DataType::Utf8);
        Ok(ScalarValue::List(list))
    })
    .optional(1)
    .immutable()
    .udf()
}

/// As `parse_ident` in misc.c: what comes behind the name is an error if `is_strict`.
fn parts(name: &str, is_strict: bool) -> Result<Vec<String>> {
    let mut rest = name.trim_start_matches(is_space);
    let mut parts = Vec::new();
    loop {
        let (part, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(name, quoted)?,
            None => match rest.find(|c| !continues(c)).unwrap_or(rest.len()) {
                end if end > 0 && rest.starts_with(begins) => {
                    (rest[..end].to_lowercase(), &rest[end..])
                }
                _ if rest.starts_with('.') => {
                    return Err(invalid(name, Some("No valid identifier before \".\".")));
                }
                _ if !parts.is_empty() => {
                    return Err(invalid(name, Some("No valid identifier after \".\".")));
                }
                _ => return Err(invalid(name, None)),
            },
        };
        parts.push(part);
        let behind = behind.trim_start_matches(is_space);
        match behind.strip_prefix('.') {
            Some(next) => rest = next.trim_start_matches(is_space),
            None if behind.is_empty() || !is_strict => return Ok(parts),
            None => return Err(invalid(name, None)),
        }
    }
}

/// A part behind its first quote, and what comes behind its last one.
fn quoted_part<'a>(name: &str, quoted: &'a str) -> Result<(String, &'a str)> {
    let mut part = String::new();
    let mut rest = quoted;
    loop {
        let Some(end) = rest.find('"') else {
            return Err(invalid(name, Some("String has unclosed double quotes.")));
        };
        part.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(behind) => {
                part.push('"');
                rest = behind;
            }
            None if part.is_empty() => {
                return Err(invalid(name, Some("Quoted identifier must not be empty.")));
            }
            None => return Ok((part, rest)),
        }
    }
}

/// As `scanner_isspace` in scansup.c.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// As `is_ident_start` in misc.c.
fn begins(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || !c.is_ascii()
}

/// As `is_ident_cont` in misc.c.
fn continues(c: char) -> bool {
    begins(c) || c.is_ascii_digit() || c == '$'
}

fn invalid(name: &str, detail: Option<&str>) -> Error {
    let message = format!("string is not a valid identifier: \"{name}\"");
    let error = Error::new(ErrorKind::InvalidParameterValue, message);
    match detail {
        Some(detail) => error.with_detail(detail),
        None => error,
    }
}
