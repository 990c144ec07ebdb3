//! Fits a file's column to the table's: the types of several files were merged into one wider.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// The column as one of `data_type`, which holds all its values. Fields of records are matched by
/// name.
pub(super) fn fitted(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == data_type {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), data_type) {
        (DataType::Null, _) => Ok(new_null_array(data_type, array.len())),
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let record = array.as_struct();
            let arrays = fields
                .iter()
                .map(|field| match record.column_by_name(field.name()) {
                    Some(column) => fitted(column, field.data_type()),
                    None => Ok(new_null_array(field.data_type(), record.len())),
                });
            let arrays = arrays.collect::<Result<_, _>>()?;
            let nulls = record.nulls().cloned();
            let record =
                StructArray::try_new_with_length(fields.clone(), arrays, nulls, record.len());
            Ok(Arc::new(record?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let items = fitted(list.values(), item.data_type())?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Ok(Arc::new(ListArray::try_new(
                Arc::clone(item),
                offsets,
                items,
                nulls,
            )?))
        }
        _ => {
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            cast_with_options(array, data_type, &options)
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, Int64Array};
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn fields_of_records_are_matched_by_name() {
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let field = Arc::new(Field::new("a", DataType::Int32, true));
        let record: ArrayRef = Arc::new(StructArray::from(vec![(field, ints)]));
        let wider = DataType::Struct(
            vec![
                Field::new("b", DataType::Utf8View, true),
                Field::new("a", DataType::Int64, true),
            ]
            .into(),
        );
        let fitted = fitted(&record, &wider).unwrap();
        assert_eq!(fitted.data_type(), &wider);
        let columns = fitted.as_struct().columns();
        assert_eq!(columns[0].null_count(), 2);
        let longs: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        assert_eq!(&columns[1], &longs);
    }
}
