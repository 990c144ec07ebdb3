//! MySQL's packets: cut out of what is read, numbered, and written; and the values that they are
//! made of. <https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::sources::warehouse::socket::Socket;

/// A packet that is this long goes on in the next.
const PART_BYTES: usize = 0xff_ffff;

/// The bytes of a part's header: its length and its number.
const HEADER_BYTES: usize = 4;

/// The longest packet that is taken, as `max_allowed_packet` can be at most.
const PACKET_BYTES_MAX: usize = 1 << 30;

/// What is read at a time.
const READ_BYTES: usize = 64 << 10;

/// Packets over a connection.
pub(super) struct Packets {
    socket: Box<dyn Socket>,
    /// What was read, and is not taken yet.
    left: BytesMut,
    /// The number of the next part.
    next: u8,
}

impl Packets {
    pub(super) fn new(socket: Box<dyn Socket>) -> Self {
        Self {
            socket,
            left: BytesMut::with_capacity(READ_BYTES),
            next: 0,
        }
    }

    /// The connection, to be encrypted, and the number of the next part.
    ///
    /// # Errors
    /// Somebody has sent what would be taken for encrypted.
    pub(super) fn into_socket(self) -> io::Result<(Box<dyn Socket>, u8)> {
        match self.left.is_empty() {
            true => Ok((self.socket, self.next)),
            false => Err(damaged("data before it was encrypted")),
        }
    }

    /// Goes on over another connection, at this number.
    pub(super) fn resumed(socket: Box<dyn Socket>, next: u8) -> Self {
        Self {
            next,
            ..Self::new(socket)
        }
    }

    /// The next packet. Cancel safe.
    ///
    /// # Errors
    /// The connection is over, or what comes is no packet.
    pub(super) async fn take(&mut self) -> io::Result<Bytes> {
        loop {
            if let Some(packet) = self.cut()? {
                return Ok(packet);
            }
            self.left.reserve(READ_BYTES);
            if self.socket.read_buf(&mut self.left).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The first packet, if all of it is there.
    fn cut(&mut self) -> io::Result<Option<Bytes>> {
        let (mut end, mut n_parts) = (0_usize, 0_u8);
        loop {
            let Some(mut header) = self.left.get(end..end + HEADER_BYTES) else {
                return Ok(None);
            };
            let length = usize::try_from(header.get_uint_le(3)).map_err(io::Error::other)?;
            if header.get_u8() != self.next.wrapping_add(n_parts) {
                return Err(damaged("a packet out of its order"));
            }
            end += HEADER_BYTES + length;
            n_parts = n_parts.wrapping_add(1);
            if end > PACKET_BYTES_MAX {
                return Err(damaged("a packet that is too long"));
            }
            if self.left.len() < end {
                return Ok(None);
            }
            if length < PART_BYTES {
                break;
            }
        }
        self.next = self.next.wrapping_add(n_parts);
        let mut parts = self.left.split_to(end);
        if n_parts == 1 {
            parts.advance(HEADER_BYTES);
            return Ok(Some(parts.freeze()));
        }
        let mut packet = BytesMut::with_capacity(end);
        while parts.has_remaining() {
            parts.advance(HEADER_BYTES);
            let length = parts.len().min(PART_BYTES);
            packet.extend_from_slice(&parts.split_to(length));
        }
        Ok(Some(packet.freeze()))
    }

    /// Sends a packet that answers the last one.
    ///
    /// # Errors
    /// The connection is over. Not cancel safe.
    pub(super) async fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        let mut parts = BytesMut::with_capacity(packet.len() + HEADER_BYTES);
        let mut left = packet;
        loop {
            let (part, rest) = left.split_at(left.len().min(PART_BYTES));
            parts.put_uint_le(part.len().try_into().map_err(io::Error::other)?, 3);
            parts.put_u8(self.next);
            parts.extend_from_slice(part);
            self.next = self.next.wrapping_add(1);
            left = rest;
            if part.len() < PART_BYTES {
                break;
            }
        }
        self.socket.write_all(&parts).await?;
        self.socket.flush().await
    }

    /// Sends a command, with which numbers begin anew. Not cancel safe.
    ///
    /// # Errors
    /// The connection is over, or something of the last command is left.
    pub(super) async fn command(&mut self, command: u8, text: &str) -> io::Result<()> {
        if !self.left.is_empty() {
            return Err(damaged("more than it was asked for"));
        }
        self.next = 0;
        let mut packet = BytesMut::with_capacity(1 + text.len());
        packet.put_u8(command);
        packet.extend_from_slice(text.as_bytes());
        self.send(&packet).await
    }
}

/// What a server should not send.
pub(super) fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A packet ends too early.
fn too_short() -> io::Error {
    damaged("a packet that ends too early")
}

/// The first so many bytes.
///
/// # Errors
/// There are fewer.
pub(super) fn bytes<'a>(left: &mut &'a [u8], length: usize) -> io::Result<&'a [u8]> {
    let (taken, rest) = left.split_at_checked(length).ok_or_else(too_short)?;
    *left = rest;
    Ok(taken)
}

