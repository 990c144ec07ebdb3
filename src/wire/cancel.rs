//! Who may cancel what: every session's number and secret, and its running statement; and what
//! sessions ask of each other.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rand::RngCore;
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::notify::{Channels, Inbox};
use super::probes::Probes;
use crate::catalog::SessionsSeen;
use crate::error::Result;
use crate::functions::{Allows, Signal, Signals};

/// Bytes of a session's secret: what protocol 3.0 has room for, and what PostgreSQL 18 sends from
/// 3.2 on (`MAX_CANCEL_KEY_LENGTH`).
const SECRET_BYTES_SHORT: usize = 4;
const SECRET_BYTES_LONG: usize = 32;

/// The sessions of a door.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    inner: Mutex<Inner>,
    /// What they were refused.
    pub(super) probes: Probes,
}

#[derive(Debug, Default)]
struct Inner {
    last_pid: i32,
    by_pid: HashMap<i32, Arc<SessionKey>>,
}

/// What BackendKeyData gives the client, and the statement it can cancel with it.
#[derive(Debug)]
pub(super) struct SessionKey {
    /// The session's number, which stands for a process id.
    pub(super) pid: i32,
    /// The secret.
    pub(super) secret: Box<[u8]>,
    user: String,
    /// Cancelled when another session ends this one.
    pub(super) ended: CancellationToken,
    running: Mutex<Option<CancellationToken>>,
    /// What it is told by others.
    pub(super) inbox: Inbox,
    /// What others see of it.
    pub(super) activity: Activity,
}

impl SessionKey {
    /// Cancels what the session runs, if anything.
    fn cancel(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = running.as_ref() {
            statement.cancel();
        }
    }

    /// Lets `statement` be cancelled until the guard is dropped.
    pub(super) fn running(self: &Arc<Self>, statement: &CancellationToken) -> Running {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(statement.clone());
        Running(Arc::clone(self))
    }
}

/// While it lives, a statement can be cancelled.
#[derive(Debug)]
pub(super) struct Running(Arc<SessionKey>);

