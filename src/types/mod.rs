//! Arrow to PostgreSQL and back: OIDs, lengths, modifiers and names, on which `wire` and `catalog` must agree.
//!
//! A relation's schema holds only the Arrow types of [`of_field`]'s table. Unsigned integers of
//! files are widened before they get here ([`lake_type`]), so that `UInt32` can mean `oid`.

mod choice;
mod encoding;
mod quantity;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};

pub use choice::common_type;
pub use encoding::Encoding;
pub use quantity::{BYTES, DURATION, KILOBYTES, Units};

/// The key in a field's metadata that names a PostgreSQL type (its OID in decimal) where the Arrow
/// type alone does not say it: `name`, `"char"`, `regclass` and their kind.
pub const TYPE_KEY: &str = "lakegate.type";

/// The key in a field's metadata of a type modifier that the Arrow type does not say: the length of
/// `varchar(n)` and `character(n)`, the digits of `timestamp(p)` and its kind.
pub const MODIFIER_KEY: &str = "lakegate.modifier";

/// A PostgreSQL type as RowDescription and `pg_attribute` state it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PgType {
    /// The OID of `pg_type`.
    pub oid: u32,
    /// Bytes of a value; -1 for a varlena, as in `pg_type.typlen`.
    pub length: i16,
    /// The type modifier; -1 for none.
    pub modifier: i32,
}

/// OIDs of the types that Lakegate's values have, as in `pg_type.dat`.
pub mod oid {
    #![expect(
        missing_docs,
        reason = "each constant is the PostgreSQL type of its name"
    )]
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const CHAR: u32 = 18;
    pub const NAME: u32 = 19;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT2VECTOR: u32 = 22;
    pub const INT4: u32 = 23;
    pub const REGPROC: u32 = 24;
    pub const TEXT: u32 = 25;
    pub const OID: u32 = 26;
    pub const XID: u32 = 28;
    pub const OIDVECTOR: u32 = 30;
    pub const JSON: u32 = 114;
    pub const PG_NODE_TREE: u32 = 194;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const UNKNOWN: u32 = 705;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIME: u32 = 1083;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const INTERVAL: u32 = 1186;
    pub const NUMERIC: u32 = 1700;
    pub const REGCLASS: u32 = 2205;
    pub const REGTYPE: u32 = 2206;
    pub const VOID: u32 = 2278;
    pub const UUID: u32 = 2950;
    pub const JSONB: u32 = 3802;
    pub const REGNAMESPACE: u32 = 4089;
    pub const REGROLE: u32 = 4096;
    pub const CIDR: u32 = 650;
    pub const MACADDR8: u32 = 774;
    pub const MACADDR: u32 = 829;
    pub const INET: u32 = 869;
    pub const TIMETZ: u32 = 1266;
    pub const RECORD: u32 = 2249;
    pub const INT4RANGE: u32 = 3904;
    pub const NUMRANGE: u32 = 3906;
    pub const TSRANGE: u32 = 3908;
    pub const TSTZRANGE: u32 = 3910;
    pub const DATERANGE: u32 = 3912;
    pub const INT8RANGE: u32 = 3926;
    pub const INT4MULTIRANGE: u32 = 4451;
    pub const NUMMULTIRANGE: u32 = 4532;
    pub const TSMULTIRANGE: u32 = 4533;
    pub const TSTZMULTIRANGE: u32 = 4534;
    pub const DATEMULTIRANGE: u32 = 4535;
    pub const INT8MULTIRANGE: u32 = 4536;
}

