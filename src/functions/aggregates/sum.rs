//! `sum` with PostgreSQL's types: of bigint it is numeric, which cannot overflow where bigint wraps.
//! <https://www.postgresql.org/docs/16/functions-aggregate.html>

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature, Volatility,
};

/// PostgreSQL's `sum`, in place of DataFusion's, which does the adding.
pub(super) fn sum() -> AggregateUDF {
    AggregateUDF::from(Sum {
        signature: Signature::user_defined(Volatility::Immutable),
        inner: sum_udaf().as_ref().clone(),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    signature: Signature,
    inner: AggregateUDF,
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let [argument] = arguments else {
            return plan_err!("function sum takes one argument, not {}", arguments.len());
        };
        Ok(vec![match argument {
            DataType::Null | DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                DataType::Float64
            }
            // Not widened here: coerced once more, as DataFusion does, a bigint would be numeric.
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::UInt8
            | DataType::UInt16 => DataType::Int32,
            // 2^63 bigints still fit: 38 digits hold 10^19 times the largest.
            DataType::Int64 | DataType::UInt32 | DataType::UInt64 => DataType::Decimal128(38, 0),
            DataType::Dictionary(_, value) => return self.coerce_types(&[value.as_ref().clone()]),
            DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..)
            | DataType::Interval(_)
            | DataType::Duration(_) => argument.clone(),
            other => return plan_err!("function sum({other}) does not exist"),
        }])
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::Int32] => Ok(DataType::Int64),
            arguments => self.inner.inner().return_type(arguments),
        }
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let widens = widens(&arguments);
        let inner = self.inner.inner().accumulator(arguments)?;
        Ok(match widens {
            true => Box::new(Widened(inner)),
            false => inner,
        })
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.inner().state_fields(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        self.inner.inner().groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let widens = widens(&arguments);
        let inner = self.inner.inner().create_groups_accumulator(arguments)?;
        Ok(match widens {
            true => Box::new(Widened(inner)),
            false => inner,
        })
    }

    fn create_sliding_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn Accumulator>> {
        let widens = widens(&arguments);
        let inner = self.inner.inner().create_sliding_accumulator(arguments)?;
        Ok(match widens {
            true => Box::new(Widened(inner)),
            false => inner,
        })
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> datafusion::logical_expr::utils::AggregateOrderSensitivity {
        self.inner.inner().order_sensitivity()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }
}

/// Whether integers come in that are added up as bigints.
fn widens(arguments: &AccumulatorArgs) -> bool {
    let mut inputs = arguments.expr_fields.iter();
    inputs.any(|field| *field.data_type() == DataType::Int32)
}

/// Adds up integers in an accumulator of bigints.
#[derive(Debug)]
struct Widened<A: ?Sized>(Box<A>);

fn widened(values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let values = values.iter();
    values
        .map(|values| Ok(cast(values, &DataType::Int64)?))
        .collect()
}

impl Accumulator for Widened<dyn Accumulator> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(&widened(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.evaluate()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.retract_batch(&widened(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.supports_retract_batch()
    }
}

impl GroupsAccumulator for Widened<dyn GroupsAccumulator> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        n_groups: usize,
    ) -> Result<()> {
        self.0
            .update_batch(&widened(values)?, groups, filter, n_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.0.evaluate(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.0.state(emit_to)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        n_groups: usize,
    ) -> Result<()> {
        self.0.merge_batch(states, groups, n_groups)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.0.convert_to_state(&widened(values)?, filter)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
