//! Connections to one server as one user: so many at a time, kept for a while, and given back as
//! clean as they were taken.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::Server;
use crate::error::{Error, ErrorKind, Remote, Result};

/// Connections to one server as one user, unless its options say otherwise.
const CONNECTIONS: usize = 10;

/// How long a connection is kept that nobody uses.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// How long a server may take to end what is not wanted any more.
pub(super) const CLEANING_MAX: Duration = Duration::from_secs(5);

/// A server that let somebody wait this long in vain is not asked again for a while, so that not
/// everybody waits.
const VAIN_WAIT: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Ends a transaction, in every dialect.
const ROLLBACK: &str = "ROLLBACK";

/// How sessions with one server are made and used.
#[async_trait]
pub(super) trait Connect: Send + Sync + 'static {
    /// A session; dropped, its connection is closed.
    type Session: Send + Sync + 'static;

    /// The server.
    fn server(&self) -> &Arc<Server>;

    /// A new session, told to be read only.
    ///
    /// # Errors
    /// `Remote`: the server cannot be reached.
    async fn connect(&self) -> Result<Self::Session>;

    /// Runs statements whose rows are of no interest.
    ///
    /// # Errors
    /// As the server says.
    async fn run(&self, session: &mut Self::Session, statements: &str) -> Result<()>;

    /// Whether it is known that the session is over.
    fn is_over(session: &Self::Session) -> bool;

    /// Stops at the server what is under way in a session, which is used no more.
    async fn stop(&self, session: Self::Session);
}

/// Connections to one server as one user.
pub(super) struct Pool<C: Connect> {
    pub(super) connect: C,
    permits: Arc<Semaphore>,
    connections_max: usize,
    idle: Mutex<Vec<Idle<C::Session>>>,
    /// When somebody waited in vain, and for what.
    silent: Mutex<Option<(Instant, Error)>>,
    /// What reads and ends connections in the background.
    background: TaskTracker,
}

impl<C: Connect> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.server().name).finish()
    }
}

/// A session that nobody uses.
struct Idle<S> {
    session: S,
    since: Instant,
}

impl<C: Connect> Pool<C> {
    /// A pool that has connected to nobody yet.
    pub(super) fn new(connect: C) -> Arc<Self> {
        let said = connect.server().option("max_connections");
        let connections_max = said.and_then(|number| number.parse().ok());
        let connections_max = connections_max.unwrap_or(CONNECTIONS);
        Arc::new(Self {
            connect,
            permits: Arc::new(Semaphore::new(connections_max)),
            connections_max,
            idle: Mutex::default(),
            silent: Mutex::default(),
            background: TaskTracker::new(),
        })
    }

    /// The server.
    pub(super) fn server(&self) -> &Arc<Server> {
        self.connect.server()
    }

    /// A session, for which is waited as long as a connection may take, and in which `begin` was
    /// said. A kept session that has ended meanwhile is replaced.
    ///
    /// # Errors
    /// `Remote`: all are in use, or the server cannot be reached.
    pub(super) async fn lease(self: &Arc<Self>, begin: &str) -> Result<Lease<C>> {
        let wait = self.server().connect_timeout();
        let permit = timeout(wait, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            let detail = "All connections that it may have are in use; see max_connections.";
            return Err(self.server().unavailable(detail));
        };
        self.begun(permit, begin).await
    }

