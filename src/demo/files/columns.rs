//! Makes Arrow columns from values, and finds columns again.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, TimeUnit};

use super::super::world::{Day, Moment};

/// A column that may be NULL, as Spark declares every column.
pub(crate) fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

/// An instant in microseconds.
pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

pub(crate) fn longs<V: Into<Option<i64>>>(values: impl Iterator<Item = V>) -> ArrayRef {
    Arc::new(values.map(Into::into).collect::<Int64Array>())
}

pub(crate) fn integers(values: impl Iterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

pub(crate) fn doubles(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

pub(crate) fn booleans<V: Into<Option<bool>>>(values: impl Iterator<Item = V>) -> ArrayRef {
    Arc::new(values.map(Into::into).collect::<BooleanArray>())
}

pub(crate) fn texts<T: AsRef<str>, V: Into<Option<T>>>(
    values: impl Iterator<Item = V>,
) -> ArrayRef {
    Arc::new(values.map(Into::into).collect::<StringArray>())
}

pub(crate) fn dates(values: impl Iterator<Item = Day>) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(values.map(|day| day.0)))
}

pub(crate) fn instants(values: impl Iterator<Item = Moment>) -> ArrayRef {
    let values = values.map(|moment| moment.0);
    Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
}

/// Decimals from their digits: 1250 is 12.50 at scale 2.
pub(crate) fn decimals<V: Into<Option<i64>>>(
    (precision, scale): (u8, i8),
    values: impl Iterator<Item = V>,
) -> ArrayRef {
    let values: Decimal128Array = values.map(|value| value.into().map(i128::from)).collect();
    let typed = values
        .with_precision_and_scale(precision, scale)
        .expect("every decimal type of the demo is within 38 digits");
    Arc::new(typed)
}

/// Which rows of a batch fulfil a condition that is never unknown.
pub(crate) fn mask(batch: &RecordBatch, fulfils: impl Fn(usize) -> bool) -> BooleanArray {
    (0..batch.num_rows())
        .map(|row| Some(fulfils(row)))
        .collect()
}

/// Reads a column of whole numbers.
pub(crate) fn whole_of<'b>(
    batch: &'b RecordBatch,
    name: &str,
) -> impl Fn(usize) -> Option<i64> + 'b {
    let column = &batch[name];
    move |row| match (column.is_valid(row), column.data_type()) {
        (false, _) => None,
        (true, DataType::Int32) => Some(i64::from(column.as_primitive::<Int32Type>().value(row))),
        (true, _) => Some(column.as_primitive::<Int64Type>().value(row)),
    }
}

/// Reads a column of texts.
pub(crate) fn text_of<'b>(
    batch: &'b RecordBatch,
    name: &str,
) -> impl Fn(usize) -> Option<&'b str> + 'b {
    let column = batch[name].as_string::<i32>();
    move |row| column.is_valid(row).then(|| column.value(row))
}
