//! `regexp_match`, `regexp_split_to_array`, and the lists behind `regexp_matches` and
//! `regexp_split_to_table`, which make rows.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::matching::{Last, Match};
use super::no_global;
use crate::error::Result;
use crate::functions::overloads::{Gives, Kind, Overloaded};
use crate::functions::scalar::text;

/// The list of `regexp_matches`; not a name that SQL text can have.
pub const MATCHES_LIST: &str = "regexp_matches\u{1}";

/// The list of `regexp_split_to_table`.
pub const PARTS_LIST: &str = "regexp_split_to_table\u{1}";

type Body = fn(&Last, &str, &str, &str) -> Result<Option<ScalarValue>>;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        of_texts(
            "regexp_match",
            &list_of(DataType::Utf8),
            |last, of, pattern, letters| {
                let (expression, flags) = last.expression(pattern, letters)?;
                if flags.is_global {
                    let hint = "Use the regexp_matches function instead.";
                    return Err(no_global("regexp_match").with_hint(hint));
                }
                Ok(expression.find(of, 0).map(|found| groups(of, &found)))
            },
        ),
        of_texts(
            MATCHES_LIST,
            &list_of(list_of(DataType::Utf8)),
            |last, of, pattern, letters| {
                let (expression, flags) = last.expression(pattern, letters)?;
                let most = if flags.is_global { usize::MAX } else { 1 };
                let found = expression.matches(of, 0).take(most);
                let found: Vec<ScalarValue> = found.map(|found| groups(of, &found)).collect();
                let element = list_of(DataType::Utf8);
                let list = ScalarValue::new_list_nullable(&found, &element);
                Ok(Some(ScalarValue::List(list)))
            },
        ),
        of_texts(
            "regexp_split_to_array",
            &list_of(DataType::Utf8),
            |last, of, pattern, letters| {
                parts(last, of, pattern, letters, "regexp_split_to_array").map(Some)
            },
        ),
        of_texts(
            PARTS_LIST,
            &list_of(DataType::Utf8),
            |last, of, pattern, letters| {
                parts(last, of, pattern, letters, "regexp_split_to_table").map(Some)
            },
        ),
    ]
}

fn list_of(element: DataType) -> DataType {
    DataType::new_list(element, true)
}

/// A function of a text, a pattern and perhaps letters.
fn of_texts(name: &'static str, gives: &DataType, body: Body) -> Arc<ScalarUDF> {
    let last = Arc::new(Last::default());
    let texts = [Kind::Text; 3];
    let function = (2..=3).fold(Overloaded::immutable(name), |function, count| {
        let (last, gives) = (Arc::clone(&last), gives.clone());
        let given = Gives::Of(gives.clone());
        function.with(&texts[..count], given, move |row| {
            let letters = row.get(2).map_or("", text);
            match body(&last, text(&row[0]), text(&row[1]), letters)? {
                Some(value) => Ok(value),
                None => ScalarValue::try_from(&gives).map_err(crate::error::Error::internal),
            }
        })
    });
    function.udf()
}

/// The groups of a match; the whole, if there are none.
fn groups(of: &str, found: &Match) -> ScalarValue {
    let texts: Vec<ScalarValue> = match found.groups.as_slice() {
        [] => vec![ScalarValue::from(&of[found.whole.0..found.whole.1])],
        groups => groups
            .iter()
            .map(|group| ScalarValue::Utf8(group.map(|(start, end)| of[start..end].to_owned())))
            .collect(),
    };
    ScalarValue::List(ScalarValue::new_list_nullable(&texts, &DataType::Utf8))
}

/// What stands between the matches. Those that are empty count only between two characters, and not
/// right behind another (`setup_regexp_matches` in regexp.c).
fn parts(
    last: &Last,
    of: &str,
    pattern: &str,
    letters: &str,
    function: &str,
) -> Result<ScalarValue> {
    let (expression, flags) = last.expression(pattern, letters)?;
    if flags.is_global {
        return Err(no_global(function));
    }
    let (mut parts, mut from, mut end_before) = (Vec::new(), 0, 0);
    for found in expression.matches(of, 0) {
        let (start, end) = found.whole;
        if start < of.len() && end > end_before {
            parts.push(ScalarValue::from(&of[from..start]));
            from = end;
        }
        end_before = end;
    }
    parts.push(ScalarValue::from(&of[from..]));
    let list = ScalarValue::new_list_nullable(&parts, &DataType::Utf8);
    Ok(ScalarValue::List(list))
}
