//! The client's socket with its two buffers: reading never waits for writing, nor writing for reading.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::net::TcpStream;

use super::failure::End;
use super::keepalive::Keepalive;
use super::tls::{Progress, Tls};
use super::transcode;
use crate::auth::Certificate;
use crate::error::Error;
use crate::types::Encoding;

/// Bytes gathered before they are sent, unless the client waits for an answer.
/// As large as a socket takes at once; larger gains nothing.
pub(super) const OUTPUT_BYTES: usize = 64 << 10;

/// Bytes read ahead while a statement runs. A client that pipelines more than this waits in its
/// own socket; only its going away is then noticed later, at the next write.
const READ_AHEAD_BYTES_MAX: usize = 1 << 20;

/// An out-buffer that held more than this is given back to the allocator when the client is silent:
/// idle sessions are many, and what one answered last says nothing of its next answer.
const KEPT_BYTES_MAX: usize = 4 << 10;

/// Bytes asked of a socket at a time.
const READ_BYTES: usize = 8 << 10;

/// A connected client.
#[derive(Debug)]
pub(super) struct Client {
    socket: TcpStream,
    /// Once the client asked for it, everything goes through it.
    tls: Option<Tls>,
    /// The digest that the client may bind its authentication to.
    binding: Option<Vec<u8>>,
    /// What the client sent and nobody has taken yet.
    pub(super) input: BytesMut,
    /// What the client has not been sent yet.
    pub(super) output: BytesMut,
    /// The encoding of the client's texts, and how much of the out-buffer is in it already.
    encoding: Encoding,
    n_transcoded: usize,
    write_timeout: Duration,
    keepalive: Keepalive,
}

impl Client {
    /// Takes over a socket.
    pub(super) fn new(socket: TcpStream, write_timeout: Duration) -> Self {
        Self {
            socket,
            tls: None,
            binding: None,
            input: BytesMut::new(),
            output: BytesMut::new(),
            encoding: Encoding::Utf8,
            n_transcoded: 0,
            write_timeout,
            keepalive: Keepalive::DEFAULT,
        }
    }

    /// Notices the client's vanishing like this from now on. A system that does not take it goes
    /// on as before.
    pub(super) fn keep_alive(&mut self, keepalive: Keepalive) {
        if self.keepalive == keepalive {
            return;
        }
        self.keepalive = keepalive;
        if let Err(error) = keepalive.apply(&self.socket) {
            tracing::debug!(%error, "set TCP keepalive");
        }
    }

