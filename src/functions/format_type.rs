//! `format_type`: the SQL name of a type.

use super::names::Names;
use crate::catalog::sql::identifier;
use crate::catalog::system::{Builtin, INFORMATION_SCHEMA_OID, PG_CATALOG_OID, TypeRow};
use crate::types::oid;

/// `bit`, `varbit` and `timetz`, which no value of Lakegate has.
const BIT: u32 = 1560;
const VARBIT: u32 = 1562;
const TIMETZ: u32 = 1266;
const ANY: u32 = 2276;

/// As `format_type_extended` in format_type.c. `modifier` is `None` where the function was given
/// NULL, which asks for the name without what a missing modifier would say.
pub(super) fn format_type(builtin: &Builtin, type_oid: u32, modifier: Option<i32>) -> String {
    if type_oid == 0 {
        return "-".to_owned();
    }
    let Some(row) = builtin.type_row(type_oid) else {
        return "???".to_owned();
    };
    if let Some(element) = row.array_element() {
        return format!("{}[]", format_type(builtin, element, modifier));
    }
    let given = modifier.filter(|modifier| *modifier >= 0);
    match (type_oid, given) {
        (oid::NUMERIC, Some(packed)) if packed >= 4 => {
            let packed = packed - 4;
            // The scale is a signed number of eleven bits.
            let scale = ((packed & 0x7ff) ^ 1024) - 1024;
            format!("numeric({},{scale})", (packed >> 16) & 0xffff)
        }
        (oid::BPCHAR, Some(length)) if length > 4 => format!("character({})", length - 4),
        // A bare `character` means `character(1)`, so that the type without length has its own name.
        (oid::BPCHAR, None) if modifier.is_some() => "bpchar".to_owned(),
        (oid::VARCHAR, Some(length)) if length > 4 => {
            format!("character varying({})", length - 4)
        }
        (BIT, Some(length)) => format!("bit({length})"),
        (BIT, None) if modifier.is_some() => "\"bit\"".to_owned(),
        (VARBIT, Some(length)) => format!("bit varying({length})"),
        (oid::TIME, precision) => timed("time", precision, "without"),
        (TIMETZ, precision) => timed("time", precision, "with"),
        (oid::TIMESTAMP, precision) => timed("timestamp", precision, "without"),
        (oid::TIMESTAMPTZ, precision) => timed("timestamp", precision, "with"),
        _ => standard_name(type_oid).map_or_else(|| own_name(row), str::to_owned),
    }
}

fn timed(name: &str, precision: Option<i32>, with: &str) -> String {
    match precision {
        Some(precision) => format!("{name}({precision}) {with} time zone"),
        None => format!("{name} {with} time zone"),
    }
}

/// Types whose SQL name is not their name in `pg_type`.
fn standard_name(type_oid: u32) -> Option<&'static str> {
    Some(match type_oid {
        oid::BOOL => "boolean",
        oid::INT8 => "bigint",
        oid::INT2 => "smallint",
        oid::INT4 => "integer",
        oid::FLOAT4 => "real",
        oid::FLOAT8 => "double precision",
        oid::BPCHAR => "character",
        oid::VARCHAR => "character varying",
        // Names of these types that are not keywords in this place.
        oid::INTERVAL => "interval",
        oid::NUMERIC => "numeric",
        BIT => "bit",
        VARBIT => "bit varying",
        oid::CHAR => "\"char\"",
        ANY => "\"any\"",
        _ => return None,
    })
}

fn own_name(row: &TypeRow) -> String {
    let name = identifier(&row.name);
    match row.namespace {
        INFORMATION_SCHEMA_OID => format!("information_schema.{name}"),
        _ => name,
    }
}

/// The OID of the type that a name means, with `[]` and SQL's own names understood.
pub(super) fn type_oid(names: &Names, text: &str) -> Option<u32> {
    let text = text.trim();
    if let Some(element) = text.strip_suffix("[]") {
        let element = type_oid(names, element)?;
        let mut types = names.builtin.types().iter();
        return types
            .find(|(_, row)| row.array_element() == Some(element))
            .map(|(oid, _)| *oid);
    }
    // A modifier does not change which type it is.
    let bare = text.split_once('(').map_or_else(
        || text.to_lowercase(),
        |(name, rest)| {
            let after = rest.split_once(')').map_or("", |(_, after)| after);
            format!("{}{after}", name.trim_end()).to_lowercase()
        },
    );
    if let Some(found) = sql_type(&bare) {
        return Some(found);
    }
    let parts = super::names::parse_name(text).ok()?;
    let (schema, name) = match parts.as_slice() {
        [name] => (PG_CATALOG_OID, name),
        [.., schema, name] => (names.schema_oid(schema)?, name),
        [] => return None,
    };
    let mut types = names.builtin.types().iter();
    types
        .find(|(_, row)| row.namespace == schema && row.name == *name)
        .map(|(oid, _)| *oid)
        .or_else(|| names.row_type_oid(text))
}

/// SQL's names of types, which the grammar knows and `pg_type` does not.
fn sql_type(name: &str) -> Option<u32> {
    Some(match name {
        "boolean" => oid::BOOL,
        "bigint" => oid::INT8,
        "smallint" => oid::INT2,
        "integer" | "int" => oid::INT4,
        "real" => oid::FLOAT4,
        "double precision" | "float" => oid::FLOAT8,
        "decimal" | "dec" | "numeric" => oid::NUMERIC,
        "character varying" | "varchar" => oid::VARCHAR,
        "character" | "char" => oid::BPCHAR,
        "time" | "time without time zone" => oid::TIME,
        "time with time zone" => TIMETZ,
        "timestamp" | "timestamp without time zone" => oid::TIMESTAMP,
        "timestamp with time zone" => oid::TIMESTAMPTZ,
        "bit varying" => VARBIT,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(type_oid: u32, modifier: Option<i32>, expected: &str) {
        let builtin = Builtin::default();
        assert_eq!(format_type(&builtin, type_oid, modifier), expected);
    }

    #[test]
    fn names_are_those_of_postgres() {
        check(oid::VARCHAR, Some(14), "character varying(10)");
        check(oid::BPCHAR, Some(9), "character(5)");
        check(oid::BPCHAR, Some(-1), "bpchar");
        check(oid::BPCHAR, None, "character");
        check(oid::NUMERIC, Some(655_366), "numeric(10,2)");
        check(oid::TIMESTAMP, Some(3), "timestamp(3) without time zone");
        check(1007, None, "integer[]");
        check(1015, Some(14), "character varying(10)[]");
        check(oid::CHAR, None, "\"char\"");
        check(oid::NAME, None, "name");
        check(0, None, "-");
        check(99_999, None, "???");
    }
}
