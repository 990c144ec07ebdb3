//! Names of objects: what an OID is called, and which object a name means.

use std::sync::Arc;

use datafusion::common::ScalarValue;

use super::SessionFacts;
use super::scalar::{number, text};
use crate::auth::{Object, Privilege};
use crate::catalog::sql::identifier;
use crate::catalog::system::{
    Builtin, DeclaredKey, INFORMATION_SCHEMA_OID, LAKEGATE, LAKEGATE_OID, PG_CATALOG_OID,
    column_name, role_name, role_oid,
};
use crate::catalog::views::permission_denied;
use crate::catalog::{Inventory, Relation, Snapshot};
use crate::error::{Error, ErrorKind, Result};

/// A relation's place: its schema's OID and name, and its own name.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) schema: String,
    pub(super) name: String,
}

/// Resolves names as one session does.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) facts: Arc<SessionFacts>,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) builtin: Arc<Builtin>,
    /// The columns of relations, where the statement needs them.
    pub(super) inventory: Option<Arc<Inventory>>,
    /// The schemas searched for unqualified names: those that may be used.
    searched: Vec<String>,
}

impl Names {
    /// The names of a session.
    pub(super) fn new(
        facts: &Arc<SessionFacts>,
        snapshot: &Arc<Snapshot>,
        builtin: &Arc<Builtin>,
        inventory: Option<&Arc<Inventory>>,
    ) -> Self {
        let mut names = Self {
            facts: Arc::clone(facts),
            snapshot: Arc::clone(snapshot),
            builtin: Arc::clone(builtin),
            inventory: inventory.map(Arc::clone),
            searched: Vec::new(),
        };
        let path = facts.search_path.iter().filter(|it| *it != "pg_catalog");
        names.searched = path.filter(|it| names.may_use(it)).cloned().collect();
        names
    }

    /// The schemas searched for unqualified names.
    pub(super) fn path(&self) -> impl Iterator<Item = &str> {
        let own = self.searched.iter().map(String::as_str);
        std::iter::once("pg_catalog").chain(own)
    }

    /// Whether names may be looked up in a schema; there is nothing to be denied in one that is
    /// not there.
    pub(super) fn may_use(&self, schema: &str) -> bool {
        if !self.snapshot.schemas.contains_key(schema) {
            return true;
        }
        let rights = self.snapshot.views.authority.rights_of(&self.facts.actor);
        rights.may(Privilege::Usage, &Object::schema(schema))
    }

    /// Where the relation of this OID is.
    pub(super) fn relation(&self, oid: u32) -> Option<Place> {
        let system = self.builtin.definitions().iter();
        let mut system = system.filter(|definition| definition.oid == oid);
        if let Some(definition) = system.next() {
            return Some(Place {
                schema: definition.schema.to_owned(),
                name: definition.name.to_owned(),
            });
        }
        let schemas = self.snapshot.schemas.values();
        let mut relations = schemas.flat_map(|schema| schema.relations.values());
        if let Some(relation) = relations.find(|relation| relation.oid == oid) {
            return Some(Place {
                schema: relation.schema.clone(),
                name: relation.name.clone(),
            });
        }
        let mut keys = self.snapshot.keys();
        let key = keys.find(|key| key.index() == Some(oid))?;
        Some(Place {
            schema: key.relation.schema.clone(),
            name: key.key.name.clone(),
        })
    }

    /// The description of an object of a system catalog.
    pub(super) fn description(&self, object: u32, catalog: &str) -> Option<&str> {
        let own = match catalog {
            "pg_class" | "" => self
                .snapshot
                .relation(object)
                .and_then(|relation| self.snapshot.description(relation)),
            "pg_namespace" => {
                let mut schemas = self.snapshot.schemas.iter();
                let found = schemas.find(|(_, schema)| schema.oid == object);
                found.and_then(|(name, _)| self.snapshot.views.schemas.get(name)?.as_deref())
            }
            _ => None,
        };
        own.or_else(|| {
            let catalog = self.builtin.definition("pg_catalog", catalog)?;
            self.builtin.description(object, catalog.oid)
        })
    }

    /// The description of a relation's column by its number.
    pub(super) fn column_description(&self, relation: u32, number: i64) -> Option<&str> {
        let column = column_name(self.inventory.as_deref()?, relation, number)?;
        let relation = self.snapshot.relation(relation)?;
        self.snapshot.column_description(relation, column)
    }

    /// The bytes of a relation's files, none for what is no table; `None` if it is not there, or if
    /// nothing is known of it.
    pub(super) fn bytes_of(&self, relation: u32) -> Option<u64> {
        let is_table = |it: &Relation| it.view().is_none();
        match self.snapshot.relation(relation).is_some_and(is_table) {
            true => Some(self.inventory.as_deref()?.size(relation)?.bytes),
            false => self.relation(relation).map(|_| 0),
        }
    }

    /// The name of a relation's column by its name or number; `None` for a number without one.
    ///
    /// # Errors
    /// `UndefinedColumn`: the statement knows the relation's columns, and none has this name.
    pub(super) fn column(
        &self,
        schema: &str,
        name: &str,
        column: &ScalarValue,
    ) -> Result<Option<String>> {
        let inventory = self.inventory.as_deref();
        let oid = self.oid_in(schema, name).unwrap_or_default();
        if column.data_type().is_integer() {
            let found = inventory.and_then(|known| column_name(known, oid, number(column)));
            return Ok(found.map(str::to_owned));
        }
        let wanted = text(column);
        let known = inventory.and_then(|known| known.columns(oid));
        if known.is_some_and(|known| known.field_with_name(wanted).is_err()) {
            let message = format!("column \"{wanted}\" of relation \"{name}\" does not exist");
            return Err(Error::new(ErrorKind::UndefinedColumn, message));
        }
        Ok(Some(wanted.to_owned()))
    }

