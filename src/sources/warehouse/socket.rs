//! Connections to servers: opened, encrypted, and watched, so that it is found out when the other end is gone.

use std::io;
use std::time::Duration;

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::tls::Tls;

/// A server that acknowledges nothing for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A connection, encrypted or not.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Socket for S {}

/// A connection to a host, at any of its addresses.
///
/// # Errors
/// None of them can be reached.
pub(super) async fn connected(host: &str, port: u16) -> io::Result<Box<dyn Socket>> {
    let socket = TcpStream::connect((host, port)).await?;
    socket.set_nodelay(true)?;
    let watched = SockRef::from(&socket);
    let keepalive = TcpKeepalive::new().with_time(SILENCE_MAX);
    watched.set_tcp_keepalive(&keepalive.with_interval(SILENCE_MAX / 3))?;
    #[cfg(target_os = "linux")]
    watched.set_tcp_user_timeout(Some(SILENCE_MAX))?;
    Ok(Box::new(socket))
}

/// The same connection, encrypted, with a server that proves to be this host as `tls` asks for it.
///
/// # Errors
/// It does not.
pub(super) async fn encrypted(
    socket: Box<dyn Socket>,
    tls: &Tls,
    host: &str,
) -> io::Result<Box<dyn Socket>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(tls.connector().connect(name, socket).await?))
}
