//! Parses the statements about views: CREATE, DROP and ALTER VIEW.
//! <https://www.postgresql.org/docs/16/sql-createview.html>

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::grant::behavior;
use super::names::{list, name};
use super::policy::row_security_change;
use super::role::role_spec;
use super::setting::setting_value;
use super::{
    AlterRowSecurity, AlteredKind, CreateView, Cursor, Definition, Lines, Name, Owned, SelectText,
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
    let columns = column_names(&mut cursor)?;
    let security_invoker = cursor.skip_any(&["WITH"]) && view_options(&mut cursor)?;
    cursor.expect("AS")?;
    let tokens = rest(&mut cursor);
    if ends_with(&tokens, &["CHECK", "OPTION"]) {
        return Err(Error::unsupported("WITH CHECK OPTION"));
    }
    Ok(Definition::CreateView(CreateView {
        name,
        columns,
        security_invoker,
        query: select_text(text, lines, &tokens).ok_or_else(|| cursor.unexpected())?,
        or_replace,
        materialized: None,
    }))
}

/// The names of columns in parentheses, or none.
pub(super) fn column_names(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut columns = Vec::new();
    if cursor.skip_sign(&Token::LParen) {
        columns = list(cursor, |cursor| cursor.name())?;
        cursor.expect_sign(&Token::RParen)?;
    }
    Ok(columns)
}

/// Reads the tokens that are left.
pub(super) fn rest<'a>(cursor: &mut Cursor<'a>) -> Vec<&'a TokenWithSpan> {
    let mut tokens = Vec::new();
    while let Some(token) = cursor.first() {
        tokens.push(token);
        cursor.read();
    }
    tokens
}

/// Whether the last tokens are these words.
pub(super) fn ends_with(tokens: &[&TokenWithSpan], words: &[&str]) -> bool {
    let Some(start) = tokens.len().checked_sub(words.len()) else {
        return false;
    };
    let is_word = |(token, word): (&&TokenWithSpan, &&str)| match &token.token {
        Token::Word(found) => found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word),
        _ => false,
    };
    tokens[start..].iter().zip(words).all(is_word)
}

/// The text of a query's tokens; `None` if there are none.
pub(super) fn select_text(
    text: &str,
    lines: &Lines,
    tokens: &[&TokenWithSpan],
) -> Option<SelectText> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    let query = &text[lines.byte(text, first.span.start)..lines.byte(text, last.span.end)];
    Some(SelectText {
        text: query.to_owned(),
        position: lines.position(first.span.start),
    })
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
    dropped(cursor, AlteredKind::View)
}

/// DROP MATERIALIZED VIEW, behind these words.
pub(super) fn drop_materialized(cursor: &mut Cursor<'_>) -> Result<Definition> {
    dropped(cursor, AlteredKind::Materialized)
}

fn dropped(cursor: &mut Cursor<'_>, kind: AlteredKind) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    Ok(Definition::DropView {
        kind,
        names: list(cursor, name)?,
        if_exists,
        cascade: behavior(cursor),
    })
}

/// ALTER VIEW, behind these words.
pub(super) fn alter_view(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    let name = name(cursor)?;
    if let Some(altered) = renamed_or_given(cursor, AlteredKind::View, &name, if_exists) {
        return altered;
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

/// What is said of views of both kinds: RENAME TO, SET SCHEMA, and OWNER TO; `None` if it is
/// something else.
pub(super) fn renamed_or_given(
    cursor: &mut Cursor<'_>,
    kind: AlteredKind,
    name: &Name,
    if_exists: bool,
) -> Option<Result<Definition>> {
    let name = name.clone();
    if cursor.skip_all(&["RENAME", "TO"]) {
        return Some(cursor.name().map(|to| Definition::RenameView {
            kind,
            name,
            if_exists,
            to,
        }));
    }
    if cursor.skip_all(&["SET", "SCHEMA"]) {
        return Some(cursor.name().map(|to| Definition::MoveView {
            kind,
            name,
            if_exists,
            to,
        }));
    }
    if cursor.skip_all(&["OWNER", "TO"]) {
        let on = match kind {
            AlteredKind::Materialized => Owned::Materialized(name, if_exists),
            AlteredKind::Foreign => Owned::Foreign(name, if_exists),
            AlteredKind::View | AlteredKind::Table => Owned::View(name, if_exists),
        };
        return Some(role_spec(cursor).map(|to| Definition::AlterOwner { on, to }));
    }
    None
}
