//! What can go wrong, in PostgreSQL's terms: a kind, a message, a detail, a hint and a position.
//!
//! Every room returns [`Error`]. The kind decides the SQLSTATE, in one exhaustive match in
//! `wire/sqlstate.rs`; no other file names a code.

use std::fmt;
use std::sync::Arc;

/// A shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A function that is not defined everywhere, and has an error of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mathematical {
    /// `ln` and `log`.
    Logarithm,
    /// `power`.
    Power,
    /// `width_bucket`.
    WidthBucket,
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// What escapes in it is not one character.
    Escape,
    /// It is no regular expression.
    Regular,
}

/// A part of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Construct {
    /// A window.
    Window,
    /// A query that reads itself, where none may.
    Recursion,
    /// A cursor that is declared to be two things at once.
    Cursor,
}

/// What is wrong with a server of a warehouse, or with what is said of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remote {
    /// It does not let us in.
    Unavailable,
    /// It was lost while it answered.
    Lost,
    /// An option that its foreign-data wrapper does not take.
    InvalidOptionName,
    /// A schema that it does not have.
    SchemaNotFound,
    /// Some other failure of its own.
    Failed,
}

/// Whose limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// One of the types themselves: there is no letter of number 0.
    Program,
    /// One of the configuration.
    Configuration,
}

/// The kinds of failure a user can meet. Named after PostgreSQL's condition names
/// (manual, appendix A) wherever it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text is not SQL.
    SyntaxError,
    /// Valid SQL that Lakegate cannot run exactly; it is refused rather than answered wrongly.
    FeatureNotSupported,
    /// A statement that would write: the lake is read-only.
    ReadOnlySqlTransaction,
    /// A relation that does not exist.
    UndefinedTable,
    /// A column that does not exist.
    UndefinedColumn,
    /// A function or operator that does not exist for these argument types.
    UndefinedFunction,
    /// An operator or function that exists more than once for these argument types.
    AmbiguousFunction,
    /// A cast that does not exist.
    CannotCoerce,
    /// A schema that does not exist.
    InvalidSchemaName,
    /// A database that does not exist.
    InvalidCatalogName,
    /// A type, setting, cursor or other object that does not exist.
    UndefinedObject,
    /// A prepared statement that does not exist.
    InvalidSqlStatementName,
    /// A portal that does not exist.
    InvalidCursorName,
    /// An interval longer than PostgreSQL's.
    IntervalFieldOverflow,
    /// A setting that cannot be changed.
    CantChangeRuntimeParam,
    /// NULL where a value must be.
    NullValueNotAllowed,
    /// A `$n` without a value or a type.
    UndefinedParameter,
    /// A name that fits two columns.
    AmbiguousColumn,
    /// Two relations of one name where one is needed.
    DuplicateTable,
    /// A schema of this name exists already.
    DuplicateSchema,
    /// A relation with two columns of one name.
    DuplicateColumn,
    /// A column that is there, but not where it is named.
    InvalidColumnReference,
    /// A relation of another kind than the statement is for.
    WrongObjectType,
    /// A role or other object of this name exists already.
    DuplicateObject,
    /// A name that is PostgreSQL's own.
    ReservedName,
    /// An object that is being used.
    ObjectInUse,
    /// A table is declared as none can be: with two primary keys.
    InvalidTableDefinition,
    /// A foreign key does not fit what it refers to.
    InvalidForeignKey,
    /// A definition that cannot be: a view that reads itself.
    InvalidObjectDefinition,
    /// An object that others need.
    DependentObjectsStillExist,
    /// A grant that cannot be: a role as member of itself.
    InvalidGrantOperation,
    /// Somebody else changed the same thing meanwhile.
    SerializationFailure,
    /// The same alias twice in one FROM.
    DuplicateAlias,
    /// A prepared statement of this name exists already.
    DuplicatePreparedStatement,
    /// A portal of this name exists already.
    DuplicateCursor,
    /// A part of a query that cannot be as it is written.
    InvalidConstruct(Construct),
    /// A column neither grouped nor aggregated.
    GroupingError,
    /// Types that do not fit together.
    DatatypeMismatch,
    /// A literal or parameter that is not of its type.
    InvalidTextRepresentation,
    /// A pattern that is none.
    InvalidPattern(Pattern),
    /// A binary parameter that is not of its type.
    InvalidBinaryRepresentation,
    /// A date or time that cannot be read.
    InvalidDatetimeFormat,
    /// A date or time that there is not, or out of PostgreSQL's range.
    DatetimeFieldOverflow,
    /// An index outside of what it counts.
    ArraySubscriptError,
    /// An offset from Greenwich that no zone has.
    InvalidTimeZoneDisplacementValue,
    /// Bytes that are not UTF-8.
    CharacterNotInRepertoire,
    /// A letter that an encoding, or a text, cannot hold.
    UntranslatableCharacter,
    /// A number that does not fit its type.
    NumericValueOutOfRange,
    /// An argument that a mathematical function has no value for.
    InvalidArgumentFor(Mathematical),
    /// A division by zero.
    DivisionByZero,
    /// A value that a setting or function does not take.
    InvalidParameterValue,
    /// A value that its type does not have: a range that ends before it begins.
    DataException,
    /// A message that breaks the protocol: binary input that ends too early.
    ProtocolViolation,
    /// A row of a file that does not fit the table's columns.
    InvalidRowData,
    /// A scalar subquery with more than one row.
    CardinalityViolation,
    /// A statement the planner refuses for a reason of its own.
    InvalidStatement,
    /// A file or folder that is not there (any more).
    UndefinedFile,
    /// A file or store that could not be read.
    IoError,
    /// A file that could be read but is damaged.
    DataCorrupted,
    /// Not allowed.
    InsufficientPrivilege,
    /// Cancelled by the user or a time limit.
    QueryCanceled,
    /// The memory limit of the statement or the server is reached.
    OutOfMemory,
    /// A statement too long or too deeply nested.
    StatementTooComplex,
    /// Some other limit is reached.
    LimitExceeded(Limit),
    /// Something about a server of a warehouse.
    Remote(Remote),
    /// The server is shutting down.
    AdminShutdown,
    /// A fault of Lakegate itself.
    InternalError,
}

