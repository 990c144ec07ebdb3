//! The client's socket with its two buffers: reading never waits for writing, nor writing for reading.

use std::future::pending;
use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::net::TcpStream;

use super::failure::End;

/// Bytes gathered before they are sent, unless the client waits for an answer.
/// As large as a socket takes at once; larger gains nothing.
pub(super) const OUTPUT_BYTES: usize = 64 << 10;

/// Bytes read ahead while a statement runs. A client that pipelines more than this waits in its
/// own socket; only its going away is then noticed later, at the next write.
const READ_AHEAD_BYTES_MAX: usize = 1 << 20;

/// A buffer that held more than this is given back to the allocator when empty.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A connected client.
#[derive(Debug)]
pub(super) struct Client {
    socket: TcpStream,
    /// What the client sent and nobody has taken yet.
    pub(super) input: BytesMut,
    /// What the client has not been sent yet.
    pub(super) output: BytesMut,
    write_timeout: Duration,
}

impl Client {
    /// Takes over a socket.
    pub(super) fn new(socket: TcpStream, write_timeout: Duration) -> Self {
        Self {
            socket,
            input: BytesMut::with_capacity(8 << 10),
            output: BytesMut::with_capacity(OUTPUT_BYTES + (8 << 10)),
            write_timeout,
        }
    }

    /// Reads what has arrived, waiting until something has. Cancel safe.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) async fn fill(&mut self) -> Result<(), End> {
        read_some(&self.socket, &mut self.input).await
    }

    /// Waits for the client to go away, reading ahead meanwhile. Cancel safe.
    pub(super) async fn gone(&mut self) -> End {
        loop {
            if let Err(end) = read_ahead(&self.socket, &mut self.input).await {
                return end;
            }
        }
    }

    /// Sends everything. Cancel safe: what was not sent stays.
    ///
    /// # Errors
    /// The client is gone, or took nothing for the write timeout.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        while !self.output.is_empty() {
            match self.socket.try_write(&self.output) {
                Ok(n_bytes) => self.output.advance(n_bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable().await?;
                }
                Err(_) => return Err(End::Gone),
            }
        }
        if self.output.capacity() > KEPT_BYTES_MAX {
            self.output = BytesMut::with_capacity(OUTPUT_BYTES + (8 << 10));
        }
        Ok(())
    }

    async fn writable(&mut self) -> Result<(), End> {
        let limit = tokio::time::sleep(self.write_timeout);
        let waiting = async {
            loop {
                tokio::select! {
                    ready = self.socket.writable() => return ready.map_err(|_| End::Gone),
                    // Read ahead, so that a client which first writes and then reads gets on.
                    read = read_ahead(&self.socket, &mut self.input) => read?,
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
async fn read_ahead(socket: &TcpStream, input: &mut BytesMut) -> Result<(), End> {
    if input.len() >= READ_AHEAD_BYTES_MAX {
        return pending().await;
    }
    read_some(socket, input).await
}

async fn read_some(socket: &TcpStream, input: &mut BytesMut) -> Result<(), End> {
    loop {
        if socket.readable().await.is_err() {
            return Err(End::Gone);
        }
        input.reserve(8 << 10);
        match socket.try_read_buf(input) {
            Ok(0) => return Err(End::Gone),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Err(End::Gone),
        }
    }
}
