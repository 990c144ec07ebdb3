//! The statistics of a data file that Delta keeps in the log.

use arrow::array::{Array, AsArray, PrimitiveArray, RecordBatch};
use arrow::compute::{max, max_string, min, min_string};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};

use super::super::files::{Object, quoted};
use super::super::world::{Day, Moment};

/// `{"numRecords":..,"minValues":{..},"maxValues":{..},"nullCount":{..}}`.
pub(super) fn of(rows: &RecordBatch) -> String {
    let mut smallest = Object::new();
    let mut largest = Object::new();
    let mut n_nulls = Object::new();
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        if let Some((min, max)) = range(column) {
            smallest = smallest.raw(field.name(), min);
            largest = largest.raw(field.name(), max);
        }
        n_nulls = n_nulls.raw(field.name(), column.null_count());
    }
    Object::new()
        .raw("numRecords", rows.num_rows())
        .raw("minValues", smallest.end())
        .raw("maxValues", largest.end())
        .raw("nullCount", n_nulls.end())
        .end()
}

/// Smallest and largest value as JSON. Booleans have none in Delta, nor columns that are all NULL.
fn range(column: &dyn Array) -> Option<(String, String)> {
    match column.data_type() {
        DataType::Int32 => ends(column.as_primitive::<Int32Type>(), |value| {
            value.to_string()
        }),
        DataType::Int64 => ends(column.as_primitive::<Int64Type>(), |value| {
            value.to_string()
        }),
        // Debug keeps the point of whole numbers, and reads back as the same double.
        DataType::Float64 => ends(column.as_primitive::<Float64Type>(), |value| {
            format!("{value:?}")
        }),
        DataType::Date32 => ends(column.as_primitive::<Date32Type>(), |value| {
            quoted(&Day(value).to_string())
        }),
        // Every instant of the demo is whole in milliseconds, where Delta's statistics end.
        DataType::Timestamp(..) => {
            ends(column.as_primitive::<TimestampMicrosecondType>(), |value| {
                quoted(&Moment(value).with_millis())
            })
        }
        DataType::Decimal128(_, scale) => ends(column.as_primitive::<Decimal128Type>(), |value| {
            decimal(value, *scale as usize)
        }),
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            Some((quoted(min_string(texts)?), quoted(max_string(texts)?)))
        }
        _ => None,
    }
}

fn ends<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    text: impl Fn(T::Native) -> String,
) -> Option<(String, String)>
where
    T::Native: arrow::array::ArrowNativeTypeOp,
{
    Some((text(min(column)?), text(max(column)?)))
}

/// A decimal with all digits of its scale; the demo has none below zero.
fn decimal(digits: i128, scale: usize) -> String {
    let text = format!("{digits:0width$}", width = scale + 1);
    let (whole, fraction) = text.split_at(text.len() - scale);
    format!("{whole}.{fraction}")
}
