//! Every SQLSTATE of Lakegate: one exhaustive match for the engine's failures, one for the door's own.
//! <https://www.postgresql.org/docs/16/errcodes-appendix.html>

use crate::error::{Construct, ErrorKind, Limit, Mathematical, Pattern, Remote};

/// What the door itself has to say, and the engine never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireCondition {
    /// A message that breaks the protocol.
    ProtocolViolation,
    /// No start-up while shutting down.
    CannotConnectNow,
    /// The limit of connections is reached.
    TooManyConnections,
    /// No user was named, or nobody may come in this way.
    InvalidAuthorizationSpecification,
    /// The proof of a password failed.
    InvalidPassword,
    /// A statement in a failed transaction block.
    InFailedSqlTransaction,
    /// What cannot be done inside a transaction block.
    ActiveSqlTransaction,
    /// What can only be done inside a transaction block.
    NoActiveSqlTransaction,
    /// A savepoint that does not exist.
    InvalidSavepointSpecification,
    /// A portal that cannot be run again.
    ObjectNotInPrerequisiteState,
    /// The client left a transaction block open too long.
    IdleInTransactionSessionTimeout,
    /// The client was silent too long.
    IdleSessionTimeout,
    /// A warning without a condition of its own.
    Warning,
    /// A notice without a condition.
    SuccessfulCompletion,
}

/// What a failure or notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// The engine's.
    Engine(ErrorKind),
    /// The door's.
    Wire(WireCondition),
}

/// The five characters on which drivers act.
pub(super) fn sqlstate(condition: Condition) -> &'static str {
    match condition {
        Condition::Engine(kind) => of_engine(kind),
        Condition::Wire(condition) => of_wire(condition),
    }
}

/// The five characters of an engine's failure, or of none, for those who read of it later.
pub fn code_of(failure: Option<ErrorKind>) -> &'static str {
    match failure {
        Some(kind) => of_engine(kind),
        None => of_wire(WireCondition::SuccessfulCompletion),
    }
}

