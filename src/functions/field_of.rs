//! The field of a record: DataFusion's `get_field`, which stays where it stands. DataFusion moves its own
//! toward the tables, and in plans of subqueries has then two columns of one name.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::functions::core::get_field;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// Its name, which no user writes.
pub const FIELD_OF: &str = "field_of\u{1}";

/// The function, of a record and the field's name.
pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(FieldOf { inner: get_field() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FieldOf {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for FieldOf {
    fn name(&self) -> &str {
        FIELD_OF
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arguments)
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(arguments)
    }
}
