//! What this process knows of materialized views: how each was seen last, and the last refreshes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::made::Made;
use crate::catalog::views::FullName;
use crate::error::{Error, ErrorKind};
use crate::sources::Size;

/// How many refreshes are remembered, some 300 bytes each.
const REFRESHES_MAX: usize = 1_000;

/// Gives the code that clients are told of a failure, or of none.
pub type CodeOf = fn(Option<ErrorKind>) -> &'static str;

/// What was seen of a view.
#[derive(Clone, Debug)]
pub struct Look {
    /// When.
    pub at: DateTime<Utc>,
    /// The version of its table, of what its rows were made, and how much they are; `None` if there
    /// are none.
    pub stored: Option<(u64, Arc<Made>, Size)>,
    /// Whether the rows are what its query would give.
    pub is_current: bool,
}

/// How a refresh ended.
#[derive(Clone, Debug)]
pub struct Refreshed {
    /// The view.
    pub name: FullName,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// What it did; `None` if it failed.
    pub way: Option<Way>,
    /// The version of its table, and how many rows were stored.
    pub version: Option<u64>,
    /// So many rows.
    pub n_rows: Option<u64>,
    /// The inputs with their versions.
    pub inputs: String,
    /// Why it failed, if it did.
    pub error: Option<Error>,
}

/// What a refresh did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing: the rows that are there are right.
    Nothing,
    /// It stored rows that were made of those that were there and of what had changed.
    Incremental,
    /// It stored rows that were made of all that the view reads, for a reason in a word or two.
    Whole(&'static str),
}

impl Refreshed {
    /// What it did, in a word.
    pub fn kind(&self) -> &'static str {
        match self.way {
            None => "failed",
            Some(Way::Nothing) => "none",
            Some(Way::Incremental) => "incremental",
            Some(Way::Whole(_)) => "whole",
        }
    }

    /// Why it computed all rows, if it did.
    pub fn reason(&self) -> Option<&'static str> {
        match self.way {
            Some(Way::Whole(reason)) => Some(reason),
            Some(Way::Nothing | Way::Incremental) | None => None,
        }
    }
}

/// How a view's refreshes go.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// What was seen of it last.
    pub look: Option<Look>,
    /// When a refresh failed last, and why; `None` if one went well since.
    pub failure: Option<(DateTime<Utc>, Error)>,
    /// How many failed one after the other.
    pub n_failures: u32,
    /// Until when nobody refreshes it by itself, after a failure.
    pub paused_until: Option<DateTime<Utc>>,
}

#[derive(Debug, Default)]
pub(super) struct Told {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    views: BTreeMap<FullName, Standing>,
    /// The latest at the end.
    refreshes: VecDeque<Arc<Refreshed>>,
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn saw(&self, name: &FullName, look: Look) {
        let mut inner = self.lock();
        inner.views.entry(name.clone()).or_default().look = Some(look);
    }

    pub(super) fn paused(&self, name: &FullName, until: DateTime<Utc>) {
        let mut inner = self.lock();
        inner.views.entry(name.clone()).or_default().paused_until = Some(until);
    }

    pub(super) fn refreshed(&self, refreshed: Refreshed) {
        let mut inner = self.lock();
        let standing = inner.views.entry(refreshed.name.clone()).or_default();
        match &refreshed.error {
            Some(error) => {
                standing.failure = Some((refreshed.ended, error.clone()));
                standing.n_failures = standing.n_failures.saturating_add(1);
            }
            None => {
                standing.failure = None;
                standing.n_failures = 0;
                standing.paused_until = None;
            }
        }
        // What changed nothing is not worth a row.
        if refreshed.way != Some(Way::Nothing) {
            if inner.refreshes.len() == REFRESHES_MAX {
                inner.refreshes.pop_front();
            }
            inner.refreshes.push_back(Arc::new(refreshed));
        }
    }

    pub(super) fn standing(&self, name: &FullName) -> Standing {
        self.lock().views.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn refreshes(&self) -> Vec<Arc<Refreshed>> {
        self.lock().refreshes.iter().map(Arc::clone).collect()
    }
}
