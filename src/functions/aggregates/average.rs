//! `avg`, which is numeric of integers and numerics, rounded at 16 digits behind the point.
//! <https://www.postgresql.org/docs/16/functions-aggregate.html>

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Decimal128Array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, FieldRef, Int64Type, i256};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, EmitTo, GroupsAccumulator,
    ReversedUDAF, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::functions::overloads::undefined;
use crate::functions::scalar::external;

/// PostgreSQL's `avg`, in place of DataFusion's, which does the dividing.
pub(super) fn average() -> AggregateUDF {
    AggregateUDF::from(Average {
        signature: Signature::user_defined(Volatility::Immutable),
        inner: avg_udaf().as_ref().clone(),
    })
}

/// Digits behind the point of what is averaged. DataFusion's quotient has four more and is cut off
/// there; rounded to three more it has the 16 of PostgreSQL's (`NUMERIC_MIN_SIG_DIGITS`).
const INPUT_SCALE: i8 = 13;
/// Digits of what is averaged, so that those of the quotient are no more than 38.
const INPUT_PRECISION_MAX: u8 = 34;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    signature: Signature,
    inner: AggregateUDF,
}

/// The type in which a numeric is averaged; the same for that type.
fn widened(precision: u8, scale: i8) -> DataType {
    let whole = i16::from(precision) - i16::from(scale);
    let room = i16::from(INPUT_PRECISION_MAX) - whole;
    let wider = i8::try_from(room.clamp(0, i16::from(INPUT_SCALE))).unwrap_or(0);
    let wider = scale.max(wider);
    let precision = u8::try_from(whole + i16::from(wider)).unwrap_or(precision);
    DataType::Decimal128(precision.min(38), wider)
}

/// The type of a quotient that DataFusion cut off, rounded.
fn rounded_type(quotient: &DataType) -> DataType {
    match quotient {
        DataType::Decimal128(precision, scale) if *scale > 0 => {
            DataType::Decimal128(*precision, scale - 1)
        }
        DataType::Decimal256(precision, scale) if *scale > 0 => {
            DataType::Decimal256(*precision, scale - 1)
        }
        other => other.clone(),
    }
}

impl AggregateUDFImpl for Average {
    fn name(&self) -> &'static str {
        "avg"
    }

    fn aliases(&self) -> &[String] {
        &[]
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let [argument] = arguments else {
            return Err(external(undefined("avg", arguments)));
        };
        Ok(vec![match argument {
            DataType::Null | DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                DataType::Float64
            }
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => widened(5, 0),
            DataType::Int32 | DataType::UInt16 => widened(10, 0),
            DataType::Int64 | DataType::UInt32 | DataType::UInt64 => widened(20, 0),
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => widened(*precision, *scale),
            DataType::Decimal256(..) | DataType::Duration(_) => argument.clone(),
            DataType::Dictionary(_, value) => return self.coerce_types(&[value.as_ref().clone()]),
            _ => return Err(external(undefined("avg", arguments))),
        }])
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner
            .inner()
            .return_type(arguments)
            .map(|quotient| rounded_type(&quotient))
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let quotient = self.quotient(&arguments)?;
        let inner = self
            .inner
            .inner()
            .accumulator(with_type(&arguments, &quotient))?;
        Ok(Box::new(Rounded { inner, quotient }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.inner().state_fields(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        let Ok(quotient) = self.quotient(&arguments) else {
            return false;
        };
        let arguments = with_type(&arguments, &quotient);
        self.inner.inner().groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let quotient = self.quotient(&arguments)?;
        let arguments = with_type(&arguments, &quotient);
        let inner = self.inner.inner().create_groups_accumulator(arguments)?;
        Ok(Box::new(Rounded { inner, quotient }))
    }

    fn create_sliding_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn Accumulator>> {
        let quotient = self.quotient(&arguments)?;
        let arguments = with_type(&arguments, &quotient);
        let inner = self.inner.inner().create_sliding_accumulator(arguments)?;
        Ok(Box::new(Rounded { inner, quotient }))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> datafusion::logical_expr::utils::AggregateOrderSensitivity {
        self.inner.inner().order_sensitivity()
    }
}

impl Average {
    /// The field that DataFusion's quotient has.
    fn quotient(&self, arguments: &AccumulatorArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = arguments
            .expr_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let quotient = self.inner.inner().return_type(&types)?;
        let field = arguments.return_field.as_ref().clone();
        Ok(field.with_data_type(quotient).into())
    }
}

fn with_type<'a>(arguments: &AccumulatorArgs<'a>, quotient: &FieldRef) -> AccumulatorArgs<'a> {
    AccumulatorArgs {
        return_field: FieldRef::clone(quotient),
        schema: arguments.schema,
        ignore_nulls: arguments.ignore_nulls,
        order_bys: arguments.order_bys,
        is_reversed: arguments.is_reversed,
        name: arguments.name,
        is_distinct: arguments.is_distinct,
        exprs: arguments.exprs,
        expr_fields: arguments.expr_fields,
    }
}

