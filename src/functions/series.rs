//! The lists behind `generate_series` and `generate_subscripts` in a select list.
//! <https://www.postgresql.org/docs/16/functions-srf.html>

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, PrimitiveBuilder};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, Int32Type, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::array_bounds::{as_list, first_index, length};
use super::scalar::external;
use crate::error::{Error, ErrorKind};
use crate::types;

/// The list of `generate_series`; not a name that SQL text can have.
pub const SERIES_LIST: &str = "generate_series\u{1}";

/// The list of `generate_subscripts`.
pub const SUBSCRIPTS_LIST: &str = "generate_subscripts\u{1}";

/// Elements that the lists of one batch of rows may have: they are held in memory at once.
const ELEMENTS_MAX: i128 = 16 << 20;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [Kind::Series, Kind::Subscripts]
        .into_iter()
        .map(|kind| {
            Arc::new(ScalarUDF::from(Lists {
                signature: Signature::user_defined(Volatility::Immutable),
                kind,
            }))
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// Start, stop and perhaps step.
    Series,
    /// An array, the number of a dimension, and perhaps whether to count down.
    Subscripts,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Lists {
    signature: Signature,
    kind: Kind,
}

impl ScalarUDFImpl for Lists {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Series => SERIES_LIST,
            Kind::Subscripts => SUBSCRIPTS_LIST,
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        if self.kind == Kind::Series {
            check_series(given)?;
        }
        let element = match (self.kind, given.first()) {
            (Kind::Series, Some(DataType::Int64)) => DataType::Int64,
            _ => DataType::Int32,
        };
        Ok(DataType::List(Arc::new(Field::new_list_field(
            element, true,
        ))))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match self.kind {
            Kind::Series => Ok(series_types(given)),
            Kind::Subscripts => subscripts_types(given),
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = call
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let lists = match self.kind {
            Kind::Series => series(&columns)?,
            Kind::Subscripts => {
                let first = first_index(&call.arg_fields[0]);
                let ranges = (0..columns[0].len()).map(|row| subscripts(&columns, row, first));
                lists_of::<Int32Type>(ranges, |it| i32::try_from(it).ok())?
            }
        };
        if is_scalar {
            let value = ScalarValue::try_from_array(&lists, 0)?;
            return Ok(ColumnarValue::Scalar(value));
        }
        Ok(ColumnarValue::Array(lists))
    }
}

fn undefined(name: &str) -> Error {
    let message = format!("function {name} does not exist");
    Error::new(ErrorKind::UndefinedFunction, message)
}

/// All of them integer, or all bigint; other types stay, to be refused by [`check_series`].
fn series_types(given: &[DataType]) -> Vec<DataType> {
    if !given.iter().all(is_whole) {
        return given.to_vec();
    }
    let element = match given.contains(&DataType::Int64) {
        true => DataType::Int64,
        false => DataType::Int32,
    };
    vec![element; given.len()]
}

fn is_whole(data_type: &DataType) -> bool {
    data_type.is_null()
        || matches!(
            data_type,
            DataType::Int16 | DataType::Int32 | DataType::Int64
        )
}

fn check_series(given: &[DataType]) -> Result<()> {
    if !(2..=3).contains(&given.len()) {
        return Err(external(undefined("generate_series")));
    }
    match given.iter().find(|data_type| !is_whole(data_type)) {
        Some(other) => {
            let name = types::format_type(types::of_arrow(other).oid, -1).unwrap_or_default();
            let what = format!("generate_series of type {name} in a select list");
            Err(external(Error::unsupported(what)))
        }
        None => Ok(()),
    }
}

fn subscripts_types(given: &[DataType]) -> Result<Vec<DataType>> {
    let types = match given {
        [list, dimension] if dimension.is_integer() || dimension.is_null() => {
            as_list(list).map(|list| vec![list, DataType::Int64])
        }
        [list, dimension, DataType::Boolean] if dimension.is_integer() || dimension.is_null() => {
            as_list(list).map(|list| vec![list, DataType::Int64, DataType::Boolean])
        }
        _ => None,
    };
    types.ok_or_else(|| external(undefined("generate_subscripts")))
}

/// First, last and step of a list; `None` for NULL.
type Range = Option<(i64, i64, i64)>;

fn series(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let wide = columns
        .iter()
        .map(|column| cast(column, &DataType::Int64))
        .collect::<Result<Vec<ArrayRef>, _>>()?;
    let value = |column: &ArrayRef, row: usize| {
        let numbers = column.as_primitive::<Int64Type>();
        numbers.is_valid(row).then(|| numbers.value(row))
    };
    let ranges = (0..wide[0].len()).map(|row| {
        let step = match wide.get(2) {
            Some(steps) => value(steps, row),
            None => Some(1),
        };
        let range = value(&wide[0], row).zip(value(&wide[1], row)).zip(step);
        Ok(range.map(|((first, last), step)| (first, last, step)))
    });
    match columns[0].data_type() {
        DataType::Int64 => lists_of::<Int64Type>(ranges, Some),
        _ => lists_of::<Int32Type>(ranges, |it| i32::try_from(it).ok()),
    }
}

fn subscripts(columns: &[ArrayRef], row: usize, first: i32) -> Result<Range> {
    let dimensions = columns[1].as_primitive::<Int64Type>();
    if dimensions.is_null(row) {
        return Ok(None);
    }
    let Some(length) = length(columns[0].as_ref(), row, dimensions.value(row)) else {
        return Ok(None);
    };
    let (first, last) = (i64::from(first), i64::from(first + length - 1));
    let counts_down = match columns.get(2) {
        Some(flags) if flags.is_null(row) => return Ok(None),
        Some(flags) => flags.as_boolean().value(row),
        None => false,
    };
    Ok(Some(match counts_down {
        true => (last, first, -1),
        false => (first, last, 1),
    }))
}

fn lists_of<T: ArrowPrimitiveType>(
    ranges: impl Iterator<Item = Result<Range>>,
    narrow: impl Fn(i64) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let mut lists = ListBuilder::new(PrimitiveBuilder::<T>::new());
    let mut n_elements = 0_i128;
    for range in ranges {
        let Some((first, last, step)) = range? else {
            lists.append_null();
            continue;
        };
        if step == 0 {
            let message = "step size cannot equal zero";
            let kind = ErrorKind::InvalidParameterValue;
            return Err(external(Error::new(kind, message)));
        }
        n_elements += count(first, last, step);
        if n_elements > ELEMENTS_MAX {
            return Err(external(too_many()));
        }
        let mut next = Some(first);
        while let Some(value) = next.filter(|it| if step > 0 { *it <= last } else { *it >= last }) {
            // What lies between two integers of a width has that width.
            lists.values().append_option(narrow(value));
            next = value.checked_add(step);
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

/// How many there are from `first` to `last`.
fn count(first: i64, last: i64, step: i64) -> i128 {
    let steps = (i128::from(last) - i128::from(first)) / i128::from(step);
    let is_ahead = if step > 0 {
        first <= last
    } else {
        first >= last
    };
    if is_ahead { steps + 1 } else { 0 }
}

fn too_many() -> Error {
    let message =
        format!("a set-returning function in a select list made more than {ELEMENTS_MAX} rows");
    Error::new(ErrorKind::OutOfMemory, message).with_hint("Call it in FROM.")
}
