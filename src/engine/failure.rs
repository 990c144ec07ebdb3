//! Turns DataFusion's errors into ours: by variant, never by their text.

use std::collections::HashSet;

use arrow::error::ArrowError;
use datafusion::common::{Column, DataFusionError, SchemaError, TableReference};
use datafusion::parquet::errors::ParquetError;
use datafusion::sql::sqlparser::tokenizer::Location;

use super::bind::shown;
use super::nearest::{hint, nearest};
use crate::catalog::sql::Lines;
use crate::error::{Error, ErrorKind};

/// Our error of an error that DataFusion gave while planning or running.
pub(super) fn from_datafusion(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::External(cause) => match cause.downcast_ref::<Error>() {
            Some(ours) => ours.clone(),
            None => from_cause(cause.as_ref(), error),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            from_datafusion(inner)
        }
        DataFusionError::Shared(inner) => from_datafusion(inner),
        DataFusionError::Collection(errors) if !errors.is_empty() => from_datafusion(&errors[0]),
        DataFusionError::ArrowError(inner, _) => from_arrow(inner),
        DataFusionError::ParquetError(inner) => from_parquet(inner),
        DataFusionError::ObjectStore(inner) => from_store(inner),
        DataFusionError::SchemaError(inner, _) => from_schema(inner),
        DataFusionError::NotImplemented(message) => {
            Error::new(ErrorKind::FeatureNotSupported, first_line(message))
        }
        DataFusionError::Plan(message) => {
            Error::new(ErrorKind::InvalidStatement, first_line(message))
        }
        DataFusionError::Execution(message) => {
            Error::new(ErrorKind::InvalidParameterValue, first_line(message))
        }
        DataFusionError::ResourcesExhausted(message) => {
            Error::new(ErrorKind::OutOfMemory, "out of memory").with_detail(first_line(message))
        }
        DataFusionError::IoError(inner) => Error::new(ErrorKind::IoError, inner.to_string()),
        other => internal(other),
    }
}

/// As [`from_datafusion`], with the place in the statement that DataFusion points at.
pub(super) fn in_statement(error: &DataFusionError, lines: &Lines) -> Error {
    let ours = from_datafusion(error);
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    match span {
        Some(span) if ours.position().is_none() => {
            let start = Location {
                line: span.start.line,
                column: span.start.column,
            };
            ours.at(lines.position(start))
        }
        _ => ours,
    }
}

fn internal(error: &DataFusionError) -> Error {
    let message = error.strip_backtrace();
    Error::new(ErrorKind::InternalError, "internal error")
        .with_cause(std::io::Error::other(message))
}

/// Readers box their errors; some box each other's.
fn from_cause(cause: &(dyn std::error::Error + 'static), whole: &DataFusionError) -> Error {
    let mut next = Some(cause);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return ours.clone();
        }
        if let Some(inner) = error.downcast_ref::<DataFusionError>() {
            return from_datafusion(inner);
        }
        if let Some(inner) = error.downcast_ref::<ArrowError>() {
            return from_arrow(inner);
        }
        if let Some(inner) = error.downcast_ref::<ParquetError>() {
            return from_parquet(inner);
        }
        if let Some(inner) = error.downcast_ref::<object_store::Error>() {
            return from_store(inner);
        }
        next = error.source();
    }
    internal(whole)
}

fn from_arrow(error: &ArrowError) -> Error {
    let message = first_line(&error.to_string());
    let kind = match error {
        ArrowError::DivideByZero => {
            return Error::new(ErrorKind::DivisionByZero, "division by zero");
        }
        ArrowError::ArithmeticOverflow(_) => {
            return Error::new(ErrorKind::NumericValueOutOfRange, "value out of range")
                .with_detail(message);
        }
        ArrowError::ExternalError(cause) => {
            let whole =
                DataFusionError::ArrowError(Box::new(ArrowError::ComputeError(message)), None);
            return from_cause(cause.as_ref(), &whole);
        }
        ArrowError::CastError(_) | ArrowError::ParseError(_) => {
            ErrorKind::InvalidTextRepresentation
        }
        ArrowError::InvalidArgumentError(_) | ArrowError::ComputeError(_) => {
            ErrorKind::InvalidParameterValue
        }
        ArrowError::CsvError(_) | ArrowError::JsonError(_) => ErrorKind::InvalidRowData,
        ArrowError::ParquetError(_) | ArrowError::AvroError(_) | ArrowError::IpcError(_) => {
            ErrorKind::DataCorrupted
        }
        ArrowError::IoError(_, cause) => match cause.get_ref().and_then(|it| it.downcast_ref()) {
            Some(ours) => return Error::clone(ours),
            None => ErrorKind::IoError,
        },
        ArrowError::NotYetImplemented(_) => ErrorKind::FeatureNotSupported,
        ArrowError::SchemaError(_) => ErrorKind::DatatypeMismatch,
        ArrowError::MemoryError(_) => ErrorKind::OutOfMemory,
        ArrowError::CDataInterface(_)
        | ArrowError::DictionaryKeyOverflowError
        | ArrowError::RunEndIndexOverflowError
        | ArrowError::OffsetOverflowError(_) => ErrorKind::InternalError,
    };
    Error::new(kind, message)
}