    /// Where the client is; `None` if it is gone.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()
    }

    /// Whether what is said from now on is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// The digest of the connection's certificate; `None` without TLS, or if it has none.
    pub(super) fn binding(&self) -> Option<&Vec<u8>> {
        self.binding.as_ref()
    }

    /// Whether the client named PostgreSQL's protocol within TLS.
    pub(super) fn named_protocol(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::has_protocol)
    }

    /// From now on everything is encrypted. What is in the in-buffer counts as the first records.
    /// Not cancel safe.
    ///
    /// # Errors
    /// The client is gone, or speaks no TLS that is spoken here.
    pub(super) async fn encrypt(&mut self, certificate: &Certificate) -> Result<(), End> {
        let tls = Tls::new(Arc::clone(&certificate.config));
        let mut tls = tls.map_err(|error| End::Fatal(Error::internal(error).into()))?;
        let begun = tls.take_read(&mut self.input);
        let tls = self.tls.insert(tls);
        if let Err(error) = begun {
            tracing::debug!(%error, "TLS handshake");
            // The alert that says why.
            let _ = tls.try_write(&self.socket, &mut self.output);
            return Err(End::Gone);
        }
        self.binding.clone_from(&certificate.binding);
        loop {
            self.flush().await?;
            if !self.tls.as_ref().is_some_and(Tls::is_handshaking) {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// Reads what has arrived, waiting until something has. Cancel safe.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) async fn fill(&mut self) -> Result<(), End> {
        read_some(&self.socket, self.tls.as_mut(), &mut self.input).await
    }

    /// Waits for the client to go away, reading ahead meanwhile. Cancel safe.
    pub(super) async fn gone(&mut self) -> End {
        loop {
            let tls = self.tls.as_mut();
            if let Err(end) = read_ahead(&self.socket, tls, &mut self.input).await {
                return end;
            }
        }
    }

    /// Sends everything. Cancel safe: what was not sent stays.
    ///
    /// # Errors
    /// The client is gone, or took nothing for the write timeout.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        self.transcode();
        loop {
            match self.try_write() {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable().await?;
                }
                Err(_) => return Err(End::Gone),
            }
        }
    }

    /// From now on texts are in this encoding.
    pub(super) fn set_encoding(&mut self, encoding: Encoding) {
        if encoding != self.encoding {
            self.transcode();
            self.encoding = encoding;
        }
    }

    /// Brings what is new in the out-buffer into the client's encoding.
    fn transcode(&mut self) {
        if !self.encoding.is_utf8() {
            transcode::messages(&mut self.output, self.n_transcoded, self.encoding);
        }
        self.n_transcoded = self.output.len();
    }

    /// Sends what the socket takes now; whether that was all.
    fn try_write(&mut self) -> io::Result<bool> {
        let n_before = self.output.len();
        let is_all = self.write_some();
        let n_sent = n_before - self.output.len();
        self.n_transcoded = self.n_transcoded.saturating_sub(n_sent);
        is_all
    }

    fn write_some(&mut self) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            tls.try_write(&self.socket, &mut self.output)?;
        } else if !self.output.is_empty() {
            let n_bytes = self.socket.try_write(&self.output)?;
            self.output.advance(n_bytes);
        }
        Ok(self.output.is_empty())
    }

    /// The client is silent: gives back what its next message does not need.
    pub(super) fn rest(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        if self.output.is_empty() && self.output.capacity() > KEPT_BYTES_MAX {
            self.output = BytesMut::new();
        }
    }

    /// Says goodbye, as TLS wants it. Not cancel safe.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) async fn close(&mut self) -> Result<(), End> {
        self.flush().await?;
        match &mut self.tls {
            Some(tls) => {
                tls.close();
                self.flush().await
            }
            None => Ok(()),
        }
    }

    async fn writable(&mut self) -> Result<(), End> {
        let limit = tokio::time::sleep(self.write_timeout);
        let waiting = async {
            loop {
                tokio::select! {
                    ready = self.socket.writable() => return ready.map_err(|_| End::Gone),
                    // Read ahead, so that a client which first writes and then reads gets on.
                    read = read_ahead(&self.socket, self.tls.as_mut(), &mut self.input) => read?,
                }
            }
        };
        tokio::select! {
            ready = waiting => ready,
            () = limit => Err(End::Gone),
        }
    }
}

/// Reads something, unless enough is there already.
async fn read_ahead(
    socket: &TcpStream,
    tls: Option<&mut Tls>,
    input: &mut BytesMut,
) -> Result<(), End> {
    if input.len() >= READ_AHEAD_BYTES_MAX {
        return pending().await;
    }
    read_some(socket, tls, input).await
}

async fn read_some(
    socket: &TcpStream,
    mut tls: Option<&mut Tls>,
    input: &mut BytesMut,
) -> Result<(), End> {
    loop {
        if socket.readable().await.is_err() {
            return Err(End::Gone);
        }
        let progress = match &mut tls {
            Some(tls) => tls.try_read(socket, input),
            None => {
                input.reserve(READ_BYTES);
                socket.try_read_buf(input).map(|n_bytes| match n_bytes {
                    0 => Progress::End,
                    _ => Progress::Some,
                })
            }
        };
        match progress {
            Ok(Progress::Some) => return Ok(()),
            Ok(Progress::End) => return Err(End::Gone),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::debug!(%error, "read from client");
                return Err(End::Gone);
            }
        }
    }
}
