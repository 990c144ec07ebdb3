//! Parses the names of relations, and lists.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Cursor, Name};
use crate::error::{Error, Result};

/// The name of a relation.
pub(super) fn name(cursor: &mut Cursor<'_>) -> Result<Name> {
    of_path(path(cursor)?)
}

pub(super) fn path(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut path = vec![cursor.name()?];
    while cursor.skip_sign(&Token::Period) {
        path.push(cursor.name()?);
    }
    Ok(path)
}

pub(super) fn of_path(mut path: Vec<String>) -> Result<Name> {
    let name = path.pop().unwrap_or_default();
    let schema = path.pop();
    if !path.is_empty() {
        let message = "cross-database references of a definition";
        return Err(Error::unsupported(message));
    }
    Ok(Name { schema, name })
}

/// One or more, with commas between.
pub(super) fn list<T>(
    cursor: &mut Cursor<'_>,
    mut one: impl FnMut(&mut Cursor<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut found = vec![one(cursor)?];
    while cursor.skip_sign(&Token::Comma) {
        found.push(one(cursor)?);
    }
    Ok(found)
}
