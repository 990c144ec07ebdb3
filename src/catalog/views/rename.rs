//! ALTER VIEW ... RENAME TO and SET SCHEMA: what stands in the files of a view, of its keys and rights, and of the
//! views that read it, follows.

use super::edit::Editor;
use super::look_up::Found;
use super::names::{create_statement, no_relation, no_view, not_a, shown};
use super::read::full;
use super::{FullName, Reference};
use crate::auth::Object;
use crate::catalog::sql::{
    AlterMaterialized, AlteredKind, Commented, Definition, Name, identifier,
};
use crate::error::{Error, ErrorKind, Result};

impl Editor<'_> {
    /// What ALTER TABLE renames must be a view or a foreign table all the same: tables of the lake are not ours to name.
    pub(super) fn require_no_table(&self, kind: AlteredKind, name: &Name) -> Result<()> {
        match (kind, self.look_up(name)?) {
            (AlteredKind::Table, Some(Found::Other(found))) if !self.is_foreign(&found)? => {
                let message = "cannot execute ALTER TABLE in a read-only transaction";
                Err(Error::new(ErrorKind::ReadOnlySqlTransaction, message))
            }
            _ => Ok(()),
        }
    }

    /// RENAME TO and SET SCHEMA, of whatever it is.
    pub(super) fn rename(
        &mut self,
        kind: AlteredKind,
        named: (&Name, bool),
        renamed: impl FnOnce(&FullName) -> FullName,
    ) -> Result<()> {
        match self.is_about_foreign(kind, named.0)? {
            true => self.rename_foreign(named, renamed),
            false => self.rename_view(kind, named, renamed),
        }
    }

    fn rename_view(
        &mut self,
        kind: AlteredKind,
        (name, if_exists): (&Name, bool),
        renamed: impl FnOnce(&FullName) -> FullName,
    ) -> Result<()> {
        let old = match self.look_up(name)? {
            Some(Found::View(old)) => old,
            Some(Found::Other(other)) => return Err(not_a(kind, &other.1)),
            None if if_exists => {
                self.skip("relation", name);
                return Ok(());
            }
            None => return Err(no_relation(name)),
        };
        self.require_kind(kind, &old)?;
        self.require_owns(self.views.kind_of(&old).word(), &old)?;
        let new = renamed(&old);
        self.require_may_create_in(&new.0)?;
        if self.find(&new.0, &new.1)?.is_some() {
            let message = format!("relation \"{}\" already exists", new.1);
            return Err(Error::new(ErrorKind::DuplicateTable, message));
        }
        let (path, piece) = self.piece_of(&old)?;
        let Ok(Definition::CreateView(view)) = &piece.definition else {
            return Err(no_view(name));
        };
        let statement = create_statement(&new, view);
        self.replace(&path, piece.bytes, &statement);
        self.rename_what_is_said(&old, &new)?;
        for reader in self.views.readers(&old) {
            let means_it = |reference: &Reference| {
                self.views.resolve(&reader.0, reference).as_ref() == Some(&old)
            };
            self.have_follow(&reader, means_it, (&old, &new))?;
        }
        Ok(())
    }

    /// Comments, keys and rights follow a relation to its new name.
    pub(super) fn rename_what_is_said(&mut self, old: &FullName, new: &FullName) -> Result<()> {
        self.each_comment(|on, schema| {
            let on = match on {
                Commented::View(of) if full(of, schema) == *old => "view ".to_owned(),
                Commented::Materialized(of) if full(of, schema) == *old => {
                    "materialized view ".to_owned()
                }
                Commented::Table(of) if full(of, schema) == *old => "table ".to_owned(),
                Commented::Foreign(of) if full(of, schema) == *old => "foreign table ".to_owned(),
                Commented::Column(of, column) if full(of, schema) == *old => {
                    return Some(format!("column {}.{}", shown(new), identifier(column)));
                }
                _ => return None,
            };
            Some(on + &shown(new))
        });
        self.rename_keys_of(old, new);
        let (from, to) = (
            Object::relation(&old.0, &old.1),
            Object::relation(&new.0, &new.1),
        );
        let facts = self.facts_of_moved(&from, Some(&to));
        self.change_facts(facts)
    }

    /// Has a view read a relation by its new name, or tells that it does not.
    pub(super) fn have_follow(
        &mut self,
        reader: &FullName,
        means_it: impl Fn(&Reference) -> bool,
        (old, new): (&FullName, &FullName),
    ) -> Result<()> {
        if !self.follow(reader, means_it, new)? {
            let notice = format!(
                "view {} reads {} by its name, and does not follow it",
                shown(reader),
                shown(old)
            );
            self.edited.notices.push(notice);
        }
        Ok(())
    }

    /// ALTER MATERIALIZED VIEW ... SET and RESET.
    pub(super) fn alter_materialized(&mut self, alter: &AlterMaterialized) -> Result<()> {
        let kind = AlteredKind::Materialized;
        let name = match self.look_up(&alter.name)? {
            Some(Found::View(name)) => name,
            Some(Found::Other(other)) => return Err(not_a(kind, &other.1)),
            None if alter.if_exists => {
                self.skip("relation", &alter.name);
                return Ok(());
            }
            None => return Err(no_relation(&alter.name)),
        };
        self.require_kind(kind, &name)?;
        self.require_owns(kind.word(), &name)?;
        let (path, piece) = self.piece_of(&name)?;
        let Ok(Definition::CreateView(mut view)) = piece.definition else {
            return Err(no_view(&alter.name));
        };
        if let Some(said) = &mut view.materialized {
            for (option, value) in &alter.changes {
                said.options.set(option, value.as_deref())?;
            }
        }
        let statement = create_statement(&name, &view);
        self.replace(&path, piece.bytes, &statement);
        Ok(())
    }

    /// Has a view read another by its new name, as PostgreSQL's views do; whether it does.
    fn follow(
        &mut self,
        reader: &FullName,
        means_it: impl Fn(&Reference) -> bool,
        new: &FullName,
    ) -> Result<bool> {
        let (path, piece) = self.piece_of(reader)?;
        let Ok(Definition::CreateView(view)) = &piece.definition else {
            return Ok(false);
        };
        let to = |reference: &Reference| means_it(reference).then(|| new.clone());
        let query = &view.query;
        let Some(renamed) = (self.surroundings.renamed)(&query.text, &to) else {
            return Ok(false);
        };
        let text = self.edited.files.text(&path).map_or("", AsRef::as_ref);
        let start = text.char_indices().nth(query.position - 1);
        let start = start.map_or(text.len(), |(byte, _)| byte);
        self.replace(&path, start..start + query.text.len(), &renamed);
        Ok(true)
    }
}
