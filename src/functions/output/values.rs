//! A column of a batch, looked through once: which type it has, so that a row need not ask again.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Date32Array,
    Decimal128Array, Decimal256Array, FixedSizeBinaryArray, Float32Array, Float64Array, Int16Array,
    Int32Array, Int64Array, IntervalMonthDayNanoArray, LargeBinaryArray, LargeStringArray,
    ListArray, StringArray, StringViewArray, StructArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Field, Float32Type, Float64Type,
    Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType,
    TimeUnit, TimestampMicrosecondType, UInt32Type, UInt64Type,
};

use crate::error::{Error, ErrorKind, Result};
use crate::types::{self, element_of, oid};

/// The values of a column.
#[derive(Debug)]
pub enum Values {
    Null,
    Bool(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    Oid(UInt32Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Decimal128(Decimal128Array, i8),
    Decimal256(Decimal256Array, i8),
    Date(Date32Array),
    /// Microseconds of the day.
    Time(Int64Array),
    /// Microseconds since 1970.
    Timestamp(Int64Array),
    Timestamptz(Int64Array),
    Interval(IntervalMonthDayNanoArray),
    /// Microseconds.
    Duration(Int64Array),
    Text(StringArray),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    Bytes(BinaryArray),
    LargeBytes(LargeBinaryArray),
    BytesView(BinaryViewArray),
    FixedBytes(FixedSizeBinaryArray),
    /// Of types that Arrow lacks (`functions::kept`), and which of them.
    Kept(BinaryArray, u32),
    List(Box<List>),
    Record(Box<Record>),
}

/// The rows of a column of records.
#[derive(Debug)]
pub struct Record {
    /// The rows, with their nulls.
    pub rows: StructArray,
    /// PostgreSQL's type and the values of each field.
    pub fields: Vec<(u32, Values)>,
}

/// The lists of a column.
#[derive(Debug)]
pub struct List {
    /// The lists' offsets and nulls.
    pub lists: ListArray,
    /// The values of all of them.
    pub elements: Values,
    /// PostgreSQL's type of what is not a list any more.
    pub element_oid: u32,
    /// `int2vector` and `oidvector` have a text form of their own, without braces.
    pub is_vector: bool,
}

impl Values {
    /// Looks through a column that is sent as the type of this OID.
    ///
    /// # Errors
    /// A value that PostgreSQL's type cannot hold.
    pub fn of(array: &ArrayRef, pg_oid: u32) -> Result<Self> {
        if matches!(pg_oid, oid::JSON | oid::JSONB) && array.data_type().is_nested() {
            return crate::functions::json::texts(array).map(Self::Text);
        }
        Ok(match array.data_type() {
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
                if pg_oid != oid::BYTEA =>
            {
                let kept = cast(array, &DataType::Binary)?;
                Self::Kept(kept.as_binary().clone(), pg_oid)
            }
            // Nested columns of the lake are JSON.
            DataType::Struct(_) => Self::Record(Box::new(Record::of(array)?)),
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bool(array.as_boolean().clone()),
            DataType::Int8 | DataType::UInt8 | DataType::Int16 => Self::Int2(
                cast(array, &DataType::Int16)?
                    .as_primitive::<Int16Type>()
                    .clone(),
            ),
            DataType::UInt16 | DataType::Int32 => Self::Int4(
                cast(array, &DataType::Int32)?
                    .as_primitive::<Int32Type>()
                    .clone(),
            ),
            DataType::Int64 => Self::Int8(array.as_primitive::<Int64Type>().clone()),
            DataType::UInt64 => Self::Int8(int8(array)?),
            DataType::UInt32 => Self::Oid(array.as_primitive::<UInt32Type>().clone()),
            DataType::Float16 | DataType::Float32 => Self::Float4(
                cast(array, &DataType::Float32)?
                    .as_primitive::<Float32Type>()
                    .clone(),
            ),
            DataType::Float64 => Self::Float8(array.as_primitive::<Float64Type>().clone()),
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => {
                let wide = cast(array, &DataType::Decimal128(*precision, *scale))?;
                Self::Decimal128(wide.as_primitive::<Decimal128Type>().clone(), *scale)
            }
            DataType::Decimal256(_, scale) => {
                Self::Decimal256(array.as_primitive::<Decimal256Type>().clone(), *scale)
            }
            DataType::Utf8 => Self::Text(array.as_string().clone()),
            DataType::LargeUtf8 => Self::LargeText(array.as_string().clone()),
            DataType::Utf8View => Self::TextView(array.as_string_view().clone()),
            DataType::Binary => Self::Bytes(array.as_binary().clone()),
            DataType::LargeBinary => Self::LargeBytes(array.as_binary().clone()),
            DataType::BinaryView => Self::BytesView(array.as_binary_view().clone()),
            DataType::FixedSizeBinary(_) => Self::FixedBytes(array.as_fixed_size_binary().clone()),
            DataType::Dictionary(_, values) => {
                // Views of a dictionary's texts are made without copying one of them.
                let plain = match **values {
                    DataType::Utf8 => &DataType::Utf8View,
                    DataType::Binary => &DataType::BinaryView,
                    _ => &**values,
                };
                return Self::of(&cast(array, plain)?, pg_oid);
            }
            DataType::RunEndEncoded(_, values) => {
                return Self::of(&cast(array, values.data_type())?, pg_oid);
            }
            DataType::Map(..) | DataType::Union(..) => {
                Self::Text(crate::functions::json::texts(array)?)
            }
            other if is_list(other) => Self::List(Box::new(List::of(array, pg_oid)?)),
            _ => Self::of_time(array)?,
        })
    }

    fn of_time(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Date32 | DataType::Date64 => Self::Date(
                cast(array, &DataType::Date32)?
                    .as_primitive::<Date32Type>()
                    .clone(),
            ),
            DataType::Time32(_) | DataType::Time64(_) => {
                let micros = cast(array, &DataType::Time64(TimeUnit::Microsecond))?;
                Self::Time(
                    micros
                        .as_primitive::<Time64MicrosecondType>()
                        .reinterpret_cast(),
                )
            }
            DataType::Timestamp(_, zone) => {
                let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                let micros = cast(array, &micros)?;
                let micros = micros
                    .as_primitive::<TimestampMicrosecondType>()
                    .reinterpret_cast();
                match zone {
                    Some(_) => Self::Timestamptz(micros),
                    None => Self::Timestamp(micros),
                }
            }
            DataType::Interval(_) => {
                let whole = cast(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
                Self::Interval(whole.as_primitive::<IntervalMonthDayNanoType>().clone())
            }
            DataType::Duration(_) => {
                let micros = cast(array, &DataType::Duration(TimeUnit::Microsecond))?;
                let micros = cast(&micros, &DataType::Int64)?;
                Self::Duration(micros.as_primitive::<Int64Type>().clone())
            }
            other => {
                return Err(Error::unsupported(format!(
                    "sending values of type {other}"
                )));
            }
        })
    }

    /// Whether a row's value is null.
    pub fn is_null(&self, row: usize) -> bool {
        self.array().is_none_or(|array| array.is_null(row))
    }

    /// Where its nulls are, if it has any.
    pub fn nulls(&self) -> Option<NullBuffer> {
        let nulls = self.array()?.nulls()?;
        (nulls.null_count() > 0).then(|| nulls.clone())
    }

    fn array(&self) -> Option<&dyn Array> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(array) => array,
            Self::Int2(array) => array,
            Self::Int4(array) => array,
            Self::Int8(array)
            | Self::Time(array)
            | Self::Timestamp(array)
            | Self::Timestamptz(array)
            | Self::Duration(array) => array,
            Self::Oid(array) => array,
            Self::Float4(array) => array,
            Self::Float8(array) => array,
            Self::Decimal128(array, _) => array,
            Self::Decimal256(array, _) => array,
            Self::Date(array) => array,
            Self::Interval(array) => array,
            Self::Text(array) => array,
            Self::LargeText(array) => array,
            Self::TextView(array) => array,
            Self::Bytes(array) => array,
            Self::LargeBytes(array) => array,
            Self::BytesView(array) => array,
            Self::FixedBytes(array) => array,
            Self::Kept(array, _) => array,
            Self::List(list) => &list.lists,
            Self::Record(record) => &record.rows,
        })
    }
}

