//! Looks up what a statement names that defines something, as whom the statement runs.

use std::sync::Arc;

use super::FullName;
use super::edit::Editor;
use super::names::not_a;
use crate::auth::{Object, Privilege};
use crate::catalog::sql::{AlteredKind, Name};
use crate::catalog::{Relation, system};
use crate::error::{Error, ErrorKind, Result};

/// What a name means that need not be there.
pub(super) enum Found {
    View(FullName),
    Other(FullName),
}

impl Editor<'_> {
    /// The relation of this name, whoever may use its schema.
    pub(super) fn find(&self, schema: &str, name: &str) -> Result<Option<Arc<Relation>>> {
        let rights = self.rights();
        let may_see = |relation: &Relation| {
            rights.may(Privilege::Usage, &Object::schema(&relation.schema))
                && rights.may_any(&relation.schema, &relation.name)
        };
        self.surroundings.snapshot.find(schema, name, may_see)
    }

    /// The first schema of the search path that exists.
    pub(super) fn creation_schema(&self) -> Result<String> {
        let schemas = &self.surroundings.snapshot.schemas;
        let path = self.surroundings.search_path.iter();
        let rights = self.rights();
        let found = path.into_iter().find(|name| {
            schemas.contains_key(*name) && rights.may(Privilege::Usage, &Object::schema(name))
        });
        found.cloned().ok_or_else(|| {
            let message = "no schema has been selected to create in";
            Error::new(ErrorKind::InvalidSchemaName, message)
        })
    }

    /// Refuses a schema that is not there.
    pub(super) fn require_schema(&self, name: &str) -> Result<()> {
        if system::is_system_schema(name) {
            let message = format!("permission denied for schema {name}");
            return Err(Error::new(ErrorKind::InsufficientPrivilege, message));
        }
        if self.surroundings.snapshot.schemas.contains_key(name) {
            return Ok(());
        }
        let message = format!("schema \"{name}\" does not exist");
        Err(Error::new(ErrorKind::InvalidSchemaName, message))
    }

    /// What a name means for whom the statement runs as.
    pub(super) fn look_up(&self, name: &Name) -> Result<Option<Found>> {
        let schemas = match &name.schema {
            Some(schema) => {
                self.require_may_use(schema)?;
                std::slice::from_ref(schema)
            }
            None => self.surroundings.search_path,
        };
        let rights = self.rights();
        let usable = schemas
            .iter()
            .filter(|schema| rights.may(Privilege::Usage, &Object::schema(schema)));
        for schema in usable {
            let Some(relation) = self.find(schema, &name.name)? else {
                continue;
            };
            let found = (relation.schema.clone(), relation.name.clone());
            return Ok(Some(match self.views.views.contains_key(&found) {
                true => Found::View(found),
                false => Found::Other(found),
            }));
        }
        Ok(None)
    }

    /// Refuses a view that the statement names as of another kind. ALTER TABLE takes all of them.
    pub(super) fn require_kind(&self, kind: AlteredKind, name: &FullName) -> Result<()> {
        let found = self.views.kind_of(name);
        match kind == AlteredKind::Table || found == kind {
            true => Ok(()),
            false => Err(not_a(kind, &name.1)),
        }
    }

    /// Tells that something was not there.
    pub(super) fn skip(&mut self, kind: &str, name: &Name) {
        let notice = format!("{kind} \"{}\" does not exist, skipping", name.name);
        self.edited.notices.push(notice);
    }
}
