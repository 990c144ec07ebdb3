//! A moment of what can be read: which version of each table it means.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::catalog::Relation;
use crate::catalog::views::SavedSnapshot;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::At;

/// A moment at which relations are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::engine) enum Point {
    /// Now, or the moment that the transaction sees.
    #[default]
    Latest,
    /// A version of one table.
    Version(u64),
    /// The last version of each table until then.
    Instant(DateTime<Utc>),
    /// The versions that a snapshot has kept.
    Saved(Arc<SavedSnapshot>),
}

impl Point {
    /// What of a table's history is meant.
    ///
    /// # Errors
    /// `UndefinedTable`: a snapshot knows no version of it.
    pub(in crate::engine) fn of_table(&self, schema: &str, name: &str) -> Result<Option<At>> {
        match self {
            Self::Latest => Ok(None),
            Self::Version(version) => Ok(Some(At::Version(*version))),
            Self::Instant(instant) => Ok(Some(At::Instant(*instant))),
            Self::Saved(saved) => {
                let Some(versions) = &saved.versions else {
                    return Ok(Some(At::Instant(saved.instant)));
                };
                let key = (schema.to_owned(), name.to_owned());
                let version = versions.get(&key).ok_or_else(|| {
                    let message = format!(
                        "relation \"{schema}.{name}\" did not exist in snapshot \"{}\"",
                        saved.name
                    );
                    Error::new(ErrorKind::UndefinedTable, message)
                })?;
                Ok(Some(At::Version(*version)))
            }
        }
    }
}

/// The name of a relation and what stands behind the last `@` in it: `orders@v12`.
pub(in crate::engine) fn behind_sign(name: &str) -> Option<(&str, &str)> {
    let (table, said) = name.rsplit_once('@')?;
    (!table.is_empty() && !said.is_empty()).then_some((table, said))
}

/// The error of a relation that is to be read at a moment, and has only its rows of now.
pub(in crate::engine) fn no_history(relation: &Relation, point: &Point) -> Error {
    let message = format!(
        "table \"{}.{}\" has no history",
        relation.schema, relation.name
    );
    let error = Error::new(ErrorKind::FeatureNotSupported, message)
        .with_detail("Only Delta tables keep the rows that they had before.");
    match point {
        Point::Version(_) => error,
        _ => error.with_hint("Set lakegate.as_of_mode to 'mixed' to read it as it is now."),
    }
}