// Deliberately exhaustive: a new kind is a compile error until it is given its code.
fn of_engine(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::SyntaxError => "42601",
        ErrorKind::FeatureNotSupported => "0A000",
        ErrorKind::ReadOnlySqlTransaction => "25006",
        ErrorKind::UndefinedTable => "42P01",
        ErrorKind::UndefinedColumn => "42703",
        ErrorKind::UndefinedFunction => "42883",
        ErrorKind::AmbiguousFunction => "42725",
        ErrorKind::CannotCoerce => "42846",
        ErrorKind::InvalidSchemaName => "3F000",
        ErrorKind::InvalidCatalogName => "3D000",
        ErrorKind::UndefinedObject => "42704",
        ErrorKind::InvalidTableDefinition => "42P16",
        ErrorKind::InvalidForeignKey => "42830",
        ErrorKind::InvalidSqlStatementName => "26000",
        ErrorKind::InvalidCursorName => "34000",
        ErrorKind::IntervalFieldOverflow => "22015",
        ErrorKind::CantChangeRuntimeParam => "55P02",
        ErrorKind::NullValueNotAllowed => "22004",
        ErrorKind::UndefinedParameter => "42P02",
        ErrorKind::AmbiguousColumn => "42702",
        ErrorKind::DuplicateTable => "42P07",
        ErrorKind::DuplicateSchema => "42P06",
        ErrorKind::DuplicateColumn => "42701",
        ErrorKind::InvalidColumnReference => "42P10",
        ErrorKind::WrongObjectType => "42809",
        ErrorKind::InvalidObjectDefinition => "42P17",
        ErrorKind::DependentObjectsStillExist => "2BP01",
        ErrorKind::InvalidGrantOperation => "0LP01",
        ErrorKind::SerializationFailure => "40001",
        ErrorKind::DuplicateObject => "42710",
        ErrorKind::ReservedName => "42939",
        ErrorKind::ObjectInUse => "55006",
        ErrorKind::DuplicateAlias => "42712",
        ErrorKind::DuplicatePreparedStatement => "42P05",
        ErrorKind::DuplicateCursor => "42P03",
        ErrorKind::InvalidConstruct(construct) => of_construct(construct),
        ErrorKind::GroupingError => "42803",
        ErrorKind::DatatypeMismatch => "42804",
        ErrorKind::InvalidTextRepresentation => "22P02",
        ErrorKind::InvalidPattern(pattern) => of_pattern(pattern),
        ErrorKind::InvalidBinaryRepresentation => "22P03",
        ErrorKind::InvalidDatetimeFormat => "22007",
        ErrorKind::DatetimeFieldOverflow => "22008",
        ErrorKind::ArraySubscriptError => "2202E",
        ErrorKind::InvalidTimeZoneDisplacementValue => "22009",
        ErrorKind::CharacterNotInRepertoire => "22021",
        ErrorKind::UntranslatableCharacter => "22P05",
        ErrorKind::NumericValueOutOfRange => "22003",
        ErrorKind::InvalidArgumentFor(function) => of_mathematical(function),
        ErrorKind::DivisionByZero => "22012",
        ErrorKind::InvalidParameterValue => "22023",
        ErrorKind::InvalidRowData | ErrorKind::DataException => "22000",
        ErrorKind::ProtocolViolation => "08P01",
        ErrorKind::CardinalityViolation => "21000",
        ErrorKind::InvalidStatement => "42000",
        ErrorKind::UndefinedFile => "58P01",
        ErrorKind::IoError => "58030",
        ErrorKind::DataCorrupted => "XX001",
        ErrorKind::InsufficientPrivilege => "42501",
        ErrorKind::QueryCanceled => "57014",
        ErrorKind::OutOfMemory => "53200",
        ErrorKind::StatementTooComplex => "54001",
        ErrorKind::LimitExceeded(limit) => of_limit(limit),
        ErrorKind::Remote(remote) => of_remote(remote),
        ErrorKind::AdminShutdown => "57P01",
        ErrorKind::InternalError => "XX000",
    }
}

fn of_mathematical(function: Mathematical) -> &'static str {
    match function {
        Mathematical::Logarithm => "2201E",
        Mathematical::Power => "2201F",
        Mathematical::WidthBucket => "2201G",
    }
}

fn of_remote(remote: Remote) -> &'static str {
    match remote {
        Remote::Unavailable => "08001",
        Remote::Lost => "08006",
        Remote::InvalidOptionName => "HV00D",
        Remote::SchemaNotFound => "HV00Q",
        Remote::Failed => "HV000",
    }
}

fn of_construct(construct: Construct) -> &'static str {
    match construct {
        Construct::Window => "42P20",
        Construct::Cursor => "42P11",
        Construct::Recursion => "42P19",
    }
}

fn of_limit(limit: Limit) -> &'static str {
    match limit {
        Limit::Program => "54000",
        Limit::Configuration => "53400",
    }
}

fn of_pattern(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Escape => "22025",
        Pattern::Regular => "2201B",
    }
}

fn of_wire(condition: WireCondition) -> &'static str {
    match condition {
        WireCondition::ProtocolViolation => "08P01",
        WireCondition::CannotConnectNow => "57P03",
        WireCondition::TooManyConnections => "53300",
        WireCondition::InvalidAuthorizationSpecification => "28000",
        WireCondition::InvalidPassword => "28P01",
        WireCondition::InFailedSqlTransaction => "25P02",
        WireCondition::ActiveSqlTransaction => "25001",
        WireCondition::NoActiveSqlTransaction => "25P01",
        WireCondition::InvalidSavepointSpecification => "3B001",
        WireCondition::ObjectNotInPrerequisiteState => "55000",
        WireCondition::IdleInTransactionSessionTimeout => "25P03",
        WireCondition::IdleSessionTimeout => "57P05",
        WireCondition::Warning => "01000",
        WireCondition::SuccessfulCompletion => "00000",
    }
}
