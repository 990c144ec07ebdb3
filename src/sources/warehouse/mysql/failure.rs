//! What MySQL, or the way to it, says has gone wrong, in our terms.

use std::io;

use super::packet::{bytes, number};
use crate::error::{Error, ErrorKind, Remote};
use crate::sources::warehouse::Server;
use crate::sources::warehouse::pool::{lost, sentence, unexpected};

/// What went wrong.
#[derive(Debug)]
pub(super) enum Cause {
    /// The connection, after which there is none.
    Way(io::Error),
    /// The server refused, and goes on.
    Said(Said),
    /// We do not go on.
    Refused(Error),
}

/// What the server says.
#[derive(Debug)]
pub(super) struct Said {
    /// MySQL's own number.
    code: u64,
    message: String,
}

impl From<io::Error> for Cause {
    fn from(cause: io::Error) -> Self {
        Self::Way(cause)
    }
}

impl Said {
    /// An error packet, behind its first byte.
    ///
    /// # Errors
    /// It ends too early.
    pub(super) fn of(mut packet: &[u8]) -> io::Result<Self> {
        let code = number(&mut packet, 2)?;
        // Before the login is over there is no SQLSTATE.
        if packet.first() == Some(&b'#') {
            bytes(&mut packet, 6)?;
        }
        let message = String::from_utf8_lossy(packet).into_owned();
        Ok(Self { code, message })
    }

    /// The kind of failure; `None` if the session is over.
    /// <https://mariadb.com/kb/en/mariadb-error-code-reference/>
    fn kind(&self) -> Option<ErrorKind> {
        Some(match self.code {
            // Shutdown, killed, gone away, lost, the same for having been idle.
            1053 | 1927 | 2006 | 2013 | 4031 => return None,
            1044 | 1142 | 1143 | 1227 => ErrorKind::InsufficientPrivilege,
            1146 => ErrorKind::UndefinedTable,
            1054 => ErrorKind::UndefinedColumn,
            // Interrupted, the time limits of MariaDB and of MySQL.
            1317 | 1969 | 3024 => ErrorKind::QueryCanceled,
            1365 => ErrorKind::DivisionByZero,
            // A deadlock; a table that was changed since the snapshot.
            1213 | 1412 => ErrorKind::SerializationFailure,
            _ => ErrorKind::Remote(Remote::Failed),
        })
    }
}

/// The failure of a session.
pub(super) fn failure(server: &Server, cause: Cause) -> Error {
    match cause {
        Cause::Way(cause) if cause.kind() == io::ErrorKind::InvalidData => {
            unexpected(server, &cause.to_string())
        }
        Cause::Way(cause) => lost(server, &cause.to_string()),
        Cause::Refused(error) => error,
        Cause::Said(said) => match said.kind() {
            None => lost(server, &said.message),
            Some(kind) => {
                let name = &server.name;
                let detail = format!("Server \"{name}\" said so, with error {}.", said.code);
                Error::new(kind, said.message).with_detail(detail)
            }
        },
    }
}

/// The failure of a connection that was not there yet.
pub(super) fn unavailable(server: &Server, cause: Cause) -> Error {
    match cause {
        Cause::Way(cause) => server.unavailable(sentence(&cause.to_string())),
        Cause::Said(said) => server.unavailable(format!("The server said: {}", said.message)),
        Cause::Refused(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_before_and_after_the_login() {
        let after = Said::of(b"\x7a\x04#42S02Table 'a.b' doesn't exist").expect("it is one");
        assert_eq!(after.message, "Table 'a.b' doesn't exist");
        assert_eq!(after.kind(), Some(ErrorKind::UndefinedTable));
        let before = Said::of(b"\x10\x04Too many connections").expect("it is one");
        assert_eq!(
            (before.code, before.message.as_str()),
            (1040, "Too many connections")
        );
        assert!(Said::of(b"\x10").is_err());
    }
}
