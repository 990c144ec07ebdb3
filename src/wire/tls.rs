//! TLS over a client's socket, driven by hand so that reading never waits for writing.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use rustls::{ServerConfig, ServerConnection};
use tokio::net::TcpStream;

/// Bytes encrypted ahead of the socket: an out-buffer, so that a socket takes it at once.
const ENCRYPTED_BYTES_MAX: usize = 128 << 10;

/// The server's side of an encrypted connection.
#[derive(Debug)]
pub(super) struct Tls {
    connection: Box<ServerConnection>,
}

impl Tls {
    /// Before the first record.
    ///
    /// # Errors
    /// The certificate cannot be served: a fault of ours, for it was checked.
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let mut connection = ServerConnection::new(config)?;
        connection.set_buffer_limit(Some(ENCRYPTED_BYTES_MAX));
        Ok(Self {
            connection: Box::new(connection),
        })
    }

    /// Takes records that were read before it was known that they are some.
    ///
    /// # Errors
    /// They are none.
    pub(super) fn take_read(&mut self, records: &mut BytesMut) -> io::Result<()> {
        while !records.is_empty() {
            self.connection.read_tls(&mut records.reader())?;
            self.process()?;
        }
        Ok(())
    }

    /// Whether the client has not yet shown that it shares the keys.
    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the client named a protocol, and it is PostgreSQL's: no other is agreed on.
    pub(super) fn has_protocol(&self) -> bool {
        self.connection.alpn_protocol().is_some()
    }

    /// Reads and decrypts what has arrived: at least a byte, or a step of the handshake.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has arrived; else the connection is of no use any more.
    pub(super) fn try_read(
        &mut self,
        socket: &TcpStream,
        input: &mut BytesMut,
    ) -> io::Result<Progress> {
        let was_handshaking = self.is_handshaking();
        loop {
            if self.connection.read_tls(&mut Socket(socket))? == 0 {
                return Ok(Progress::End);
            }
            let state = self.process().inspect_err(|_| {
                // The alert says why, if the socket takes it now; the connection ends either way.
                let _ = self.connection.write_tls(&mut Socket(socket));
            })?;
            let n_bytes = state.plaintext_bytes_to_read();
            if n_bytes > 0 {
                let start = input.len();
                input.resize(start + n_bytes, 0);
                self.connection.reader().read_exact(&mut input[start..])?;
                return Ok(Progress::Some);
            }
            if state.peer_has_closed() {
                return Ok(Progress::End);
            }
            if was_handshaking {
                return Ok(Progress::Some);
            }
        }
    }

    fn process(&mut self) -> io::Result<rustls::IoState> {
        let state = self.connection.process_new_packets();
        state.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Encrypts and sends `output`, in records of up to 16 KiB, many at a time. `Ok` means that
    /// all is sent; what was not sent stays.
    ///
    /// # Errors
    /// `WouldBlock` if the socket takes nothing more now; else it takes nothing ever again.
    pub(super) fn try_write(
        &mut self,
        socket: &TcpStream,
        output: &mut BytesMut,
    ) -> io::Result<()> {
        loop {
            while !output.is_empty() {
                match self.connection.writer().write(output)? {
                    0 => break,
                    n_bytes => output.advance(n_bytes),
                }
            }
            if !self.connection.wants_write() {
                return Ok(());
            }
            self.connection.write_tls(&mut Socket(socket))?;
        }
    }

    /// Says that nothing more comes; it is sent by the next write.
    pub(super) fn close(&mut self) {
        self.connection.send_close_notify();
    }
}

/// How far a read came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Something was read, or the handshake went on.
    Some,
    /// The client is gone.
    End,
}

/// A socket as rustls reads and writes it: without waiting.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.try_write(buffer)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
