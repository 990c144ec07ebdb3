//! Drops servers, foreign tables and imports, and what needs them if that is said.

use std::collections::BTreeSet;

use super::FullName;
use super::edit::Editor;
use super::foreign::Import;
use super::look_up::Found;
use super::names::{no_such, not_a, shown};
use super::read::full;
use crate::auth::Object;
use crate::catalog::PUBLIC;
use crate::catalog::sql::{AlteredKind, Commented, Dropped, ForeignDefinition, Name};
use crate::error::{Error, ErrorKind, Result};

impl Editor<'_> {
    /// DROP SERVER.
    pub(super) fn drop_servers(&mut self, servers: &Dropped<String>) -> Result<()> {
        for name in &servers.names {
            if let Err(error) = self.views.foreign.server(name) {
                if servers.if_exists {
                    let notice = format!("{}, skipping", error.message());
                    self.edited.notices.push(notice);
                    continue;
                }
                return Err(error);
            }
            self.require_owns_server(name)?;
            self.drop_server(name, &[], servers.cascade)?;
        }
        Ok(())
    }

    /// The tables of `gone` have gone before it.
    pub(super) fn drop_server(
        &mut self,
        name: &str,
        gone: &[FullName],
        cascade: bool,
    ) -> Result<()> {
        let foreign = &self.views.foreign;
        let server = foreign.server(name)?;
        let mut needing: Vec<String> = Vec::new();
        for role in server.mappings.keys() {
            let role = role.as_deref().unwrap_or("public");
            needing.push(format!("user mapping for {role} on server {name}"));
        }
        let mut tables = self.foreign_tables(|relation| relation.server.name == name);
        tables.retain(|table| !gone.contains(table));
        needing.extend(
            tables
                .iter()
                .map(|table| format!("foreign table {}", shown(table))),
        );
        let subject = format!("server {name}");
        self.require_alone(&subject, &needing, cascade)?;
        self.drop_tables_of(&tables, cascade)?;
        self.each_foreign(|definition, _| {
            let of = match definition {
                ForeignDefinition::CreateServer(create) => &create.name,
                ForeignDefinition::CreateMapping(create) => &create.on.server,
                ForeignDefinition::CreateTable(create) => &create.server,
                ForeignDefinition::Import(import) => &import.server,
                _ => return None,
            };
            (of == name).then(String::new)
        });
        let facts = self.facts_of_moved(&Object::Server(name.to_owned()), None);
        self.change_facts(facts)
    }

    /// Refuses what others need, or tells what goes with it.
    fn require_alone(&mut self, subject: &str, needing: &[String], cascade: bool) -> Result<()> {
        if cascade {
            let notices = needing
                .iter()
                .map(|needs| format!("drop cascades to {needs}"));
            self.edited.notices.extend(notices);
            return Ok(());
        }
        if needing.is_empty() {
            return Ok(());
        }
        let message = format!("cannot drop {subject} because other objects depend on it");
        let needing = needing.iter();
        let details = needing.map(|needs| format!("{needs} depends on {subject}"));
        Err(Error::new(ErrorKind::DependentObjectsStillExist, message)
            .with_detail(details.collect::<Vec<_>>().join("\n"))
            .with_hint("Use DROP ... CASCADE to drop the dependent objects too."))
    }

    /// The foreign tables of which this is so.
    pub(super) fn foreign_tables(
        &self,
        is_meant: impl Fn(&crate::sources::warehouse::ForeignTable) -> bool,
    ) -> Vec<FullName> {
        let schemas = self.surroundings.snapshot.schemas.values();
        let relations = schemas.flat_map(|schema| schema.relations.values());
        let meant = relations.filter(|relation| relation.foreign().is_some_and(|it| is_meant(it)));
        meant
            .map(|relation| (relation.schema.clone(), relation.name.clone()))
            .collect()
    }

    /// DROP FOREIGN TABLE. One that is imported is taken out of what is imported.
    pub(super) fn drop_foreign_tables(&mut self, tables: &Dropped<Name>) -> Result<()> {
        let mut found = Vec::new();
        for name in &tables.names {
            match self.look_up(name)? {
                None if tables.if_exists => self.skip("foreign table", name),
                None => return Err(no_such("foreign table", name)),
                Some(Found::View(known) | Found::Other(known)) => {
                    self.require_foreign(&known)?;
                    found.push(known);
                }
            }
        }
        self.drop_foreign_named(&found, tables.cascade)
    }

    /// The same, of tables that are known to be there.
    pub(super) fn drop_foreign_named(&mut self, found: &[FullName], cascade: bool) -> Result<()> {
        for name in found.iter().filter(|_| !cascade) {
            let readers = self.views.readers_of_relation(name);
            let needing = readers.iter().filter(|reader| !found.contains(reader));
            let needing: Vec<String> = needing.map(|it| format!("view {}", shown(it))).collect();
            let subject = format!("foreign table {}", shown(name));
            self.require_alone(&subject, &needing, false)?;
        }
        self.drop_tables_of(found, cascade)?;
        self.forget_tables(found);
        Ok(())
    }

    fn require_foreign(&self, name: &FullName) -> Result<()> {
        if !self.is_foreign(name)? {
            return Err(not_a(AlteredKind::Foreign, &name.1));
        }
        match self.rights().own(&Object::schema(&name.0)) {
            true => Ok(()),
            false => self.require_owns(AlteredKind::Foreign.word(), name),
        }
    }

    /// The views that read tables, and what is said of the tables, go.
    fn drop_tables_of(&mut self, tables: &[FullName], cascade: bool) -> Result<()> {
        let readers = tables
            .iter()
            .flat_map(|name| self.views.readers_of_relation(name));
        let readers: BTreeSet<FullName> = readers.collect();
        for reader in &readers {
            let notice = format!("drop cascades to view {}", shown(reader));
            self.edited.notices.push(notice);
        }
        self.remove_views(readers, cascade)?;
        for name in tables {
            self.each_comment(|on, schema| match on {
                Commented::View(of)
                | Commented::Materialized(of)
                | Commented::Table(of)
                | Commented::Foreign(of)
                | Commented::Column(of, _) => (full(of, schema) == *name).then(String::new),
                Commented::Schema(_) => None,
            });
            self.remove_keys_of(name);
            let facts = self.facts_of_moved(&Object::relation(&name.0, &name.1), None);
            self.change_facts(facts)?;
        }
        Ok(())
    }

    /// Takes tables out of the files: those that are created there, and out of what is imported.
    pub(super) fn forget_tables(&mut self, tables: &[FullName]) {
        let imports = self.views.foreign.imports.clone();
        for name in tables {
            let created = self.views.foreign.tables.contains_key(name);
            self.each_foreign(|definition, schema| match definition {
                ForeignDefinition::CreateTable(of) => {
                    (full(&of.name, schema) == *name).then(String::new)
                }
                ForeignDefinition::Import(of) if !created && of.local == name.0 => {
                    let is_of = |import: &&Import| {
                        import.server.name == of.server && import.remote == of.remote
                    };
                    imports.iter().find(is_of)?;
                    if !of.which.has(&name.1) {
                        return None;
                    }
                    let mut left = of.clone();
                    left.which = of.which.without(&name.1)?;
                    Some(left.text())
                }
                _ => None,
            });
        }
    }

    /// DROP SCHEMA: what of it is elsewhere.
    pub(super) fn drop_foreign_in(&mut self, schema: &str, cascade: bool) -> Result<()> {
        let snapshot = self.surroundings.snapshot;
        let relations = snapshot.schemas.get(schema).into_iter();
        let relations = relations.flat_map(|schema| schema.relations.values());
        let foreign = relations.filter(|relation| relation.foreign().is_some());
        let tables: Vec<FullName> = foreign
            .map(|relation| (relation.schema.clone(), relation.name.clone()))
            .collect();
        let needing = tables
            .iter()
            .map(|table| format!("foreign table {}", shown(table)));
        let needing: Vec<String> = needing.collect();
        self.require_alone(&format!("schema {schema}"), &needing, cascade)?;
        self.drop_tables_of(&tables, cascade)?;
        self.each_foreign(|definition, of_file| match definition {
            ForeignDefinition::CreateTable(of) => {
                (full(&of.name, of_file).0 == schema).then(String::new)
            }
            ForeignDefinition::Import(of) => (of.local == schema).then(String::new),
            _ => None,
        });
        Ok(())
    }
}

impl super::Views {
    /// The views that name a relation which is no view.
    pub(super) fn readers_of_relation(&self, name: &FullName) -> Vec<FullName> {
        let names_it = |view: &super::View| {
            view.reads.iter().any(|(schema, relation)| {
                let is_in = match schema {
                    Some(schema) => *schema == name.0,
                    None => view.schema == name.0 || name.0 == PUBLIC,
                };
                is_in && *relation == name.1
            })
        };
        let readers = self.iter().filter(|(_, view)| names_it(view));
        readers.map(|(reader, _)| reader.clone()).collect()
    }
}
