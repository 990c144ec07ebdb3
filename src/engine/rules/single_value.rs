//! The aggregate behind scalar subqueries: NULL for no row, the value of one, an error for more.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, UInt64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility,
};

use crate::error::{Error, ErrorKind};

/// `single_value(expression)`.
pub(super) fn single_value(expression: Expr) -> Expr {
    let function = SingleValue {
        signature: Signature::any(1, Volatility::Immutable),
    };
    AggregateUDF::new_from_impl(function).call(vec![expression])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue {
    signature: Signature,
}

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &'static str {
        "single_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    /// The argument's own field, whose metadata tell PostgreSQL's type.
    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        let field = fields[0].as_ref().clone();
        Ok(Arc::new(field.with_name(self.name()).with_nullable(true)))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Single {
            value: ScalarValue::try_from(arguments.return_field.data_type())?,
            n_rows: 0,
        }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let data_type = arguments.return_field.data_type().clone();
        let value = format!("{}[value]", arguments.name);
        let n_rows = format!("{}[rows]", arguments.name);
        Ok(vec![
            Arc::new(Field::new(value, data_type, true)),
            Arc::new(Field::new(n_rows, DataType::UInt64, false)),
        ])
    }
}

#[derive(Debug)]
struct Single {
    value: ScalarValue,
    n_rows: u64,
}

impl Single {
    fn take(&mut self, values: &ArrayRef, row: usize) -> Result<()> {
        if self.n_rows > 0 {
            let error = Error::new(
                ErrorKind::CardinalityViolation,
                "more than one row returned by a subquery used as an expression",
            );
            return Err(DataFusionError::External(Box::new(error)));
        }
        self.n_rows = 1;
        self.value = ScalarValue::try_from_array(values, row)?;
        Ok(())
    }
}

impl Accumulator for Single {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        (0..values[0].len()).try_for_each(|row| self.take(&values[0], row))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[1].as_primitive::<UInt64Type>();
        (0..counts.len())
            .filter(|row| counts.value(*row) > 0)
            .try_for_each(|row| self.take(&states[0], row))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let n_rows = ScalarValue::UInt64(Some(self.n_rows));
        Ok(vec![self.value.clone(), n_rows])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size() - size_of_val(&self.value)
    }
}
