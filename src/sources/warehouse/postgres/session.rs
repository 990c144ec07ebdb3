//! Sessions with PostgreSQL: how they begin, and how what they do is stopped.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{CancelToken, Client, Config, NoTls};
use tokio_util::task::AbortOnDropHandle;

use super::encrypted::opened;
use super::failure::{During, failure};
use super::tapped::{Copied, Tapped};
use crate::config::Secrets;
use crate::error::Result;
use crate::sources::warehouse::mapping::Mapping;
use crate::sources::warehouse::pool::{CLEANING_MAX, Connect, sentence};
use crate::sources::warehouse::socket::Socket;
use crate::sources::warehouse::tls::Tls;
use crate::sources::warehouse::{Options, Server};

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
    /// The rows that it sends by COPY.
    pub(super) copied: Arc<Copied>,
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

    /// A connection, encrypted as the options ask for it, over which nothing has been said.
    async fn opened(&self) -> io::Result<Box<dyn Socket>> {
        let port = self.server.option("port");
        let port = port.and_then(|port| port.parse().ok()).unwrap_or(PORT);
        let host = self.server.option("host").unwrap_or("localhost");
        opened(host, port, &self.tls).await
    }

    fn config(&self) -> Result<Config> {
        let option = |name: &str| self.server.option(name);
        let login = self.mapping.login(&self.server)?;
        let mut config = Config::new();
        config
            .dbname(option("dbname").unwrap_or(&login.user))
            .application_name(option("application_name").unwrap_or("lakegate"))
            // The connection is encrypted already, or is not to be.
            .ssl_mode(SslMode::Disable)
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
        let opened = self.opened().await;
        let opened = opened.map_err(|cause| self.server.unavailable(sentence(&cause.to_string())));
        let copied = Arc::new(Copied::default());
        let tapped = Tapped::new(opened?, Arc::clone(&copied));
        let connected = config.connect_raw(tapped, NoTls).await;
        let (client, connection) = connected.map_err(failed)?;
        let driver = Handle::current().spawn(async move {
            // What it ends with is told to whoever waits for an answer.
            if let Err(cause) = connection.await {
                tracing::debug!(%cause, "connection to a foreign server");
            }
        });
        let session = Session {
            cancel: client.cancel_token(),
            client,
            copied,
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
        let canceled = async {
            let opened = self.opened().await?;
            let canceled = session.cancel.cancel_query_raw(opened, NoTls).await;
            canceled.map_err(io::Error::other)
        };
        drop(timeout(CLEANING_MAX, canceled).await);
        session.driver.abort();
    }
}