    /// The OID of a schema's relation of exactly this name.
    fn oid_in(&self, schema: &str, name: &str) -> Option<u32> {
        let lake = self.snapshot.schemas.get(schema);
        let lake = lake.and_then(|schema| schema.relations.get(name));
        let system = || Some(self.builtin.definition(schema, name)?.oid);
        let index = || {
            let mut keys = self.snapshot.keys();
            let is_named =
                |it: &DeclaredKey<'_>| it.relation.schema == schema && it.key.name == name;
            keys.find(is_named)?.index()
        };
        lake.map(|relation| relation.oid)
            .or_else(system)
            .or_else(index)
    }

    /// The OID of the relation that a name as in SQL means.
    pub(super) fn relation_oid(&self, text: &str) -> Result<Option<u32>> {
        let parts = parse_name(text)?;
        let found = match parts.as_slice() {
            [name] => self.path().find_map(|schema| self.oid_in(schema, name)),
            // As LookupExplicitNamespace in namespace.c.
            [.., schema, _] if !self.may_use(schema) => {
                return Err(permission_denied("schema", schema));
            }
            [.., schema, name] => self.oid_in(schema, name),
            [] => None,
        };
        Ok(found)
    }

    /// Whether an unqualified name finds this relation; `None` if there is no such relation.
    pub(super) fn is_visible(&self, oid: u32) -> Option<bool> {
        let place = self.relation(oid)?;
        let mut path = self.path();
        let found = path.find_map(|schema| self.oid_in(schema, &place.name));
        Some(found == Some(oid))
    }

    /// As `regclassout` in regproc.c: qualified only where it must be.
    pub(super) fn spell_relation(&self, oid: u32) -> String {
        match self.relation(oid) {
            None if oid == 0 => "-".to_owned(),
            None => oid.to_string(),
            Some(place) if self.is_visible(oid) == Some(true) => identifier(&place.name),
            Some(place) => format!("{}.{}", identifier(&place.schema), identifier(&place.name)),
        }
    }

    /// The name of the type of a relation's rows, or of arrays of them, if the OID is one's.
    pub(super) fn row_type(&self, oid: u32) -> Option<String> {
        let schemas = self.snapshot.schemas.values();
        let mut relations = schemas.flat_map(|schema| schema.relations.values());
        let is_its = |it: &&Arc<Relation>| [it.row_type, it.row_array].contains(&oid);
        let relation = relations.find(is_its)?;
        let name = self.spell_relation(relation.oid);
        Some(match oid == relation.row_array {
            true => format!("{name}[]"),
            false => name,
        })
    }

    /// The OID of the type that is named as the relation is whose rows it is for.
    pub(super) fn row_type_oid(&self, relation: &str) -> Option<u32> {
        let oid = self.relation_oid(relation).ok()??;
        Some(self.snapshot.relation(oid)?.row_type)
    }

    /// The name of a role.
    pub(super) fn role(&self, oid: u32) -> Option<String> {
        let authority = &self.snapshot.views.authority;
        role_name(authority, &self.facts.actor, oid).map(str::to_owned)
    }

    /// The OID of a role.
    pub(super) fn role_oid(&self, name: &str) -> Option<u32> {
        role_oid(&self.snapshot.views.authority, &self.facts.actor, name)
    }

    /// The name of a schema.
    pub(super) fn schema(&self, oid: u32) -> Option<String> {
        match oid {
            PG_CATALOG_OID => Some("pg_catalog".to_owned()),
            INFORMATION_SCHEMA_OID => Some("information_schema".to_owned()),
            LAKEGATE_OID => Some(LAKEGATE.to_owned()),
            _ => {
                let mut schemas = self.snapshot.schemas.iter();
                let (name, _) = schemas.find(|(_, schema)| schema.oid == oid)?;
                Some(name.clone())
            }
        }
    }

    /// The OID of a schema.
    pub(super) fn schema_oid(&self, name: &str) -> Option<u32> {
        match name {
            "pg_catalog" => Some(PG_CATALOG_OID),
            "information_schema" => Some(INFORMATION_SCHEMA_OID),
            LAKEGATE => Some(LAKEGATE_OID),
            _ => Some(self.snapshot.schemas.get(name)?.oid),
        }
    }
}

/// The parts of a name as SQL writes it: quoted ones as they are, others in lower case.
///
/// # Errors
/// `SyntaxError` for a name that is none.
pub(super) fn parse_name(text: &str) -> Result<Vec<String>> {
    let invalid = || Error::new(ErrorKind::SyntaxError, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let part;
        (part, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted).ok_or_else(invalid)?,
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                (rest[..end].trim().to_lowercase(), rest[end..].trim_start())
            }
        };
        if part.is_empty() {
            return Err(invalid());
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => return Ok(parts),
            None => return Err(invalid()),
        }
    }
}

/// The part up to the closing quote, and what follows it.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        part.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, rest.trim_start())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(parse_name(text).unwrap(), expected);
    }

    #[test]
    fn names_fold_unless_quoted() {
        check("Orders", &["orders"]);
        check("silver.\"Or\"\"der.s\"", &["silver", "Or\"der.s"]);
        check(" a . b ", &["a", "b"]);
        assert!(parse_name("a.").is_err());
        assert!(parse_name("\"a").is_err());
    }
}
