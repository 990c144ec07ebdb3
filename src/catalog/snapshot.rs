//! Makes a snapshot of what discovery found: names, and OIDs that stay over restarts.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::discover::{Discovery, only};
use super::imports::{Imported, not_listed};
use super::views::{Import, Views};
use super::{Kind, Relation, Schema, Snapshot, told_keys};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::{ForeignTable, RemoteName, RemoteTable};

/// The first OID that is not PostgreSQL's own (`FirstNormalObjectId` in transam.h).
const OID_MIN: u32 = 16_384;

/// The snapshot of a discovery, what is imported, and the views folder, whose names win.
pub(super) fn make(
    discovery: &Discovery,
    views: &Arc<Views>,
    imported: &Imported,
    epoch: u64,
) -> Snapshot {
    let (foreign, unlisted) = imports(views, imported);
    let mut oids = Oids::default();
    let mut found: BTreeMap<&str, BTreeMap<&str, Result<Kind>>> = BTreeMap::new();
    for (schema, tables) in &discovery.found {
        let relations = found.entry(schema).or_default();
        for (name, tables) in tables {
            relations.insert(name, only(schema, name, tables).map(Kind::Table));
        }
    }
    for schema in views.schemas.keys() {
        found.entry(schema).or_default();
    }
    for (schema, table) in &foreign {
        let relations = found.entry(*schema).or_default();
        let name = table.remote.table.as_str();
        let kind = match relations.contains_key(name) {
            true => Err(taken_twice(schema, name, &table.server.name)),
            false => Ok(Kind::Foreign(Arc::clone(table))),
        };
        relations.insert(name, kind);
    }
    for ((schema, name), table) in &views.foreign.tables {
        let kind = Ok(Kind::Foreign(as_told(table, imported)));
        found.entry(schema).or_default().insert(name, kind);
    }
    for ((schema, name), view) in &views.views {
        let kind = view.clone().map(Kind::View);
        found.entry(schema).or_default().insert(name, kind);
    }
    let mut schemas: BTreeMap<String, Schema> = found
        .keys()
        .map(|name| {
            let oid = oids.next(&format!("schema\0{name}"));
            let relations = BTreeMap::new();
            ((*name).to_owned(), Schema { oid, relations })
        })
        .collect();
    for (schema_name, relations) in found {
        for (name, kind) in relations {
            let relation = Relation {
                oid: oids.next(&format!("relation\0{schema_name}\0{name}")),
                row_type: oids.next(&format!("row\0{schema_name}\0{name}")),
                row_array: oids.next(&format!("rows\0{schema_name}\0{name}")),
                schema: schema_name.to_owned(),
                name: name.to_owned(),
                kind,
            };
            if let Some(schema) = schemas.get_mut(schema_name) {
                schema.relations.insert(name.to_owned(), Arc::new(relation));
            }
        }
    }
    let told_keys = told_keys::of(views, &schemas);
    Snapshot {
        epoch,
        schemas,
        omissions: discovery.omissions.clone(),
        unlisted,
        told_keys,
        views: Arc::clone(views),
    }
}

/// A schema here, and a table elsewhere.
type Placed<'a> = (&'a str, Arc<ForeignTable>);

/// The tables that are imported, with their schemas here; and the schemas that could not be listed.
fn imports<'a>(
    views: &'a Views,
    imported: &Imported,
) -> (Vec<Placed<'a>>, BTreeMap<String, Error>) {
    let (mut tables, mut unlisted) = (Vec::new(), BTreeMap::new());
    for import in &views.foreign.imports {
        let listing = imported.get(import);
        for table in listing.iter().flat_map(|listing| listing.tables.iter()) {
            if import.which.has(&table.name) {
                tables.push((import.local.as_str(), import_of(import, table)));
            }
        }
        let error = match listing {
            None => Some(not_listed(import)),
            Some(listing) => listing.error.clone(),
        };
        if let Some(error) = error {
            unlisted.insert(import.local.clone(), error);
        }
    }
    (tables, unlisted)
}

/// A table as it is imported: under its own name.
fn import_of(import: &Import, table: &RemoteTable) -> Arc<ForeignTable> {
    Arc::new(ForeignTable {
        server: Arc::clone(&import.server),
        remote: RemoteName {
            schema: import.remote.clone(),
            table: table.name.clone(),
        },
        options: BTreeMap::new(),
        told: Arc::new(table.told.clone()),
        lake: table.lake.clone(),
    })
}

