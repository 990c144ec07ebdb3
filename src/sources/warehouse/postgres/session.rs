//! Sessions with PostgreSQL: how they begin, and how what they do is stopped.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::{CancelToken, Client, Config};
use tokio_util::task::AbortOnDropHandle;

use super::encrypted;
use super::failure::{During, failure};
use crate::config::Secrets;
use crate::error::Result;
use crate::sources::warehouse::mapping::Mapping;
use crate::sources::warehouse::pool::{CLEANING_MAX, Connect};
use crate::sources::warehouse::tls::Tls;
use crate::sources::warehouse::{Options, Server};

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

/// How sessions with one server begin.
pub(super) struct PostgresConnect {
    server: Arc<Server>,
    mapping: Mapping,
    tls: Tls,
}

/// A session with the server.
pub(super) struct Session {
    /// What asks.
    pub(super) client: Client,
    /// Drives it; its end closes the socket.
    driver: AbortOnDropHandle<()>,
    cancel: CancelToken,
}

impl PostgresConnect {
    /// As a server's options and a mapping's say.
    ///
    /// # Errors
    /// The certificates of its options cannot be read.
    pub(super) fn new(server: &Arc<Server>, mapping: &Options, secrets: &Secrets) -> Result<Self> {
        Ok(Self {
            server: Arc::clone(server),
            mapping: Mapping::new(mapping, secrets),
            tls: Tls::of(server)?,
        })
    }

    fn config(&self) -> Result<Config> {
        let option = |name: &str| self.server.option(name);
        let login = self.mapping.login(&self.server)?;
        let mut config = Config::new();
        config
            .host(option("host").unwrap_or("localhost"))
            .port(
                option("port")
                    .and_then(|port| port.parse().ok())
                    .unwrap_or(PORT),
            )
            .dbname(option("dbname").unwrap_or(&login.user))
            .application_name(option("application_name").unwrap_or("lakegate"))
            .connect_timeout(self.server.connect_timeout())
            .tcp_user_timeout(SILENCE_MAX)
            .keepalives_idle(SILENCE_MAX)
            .ssl_mode(encrypted::mode(self.tls.mode))
            .user(login.user);
        if let Some(password) = login.password {
            config.password(password);
        }
        Ok(config)
    }
}

#[async_trait]
impl Connect for PostgresConnect {
    type Session = Session;

    fn server(&self) -> &Arc<Server> {
        &self.server
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

    async fn run(&self, session: &mut Session, statements: &str) -> Result<()> {
        let run = session.client.batch_execute(statements).await;
        run.map_err(|cause| failure(&self.server, During::Session, &cause))
    }

    fn is_over(session: &Session) -> bool {
        session.client.is_closed()
    }

    async fn stop(&self, session: Session) {
        let canceled = session.cancel.cancel_query(self.tls.clone());
        drop(timeout(CLEANING_MAX, canceled).await);
        session.driver.abort();
    }
}