impl Drop for Running {
    fn drop(&mut self) {
        *self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// While it lives, a session is known.
#[derive(Debug)]
pub(super) struct Registration {
    sessions: Arc<Sessions>,
    pub(super) key: Arc<SessionKey>,
}

impl Registration {
    /// How the session reaches others.
    pub(super) fn signals(&self) -> Signals {
        let sessions = Arc::clone(&self.sessions);
        Signals(Arc::new(move |pid, signal, allows| {
            sessions.signal(pid, signal, allows)
        }))
    }
}

impl Registration {
    /// What the session sees of others.
    pub(super) fn seen(&self) -> SessionsSeen {
        let sessions = Arc::clone(&self.sessions);
        let refused = Arc::clone(&self.sessions);
        SessionsSeen {
            refused: Arc::new(move || refused.probes.rows()),
            all: Arc::new(move || {
                let mut rows = Vec::new();
                sessions.each(|key| rows.push(key.activity.row(key.pid, &key.user)));
                rows
            }),
            ..SessionsSeen::default()
        }
    }

    /// How the session listens and notifies.
    pub(super) fn channels(&self) -> Channels {
        Channels::new(Arc::clone(&self.sessions), Arc::clone(&self.key))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.lock().by_pid.remove(&self.key.pid);
    }
}

impl Sessions {
    /// Makes a new session of a user known, under a number no other has.
    pub(super) fn register(
        self: &Arc<Self>,
        user: &str,
        has_long_secret: bool,
        address: Option<SocketAddr>,
    ) -> Registration {
        let n_bytes = match has_long_secret {
            true => SECRET_BYTES_LONG,
            false => SECRET_BYTES_SHORT,
        };
        let mut secret = vec![0; n_bytes].into_boxed_slice();
        rand::rng().fill_bytes(&mut secret);
        let mut inner = self.lock();
        let pid = loop {
            inner.last_pid = inner.last_pid.checked_add(1).unwrap_or(1);
            if !inner.by_pid.contains_key(&inner.last_pid) {
                break inner.last_pid;
            }
        };
        let key = Arc::new(SessionKey {
            pid,
            secret,
            user: user.to_owned(),
            ended: CancellationToken::new(),
            running: Mutex::default(),
            inbox: Inbox::default(),
            activity: Activity::new(address),
        });
        inner.by_pid.insert(pid, Arc::clone(&key));
        drop(inner);
        Registration {
            sessions: Arc::clone(self),
            key,
        }
    }

    /// Looks at every session.
    pub(super) fn each(&self, look: impl FnMut(&SessionKey)) {
        let keys: Vec<Arc<SessionKey>> = self.lock().by_pid.values().map(Arc::clone).collect();
        keys.iter().map(AsRef::as_ref).for_each(look);
    }

    /// Whether something is so of any session.
    pub(super) fn any(&self, is_so: impl Fn(&SessionKey) -> bool) -> bool {
        self.lock().by_pid.values().any(|key| is_so(key))
    }

    /// The sessions that a user has now.
    pub(super) fn count_of(&self, user: &str) -> usize {
        let inner = self.lock();
        let sessions = inner.by_pid.values();
        sessions.filter(|session| session.user == user).count()
    }

    /// Cancels what a session runs. Wrong keys are met with silence, in constant time.
    pub(super) fn cancel(&self, pid: i32, secret: &[u8]) {
        let key = self.lock().by_pid.get(&pid).map(Arc::clone);
        let Some(key) = key else { return };
        if !bool::from(key.secret.ct_eq(secret)) {
            return;
        }
        key.cancel();
    }

    /// What one session asks of another; false if there is none of this number.
    ///
    /// # Errors
    /// It is not allowed.
    fn signal(&self, pid: i32, signal: Signal, allows: &Allows<'_>) -> Result<bool> {
        let Some(key) = self.lock().by_pid.get(&pid).map(Arc::clone) else {
            return Ok(false);
        };
        allows(&key.user)?;
        match signal {
            Signal::Cancel => key.cancel(),
            Signal::Terminate => key.ended.cancel(),
        }
        Ok(true)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn sessions_are_ended_by_whom_it_is_allowed() {
        let sessions = Arc::new(Sessions::default());
        let [ada, bob] = ["ada", "bob"].map(|user| sessions.register(user, false, None));
        let ends = |by: &Registration, whom: &Registration| {
            let only_ada = |user: &str| match user {
                "ada" => Ok(()),
                _ => Err(Error::unsupported("to end another")),
            };
            (by.signals().0)(whom.key.pid, Signal::Terminate, &only_ada)
        };
        assert!(ends(&ada, &bob).is_err());
        assert!(!bob.key.ended.is_cancelled());
        assert!(matches!(ends(&bob, &ada), Ok(true)));
        assert!(ada.key.ended.is_cancelled());
        let nobody = (ada.signals().0)(0, Signal::Cancel, &|_| Ok(()));
        assert!(matches!(nobody, Ok(false)));
    }

    #[test]
    fn only_the_right_key_cancels_and_only_what_runs() {
        let sessions = Arc::new(Sessions::default());
        let registration = sessions.register("ada", false, None);
        let key = &registration.key;
        let statement = CancellationToken::new();
        let secret = key.secret.clone();
        let mut wrong = secret.clone();
        wrong[3] = wrong[3].wrapping_add(1);

        sessions.cancel(key.pid, &secret);
        let running = key.running(&statement);
        sessions.cancel(key.pid, &wrong);
        sessions.cancel(key.pid, &secret[..3]);
        sessions.cancel(key.pid + 1, &secret);
        assert!(!statement.is_cancelled());
        sessions.cancel(key.pid, &secret);
        assert!(statement.is_cancelled());

        drop(running);
        let next = CancellationToken::new();
        sessions.cancel(key.pid, &secret);
        let _running = key.running(&next);
        assert!(!next.is_cancelled());
    }

    #[test]
    fn secrets_are_as_long_as_the_protocol_lets_them_be() {
        let sessions = Arc::new(Sessions::default());
        let short = sessions.register("ada", false, None);
        let long = sessions.register("bob", true, None);
        assert_eq!((short.key.secret.len(), long.key.secret.len()), (4, 32));
        assert_eq!((sessions.count_of("ada"), sessions.count_of("eve")), (1, 0));
        drop(short);
        assert_eq!(sessions.count_of("ada"), 0);
    }
}
