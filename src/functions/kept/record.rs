//! `ROW(...)`: values side by side, of the type `record`.
//! <https://www.postgresql.org/docs/16/sql-expressions.html#SQL-SYNTAX-ROW-CONSTRUCTORS>

use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};

use crate::types::{self, oid};

/// The function of this file.
pub fn function() -> Arc<ScalarUDF> {
    let arguments = vec![TypeSignature::VariadicAny, TypeSignature::Nullary];
    Arc::new(ScalarUDF::from(Row {
        signature: Signature::one_of(arguments, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Row {
    signature: Signature,
}

/// A structure's fields, with the types of the arguments.
fn fields(arguments: &[FieldRef]) -> Fields {
    let fields = arguments.iter().enumerate();
    let fields = fields.map(|(index, argument)| {
        Field::new(
            format!("f{}", index + 1),
            argument.data_type().clone(),
            true,
        )
        .with_metadata(argument.metadata().clone())
    });
    fields.collect()
}

impl ScalarUDFImpl for Row {
    fn name(&self) -> &'static str {
        "row"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let fields = arguments.iter().enumerate();
        let fields = fields.map(|(index, data_type)| {
            Field::new(format!("f{}", index + 1), data_type.clone(), true)
        });
        Ok(DataType::Struct(fields.collect()))
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let fields = fields(arguments.arg_fields);
        let field = Field::new(self.name(), DataType::Struct(fields), false);
        Ok(types::named(&field.into(), oid::RECORD))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let n_rows = call.number_rows;
        side_by_side(&call.return_field, &call.args, n_rows)
    }
}

/// Values as the fields of structures.
pub(super) fn side_by_side(
    field: &FieldRef,
    values: &[ColumnarValue],
    n_rows: usize,
) -> Result<ColumnarValue> {
    let DataType::Struct(fields) = field.data_type().clone() else {
        return datafusion::common::internal_err!("a row is a structure");
    };
    let is_constant = values
        .iter()
        .all(|value| matches!(value, ColumnarValue::Scalar(_)));
    let n_rows = if is_constant { 1 } else { n_rows };
    let columns: Vec<ArrayRef> = values
        .iter()
        .map(|value| value.to_array(n_rows))
        .collect::<Result<_>>()?;
    let rows = StructArray::try_new_with_length(fields, columns, None, n_rows)?;
    Ok(match is_constant {
        true => ColumnarValue::Scalar(ScalarValue::Struct(Arc::new(rows))),
        false => ColumnarValue::Array(Arc::new(rows)),
    })
}
