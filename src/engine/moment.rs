//! What a transaction sees that sees one moment: each table at its first use, and never again newer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::pin::PinnedTable;
use super::resolved::TableKey;
use crate::catalog::Snapshot;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::Reading;

/// The moment of a REPEATABLE READ or SERIALIZABLE transaction: that of its first statement.
///
/// Nothing is written in a transaction but definitions, so the two levels are one. A table that
/// is first read later is read as it was at the moment, if it keeps its history. One that keeps none
/// must not have changed since; if it did, the transaction fails as PostgreSQL's do that cannot be
/// serialized, and can be tried again.
#[derive(Debug)]
pub struct Moment {
    began: DateTime<Utc>,
    seen: Mutex<Seen>,
    /// What it sees of servers.
    reading: Arc<Reading>,
}

#[derive(Debug, Default)]
struct Seen {
    snapshot: Option<Arc<Snapshot>>,
    tables: HashMap<TableKey, Arc<PinnedTable>>,
}

impl Moment {
    /// The moment that is now.
    pub fn now() -> Self {
        Self {
            began: Utc::now(),
            seen: Mutex::default(),
            reading: Reading::of_transaction(),
        }
    }

    /// What exists, once a statement has seen it.
    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.seen().snapshot.as_ref().map(Arc::clone)
    }

    /// Keeps what a statement saw to exist.
    pub(super) fn keep_snapshot(&self, snapshot: &Arc<Snapshot>) {
        let mut seen = self.seen();
        seen.snapshot.get_or_insert_with(|| Arc::clone(snapshot));
    }

    /// What it sees of servers: of each one snapshot, begun when it was first read.
    pub(super) fn reading(&self) -> Arc<Reading> {
        Arc::clone(&self.reading)
    }

    /// A table as it was seen before.
    pub(super) fn table(&self, key: &TableKey) -> Option<Arc<PinnedTable>> {
        self.seen().tables.get(key).map(Arc::clone)
    }

    /// When it began.
    pub(super) fn began(&self) -> DateTime<Utc> {
        self.began
    }

    /// Whether a table was changed after the moment.
    pub(super) fn is_before(&self, table: &PinnedTable) -> bool {
        table
            .changed
            .is_some_and(|changed| self.may_be_before(changed))
    }

    /// Keeps a table at its first use.
    ///
    /// # Errors
    /// `SerializationFailure`: it was changed since the moment.
    pub(super) fn keep_table(&self, key: &TableKey, table: &Arc<PinnedTable>) -> Result<()> {
        if self.is_before(table) {
            // As heapam_visibility's callers word it; here there is no older version at hand.
            let message = "could not serialize access due to concurrent update";
            let detail = format!(
                "Relation \"{}.{}\" has changed since the transaction's first statement, and the \
                 transaction had not read it before.",
                table.schema, table.name
            );
            return Err(Error::new(ErrorKind::SerializationFailure, message)
                .with_detail(detail)
                .with_hint("Try the transaction again."));
        }
        let mut seen = self.seen();
        let entry = seen.tables.entry(key.clone());
        entry.or_insert_with(|| Arc::clone(table));
        Ok(())
    }

    /// Whether a change came after the moment, or may have: stores that count in seconds cut off
    /// the rest.
    fn may_be_before(&self, changed: DateTime<Utc>) -> bool {
        let latest = match changed.timestamp_subsec_nanos() {
            0 => changed + TimeDelta::seconds(1),
            _ => changed,
        };
        latest > self.began
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_may_have_been_later() {
        let moment = Moment {
            began: DateTime::from_timestamp(1_000, 500_000_000).expect("it is in range"),
            seen: Mutex::default(),
            reading: Reading::of_transaction(),
        };
        let at = |seconds, nanos| DateTime::from_timestamp(seconds, nanos).expect("it is in range");
        assert!(!moment.may_be_before(at(999, 0)));
        assert!(moment.may_be_before(at(1_000, 0)));
        assert!(!moment.may_be_before(at(1_000, 499_000_000)));
        assert!(moment.may_be_before(at(1_000, 500_000_001)));
    }
}
