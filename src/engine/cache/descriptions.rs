//! What statements take and give, kept for those who have the same described again: drivers that keep no
//! prepared statement ask each time before they run it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;

use super::key::{CacheKey, is_wanted};
use crate::engine::Scene;
use crate::engine::answer::Description;
use crate::engine::statement::{Statement, StatementKind};

/// Descriptions that are kept, some 100 bytes for each of their columns. An entry never goes stale: its
/// key has the versions of all that is read, and with those the columns.
const DESCRIPTIONS_MAX: u64 = 5_000;

/// The descriptions that are kept.
#[derive(Debug)]
pub(in crate::engine) struct Descriptions {
    known: Cache<CacheKey, Arc<Description>>,
    pub(super) n_hits: AtomicU64,
    pub(super) n_misses: AtomicU64,
}

impl Default for Descriptions {
    fn default() -> Self {
        Self {
            known: Cache::new(DESCRIPTIONS_MAX),
            n_hits: AtomicU64::new(0),
            n_misses: AtomicU64::new(0),
        }
    }
}

impl Descriptions {
    /// The key of a query's description, if it has one; `declared` are the types that the client gave.
    pub(in crate::engine) fn key(
        statement: &Statement,
        scene: &Scene<'_>,
        declared: &[u32],
    ) -> Option<CacheKey> {
        if !matches!(statement.kind, StatementKind::Query(_)) || !is_wanted(scene) {
            return None;
        }
        CacheKey::of_description(scene, statement.canonical(scene.query), declared)
    }

    /// What is kept under a key.
    pub(in crate::engine) fn get(&self, key: &CacheKey) -> Option<Description> {
        let known = self.kept(key);
        if known.is_none() {
            self.n_misses.fetch_add(1, Ordering::Relaxed);
        }
        known
    }

    /// As [`Self::get`], for who asks again if there is nothing.
    pub(in crate::engine) fn kept(&self, key: &CacheKey) -> Option<Description> {
        let known = self.known.get(key)?;
        self.n_hits.fetch_add(1, Ordering::Relaxed);
        Some(known.as_ref().clone())
    }

    /// Keeps a description.
    pub(in crate::engine) fn keep(&self, key: CacheKey, description: &Description) {
        self.known.insert(key, Arc::new(description.clone()));
    }

    /// Forgets all; how many there were.
    pub(super) fn clear(&self) -> usize {
        let n_entries = self.n_entries();
        self.known.invalidate_all();
        n_entries
    }

    pub(super) fn n_entries(&self) -> usize {
        self.known.run_pending_tasks();
        usize::try_from(self.known.entry_count()).unwrap_or(usize::MAX)
    }
}
