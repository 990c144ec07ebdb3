//! What stands beside ANY and ALL for an array without a type until its type is known.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::error::{Error, ErrorKind};
use crate::types;

/// The name of the function, which no SQL text holds.
pub const ELEMENTS_LIKE: &str = "elements_like~";

/// The function of this file, which is never run.
pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(ElementsLike {
        signature: Signature::any(2, Volatility::Immutable),
    }))
}

/// The array type of values that are compared with a field's.
///
/// # Errors
/// There are no arrays of its type.
pub fn array_like(field: &Field) -> crate::error::Result<FieldRef> {
    let element = types::of_field(field).oid;
    let made = types::array_of(element)
        .and_then(|array| Some((array, types::arrow_type(array)?)))
        .map(|(array, data_type)| (array, Arc::new(Field::new("", data_type, true))));
    match made {
        Some((array, made)) if types::of_field(&made).oid == array => Ok(made),
        Some((array, made)) => Ok(types::named(&made, array)),
        None => {
            let name = types::format_type(element, -1).unwrap_or_default();
            // As make_scalar_array_op in parse_oper.c.
            let message = format!("could not find array type for data type {name}");
            Err(Error::new(ErrorKind::UndefinedObject, message))
        }
    }
}

/// `elements_like~(value, elements)`: the elements, as an array of the value's type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ElementsLike {
    signature: Signature,
}

impl ScalarUDFImpl for ElementsLike {
    fn name(&self) -> &'static str {
        ELEMENTS_LIKE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, of: &[DataType]) -> DataFusionResult<DataType> {
        let field = Field::new("", of[0].clone(), true);
        let made =
            array_like(&field).map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(made.data_type().clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        array_like(&arguments.arg_fields[0])
            .map_err(|error| DataFusionError::External(Box::new(error)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let error = Error::unsupported("an array without a type");
        Err(DataFusionError::External(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::oid;

    fn check(data_type: DataType, pg_oid: u32, expected: u32) {
        let field = types::named(&Arc::new(Field::new("", data_type, true)), pg_oid);
        let made = array_like(&field).expect("there are arrays of it");
        assert_eq!(
            types::of_field(&made).oid,
            types::array_of(pg_oid).expect("it has one")
        );
        assert_eq!(types::of_field(&made).oid, expected);
    }

    #[test]
    fn arrays_are_of_the_type_of_the_value() {
        check(DataType::Utf8, oid::TEXT, 1009);
        check(DataType::Utf8View, oid::NAME, 1003);
        check(DataType::Int32, oid::INT4, 1007);
    }
}
