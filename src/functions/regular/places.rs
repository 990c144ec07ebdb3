//! `regexp_count`, `regexp_instr`, `regexp_like` and `regexp_substr`: whether, how often and where.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::matching::{Last, Span};
use super::{byte_of, no_global, wrong};
use crate::error::Result;
use crate::functions::overloads::{Gives, Kind, Overloaded, integer};
use crate::functions::scalar::text;

type Row<'a> = &'a [ScalarValue];

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    const T: Kind = Kind::Text;
    const I: Kind = Kind::Int4;
    vec![
        with_optional(
            "regexp_count",
            &[T, T, I, T],
            2,
            &DataType::Int32,
            |last, row| count(last, row).map(|count| ScalarValue::Int32(Some(count))),
        ),
        with_optional(
            "regexp_instr",
            &[T, T, I, I, I, T, I],
            2,
            &DataType::Int32,
            |last, row| place(last, row).map(|place| ScalarValue::Int32(Some(place))),
        ),
        with_optional(
            "regexp_like",
            &[T, T, T],
            2,
            &DataType::Boolean,
            |last, row| {
                let (expression, flags) = last.expression(text(&row[1]), optional(row, 2))?;
                match flags.is_global {
                    true => Err(no_global("regexp_like")),
                    false => Ok(ScalarValue::from(expression.is_match(text(&row[0])))),
                }
            },
        ),
        with_optional(
            "regexp_substr",
            &[T, T, I, I, T, I],
            2,
            &DataType::Utf8,
            |last, row| part(last, row).map(ScalarValue::Utf8),
        ),
    ]
}

/// A function whose last arguments may be left out, from the last on.
fn with_optional(
    name: &'static str,
    takes: &[Kind],
    fewest: usize,
    gives: &DataType,
    body: fn(&Last, Row<'_>) -> Result<ScalarValue>,
) -> Arc<ScalarUDF> {
    let last = Arc::new(Last::default());
    let function = (fewest..=takes.len()).fold(Overloaded::immutable(name), |function, count| {
        let last = Arc::clone(&last);
        function.with(&takes[..count], Gives::Of(gives.clone()), move |row| {
            body(&last, row)
        })
    });
    function.udf()
}

fn optional<'a>(row: Row<'a>, index: usize) -> &'a str {
    row.get(index).map_or("", text)
}

fn number(row: Row<'_>, index: usize, default: i64) -> i64 {
    row.get(index).map_or(default, integer)
}

fn count(last: &Last, row: Row<'_>) -> Result<i32> {
    let (of, start) = (text(&row[0]), number(row, 2, 1));
    let at = byte_of(of, start)?;
    let (expression, flags) = last.expression(text(&row[1]), optional(row, 3))?;
    if flags.is_global {
        return Err(no_global("regexp_count"));
    }
    let count = at.map_or(0, |at| expression.matches(of, at).count());
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}

/// What one match is asked for.
struct Wanted<'a> {
    function: &'static str,
    start: i64,
    nth: i64,
    letters: &'a str,
    group: i64,
}

/// The span of the group of the match that is asked for.
fn span(last: &Last, row: Row<'_>, wanted: &Wanted<'_>) -> Result<Option<Span>> {
    let of = text(&row[0]);
    let at = byte_of(of, wanted.start)?;
    let before = usize::try_from(wanted.nth - 1).map_err(|_| wrong("n", wanted.nth))?;
    let group = usize::try_from(wanted.group).map_err(|_| wrong("subexpr", wanted.group))?;
    let (expression, flags) = last.expression(text(&row[1]), wanted.letters)?;
    if flags.is_global {
        return Err(no_global(wanted.function));
    }
    let Some(at) = at.filter(|_| group <= expression.n_groups()) else {
        return Ok(None);
    };
    let found = expression.matches(of, at).nth(before);
    Ok(found.and_then(|found| match group {
        0 => Some(found.whole),
        group => found.groups.get(group - 1).copied().flatten(),
    }))
}

fn part(last: &Last, row: Row<'_>) -> Result<Option<String>> {
    let wanted = Wanted {
        function: "regexp_substr",
        start: number(row, 2, 1),
        nth: number(row, 3, 1),
        letters: optional(row, 4),
        group: number(row, 5, 0),
    };
    let found = span(last, row, &wanted)?;
    Ok(found.map(|(start, end)| text(&row[0])[start..end].to_owned()))
}

fn place(last: &Last, row: Row<'_>) -> Result<i32> {
    let wanted = Wanted {
        function: "regexp_instr",
        start: number(row, 2, 1),
        nth: number(row, 3, 1),
        letters: optional(row, 5),
        group: number(row, 6, 0),
    };
    let end = number(row, 4, 0);
    if !(0..=1).contains(&end) {
        return Err(wrong("endoption", end));
    }
    let Some(found) = span(last, row, &wanted)? else {
        return Ok(0);
    };
    let byte = if end == 1 { found.1 } else { found.0 };
    let before = text(&row[0])[..byte].chars().count();
    Ok(i32::try_from(before + 1).unwrap_or(i32::MAX))
}
