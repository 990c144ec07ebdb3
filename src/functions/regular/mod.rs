//! `regexp_replace` and its kind, by PostgreSQL's rules of which match is taken.
//! <https://www.postgresql.org/docs/16/functions-matching.html#FUNCTIONS-POSIX-REGEXP>

mod lists;
mod matching;
mod pattern;
mod places;
mod replace;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use crate::error::{Error, ErrorKind, Result};
pub use lists::{MATCHES_LIST, PARTS_LIST};

/// The functions of this room.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let mut functions = places::functions();
    functions.extend(lists::functions());
    functions.push(replace::function());
    functions
}

/// The byte at which the character of this number, counted from 1, begins. One behind the end is the
/// end, and `None` what is further.
///
/// # Errors
/// Characters have no such number.
fn byte_of(text: &str, start: i64) -> Result<Option<usize>> {
    let before = usize::try_from(start - 1).map_err(|_| wrong("start", start))?;
    let mut bytes = text.char_indices().map(|(byte, _)| byte);
    Ok(bytes.nth(before).or_else(|| {
        let is_end = text.chars().count() == before;
        is_end.then_some(text.len())
    }))
}

fn wrong(parameter: &str, value: i64) -> Error {
    let message = format!("invalid value for parameter \"{parameter}\": {value}");
    Error::new(ErrorKind::InvalidParameterValue, message)
}

/// The refusal of `g` where one match is asked for, or all of them always are.
fn no_global(function: &str) -> Error {
    let message = format!("{function}() does not support the \"global\" option");
    Error::new(ErrorKind::InvalidParameterValue, message)
}
