//! What texts say, what the names in them mean, and what they are planned as: kept for those who say the same again, and for prepared
//! statements that are run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;

use super::plans::Plans;
use crate::auth::Authority;
use crate::catalog::{Catalog, Snapshot};
use crate::engine::Parsed;
use crate::engine::access::Checks;
use crate::engine::context::StatementContext;
use crate::engine::resolved::{Derived, Resolved};
use crate::engine::statement::{Statement, StatementKind};

/// Bytes of the longest text kept.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// What a tree takes of memory for each byte of its text: an expression is some 300 bytes, and a name of six.
const TREE_BYTES: usize = 48;

/// What an entry takes beside its trees, in bytes.
const ENTRY_BYTES: usize = 1 << 10;

/// The share of the memory for answers that texts, their meanings and their plans have each, beside it; and the bounds of
/// that share, in bytes.
const SHARE: usize = 16;
const BYTES_MIN: usize = 1 << 20;
const BYTES_MAX: usize = 32 << 20;

/// The statements that are kept.
#[derive(Debug)]
pub(in crate::engine) struct Statements {
    /// The last messages of queries alone, by their text. What a text says never changes.
    parsed: Cache<Arc<str>, Parsed>,
    /// What the names in them mean. An entry is right as long as the same exists and the same rights hold; who is
    /// given one compares.
    bound: Cache<Key, Arc<Bound>>,
    /// What they are planned as.
    pub(in crate::engine) plans: Plans,
    /// The epoch of what exists that the last of them is of. What is of another would only hold in memory what existed.
    epoch: AtomicU64,
    pub(super) bytes_max: usize,
    pub(super) n_hits: AtomicU64,
    pub(super) n_misses: AtomicU64,
}

/// A text, a digest of whom it runs as and of all settings, and what is checked.
pub(super) type Key = (Arc<str>, [u8; 32], Checks);

/// What the names of a statement mean, and of what that was found out.
#[derive(Debug)]
struct Bound {
    snapshot: Arc<Snapshot>,
    authority: Arc<Authority>,
    resolved: Arc<Resolved>,
}

impl Statements {
    /// Beside answers of so many bytes.
    pub(super) fn new(answers_bytes_max: usize) -> Self {
        let bytes_max = (answers_bytes_max / SHARE).clamp(BYTES_MIN, BYTES_MAX);
        Self {
            parsed: Cache::builder()
                .weigher(|text: &Arc<str>, _: &Parsed| weight(tree_bytes(text.len())))
                .max_capacity(bytes_max as u64)
                .build(),
            bound: Cache::builder()
                .weigher(|_, bound: &Arc<Bound>| weight(bound.n_bytes()))
                .max_capacity(bytes_max as u64)
                .build(),
            plans: Plans::new(bytes_max),
            epoch: AtomicU64::new(0),
            bytes_max: 3 * bytes_max,
            n_hits: AtomicU64::new(0),
            n_misses: AtomicU64::new(0),
        }
    }

    /// The statements of a text that was parsed before.
    pub(in crate::engine) fn parsed(&self, text: &str) -> Option<Parsed> {
        self.parsed.get(text)
    }

    /// Keeps what a text says, if it is queries alone.
    pub(in crate::engine) fn keep_parsed(&self, text: &str, parsed: &Parsed) {
        let is_query = |it: &Arc<Statement>| matches!(it.kind, StatementKind::Query(_));
        if text.len() <= TEXT_BYTES_MAX && parsed.iter().all(is_query) {
            self.parsed.insert(text.into(), Arc::clone(parsed));
        }
    }

    /// What the names of a statement mean, if that is known and still so.
    pub(in crate::engine) fn bound(
        &self,
        statement: &Statement,
        context: &StatementContext,
        checks: Checks,
        catalog: &Catalog,
    ) -> Option<Arc<Resolved>> {
        let key = key(statement, context, checks)?;
        let known = self.bound.get(&key).filter(|bound| {
            let snapshot = catalog.last_snapshot();
            snapshot.is_some_and(|snapshot| Arc::ptr_eq(&snapshot, &bound.snapshot))
                && Arc::ptr_eq(&catalog.authority(), &bound.authority)
        });
        Some(Arc::clone(&known?.resolved))
    }

    /// Keeps what the names of a statement mean, which was found out under `authority`, if it stays so.
    pub(in crate::engine) fn keep_bound(
        &self,
        statement: &Statement,
        context: &StatementContext,
        (checks, authority): (Checks, &Arc<Authority>),
        resolved: &Arc<Resolved>,
    ) {
        if let Some(key) = key(statement, context, checks)
            && resolved.is_lasting()
        {
            let epoch = resolved.snapshot.epoch;
            if self.epoch.swap(epoch, Ordering::Relaxed) != epoch {
                self.bound.invalidate_all();
                self.plans.clear();
            }
            let bound = Bound {
                snapshot: Arc::clone(&resolved.snapshot),
                authority: Arc::clone(authority),
                resolved: Arc::clone(resolved),
            };
            self.bound.insert(key, Arc::new(bound));
        }
    }

    /// Counts a statement whose names were looked up: whether their meaning was known.
    pub(in crate::engine) fn count(&self, was_known: bool) {
        let counter = match was_known {
            true => &self.n_hits,
            false => &self.n_misses,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets all; how many meanings there were.
    pub(super) fn clear(&self) -> usize {
        let (n_entries, _) = self.size();
        self.parsed.invalidate_all();
        self.bound.invalidate_all();
        self.plans.clear();
        n_entries
    }

    /// How many meanings there are, and the bytes of those, of texts and of plans.
    pub(super) fn size(&self) -> (usize, usize) {
        self.parsed.run_pending_tasks();
        self.bound.run_pending_tasks();
        let n_bytes = self.parsed.weighted_size() + self.bound.weighted_size();
        let n_bytes = n_bytes + self.plans.n_bytes();
        let counted = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        (counted(self.bound.entry_count()), counted(n_bytes))
    }
}

/// The key of a statement; `None` where what its names mean is of its transaction alone, or it has no text of its own.
pub(super) fn key(
    statement: &Statement,
    context: &StatementContext,
    checks: Checks,
) -> Option<Key> {
    let is_query = matches!(statement.kind, StatementKind::Query(_));
    let is_own = context.draft.is_none() && context.moment.is_none();
    let has_text = (1..=TEXT_BYTES_MAX).contains(&statement.text.len());
    let key = || (Arc::clone(&statement.text), *context.facts.digest(), checks);
    (is_query && is_own && has_text).then(key)
}

impl Bound {
    fn n_bytes(&self) -> usize {
        let resolved = &self.resolved;
        let derived = resolved.derived.iter().map(|derived| match derived {
            Derived::View(view) => tree_bytes(view.view.query.len()),
            // It is written of the conditions and masks of one relation.
            Derived::Protected(protection) => tree_bytes(protection.lines.end()),
        });
        let n_names = resolved.references.len() + resolved.tables.len();
        ENTRY_BYTES * (1 + n_names) + derived.sum::<usize>()
    }
}

/// The bytes that the tree of a text of so many takes, about.
fn tree_bytes(n_bytes: usize) -> usize {
    ENTRY_BYTES + n_bytes * TREE_BYTES
}

pub(super) fn weight(n_bytes: usize) -> u32 {
    u32::try_from(n_bytes).unwrap_or(u32::MAX)
}