/// Element type, array type, length and name of each type, as `pg_type` has them.
const TYPES: &[(u32, u32, i16, &str)] = &[
    (oid::BOOL, 1000, 1, "boolean"),
    (oid::BYTEA, 1001, -1, "bytea"),
    (oid::CHAR, 1002, 1, "\"char\""),
    (oid::NAME, 1003, 64, "name"),
    (oid::INT8, 1016, 8, "bigint"),
    (oid::INT2, 1005, 2, "smallint"),
    (oid::INT2VECTOR, 1006, -1, "int2vector"),
    (oid::INT4, 1007, 4, "integer"),
    (oid::REGPROC, 1008, 4, "regproc"),
    (oid::TEXT, 1009, -1, "text"),
    (oid::OID, 1028, 4, "oid"),
    (oid::XID, 1011, 4, "xid"),
    (oid::OIDVECTOR, 1013, -1, "oidvector"),
    (oid::JSON, 199, -1, "json"),
    (oid::PG_NODE_TREE, 0, -1, "pg_node_tree"),
    (oid::FLOAT4, 1021, 4, "real"),
    (oid::FLOAT8, 1022, 8, "double precision"),
    (oid::UNKNOWN, 0, -2, "unknown"),
    (oid::BPCHAR, 1014, -1, "character"),
    (oid::VARCHAR, 1015, -1, "character varying"),
    (oid::DATE, 1182, 4, "date"),
    (oid::TIME, 1183, 8, "time without time zone"),
    (oid::TIMESTAMP, 1115, 8, "timestamp without time zone"),
    (oid::TIMESTAMPTZ, 1185, 8, "timestamp with time zone"),
    (oid::INTERVAL, 1187, 16, "interval"),
    (oid::NUMERIC, 1231, -1, "numeric"),
    (oid::REGCLASS, 2210, 4, "regclass"),
    (oid::REGTYPE, 2211, 4, "regtype"),
    (oid::VOID, 0, 4, "void"),
    (oid::UUID, 2951, 16, "uuid"),
    (oid::JSONB, 3807, -1, "jsonb"),
    (oid::REGNAMESPACE, 4090, 4, "regnamespace"),
    (oid::REGROLE, 4097, 4, "regrole"),
    (oid::CIDR, 651, -1, "cidr"),
    (oid::MACADDR8, 775, 8, "macaddr8"),
    (oid::MACADDR, 1040, 6, "macaddr"),
    (oid::INET, 1041, -1, "inet"),
    (oid::TIMETZ, 1270, 12, "time with time zone"),
    (oid::RECORD, 2287, -1, "record"),
    (oid::INT4RANGE, 3905, -1, "int4range"),
    (oid::NUMRANGE, 3907, -1, "numrange"),
    (oid::TSRANGE, 3909, -1, "tsrange"),
    (oid::TSTZRANGE, 3911, -1, "tstzrange"),
    (oid::DATERANGE, 3913, -1, "daterange"),
    (oid::INT8RANGE, 3927, -1, "int8range"),
    (oid::INT4MULTIRANGE, 6150, -1, "int4multirange"),
    (oid::NUMMULTIRANGE, 6151, -1, "nummultirange"),
    (oid::TSMULTIRANGE, 6152, -1, "tsmultirange"),
    (oid::TSTZMULTIRANGE, 6153, -1, "tstzmultirange"),
    (oid::DATEMULTIRANGE, 6155, -1, "datemultirange"),
    (oid::INT8MULTIRANGE, 6157, -1, "int8multirange"),
];

/// Each range type, its multirange type, and the type of its ends, as `pg_range` has them.
const RANGES: &[(u32, u32, u32)] = &[
    (oid::INT4RANGE, oid::INT4MULTIRANGE, oid::INT4),
    (oid::INT8RANGE, oid::INT8MULTIRANGE, oid::INT8),
    (oid::NUMRANGE, oid::NUMMULTIRANGE, oid::NUMERIC),
    (oid::DATERANGE, oid::DATEMULTIRANGE, oid::DATE),
    (oid::TSRANGE, oid::TSMULTIRANGE, oid::TIMESTAMP),
    (oid::TSTZRANGE, oid::TSTZMULTIRANGE, oid::TIMESTAMPTZ),
];

impl PgType {
    /// The type of this OID without a modifier. Unknown OIDs count as variable in length.
    pub fn of(oid: u32) -> Self {
        let length = TYPES
            .iter()
            .find(|(element, ..)| *element == oid)
            .map_or(-1, |(_, _, length, _)| *length);
        Self {
            oid,
            length,
            modifier: -1,
        }
    }

    /// The modifier of `numeric(precision, scale)`, as `numerictypmodin` in numeric.c makes it.
    /// 38 digits are what DataFusion computes with: unconstrained numeric, which has none.
    pub fn numeric(precision: u8, scale: i8) -> Self {
        if precision == 38 {
            return Self::of(oid::NUMERIC);
        }
        let modifier = ((i32::from(precision) << 16) | (i32::from(scale) & 0x7ff)) + 4;
        Self {
            modifier,
            ..Self::of(oid::NUMERIC)
        }
    }
}

