//! Cuts the client's bytes into messages, checking type and length before a body is awaited.

use bytes::{Buf, Bytes, BytesMut};

use super::failure::Failure;
use super::sqlstate::WireCondition;

/// Bytes of the longest message that carries neither SQL nor values: PostgreSQL's
/// `PQ_SMALL_MESSAGE_LIMIT`.
pub(super) const SMALL_MESSAGE_BYTES_MAX: usize = 10_000;

/// Bytes of the longest message of an authentication: PostgreSQL's `PG_MAX_AUTH_TOKEN_LENGTH`.
const AUTHENTICATION_BYTES_MAX: usize = 65_535;

/// A whole message, its body not yet read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The type byte.
    pub(super) tag: u8,
    /// What follows the length.
    pub(super) body: Bytes,
}

/// Takes the first message off `input`; `None` if it has not wholly arrived.
///
/// # Errors
/// A message that no client of this protocol sends in this state, or one longer than the limit:
/// the stream cannot be followed any further, so the failure is fatal.
pub(super) fn take_frame(
    input: &mut BytesMut,
    message_bytes_max: usize,
) -> Result<Option<Frame>, Failure> {
    let Some(tag) = input.first().copied() else {
        return Ok(None);
    };
    let limit = match tag {
        b'Q' | b'P' | b'B' | b'F' | b'd' => message_bytes_max,
        b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' => SMALL_MESSAGE_BYTES_MAX,
        _ => {
            return Err(Failure::fatal(
                WireCondition::ProtocolViolation,
                format!("invalid frontend message type {tag}"),
            ));
        }
    };
    let body = take_body(input, limit)?;
    Ok(body.map(|body| Frame { tag, body }))
}

/// Takes the body of a client's answer to a request for authentication off `input`; `None` if it
/// has not wholly arrived. `asked` says for what it was.
///
/// # Errors
/// Any other message, or one longer than any proof is: fatal, so that nothing behind it is looked
/// at.
pub(super) fn take_authentication(
    input: &mut BytesMut,
    asked: &str,
) -> Result<Option<Bytes>, Failure> {
    match input.first() {
        None => Ok(None),
        Some(b'p') => take_body(input, AUTHENTICATION_BYTES_MAX),
        // As CheckSASLAuth in auth-sasl.c, and recv_password_packet in auth.c.
        Some(tag) => Err(Failure::fatal(
            WireCondition::ProtocolViolation,
            format!("expected {asked} response, got message type {tag}"),
        )),
    }
}

/// Takes a message, and gives its body; its type is checked.
fn take_body(input: &mut BytesMut, bytes_max: usize) -> Result<Option<Bytes>, Failure> {
    let Some(length) = input.get(1..5) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    let Some(body) = body_length(length).filter(|body| *body <= bytes_max) else {
        return Err(Failure::fatal(
            WireCondition::ProtocolViolation,
            "invalid message length",
        ));
    };
    if input.len() < 5 + body {
        return Ok(None);
    }
    input.advance(5);
    Ok(Some(input.split_to(body).freeze()))
}

/// Bytes after a length field, which counts itself.
fn body_length(length: i32) -> Option<usize> {
    usize::try_from(length).ok()?.checked_sub(4)
}

/// Takes a start-up packet (no type byte) off `input`; `None` if it has not wholly arrived.
///
/// # Errors
/// A length that no start-up packet has.
pub(super) fn take_startup_packet(input: &mut BytesMut) -> Result<Option<Bytes>, BadLength> {
    let Some(length) = input.get(..4) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    // At least the protocol's number; PostgreSQL's MAX_STARTUP_PACKET_LENGTH at most.
    let body = body_length(length)
        .filter(|body| (4..=SMALL_MESSAGE_BYTES_MAX).contains(body))
        .ok_or(BadLength)?;
    if input.len() < 4 + body {
        return Ok(None);
    }
    input.advance(4);
    Ok(Some(input.split_to(body).freeze()))
}

/// Whoever sent this does not speak PostgreSQL's protocol, and is told nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLength;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        let mut input = BytesMut::from(bytes);
        let got = match take_frame(&mut input, 100) {
            Ok(None) => "more".to_owned(),
            Ok(Some(frame)) => format!(
                "{} {:?} then {}",
                char::from(frame.tag),
                frame.body,
                input.len()
            ),
            Err(failure) => failure.message,
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn frames_are_checked_before_they_are_awaited() {
        check(b"", "more");
        check(b"Q\0\0", "more");
        check(b"Q\0\0\0\x09SELE", "more");
        check(b"S\0\0\0\x04", "S b\"\" then 0");
        check(b"Q\0\0\0\x06x\0S\0\0\0\x04", "Q b\"x\\0\" then 5");
        check(b"Q\0\0\0\x03", "invalid message length");
        check(b"Q\xff\xff\xff\xff", "invalid message length");
        check(b"Q\x7f\xff\xff\xff", "invalid message length");
        check(b"S\0\0\x27\x15", "invalid message length");
        check(b"p\0\0\0\x05\0", "invalid frontend message type 112");
        check(b"\x16", "invalid frontend message type 22");
    }

    #[test]
    fn only_answers_are_heard_while_authenticating() {
        let take = |bytes: &[u8]| {
            take_authentication(&mut BytesMut::from(bytes), "SASL")
                .map_err(|failure| failure.message)
        };
        assert_eq!(take(b""), Ok(None));
        assert_eq!(take(b"p\0\0\0"), Ok(None));
        let body = Bytes::from_static(b"x");
        assert_eq!(take(b"p\0\0\0\x05x"), Ok(Some(body)));
        assert_eq!(
            take(b"p\0\x01\0\x04"),
            Err("invalid message length".to_owned())
        );
        let other = "expected SASL response, got message type 81".to_owned();
        assert_eq!(take(b"Q\0\0\0\x05x"), Err(other));
    }

    #[test]
    fn start_up_packets_have_a_length_of_their_own() {
        let take = |bytes: &[u8]| take_startup_packet(&mut BytesMut::from(bytes));
        assert_eq!(take(b"\0\0"), Ok(None));
        assert_eq!(take(b"\0\0\0\0"), Err(BadLength));
        assert_eq!(take(b"\0\0\x27\x15"), Err(BadLength));
        assert_eq!(take(b"GET / HTTP/1.1"), Err(BadLength));
        assert_eq!(
            take(b"\0\0\0\x08\x04\xd2\x16\x2f"),
            Ok(Some(Bytes::from_static(b"\x04\xd2\x16\x2f")))
        );
    }
}
