//! Finds out that a client is gone which could not say so: its machine lost power, or the network
//! in between its way. The kernel asks the other side when it has been silent for long.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// When a silent client is asked whether it is there, and given up (PostgreSQL 16, "TCP Settings";
/// tcp(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keepalive {
    /// `tcp_keepalives_idle`: silence before the first question.
    pub(super) idle: Duration,
    /// `tcp_keepalives_interval`: time between questions.
    pub(super) interval: Duration,
    /// `tcp_keepalives_count`: questions without an answer after which the client is gone.
    pub(super) n_questions: u32,
    /// `tcp_user_timeout`: what was sent may be unacknowledged for so long.
    pub(super) unacknowledged: Duration,
}

impl Keepalive {
    /// A client that vanished is given up within a minute, whether or not something is on its way
    /// to it. Where PostgreSQL leaves this to the system, that takes hours.
    pub(super) const DEFAULT: Self = Self {
        idle: Duration::from_secs(30),
        interval: Duration::from_secs(10),
        n_questions: 3,
        unacknowledged: Duration::from_secs(60),
    };

    /// Asks this socket's other side from now on.
    ///
    /// # Errors
    /// The system does not take it.
    pub(super) fn apply(&self, socket: &TcpStream) -> io::Result<()> {
        let socket = SockRef::from(socket);
        let probes = TcpKeepalive::new()
            .with_time(self.idle)
            .with_interval(self.interval)
            .with_retries(self.n_questions);
        socket.set_tcp_keepalive(&probes)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(self.unacknowledged))?;
        Ok(())
    }
}