/// The element type of an array type.
pub fn element_of(array: u32) -> Option<u32> {
    TYPES
        .iter()
        .find(|(_, of, ..)| *of == array && array != 0)
        .map(|(element, ..)| *element)
}

/// The array type of an element type.
pub fn array_of(element: u32) -> Option<u32> {
    TYPES
        .iter()
        .find(|(of, array, ..)| *of == element && *array != 0)
        .map(|(_, array, ..)| *array)
}

/// The type of the ends of a range type.
pub fn range_of(range: u32) -> Option<u32> {
    let found = RANGES.iter().find(|(of, ..)| *of == range);
    found.map(|(.., subtype)| *subtype)
}

/// The range type of a multirange type.
pub fn multirange_of(multirange: u32) -> Option<u32> {
    let found = RANGES.iter().find(|(_, of, _)| *of == multirange);
    found.map(|(range, ..)| *range)
}

/// Whether all values of a type are kept as bytes of our own, for Arrow has no type for them
/// (`functions::kept`).
pub fn is_kept(pg_oid: u32) -> bool {
    matches!(
        pg_oid,
        oid::TIMETZ | oid::INET | oid::CIDR | oid::MACADDR | oid::MACADDR8
    ) || range_of(pg_oid).is_some()
        || multirange_of(pg_oid).is_some()
}

/// The kept type of this name.
pub fn kept_named(name: &str) -> Option<u32> {
    let mut kept = TYPES.iter().filter(|(of, ..)| is_kept(*of));
    kept.find(|(.., known)| *known == name).map(|(of, ..)| *of)
}

/// The type of a field whose values are kept, as are those of numerics and dates that Arrow's do not
/// hold.
pub fn kept(field: &Field) -> Option<u32> {
    let is_bytes = matches!(field.data_type(), DataType::Binary | DataType::BinaryView);
    let of = of_field(field).oid;
    (is_bytes && of != oid::BYTEA).then_some(of)
}

/// Whether values are rows: of `record`, or of a relation's own type. Nested columns of the lake are JSON.
pub fn is_record(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Struct(_)) && of_field(field).oid != oid::JSON
}

/// A field that says its type, whatever its values tell.
pub fn named(field: &FieldRef, pg_oid: u32) -> FieldRef {
    let mut metadata = field.metadata().clone();
    metadata.insert(TYPE_KEY.to_owned(), pg_oid.to_string());
    Arc::new(field.as_ref().clone().with_metadata(metadata))
}

/// A type's name as `format_type(oid, modifier)` gives it; `None` for an OID unknown here.
pub fn format_type(oid: u32, modifier: i32) -> Option<String> {
    if let Some(element) = element_of(oid) {
        return Some(format!("{}[]", format_type(element, modifier)?));
    }
    let (.., name) = TYPES.iter().find(|(of, ..)| *of == oid)?;
    if matches!(oid, self::oid::VARCHAR | self::oid::BPCHAR) && modifier > 4 {
        return Some(format!("{name}({})", modifier - 4));
    }
    if oid == self::oid::NUMERIC && modifier >= 4 {
        let packed = modifier - 4;
        return Some(format!("{name}({},{})", packed >> 16, packed & 0x7ff));
    }
    Some((*name).to_owned())
}

/// The PostgreSQL type of a column.
pub fn of_field(field: &Field) -> PgType {
    let said = |key: &str| field.metadata().get(key);
    let of = match said(TYPE_KEY).and_then(|oid| oid.parse().ok()) {
        Some(oid) => PgType::of(oid),
        None => of_arrow(field.data_type()),
    };
    let modifier = said(MODIFIER_KEY).and_then(|modifier| modifier.parse().ok());
    PgType {
        modifier: modifier.unwrap_or(of.modifier),
        ..of
    }
}

