//! A scalar function of several signatures, chosen by the types of its arguments as PostgreSQL chooses
//! them. <https://www.postgresql.org/docs/16/typeconv-func.html>

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::new_empty_array;
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::output::Zone;
use super::scalar::external;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{format_type, of_arrow};

/// What an argument of a signature may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int4,
    Int8,
    Numeric,
    Float8,
    Date,
    Timestamp,
    /// `timestamp with time zone`
    Instant,
    Interval,
}

/// What a signature gives.
#[derive(Clone, Debug)]
pub(super) enum Gives {
    /// Always this type.
    Of(DataType),
    /// The type of an argument, counted from 0.
    Argument(usize),
}

/// The body of a signature, for the arguments of one row.
type Body = Arc<dyn Fn(&[ScalarValue]) -> Result<ScalarValue> + Send + Sync>;

struct Overload {
    takes: Vec<Kind>,
    gives: Gives,
    body: Body,
}

/// A strict function: NULL where an argument is NULL.
pub(super) struct Overloaded {
    name: &'static str,
    signature: Signature,
    overloads: Vec<Overload>,
    /// In which dates and timestamps without a zone are instants.
    zone: Arc<str>,
}

impl Overloaded {
    /// A function that depends on its arguments alone.
    pub(super) fn immutable(name: &'static str) -> Self {
        Self {
            name,
            signature: Signature::user_defined(Volatility::Immutable),
            overloads: Vec::new(),
            zone: "UTC".into(),
        }
    }

    /// A function that depends on the session.
    pub(super) fn stable(name: &'static str) -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Stable),
            ..Self::immutable(name)
        }
    }

    /// Dates and timestamps without a zone are instants in this one.
    pub(super) fn in_zone(self, zone: Zone) -> Self {
        Self {
            zone: zone.name().into(),
            ..self
        }
    }

    /// Adds a signature. Of two that fit as well, the first is taken.
    pub(super) fn with(
        mut self,
        takes: &[Kind],
        gives: Gives,
        body: impl Fn(&[ScalarValue]) -> Result<ScalarValue> + Send + Sync + 'static,
    ) -> Self {
        self.overloads.push(Overload {
            takes: takes.to_vec(),
            gives,
            body: Arc::new(body),
        });
        self
    }

    /// Ready to be registered.
    pub(super) fn udf(self) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(self))
    }

    fn chosen(&self, given: &[DataType]) -> DataFusionResult<&Overload> {
        let mut best: Option<(u32, &Overload)> = None;
        for overload in &self.overloads {
            let Some(distance) = overload.distance(given) else {
                continue;
            };
            if best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, overload));
            }
        }
        match best {
            Some((_, overload)) => Ok(overload),
            None => Err(external(undefined(self.name, given))),
        }
    }

    fn row(
        overload: &Overload,
        arguments: &[ScalarValue],
        gives: &DataType,
    ) -> DataFusionResult<ScalarValue> {
        if arguments.iter().any(ScalarValue::is_null) {
            return ScalarValue::try_from(gives);
        }
        let value = (overload.body)(arguments).map_err(external)?;
        match value.data_type() == *gives {
            true => Ok(value),
            false => value.cast_to(gives),
        }
    }
}

impl Overload {
    /// How far the given types are from what the signature takes; `None` if they do not fit.
    fn distance(&self, given: &[DataType]) -> Option<u32> {
        if given.len() != self.takes.len() {
            return None;
        }
        let pairs = self.takes.iter().zip(given);
        pairs
            .map(|(kind, given)| kind.distance(given))
            .try_fold(0, |sum, distance| Some(sum + distance?))
    }

    fn gives(&self, arguments: &[DataType]) -> DataType {
        match &self.gives {
            Gives::Of(data_type) => data_type.clone(),
            Gives::Argument(index) => arguments[*index].clone(),
        }
    }
}

/// The error of a function that there is not for these types, as `ParseFuncOrColumn` words it.
pub(super) fn undefined(name: &str, given: &[DataType]) -> Error {
    let names: Vec<String> = given.iter().map(type_name).collect();
    let message = format!("function {name}({}) does not exist", names.join(", "));
    Error::new(ErrorKind::UndefinedFunction, message).with_hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    )
}

/// A type as PostgreSQL's messages name it, without a modifier.
fn type_name(of: &DataType) -> String {
    match of {
        DataType::Null => "unknown".to_owned(),
        of => format_type(of_arrow(of).oid, -1).unwrap_or_else(|| of.to_string()),
    }
}

