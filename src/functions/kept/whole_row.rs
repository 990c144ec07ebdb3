//! The row of a relation as one value, of the type that the relation's rows have.
//! <https://www.postgresql.org/docs/16/rowtypes.html#ROWTYPES-USAGE>

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::record::side_by_side;
use crate::types;

/// What makes a row of: the OID of its type, then each column's name and value. No name in SQL text holds the last
/// character.
pub const WHOLE_ROW: &str = "row\u{1}";

/// The function of this file.
pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(WholeRow {
        signature: Signature::variadic_any(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WholeRow {
    signature: Signature,
}

/// The values among the arguments: every second one, from the third on.
fn values<T>(arguments: &[T]) -> impl Iterator<Item = &T> {
    arguments.iter().skip(2).step_by(2)
}

fn fields(names: &[Option<&ScalarValue>], arguments: &[FieldRef]) -> Option<Fields> {
    let names = names.iter().skip(1).step_by(2);
    let fields = names.zip(values(arguments)).map(|(name, value)| {
        let name = (*name)?.try_as_str()??;
        let field = Field::new(name, value.data_type().clone(), true);
        Some(field.with_metadata(value.metadata().clone()))
    });
    fields.collect()
}

impl ScalarUDFImpl for WholeRow {
    fn name(&self) -> &'static str {
        WHOLE_ROW
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of a row is told with its names")
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let row_type = match given.scalar_arguments.first() {
            Some(Some(ScalarValue::Int64(Some(oid)))) => u32::try_from(*oid).ok(),
            _ => None,
        };
        let (Some(row_type), Some(fields)) =
            (row_type, fields(given.scalar_arguments, given.arg_fields))
        else {
            return internal_err!("a row has a type, and names");
        };
        let field = Field::new(self.name(), DataType::Struct(fields), false);
        Ok(types::named(&field.into(), row_type))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values: Vec<ColumnarValue> = values(&call.args).cloned().collect();
        side_by_side(&call.return_field, &values, call.number_rows)
    }
}
