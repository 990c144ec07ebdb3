//! How a connection to PostgreSQL begins: whether it is encrypted is asked before anything else.
//! <https://www.postgresql.org/docs/16/protocol-flow.html#PROTOCOL-FLOW-SSL>

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::sources::warehouse::socket::{Socket, connected, encrypted};
use crate::sources::warehouse::tls::{Mode, Tls};

/// SSLRequest: its length, and a number in the place of a version.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A connection, encrypted as `tls` asks for it. A host that begins with `/` is the folder of a
/// socket of this machine, which is never encrypted, as libpq has it.
///
/// # Errors
/// The server cannot be reached, or not so.
pub(super) async fn opened(host: &str, port: u16, tls: &Tls) -> io::Result<Box<dyn Socket>> {
    #[cfg(unix)]
    if host.starts_with('/') {
        let path = format!("{host}/.s.PGSQL.{port}");
        return Ok(Box::new(tokio::net::UnixStream::connect(path).await?));
    }
    let mut socket = connected(host, port).await?;
    if tls.mode == Mode::Disable {
        return Ok(socket);
    }
    socket.write_all(&SSL_REQUEST).await?;
    socket.flush().await?;
    // One byte, and no more: what lies behind it is read by TLS or not at all.
    match (socket.read_u8().await?, tls.mode) {
        (b'S', _) => encrypted(socket, tls, host).await,
        (b'N', Mode::Prefer) => Ok(socket),
        (b'N', _) => Err(io::Error::other("server does not support TLS")),
        _ => Err(io::Error::other("this is no server of PostgreSQL")),
    }
}
