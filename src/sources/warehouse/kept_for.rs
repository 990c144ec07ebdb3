//! How long answers over a server are kept that has no versions: as long as its option `cache_ttl`
//! says, counted from the first of them. Without it they are not kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::relation::RemoteRelation;
use super::{ForeignTable, Server};

/// The terms that run.
#[derive(Debug, Default)]
pub(super) struct Terms {
    running: Mutex<HashMap<Arc<Server>, Term>>,
}

/// A time in which the rows of a server are taken for the same.
#[derive(Debug)]
struct Term {
    begun: Instant,
    /// Tells it from every other.
    number: u128,
}

impl Terms {
    /// What tells the term that runs; `None` where nothing is to be kept. What is read in it was
    /// read after it began, and is given until it ends: it is never older than the option says.
    pub(super) fn current(&self, server: &Arc<Server>) -> Option<blake3::Hash> {
        server.cache_ttl()?;
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|known, term| {
            let length = known.cache_ttl().unwrap_or(Duration::ZERO);
            term.begun.elapsed() < length && (known.name != server.name || known == server)
        });
        let term = running.entry(Arc::clone(server)).or_insert_with(|| Term {
            begun: Instant::now(),
            number: rand::random(),
        });
        Some(blake3::hash(&term.number.to_be_bytes()))
    }
}

/// The same, of one table as it is read: by whom, and as what.
pub(super) fn read_as(
    told: blake3::Hash,
    table: &ForeignTable,
    role: Option<&str>,
    relation: &RemoteRelation,
) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(told.as_bytes());
    let server = &table.server;
    let read = format!(
        "{:?} {:?} {:?} {:?} {:?} {role:?} {:?}",
        server.name, server.options, table.remote, table.options, relation.sql, relation.columns
    );
    hasher.update(read.as_bytes());
    *hasher.finalize().as_bytes()
}
