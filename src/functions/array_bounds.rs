//! How far an array reaches: `array_lower`, `array_upper`, `array_length`.
//! <https://www.postgresql.org/docs/16/functions-array.html>

use std::sync::Arc;

use arrow::array::{Array, AsArray, Int32Array};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::scalar::external;
use crate::error::{Error, ErrorKind};
use crate::types::{of_field, oid};

/// The functions of this file. `array_length` takes the place of DataFusion's, which gives 0 for an
/// empty array where PostgreSQL gives NULL.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [Bound::Lower, Bound::Upper, Bound::Length]
        .into_iter()
        .map(|bound| {
            Arc::new(ScalarUDF::from(ArrayBound {
                signature: Signature::user_defined(Volatility::Immutable),
                bound,
            }))
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Bound {
    Lower,
    Upper,
    Length,
}

/// A function of an array and the number of one of its dimensions, counted from 1.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayBound {
    signature: Signature,
    bound: Bound,
}

impl ScalarUDFImpl for ArrayBound {
    fn name(&self) -> &'static str {
        match self.bound {
            Bound::Lower => "array_lower",
            Bound::Upper => "array_upper",
            Bound::Length => "array_length",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let list = match given {
            [list, dimension] if dimension.is_integer() || dimension.is_null() => as_list(list),
            _ => None,
        };
        let list = list.ok_or_else(|| {
            let message = format!("function {} does not exist", self.name());
            external(Error::new(ErrorKind::UndefinedFunction, message))
        })?;
        Ok(vec![list, DataType::Int64])
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let first = first_index(&call.arg_fields[0]);
        let is_scalar = call
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let (arrays, dimensions) = (&columns[0], columns[1].as_primitive::<Int64Type>());
        let bounds: Int32Array = (0..arrays.len())
            .map(|row| {
                let dimension = dimensions.is_valid(row).then(|| dimensions.value(row))?;
                let length = length(arrays, row, dimension)?;
                Some(match self.bound {
                    Bound::Lower => first,
                    Bound::Upper => first + length - 1,
                    Bound::Length => length,
                })
            })
            .collect();
        let bounds: Arc<dyn Array> = Arc::new(bounds);
        if is_scalar {
            let value = ScalarValue::try_from_array(&bounds, 0)?;
            return Ok(ColumnarValue::Scalar(value));
        }
        Ok(ColumnarValue::Array(bounds))
    }
}

/// The kind of list that [`length`] walks, for any kind of list; within it as well.
pub(super) fn as_list(given: &DataType) -> Option<DataType> {
    match given {
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => {
            let inner = as_list(element.data_type()).unwrap_or(element.data_type().clone());
            let element = element.as_ref().clone().with_data_type(inner);
            Some(DataType::List(Arc::new(element)))
        }
        _ => None,
    }
}

/// Vectors of the catalog are counted from 0, arrays from 1.
pub(super) fn first_index(field: &FieldRef) -> i32 {
    match of_field(field).oid {
        oid::INT2VECTOR | oid::OIDVECTOR => 0,
        _ => 1,
    }
}

/// The elements of a row's array in a dimension; `None` where it has no such dimension, as an empty
/// array has none. Every part of an array is as long as the first.
pub(super) fn length(arrays: &dyn Array, row: usize, dimension: i64) -> Option<i32> {
    let lists = arrays.as_list_opt::<i32>()?;
    if dimension < 1 || lists.is_null(row) {
        return None;
    }
    let elements = lists.value(row);
    match (elements.len(), dimension) {
        (0, _) => None,
        (count, 1) => i32::try_from(count).ok(),
        (_, deeper) => length(elements.as_ref(), 0, deeper - 1),
    }
}
