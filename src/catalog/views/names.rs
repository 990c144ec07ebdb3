//! Names of views as statements, errors and files spell them.

use super::FullName;
use super::read::full as full_name;
use crate::catalog::sql::{AlteredKind, Commented, CreateView, Name, identifier};
use crate::error::{Error, ErrorKind};

/// The statement that creates a view.
pub(super) fn create_statement(name: &FullName, view: &CreateView) -> String {
    let CreateView {
        columns,
        security_invoker,
        query,
        materialized,
        ..
    } = view;
    let query = &query.text;
    let columns: Vec<String> = columns.iter().map(|column| identifier(column)).collect();
    let columns = match columns.as_slice() {
        [] => String::new(),
        columns => format!(" ({})", columns.join(", ")),
    };
    // A line comment at its end must not swallow the semicolon.
    let end = match query.lines().next_back() {
        Some(line) if line.contains("--") => "\n;",
        _ => ";",
    };
    let options = match (security_invoker, materialized) {
        (_, Some(said)) => said
            .options
            .text()
            .map(|options| format!(" with {options}")),
        (true, None) => Some(" with (security_invoker = true)".to_owned()),
        (false, None) => None,
    };
    let kind = match materialized {
        Some(_) => AlteredKind::Materialized,
        None => AlteredKind::View,
    };
    format!(
        "create {} {}{columns}{} as\n{query}{end}",
        kind.word(),
        shown(name),
        options.unwrap_or_default()
    )
}

/// As SQL names it.
pub(super) fn shown(name: &FullName) -> String {
    format!("{}.{}", identifier(&name.0), identifier(&name.1))
}

/// As a statement would have named it.
pub(super) fn written(name: &FullName) -> Name {
    Name {
        schema: Some(name.0.clone()),
        name: name.1.clone(),
    }
}

/// A comment's subject with the schema that its absence means.
pub(super) fn with_schema(on: &Commented, schema: &str) -> Commented {
    let full = |name: &Name| written(&full_name(name, schema));
    match on {
        Commented::Schema(name) => Commented::Schema(name.clone()),
        Commented::View(name) => Commented::View(full(name)),
        Commented::Materialized(name) => Commented::Materialized(full(name)),
        // Of a foreign table either is said, and means the same.
        Commented::Table(name) | Commented::Foreign(name) => Commented::Table(full(name)),
        Commented::Column(name, column) => Commented::Column(full(name), column.clone()),
    }
}

/// The file of a relation: `schema/name.sql`.
pub(super) fn path_of(name: &FullName) -> String {
    format!("{}/{}.sql", file_name(&name.0), file_name(&name.1))
}

/// A name as that of a file: what file systems and URLs do not take alike is percent-encoded.
pub(super) fn file_name(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => encoded.push(character),
            other => {
                let mut bytes = [0; 4];
                for byte in other.encode_utf8(&mut bytes).bytes() {
                    encoded.push_str(&format!("%{byte:02X}"));
                }
            }
        }
    }
    encoded
}

pub(super) fn not_a_view(name: &str) -> Error {
    not_a(AlteredKind::View, name)
}

/// The error of a relation that is of another kind than the statement is for.
pub(super) fn not_a(kind: AlteredKind, name: &str) -> Error {
    let message = format!("\"{name}\" is not a {}", kind.word());
    Error::new(ErrorKind::WrongObjectType, message)
}

pub(super) fn no_view(name: &Name) -> Error {
    no_such("view", name)
}

pub(super) fn no_relation(name: &Name) -> Error {
    no_such("relation", name)
}

pub(super) fn no_such(kind: &str, name: &Name) -> Error {
    let shown = match &name.schema {
        Some(schema) => format!("{schema}.{}", name.name),
        None => name.name.clone(),
    };
    let message = format!("{kind} \"{shown}\" does not exist");
    Error::new(ErrorKind::UndefinedTable, message)
}
