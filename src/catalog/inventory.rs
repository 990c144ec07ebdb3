//! Keeps what exists up to date: lists the lake again when asked, and opens tables for their columns.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use futures::stream::{self, StreamExt};
use moka::future::Cache;

use super::discover::discover;
use super::{Catalog, Inventory, Relation, Snapshot, snapshot};
use crate::error::{Error, Result};
use crate::sources::LakeTable;

/// How many tables are opened at a time.
const PINS_MAX: usize = 32;

/// How long the catalog may show a table's former columns after they changed. A statement that
/// reads the table always sees its latest ones.
const COLUMNS_AGE_MAX: Duration = Duration::from_secs(5);

/// How many tables' columns are kept, a few KiB each.
const COLUMNS_MAX: u64 = 20_000;

/// The columns of tables, or why they could not be opened. An entry goes stale by its age.
#[derive(Debug)]
pub(super) struct Columns(Cache<LakeTable, Result<SchemaRef>>);

impl Default for Columns {
    fn default() -> Self {
        let columns = Cache::builder()
            .max_capacity(COLUMNS_MAX)
            .time_to_live(COLUMNS_AGE_MAX);
        Self(columns.build())
    }
}

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

    async fn columns(&self, relation: &Relation) -> Result<SchemaRef> {
        let table = relation.table.clone()?;
        let open = async { Ok(self.lake.pin(&table).await?.provider.schema()) };
        self.columns.0.get_with(table.clone(), open).await
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
