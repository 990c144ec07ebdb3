//! MySQL's types as columns: what is selected of each, and what it becomes. Tabular: one line a type.
//! <https://mariadb.com/kb/en/data-types/>

use arrow::datatypes::{DataType, Field};

use crate::sources::warehouse::quote::identifier;
use crate::sources::warehouse::relation::{Comparable, Misfit, RemoteColumn, field};
use crate::types::{self, PgType, oid};

/// A column as `information_schema` has it.
pub(super) struct Declared<'a> {
    pub(super) name: &'a str,
    /// The type's name alone, and all of its declaration.
    pub(super) data_type: &'a str,
    pub(super) column_type: &'a str,
    pub(super) is_not_null: bool,
    /// Characters of a text.
    pub(super) length: Option<i32>,
    /// Digits of a number, or bits.
    pub(super) precision: Option<u8>,
    pub(super) scale: Option<i8>,
    pub(super) charset: Option<&'a str>,
}

/// Character sets that ASCII is part of, so that texts can be compared with what we say in UTF-8.
const CHARSETS: [&str; 9] = [
    "utf8mb4", "utf8mb3", "utf8", "latin1", "ascii", "latin2", "cp1250", "cp1251", "koi8r",
];

/// Texts, for whose equality the column's own collation may be asked first.
const TEXT: Comparable = Comparable::Text { is_bytewise: true };

/// Texts that are numbers there.
const NUMBERED: Comparable = Comparable::Text { is_bytewise: false };

/// Digits of `bigint unsigned`.
const UNSIGNED_DIGITS: u8 = 20;

/// The most digits of a decimal of Arrow's smaller kind.
const DIGITS_MAX_128: u8 = 38;

/// The column of a declaration. `misfit` is what becomes of dates that are none.
pub(super) fn column(of: &Declared<'_>, misfit: Misfit) -> RemoteColumn {
    let name = identifier(of.name);
    let (pg_type, comparable) = becomes(of);
    let sql = match of.data_type {
        // Floating-point numbers are written with all digits where they are computed.
        "float" | "double" => format!("({name} * 1e0)"),
        "bit" => format!("LPAD(BIN({name} + 0), {}, '0')", of.precision.unwrap_or(1)),
        _ if is_geometry(of.data_type) => format!("ST_AsBinary({name})"),
        _ => name,
    };
    let data_type = match pg_type.oid {
        oid::NUMERIC => {
            let (precision, scale) = numeric(of);
            decimal(precision, scale)
        }
        other => types::arrow_type(other).unwrap_or(DataType::Utf8),
    };
    let is_moment = matches!(pg_type.oid, oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ);
    let may_become_null = is_moment && misfit == Misfit::IsNull;
    let is_nullable = !of.is_not_null || may_become_null;
    RemoteColumn {
        sql,
        field: field(of.name, &Field::new("", data_type, true), pg_type).with_nullable(is_nullable),
        comparable,
        misfit,
    }
}

