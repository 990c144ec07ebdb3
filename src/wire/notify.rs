//! LISTEN, UNLISTEN and NOTIFY between the sessions of a door: what a transaction asks for is done when
//! it commits. <https://www.postgresql.org/docs/16/sql-notify.html>

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::cancel::{SessionKey, Sessions};
use crate::error::{Error, ErrorKind, Limit, Result};

/// Bytes of a payload (`NOTIFY_PAYLOAD_MAX_LENGTH`: a page without what else it holds).
const PAYLOAD_BYTES_MAX: usize = 7_999;

/// Notifications that wait for a session, and that one transaction sends: PostgreSQL's queue is a file of
/// 8 GB, ours is memory.
const WAITING_MAX: usize = 10_000;

/// What a session tells others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notification {
    /// The number of the session that sent it.
    pub(super) pid: i32,
    pub(super) channel: Arc<str>,
    pub(super) payload: Arc<str>,
}

/// What a session listens to, and what it has not been told yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    inner: Mutex<Waiting>,
    /// Woken when something comes.
    pub(super) woken: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    channels: BTreeSet<String>,
    notifications: Vec<Notification>,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that has come.
    pub(super) fn take(&self) -> Vec<Notification> {
        std::mem::take(&mut self.lock().notifications)
    }

    fn put(&self, notification: &Notification) {
        let mut waiting = self.lock();
        if waiting.channels.contains(notification.channel.as_ref()) {
            waiting.notifications.push(notification.clone());
            self.woken.notify_one();
        }
    }

    fn is_full(&self, channel: &str) -> bool {
        let waiting = self.lock();
        waiting.channels.contains(channel) && waiting.notifications.len() >= WAITING_MAX
    }
}

/// What a transaction asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Listen(String),
    /// `None`: to all channels.
    Unlisten(Option<String>),
    Notify(Notification),
}

/// The channels as a session reaches them.
#[derive(Debug)]
pub(super) struct Channels {
    sessions: Arc<Sessions>,
    key: Arc<SessionKey>,
    /// With the number of savepoints that stood.
    asked: Vec<(usize, Asked)>,
}

impl Channels {
    pub(super) fn new(sessions: Arc<Sessions>, key: Arc<SessionKey>) -> Self {
        Self {
            sessions,
            key,
            asked: Vec::new(),
        }
    }

    /// LISTEN.
    pub(super) fn listen(&mut self, channel: &str, n_savepoints: usize) {
        self.asked
            .push((n_savepoints, Asked::Listen(channel.to_owned())));
    }

    /// UNLISTEN; of all channels, if none is named.
    pub(super) fn unlisten(&mut self, channel: Option<&str>, n_savepoints: usize) {
        let asked = Asked::Unlisten(channel.map(str::to_owned));
        self.asked.push((n_savepoints, asked));
    }

    /// NOTIFY. What a transaction says twice is told once.
    ///
    /// # Errors
    /// As `Async_Notify` in async.c.
    pub(super) fn notify(
        &mut self,
        channel: &str,
        payload: &str,
        n_savepoints: usize,
    ) -> Result<()> {
        let invalid = |message| Err(Error::new(ErrorKind::InvalidParameterValue, message));
        if channel.is_empty() {
            return invalid("channel name cannot be empty");
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return invalid("payload string too long");
        }
        let is_too_much = self.asked.len() >= WAITING_MAX;
        if is_too_much || self.sessions.any(|key| key.inbox.is_full(channel)) {
            let message = "too many notifications in the NOTIFY queue";
            return Err(Error::new(
                ErrorKind::LimitExceeded(Limit::Configuration),
                message,
            ));
        }
        let asked = Asked::Notify(Notification {
            pid: self.key.pid,
            channel: channel.into(),
            payload: payload.into(),
        });
        if !self.asked.iter().any(|(_, earlier)| *earlier == asked) {
            self.asked.push((n_savepoints, asked));
        }
        Ok(())
    }

    /// RELEASE; this many savepoints are left.
    pub(super) fn forget_savepoints(&mut self, n_kept: usize) {
        for (n_savepoints, _) in &mut self.asked {
            *n_savepoints = n_kept.min(*n_savepoints);
        }
    }

    /// ROLLBACK TO; this many savepoints are left.
    pub(super) fn roll_back_to(&mut self, n_kept: usize) {
        self.asked
            .retain(|(n_savepoints, _)| *n_savepoints < n_kept);
    }

    /// ROLLBACK.
    pub(super) fn roll_back(&mut self) {
        self.asked.clear();
    }

    /// COMMIT: a session hears what it listens to from this transaction on.
    pub(super) fn commit(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let (told, of_own): (Vec<Asked>, Vec<Asked>) = std::mem::take(&mut self.asked)
            .into_iter()
            .map(|(_, asked)| asked)
            .partition(|asked| matches!(asked, Asked::Notify(_)));
        let mut waiting = self.key.inbox.lock();
        for asked in of_own {
            match asked {
                Asked::Listen(channel) => drop(waiting.channels.insert(channel)),
                Asked::Unlisten(Some(channel)) => drop(waiting.channels.remove(&channel)),
                Asked::Unlisten(None) | Asked::Notify(_) => waiting.channels.clear(),
            }
        }
        drop(waiting);
        for asked in told {
            if let Asked::Notify(notification) = asked {
                self.sessions.each(|key| key.inbox.put(&notification));
            }
        }
    }
}
