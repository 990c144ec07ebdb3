//! Parses the statements about views: CREATE, DROP and ALTER VIEW.
//! <https://www.postgresql.org/docs/16/sql-createview.html>

use datafusion::sql::sqlparser::tokenizer::Token;

use super::grant::behavior;
use super::names::{list, name};
use super::policy::row_security_change;
use super::role::role_spec;
use super::setting::setting_value;
use super::{
    AlterRowSecurity, AlteredKind, CreateView, Cursor, Definition, Lines, Owned, SelectText,
};
use crate::error::{Error, ErrorKind, Result};

/// CREATE VIEW, behind these words.
pub(super) fn create_view(
    text: &str,
    lines: &Lines,
    mut cursor: Cursor<'_>,
    or_replace: bool,
) -> Result<Definition> {
    let name = name(&mut cursor)?;
    let mut columns = Vec::new();
    if cursor.skip_sign(&Token::LParen) {
        columns = list(&mut cursor, |cursor| cursor.name())?;
        cursor.expect_sign(&Token::RParen)?;
    }
    let security_invoker = cursor.skip_any(&["WITH"]) && view_options(&mut cursor)?;
    cursor.expect("AS")?;
    let first = cursor.first().ok_or_else(|| cursor.unexpected())?;
    let mut last = first;
    let mut before_last = Vec::new();
    while let Some(token) = cursor.first() {
        before_last.push(cursor.peek());
        last = token;
        cursor.read();
    }
    let ending: Vec<&str> = before_last
        .iter()
        .rev()
        .take(2)
        .map(|word| word.as_deref().unwrap_or(""))
        .collect();
    if ending == ["OPTION", "CHECK"] {
        return Err(Error::unsupported("WITH CHECK OPTION"));
    }
    let query = &text[lines.byte(text, first.span.start)..lines.byte(text, last.span.end)];
    Ok(Definition::CreateView(CreateView {
        name,
        columns,
        security_invoker,
        query: SelectText {
            text: query.to_owned(),
            position: lines.position(first.span.start),
        },
        or_replace,
    }))
}

/// `(security_invoker = true)`: whether it is set.
fn view_options(cursor: &mut Cursor<'_>) -> Result<bool> {
    cursor.expect_sign(&Token::LParen)?;
    let mut security_invoker = false;
    for option in list(cursor, view_option)? {
        match option {
            (name, value) if name == "security_invoker" => security_invoker = value,
            (name, _) => return Err(Error::unsupported(format!("the view option \"{name}\""))),
        }
    }
    cursor.expect_sign(&Token::RParen)?;
    Ok(security_invoker)
}

/// A name and a boolean, which is true where none is given.
fn view_option(cursor: &mut Cursor<'_>) -> Result<(String, bool)> {
    let name = cursor.name()?;
    if !cursor.skip_sign(&Token::Eq) {
        return Ok((name, true));
    }
    let value = setting_value(cursor)?.unwrap_or_default();
    match value.to_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok((name, true)),
        "false" | "off" | "no" | "0" => Ok((name, false)),
        _ => {
            let message = format!("invalid value for boolean option \"{name}\": {value}");
            Err(Error::new(ErrorKind::InvalidParameterValue, message))
        }
    }
}

/// DROP VIEW, behind these words.
pub(super) fn drop_view(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    Ok(Definition::DropView {
        names: list(cursor, name)?,
        if_exists,
        cascade: behavior(cursor),
    })
}

/// ALTER VIEW, behind these words.
pub(super) fn alter_view(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    let name = name(cursor)?;
    if cursor.skip_all(&["RENAME", "TO"]) {
        let to = cursor.name()?;
        return Ok(Definition::RenameView {
            kind: AlteredKind::View,
            name,
            if_exists,
            to,
        });
    }
    if cursor.skip_all(&["SET", "SCHEMA"]) {
        let to = cursor.name()?;
        return Ok(Definition::MoveView {
            name,
            if_exists,
            to,
        });
    }
    if cursor.skip_all(&["OWNER", "TO"]) {
        return Ok(Definition::AlterOwner {
            on: Owned::View(name, if_exists),
            to: role_spec(cursor)?,
        });
    }
    if let Some(change) = row_security_change(cursor) {
        return Ok(Definition::AlterRowSecurity(AlterRowSecurity {
            on: name,
            is_view: true,
            if_exists,
            change,
        }));
    }
    match cursor.peek() {
        Some(action) => Err(Error::unsupported(format!("ALTER VIEW ... {action}"))),
        None => Err(cursor.unexpected()),
    }
}