/// A function that gives the average of this type, as `avg` gives it, of a sum, which is a numeric, and of how many were
/// added; NULL of none. `None` of floats, whose sum depends on the order.
pub(in crate::functions) fn average_of(average: &DataType) -> Option<ScalarUDF> {
    let DataType::Decimal128(precision, scale) = *average else {
        return None;
    };
    Some(ScalarUDF::from(AverageOf {
        signature: Signature::any(2, Volatility::Immutable),
        given: (precision, scale),
    }))
}

/// The division. SQL text cannot name it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AverageOf {
    signature: Signature,
    /// Precision and scale of what comes out.
    given: (u8, i8),
}

impl ScalarUDFImpl for AverageOf {
    fn name(&self) -> &'static str {
        "average_of\u{1}"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        let (precision, scale) = self.given;
        Ok(DataType::Decimal128(precision, scale))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let [sums, counts] = columns.as_slice() else {
            return internal_err!("an average is of two arguments");
        };
        let DataType::Decimal128(_, scale) = sums.data_type() else {
            return internal_err!("a sum of {} is divided", sums.data_type());
        };
        let sums = sums.as_primitive::<Decimal128Type>();
        let Some(counts) = counts.as_primitive_opt::<Int64Type>() else {
            return internal_err!("an average is of a numeric and a bigint");
        };
        let averages = sums.iter().zip(counts).map(|pair| match pair {
            (Some(sum), Some(count)) if count != 0 => {
                divided(sum, count, self.given.1 - scale).map(Some)
            }
            _ => Ok(None),
        });
        let averages = averages.collect::<Result<Decimal128Array>>()?;
        let averages = averages.with_precision_and_scale(self.given.0, self.given.1)?;
        averages.validate_decimal_precision(self.given.0)?;
        Ok(ColumnarValue::Array(Arc::new(averages)))
    }
}

/// A quotient with so many more digits, rounded half away from zero, as DataFusion divides, and [`Rounded`] rounds.
fn divided(sum: i128, count: i64, more_digits: i8) -> Result<i128> {
    let ten = i256::from_i128(10).checked_pow(u32::from(more_digits.unsigned_abs()));
    let (sum, count) = (i256::from_i128(sum), i256::from_i128(count.into()));
    let quotient = || {
        let (sum, count) = match more_digits >= 0 {
            true => (sum.checked_mul(ten?)?, count),
            false => (sum, count.checked_mul(ten?)?),
        };
        let (whole, rest) = (sum.checked_div(count)?, sum.checked_rem(count)?);
        let rest = rest.checked_abs()?.checked_mul(i256::from_i128(2))?;
        let up = i256::from_i128(if rest >= count { 1 } else { 0 });
        let rounded = match sum.is_negative() {
            true => whole.checked_sub(up),
            false => whole.checked_add(up),
        };
        rounded?.to_i128()
    };
    match quotient() {
        Some(quotient) => Ok(quotient),
        None => exec_err!("Arithmetic Overflow in an average"),
    }
}

/// Rounds the quotients of an accumulator.
#[derive(Debug)]
struct Rounded<A: ?Sized> {
    quotient: FieldRef,
    inner: Box<A>,
}

impl<A: ?Sized> Rounded<A> {
    /// Halves go away from zero, as Arrow's change of scale has it and PostgreSQL.
    fn round(&self, quotients: &ArrayRef) -> Result<ArrayRef> {
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let to = rounded_type(self.quotient.data_type());
        Ok(cast_with_options(quotients, &to, &options)?)
    }
}

impl Accumulator for Rounded<dyn Accumulator> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let quotient = self.inner.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&self.round(&quotient)?, 0)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

impl GroupsAccumulator for Rounded<dyn GroupsAccumulator> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        n_groups: usize,
    ) -> Result<()> {
        self.inner.update_batch(values, groups, filter, n_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let quotients = self.inner.evaluate(emit_to)?;
        self.round(&quotients)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        n_groups: usize,
    ) -> Result<()> {
        self.inner.merge_batch(states, groups, n_groups)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        fn check(sum: i128, count: i64, more: i8, expected: i128) {
            let quotient = divided(sum, count, more);
            assert_eq!(quotient.expect("it fits"), expected, "{sum} / {count}");
        }
        check(2, 3, 16, 6_666_666_666_666_667);
        check(-2, 3, 16, -6_666_666_666_666_667);
        check(1, 3, 16, 3_333_333_333_333_333);
        check(-7, 1, 16, -70_000_000_000_000_000);
        check(1, 2, 0, 1);
        check(-1, 2, 0, -1);
        check(0, 5, 3, 0);
        check(12345, 1, -2, 123);
        check(12350, 1, -2, 124);
        assert!(divided(i128::MAX, 1, 16).is_err());
    }
}