/// A table that is created by itself, with what its server says of it, as far as that is known.
fn as_told(table: &Arc<ForeignTable>, imported: &Imported) -> Arc<ForeignTable> {
    let mut listings = imported.iter();
    let listing = listings.find(|(import, _)| import.has_listed(table));
    let tables = listing
        .iter()
        .flat_map(|(_, listing)| listing.tables.iter());
    match { tables }.find(|found| found.name == table.remote.table) {
        Some(found) => Arc::new(ForeignTable {
            told: Arc::new(found.told.clone()),
            lake: found.lake.clone(),
            ..ForeignTable::clone(table)
        }),
        None => Arc::clone(table),
    }
}

fn taken_twice(schema: &str, name: &str, server: &str) -> Error {
    let message = format!("relation \"{schema}.{name}\" is ambiguous");
    Error::new(ErrorKind::DuplicateTable, message)
        .with_detail(format!(
            "Server \"{server}\" has one, and so has the lake or another server."
        ))
        .with_hint("Import it into another schema, or leave it out with EXCEPT.")
}

/// How many OIDs there are that clients read as signed integers.
const OIDS: u32 = i32::MAX.unsigned_abs() - OID_MIN;

/// An OID that stays over restarts: a hash of the name.
pub(in crate::catalog) fn oid_of(name: &str) -> u32 {
    let hash = blake3::hash(name.as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    OID_MIN + u32::from_le_bytes([a, b, c, d]) % OIDS
}

/// Gives OIDs by name: that of the name, or the next free one. Names come in order, so that equal lakes get equal OIDs.
#[derive(Default)]
struct Oids {
    taken: HashSet<u32>,
}

impl Oids {
    fn next(&mut self, name: &str) -> u32 {
        let mut oid = oid_of(name);
        while !self.taken.insert(oid) {
            oid = OID_MIN + (oid - OID_MIN + 1) % OIDS;
        }
        oid
    }
}

impl Snapshot {
    /// How many relations there are.
    pub fn n_relations(&self) -> usize {
        let schemas = self.schemas.values();
        schemas.map(|schema| schema.relations.len()).sum()
    }

    /// The OID of the type of a relation's rows.
    pub fn row_type(&self, schema: &str, name: &str) -> Option<u32> {
        let relations = &self.schemas.get(schema)?.relations;
        relations.get(name).map(|relation| relation.row_type)
    }

    /// The relation of this name: an exact match, else the only one that matches ignoring case.
    /// `may_see` says of which relations the asker may know.
    ///
    /// # Errors
    /// Two match ignoring case, and none exactly.
    pub fn find(
        &self,
        schema: &str,
        name: &str,
        may_see: impl Fn(&Relation) -> bool,
    ) -> Result<Option<Arc<Relation>>> {
        let exact = self
            .schemas
            .get(schema)
            .and_then(|schema| schema.relations.get(name));
        if let Some(relation) = exact {
            return Ok(Some(Arc::clone(relation)));
        }
        let schemas = match self.schemas.get(schema) {
            Some(exact) => vec![exact],
            None => self
                .schemas
                .iter()
                .filter(|(other, _)| is_like(other, schema))
                .map(|(_, schema)| schema)
                .collect(),
        };
        let matches: Vec<_> = schemas
            .into_iter()
            .flat_map(|schema| schema.relations.values())
            .filter(|relation| is_like(&relation.name, name))
            .collect();
        match matches.as_slice() {
            [] => Ok(None),
            [relation] => Ok(Some(Arc::clone(relation))),
            [a, b, ..] => {
                let message = format!("relation \"{schema}.{name}\" is ambiguous");
                let error = Error::new(ErrorKind::DuplicateTable, message)
                    .with_hint("Quote the name as the lake spells it.");
                let detail = format!(
                    "It could be \"{}\".\"{}\" or \"{}\".\"{}\".",
                    a.schema, a.name, b.schema, b.name
                );
                Err(match may_see(a) && may_see(b) {
                    true => error.with_detail(detail),
                    false => error,
                })
            }
        }
    }
}

fn is_like(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
