//! Why the rows of a view are computed as a whole, and not of those that are stored and what has changed.

use super::shape::Shapeless;
use crate::sources::Unfollowed;

/// The reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Whole {
    /// Nothing is stored, or nothing with states.
    First,
    /// It was asked for.
    Asked,
    /// What is stored was made by another definition.
    Definition,
    /// Its query is not one over one relation.
    Shapeless(Shapeless),
    /// It reads no Delta table, or more than one.
    Tables,
    /// It groups no rows.
    NoGroups,
    /// It leaves out groups.
    Having,
    /// An aggregate counts equal values once.
    Distinct,
    /// An aggregate has no state that is kept.
    Aggregate,
    /// A sum, an extreme or a key of floats, which is not the same in every order.
    Float,
    /// A key or an aggregate is of a type without exact states.
    Type,
    /// It is not known what has changed below.
    Unfollowed(Unfollowed),
    /// What went may have been the least or the greatest of a group.
    Extreme,
    /// So much has changed that nothing is saved.
    Dearer,
    /// To do it otherwise has failed.
    Failed,
    /// A fault of ours.
    Fault,
}

impl Whole {
    /// In a word, as `lakegate.refreshes` tells it.
    pub(in crate::engine) fn code(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Asked => "asked",
            Self::Definition => "definition",
            Self::Shapeless(Shapeless::Operator(operator)) => operator,
            Self::Shapeless(Shapeless::GroupedTwice) => "grouped twice",
            Self::Shapeless(Shapeless::GroupingSets) => "grouping sets",
            Self::Shapeless(Shapeless::BeyondRow) => "beyond row",
            Self::Shapeless(Shapeless::Volatile) => "volatile",
            Self::Shapeless(Shapeless::Described) => "described type",
            Self::Shapeless(Shapeless::Fault) | Self::Fault => "fault",
            Self::Tables => "tables",
            Self::NoGroups => "no groups",
            Self::Having => "having",
            Self::Distinct => "distinct",
            Self::Aggregate => "aggregate",
            Self::Float => "float",
            Self::Type => "type",
            Self::Unfollowed(Unfollowed::Log) => "log",
            Self::Unfollowed(Unfollowed::Columns) => "columns",
            Self::Unfollowed(Unfollowed::Files) => "files gone",
            Self::Extreme => "min or max",
            Self::Dearer => "dearer",
            Self::Failed => "failed",
        }
    }
}
