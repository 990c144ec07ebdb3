//! What a transaction sees that sees one moment: each table at its first use, and never again newer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::pin::PinnedTable;
use crate::catalog::Snapshot;
use crate::error::{Error, ErrorKind, Result};

/// The moment of a REPEATABLE READ or SERIALIZABLE transaction: that of its first statement.
///
/// Nothing is written in a transaction but definitions, so the two levels are one. A table that
/// is first read later must not have changed since the moment; if it did, the transaction fails as
/// PostgreSQL's do that cannot be serialized, and can be tried again.
#[derive(Debug)]
pub struct Moment {
    began: DateTime<Utc>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    snapshot: Option<Arc<Snapshot>>,
    /// By schema and name.
    tables: HashMap<(String, String), Arc<PinnedTable>>,
}

impl Moment {
    /// The moment that is now.
    pub fn now() -> Self {
        Self {
            began: Utc::now(),
            seen: Mutex::default(),
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

    /// A table as it was seen before.
    pub(super) fn table(&self, names: &(String, String)) -> Option<Arc<PinnedTable>> {
        self.seen().tables.get(names).map(Arc::clone)
    }

    /// Keeps a table at its first use.
    ///
    /// # Errors
    /// `SerializationFailure`: it was changed since the moment.
    pub(super) fn keep_table(&self, table: &Arc<PinnedTable>) -> Result<()> {
        let names = (table.schema.clone(), table.name.clone());
        if table.changed.is_some_and(|changed| self.is_before(changed)) {
            // As heapam_visibility's callers word it; here there is no older version at hand.
            let message = "could not serialize access due to concurrent update";
            let detail = format!(
                "Relation \"{}.{}\" has changed since the transaction's first statement, and the \
                 transaction had not read it before.",
                names.0, names.1
            );
            return Err(Error::new(ErrorKind::SerializationFailure, message)
                .with_detail(detail)
                .with_hint("Try the transaction again."));
        }
        let mut seen = self.seen();
        seen.tables
            .entry(names)
            .or_insert_with(|| Arc::clone(table));
        Ok(())
    }

    /// Whether a change came after the moment, or may have: stores that count in seconds cut off
    /// the rest.
    fn is_before(&self, changed: DateTime<Utc>) -> bool {
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
        };
        let at = |seconds, nanos| DateTime::from_timestamp(seconds, nanos).expect("it is in range");
        assert!(!moment.is_before(at(999, 0)));
        assert!(moment.is_before(at(1_000, 0)));
        assert!(!moment.is_before(at(1_000, 499_000_000)));
        assert!(moment.is_before(at(1_000, 500_000_001)));
    }
}