impl Record {
    fn of(array: &ArrayRef) -> Result<Self> {
        let rows = array.as_struct().clone();
        let fields = rows.fields().iter().zip(rows.columns());
        let fields = fields.map(|(field, values)| {
            let pg_oid = types::of_field(field).oid;
            Values::of(values, pg_oid).map(|values| (pg_oid, values))
        });
        let fields = fields.collect::<Result<_>>()?;
        Ok(Self { rows, fields })
    }
}

impl List {
    fn of(array: &ArrayRef, pg_oid: u32) -> Result<Self> {
        let DataType::List(field) = array.data_type() else {
            let field = match array.data_type() {
                DataType::LargeList(field)
                | DataType::ListView(field)
                | DataType::LargeListView(field)
                | DataType::FixedSizeList(field, _) => Arc::clone(field),
                other => Field::new_list_field(other.clone(), true).into(),
            };
            return Self::of(&cast(array, &DataType::List(field))?, pg_oid);
        };
        let is_vector = matches!(pg_oid, oid::INT2VECTOR | oid::OIDVECTOR);
        let element_oid = match pg_oid {
            oid::INT2VECTOR => oid::INT2,
            oid::OIDVECTOR => oid::OID,
            _ => element_of(pg_oid).unwrap_or(oid::TEXT),
        };
        // PostgreSQL's array types have any number of dimensions, and so one OID for all.
        let inner_oid = match is_list(field.data_type()) {
            true => pg_oid,
            false => element_oid,
        };
        let lists = array.as_list::<i32>().clone();
        let elements = Values::of(lists.values(), inner_oid)?;
        Ok(Self {
            lists,
            elements,
            element_oid,
            is_vector,
        })
    }
}

fn is_list(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::List(_)
            | DataType::LargeList(_)
            | DataType::ListView(_)
            | DataType::LargeListView(_)
            | DataType::FixedSizeList(..)
    )
}

/// PostgreSQL's bigint ends at 2^63 - 1.
fn int8(array: &ArrayRef) -> Result<Int64Array> {
    let wide = array.as_primitive::<UInt64Type>();
    if wide
        .iter()
        .flatten()
        .any(|value| i64::try_from(value).is_err())
    {
        return Err(Error::new(
            ErrorKind::NumericValueOutOfRange,
            "bigint out of range",
        ));
    }
    Ok(cast(array, &DataType::Int64)?
        .as_primitive::<Int64Type>()
        .clone())
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options).map_err(|cause| {
        Error::new(
            ErrorKind::NumericValueOutOfRange,
            format!("value out of range for type {to}"),
        )
        .with_cause(cause)
    })
}
