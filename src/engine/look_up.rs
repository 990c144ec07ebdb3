//! Looks a name up among what exists: by the schemas of a path, and by who may use them.

use std::sync::Arc;

use datafusion::common::TableReference;

use super::nearest::{hint, nearest};
use super::references::Resolver;
use crate::catalog::system::is_system_schema;
use crate::catalog::views::permission_denied;
use crate::catalog::{Relation, SystemRelation};
use crate::error::{Error, ErrorKind, Result};

impl Resolver<'_> {
    /// What a name means.
    pub(super) fn look_up(&self, name: &TableReference, path: &[&str]) -> Result<Found> {
        let schemas: Vec<&str> = match (name.catalog(), name.schema()) {
            (Some(database), _) if database != self.context.facts.database => {
                let message = format!("cross-database reference to \"{database}\"");
                return Err(Error::unsupported(message));
            }
            (_, Some(schema)) => vec![schema],
            (_, None) => std::iter::once("pg_catalog")
                .chain(path.iter().copied())
                .collect(),
        };
        // The names of a view were looked up when it was made, by whoever made it.
        let is_own = self.open.is_empty() && self.guarded.is_empty();
        let mut searched = Vec::with_capacity(schemas.len());
        for schema in schemas {
            let is_lake = self.snapshot.schemas.contains_key(schema);
            if is_own && is_lake && !self.access.may_use(schema) {
                match name.schema() {
                    Some(_) => return Err(permission_denied("schema", schema)),
                    // As recomputeNamespacePath: it is not searched.
                    None => continue,
                }
            }
            searched.push(schema);
            if is_system_schema(schema)
                && let Some(relation) = self.catalog.system_relation(schema, name.table())
            {
                return Ok(Found::System(relation));
            }
            if let Some(relation) = self.find(schema, name.table())? {
                if is_own && !self.access.may_use(&relation.schema) {
                    return Err(permission_denied("schema", &relation.schema));
                }
                return Ok(Found::Relation(relation));
            }
        }
        let unlisted = |schema: &&str| self.snapshot.unlisted.get(*schema);
        if let Some(error) = searched.iter().find_map(unlisted) {
            return Err(error.clone());
        }
        let shown = match name.schema() {
            Some(schema) => format!("{schema}.{}", name.table()),
            None => name.table().to_owned(),
        };
        let message = format!("relation \"{shown}\" does not exist");
        let error = Error::new(ErrorKind::UndefinedTable, message);
        Err(match self.relation_hint(name.table()) {
            Some(hint) => error.with_hint(hint),
            None => error,
        })
    }

    fn find(&self, schema: &str, name: &str) -> Result<Option<Arc<Relation>>> {
        let may_see = |relation: &Relation| self.access.may_see(relation);
        self.snapshot.find(schema, name, may_see)
    }

    /// The relations that were perhaps meant, of whichever schema.
    fn relation_hint(&self, missing: &str) -> Option<String> {
        let schemas = self.snapshot.schemas.values();
        let relations = schemas.flat_map(|schema| schema.relations.values());
        let relations = relations.filter(|relation| self.access.may_see(relation));
        let found = nearest(missing, relations, |relation| &relation.name);
        let names = found.into_iter();
        let names: Vec<String> = names
            .map(|relation| format!("{}.{}", relation.schema, relation.name))
            .collect();
        hint("", "relation", &names)
    }
}

/// What a name finds.
pub(super) enum Found {
    System(Arc<dyn SystemRelation>),
    Relation(Arc<Relation>),
}
