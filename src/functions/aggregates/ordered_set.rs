//! Aggregates that look at their values in order: `percentile_disc`, `percentile_cont`, `mode`.
//! <https://www.postgresql.org/docs/16/functions-aggregate.html#FUNCTIONS-ORDEREDSET-TABLE>

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{SortOptions, concat, sort};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, Volatility,
};

use crate::error::{Error, ErrorKind};
use crate::functions::overloads::undefined;
use crate::functions::scalar::external;

/// Which aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Which {
    /// The first value that so large a part of all does not exceed.
    Discrete,
    /// What lies between two values.
    Continuous,
    /// The most frequent value, the first of several.
    Mode,
}

/// The aggregates of this file.
pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    [Which::Discrete, Which::Continuous, Which::Mode]
        .map(|which| {
            Arc::new(AggregateUDF::from(OrderedSet {
                signature: Signature::user_defined(Volatility::Immutable),
                which,
            }))
        })
        .into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OrderedSet {
    signature: Signature,
    which: Which,
}

impl AggregateUDFImpl for OrderedSet {
    fn name(&self) -> &'static str {
        match self.which {
            Which::Discrete => "percentile_disc",
            Which::Continuous => "percentile_cont",
            Which::Mode => "mode",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The value that is ordered by comes first.
    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match (self.which, arguments) {
            (Which::Mode, [_]) => Ok(arguments.to_vec()),
            (Which::Discrete, [of, part]) if part.is_numeric() || part.is_null() => {
                Ok(vec![of.clone(), DataType::Float64])
            }
            (Which::Continuous, [of, part])
                if (of.is_numeric() || of.is_null()) && (part.is_numeric() || part.is_null()) =>
            {
                Ok(vec![DataType::Float64, DataType::Float64])
            }
            (_, [_, DataType::List(_)]) => Err(external(Error::unsupported(format!(
                "{} of an array of fractions",
                self.name()
            )))),
            (Which::Continuous, [DataType::Interval(_), _]) => {
                let what = "percentile_cont of intervals";
                Err(external(Error::unsupported(what)))
            }
            _ => Err(external(undefined(self.name(), arguments))),
        }
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let is_descending = arguments
            .order_bys
            .first()
            .is_some_and(|order| order.options.descending);
        Ok(Box::new(Ordered {
            which: self.which,
            fraction: fraction(&arguments)?,
            is_descending,
            is_distinct: arguments.is_distinct,
            data_type: arguments.expr_fields[0].data_type().clone(),
            values: Vec::new(),
        }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format!("{}[values]", arguments.name);
        let of = arguments.input_fields[0].data_type().clone();
        Ok(vec![Arc::new(Field::new_list(
            name,
            Field::new_list_field(of, true),
            true,
        ))])
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }
}

/// The part of all values that was asked for; nothing if it is NULL, or not asked for.
fn fraction(arguments: &AccumulatorArgs) -> Result<Option<f64>> {
    let Some(expression) = arguments.exprs.get(1) else {
        return Ok(None);
    };
    let empty = RecordBatch::new_empty(Arc::new(arguments.schema.clone()));
    let value = match expression.evaluate(&empty)? {
        ColumnarValue::Scalar(value) => value.cast_to(&DataType::Float64)?,
        ColumnarValue::Array(_) => {
            let what = "a percentile that depends on the row";
            return Err(external(Error::unsupported(what)));
        }
    };
    match value {
        ScalarValue::Float64(Some(part)) if !(0.0..=1.0).contains(&part) => {
            let message = format!("percentile value {part} is not between 0 and 1");
            let error = Error::new(ErrorKind::NumericValueOutOfRange, message);
            Err(external(error))
        }
        ScalarValue::Float64(part) => Ok(part),
        _ => Ok(None),
    }
}

#[derive(Debug)]
struct Ordered {
    which: Which,
    fraction: Option<f64>,
    is_descending: bool,
    is_distinct: bool,
    data_type: DataType,
    /// Without NULLs, which no percentile counts.
    values: Vec<ArrayRef>,
}

fn without_nulls(values: &ArrayRef) -> Result<ArrayRef> {
    match values.logical_nulls() {
        None => Ok(Arc::clone(values)),
        Some(nulls) => {
            let valid = arrow::array::BooleanArray::new(nulls.inner().clone(), None);
            Ok(arrow::compute::filter(values, &valid)?)
        }
    }
}

impl Ordered {
    fn all(&self) -> Result<ArrayRef> {
        let values: Vec<&dyn Array> = self.values.iter().map(AsRef::as_ref).collect();
        match values.is_empty() {
            true => Ok(arrow::array::new_empty_array(&self.data_type)),
            false => Ok(concat(&values)?),
        }
    }

    fn sorted(&self) -> Result<ArrayRef> {
        let options = SortOptions {
            descending: self.is_descending,
            nulls_first: false,
        };
        let sorted = sort(&self.all()?, Some(options))?;
        match self.is_distinct {
            true => distinct(&sorted),
            false => Ok(sorted),
        }
    }
}

/// The ranges of equal values in sorted ones.
fn runs(sorted: &ArrayRef) -> Result<Vec<std::ops::Range<usize>>> {
    Ok(arrow::compute::partition(&[Arc::clone(sorted)])?.ranges())
}

fn distinct(sorted: &ArrayRef) -> Result<ArrayRef> {
    let firsts: Vec<ArrayRef> = runs(sorted)?
        .into_iter()
        .map(|run| sorted.slice(run.start, 1))
        .collect();
    let firsts: Vec<&dyn Array> = firsts.iter().map(AsRef::as_ref).collect();
    match firsts.is_empty() {
        true => Ok(Arc::clone(sorted)),
        false => Ok(concat(&firsts)?),
    }
}

impl Accumulator for Ordered {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.push(without_nulls(&values[0])?);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sorted = self.sorted()?;
        if sorted.is_empty() {
            return ScalarValue::try_from(&self.data_type);
        }
        match (self.which, self.fraction) {
            (Which::Mode, _) => {
                let mut longest = 0..0;
                for run in runs(&sorted)? {
                    if run.len() > longest.len() {
                        longest = run;
                    }
                }
                ScalarValue::try_from_array(&sorted, longest.start)
            }
            (_, None) => ScalarValue::try_from(&self.data_type),
            (Which::Discrete, Some(fraction)) => {
                let row = place(fraction, sorted.len(), f64::ceil).max(1);
                ScalarValue::try_from_array(&sorted, row - 1)
            }
            (Which::Continuous, Some(fraction)) => {
                let values = sorted.as_primitive::<Float64Type>();
                Ok(ScalarValue::from(between(values.values(), fraction)))
            }
        }
    }

    fn size(&self) -> usize {
        let values = self
            .values
            .iter()
            .map(|values| values.get_array_memory_size());
        size_of_val(self) + values.sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = SingleRowListArrayBuilder::new(self.all()?);
        Ok(vec![list.build_list_scalar()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list_opt::<i32>().ok_or_else(|| {
            DataFusionError::Internal("the state of an ordered set is a list".to_owned())
        })?;
        for list in lists.iter().flatten() {
            self.values.push(without_nulls(&list)?);
        }
        Ok(())
    }
}

/// A part of so many rows, made whole.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as percentile_disc_final computes it; a part is between 0 and 1"
)]
fn place(part: f64, n_rows: usize, whole: fn(f64) -> f64) -> usize {
    whole(part * n_rows as f64) as usize
}

/// As `percentile_cont_final_common` and `float8_lerp`.
#[expect(
    clippy::cast_precision_loss,
    reason = "as percentile_cont_final_common computes it"
)]
fn between(sorted: &[f64], fraction: f64) -> f64 {
    let last = sorted.len() - 1;
    let first_row = place(fraction, last, f64::floor);
    let second_row = place(fraction, last, f64::ceil);
    let (low, high) = (sorted[first_row], sorted[second_row]);
    match first_row == second_row {
        true => low,
        false => low + (fraction * last as f64 - first_row as f64) * (high - low),
    }
}
