//! What became of a materialized view that a query might have been answered from.

/// Why the rows of a materialized view did not answer a query. The list is closed: each has a code, which
/// `EXPLAIN (WHY)` prints and docs/materialize.md explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::engine) enum Reason {
    /// The session wants no query to be rewritten.
    Off,
    /// The view has a query that cannot be matched.
    ViewShape,
    /// The statement reads the table otherwise than by a filter and a grouping.
    QueryShape,
    /// Its owner may not see all of the table.
    Rights,
    /// The table has no versions.
    NoVersion,
    /// Nothing is stored of it, or by somebody else.
    NotStored,
    /// What is stored was made of other versions, or by another definition.
    OtherVersion,
    /// Its rows were made in another time zone, or with other styles, than the session's.
    Session,
    /// What is stored cannot be read.
    Unreadable,
    /// It leaves out rows that the query asks for.
    RowsMissing,
    /// The query has a condition on what is no key of the view.
    Filter,
    /// The query groups by what follows from no key of the view.
    Keys,
    /// The query computes what cannot be computed of what is stored.
    Aggregate,
    /// It would be another sum of floating-point numbers, in the last digits.
    Float,
    /// What came out would be of another type.
    Type,
    /// Reading the table is no more work: the view has all its rows, or too much has changed.
    NoGain,
    /// Another view has fewer rows to read.
    Dearer,
}

impl Reason {
    /// As it is printed.
    pub(in crate::engine) fn code(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::ViewShape => "view_shape",
            Self::QueryShape => "query_shape",
            Self::Rights => "rights",
            Self::NoVersion => "no_version",
            Self::NotStored => "not_stored",
            Self::OtherVersion => "other_version",
            Self::Session => "session",
            Self::Unreadable => "unreadable",
            Self::RowsMissing => "rows_missing",
            Self::Filter => "filter",
            Self::Keys => "keys",
            Self::Aggregate => "aggregate",
            Self::Float => "float",
            Self::Type => "type",
            Self::NoGain => "no_gain",
            Self::Dearer => "dearer",
        }
    }
}
