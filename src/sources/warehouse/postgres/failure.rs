//! What PostgreSQL, or the way to it, says has gone wrong, in our terms.

use tokio_postgres::error::SqlState;

use crate::error::{Error, ErrorKind, Remote};
use crate::sources::warehouse::Server;
use crate::sources::warehouse::pool::{lost, sentence};

/// Where something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum During {
    /// Before the session could be used.
    Connecting,
    /// In the session.
    Session,
}

/// The failure of a server, by what it said.
pub(super) fn failure(server: &Server, during: During, cause: &tokio_postgres::Error) -> Error {
    let Some(said) = cause.as_db_error() else {
        let why = innermost(cause);
        return match during {
            During::Connecting => server.unavailable(sentence(&why)),
            During::Session => lost(server, &why),
        };
    };
    let message = said.message();
    if during == During::Connecting {
        return server.unavailable(format!("The server said: {message}"));
    }
    let Some(kind) = kind(said.code()) else {
        return lost(server, message);
    };
    let mut detail = format!(
        "Server \"{}\" said so, with SQLSTATE {}.",
        server.name,
        said.code().code()
    );
    if let Some(more) = said.detail() {
        detail = format!("{more} {detail}");
    }
    let error = Error::new(kind, message).with_detail(detail);
    match said.hint() {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// The kind of a remote failure; `None` if the session is over.
fn kind(code: &SqlState) -> Option<ErrorKind> {
    if code.code().starts_with("08") {
        return None;
    }
    Some(match code {
        code if [
            &SqlState::ADMIN_SHUTDOWN,
            &SqlState::CRASH_SHUTDOWN,
            &SqlState::CANNOT_CONNECT_NOW,
            &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(&code) =>
        {
            return None;
        }
        code if *code == SqlState::INSUFFICIENT_PRIVILEGE => ErrorKind::InsufficientPrivilege,
        code if *code == SqlState::UNDEFINED_TABLE => ErrorKind::UndefinedTable,
        code if *code == SqlState::UNDEFINED_COLUMN => ErrorKind::UndefinedColumn,
        code if *code == SqlState::QUERY_CANCELED => ErrorKind::QueryCanceled,
        code if *code == SqlState::DIVISION_BY_ZERO => ErrorKind::DivisionByZero,
        code if *code == SqlState::NUMERIC_VALUE_OUT_OF_RANGE => ErrorKind::NumericValueOutOfRange,
        code if *code == SqlState::T_R_SERIALIZATION_FAILURE => ErrorKind::SerializationFailure,
        _ => ErrorKind::Remote(Remote::Failed),
    })
}

/// The last of an error's causes, which says most.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
