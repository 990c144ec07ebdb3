//! What was asked lately: who asked what, how long it took, what it read, and how it ended.

mod kept;
mod relation;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::context::StatementContext;
use super::pin::Pinned;
use super::statement::Statement;
use crate::catalog::SystemRelation;
use crate::catalog::sql::shown;
use crate::error::{Error, ErrorKind};
use crate::sources::Version;

/// Queries that are remembered; of more, the oldest goes.
const QUERIES_MAX: usize = 10_000;

/// Bytes of a text that is remembered, as of those in `pg_stat_activity`.
const TEXT_BYTES_MAX: usize = 1_023;

/// Gives the code that clients are told of a failure, or of none.
pub type CodeOf = fn(Option<ErrorKind>) -> &'static str;

/// The queries that were asked lately.
pub struct History {
    asked: Mutex<VecDeque<Arc<Asked>>>,
    code_of: CodeOf,
    /// A name that no other gateway has, and how many queries it has told of.
    gateway: Arc<str>,
    n_told: AtomicU64,
    /// What of it is in the state folder.
    last: tokio::sync::Mutex<kept::Last>,
}

/// What a query's rows were made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Came {
    /// Of what was kept.
    Hit,
    /// Of a computation that another asked for.
    Shared,
    /// They were computed.
    Computed,
}

/// A query that was asked.
#[derive(Clone, Debug)]
struct Asked {
    /// Which gateway was asked, and its number there.
    gateway: Arc<str>,
    number: u64,
    at: DateTime<Utc>,
    took: Duration,
    pid: i32,
    session_user: String,
    role: String,
    application: String,
    text: Arc<str>,
    n_rows: usize,
    /// Bytes of the files that were read; `None` where they are not told, or were not known.
    n_bytes: Option<u64>,
    versions: String,
    came: Option<Came>,
    sqlstate: String,
}

impl Asked {
    /// No other query has it.
    fn id(&self) -> (Arc<str>, u64) {
        (Arc::clone(&self.gateway), self.number)
    }
}

/// A query that is being answered: it is remembered once that ends, however it ends.
#[derive(Debug)]
pub(super) struct Asking {
    history: Arc<History>,
    asked: Asked,
    failure: Option<ErrorKind>,
    started: Instant,
    cancel: CancellationToken,
    /// Whether it was told of, or is not to be.
    is_told: bool,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("History")
    }
}

impl History {
    /// An empty one.
    pub fn new(code_of: CodeOf) -> Arc<Self> {
        Arc::new(Self {
            asked: Mutex::default(),
            code_of,
            gateway: kept::gateway_name(),
            n_told: AtomicU64::new(0),
            last: tokio::sync::Mutex::default(),
        })
    }

    /// `lakegate.queries`, for the catalog.
    pub fn relation(self: &Arc<Self>) -> Arc<dyn SystemRelation> {
        Arc::new(relation::QueriesRelation(Arc::clone(self)))
    }

    /// A query begins. What has no text of its own is a part of another statement, and is not told.
    pub(super) fn begins(
        self: &Arc<Self>,
        statement: &Statement,
        context: &StatementContext,
    ) -> Asking {
        let facts = &context.facts;
        let application = facts.settings.get("application_name");
        Asking {
            history: Arc::clone(self),
            asked: Asked {
                gateway: Arc::clone(&self.gateway),
                number: 0,
                at: Utc::now(),
                took: Duration::ZERO,
                pid: facts.backend_pid,
                session_user: facts.actor.session_user.clone(),
                role: facts.actor.user.clone(),
                application: application.cloned().unwrap_or_default(),
                text: shown(&statement.text, TEXT_BYTES_MAX),
                n_rows: 0,
                n_bytes: None,
                versions: String::new(),
                came: None,
                sqlstate: String::new(),
            },
            failure: None,
            started: Instant::now(),
            cancel: context.cancel.clone(),
            is_told: statement.text.is_empty(),
        }
    }

    /// The tables that queries read, as their versions name them: `schema.name`.
    pub(super) fn tables_read(&self) -> BTreeSet<String> {
        let asked = self.lock();
        let versions = asked.iter().flat_map(|asked| asked.versions.split(", "));
        let tables = versions.filter_map(|version| version.rsplit_once(' '));
        tables.map(|(table, _)| table.to_owned()).collect()
    }

    /// Remembers a query that has ended.
    fn remember(&self, mut asked: Asked) {
        let mut all = self.lock();
        asked.number = self.n_told.fetch_add(1, Ordering::Relaxed);
        if all.len() >= QUERIES_MAX {
            all.pop_front();
        }
        all.push_back(Arc::new(asked));
    }

    /// How many queries this gateway has told of.
    fn n_told(&self) -> u64 {
        self.n_told.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Asked>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asking {
    /// What was pinned for it. What reads no relation is not told of unless it fails.
    pub(super) fn reads(&mut self, pinned: &Pinned) {
        self.is_told |= pinned.tables.is_empty();
        let tables = pinned.tables.iter();
        let tables = tables.filter(|table| table.version != Version::None);
        let mut versions: Vec<String> = tables
            .map(|table| format!("{}.{} {}", table.schema, table.name, table.version))
            .collect();
        versions.sort_unstable();
        versions.dedup();
        self.asked.versions = versions.join(", ");
    }

    /// What its rows are made of, and the bytes of the files that are read for them, if those may be told.
    pub(super) fn comes(&mut self, came: Came, n_bytes: Option<u64>) {
        self.asked.came = Some(came);
        self.asked.n_bytes = n_bytes;
    }

    /// It gave more rows.
    pub(super) fn gave(&mut self, n_rows: usize) {
        self.asked.n_rows += n_rows;
    }

    /// It failed.
    pub(super) fn failed(&mut self, error: &Error) {
        self.failure = Some(error.kind());
        // It is told of, whatever it reads.
        self.is_told = self.asked.text.is_empty();
        self.tell();
    }

    /// It gave all its rows, or nobody wants more.
    pub(super) fn tell(&mut self) {
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        self.asked.took = self.started.elapsed();
        self.asked.sqlstate = (self.history.code_of)(self.failure).to_owned();
        self.history.remember(self.asked.clone());
    }

    /// Follows an answer to its end.
    pub(super) fn follow(self, mut answer: Answer) -> Answer {
        answer.asking = Some(Box::new(self));
        answer
    }
}

impl Drop for Asking {
    /// Its rows were not wanted to the end.
    fn drop(&mut self) {
        if self.cancel.is_cancelled() {
            self.failure.get_or_insert(ErrorKind::QueryCanceled);
        }
        self.tell();
    }
}
