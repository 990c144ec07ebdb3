//! What sessions do, as `pg_stat_activity` shows it.
//! <https://www.postgresql.org/docs/16/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW>

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Utc;

use crate::catalog::sql::shown;
use crate::catalog::{BackendState, SessionRow};
use crate::functions::kept;
use crate::functions::output::Style;
use crate::types::oid;

/// Bytes of a statement that are shown (`track_activity_query_size`, with the one that ends it).
const QUERY_BYTES_MAX: usize = 1_023;

/// A session's doings.
#[derive(Debug)]
pub(super) struct Activity {
    client: Option<SocketAddr>,
    /// Microseconds since 1970, like all moments here.
    began_at: i64,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    state: BackendState,
    query: Arc<str>,
    query_at: Option<i64>,
    transaction_at: Option<i64>,
    changed_at: i64,
    application: Arc<str>,
}

impl Activity {
    /// Of a session that begins.
    pub(super) fn new(client: Option<SocketAddr>) -> Self {
        let now = Utc::now().timestamp_micros();
        Self {
            client,
            began_at: now,
            now: Mutex::new(Now {
                state: BackendState::Idle,
                query: "".into(),
                query_at: None,
                transaction_at: None,
                changed_at: now,
                application: "".into(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A statement begins.
    pub(super) fn runs(&self, text: &str) {
        let at = Utc::now().timestamp_micros();
        let mut now = self.lock();
        now.state = BackendState::Active;
        now.query = shown(text, QUERY_BYTES_MAX);
        now.query_at = Some(at);
        now.transaction_at.get_or_insert(at);
        now.changed_at = at;
    }

    /// The client's program, and the last statement as it is shown.
    pub(super) fn doing(&self) -> (Arc<str>, Arc<str>) {
        let now = self.lock();
        (Arc::clone(&now.application), Arc::clone(&now.query))
    }

    /// The session waits for its client.
    pub(super) fn rests(&self, state: BackendState, application: &str) {
        let mut now = self.lock();
        now.state = state;
        now.changed_at = Utc::now().timestamp_micros();
        if state == BackendState::Idle {
            now.transaction_at = None;
        }
        if now.application.as_ref() != application {
            now.application = application.into();
        }
    }

    /// The row of `pg_stat_activity`.
    pub(super) fn row(&self, pid: i32, user: &str) -> SessionRow {
        let now = self.lock();
        let address = self
            .client
            .map(|client| client.ip().to_canonical().to_string());
        let address = address.map(|text| kept::from_text(&text, oid::INET, &Style::default()));
        SessionRow {
            pid,
            user: user.to_owned(),
            application: Arc::clone(&now.application),
            client_address: address.and_then(Result::ok),
            client_port: self.client.map(|client| client.port()),
            began_at: self.began_at,
            transaction_at: now.transaction_at,
            query_at: now.query_at,
            changed_at: now.changed_at,
            state: now.state,
            query: Arc::clone(&now.query),
        }
    }
}
