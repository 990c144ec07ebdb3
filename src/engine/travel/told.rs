//! Tells at which versions a statement's tables were read.

use std::sync::PoisonError;

use crate::catalog::VersionRow;
use crate::engine::answer::Answer;
use crate::engine::context::StatementContext;
use crate::engine::pin::{Pinned, PinnedRelation, Relations};
use crate::error::{Error, ErrorKind};
use crate::sources::Version;

/// The error of a column that is not there, with the versions of the tables that are read at a moment of
/// their own: they may have it at others.
pub(in crate::engine) fn naming_versions(error: Error, relations: &Relations) -> Error {
    if error.kind() != ErrorKind::UndefinedColumn {
        return error;
    }
    let mut told: Vec<String> = Vec::new();
    for relation in relations.values() {
        if let PinnedRelation::Table(table) = relation.unprotected()
            && table.at.is_some()
        {
            told.push(format!(
                "Table \"{}.{}\" is read at {}.",
                table.schema,
                table.name,
                table.version.in_words()
            ));
        }
    }
    if told.is_empty() {
        return error;
    }
    told.sort_unstable();
    told.dedup();
    let told = told.join(" ");
    let detail = match error.detail() {
        Some(detail) => format!("{detail} {told}"),
        None => told,
    };
    error.with_detail(detail)
}

/// The answer of a statement, with what its client is told of moments.
pub(in crate::engine) fn telling(
    mut answer: Answer,
    pinned: &Pinned,
    context: &StatementContext,
) -> Answer {
    keep(pinned, context);
    answer.notices.extend(pinned.notices.iter().cloned());
    answer.notices.extend(notices(pinned));
    answer
}

/// Keeps what a statement reads, for `lakegate.versions`: it tells of the last one that read the lake.
fn keep(pinned: &Pinned, context: &StatementContext) {
    let tables = pinned.tables.iter();
    let mut read: Vec<VersionRow> = tables
        .filter(|table| table.version != Version::None)
        .map(|table| VersionRow {
            schema_name: table.schema.clone(),
            table_name: table.name.clone(),
            version: table.version.to_string(),
        })
        .collect();
    if read.is_empty() {
        return;
    }
    read.sort_unstable();
    read.dedup();
    let own = &context.facts.sessions.own;
    own.lock().unwrap_or_else(PoisonError::into_inner).versions = read;
}

/// What a client is told of relations that are not read at the moment that is asked for.
fn notices(pinned: &Pinned) -> Vec<String> {
    let read = pinned.as_they_are.iter();
    read.map(|name| format!("table \"{name}\" has no history: it is read as it is now"))
        .collect()
}
