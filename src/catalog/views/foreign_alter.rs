//! ALTER FOREIGN TABLE, and ALTER SERVER ... RENAME TO. An imported table that is altered is one of its own from then
//! on: it is left out of what is imported, and says in a file what it is at its server.

use std::sync::Arc;

use super::FullName;
use super::edit::Editor;
use super::look_up::Found;
use super::names::{no_relation, not_a, path_of, shown, written};
use crate::auth::Object;
use crate::catalog::sql::{
    AlteredKind, CreateForeignTable, ForeignDefinition, Name, OptionChange, RoleSpec,
    changed_options, mapping_text,
};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::{ForeignTable, Options, OptionsOf};

use super::read::full;

impl Editor<'_> {
    fn foreign_at(&self, name: &FullName) -> Result<Option<Arc<ForeignTable>>> {
        let relation = self.find(&name.0, &name.1)?;
        Ok(relation.and_then(|relation| relation.foreign().map(Arc::clone)))
    }

    /// Whether a relation is a foreign table.
    pub(super) fn is_foreign(&self, name: &FullName) -> Result<bool> {
        Ok(self.foreign_at(name)?.is_some())
    }

    /// Whether a statement that renames something is about a foreign table: ALTER TABLE takes one as well.
    pub(super) fn is_about_foreign(&self, kind: AlteredKind, name: &Name) -> Result<bool> {
        match (kind, self.look_up(name)?) {
            (AlteredKind::Foreign, _) => Ok(true),
            (AlteredKind::Table, Some(Found::Other(found))) => self.is_foreign(&found),
            _ => Ok(false),
        }
    }

    /// The foreign table that a statement changes; `None` if it is passed over.
    fn foreign_named(
        &mut self,
        (name, if_exists): (&Name, bool),
    ) -> Result<Option<(FullName, Arc<ForeignTable>)>> {
        let found = match self.look_up(name)? {
            Some(Found::View(found) | Found::Other(found)) => found,
            None if if_exists => {
                self.skip("relation", name);
                return Ok(None);
            }
            None => return Err(no_relation(name)),
        };
        let table = self.foreign_at(&found)?;
        let table = table.ok_or_else(|| not_a(AlteredKind::Foreign, &found.1))?;
        self.require_owns(AlteredKind::Foreign.word(), &found)?;
        Ok(Some((found, table)))
    }

    /// Gives a foreign table to another owner.
    pub(super) fn give_foreign(
        &mut self,
        kind: AlteredKind,
        name: &FullName,
        to: &RoleSpec,
    ) -> Result<()> {
        if !matches!(kind, AlteredKind::Foreign | AlteredKind::Table) {
            return Err(not_a(kind, &name.1));
        }
        self.require_owns(AlteredKind::Foreign.word(), name)?;
        self.give(&Object::relation(&name.0, &name.1), to)
    }

    /// ALTER FOREIGN TABLE ... OPTIONS.
    pub(super) fn alter_foreign_table(
        &mut self,
        named: (&Name, bool),
        changes: &[OptionChange],
    ) -> Result<()> {
        let Some((name, table)) = self.foreign_named(named)? else {
            return Ok(());
        };
        let said = match self.views.foreign.tables.contains_key(&name) {
            true => table.options.clone(),
            // As an import of postgres_fdw would have said it.
            false => table.whole_options(),
        };
        let options = changed_options(&said, changes)?;
        table.server.wrapper.check(OptionsOf::Table, &options)?;
        self.write_table(&name, &name, &table, options);
        Ok(())
    }

    /// ALTER FOREIGN TABLE ... RENAME TO and SET SCHEMA. At its server it is called what it was.
    pub(super) fn rename_foreign(
        &mut self,
        named: (&Name, bool),
        renamed: impl FnOnce(&FullName) -> FullName,
    ) -> Result<()> {
        let Some((old, table)) = self.foreign_named(named)? else {
            return Ok(());
        };
        let new = renamed(&old);
        self.require_may_create_in(&new.0)?;
        if self.find(&new.0, &new.1)?.is_some() {
            let message = format!("relation \"{}\" already exists", new.1);
            return Err(Error::new(ErrorKind::DuplicateTable, message));
        }
        self.write_table(&old, &new, &table, table.whole_options());
        self.rename_what_is_said(&old, &new)?;
        for reader in self.views.readers_of_relation(&old) {
            let means_it = |reference: &super::Reference| {
                let is_in = match &reference.0 {
                    Some(schema) => *schema == old.0,
                    None => reader.0 == old.0 || old.0 == crate::catalog::PUBLIC,
                };
                is_in && reference.1 == old.1
            };
            self.have_follow(&reader, means_it, (&old, &new))?;
        }
        Ok(())
    }

    /// Says a foreign table in its file, under a new name and with other options.
    fn write_table(
        &mut self,
        old: &FullName,
        new: &FullName,
        table: &ForeignTable,
        options: Options,
    ) {
        let create = CreateForeignTable {
            name: written(new),
            if_not_exists: false,
            server: table.server.name.clone(),
            options,
        };
        let text = create.text(&shown(new));
        if !self.views.foreign.tables.contains_key(old) {
            self.forget_tables(std::slice::from_ref(old));
            self.append(&path_of(new), &text);
            return;
        }
        self.each_foreign(|definition, schema| match definition {
            ForeignDefinition::CreateTable(of) if full(&of.name, schema) == *old => {
                Some(text.clone())
            }
            _ => None,
        });
    }

    /// ALTER SERVER ... RENAME TO: what is on it says the new name.
    pub(super) fn rename_server(&mut self, name: &str, to: &str) -> Result<()> {
        self.views.foreign.server(name)?;
        self.require_owns_server(name)?;
        if self.views.foreign.servers.contains_key(to) {
            let message = format!("server \"{to}\" already exists");
            return Err(Error::new(ErrorKind::DuplicateObject, message));
        }
        let new = to.to_owned();
        self.each_foreign(|definition, schema| match definition {
            ForeignDefinition::CreateServer(of) if of.name == name => {
                let mut renamed = of.clone();
                renamed.name = new.clone();
                Some(renamed.text())
            }
            ForeignDefinition::CreateMapping(of) if of.on.server == name => {
                let role = match &of.on.role {
                    RoleSpec::Name(role) => Some(role.as_str()),
                    _ => None,
                };
                Some(mapping_text(role, &new, &of.options))
            }
            ForeignDefinition::CreateTable(of) if of.server == name => {
                let mut renamed = of.clone();
                renamed.server = new.clone();
                Some(renamed.text(&shown(&full(&of.name, schema))))
            }
            ForeignDefinition::Import(of) if of.server == name => {
                let mut renamed = of.clone();
                renamed.server = new.clone();
                Some(renamed.text())
            }
            _ => None,
        });
        let (from, to) = (Object::Server(name.to_owned()), Object::Server(new));
        let facts = self.facts_of_moved(&from, Some(&to));
        self.change_facts(facts)
    }
}