fn becomes(of: &Declared<'_>) -> (PgType, Comparable) {
    let plain = PgType::of;
    let number = |oid| (PgType::of(oid), Comparable::Number);
    let is_known = of
        .charset
        .is_some_and(|charset| CHARSETS.contains(&charset));
    let text = |comparable| {
        if is_known {
            comparable
        } else {
            Comparable::Never
        }
    };
    let is_unsigned = of.column_type.contains("unsigned");
    match of.data_type {
        "tinyint" => number(oid::INT2),
        "smallint" if is_unsigned => number(oid::INT4),
        "smallint" => number(oid::INT2),
        "mediumint" => number(oid::INT4),
        "int" if is_unsigned => number(oid::INT8),
        "int" => number(oid::INT4),
        "bigint" if !is_unsigned => number(oid::INT8),
        "bigint" | "decimal" => {
            let (precision, scale) = numeric(of);
            (PgType::numeric(precision, scale), Comparable::Number)
        }
        // NaN is none of MySQL's, but the zeros and the last digits have an order of their own.
        "float" => (plain(oid::FLOAT4), Comparable::Never),
        "double" => (plain(oid::FLOAT8), Comparable::Never),
        // A constant of two digits would be another year there.
        "year" => (plain(oid::INT2), Comparable::Never),
        "date" => (plain(oid::DATE), Comparable::Date),
        "datetime" => (plain(oid::TIMESTAMP), Comparable::Timestamp),
        "timestamp" => (plain(oid::TIMESTAMPTZ), Comparable::Instant),
        // From -838:59:59 to 838:59:59.
        "time" => (plain(oid::INTERVAL), Comparable::Never),
        "char" | "varchar" => {
            let modifier = of.length.map_or(-1, |length| length.saturating_add(4));
            let varchar = PgType {
                modifier,
                ..plain(oid::VARCHAR)
            };
            (varchar, text(TEXT))
        }
        "tinytext" | "text" | "mediumtext" | "longtext" => (plain(oid::TEXT), text(TEXT)),
        "enum" | "set" => (plain(oid::TEXT), text(NUMBERED)),
        "json" => (plain(oid::JSON), Comparable::Never),
        "uuid" => (plain(oid::UUID), Comparable::Never),
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            (plain(oid::BYTEA), Comparable::Never)
        }
        geometry if is_geometry(geometry) => (plain(oid::BYTEA), Comparable::Never),
        // As MySQL writes it.
        _ => (plain(oid::TEXT), Comparable::Never),
    }
}

fn is_geometry(data_type: &str) -> bool {
    let kinds = ["geometry", "point", "linestring", "polygon", "collection"];
    kinds.iter().any(|kind| data_type.ends_with(kind))
}

/// Digits of a decimal, or of `bigint unsigned`, and how many are behind the point.
fn numeric(of: &Declared<'_>) -> (u8, i8) {
    match of.data_type {
        "decimal" => (of.precision.unwrap_or(10), of.scale.unwrap_or(0)),
        _ => (UNSIGNED_DIGITS, 0),
    }
}

fn decimal(precision: u8, scale: i8) -> DataType {
    match precision {
        0..=DIGITS_MAX_128 => DataType::Decimal128(precision, scale),
        _ => DataType::Decimal256(precision, scale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(declared: &str, digits: Option<(u8, i8)>, shown: &str) {
        let of = Declared {
            name: "a\"b",
            data_type: declared.split(['(', ' ']).next().unwrap_or_default(),
            column_type: declared,
            is_not_null: true,
            length: Some(7),
            precision: digits.map(|digits| digits.0),
            scale: digits.map(|digits| digits.1),
            charset: Some("utf8mb4"),
        };
        let found = column(&of, Misfit::Fails);
        let pg_type = types::of_field(&found.field);
        let formatted = types::format_type(pg_type.oid, pg_type.modifier);
        assert_eq!(formatted.as_deref(), Some(shown), "{declared}");
        assert!(found.sql.contains("\"a\"\"b\"") && !found.field.is_nullable());
    }

    #[test]
    fn types_hold_every_value_that_their_columns_can() {
        check("tinyint(3) unsigned", Some((3, 0)), "smallint");
        check("smallint(5) unsigned zerofill", Some((5, 0)), "integer");
        check("int(10) unsigned", Some((10, 0)), "bigint");
        check("bigint(20) unsigned", Some((20, 0)), "numeric(20,0)");
        check("bigint(20)", Some((19, 0)), "bigint");
        check("decimal(65,30)", Some((65, 30)), "numeric(65,30)");
        check("varchar(7)", None, "character varying(7)");
        check("enum('a','unsigned')", None, "text");
        check("time(6)", None, "interval");
        check("bit(3)", Some((3, 0)), "text");
        check("multipoint", None, "bytea");
        check("geometrycollection", None, "bytea");
        check("timestamp(6)", None, "timestamp with time zone");
        check("inet6", None, "text");
    }

    #[test]
    fn dates_that_may_be_none_may_be_null() {
        let of = Declared {
            name: "d",
            data_type: "date",
            column_type: "date",
            is_not_null: true,
            length: None,
            precision: None,
            scale: None,
            charset: None,
        };
        assert!(column(&of, Misfit::IsNull).field.is_nullable());
        assert!(!column(&of, Misfit::Fails).field.is_nullable());
    }
}