/// A number of so many bytes, at most 8.
///
/// # Errors
/// There are fewer.
pub(super) fn number(left: &mut &[u8], length: usize) -> io::Result<u64> {
    Ok(bytes(left, length)?.get_uint_le(length))
}

/// The bytes up to a zero, or all.
pub(super) fn until_zero<'a>(left: &mut &'a [u8]) -> &'a [u8] {
    let end = left.iter().position(|byte| *byte == 0);
    let (taken, rest) = left.split_at(end.unwrap_or(left.len()));
    *left = rest.get(1..).unwrap_or_default();
    taken
}

/// A text or number that says its own length; `None` for NULL.
///
/// # Errors
/// There is less than it says.
#[inline]
pub(super) fn value<'a>(left: &mut &'a [u8]) -> io::Result<Option<&'a [u8]>> {
    match length(left)? {
        Some(length) => {
            let length = usize::try_from(length).map_err(io::Error::other)?;
            bytes(left, length).map(Some)
        }
        None => Ok(None),
    }
}

/// A number in as few bytes as it takes; `None` for NULL.
///
/// # Errors
/// It is none.
#[inline]
pub(super) fn length(left: &mut &[u8]) -> io::Result<Option<u64>> {
    match number(left, 1)? {
        short @ 0..=250 => Ok(Some(short)),
        251 => Ok(None),
        252 => number(left, 2).map(Some),
        253 => number(left, 3).map(Some),
        254 => number(left, 8).map(Some),
        _ => Err(damaged("a length that is none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sent: &[u8], expected: Option<&[u8]>) {
        let mut packets = Packets::new(Box::new(tokio::io::empty()));
        packets.left.extend_from_slice(sent);
        let cut = packets.cut().ok().flatten();
        assert_eq!(cut.as_deref(), expected, "{sent:?}");
    }

    #[test]
    fn packets_are_cut_where_they_end() {
        check(&[], None);
        check(&[2, 0, 0, 0, 7], None);
        check(&[2, 0, 0, 0, 7, 8, 9], Some(&[7, 8]));
        check(&[0, 0, 0, 0], Some(&[]));
        check(&[1, 0, 0, 3, 7], None);
    }

    #[test]
    fn long_packets_are_put_together() {
        let mut sent = vec![0xff, 0xff, 0xff, 0];
        sent.extend(vec![5; PART_BYTES]);
        check(&sent, None);
        sent.extend([1, 0, 0, 1, 6]);
        let mut expected = vec![5; PART_BYTES];
        expected.push(6);
        check(&sent, Some(&expected));
    }

    #[test]
    fn values_say_their_length() {
        let of = |mut bytes: &[u8]| value(&mut bytes).ok().flatten().map(<[u8]>::to_vec);
        assert_eq!(of(&[2, 1, 2, 3]), Some(vec![1, 2]));
        assert_eq!(of(&[251]), None);
        assert_eq!(of(&[252, 1, 0, 9]), Some(vec![9]));
        let mut short: &[u8] = &[3, 1];
        assert!(value(&mut short).is_err());
        assert!(value(&mut [255_u8].as_slice()).is_err());
    }
}