fn from_parquet(error: &ParquetError) -> Error {
    match error {
        ParquetError::External(cause) => {
            let whole = DataFusionError::Execution(first_line(&error.to_string()));
            match from_cause(cause.as_ref(), &whole) {
                found if found.kind() == ErrorKind::InternalError => damaged(error),
                found => found,
            }
        }
        _ => damaged(error),
    }
}

fn damaged(error: &ParquetError) -> Error {
    Error::new(ErrorKind::DataCorrupted, "could not read parquet file")
        .with_detail(first_line(&error.to_string()))
}

fn from_store(error: &object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { path, .. } => Error::new(
            ErrorKind::UndefinedFile,
            format!("file \"{path}\" does not exist"),
        ),
        other => Error::new(ErrorKind::IoError, "could not read from the lake")
            .with_detail(first_line(&other.to_string())),
    }
}

fn from_schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            if let Some(relation) = &field.relation
                && !valid_fields.iter().any(|valid| {
                    let table = valid.relation.as_ref().map(TableReference::table);
                    table == Some(relation.table())
                })
            {
                let message = format!(
                    "missing FROM-clause entry for table \"{}\"",
                    relation.table()
                );
                return Error::new(ErrorKind::UndefinedTable, message);
            }
            let name = match &field.relation {
                Some(relation) => format!("{}.{}", relation.table(), field.name),
                None => format!("\"{}\"", field.name),
            };
            let message = format!("column {name} does not exist");
            let error = Error::new(ErrorKind::UndefinedColumn, message);
            match column_hint(field, valid_fields) {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        }
        SchemaError::AmbiguousReference { field } => Error::new(
            ErrorKind::AmbiguousColumn,
            format!("column reference \"{}\" is ambiguous", field.name),
        ),
        SchemaError::DuplicateQualifiedField { qualifier, .. } => Error::new(
            ErrorKind::DuplicateAlias,
            format!(
                "table name \"{}\" specified more than once",
                qualifier.table()
            ),
        ),
        SchemaError::DuplicateUnqualifiedField { name } => Error::new(
            ErrorKind::AmbiguousColumn,
            format!("column name \"{name}\" is given more than once"),
        ),
    }
}

/// DataFusion appends backtraces and help texts on further lines.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// A function that does not exist under any types.
/// The columns that were perhaps meant: of the table that was named, if one was.
fn column_hint(missing: &Column, valid: &[Column]) -> Option<String> {
    // Behind ORDER BY a column may stand twice: as what is selected, and as what it is of.
    let mut seen = HashSet::new();
    let distinct = valid.iter().filter(|column| seen.insert(*column));
    let of_table = distinct.filter(|column| {
        let table = column.relation.as_ref().map(TableReference::table);
        let asked = missing.relation.as_ref().map(TableReference::table);
        asked.is_none() || table == asked
    });
    let found = nearest(&missing.name, of_table, |column| shown(&column.name));
    let names: Vec<String> = found
        .into_iter()
        .map(|column| match &column.relation {
            Some(table) => format!("{}.{}", table.table(), shown(&column.name)),
            None => shown(&column.name).to_owned(),
        })
        .collect();
    hint("to reference ", "column", &names)
}

pub(super) fn undefined_function(name: &str) -> Error {
    Error::new(
        ErrorKind::UndefinedFunction,
        format!("function {name} does not exist"),
    )
}
