//! PostgreSQL's types as columns: what is selected of each, and how its binary form is read.
//! Tabular: one line a type.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

use crate::sources::warehouse::quote::identifier;
use crate::sources::warehouse::relation::{Comparable, Misfit, RemoteColumn, field};
use crate::types::{self, PgType, oid};

/// A column as `pg_attribute` has it, domains resolved.
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) type_oid: u32,
    pub(super) modifier: i32,
    pub(super) is_not_null: bool,
    /// Whether its collation, if it has one, finds only equal bytes equal.
    pub(super) is_bytewise: bool,
    pub(super) is_enum: bool,
}

/// The first number of what is not the server's own.
const FIRST_OF_USERS: u32 = 16_384;

impl Attribute {
    /// Whether it may depend on more than the rows what its values are as text: `money` is written by
    /// a setting, and types of users by whatever functions of theirs.
    pub(super) fn depends(&self) -> bool {
        let (own, array) = (self.type_oid, types::element_of(self.type_oid));
        let is_own = own < FIRST_OF_USERS && array.is_none_or(|of| of < FIRST_OF_USERS);
        let is_money = [own, array.unwrap_or(0)].contains(&MONEY);
        (!is_own && !self.is_enum) || is_money || own == MONEY_ARRAY
    }
}

const MONEY: u32 = 790;
const MONEY_ARRAY: u32 = 791;

const TEXT: Comparable = Comparable::Text { is_bytewise: true };

/// Types whose values are taken as they are, the names of their casts, and how the source compares
/// them. All others are cast to text.
const AS_THEY_ARE: &[(u32, &str, Comparable)] = &[
    (oid::BOOL, "bool", Comparable::Boolean),
    (oid::INT2, "int2", Comparable::Number),
    (oid::INT4, "int4", Comparable::Number),
    (oid::INT8, "int8", Comparable::Number),
    (oid::OID, "oid", Comparable::Never),
    // NaN and the zeros have an order of their own here and there.
    (oid::FLOAT4, "float4", Comparable::Never),
    (oid::FLOAT8, "float8", Comparable::Never),
    (oid::NUMERIC, "numeric", Comparable::Number),
    (oid::TEXT, "text", TEXT),
    (oid::VARCHAR, "varchar", TEXT),
    // Blanks at its end do not count.
    (oid::BPCHAR, "bpchar", Comparable::Never),
    (oid::NAME, "name", Comparable::Never),
    (oid::BYTEA, "bytea", Comparable::Never),
    (oid::DATE, "date", Comparable::Date),
    (oid::TIME, "time", Comparable::Never),
    (oid::TIMETZ, "timetz", Comparable::Never),
    (oid::TIMESTAMP, "timestamp", Comparable::Timestamp),
    (oid::TIMESTAMPTZ, "timestamptz", Comparable::Instant),
    (oid::INTERVAL, "interval", Comparable::Never),
    (oid::UUID, "uuid", Comparable::Never),
    (oid::JSON, "json", Comparable::Never),
    (oid::JSONB, "jsonb", Comparable::Never),
    (oid::INET, "inet", Comparable::Never),
    (oid::CIDR, "cidr", Comparable::Never),
    (oid::MACADDR, "macaddr", Comparable::Never),
    (oid::MACADDR8, "macaddr8", Comparable::Never),
    (oid::INT4RANGE, "int4range", Comparable::Never),
    (oid::INT8RANGE, "int8range", Comparable::Never),
    (oid::NUMRANGE, "numrange", Comparable::Never),
    (oid::DATERANGE, "daterange", Comparable::Never),
    (oid::TSRANGE, "tsrange", Comparable::Never),
    (oid::TSTZRANGE, "tstzrange", Comparable::Never),
    (oid::INT4MULTIRANGE, "int4multirange", Comparable::Never),
    (oid::INT8MULTIRANGE, "int8multirange", Comparable::Never),
    (oid::NUMMULTIRANGE, "nummultirange", Comparable::Never),
    (oid::DATEMULTIRANGE, "datemultirange", Comparable::Never),
    (oid::TSMULTIRANGE, "tsmultirange", Comparable::Never),
    (oid::TSTZMULTIRANGE, "tstzmultirange", Comparable::Never),
];

/// Digits of the largest decimals of Arrow.
const DIGITS_MAX: u8 = 76;
const DIGITS_MAX_128: u8 = 38;

/// The column of an attribute. `numeric` is what numerics without precision are read as.
pub(super) fn column(of: &Attribute, numeric: Option<(u8, i8)>) -> RemoteColumn {
    let (cast, comparable, plain, pg_type) = as_it_is(of, numeric)
        .or_else(|| array(of))
        .unwrap_or_else(|| {
            let plain = Field::new("", DataType::Utf8, true);
            // By whatever collation its own type has none of.
            let text = Comparable::Text { is_bytewise: false };
            ("text".to_owned(), text, plain, PgType::of(oid::TEXT))
        });
    let comparable = match comparable {
        Comparable::Text { is_bytewise } => Comparable::Text {
            is_bytewise: is_bytewise && of.is_bytewise,
        },
        other => other,
    };
    RemoteColumn {
        // A type that changes meanwhile is cast, or is an error, and never taken for another.
        sql: format!("{}::pg_catalog.{cast}", identifier(&of.name)),
        field: field(&of.name, &plain, pg_type).with_nullable(!of.is_not_null),
        comparable,
        misfit: Misfit::Fails,
    }
}

