//! A door: PostgreSQL's wire protocol 3.0 and 3.2, in a connection loop of our own on pgwire's messages.
//! <https://www.postgresql.org/docs/16/protocol.html>
//!
//! In the order a connection meets them: `startup` negotiates, `tls` encrypts, `authenticate` has
//! the client prove who it is, and a `session` begins, all of it led by `begin`; `connection` takes its
//! messages by `frame` and `message`; `simple` and `extended` answer them, by `command` where the
//! session itself is meant, by `define` where the catalog is, else by the engine, whose `rows` go out through `encode`, those of
//! COPY in messages of `copy`.

mod activity;
mod as_of;
mod assume;
mod audit;
mod authenticate;
mod begin;
mod cancel;
mod client;
mod command;
mod connection;
mod copy;
mod copy_line;
mod cursor;
mod decode;
mod define;
mod encode;
mod extended;
mod failure;
mod frame;
mod keepalive;
mod message;
mod named;
mod notify;
mod options;
mod portal;
mod probes;
mod respond;
mod rows;
mod run;
mod session;
mod settings;
mod simple;
mod sqlstate;
mod startup;
pub mod text;
mod tls;
mod transaction;
mod transcode;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use sqlstate::code_of;

use crate::auth::Guard;
use crate::config::Config;
use crate::engine::Engine;
use crate::observe::Audit;
use cancel::Sessions;
use connection::serve;
use keepalive::Keepalive;
use settings::Beginnings;

/// The pause after a failure to accept: most often the process has no file left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The time stopped sessions get to say goodbye before they are dropped.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections beyond the limit that are heard at a time: they may want to cancel a statement,
/// and are told that there is no room otherwise.
const OVERFLOW_MAX: usize = 64;

/// Accepts clients and serves each in a task of its own.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    shared: Arc<Shared>,
    connections: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

/// What the connections of a door share.
#[derive(Debug)]
struct Shared {
    engine: Arc<Engine>,
    config: Arc<Config>,
    guard: Arc<Guard>,
    audit: Arc<Audit>,
    sessions: Arc<Sessions>,
    beginnings: Beginnings,
    /// The gateway stops: no new sessions, idle ones end.
    closing: CancellationToken,
    /// Running statements have had their time.
    killed: CancellationToken,
}

impl Door {
    /// A door at this listener. The guard says who is let in; the audit is told.
    pub fn new(
        listener: TcpListener,
        engine: Arc<Engine>,
        config: Arc<Config>,
        guard: Arc<Guard>,
        audit: Arc<Audit>,
    ) -> Self {
        let connections = Arc::new(Semaphore::new(config.connections_max));
        Self {
            listener,
            shared: Arc::new(Shared {
                engine,
                config,
                guard,
                audit,
                sessions: Arc::default(),
                beginnings: Beginnings::default(),
                closing: CancellationToken::new(),
                killed: CancellationToken::new(),
            }),
            connections,
            tasks: JoinSet::new(),
        }
    }

    /// Serves until `shutdown` is cancelled, then lets running statements finish for the
    /// configured time, and returns when the last connection is gone. Not cancel safe: dropping
    /// it drops every connection.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(_) = self.tasks.join_next() => {}
                accepted = self.listener.accept() => self.admit(accepted).await,
            }
        }
        self.shared.closing.cancel();
        let drained = tokio::time::timeout(self.shared.config.drain_timeout, self.drain()).await;
        if drained.is_err() {
            self.shared.killed.cancel();
            let ended = tokio::time::timeout(GOODBYE_TIMEOUT, self.drain()).await;
            if ended.is_err() {
                tracing::warn!(n_connections = self.tasks.len(), "drop connections");
            }
        }
        self.tasks.shutdown().await;
    }

    /// Waits for the connections that are left; new ones are told why they are not served.
    async fn drain(&mut self) {
        while !self.tasks.is_empty() {
            tokio::select! {
                biased;
                Some(_) = self.tasks.join_next() => {}
                accepted = self.listener.accept() => self.admit(accepted).await,
            }
        }
    }

    async fn admit(&mut self, accepted: std::io::Result<(TcpStream, std::net::SocketAddr)>) {
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(%error, "accept connection");
                return tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        };
        let place = Arc::clone(&self.connections).try_acquire_owned().ok();
        let n_max = self.shared.config.connections_max + OVERFLOW_MAX;
        if place.is_none() && self.tasks.len() >= n_max {
            return;
        }
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "set TCP_NODELAY");
        }
        if let Err(error) = Keepalive::DEFAULT.apply(&socket) {
            tracing::debug!(%error, "set TCP keepalive");
        }
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn(async move {
            serve(socket, shared, place.is_some()).await;
            drop(place);
        });
    }
}
