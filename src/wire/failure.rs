//! What the client is told when something fails, and what that means for the connection.

use crate::error::{Error, ErrorKind};

use super::sqlstate::{Condition, WireCondition};

/// How bad it is, in PostgreSQL's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// The statement failed.
    Error,
    /// The connection ends.
    Fatal,
    /// Something the user may not have meant.
    Warning,
    /// Something worth knowing.
    Notice,
}

impl Severity {
    /// The word of the fields S and V.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
        }
    }
}

/// The content of an ErrorResponse or NoticeResponse.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) severity: Severity,
    pub(super) condition: Condition,
    pub(super) message: String,
    pub(super) detail: Option<String>,
    pub(super) hint: Option<String>,
    pub(super) position: Option<usize>,
    /// Why it was, where the client is not to know it: for the audit alone.
    pub(super) true_reason: Option<&'static str>,
    /// The engine's error, kept for the log.
    pub(super) source: Option<Error>,
}

impl Failure {
    /// A failed statement.
    pub(super) fn error(condition: WireCondition, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Condition::Wire(condition), message)
    }

    /// The end of the connection.
    pub(super) fn fatal(condition: WireCondition, message: impl Into<String>) -> Self {
        Self::new(Severity::Fatal, Condition::Wire(condition), message)
    }

    /// A warning; the statement goes on.
    pub(super) fn warning(condition: WireCondition, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Condition::Wire(condition), message)
    }

    /// Something worth knowing about an answer.
    pub(super) fn notice(message: impl Into<String>) -> Self {
        let condition = Condition::Wire(WireCondition::SuccessfulCompletion);
        Self::new(Severity::Notice, condition, message)
    }

    /// The same as a warning: something goes on without it.
    pub(super) fn into_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// A message that breaks the protocol.
    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self::error(WireCondition::ProtocolViolation, message)
    }

    fn new(severity: Severity, condition: Condition, message: impl Into<String>) -> Self {
        Self {
            severity,
            condition,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            true_reason: None,
            source: None,
        }
    }

    /// The same as an error of the engine's, for what runs there.
    pub(super) fn into_error(self) -> Error {
        let kind = match self.condition {
            Condition::Engine(kind) => kind,
            // What cannot be changed is not there to be changed.
            Condition::Wire(_) => ErrorKind::InvalidParameterValue,
        };
        self.source
            .unwrap_or_else(|| Error::new(kind, self.message))
    }

    /// The same, with what the client is not to know.
    pub(super) fn truly(mut self, reason: &'static str) -> Self {
        self.true_reason = Some(reason);
        self
    }

    /// The same, ending the connection.
    #[must_use]
    pub(super) fn into_fatal(self) -> Self {
        Self {
            severity: Severity::Fatal,
            ..self
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            severity: Severity::Error,
            condition: Condition::Engine(error.kind()),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            position: error.position(),
            true_reason: None,
            source: Some(error),
        }
    }
}

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client said Terminate.
    Terminated,
    /// The client is gone, or has not taken what was sent for too long: nothing can be said.
    Gone,
    /// The client is told why.
    Fatal(Failure),
}

impl End {
    /// PostgreSQL's answer to SIGTERM.
    pub(super) fn shutdown() -> Self {
        let mut failure = Failure::from(Error::new(
            ErrorKind::AdminShutdown,
            "terminating connection due to administrator command",
        ));
        failure.severity = Severity::Fatal;
        Self::Fatal(failure)
    }
}

impl End {
    /// The token by which a session came in has expired. The code is that of a server that ends
    /// sessions: pools of connections throw such away, and connect again.
    pub(super) fn expired() -> Self {
        let error = Error::new(
            ErrorKind::AdminShutdown,
            "terminating connection due to expired token",
        );
        let error = error.with_hint("Connect again, with a new token.");
        Self::Fatal(Failure::from(error).into_fatal())
    }
}

/// What stops the work on a message.
#[derive(Debug)]
pub(super) enum Stop {
    /// The statement failed; the client is told, and the connection goes on.
    Failed(Failure),
    /// The connection ends.
    End(End),
}

/// A step in the work on a message.
pub(super) type Step<T = ()> = std::result::Result<T, Stop>;

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}
