//! Parses the names of relations, and lists.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Cursor, Name};
use crate::error::{Error, ErrorKind, Result};

/// The name of a relation.
pub(super) fn name(cursor: &mut Cursor<'_>) -> Result<Name> {
    let path = path(cursor)?;
    of_path(cursor, path)
}

pub(super) fn path(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut path = vec![cursor.name()?];
    while cursor.skip_sign(&Token::Period) {
        path.push(cursor.name()?);
    }
    Ok(path)
}

/// A relation by the parts of its name: at most a database, a schema and its own.
pub(super) fn of_path(cursor: &Cursor<'_>, mut path: Vec<String>) -> Result<Name> {
    let whole = path.join(".");
    let name = path.pop().unwrap_or_default();
    let schema = path.pop();
    match (path.pop(), path.is_empty()) {
        (None, _) => Ok(Name { schema, name }),
        // As RangeVarGetRelidExtended in namespace.c: the database may be said.
        (Some(database), true) if Some(database.as_str()) == cursor.database() => {
            Ok(Name { schema, name })
        }
        (_, true) => {
            let message = format!("cross-database references are not implemented: \"{whole}\"");
            Err(Error::new(ErrorKind::FeatureNotSupported, message))
        }
        // As makeRangeVarFromAnyName in gram.y.
        (_, false) => {
            let message = format!("improper qualified name (too many dotted names): {whole}");
            Err(Error::new(ErrorKind::SyntaxError, message))
        }
    }
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