/// The PostgreSQL type of an Arrow type.
pub fn of_arrow(data_type: &DataType) -> PgType {
    match data_type {
        DataType::Boolean => PgType::of(oid::BOOL),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => PgType::of(oid::INT2),
        DataType::Int32 | DataType::UInt16 => PgType::of(oid::INT4),
        // DataFusion counts rows of windows in UInt64; the values stay far below 2^63.
        DataType::Int64 | DataType::UInt64 => PgType::of(oid::INT8),
        DataType::UInt32 => PgType::of(oid::OID),
        DataType::Float16 | DataType::Float32 => PgType::of(oid::FLOAT4),
        DataType::Float64 => PgType::of(oid::FLOAT8),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => PgType::numeric(*precision, *scale),
        DataType::Date32 | DataType::Date64 => PgType::of(oid::DATE),
        DataType::Time32(_) | DataType::Time64(_) => PgType::of(oid::TIME),
        DataType::Timestamp(_, None) => PgType::of(oid::TIMESTAMP),
        DataType::Timestamp(_, Some(_)) => PgType::of(oid::TIMESTAMPTZ),
        DataType::Interval(_) | DataType::Duration(_) => PgType::of(oid::INTERVAL),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => PgType::of(oid::BYTEA),
        DataType::Dictionary(_, value) => of_arrow(value),
        DataType::RunEndEncoded(_, values) => of_field(values),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => of_list(element),
        DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => PgType::of(oid::JSON),
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            PgType::of(oid::TEXT)
        }
    }
}

/// Lists of plain values are arrays; lists of structures, or of lists of them, are json.
fn of_list(element: &Field) -> PgType {
    let inner = of_field(element);
    match array_of(inner.oid) {
        Some(array) if inner.oid != oid::JSON => PgType {
            modifier: inner.modifier,
            ..PgType::of(array)
        },
        // PostgreSQL's array types have any number of dimensions.
        _ if element_of(inner.oid).is_some() => inner,
        _ => PgType::of(oid::JSON),
    }
}

/// The Arrow type that holds values of a PostgreSQL type, as parameters need it.
/// `None` for types that Lakegate has no values of.
pub fn arrow_type(oid: u32) -> Option<DataType> {
    Some(match oid {
        oid::BOOL => DataType::Boolean,
        oid::BYTEA => DataType::Binary,
        oid::INT2 => DataType::Int16,
        oid::INT4 => DataType::Int32,
        oid::INT8 => DataType::Int64,
        oid::OID
        | oid::XID
        | oid::REGPROC
        | oid::REGCLASS
        | oid::REGTYPE
        | oid::REGNAMESPACE
        | oid::REGROLE => DataType::UInt32,
        oid::FLOAT4 => DataType::Float32,
        oid::FLOAT8 => DataType::Float64,
        // A parameter's own digits decide precision and scale when its value arrives.
        oid::NUMERIC => DataType::Decimal128(38, 10),
        oid::DATE => DataType::Date32,
        oid::TIME => DataType::Time64(TimeUnit::Microsecond),
        oid::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        oid::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        oid::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        oid::TEXT
        | oid::VARCHAR
        | oid::BPCHAR
        | oid::NAME
        | oid::CHAR
        | oid::UNKNOWN
        | oid::JSON
        | oid::JSONB
        | oid::UUID => DataType::Utf8,
        kept if is_kept(kept) => DataType::Binary,
        array => {
            let element = arrow_type(element_of(array)?)?;
            DataType::List(Field::new_list_field(element, true).into())
        }
    })
}

/// The type under which a column of a file is served: one that PostgreSQL has, and that holds
/// every value. Unsigned integers widen, timestamps count microseconds, dictionaries unfold.
pub fn lake_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(_, Some(_)) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Dictionary(_, value) => lake_type(value),
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data_type: &DataType, expected: &str) {
        let of = of_arrow(data_type);
        assert_eq!(format_type(of.oid, of.modifier).as_deref(), Some(expected));
    }

    #[test]
    fn names_are_postgres_names() {
        check(&DataType::Int32, "integer");
        check(&DataType::Decimal128(15, 2), "numeric(15,2)");
        check(
            &DataType::Timestamp(TimeUnit::Microsecond, None),
            "timestamp without time zone",
        );
        check(&DataType::new_list(DataType::Utf8, true), "text[]");
        check(
            &DataType::new_list(DataType::new_list(DataType::Int64, true), true),
            "bigint[]",
        );
    }

    #[test]
    fn every_parameter_type_comes_back_as_itself() {
        for oid in [
            oid::BOOL,
            oid::INT2,
            oid::INT8,
            oid::FLOAT8,
            oid::DATE,
            oid::TIMESTAMPTZ,
            1009,
        ] {
            let arrow = arrow_type(oid).expect("the type has values");
            assert_eq!(of_arrow(&arrow).oid, oid);
        }
    }
}
