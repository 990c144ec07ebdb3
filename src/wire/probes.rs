//! Counts what clients asked for that Lakegate does not have: functions, relations of the catalog,
//! settings, clauses. Where a tool fails, `lakegate.unhandled_probes` says on what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Utc;

use super::activity::Activity;
use super::failure::Failure;
use super::sqlstate::Condition;
use crate::catalog::ProbeRow;
use crate::error::ErrorKind;

/// How many different probes are kept; of more, that which was not seen for longest goes.
const PROBES_MAX: usize = 1_000;

/// What was refused, by program and message.
#[derive(Debug, Default)]
pub(super) struct Probes {
    seen: Mutex<HashMap<Key, ProbeRow>>,
}

/// The client's program, what kind of failure, and its message.
type Key = (Arc<str>, ErrorKind, String);

impl Probes {
    /// Counts a failure of a session, if it is of something that is not there for anyone.
    pub(super) fn count(&self, failure: &Failure, activity: &Activity) {
        let Condition::Engine(kind) = failure.condition else {
            return;
        };
        if !is_unhandled(kind, &failure.message) {
            return;
        }
        let (application, statement) = activity.doing();
        let now = Utc::now().timestamp_micros();
        let key = (Arc::clone(&application), kind, failure.message.clone());
        let mut seen = self.lock();
        if seen.len() >= PROBES_MAX && !seen.contains_key(&key) {
            let oldest = seen.iter().min_by_key(|(_, row)| row.last_at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                seen.remove(&oldest);
            }
        }
        let row = seen.entry(key).or_insert_with(|| ProbeRow {
            application,
            condition: kind,
            message: failure.message.clone(),
            statement: Arc::clone(&statement),
            count: 0,
            first_at: now,
            last_at: now,
        });
        row.count += 1;
        row.last_at = now;
        row.statement = statement;
    }

    /// Everything counted.
    pub(super) fn rows(&self) -> Vec<ProbeRow> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, ProbeRow>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a failure says that Lakegate lacks something. A relation that is not there is the
/// user's slip, unless it is one that PostgreSQL would have.
fn is_unhandled(kind: ErrorKind, message: &str) -> bool {
    match kind {
        ErrorKind::FeatureNotSupported
        | ErrorKind::SyntaxError
        | ErrorKind::UndefinedFunction
        | ErrorKind::UndefinedObject => true,
        ErrorKind::UndefinedTable => {
            let name = message.split('"').nth(1).unwrap_or_default();
            let is_schema = |schema: &str| name.starts_with(schema);
            name.rsplit('.').next().unwrap_or(name).starts_with("pg_")
                || is_schema("pg_catalog.")
                || is_schema("information_schema.")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn refuse(probes: &Probes, activity: &Activity, kind: ErrorKind, message: &str) {
        let failure = Failure::from(Error::new(kind, message));
        probes.count(&failure, activity);
    }

    #[test]
    fn what_is_lacking_is_counted_and_slips_are_not() {
        let (probes, activity) = (Probes::default(), Activity::new(None));
        activity.runs("select pg_foo()");
        for _ in 0..2 {
            let message = "function pg_foo() does not exist";
            refuse(&probes, &activity, ErrorKind::UndefinedFunction, message);
        }
        let missing = |name: &str| format!("relation \"{name}\" does not exist");
        let table = ErrorKind::UndefinedTable;
        refuse(&probes, &activity, table, &missing("ordesr"));
        refuse(&probes, &activity, table, &missing("pg_catalog.pg_nothing"));
        refuse(
            &probes,
            &activity,
            ErrorKind::DivisionByZero,
            "division by zero",
        );
        let mut rows = probes.rows();
        rows.sort_by_key(|row| row.count);
        let counted: Vec<_> = rows.iter().map(|row| (row.count, row.condition)).collect();
        let expected = [(1, table), (2, ErrorKind::UndefinedFunction)];
        assert_eq!(counted, expected);
        assert_eq!(rows[1].statement.as_ref(), "select pg_foo()");
    }

    #[test]
    fn the_oldest_goes_first() {
        let (probes, activity) = (Probes::default(), Activity::new(None));
        for number in 0..PROBES_MAX + 5 {
            let message = format!("clause {number}");
            refuse(&probes, &activity, ErrorKind::FeatureNotSupported, &message);
        }
        assert_eq!(probes.rows().len(), PROBES_MAX);
    }
}
