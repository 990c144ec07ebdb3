//! `pg_typeof`: the type of an expression, whatever its value.
//! <https://www.postgresql.org/docs/16/functions-info.html#FUNCTIONS-INFO-CATALOG>

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::catalog::system::field;
use crate::types::{self, oid};

/// The function of this file.
pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(TypeOf {
        signature: Signature::any(1, Volatility::Stable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    signature: Signature,
}

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &'static str {
        "pg_typeof"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt32)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(field("pg_typeof", oid::REGTYPE, false)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given = types::of_field(&arguments.arg_fields[0]).oid;
        Ok(ColumnarValue::Scalar(ScalarValue::UInt32(Some(given))))
    }
}
