//! The Arrow types of SQL's type names, where PostgreSQL means another one than DataFusion.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType as SqlType, ObjectName, TimezoneInfo,
};

use super::output_name::fold;
use crate::catalog::system::is_type;
use crate::error::{Error, ErrorKind};
use crate::types::{self, MODIFIER_KEY, TYPE_KEY, oid};

/// Bytes of the modifier before the length (`VARHDRSZ`).
const MODIFIER_BASE: u64 = 4;

/// PostgreSQL's types: timestamps count microseconds, `float` is double precision.
#[derive(Debug)]
pub(super) struct PostgresTypes;

impl TypePlanner for PostgresTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        Ok(match sql_type {
            SqlType::Float(_) => plain(DataType::Float64),
            SqlType::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => plain(
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            ),
            SqlType::Timestamp(..) | SqlType::TimestampNtz(_) => {
                plain(DataType::Timestamp(TimeUnit::Microsecond, None))
            }
            SqlType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                plain(DataType::Time64(TimeUnit::Microsecond))
            }
            SqlType::Time(..) => named(DataType::Binary, oid::TIMETZ),
            SqlType::Interval { .. } => plain(DataType::Interval(IntervalUnit::MonthDayNano)),
            SqlType::Text => plain(DataType::Utf8),
            // Of arrays; values alone are cast by functions (`rules::characters`).
            SqlType::Varchar(length)
            | SqlType::CharacterVarying(length)
            | SqlType::CharVarying(length) => characters(oid::VARCHAR, length.as_ref()),
            SqlType::Char(length) | SqlType::Character(length) => {
                let one = CharacterLength::IntegerLength {
                    length: 1,
                    unit: None,
                };
                characters(oid::BPCHAR, Some(length.as_ref().unwrap_or(&one)))
            }
            SqlType::Array(
                ArrayElemTypeDef::SquareBracket(element, None)
                | ArrayElemTypeDef::AngleBracket(element),
            ) => self.plan_type_field(element)?.and_then(|of| array_of(&of)),
            SqlType::JSON => named(DataType::Utf8, oid::JSON),
            SqlType::JSONB => named(DataType::Utf8, oid::JSONB),
            SqlType::Uuid => named(DataType::Utf8, oid::UUID),
            SqlType::Custom(name, _) => return custom(name),
            _ => None,
        })
    }
}

fn plain(data_type: DataType) -> Option<FieldRef> {
    Some(Arc::new(Field::new("", data_type, true)))
}

fn named(data_type: DataType, oid: u32) -> Option<FieldRef> {
    let metadata = [(TYPE_KEY.to_owned(), oid.to_string())].into();
    Some(Arc::new(
        Field::new("", data_type, true).with_metadata(metadata),
    ))
}

fn characters(oid: u32, length: Option<&CharacterLength>) -> Option<FieldRef> {
    let field = named(DataType::Utf8, oid)?;
    let Some(CharacterLength::IntegerLength { length, .. }) = length else {
        return Some(field);
    };
    let mut metadata = field.metadata().clone();
    let modifier = length.saturating_add(MODIFIER_BASE).to_string();
    metadata.insert(MODIFIER_KEY.to_owned(), modifier);
    Some(Arc::new(field.as_ref().clone().with_metadata(metadata)))
}

/// An array of values whose type has a name of its own: the array bears it, so that lists of the same
/// Arrow type are of one type among themselves.
fn array_of(element: &Field) -> Option<FieldRef> {
    let of = types::of_field(element).oid;
    if !element.metadata().contains_key(TYPE_KEY) {
        return None;
    }
    let list = DataType::new_list(element.data_type().clone(), true);
    let list = Field::new("", list, true).with_metadata(element.metadata().clone());
    // An array of arrays is of their type.
    let array = types::array_of(of).unwrap_or(of);
    Some(types::named(&Arc::new(list), array))
}

/// Types that only PostgreSQL has, under the names of `pg_type`.
///
/// # Errors
/// There is no type of this name: nobody defines types here.
fn custom(name: &ObjectName) -> Result<Option<FieldRef>> {
    let parts = name.0.iter().filter_map(|part| part.as_ident());
    let parts: Vec<String> = parts.map(fold).collect();
    let missing = || {
        let message = format!("type \"{}\" does not exist", parts.join("."));
        let error = Error::new(ErrorKind::UndefinedObject, message);
        DataFusionError::External(Box::new(error))
    };
    let last = match parts.as_slice() {
        [last] => last,
        [schema, last] if schema == "pg_catalog" => last,
        _ => return Err(missing()),
    };
    let type_oid = match last.as_str() {
        "oid" => oid::OID,
        "xid" => oid::XID,
        "name" => oid::NAME,
        "int2" => oid::INT2,
        "int4" => oid::INT4,
        "int8" => oid::INT8,
        "float4" => oid::FLOAT4,
        "float8" => oid::FLOAT8,
        "bool" => oid::BOOL,
        "timestamptz" => oid::TIMESTAMPTZ,
        "timetz" => oid::TIMETZ,
        "bpchar" => oid::BPCHAR,
        "char" => oid::CHAR,
        "uuid" => oid::UUID,
        // Of arrays; one object is cast by a function (`functions::reg`).
        "regclass" => oid::REGCLASS,
        "regnamespace" => oid::REGNAMESPACE,
        "regproc" => oid::REGPROC,
        "regrole" => oid::REGROLE,
        "regtype" => oid::REGTYPE,
        other => match types::kept_named(other) {
            Some(kept) => kept,
            None if is_type(other) => return Ok(None),
            None => return Err(missing()),
        },
    };
    Ok(match (types::arrow_type(type_oid), type_oid) {
        (
            Some(data_type),
            oid::NAME
            | oid::XID
            | oid::BPCHAR
            | oid::CHAR
            | oid::UUID
            | oid::REGCLASS
            | oid::REGNAMESPACE
            | oid::REGPROC
            | oid::REGROLE
            | oid::REGTYPE,
        ) => named(data_type, type_oid),
        (Some(data_type), kept) if types::is_kept(kept) => named(data_type, kept),
        (Some(data_type), _) => plain(data_type),
        (None, _) => None,
    })
}
