//! Reads the bodies of the client's messages.
//!
//! Not with pgwire's decoders: those replace bytes that are not UTF-8, take a missing end for an
//! empty string, and panic on a body that is too short. Wordings are those of pqformat.c.

use std::borrow::Cow;

use bytes::{Buf, Bytes};

use super::failure::Failure;
use super::frame::Frame;
use super::transcode::from_client;
use crate::error::{Error, ErrorKind};
use crate::types::Encoding;

/// A message of the simple or the extended protocol.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Query(String),
    Parse {
        statement: String,
        text: String,
        declared: Vec<u32>,
    },
    Bind(Bind),
    Describe(Target),
    Execute {
        portal: String,
        max_rows: i32,
    },
    Close(Target),
    Flush,
    Sync,
    Terminate,
    /// The fast path, which nothing needs any more.
    FunctionCall,
    /// CopyData, CopyDone, CopyFail: left over from a COPY that failed, and to be ignored.
    Copy,
}

/// Values for a prepared statement's parameters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) portal: String,
    pub(super) statement: String,
    pub(super) parameter_formats: Vec<i16>,
    pub(super) parameters: Vec<Option<Bytes>>,
    pub(super) result_formats: Vec<i16>,
}

/// What Describe and Close are about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Statement(String),
    Portal(String),
}

/// Reads a message of a client whose texts are in this encoding.
///
/// # Errors
/// A body that is not of its message's form. The stream stays in step: the frame was whole.
pub(super) fn read_message(frame: Frame, encoding: Encoding) -> Result<Message, Failure> {
    let tag = frame.tag;
    let mut body = Body {
        rest: frame.body,
        encoding,
    };
    let message = match tag {
        b'Q' => Message::Query(body.text()?),
        b'P' => read_parse(&mut body)?,
        b'B' => Message::Bind(read_bind(&mut body)?),
        b'D' => Message::Describe(body.target("DESCRIBE")?),
        b'C' => Message::Close(body.target("CLOSE")?),
        b'E' => Message::Execute {
            portal: body.text()?,
            max_rows: body.int4()?,
        },
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'X' => Message::Terminate,
        b'F' => return Ok(Message::FunctionCall),
        _ => return Ok(Message::Copy),
    };
    body.end()?;
    Ok(message)
}

fn read_parse(body: &mut Body) -> Result<Message, Failure> {
    let statement = body.text()?;
    let text = body.text()?;
    let n_declared = body.count()?;
    let declared = (0..n_declared)
        .map(|_| body.int4().map(i32::cast_unsigned))
        .collect::<Result<_, _>>()?;
    Ok(Message::Parse {
        statement,
        text,
        declared,
    })
}

fn read_bind(body: &mut Body) -> Result<Bind, Failure> {
    Ok(Bind {
        portal: body.text()?,
        statement: body.text()?,
        parameter_formats: body.formats()?,
        parameters: {
            let n_parameters = body.count()?;
            (0..n_parameters)
                .map(|_| body.value())
                .collect::<Result<_, _>>()?
        },
        result_formats: body.formats()?,
    })
}

/// The bytes of a message not yet read.
struct Body {
    rest: Bytes,
    encoding: Encoding,
}

impl Body {
    fn take(&mut self, n_bytes: usize) -> Result<Bytes, Failure> {
        if self.rest.len() < n_bytes {
            return Err(Failure::protocol("insufficient data left in message"));
        }
        Ok(self.rest.split_to(n_bytes))
    }

    fn int2(&mut self) -> Result<i16, Failure> {
        self.take(2).map(|mut bytes| bytes.get_i16())
    }

    fn int4(&mut self) -> Result<i32, Failure> {
        self.take(4).map(|mut bytes| bytes.get_i32())
    }

    /// A count of things, each of which takes at least a byte of what is left.
    fn count(&mut self) -> Result<u16, Failure> {
        self.int2().map(i16::cast_unsigned)
    }

    fn formats(&mut self) -> Result<Vec<i16>, Failure> {
        let n_formats = self.count()?;
        (0..n_formats).map(|_| self.int2()).collect()
    }

