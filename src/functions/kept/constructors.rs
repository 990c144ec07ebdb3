//! The functions that make ranges and multiranges: `int4range(1, 10, '[]')`.
//! <https://www.postgresql.org/docs/16/rangetypes.html#RANGETYPES-CONSTRUCT>

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::bound::Subtype;
use super::multirange;
use super::range::{self, Bound, Range};
use super::{record, whole_row};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::scalar::{Argument, Scalar};
use crate::types::{multirange_of, oid};

/// The range types and their functions.
const RANGES: &[(&str, u32)] = &[
    ("int4range", oid::INT4RANGE),
    ("int8range", oid::INT8RANGE),
    ("numrange", oid::NUMRANGE),
    ("daterange", oid::DATERANGE),
    ("tsrange", oid::TSRANGE),
    ("tstzrange", oid::TSTZRANGE),
];

/// The multirange types and their functions.
const MULTIRANGES: &[(&str, u32)] = &[
    ("int4multirange", oid::INT4MULTIRANGE),
    ("int8multirange", oid::INT8MULTIRANGE),
    ("nummultirange", oid::NUMMULTIRANGE),
    ("datemultirange", oid::DATEMULTIRANGE),
    ("tsmultirange", oid::TSMULTIRANGE),
    ("tstzmultirange", oid::TSTZMULTIRANGE),
];

/// The functions of this file, and `row`.
pub(in crate::functions) fn functions() -> Vec<Arc<ScalarUDF>> {
    let ranges = RANGES.iter().map(|(name, range)| constructor(name, *range));
    let multiranges = MULTIRANGES.iter().map(|(name, of)| collector(name, *of));
    ranges
        .chain(multiranges)
        .chain([record::function(), whole_row::function()])
        .collect()
}

/// Whether a function makes ranges or multiranges.
pub fn makes_ranges(name: &str) -> bool {
    RANGES
        .iter()
        .chain(MULTIRANGES)
        .any(|(known, _)| *known == name)
}

/// The type of the ranges of which a function makes a multirange.
pub fn range_taken_by(name: &str) -> Option<u32> {
    let (_, multirange) = MULTIRANGES.iter().find(|(known, _)| *known == name)?;
    multirange_of(*multirange)
}

fn constructor(name: &'static str, range: u32) -> Arc<ScalarUDF> {
    let subtype = Subtype::of(range).expect("the list is of ranges");
    let bound = match subtype {
        Subtype::Int4 => Argument::Of(oid::INT4),
        Subtype::Int8 => Argument::Of(oid::INT8),
        // Any decimal, with its own digits.
        Subtype::Numeric => Argument::Any,
        Subtype::Date => Argument::Of(oid::DATE),
        Subtype::Timestamp => Argument::Of(oid::TIMESTAMP),
        Subtype::Timestamptz => Argument::Of(oid::TIMESTAMPTZ),
    };
    let arguments = &[bound, bound, Argument::Of(oid::TEXT)];
    Scalar::new(name, arguments, range, move |row| made(row, subtype))
        .optional(1)
        .with_nulls()
        .immutable()
        .udf()
}

/// As `range_constructor2` and `range_constructor3` in rangetypes.c.
fn made(row: &[ScalarValue], subtype: Subtype) -> Result<ScalarValue> {
    let (is_lower_inclusive, is_upper_inclusive) = match row.get(2) {
        Some(flags) => inclusive(flags)?,
        None => (true, false),
    };
    let bound = |value: &ScalarValue, is_inclusive: bool| {
        let value = match value.is_null() {
            true => None,
            false => Some(subtype.keep(value)?),
        };
        Ok::<Bound, Error>(Bound {
            value,
            is_inclusive,
        })
    };
    let lower = bound(&row[0], is_lower_inclusive)?;
    let upper = bound(&row[1], is_upper_inclusive)?;
    let range = Range::new(lower, upper, subtype)?;
    Ok(ScalarValue::Binary(Some(range::kept(range.as_ref()))))
}

/// As `range_parse_flags`.
fn inclusive(flags: &ScalarValue) -> Result<(bool, bool)> {
    let Some(flags) = flags.try_as_str().flatten() else {
        let message = "range constructor flags argument must not be null";
        return Err(Error::new(ErrorKind::DataException, message));
    };
    match flags {
        "[]" => Ok((true, true)),
        "[)" => Ok((true, false)),
        "(]" => Ok((false, true)),
        "()" => Ok((false, false)),
        _ => Err(
            Error::new(ErrorKind::SyntaxError, "invalid range bound flags")
                .with_hint("Valid values are \"[]\", \"[)\", \"(]\", and \"()\"."),
        ),
    }
}

fn collector(name: &'static str, of: u32) -> Arc<ScalarUDF> {
    let range = multirange_of(of).expect("the list is of multiranges");
    let subtype = Subtype::of(range).expect("a multirange is of ranges");
    Scalar::new(name, &[Argument::Of(range)], of, move |row| {
        let mut ranges = Vec::with_capacity(row.len());
        for range in row {
            match range {
                ScalarValue::Binary(Some(kept)) => {
                    ranges.push(Range::take(&mut kept.as_slice(), subtype)?);
                }
                _ => return Err(super::damaged()),
            }
        }
        Ok(ScalarValue::Binary(Some(multirange::kept(ranges))))
    })
    .variadic()
    .immutable()
    .udf()
}
