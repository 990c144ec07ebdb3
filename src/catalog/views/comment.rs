//! Writes COMMENT ON into the files of the views folder, and changes what it names.

use super::edit::Editor;
use super::look_up::Found;
use super::names::{file_name, no_relation, not_a, shown, with_schema, written};
use crate::catalog::sql::{AlteredKind, Commented, Definition, Name, identifier, literal};
use crate::error::{Error, ErrorKind, Result};

impl Editor<'_> {
    /// Sets or takes away a description.
    pub(super) fn comment(&mut self, on: &Commented, text: Option<&str>) -> Result<()> {
        let (key, path, subject) = match on {
            Commented::Schema(name) => {
                self.require_schema(name)?;
                self.require_owns_schema(name)?;
                let path = format!("{}.sql", file_name(name));
                (on.clone(), path, format!("schema {}", identifier(name)))
            }
            Commented::View(name) => self.commented_view(AlteredKind::View, name)?,
            Commented::Materialized(name) => {
                self.commented_view(AlteredKind::Materialized, name)?
            }
            Commented::Table(name) => match self.look_up(name)? {
                Some(Found::Other(name)) => {
                    self.require_owns("table", &name)?;
                    let subject = format!("table {}", shown(&name));
                    (
                        Commented::Table(written(&name)),
                        self.path_for(&name),
                        subject,
                    )
                }
                Some(Found::View(name)) => {
                    let message = format!("\"{}\" is not a table", name.1);
                    return Err(Error::new(ErrorKind::WrongObjectType, message));
                }
                None => return Err(no_relation(name)),
            },
            Commented::Foreign(name) => match self.look_up(name)? {
                Some(Found::Other(name)) if self.is_foreign(&name)? => {
                    self.require_owns(AlteredKind::Foreign.word(), &name)?;
                    let subject = format!("foreign table {}", shown(&name));
                    let key = Commented::Table(written(&name));
                    (key, self.path_for(&name), subject)
                }
                Some(Found::View(name) | Found::Other(name)) => {
                    return Err(not_a(AlteredKind::Foreign, &name.1));
                }
                None => return Err(no_relation(name)),
            },
            Commented::Column(name, column) => match self.look_up(name)? {
                Some(Found::View(name) | Found::Other(name)) => {
                    self.require_owns("relation", &name)?;
                    let subject = format!("column {}.{}", shown(&name), identifier(column));
                    let key = Commented::Column(written(&name), column.clone());
                    (key, self.path_for(&name), subject)
                }
                None => return Err(no_relation(name)),
            },
        };
        let statement = |text: &str| format!("comment on {subject} is {};", literal(text));
        let mut is_there = false;
        self.each_piece(|piece, schema| match &piece.definition {
            Ok(Definition::Comment { on, .. }) if with_schema(on, schema) == key => {
                is_there = true;
                let replaced = text.map(&statement).unwrap_or_default();
                Some((piece.bytes.clone(), replaced))
            }
            _ => None,
        });
        if let Some(text) = text
            && !is_there
        {
            self.append(&path, &statement(text));
        }
        Ok(())
    }

    /// A view whose description is set: how it is named, the file, and how the statement names it.
    fn commented_view(
        &mut self,
        kind: AlteredKind,
        name: &Name,
    ) -> Result<(Commented, String, String)> {
        match self.look_up(name)? {
            Some(Found::View(name)) => {
                self.require_kind(kind, &name)?;
                self.require_owns(kind.word(), &name)?;
                let subject = format!("{} {}", kind.word(), shown(&name));
                let key = match kind {
                    AlteredKind::Materialized => Commented::Materialized(written(&name)),
                    AlteredKind::View | AlteredKind::Table | AlteredKind::Foreign => {
                        Commented::View(written(&name))
                    }
                };
                Ok((key, self.path_for(&name), subject))
            }
            Some(Found::Other(name)) => Err(not_a(kind, &name.1)),
            None => Err(no_relation(name)),
        }
    }

    /// Writes each COMMENT ON anew whose subject `subject` names, or takes it out if that is empty.
    pub(super) fn each_comment(&mut self, subject: impl Fn(&Commented, &str) -> Option<String>) {
        self.each_piece(|piece, schema| {
            let Ok(Definition::Comment { on, text }) = &piece.definition else {
                return None;
            };
            let subject = subject(on, schema)?;
            let statement = match (subject.as_str(), text) {
                ("", _) | (_, None) => String::new(),
                (subject, Some(text)) => {
                    format!("comment on {subject} is {};", literal(text))
                }
            };
            Some((piece.bytes.clone(), statement))
        });
    }
}
