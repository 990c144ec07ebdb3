//! What existed at the moment that a session reads at.

use std::sync::Arc;

use super::clock::AS_OF;
use crate::catalog::{Inventory, Relation, Schema, Snapshot};
use crate::engine::context::StatementContext;
use crate::error::ErrorKind;

/// What exists, without the tables that had no version yet, where the session reads at a moment of its
/// own. Which those are is known only with the columns of all of them.
pub(in crate::engine) fn as_it_was(
    snapshot: &Arc<Snapshot>,
    inventory: Option<&Inventory>,
    context: &StatementContext,
) -> Arc<Snapshot> {
    let said = context.facts.settings.get(AS_OF);
    let Some(inventory) = inventory.filter(|_| said.is_some_and(|said| !said.is_empty())) else {
        return Arc::clone(snapshot);
    };
    let was_there = |relation: &Relation| {
        let missing = inventory.error(relation.oid);
        relation.table().is_none()
            || !missing.is_some_and(|error| {
                matches!(
                    error.kind(),
                    ErrorKind::InvalidParameterValue | ErrorKind::UndefinedTable
                )
            })
    };
    let schemas = snapshot.schemas.iter().map(|(name, schema)| {
        let relations = schema.relations.iter();
        let there = relations.filter(|(_, relation)| was_there(relation));
        let relations = there.map(|(name, relation)| (name.clone(), Arc::clone(relation)));
        let schema = Schema {
            oid: schema.oid,
            relations: relations.collect(),
        };
        (name.clone(), schema)
    });
    Arc::new(Snapshot {
        epoch: snapshot.epoch,
        schemas: schemas.collect(),
        omissions: snapshot.omissions.clone(),
        unlisted: snapshot.unlisted.clone(),
        told_keys: snapshot.told_keys.clone(),
        views: Arc::clone(&snapshot.views),
    })
}
