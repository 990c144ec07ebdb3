//! Who may cancel what: every session's number and secret, and its running statement.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use rand::Rng;
use tokio_util::sync::CancellationToken;

/// The sessions of a door.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    inner: Mutex<Inner>,
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
    pub(super) secret: i32,
    running: Mutex<Option<CancellationToken>>,
}

impl SessionKey {
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

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.lock().by_pid.remove(&self.key.pid);
    }
}

impl Sessions {
    /// Makes a new session known, under a number no other has.
    pub(super) fn register(self: &Arc<Self>) -> Registration {
        let secret = rand::rng().random();
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
            running: Mutex::default(),
        });
        inner.by_pid.insert(pid, Arc::clone(&key));
        drop(inner);
        Registration {
            sessions: Arc::clone(self),
            key,
        }
    }

    /// Cancels what a session runs. Wrong keys are met with silence, in constant time.
    pub(super) fn cancel(&self, pid: i32, secret: &[u8]) {
        let key = self.lock().by_pid.get(&pid).map(Arc::clone);
        let Some(key) = key else { return };
        if !same_in_constant_time(&key.secret.to_be_bytes(), secret) {
            return;
        }
        let running = key.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = running.as_ref() {
            statement.cancel();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares without telling by its duration where the first difference is.
fn same_in_constant_time(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let difference = left.iter().zip(right).fold(0, |difference, (left, right)| {
        black_box(difference | (left ^ right))
    });
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_key_cancels_and_only_what_runs() {
        let sessions = Arc::new(Sessions::default());
        let registration = sessions.register();
        let key = &registration.key;
        let statement = CancellationToken::new();
        let secret = key.secret.to_be_bytes();

        sessions.cancel(key.pid, &secret);
        let running = key.running(&statement);
        sessions.cancel(key.pid, &key.secret.wrapping_add(1).to_be_bytes());
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
}
