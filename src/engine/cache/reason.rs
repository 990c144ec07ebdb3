//! Why an answer is not given from what is kept, in the words of EXPLAIN.

use std::fmt;

/// Why an answer was, or is to be, computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Reason {
    /// Nobody asked it before, or not of these versions, or it had to make room.
    NotKept,
    /// There is no memory for answers.
    NoMemory,
    /// The session does not want it.
    Off,
    /// It reads no table.
    NoTable,
    /// It reads a relation that has no versions.
    NoVersion(String),
    /// It reads files that were changed so lately that they could be changed again unnoticed.
    JustChanged(String),
    /// A parameter is of a type whose values have no bytes that tell them apart.
    Parameter,
    /// It calls a function that gives something else at another time.
    Changes(String),
    /// It calls a function whose rows may be others every time.
    TableFunction(String),
    /// It shows names of objects, which may be renamed.
    Names,
    /// It has more bytes than one answer may have.
    TooLarge,
    /// It takes less to compute it than to keep it.
    TooCheap,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotKept => f.write_str("not kept"),
            Self::NoMemory => f.write_str("there is no memory for it"),
            Self::Off => f.write_str("lakegate.result_cache is off"),
            Self::NoTable => f.write_str("reads no table"),
            Self::NoVersion(name) => write!(f, "reads {name}, which has no versions"),
            Self::JustChanged(name) => {
                write!(f, "reads {name}, whose files have just changed")
            }
            Self::Parameter => f.write_str("a parameter's type"),
            Self::Changes(name) => write!(f, "calls {name}(), which changes"),
            Self::TableFunction(name) => write!(f, "reads the rows of {name}"),
            Self::Names => f.write_str("shows names of objects"),
            Self::TooLarge => f.write_str("too large"),
            Self::TooCheap => f.write_str("quickly computed"),
        }
    }
}
