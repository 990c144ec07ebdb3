//! Merges the schemas of a table's files by the documented rule: int2 -> int4 -> int8 -> numeric,
//! float4 -> float8, date -> timestamp, an absent column is NULL. Anything else is an error.
//!
//! Columns are matched by their exact names, in the order in which they are first seen.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, Fields, SchemaRef, TimeUnit};

use crate::error::{Error, ErrorKind, Result};
use crate::types::{TYPE_KEY, lake_type, of_field, oid};

/// The digits of the largest `bigint`.
const INT8_DIGITS: u8 = 19;

/// Merges the schemas, each given with its file's path. `is_inferred` says that the types were
/// guessed from text, in which 1 and 1.5 are of one kind.
///
/// # Errors
/// `DatatypeMismatch` naming file and column.
pub(super) fn schemas<'a>(
    schemas: impl Iterator<Item = (&'a str, &'a SchemaRef)>,
    is_inferred: bool,
) -> Result<Vec<Field>> {
    let mut merged: Vec<Field> = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    // Files of one writer share one schema; comparing is cheaper than merging.
    let mut last: Option<&SchemaRef> = None;
    for (path, schema) in schemas {
        if last.is_some_and(|last| last.fields() == schema.fields()) {
            continue;
        }
        last = Some(schema);
        for field in schema.fields() {
            let data_type = lake_type(field.data_type());
            let Some(&position) = positions.get(field.name()) else {
                positions.insert(field.name().clone(), merged.len());
                merged
                    .push(Field::new(field.name(), data_type, true).with_metadata(meaning(field)));
                continue;
            };
            let known = &mut merged[position];
            let found = Field::new(field.name(), data_type, true).with_metadata(meaning(field));
            *known =
                both(known, &found, is_inferred).ok_or_else(|| mismatch(path, known, &found))?;
        }
    }
    Ok(merged)
}

/// The metadata that says of a text that it is JSON. Nothing else in a file's metadata is heard.
fn meaning(field: &Field) -> HashMap<String, String> {
    let is_json = !field.data_type().is_nested() && of_field(field).oid == oid::JSON;
    let json = is_json.then(|| (TYPE_KEY.to_owned(), oid::JSON.to_string()));
    json.into_iter().collect()
}

/// A column that holds what both hold; `None` if the rule knows none.
fn both(known: &Field, found: &Field, is_inferred: bool) -> Option<Field> {
    let nothing = [known, found].map(|field| *field.data_type() == DataType::Null);
    match nothing {
        [true, _] => return Some(found.clone()),
        [_, true] => return Some(known.clone()),
        // Text is not JSON.
        _ if known.metadata() != found.metadata() => return None,
        _ => {}
    }
    let data_type = widened(known.data_type(), found.data_type(), is_inferred)?;
    Some(known.clone().with_data_type(data_type))
}

fn mismatch(path: &str, known: &Field, found: &Field) -> Error {
    let column = found.name();
    let name = |field: &Field| {
        let of = of_field(field);
        let name = crate::types::format_type(of.oid, of.modifier);
        name.unwrap_or_else(|| field.data_type().to_string())
    };
    Error::new(
        ErrorKind::DatatypeMismatch,
        format!(
            "column \"{column}\" of file \"{path}\" is of type {}, but of type {} in other files of the table",
            name(found),
            name(known)
        ),
    )
}

/// The type that holds all values of both; `None` if the rule knows none.
pub(super) fn widened(a: &DataType, b: &DataType, is_inferred: bool) -> Option<DataType> {
    use DataType as T;
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (T::Null, other) | (other, T::Null) => Some(other.clone()),
        (T::Int16, T::Int32) | (T::Int32, T::Int16) => Some(T::Int32),
        (T::Int16 | T::Int32, T::Int64) | (T::Int64, T::Int16 | T::Int32) => Some(T::Int64),
        (integer, T::Decimal128(precision, scale)) | (T::Decimal128(precision, scale), integer)
            if integer.is_integer() =>
        {
            decimal((INT8_DIGITS, 0), (*precision, *scale))
        }
        (T::Decimal128(a_precision, a_scale), T::Decimal128(b_precision, b_scale)) => {
            decimal((*a_precision, *a_scale), (*b_precision, *b_scale))
        }
        (T::Float32, T::Float64) | (T::Float64, T::Float32) => Some(T::Float64),
        (T::Int64, T::Float64) | (T::Float64, T::Int64) if is_inferred => Some(T::Float64),
        (T::Date32, T::Timestamp(TimeUnit::Microsecond, None))
        | (T::Timestamp(TimeUnit::Microsecond, None), T::Date32) => {
            Some(T::Timestamp(TimeUnit::Microsecond, None))
        }
        (T::Struct(a), T::Struct(b)) => structure(a, b, is_inferred),
        (T::List(a), T::List(b)) => {
            let element = widened(a.data_type(), b.data_type(), is_inferred)?;
            Some(T::List(Field::new(a.name(), element, true).into()))
        }
        _ => None,
    }
}

/// A decimal with the digits of both, before and after the point.
fn decimal(a: (u8, i8), b: (u8, i8)) -> Option<DataType> {
    let whole = |(precision, scale): (u8, i8)| i16::from(precision) - i16::from(scale);
    let scale = a.1.max(b.1);
    let precision = whole(a).max(whole(b)) + i16::from(scale);
    let precision = u8::try_from(precision).ok()?;
    (precision <= 38).then_some(DataType::Decimal128(precision, scale))
}

fn structure(a: &Fields, b: &Fields, is_inferred: bool) -> Option<DataType> {
    let mut merged: Vec<Field> = a.iter().map(|field| Field::clone(field)).collect();
    for field in b {
        match merged.iter_mut().find(|known| known.name() == field.name()) {
            Some(known) => {
                let both = widened(known.data_type(), field.data_type(), is_inferred)?;
                known.set_data_type(both);
                known.set_nullable(true);
            }
            None => merged.push(Field::clone(field).with_nullable(true)),
        }
    }
    Some(DataType::Struct(merged.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_widen_by_the_rule_only() {
        fn check(a: &DataType, b: &DataType, expected: Option<&DataType>) {
            assert_eq!(widened(a, b, false).as_ref(), expected, "{a} and {b}");
            assert_eq!(widened(b, a, false).as_ref(), expected, "{b} and {a}");
        }
        use DataType as T;
        check(&T::Int16, &T::Int32, Some(&T::Int32));
        check(&T::Int32, &T::Int64, Some(&T::Int64));
        check(
            &T::Int64,
            &T::Decimal128(10, 2),
            Some(&T::Decimal128(21, 2)),
        );
        check(
            &T::Decimal128(10, 2),
            &T::Decimal128(8, 4),
            Some(&T::Decimal128(12, 4)),
        );
        check(&T::Decimal128(38, 0), &T::Decimal128(38, 10), None);
        check(&T::Float32, &T::Float64, Some(&T::Float64));
        check(&T::Int32, &T::Float64, None);
        check(&T::Int64, &T::Utf8View, None);
        check(&T::Null, &T::Utf8View, Some(&T::Utf8View));
        let timestamp = T::Timestamp(TimeUnit::Microsecond, None);
        check(&T::Date32, &timestamp, Some(&timestamp));
        let zoned = T::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        check(&timestamp, &zoned, None);
    }
}
