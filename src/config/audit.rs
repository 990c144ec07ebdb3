//! Where the audit goes, as the flag says it.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the audit goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditTarget {
    /// To standard error, with the log.
    StandardError,
    /// To a file, at its end.
    File(PathBuf),
}

impl FromStr for AuditTarget {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "stderr" => Self::StandardError,
            path => Self::File(PathBuf::from(path)),
        })
    }
}