    fn value(&mut self) -> Result<Option<Bytes>, Failure> {
        match self.int4()? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.take(length).map(Some),
                Err(_) => Err(Failure::protocol("insufficient data left in message")),
            },
        }
    }

    fn text(&mut self) -> Result<String, Failure> {
        let Some(end) = self.rest.iter().position(|byte| *byte == 0) else {
            return Err(Failure::protocol("invalid string in message"));
        };
        let text = self.rest.split_to(end);
        self.rest.advance(1);
        from_client(&text, self.encoding)
            .map(Cow::into_owned)
            .map_err(Failure::from)
    }

    fn target(&mut self, message: &str) -> Result<Target, Failure> {
        let kind = self.take(1)?[0];
        let name = self.text()?;
        match kind {
            b'S' => Ok(Target::Statement(name)),
            b'P' => Ok(Target::Portal(name)),
            _ => Err(Failure::protocol(format!(
                "invalid {message} message subtype {kind}"
            ))),
        }
    }

    fn end(&self) -> Result<(), Failure> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Failure::protocol("invalid message format"))
        }
    }
}

/// Text, if it is UTF-8.
///
/// # Errors
/// `CharacterNotInRepertoire`, naming the first bytes that are not, as `report_invalid_encoding`.
pub(super) fn checked_utf8(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|error| {
        let bad = &bytes[error.valid_up_to()..];
        let shown: Vec<String> = bad[..length_by_lead(bad[0]).min(bad.len())]
            .iter()
            .map(|byte| format!("0x{byte:02x}"))
            .collect();
        Error::new(
            ErrorKind::CharacterNotInRepertoire,
            format!(
                "invalid byte sequence for encoding \"UTF8\": {}",
                shown.join(" ")
            ),
        )
    })
}

/// How many bytes a character has that begins with this one, as `pg_utf_mblen` in wchar.c counts.
fn length_by_lead(lead: u8) -> usize {
    match lead.leading_ones() {
        n_bytes @ 2..=4 => n_bytes as usize,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tag: u8, body: &'static [u8], expected: Result<Message, &str>) {
        let frame = Frame {
            tag,
            body: Bytes::from_static(body),
        };
        let got = read_message(frame, Encoding::Utf8).map_err(|failure| failure.message);
        assert_eq!(got, expected.map_err(str::to_owned));
    }

    #[test]
    fn whole_messages_are_read() {
        check(b'Q', b"SELECT 1\0", Ok(Message::Query("SELECT 1".into())));
        check(
            b'P',
            b"s\0SELECT $1\0\0\x01\0\0\0\x17",
            Ok(Message::Parse {
                statement: "s".into(),
                text: "SELECT $1".into(),
                declared: vec![23],
            }),
        );
        check(
            b'B',
            b"\0s\0\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\0",
            Ok(Message::Bind(Bind {
                portal: String::new(),
                statement: "s".into(),
                parameter_formats: vec![1],
                parameters: vec![Some(Bytes::from_static(b"x")), None],
                result_formats: vec![],
            })),
        );
        check(
            b'D',
            b"Pp\0",
            Ok(Message::Describe(Target::Portal("p".into()))),
        );
    }

    #[test]
    fn broken_messages_are_refused() {
        check(b'Q', b"SELECT 1", Err("invalid string in message"));
        check(b'Q', b"SELECT 1\0x\0", Err("invalid message format"));
        check(
            b'Q',
            b"\xff\xfe\0",
            Err("invalid byte sequence for encoding \"UTF8\": 0xff"),
        );
        check(
            b'P',
            b"\0x\0\xff\xff",
            Err("insufficient data left in message"),
        );
        check(
            b'B',
            b"\0\0\0\0\0\x01\0\0\x10\0y\0\0",
            Err("insufficient data left in message"),
        );
        check(
            b'B',
            b"\0\0\0\0\0\x01\xff\xff\xff\xfb\0\0",
            Err("insufficient data left in message"),
        );
        check(b'D', b"Q\0", Err("invalid DESCRIBE message subtype 81"));
        check(b'E', b"\0\0\0", Err("insufficient data left in message"));
    }
}
