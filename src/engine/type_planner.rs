//! The Arrow types of SQL's type names, where PostgreSQL means another one than DataFusion.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, ObjectName, TimezoneInfo};

use crate::error::Error;
use crate::types::{self, TYPE_KEY, oid};

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
            SqlType::Time(..) => return refuse("type time with time zone"),
            SqlType::Interval { .. } => plain(DataType::Interval(IntervalUnit::MonthDayNano)),
            SqlType::Text => plain(DataType::Utf8),
            // Of arrays; values alone are cast by functions (`rules::characters`).
            SqlType::Varchar(None)
            | SqlType::CharacterVarying(None)
            | SqlType::CharVarying(None) => named(DataType::Utf8, oid::VARCHAR),
            SqlType::Varchar(_) | SqlType::CharacterVarying(_) | SqlType::CharVarying(_) => {
                return refuse("an array of character varying(n)");
            }
            SqlType::Char(_) | SqlType::Character(_) => return refuse("an array of character(n)"),
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

fn refuse<T>(what: &str) -> Result<T> {
    Err(DataFusionError::External(Box::new(Error::unsupported(
        what,
    ))))
}

/// Types that only PostgreSQL has, under the names of `pg_type`.
fn custom(name: &ObjectName) -> Result<Option<FieldRef>> {
    let last = name.0.last().and_then(|part| part.as_ident());
    let name = last
        .map(|name| name.value.to_lowercase())
        .unwrap_or_default();
    let type_oid = match name.as_str() {
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
        "bpchar" | "char" => return refuse("an array of character(n)"),
        _ => return Ok(None),
    };
    Ok(match (types::arrow_type(type_oid), type_oid) {
        (Some(data_type), oid::NAME | oid::XID) => named(data_type, type_oid),
        (Some(data_type), _) => plain(data_type),
        (None, _) => None,
    })
}
