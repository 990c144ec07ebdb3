//! Columns that stand in the names of folders, `key=value`, typed as DuckDB types them: integers
//! if all values are, dates if all are, else text.

use arrow::datatypes::{DataType, Field, Fields};
use datafusion::scalar::ScalarValue;
use percent_encoding::percent_decode_str;

use super::listing::Listing;
use crate::error::{Error, ErrorKind, Result};

/// What Hive, Spark and DuckDB write for NULL.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The partition columns of a table and each file's values of them.
#[derive(Debug)]
pub(super) struct Partitions {
    pub(super) fields: Fields,
    pub(super) values: Vec<Vec<ScalarValue>>,
}

/// The partition columns of all files.
///
/// # Errors
/// `DatatypeMismatch` if two files lie below different keys.
pub(super) fn columns(listing: &Listing) -> Result<Partitions> {
    let keys = |levels: &[(String, String)]| -> Vec<String> {
        levels.iter().map(|(key, _)| decoded(key)).collect()
    };
    let Some(first) = listing.files.first() else {
        return Ok(Partitions {
            fields: Fields::empty(),
            values: Vec::new(),
        });
    };
    let names = keys(&first.levels);
    for file in &listing.files {
        if keys(&file.levels) != names {
            return Err(Error::new(
                ErrorKind::DatatypeMismatch,
                format!(
                    "the files \"{}\" and \"{}\" lie below different partition columns",
                    first.path(),
                    file.path()
                ),
            ));
        }
    }
    let by_column: Vec<Vec<Option<String>>> = (0..names.len())
        .map(|column| {
            listing
                .files
                .iter()
                .map(|file| value(&file.levels[column].1))
                .collect()
        })
        .collect();
    let types: Vec<_> = by_column.iter().map(|values| type_of(values)).collect();
    let values = (0..listing.files.len())
        .map(|file| {
            by_column
                .iter()
                .zip(&types)
                .map(|(values, data_type)| typed(values[file].as_deref(), data_type))
                .collect()
        })
        .collect();
    let fields = names
        .into_iter()
        .zip(types)
        .map(|(name, data_type)| Field::new(name, data_type, true))
        .collect();
    Ok(Partitions { fields, values })
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn value(text: &str) -> Option<String> {
    let text = decoded(text);
    (text != NULL).then_some(text)
}

/// The narrowest type that holds all values. Of no values at all, text.
fn type_of(values: &[Option<String>]) -> DataType {
    let all = |is: fn(&str) -> bool| {
        let mut known = values.iter().flatten().peekable();
        known.peek().is_some() && known.all(|value| is(value))
    };
    if all(|value| integer(value).is_some()) {
        DataType::Int64
    } else if all(|value| date(value).is_some()) {
        DataType::Date32
    } else {
        DataType::Utf8View
    }
}

fn typed(value: Option<&str>, data_type: &DataType) -> ScalarValue {
    match data_type {
        DataType::Int64 => ScalarValue::Int64(value.and_then(integer)),
        DataType::Date32 => ScalarValue::Date32(value.and_then(date)),
        _ => ScalarValue::Utf8View(value.map(str::to_owned)),
    }
}

/// Only digits and a minus: `+1` and ` 1` are text.
fn integer(value: &str) -> Option<i64> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| value.parse().ok()).flatten()
}

/// Days since 1970 of an ISO date.
fn date(value: &str) -> Option<i32> {
    super::infer::date(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_typed_as_a_whole() {
        fn check(values: &[&str], expected: &DataType) {
            let values: Vec<_> = values.iter().map(|text| value(text)).collect();
            assert_eq!(&type_of(&values), expected, "{values:?}");
        }
        check(&["1", "-20", NULL], &DataType::Int64);
        check(&["1", "x"], &DataType::Utf8View);
        check(&["2026-11-01", NULL], &DataType::Date32);
        check(&["2026-11-01", "2026-13-01"], &DataType::Utf8View);
        check(&["99999999999999999999"], &DataType::Utf8View);
        check(&[NULL], &DataType::Utf8View);
        check(&["+1"], &DataType::Utf8View);
    }

    #[test]
    fn values_are_percent_decoded() {
        assert_eq!(value("a%20b%3D").as_deref(), Some("a b="));
        assert_eq!(value(NULL), None);
    }
}
