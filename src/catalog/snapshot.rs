//! Makes a snapshot of what discovery found: names, and OIDs that stay over restarts.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::discover::{Discovery, only};
use super::{Relation, Schema, Snapshot};
use crate::error::{Error, ErrorKind, Result};

/// The first OID that is not PostgreSQL's own (`FirstNormalObjectId` in transam.h).
const OID_MIN: u32 = 16_384;

/// The snapshot of a discovery.
pub(super) fn make(discovery: Discovery, epoch: u64) -> Snapshot {
    let mut oids = Oids::default();
    let names: Vec<_> = discovery.found.keys().cloned().collect();
    let mut schemas: BTreeMap<_, _> = names
        .into_iter()
        .map(|name| {
            let oid = oids.next(&format!("schema\0{name}"));
            let relations = BTreeMap::new();
            (name, Schema { oid, relations })
        })
        .collect();
    for (schema_name, tables) in discovery.found {
        for (name, tables) in tables {
            let relation = Relation {
                oid: oids.next(&format!("relation\0{schema_name}\0{name}")),
                table: only(&schema_name, &name, &tables),
                schema: schema_name.clone(),
                name: name.clone(),
            };
            if let Some(schema) = schemas.get_mut(&schema_name) {
                schema.relations.insert(name, Arc::new(relation));
            }
        }
    }
    Snapshot {
        epoch,
        schemas,
        omissions: discovery.omissions,
    }
}

/// Gives OIDs by name: a hash in the 31 bits that clients read as a signed integer, or the next
/// free one. Names come in order, so that equal lakes get equal OIDs.
#[derive(Default)]
struct Oids {
    taken: HashSet<u32>,
}

impl Oids {
    fn next(&mut self, name: &str) -> u32 {
        let hash = blake3::hash(name.as_bytes());
        let [a, b, c, d, ..] = *hash.as_bytes();
        let range = i32::MAX.unsigned_abs() - OID_MIN;
        let mut oid = OID_MIN + u32::from_le_bytes([a, b, c, d]) % range;
        while !self.taken.insert(oid) {
            oid = OID_MIN + (oid - OID_MIN + 1) % range;
        }
        oid
    }
}

/// Whether two snapshots say the same, apart from their epochs.
pub(super) fn is_same(a: &Snapshot, b: &Snapshot) -> bool {
    let relations = |snapshot: &Snapshot| -> Vec<_> {
        snapshot
            .schemas
            .iter()
            .flat_map(|(name, schema)| {
                schema
                    .relations
                    .values()
                    .map(move |relation| (name.clone(), Arc::clone(relation)))
            })
            .collect()
    };
    let (a_relations, b_relations) = (relations(a), relations(b));
    a.schemas.keys().eq(b.schemas.keys())
        && a_relations.len() == b_relations.len()
        && a_relations.iter().zip(&b_relations).all(|(a, b)| {
            (&a.0, &a.1.name) == (&b.0, &b.1.name) && is_same_table(&a.1.table, &b.1.table)
        })
        && a.omissions.len() == b.omissions.len()
        && a.omissions
            .iter()
            .zip(&b.omissions)
            .all(|(a, b)| (&a.path, &a.reason) == (&b.path, &b.reason))
}

fn is_same_table<T: PartialEq>(a: &Result<T>, b: &Result<T>) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => a == b,
        (Err(a), Err(b)) => a.message() == b.message(),
        _ => false,
    }
}

impl Snapshot {
    /// The relation of this name: an exact match, else the only one that matches ignoring case.
    ///
    /// # Errors
    /// Two match ignoring case, and none exactly.
    pub fn find(&self, schema: &str, name: &str) -> Result<Option<Arc<Relation>>> {
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
            [a, b, ..] => Err(Error::new(
                ErrorKind::DuplicateTable,
                format!("relation \"{schema}.{name}\" is ambiguous"),
            )
            .with_detail(format!(
                "It could be \"{}\".\"{}\" or \"{}\".\"{}\".",
                a.schema, a.name, b.schema, b.name
            ))
            .with_hint("Quote the name as the lake spells it.")),
        }
    }
}

fn is_like(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