impl Kind {
    /// 0 for the same type, more for an implicit cast, most for a text, which may be a literal that
    /// has no type yet.
    fn distance(self, given: &DataType) -> Option<u32> {
        let is_integer = given.is_integer();
        let is_decimal = matches!(given, DataType::Decimal128(..) | DataType::Decimal256(..));
        let is_text = matches!(
            given,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        );
        Some(match (self, given) {
            (Self::Text, _) if is_text => 0,
            (_, DataType::Null) => 1,
            (Self::Int4, DataType::Int8 | DataType::Int16 | DataType::Int32) => 0,
            (Self::Int8, DataType::Int64) => 0,
            (Self::Numeric, _) if is_decimal => 0,
            (Self::Float8, DataType::Float64) => 0,
            (Self::Date, DataType::Date32)
            | (Self::Timestamp, DataType::Timestamp(_, None))
            | (Self::Instant, DataType::Timestamp(_, Some(_)))
            | (Self::Interval, DataType::Interval(_) | DataType::Duration(_)) => 0,
            (Self::Int8, _) if is_integer => 1,
            // A literal is a bigint here; what does not fit fails.
            (Self::Int4, DataType::Int64) => 2,
            (Self::Numeric, _) if is_integer => 2,
            (Self::Float8, DataType::Float32) => 1,
            (Self::Float8, _) if is_integer || is_decimal => 3,
            (Self::Instant, DataType::Date32 | DataType::Timestamp(_, None)) => 2,
            (Self::Timestamp, DataType::Date32) => 3,
            (Self::Interval, DataType::Time64(_)) => 3,
            _ if is_text => 4,
            _ => return None,
        })
    }

    fn coerced(self, given: &DataType, zone: &Arc<str>) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Int4 => DataType::Int32,
            Self::Int8 => DataType::Int64,
            Self::Numeric => match given {
                DataType::Decimal128(..) | DataType::Decimal256(..) => given.clone(),
                given if given.is_integer() => DataType::Decimal128(20, 0),
                _ => DataType::Decimal128(38, 10),
            },
            Self::Float8 => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Instant => match given {
                DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => given.clone(),
                _ => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(zone))),
            },
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
        }
    }
}

impl fmt::Debug for Overloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Overloaded({})", self.name)
    }
}

impl PartialEq for Overloaded {
    /// The same function of the same session: bodies are not looked into.
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = self.overloads.iter().zip(&other.overloads);
        self.name == other.name
            && self.overloads.len() == other.overloads.len()
            && pairs.all(|(own, others)| Arc::ptr_eq(&own.body, &others.body))
    }
}

impl Eq for Overloaded {}

impl Hash for Overloaded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Overloaded {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> DataFusionResult<DataType> {
        Ok(self.chosen(arguments)?.gives(arguments))
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        // DataFusion forgets the error of a coercion; that of the result's type it passes on.
        let Ok(overload) = self.chosen(given) else {
            return Ok(given.to_vec());
        };
        let pairs = overload.takes.iter().zip(given);
        Ok(pairs
            .map(|(kind, given)| kind.coerced(given, &self.zone))
            .collect())
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let types: Vec<DataType> = call.args.iter().map(ColumnarValue::data_type).collect();
        let overload = self.chosen(&types)?;
        let gives = call.return_field.data_type();
        let constant: Option<Vec<ScalarValue>> = call
            .args
            .iter()
            .map(|argument| match argument {
                ColumnarValue::Scalar(value) => Some(value.clone()),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        if let Some(arguments) = constant {
            let value = Self::row(overload, &arguments, gives)?;
            return Ok(ColumnarValue::Scalar(value));
        }
        if call.number_rows == 0 {
            return Ok(ColumnarValue::Array(new_empty_array(gives)));
        }
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let mut row = Vec::with_capacity(columns.len());
        let mut values = Vec::with_capacity(call.number_rows);
        for index in 0..call.number_rows {
            row.clear();
            for column in &columns {
                row.push(ScalarValue::try_from_array(column, index)?);
            }
            values.push(Self::row(overload, &row, gives)?);
        }
        Ok(ColumnarValue::Array(ScalarValue::iter_to_array(values)?))
    }
}

/// The number of an integer argument; 0 for anything else, which the signatures exclude.
pub(super) fn integer(value: &ScalarValue) -> i64 {
    match value {
        ScalarValue::Int32(Some(number)) => i64::from(*number),
        ScalarValue::Int64(Some(number)) => *number,
        _ => 0,
    }
}

/// The number of a float argument; 0 for anything else, which the signatures exclude.
pub(super) fn float(value: &ScalarValue) -> f64 {
    match value {
        ScalarValue::Float64(Some(number)) => *number,
        _ => 0.0,
    }
}
