//! The configuration: what the command line and the environment say, checked once.
//!
//! The only room that reads the environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// What `serve` runs on.
#[derive(Clone, Debug)]
pub struct Config {
    /// The lake: a path or URL.
    pub lake: String,
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The database's name.
    pub database: String,
    /// Memory that all statements together may hold, in bytes.
    pub memory_bytes_max: usize,
    /// Connections served at a time.
    pub connections_max: usize,
    /// The largest message a client may send, in bytes.
    pub message_bytes_max: usize,
    /// Time for start-up, until the first ReadyForQuery.
    pub startup_timeout: Duration,
    /// Time a write to a client may be blocked.
    pub write_timeout: Duration,
    /// Time that running statements get at shutdown.
    pub drain_timeout: Duration,
    /// Credentials and endpoints of object stores: `AWS_*`, `AZURE_*`, `GOOGLE_*`.
    pub store_options: BTreeMap<String, String>,
}