/// Cast, comparison, Arrow's type and PostgreSQL's.
type Found = (String, Comparable, Field, PgType);

fn as_it_is(of: &Attribute, numeric: Option<(u8, i8)>) -> Option<Found> {
    let known = AS_THEY_ARE.iter().find(|(oid, ..)| *oid == of.type_oid);
    let (type_oid, cast, comparable) = known?;
    let mut pg_type = PgType::of(*type_oid);
    let data_type = match *type_oid {
        oid::NUMERIC => match precision(of.modifier).or(numeric) {
            Some((precision, scale)) => {
                pg_type.modifier = modifier(precision, scale);
                decimal(precision, scale)
            }
            // Of any size, and as they are.
            None => DataType::Binary,
        },
        oid::VARCHAR | oid::BPCHAR => {
            pg_type.modifier = of.modifier;
            DataType::Utf8
        }
        other => types::arrow_type(other)?,
    };
    let comparable = match data_type {
        DataType::Binary if *type_oid == oid::NUMERIC => Comparable::Never,
        _ => *comparable,
    };
    let plain = Field::new("", data_type, true);
    Some(((*cast).to_owned(), comparable, plain, pg_type))
}

/// Arrays of types whose values Arrow has.
fn array(of: &Attribute) -> Option<Found> {
    let element = types::element_of(of.type_oid)?;
    let known = AS_THEY_ARE.iter().find(|(oid, ..)| *oid == element)?;
    let mut pg_type = PgType::of(of.type_oid);
    let inner = match element {
        oid::NUMERIC => {
            let (precision, scale) = precision(of.modifier)?;
            pg_type.modifier = of.modifier;
            decimal(precision, scale)
        }
        kept if types::is_kept(kept) => return None,
        other => types::arrow_type(other)?,
    };
    let list = DataType::List(Arc::new(Field::new_list_field(inner, true)));
    let plain = Field::new("", list, true);
    Some((format!("{}[]", known.1), Comparable::Never, plain, pg_type))
}

fn decimal(precision: u8, scale: i8) -> DataType {
    match precision {
        0..=DIGITS_MAX_128 => DataType::Decimal128(precision, scale),
        _ => DataType::Decimal256(precision, scale),
    }
}

/// Precision and scale of a modifier, if it has some that Arrow's decimals have (`numerictypmodin`
/// in numeric.c; the scale has 11 bits and a sign).
fn precision(modifier: i32) -> Option<(u8, i8)> {
    let packed = modifier.checked_sub(4).filter(|packed| *packed >= 0)?;
    let precision = u8::try_from(packed >> 16).ok()?;
    let scale = i8::try_from(((packed & 0x7ff) ^ 1024) - 1024).ok()?;
    let fits = precision <= DIGITS_MAX && scale >= 0 && scale.unsigned_abs() <= precision;
    fits.then_some((precision, scale))
}

fn modifier(precision: u8, scale: i8) -> i32 {
    ((i32::from(precision) << 16) | i32::from(scale)) + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(type_oid: u32, modifier: i32, cast: &str, shown: &str) {
        let attribute = Attribute {
            name: "a b".to_owned(),
            type_oid,
            modifier,
            is_not_null: false,
            is_bytewise: true,
            is_enum: false,
        };
        let found = column(&attribute, None);
        assert_eq!(found.sql, format!("\"a b\"::pg_catalog.{cast}"));
        let of = types::of_field(&found.field);
        assert_eq!(
            types::format_type(of.oid, of.modifier).as_deref(),
            Some(shown)
        );
    }

    #[test]
    fn types_stay_what_they_are_where_we_have_them() {
        check(oid::INT4, -1, "int4", "integer");
        check(oid::NUMERIC, modifier(12, 2), "numeric", "numeric(12,2)");
        check(oid::NUMERIC, modifier(38, 0), "numeric", "numeric(38,0)");
        check(oid::NUMERIC, modifier(50, 10), "numeric", "numeric(50,10)");
        check(oid::NUMERIC, -1, "numeric", "numeric");
        check(oid::VARCHAR, 14, "varchar", "character varying(10)");
        check(oid::BPCHAR, 7, "bpchar", "character(3)");
        check(oid::UUID, -1, "uuid", "uuid");
        check(oid::INET, -1, "inet", "inet");
        check(1007, -1, "int4[]", "integer[]");
        check(1231, modifier(12, 2), "numeric[]", "numeric(12,2)[]");
        check(1231, -1, "text", "text");
        check(790, -1, "text", "text");
    }
}
