//! Text that can be put into SQL, and sizes that can be read.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Argument, Scalar, number, text};
use crate::catalog::sql::{identifier, literal};
use crate::types::oid;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let any_text = &[Argument::Of(oid::TEXT)];
    vec![
        Scalar::new("quote_ident", any_text, oid::TEXT, |row| {
            Ok(ScalarValue::from(identifier(text(&row[0]))))
        })
        .udf(),
        Scalar::new("quote_literal", any_text, oid::TEXT, |row| {
            Ok(ScalarValue::from(literal(text(&row[0]))))
        })
        .udf(),
        Scalar::new("quote_nullable", any_text, oid::TEXT, |row| {
            let null = row[0].is_null();
            let quoted = if null {
                "NULL".to_owned()
            } else {
                literal(text(&row[0]))
            };
            Ok(ScalarValue::from(quoted))
        })
        .with_nulls()
        .udf(),
        Scalar::new(
            "pg_size_pretty",
            &[Argument::Of(oid::INT8)],
            oid::TEXT,
            |row| Ok(ScalarValue::from(pretty_size(number(&row[0])))),
        )
        .udf(),
    ]
}

/// As `pg_size_pretty` in dbsize.c: the unit changes at 10 of the next, and halves round up.
fn pretty_size(bytes: i64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let (mut size, mut unit, mut halves) = (bytes, 0, false);
    while unit + 1 < units.len() {
        let limit = if halves { 20 * 1024 - 1 } else { 10 * 1024 };
        if size.abs() < limit {
            break;
        }
        // One bit is kept for rounding, once, at the step from bytes.
        size = if halves { size / 1024 } else { size / 512 };
        halves = true;
        unit += 1;
    }
    let shown = if halves {
        (size + size.signum()) / 2
    } else {
        size
    };
    format!("{shown} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_as_postgres_does() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (10_241, "10 kB"),
            (10_752, "11 kB"),
            (10_485_247, "10239 kB"),
            (10_485_248, "10 MB"),
            (123_456_789, "118 MB"),
            (-123_456_789, "-118 MB"),
            (12_345_678_901_234, "11 TB"),
        ] {
            assert_eq!(pretty_size(bytes), expected, "{bytes}");
        }
    }
}
