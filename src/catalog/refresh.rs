//! Keeps what exists up to date: lists the lake again when asked.

use std::sync::{Arc, RwLockReadGuard, RwLockWriteGuard};

use moka::future::Cache;

use super::discover::{Discovery, discover};
use super::snapshot::make;
use super::views::Views;
use super::{Catalog, Known, Snapshot};
use crate::error::{Error, Result};

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
