//! The list behind `information_schema._pg_expandarray(array)`, which drivers call for the columns of
//! keys: each element `x` with its number `n`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::scalar::external;
use crate::error::{Error, ErrorKind};

/// The list's function; not a name that SQL text can have.
pub const EXPANDED_LIST: &str = "_pg_expandarray\u{1}";

/// The function of this file.
pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Expanded {
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Expanded {
    signature: Signature,
}

fn fields(element: &DataType) -> Fields {
    vec![
        Field::new("x", element.clone(), true),
        Field::new("n", DataType::Int32, true),
    ]
    .into()
}

fn item(element: &DataType) -> Arc<Field> {
    Arc::new(Field::new_list_field(
        DataType::Struct(fields(element)),
        true,
    ))
}

impl ScalarUDFImpl for Expanded {
    fn name(&self) -> &'static str {
        EXPANDED_LIST
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [DataType::List(element)] => Ok(DataType::List(item(element.data_type()))),
            _ => {
                let message = "function information_schema._pg_expandarray takes an array";
                Err(external(Error::new(ErrorKind::UndefinedFunction, message)))
            }
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = matches!(call.args[0], ColumnarValue::Scalar(_));
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let lists = columns[0]
            .as_list_opt::<i32>()
            .ok_or_else(|| exec_datafusion_err!("not a list"))?;
        let numbers = (0..lists.len()).flat_map(|row| 1..=lists.value_length(row));
        // The elements of this part of the array alone, so that numbers and elements agree.
        let first = usize::try_from(lists.value_offsets()[0]).unwrap_or(0);
        let numbers: Int32Array = numbers.map(Some).collect();
        let elements = lists.values().slice(first, numbers.len());
        let of = fields(&lists.value_type());
        let values = StructArray::try_new(of, vec![elements, Arc::new(numbers)], None)?;
        let expanded: ArrayRef = Arc::new(ListArray::try_new(
            item(&lists.value_type()),
            arrow::buffer::OffsetBuffer::from_lengths(lists.offsets().lengths()),
            Arc::new(values),
            lists.nulls().cloned(),
        )?);
        if is_scalar {
            return ScalarValue::try_from_array(&expanded, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(expanded))
    }
}
