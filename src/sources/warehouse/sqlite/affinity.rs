//! The types of SQLite's columns: what they were declared as, of which SQLite itself makes little.
//! <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>

use arrow::datatypes::{DataType, Field, TimeUnit};

use crate::sources::warehouse::quote::identifier;
use crate::sources::warehouse::relation::{Comparable, Misfit, RemoteColumn, field};
use crate::types::{PgType, oid};

/// A column of a declared type.
pub(super) fn column(name: &str, declared: &str, is_not_null: bool) -> RemoteColumn {
    let (data_type, type_oid) = of_declared(declared);
    let comparable = match type_oid {
        oid::INT8 => Comparable::Number,
        // A column may have a collation of its own.
        oid::TEXT if !declared.is_empty() && is_text(&declared.to_uppercase()) => {
            Comparable::Text { is_bytewise: false }
        }
        _ => Comparable::Never,
    };
    let plain = Field::new(name, data_type, !is_not_null);
    let plain = match plain.data_type() {
        DataType::Binary => field(name, &plain, PgType::of(type_oid)),
        _ => plain,
    };
    RemoteColumn {
        sql: identifier(name),
        field: plain,
        comparable,
        misfit: Misfit::Fails,
    }
}

fn is_text(declared: &str) -> bool {
    ["CHAR", "CLOB", "TEXT"]
        .iter()
        .any(|word| declared.contains(word))
}

/// What values of a declared type become, and the type they are then of. What was declared as
/// nothing that is known is text.
fn of_declared(declared: &str) -> (DataType, u32) {
    let declared = declared.trim().to_uppercase();
    let (name, digits) = declared.split_once('(').unwrap_or((&declared, ""));
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["BOOL"]) {
        (DataType::Boolean, oid::BOOL)
    } else if has(&["DATETIME", "TIMESTAMP"]) {
        (
            DataType::Timestamp(TimeUnit::Microsecond, None),
            oid::TIMESTAMP,
        )
    } else if name.trim() == "DATE" {
        (DataType::Date32, oid::DATE)
    } else if has(&["INT"]) {
        (DataType::Int64, oid::INT8)
    } else if is_text(name) {
        (DataType::Utf8, oid::TEXT)
    } else if has(&["BLOB"]) {
        (DataType::Binary, oid::BYTEA)
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        (DataType::Float64, oid::FLOAT8)
    } else if has(&["NUMERIC", "DECIMAL"]) {
        match precision(digits) {
            Some((precision, scale)) => (DataType::Decimal128(precision, scale), oid::NUMERIC),
            None => (DataType::Binary, oid::NUMERIC),
        }
    } else {
        (DataType::Utf8, oid::TEXT)
    }
}

/// `10, 2)`, or `10)`.
fn precision(digits: &str) -> Option<(u8, i8)> {
    let digits = digits.strip_suffix(')')?;
    let (precision, scale) = digits.split_once(',').unwrap_or((digits, "0"));
    let precision: u8 = precision.trim().parse().ok()?;
    let scale: i8 = scale.trim().parse().ok()?;
    let fits = (1..=38).contains(&precision) && scale >= 0 && scale.unsigned_abs() <= precision;
    fits.then_some((precision, scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{format_type, of_field};

    #[test]
    fn declared_types_are_ours_where_they_are_known() {
        let check = |declared: &str, expected: &str| {
            let column = column("c", declared, false);
            let of = of_field(&column.field);
            let shown = format_type(of.oid, of.modifier);
            assert_eq!(shown.as_deref(), Some(expected), "{declared}");
        };
        check("integer", "bigint");
        check("unsigned big int", "bigint");
        check("varchar(20)", "text");
        check("", "text");
        check("blob", "bytea");
        check("double precision", "double precision");
        check("numeric(10, 2)", "numeric(10,2)");
        check("decimal(5)", "numeric(5,0)");
        check("numeric", "numeric");
        check("boolean", "boolean");
        check("date", "date");
        check("datetime", "timestamp without time zone");
        check("uuid", "text");
    }
}
