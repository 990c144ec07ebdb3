//! Keeps what exists up to date: lists the lake again when asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use super::background::{self, Background};
use super::discover::{Discovery, discover};
use super::snapshot::make;
use super::views::Views;
use super::{Catalog, Known, Snapshot, imports};
use crate::error::Result;
use crate::sources::lake::LakeSource;
use crate::sources::warehouse::Warehouse;

/// How long a catalog query waits for a listing.
const LISTING_WAIT: Duration = Duration::from_millis(100);

/// The part of the time in which a lake is listed, for catalog queries: one in so many.
const LISTING_SHARE: u32 = 5;

/// A lake of no more relations is listed for each catalog query, unless that takes longer than [`LISTING_WAIT`].
const SMALL: usize = 256;

/// How long a larger one rests from a listing at least: what a tool asks in one go is answered by one.
const LARGE_RESTS: Duration = Duration::from_secs(1);

/// How old a listing of a larger one may be that is not waited for.
const LARGE_AGE_MAX: Duration = Duration::from_secs(5);

/// The listing under way, so that concurrent ones are one, and what is known of the last.
#[derive(Debug, Default)]
pub(super) struct Listings(Mutex<LastListing>);

#[derive(Debug, Default)]
struct LastListing {
    under_way: Option<Background<Arc<Snapshot>>>,
    /// When the last one began, and how long it took.
    last: Option<(Instant, Duration)>,
}

impl Catalog {
    /// What existed when the lake was last listed; lists it if it never was.
    ///
    /// # Errors
    /// The lake cannot be listed.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        match self.last_snapshot() {
            Some(snapshot) => Ok(snapshot),
            None => self.refresh().await,
        }
    }

    /// What existed when the lake was last listed; `None` if it never was.
    pub fn last_snapshot(&self) -> Option<Arc<Snapshot>> {
        self.known().snapshot.clone()
    }

    /// What exists now: lists the lake again. Concurrent calls share one listing.
    ///
    /// # Errors
    /// The lake cannot be listed.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>> {
        self.recall_imports().await;
        let (listing, is_own) = self.listing();
        let listed = listing.await?;
        match is_own {
            true => Ok(listed),
            // It began before this was asked, and may have passed by what is new.
            false => self.listing().0.await,
        }
    }

    /// What exists now, as far as the lake can be listed in [`LISTING_WAIT`]. If that takes longer,
    /// it is listed in the background, and this is what was found last; so is it while the lake rests from a listing, and
    /// where it is large and was listed a few seconds ago.
    ///
    /// # Errors
    /// The lake cannot be listed.
    pub async fn refresh_briefly(&self) -> Result<Arc<Snapshot>> {
        let known = self.snapshot().await?;
        let last = self.listings.state().last;
        let is_large = known.n_relations() > SMALL;
        let rests = last.is_some_and(|(began, took)| {
            let share = took * LISTING_SHARE;
            match is_large {
                true => began.elapsed() < share.max(LARGE_RESTS),
                false => took > LISTING_WAIT && began.elapsed() < share,
            }
        });
        if rests {
            return Ok(known);
        }
        let (listing, _) = self.listing();
        if is_large && last.is_some_and(|(began, _)| began.elapsed() < LARGE_AGE_MAX) {
            return Ok(known);
        }
        match tokio::time::timeout(LISTING_WAIT, listing).await {
            Ok(listed) => listed,
            Err(_) => Ok(known),
        }
    }

    /// The listing under way, else a new one; whether it is new.
    fn listing(&self) -> (Background<Arc<Snapshot>>, bool) {
        let mut state = self.listings.state();
        if let Some(listing) = state.under_way.as_ref().filter(|it| it.peek().is_none()) {
            return (listing.clone(), false);
        }
        let (lake, known) = (Arc::clone(&self.lake), Arc::clone(&self.known));
        let warehouse = Arc::clone(&self.warehouse);
        let listings = Arc::clone(&self.listings);
        let listing = background::begin(async move {
            let began = Instant::now();
            let listed = list(&lake, &warehouse, &known).await;
            listings.state().last = Some((began, began.elapsed()));
            listed
        });
        state.under_way = Some(listing.clone());
        (listing, true)
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
        self.list_new(views).await;
        let mut known = self.known_mut();
        known.epoch += 1;
        let discovery = known.discovery.as_deref();
        let made = discovery.map(|discovery| make(discovery, views, &known.imported, known.epoch));
        Ok(made.map_or(snapshot, Arc::new))
    }

    pub(super) fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(|lock| lock.into_inner())
    }

    pub(super) fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(|lock| lock.into_inner())
    }
}

async fn list(
    lake: &LakeSource,
    warehouse: &Warehouse,
    known: &RwLock<Known>,
) -> Result<Arc<Snapshot>> {
    let (views, before, found_before, seen) = {
        let known = known.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.discovery.clone();
        let (before, seen) = (known.imported.clone(), known.last_seen.clone());
        (Arc::clone(&known.views), before, found, seen)
    };
    let sources = (lake.lake(), warehouse);
    let imported = imports::list(sources, &views.foreign, (&before, &seen), false);
    let found = discover(lake.lake(), found_before.as_deref());
    let (found, imported) = tokio::join!(found, imported);
    let found = found?;
    let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
    let is_same = imports::are_same(&before, &imported);
    known.imported = imported;
    if let Some(snapshot) = &known.snapshot
        && is_same
        && known.discovery.as_deref() == Some(&found)
    {
        return Ok(Arc::clone(snapshot));
    }
    known.discovery = Some(Arc::new(found));
    Ok(known.renew())
}

impl Listings {
    fn state(&self) -> MutexGuard<'_, LastListing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// A new snapshot of what is known.
    pub(super) fn renew(&mut self) -> Arc<Snapshot> {
        self.epoch += 1;
        let nothing = Discovery::default();
        let discovery = self.discovery.as_deref().unwrap_or(&nothing);
        let made = make(discovery, &self.views, &self.imported, self.epoch);
        let snapshot = Arc::new(made);
        self.snapshot = Some(Arc::clone(&snapshot));
        snapshot
    }
}
