//! Connections to one server as one user: so many at a time, kept for a while, and given back as
//! clean as they were taken.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_postgres::{CancelToken, Client, Config};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::failure::{During, failure, lost};
use super::tls::Tls;
use crate::config::Secrets;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::{Options, Server};

/// Connections to one server as one user, unless its options say otherwise.
const CONNECTIONS: usize = 10;

/// How long a connection is kept that nobody uses.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// How long a server may take to end what is not wanted any more.
const CLEANING_MAX: Duration = Duration::from_secs(5);

/// A server that let somebody wait this long in vain is not asked again for a while, so that not
/// everybody waits.
const VAIN_WAIT: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// A server that acknowledges nothing for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// The port of PostgreSQL.
const PORT: u16 = 5432;

/// What every session is told first: to be read only, and to write values in one way. Names are
/// those of `pg_catalog` unless they say a schema, as postgres_fdw has it.
const SESSION: &str = "SET default_transaction_read_only = on; SET search_path = pg_catalog; \
    SET TimeZone = 'UTC'; SET DateStyle = ISO; SET IntervalStyle = postgres; \
    SET extra_float_digits = 3; SET bytea_output = hex; SET standard_conforming_strings = on; \
    SET client_encoding = UTF8";

/// Connections to one server as one user.
pub(super) struct Pool {
    pub(super) server: Arc<Server>,
    mapping: Options,
    secrets: Secrets,
    tls: Tls,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    /// When somebody waited in vain, and for what.
    silent: Mutex<Option<(Instant, Error)>>,
    /// What ends connections in the background.
    cleaning: TaskTracker,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pool").field(&self.server.name).finish()
    }
}

/// A session that nobody uses.
struct Idle {
    session: Session,
    since: Instant,
}

impl Idle {
    fn is_of_use(&self) -> bool {
        self.since.elapsed() < IDLE_MAX && !self.session.client.is_closed()
    }
}

/// A session with the server.
struct Session {
    client: Client,
    /// Drives it; its end closes the socket.
    driver: AbortOnDropHandle<()>,
    cancel: CancelToken,
}

impl Pool {
    /// A pool that has connected to nobody yet.
    ///
    /// # Errors
    /// The certificates of its options cannot be read.
    pub(super) fn new(server: &Arc<Server>, mapping: &Options, secrets: &Secrets) -> Result<Self> {
        let said = server.option("max_connections");
        let connections_max = said.and_then(|number| number.parse().ok());
        Ok(Self {
            server: Arc::clone(server),
            mapping: mapping.clone(),
            secrets: secrets.clone(),
            tls: Tls::of(server)?,
            permits: Arc::new(Semaphore::new(connections_max.unwrap_or(CONNECTIONS))),
            idle: Mutex::default(),
            silent: Mutex::default(),
            cleaning: TaskTracker::new(),
        })
    }

    /// A session, for which is waited as long as a connection may take, and in which `begin` was
    /// said. A kept session that has ended meanwhile is replaced.
    ///
    /// # Errors
    /// `Remote`: all are in use, or the server cannot be reached.
    pub(super) async fn lease(self: &Arc<Self>, begin: &str) -> Result<Lease> {
        let wait = self.server.connect_timeout();
        let permit = timeout(wait, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            let detail = "All connections that it may have are in use; see max_connections.";
            return Err(self.server.unavailable(detail));
        };
        let lease = |session, permit| Lease {
            session: Some(session),
            pool: Arc::clone(self),
            is_clean: true,
            permit: Some(permit),
        };
        while let Some(session) = self.kept() {
            match timeout(wait, session.client.batch_execute(begin)).await {
                Ok(Ok(())) => return Ok(lease(session, permit)),
                // It has ended meanwhile.
                Ok(Err(_)) => {}
                Err(_) => return Err(self.fell_silent()),
            }
        }
        let lease = lease(self.connected(wait).await?, permit);
        lease.run(begin).await?;
        Ok(lease)
    }

