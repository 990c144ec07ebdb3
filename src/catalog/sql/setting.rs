//! Parses the name of a setting and the value that SET gives it.
//! <https://www.postgresql.org/docs/16/sql-set.html>

use datafusion::sql::sqlparser::tokenizer::Token;

use super::Cursor;
use crate::error::Result;

/// `name TO value` or `name = value`; `None` for DEFAULT. The value's parts are joined by `, `.
///
/// # Errors
/// `SyntaxError`: something else is there.
pub fn setting_assignment(cursor: &mut Cursor<'_>) -> Result<(String, Option<String>)> {
    let name = setting_name(cursor)?;
    if !cursor.skip_any(&["TO"]) && !cursor.skip_sign(&Token::Eq) {
        return Err(cursor.unexpected());
    }
    let mut parts = vec![setting_value(cursor)?];
    while cursor.skip_sign(&Token::Comma) {
        parts.push(setting_value(cursor)?);
    }
    // DEFAULT stands alone.
    let parts: Option<Vec<String>> = parts.into_iter().collect();
    Ok((name, parts.map(|parts| parts.join(", "))))
}

/// The name of a setting: lower case, with its dots.
///
/// # Errors
/// `SyntaxError`: something else is there.
pub fn setting_name(cursor: &mut Cursor<'_>) -> Result<String> {
    let mut name = cursor.name()?.to_lowercase();
    while cursor.skip_sign(&Token::Period) {
        name = format!("{name}.{}", cursor.name()?.to_lowercase());
    }
    Ok(name)
}

/// One part of a setting's value: a string, a number, or a word; `None` for DEFAULT.
///
/// # Errors
/// `SyntaxError`: something else is there.
pub fn setting_value(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    let sign = match cursor.skip_sign(&Token::Minus) {
        true => "-",
        false => "",
    };
    let value = match cursor.first().map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_some() => Some(word.value.clone()),
        Some(Token::Word(word)) => match word.value.to_lowercase().as_str() {
            "default" => None,
            word => Some(word.to_owned()),
        },
        Some(Token::Number(digits, _)) => Some(format!("{sign}{digits}")),
        _ => return cursor.string().map(Some),
    };
    cursor.read();
    Ok(value)
}