    /// As [`Self::lease`], if more than half of the connections are free: who reads faster by
    /// several does not keep others from reading at all.
    ///
    /// # Errors
    /// The same.
    pub(super) async fn lease_beside(self: &Arc<Self>, begin: &str) -> Result<Option<Lease<C>>> {
        if self.permits.available_permits() * 2 <= self.connections_max {
            return Ok(None);
        }
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => self.begun(permit, begin).await.map(Some),
            Err(_) => Ok(None),
        }
    }

    async fn begun(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        begin: &str,
    ) -> Result<Lease<C>> {
        let wait = self.server().connect_timeout();
        let lease = |session, permit| Lease {
            session: Some(session),
            pool: Arc::clone(self),
            is_clean: true,
            permit: Some(permit),
        };
        while let Some(mut session) = self.kept() {
            match timeout(wait, self.connect.run(&mut session, begin)).await {
                Ok(Ok(())) => return Ok(lease(session, permit)),
                // It has ended meanwhile.
                Ok(Err(_)) => {}
                Err(_) => return Err(self.fell_silent()),
            }
        }
        let mut session = self.connected(wait).await?;
        self.connect.run(&mut session, begin).await?;
        Ok(lease(session, permit))
    }

    /// Runs what ends by itself once nobody wants anything of it.
    pub(super) fn track(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.background.spawn(work);
    }

    /// A new session.
    async fn connected(&self, wait: Duration) -> Result<C::Session> {
        let last = self.silent().clone();
        if let Some((since, error)) = last
            && since.elapsed() < RETRY_AFTER
        {
            return Err(error);
        }
        let asked = Instant::now();
        let connected = match timeout(wait, self.connect.connect()).await {
            Ok(connected) => connected,
            Err(_) => return Err(self.fell_silent()),
        };
        let silent = match &connected {
            Err(error) if asked.elapsed() > VAIN_WAIT => Some((Instant::now(), error.clone())),
            _ => None,
        };
        *self.silent() = silent;
        connected
    }

    /// The server did not answer: what it was asked before is of no use either.
    fn fell_silent(&self) -> Error {
        let error = self.server().unavailable("It did not answer in time.");
        *self.silent() = Some((Instant::now(), error.clone()));
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        error
    }

    fn silent(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Error)>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session that nobody uses, the last used first.
    fn kept(&self) -> Option<C::Session> {
        self.drop_idle();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        Some(idle.pop()?.session)
    }

    /// Takes a session back, once what was open in it is over. Its place is free from then on.
    fn take_back(self: Arc<Self>, given: Given<C::Session>, handle: &Handle) {
        let pool = Arc::clone(&self);
        let cleaning = async move {
            let Given {
                mut session,
                is_clean,
                permit,
            } = given;
            if is_clean {
                let rolled_back = pool.connect.run(&mut session, ROLLBACK);
                if matches!(timeout(CLEANING_MAX, rolled_back).await, Ok(Ok(()))) {
                    pool.keep(session);
                    drop(permit);
                    sleep(IDLE_MAX).await;
                    pool.drop_idle();
                    return;
                }
            }
            // Of a query under way nothing more is read; but the server may compute for long.
            drop(timeout(CLEANING_MAX, pool.connect.stop(session)).await);
        };
        self.background.spawn_on(cleaning, handle);
    }

    fn keep(&self, session: C::Session) {
        let since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Idle { session, since });
    }

    fn drop_idle(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < IDLE_MAX && !C::is_over(&idle.session));
    }
}

/// A session that is given back.
struct Given<S> {
    session: S,
    is_clean: bool,
    permit: Option<OwnedSemaphorePermit>,
}

/// A session that is used.
pub(super) struct Lease<C: Connect> {
    /// Taken when it is given back.
    session: Option<C::Session>,
    pool: Arc<Pool<C>>,
    /// Whether nothing is under way in it.
    is_clean: bool,
    /// Its place among those that the server may be asked for.
    permit: Option<OwnedSemaphorePermit>,
}

impl<C: Connect> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.pool).finish()
    }
}

impl<C: Connect> Lease<C> {
    /// The session, of which something is under way until [`Self::clean`].
    pub(super) fn session(&mut self) -> &mut C::Session {
        self.is_clean = false;
        self.session.as_mut().expect("it is given back once")
    }

    /// Nothing is under way any more.
    pub(super) fn clean(&mut self) {
        self.is_clean = true;
    }

    /// Whether something is under way, or was when it was given up.
    pub(super) fn is_clean(&self) -> bool {
        self.is_clean
    }

    /// The server.
    pub(super) fn server(&self) -> &Arc<Server> {
        self.pool.server()
    }
}

impl<C: Connect> Drop for Lease<C> {
    fn drop(&mut self) {
        let (Some(session), Ok(handle)) = (self.session.take(), Handle::try_current()) else {
            return;
        };
        let given = Given {
            session,
            is_clean: self.is_clean,
            permit: self.permit.take(),
        };
        Arc::clone(&self.pool).take_back(given, &handle);
    }
}

/// The connection is gone.
pub(super) fn lost(server: &Server, why: &str) -> Error {
    let message = format!("connection to server \"{}\" was lost", server.name);
    Error::new(ErrorKind::Remote(Remote::Lost), message).with_detail(sentence(why))
}

/// A server that sends what it should not.
pub(super) fn unexpected(server: &Server, what: &str) -> Error {
    let message = format!("server \"{}\" sent {what}", server.name);
    Error::new(ErrorKind::Remote(Remote::Failed), message)
}

/// A cause as a sentence of a detail.
pub(super) fn sentence(cause: &str) -> String {
    let mut letters = cause.trim_end_matches('.').chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