    /// A new session.
    async fn connected(&self, wait: Duration) -> Result<Session> {
        let last = self.silent().clone();
        if let Some((since, error)) = last
            && since.elapsed() < RETRY_AFTER
        {
            return Err(error);
        }
        let asked = Instant::now();
        let connected = match timeout(wait, self.connect()).await {
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
        let error = self.server.unavailable("It did not answer in time.");
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
    fn kept(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Idle::is_of_use);
        Some(idle.pop()?.session)
    }

    async fn connect(&self) -> Result<Session> {
        let failed = |cause| failure(&self.server, During::Connecting, &cause);
        let config = self.config()?;
        let (client, connection) = config.connect(self.tls.clone()).await.map_err(failed)?;
        let driver = Handle::current().spawn(async move {
            // What it ends with is told to whoever waits for an answer.
            if let Err(cause) = connection.await {
                tracing::debug!(%cause, "connection to a foreign server");
            }
        });
        let session = Session {
            cancel: client.cancel_token(),
            client,
            driver: AbortOnDropHandle::new(driver),
        };
        let mut said = SESSION.to_owned();
        if let Some(limit) = self.server.option("statement_timeout") {
            // It was checked to be a number when it was kept.
            said += &format!("; SET statement_timeout = {limit}");
        }
        session.client.batch_execute(&said).await.map_err(failed)?;
        Ok(session)
    }

    fn config(&self) -> Result<Config> {
        let option = |name: &str| self.server.option(name);
        let of_mapping = |name: &str| -> Result<Option<String>> {
            match self.mapping.get(name) {
                Some(said) if said.starts_with("env:") || said.starts_with("file:") => {
                    self.secrets.read(said).map(Some)
                }
                said => Ok(said.cloned()),
            }
        };
        let user = of_mapping("user")?.ok_or_else(|| {
            let message = format!("no user is mapped to server \"{}\"", self.server.name);
            Error::new(ErrorKind::UndefinedObject, message)
                .with_hint("Give the option user of its user mapping.")
        })?;
        let mut config = Config::new();
        config
            .host(option("host").unwrap_or("localhost"))
            .port(
                option("port")
                    .and_then(|port| port.parse().ok())
                    .unwrap_or(PORT),
            )
            .dbname(option("dbname").unwrap_or(&user))
            .application_name(option("application_name").unwrap_or("lakegate"))
            .connect_timeout(self.server.connect_timeout())
            .tcp_user_timeout(SILENCE_MAX)
            .keepalives_idle(SILENCE_MAX)
            .ssl_mode(self.tls.mode)
            .user(user);
        if let Some(password) = of_mapping("password")? {
            config.password(password);
        }
        Ok(config)
    }

    /// Takes a session back, once what was open in it is over. Its place is free from then on.
    fn take_back(self: Arc<Self>, given: Given, handle: &Handle) {
        let pool = Arc::clone(&self);
        let cleaning = async move {
            let Given {
                session,
                is_clean,
                permit,
            } = given;
            if is_clean {
                let rolled_back = session.client.batch_execute("ROLLBACK");
                if matches!(timeout(CLEANING_MAX, rolled_back).await, Ok(Ok(()))) {
                    pool.keep(session);
                    drop(permit);
                    sleep(IDLE_MAX).await;
                    pool.drop_idle();
                    return;
                }
            }
            // Of a query under way nothing more is read; but the server may compute for long.
            let canceled = session.cancel.cancel_query(pool.tls.clone());
            drop(timeout(CLEANING_MAX, canceled).await);
            session.driver.abort();
        };
        self.cleaning.spawn_on(cleaning, handle);
    }

    fn keep(&self, session: Session) {
        let since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Idle { session, since });
    }

    fn drop_idle(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Idle::is_of_use);
    }
}

/// A session that is given back.
struct Given {
    session: Session,
    is_clean: bool,
    permit: Option<OwnedSemaphorePermit>,
}

/// A session that is used.
pub(super) struct Lease {
    /// Taken when it is given back.
    session: Option<Session>,
    pool: Arc<Pool>,
    /// Whether nothing is under way in it.
    is_clean: bool,
    /// Its place among those that the server may be asked for.
    permit: Option<OwnedSemaphorePermit>,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Lease").field(&self.pool).finish()
    }
}

impl Lease {
    /// The session, of which something is under way until [`Self::clean`].
    pub(super) fn client(&mut self) -> &Client {
        self.is_clean = false;
        &self.session.as_ref().expect("it is given back once").client
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
        &self.pool.server
    }

    async fn run(&self, statements: &str) -> Result<()> {
        let Some(session) = &self.session else {
            return Err(lost(self.server(), "the session was given back"));
        };
        let run = session.client.batch_execute(statements).await;
        run.map_err(|cause| failure(self.server(), During::Session, &cause))
    }
}

impl Drop for Lease {
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
