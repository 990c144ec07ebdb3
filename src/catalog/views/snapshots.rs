//! Named snapshots: which version each table had at a moment. Each is a statement in a file of its own.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};

use super::FullName;
use super::edit::Editor;
use super::names::file_name;
use crate::catalog::sql::{CreateSnapshot, Definition, identifier, literal};
use crate::error::{Error, ErrorKind, Result};

/// The folder of snapshots, below the views folder.
const SNAPSHOTS_FOLDER: &str = "_snapshots/";

/// A moment of the lake that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SavedSnapshot {
    /// Its name.
    pub name: String,
    /// The moment.
    pub instant: DateTime<Utc>,
    /// What it is for.
    pub comment: Option<String>,
    /// The version that each table with history had then; one that is not here was not there. `None`
    /// where only the moment was written down.
    pub versions: Option<BTreeMap<FullName, u64>>,
}

impl SavedSnapshot {
    /// What a statement of a file says.
    ///
    /// # Errors
    /// `InvalidDatetimeFormat`: it says no moment.
    pub(super) fn of(statement: CreateSnapshot) -> Result<Self> {
        let said = statement.as_of.unwrap_or_default();
        let instant = instant(&said).ok_or_else(|| {
            let message = format!("snapshot \"{}\" has no moment: \"{said}\"", statement.name);
            Error::new(ErrorKind::InvalidDatetimeFormat, message)
        })?;
        Ok(Self {
            name: statement.name,
            instant,
            comment: statement.comment,
            versions: statement.versions,
        })
    }
}

/// An instant as it stands in a file; in UTC, unless it says otherwise.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim().replacen(' ', "T", 1);
    if let Ok(instant) = DateTime::parse_from_rfc3339(&text) {
        return Some(instant.to_utc());
    }
    let plain = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f");
    let day = || {
        NaiveDate::parse_from_str(&text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    };
    Some(plain.ok().or_else(day)?.and_utc())
}

/// The statement of a snapshot, as its file holds it.
fn statement(snapshot: &CreateSnapshot) -> String {
    let mut text = format!("create snapshot {}", identifier(&snapshot.name));
    if let Some(as_of) = &snapshot.as_of {
        text += &format!(" as of {}", literal(as_of));
    }
    if let Some(versions) = &snapshot.versions {
        let tables = versions.iter().map(|((schema, name), version)| {
            let (schema, name) = (identifier(schema), identifier(name));
            format!("\n  {schema}.{name} version {version}")
        });
        let tables: Vec<String> = tables.collect();
        text += &format!(" ({}\n)", tables.join(","));
    }
    if let Some(comment) = &snapshot.comment {
        text += &format!("\n  comment {}", literal(comment));
    }
    text + ";"
}

/// An instant as a file holds it.
pub fn written_instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}

impl Editor<'_> {
    /// CREATE SNAPSHOT; its versions are known.
    pub(super) fn create_snapshot(&mut self, snapshot: &CreateSnapshot) -> Result<()> {
        self.require_may_create_schemas()?;
        if self.views.snapshots.contains_key(&snapshot.name) {
            let message = format!("snapshot \"{}\" already exists", snapshot.name);
            return Err(Error::new(ErrorKind::DuplicateObject, message));
        }
        let path = format!("{SNAPSHOTS_FOLDER}{}.sql", file_name(&snapshot.name));
        self.append(&path, &statement(snapshot));
        Ok(())
    }

    /// DROP SNAPSHOT.
    pub(super) fn drop_snapshots(&mut self, names: &[String], if_exists: bool) -> Result<()> {
        self.require_may_create_schemas()?;
        for name in names {
            if self.views.snapshots.contains_key(name) {
                self.each_piece(|piece, _| match &piece.definition {
                    Ok(Definition::CreateSnapshot(of)) if of.name == *name => {
                        Some((piece.with_comment.clone(), String::new()))
                    }
                    _ => None,
                });
                continue;
            }
            let message = format!("snapshot \"{name}\" does not exist");
            match if_exists {
                true => self.edited.notices.push(format!("{message}, skipping")),
                false => return Err(Error::new(ErrorKind::UndefinedObject, message)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_of_files_are_in_utc() {
        fn check(text: &str, expected: Option<&str>) {
            let found = instant(text).map(written_instant);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        let midnight = Some("2026-11-01T00:00:00.000000Z");
        check("2026-11-01", midnight);
        check("2026-11-01 00:00:00", midnight);
        check("2026-11-01 01:00:00+01:00", midnight);
        check(
            "2026-11-01T00:00:00.000001Z",
            Some("2026-11-01T00:00:00.000001Z"),
        );
        check("yesterday", None);
        check("", None);
    }
}
