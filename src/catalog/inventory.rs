//! Keeps what exists up to date: lists the lake again when asked, and opens tables for their columns.

use std::sync::Arc;

use futures::stream::{self, StreamExt};
use moka::future::Cache;

use super::discover::discover;
use super::{Catalog, Inventory, Relation, Snapshot, snapshot};
use crate::error::{Error, Result};

/// How many tables are opened at a time.
const PINS_MAX: usize = 32;

/// Listings under way, so that concurrent ones are one. Entries are removed when done.
#[derive(Debug)]
pub(super) struct Refreshes(Cache<(), Arc<Snapshot>>);

impl Default for Refreshes {
    fn default() -> Self {
        Self(Cache::new(1))
    }
}

impl Catalog {
    /// What existed when the lake was last listed; lists it if it never was.
    ///
    /// # Errors
    /// The lake cannot be listed.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        match self.latest() {
            Some(snapshot) => Ok(snapshot),
            None => self.refresh().await,
        }
    }

    /// What exists now: lists the lake again. Concurrent calls share one listing.
    ///
    /// # Errors
    /// The lake cannot be listed.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>> {
        let refreshed = self
            .refreshes
            .0
            .try_get_with((), self.list())
            .await
            .map_err(|error| Error::clone(&error));
        self.refreshes.0.invalidate(&()).await;
        refreshed
    }

    /// The columns of every relation of a snapshot, 32 opened at a time. Never fails as a whole:
    /// what cannot be opened has its error as its entry.
    pub async fn inventory(&self, snapshot: &Snapshot) -> Arc<Inventory> {
        let relations: Vec<_> = snapshot
            .schemas
            .values()
            .flat_map(|schema| schema.relations.values().map(Arc::clone))
            .collect();
        let inventory = stream::iter(relations)
            .map(|relation| async move { (relation.oid, self.columns(&relation).await) })
            .buffer_unordered(PINS_MAX)
            .collect()
            .await;
        Arc::new(inventory)
    }

    /// The columns of one relation. Pinning is cached by the sources, and as fresh as they are.
    async fn columns(&self, relation: &Relation) -> Result<arrow::datatypes::SchemaRef> {
        let table = relation.table.clone()?;
        Ok(self.lake.pin(&table).await?.provider.schema())
    }

    async fn list(&self) -> Result<Arc<Snapshot>> {
        let discovery = discover(self.lake.lake()).await?;
        let known = self.latest();
        let epoch = known.as_ref().map_or(1, |known| known.epoch + 1);
        let found = snapshot::make(discovery, epoch);
        if let Some(known) = known
            && snapshot::is_same(&known, &found)
        {
            return Ok(known);
        }
        let found = Arc::new(found);
        let mut latest = self.latest.write().unwrap_or_else(|lock| lock.into_inner());
        *latest = Some(Arc::clone(&found));
        Ok(found)
    }

    fn latest(&self) -> Option<Arc<Snapshot>> {
        let latest = self.latest.read().unwrap_or_else(|lock| lock.into_inner());
        latest.as_ref().map(Arc::clone)
    }
}
