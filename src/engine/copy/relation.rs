//! What COPY asks of what it copies.

use super::{Copy, CopyLayout, ForceQuote};
use crate::engine::pin::{Pinned, PinnedRelation};
use crate::error::{Error, ErrorKind, Result};

/// Checks what is pinned, as `CopyGetAttnums` and `BeginCopyTo` do: a relation is a table and has
/// the columns named with it, a query has no parameters.
///
/// # Errors
/// It could not be pinned; `UndefinedColumn`, `DuplicateColumn`, `InvalidColumnReference`;
/// `WrongObjectType`: it is a view; `UndefinedParameter`.
pub(in crate::engine) fn check(copy: &Copy, pinned: Result<Pinned>) -> Result<Pinned> {
    let Some(name) = &copy.relation else {
        return match &copy.parameter {
            Some(error) => pinned.and(Err(error.clone())),
            None => pinned,
        };
    };
    // The name is no expression: `DoCopy` knows no place of it.
    let pinned = pinned.map_err(Error::without_position)?;
    for relation in pinned.relations.values() {
        let relation = relation.unprotected();
        let known = |column: &str| match relation {
            PinnedRelation::Table(table) => table.provider.schema().field_with_name(column).is_ok(),
            // It is refused in any case.
            PinnedRelation::View(_) | PinnedRelation::Protected(_) => true,
        };
        for (index, column) in copy.columns.iter().enumerate() {
            if !known(column) {
                let message = format!("column \"{column}\" of relation \"{name}\" does not exist");
                return Err(Error::new(ErrorKind::UndefinedColumn, message));
            }
            if copy.columns[..index].contains(column) {
                let message = format!("column \"{column}\" specified more than once");
                return Err(Error::new(ErrorKind::DuplicateColumn, message));
            }
        }
        force_quote(copy, name, known)?;
        if let PinnedRelation::View(_) = relation {
            let message = format!("cannot copy from view \"{name}\"");
            return Err(Error::new(ErrorKind::WrongObjectType, message)
                .with_hint("Try the COPY (SELECT ...) TO variant."));
        }
    }
    Ok(pinned)
}

/// As `BeginCopyTo` checks the columns of FORCE_QUOTE against those that are copied.
fn force_quote(copy: &Copy, relation: &str, known: impl Fn(&str) -> bool) -> Result<()> {
    let Ok(CopyLayout::Csv {
        force_quote: ForceQuote::Columns(names),
        ..
    }) = &copy.layout
    else {
        return Ok(());
    };
    for name in names {
        if !known(name) {
            let message = format!("column \"{name}\" of relation \"{relation}\" does not exist");
            return Err(Error::new(ErrorKind::UndefinedColumn, message));
        }
        if !copy.columns.is_empty() && !copy.columns.contains(name) {
            let message = format!("FORCE_QUOTE column \"{name}\" not referenced by COPY");
            return Err(Error::new(ErrorKind::InvalidColumnReference, message));
        }
    }
    Ok(())
}
