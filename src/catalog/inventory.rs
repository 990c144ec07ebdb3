//! Keeps what exists up to date: lists the lake again when asked, and opens tables for their columns.

use std::hash::Hash;
use std::sync::{Arc, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use moka::future::Cache;

use super::discover::{Discovery, discover};
use super::snapshot::make;
use super::views::Views;
use super::{Catalog, Inventory, Kind, Known, Relation, Snapshot};
use crate::error::{Error, Result};
use crate::sources::{At, LakeTable};

/// How many tables are opened at a time.
const PINS_MAX: usize = 32;

/// How long the catalog may show a relation's former columns after they changed. A statement that
/// reads the relation always sees its latest ones.
const COLUMNS_AGE_MAX: Duration = Duration::from_secs(5);

/// How many relations' columns are kept, a few KiB each.
const COLUMNS_MAX: u64 = 20_000;

/// The columns of relations, or why they have none. An entry goes stale by its age.
#[derive(Debug)]
pub struct Columns<K: Hash + Eq + Send + Sync + 'static>(Cache<K, Result<SchemaRef>>);

impl<K: Hash + Eq + Send + Sync + 'static> Columns<K> {
    /// The columns that are kept, else those that `find` finds. Concurrent calls share one finding.
    pub async fn get_with(
        &self,
        key: K,
        find: BoxFuture<'_, Result<SchemaRef>>,
    ) -> Result<SchemaRef> {
        self.0.get_with(key, find).await
    }
}

impl<K: Hash + Eq + Send + Sync + 'static> Default for Columns<K> {
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
        let known = self.known().snapshot.clone();
        match known {
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

    /// What exists now with these views instead of the folder's.
    ///
    /// # Errors
    /// The lake cannot be listed.
    pub async fn snapshot_with(&self, views: &Arc<Views>) -> Result<Arc<Snapshot>> {
        let snapshot = self.snapshot().await?;
        if Arc::ptr_eq(&snapshot.views, views) {
            return Ok(snapshot);
        }
        let mut known = self.known_mut();
        known.epoch += 1;
        let discovery = known.discovery.as_deref();
        let made = discovery.map(|discovery| make(discovery, views, known.epoch));
        Ok(made.map_or(snapshot, Arc::new))
    }

    /// The columns of every table of a snapshot, 32 opened at a time. Never fails as a whole:
    /// what cannot be opened has its error as its entry. Views are not in it. `moment` says of which
    /// moment those of a table with history are, by schema and name.
    pub async fn inventory(
        &self,
        snapshot: &Snapshot,
        moment: impl Fn(&str, &str) -> Result<Option<At>> + Send + Sync,
    ) -> Inventory {
        let relations: Vec<_> = snapshot
            .schemas
            .values()
            .flat_map(|schema| schema.relations.values().map(Arc::clone))
            .filter(|relation| relation.view().is_none())
            .collect();
        stream::iter(relations)
            .map(|relation| {
                let at = match relation.table().is_some_and(LakeTable::has_history) {
                    true => moment(&relation.schema, &relation.name),
                    false => Ok(None),
                };
                async move {
                    let columns = match at {
                        Ok(at) => self.columns(&relation, at).await,
                        Err(error) => Err(error),
                    };
                    (relation.oid, columns)
                }
            })
            .buffer_unordered(PINS_MAX)
            .collect()
            .await
    }

    async fn columns(&self, relation: &Relation, at: Option<At>) -> Result<SchemaRef> {
        let table = match relation.kind.as_ref().map_err(Error::clone)? {
            Kind::Table(table) => table,
            Kind::View(_) => return Ok(Arc::new(Schema::empty())),
        };
        let open = async { Ok(self.lake.pin(table, at).await?.provider.schema()) }.boxed();
        self.columns.get_with((table.clone(), at), open).await
    }

    async fn list(&self) -> Result<Arc<Snapshot>> {
        let found = discover(self.lake.lake()).await?;
        let mut known = self.known_mut();
        if let Some(snapshot) = &known.snapshot
            && known.discovery.as_deref() == Some(&found)
        {
            return Ok(Arc::clone(snapshot));
        }
        known.discovery = Some(Arc::new(found));
        Ok(known.renew())
    }

    pub(super) fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(|lock| lock.into_inner())
    }

    pub(super) fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(|lock| lock.into_inner())
    }
}

impl Known {
    /// A new snapshot of what is known.
    pub(super) fn renew(&mut self) -> Arc<Snapshot> {
        self.epoch += 1;
        let nothing = Discovery::default();
        let discovery = self.discovery.as_deref().unwrap_or(&nothing);
        let snapshot = Arc::new(make(discovery, &self.views, self.epoch));
        self.snapshot = Some(Arc::clone(&snapshot));
        snapshot
    }
}
