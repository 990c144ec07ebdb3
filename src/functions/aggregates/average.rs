//! `avg`, which is numeric of integers and numerics, rounded at 16 digits behind the point.
//! <https://www.postgresql.org/docs/16/functions-aggregate.html>

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Decimal128Array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, DecimalType, FieldRef, Int64Type};
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

/// A function that gives what `avg` gives of values of a type, of their sum and how many they are: exactly, as the sum
/// of numerics is. `None` of floats, whose sum depends on the order.
pub(in crate::functions) fn average_of(averaged: &DataType) -> Option<ScalarUDF> {
    let DataType::Decimal128(_, scale) = averaged else {
        return None;
    };
    let average = average();
    let given = average.inner().return_type(std::slice::from_ref(averaged));
    Some(ScalarUDF::from(AverageOf {
        signature: Signature::any(2, Volatility::Immutable),
        sum_scale: *scale,
        given: given.ok()?,
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AverageOf {
    signature: Signature,
    /// Digits of the sum behind the point.
    sum_scale: i8,
    given: DataType,
}

impl ScalarUDFImpl for AverageOf {
    fn name(&self) -> &'static str {
        "average_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.given.clone())
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let sums = columns[0].as_primitive_opt::<Decimal128Type>();
        let counts = columns[1].as_primitive_opt::<Int64Type>();
        let (Some(sums), Some(counts)) = (sums, counts) else {
            return internal_err!("an average is of a numeric and a bigint");
        };
        let DataType::Decimal128(precision, scale) = self.given else {
            return internal_err!("an average is numeric");
        };
        let averages = sums.iter().zip(counts).map(|(sum, count)| {
            let (Some(sum), Some(count)) = (sum, count.filter(|count| *count != 0)) else {
                return Ok(None);
            };
            let average = self.quotient(sum, count.into(), scale);
            let Some(average) = average else {
                return exec_err!("an average has more digits than a numeric");
            };
            Decimal128Type::validate_decimal_precision(average, precision, scale)?;
            Ok(Some(average))
        });
        let averages = averages.collect::<Result<Decimal128Array>>()?;
        let averages = averages.with_precision_and_scale(precision, scale)?;
        Ok(ColumnarValue::Array(Arc::new(averages)))
    }
}

impl AverageOf {
    /// As DataFusion divides, and [`Rounded`] rounds: one digit more than is given, cut off, and then rounded.
    fn quotient(&self, sum: i128, count: i128, scale: i8) -> Option<i128> {
        let more = u32::try_from(scale + 1 - self.sum_scale).ok()?;
        let quotient = sum.checked_mul(10_i128.checked_pow(more)?)? / count;
        let (whole, last) = (quotient / 10, quotient % 10);
        Some(match last {
            5.. => whole + 1,
            ..=-5 => whole - 1,
            _ => whole,
        })
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
    fn quotients_are_rounded_to_sixteen_digits() {
        fn check(sum: i128, count: i128, expected: &str) {
            let averaged = widened(10, 0);
            let DataType::Decimal128(precision, scale) = averaged else {
                panic!("numerics are averaged");
            };
            let given = average().inner().return_type(&[averaged]);
            let given = given.expect("it has a type");
            assert_eq!(given, DataType::Decimal128(precision + 4, scale + 3));
            let average_of = AverageOf {
                signature: Signature::any(2, Volatility::Immutable),
                sum_scale: scale,
                given,
            };
            let sum = sum * 10_i128.pow(13);
            let quotient = average_of.quotient(sum, count, scale + 3);
            assert_eq!(quotient.map(|it| it.to_string()).as_deref(), Some(expected));
        }
        check(2, 3, "6666666666666667");
        check(-2, 3, "-6666666666666667");
        check(1, 3, "3333333333333333");
        check(-7, 1, "-70000000000000000");
        check(0, 5, "0");
    }
}