/// A failure with everything PostgreSQL's ErrorResponse can say about it.
#[derive(Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    position: Option<usize>,
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of this kind. The message is lower case, without a full stop, names quoted.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message: message.into(),
                detail: None,
                hint: None,
                position: None,
                cause: None,
            }),
        }
    }

    /// `feature` is not supported.
    pub fn unsupported(feature: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::FeatureNotSupported,
            format!("{feature} is not supported"),
        )
    }

    /// A fault of ours; `cause` is logged, and not shown to the client.
    pub fn internal(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::new(ErrorKind::InternalError, "internal error").with_cause(cause)
    }

    /// Adds a sentence of detail.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.inner.detail = Some(detail.into());
        self
    }

    /// Adds a sentence that says what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint = Some(hint.into());
        self
    }

    /// Adds where in the message's text it is: characters, counted from 1.
    #[must_use]
    pub fn at(mut self, position: usize) -> Self {
        self.inner.position = Some(position);
        self
    }

    /// Takes the hint away: it names what not everybody may know of.
    #[must_use]
    pub fn without_hint(mut self) -> Self {
        self.inner.hint = None;
        self
    }

    /// Takes the position away: it is one of another text.
    #[must_use]
    pub fn without_position(mut self) -> Self {
        self.inner.position = None;
        self
    }

    /// Keeps what lay beneath, for the log.
    #[must_use]
    pub fn with_cause(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.inner.cause = Some(Arc::new(cause));
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// One line for the user.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// More about it, in sentences.
    pub fn detail(&self) -> Option<&str> {
        self.inner.detail.as_deref()
    }

    /// What to do about it, in sentences.
    pub fn hint(&self) -> Option<&str> {
        self.inner.hint.as_deref()
    }

    /// Where in the message's text it is: characters, counted from 1.
    pub fn position(&self) -> Option<usize> {
        self.inner.position
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        match &self.inner.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.inner.kind)?;
        match &self.inner.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner
            .cause
            .as_deref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}
