//! A scalar function given by its PostgreSQL types and a body for one row.
//!
//! Functions of the catalog see few rows, so that clarity wins over columns here.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::new_empty_array;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::catalog::system::field;
use crate::error::{Error, ErrorKind, Result};
use crate::types::arrow_type;

/// What an argument may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Argument {
    /// Of this type, or what casts to it.
    Of(u32),
    /// An object's name (text) or OID.
    Object,
    /// Anything.
    Any,
}

/// The body of a function, for the arguments of one row.
type Body = Arc<dyn Fn(&[ScalarValue]) -> Result<ScalarValue> + Send + Sync>;

/// A function of PostgreSQL.
pub(super) struct Scalar {
    name: &'static str,
    arguments: Vec<Argument>,
    /// How many of the last arguments may be left out.
    optional: usize,
    /// Whether the last argument may come any number of times.
    is_variadic: bool,
    returns: u32,
    /// Whether a NULL argument makes the result NULL, as for most of PostgreSQL's functions.
    strict: bool,
    signature: Signature,
    body: Body,
}

impl Scalar {
    /// A strict function that depends on the session or the catalog.
    pub(super) fn new(
        name: &'static str,
        arguments: &[Argument],
        returns: u32,
        body: impl Fn(&[ScalarValue]) -> Result<ScalarValue> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            arguments: arguments.to_vec(),
            optional: 0,
            is_variadic: false,
            returns,
            strict: true,
            // Stable, so that nothing keeps a result longer than its statement.
            signature: Signature::user_defined(Volatility::Stable),
            body: Arc::new(body),
        }
    }

    /// The last `count` arguments may be left out.
    pub(super) fn optional(self, count: usize) -> Self {
        Self {
            optional: count,
            ..self
        }
    }

    /// The last argument may come any number of times, or not at all.
    pub(super) fn variadic(self) -> Self {
        Self {
            is_variadic: true,
            optional: 1,
            ..self
        }
    }

    /// The body sees NULL arguments.
    pub(super) fn with_nulls(self) -> Self {
        Self {
            strict: false,
            ..self
        }
    }

    /// It depends on its arguments alone: of constants it is one.
    pub(super) fn immutable(self) -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
            ..self
        }
    }

    /// It does something: never run but where the statement says so.
    pub(super) fn volatile(self) -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Volatile),
            ..self
        }
    }

    /// Ready to be registered.
    pub(super) fn udf(self) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(self))
    }

    fn row(&self, arguments: &[ScalarValue], returns: &DataType) -> DataFusionResult<ScalarValue> {
        if self.strict && arguments.iter().any(ScalarValue::is_null) {
            return ScalarValue::try_from(returns);
        }
        let value = (self.body)(arguments).map_err(external)?;
        value.cast_to(returns)
    }
}

/// An error of ours, on its way through DataFusion.
pub(super) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scalar({})", self.name)
    }
}

impl PartialEq for Scalar {
    /// The same function of the same session: bodies are not looked into.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.body, &other.body)
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Scalar {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(field(self.name, self.returns, true).data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        Ok(Arc::new(field(self.name, self.returns, true)))
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        let fewest = self.arguments.len() - self.optional;
        let is_too_many = !self.is_variadic && given.len() > self.arguments.len();
        if given.len() < fewest || is_too_many {
            let kind = ErrorKind::UndefinedFunction;
            let message = format!(
                "function {} does not exist with {} arguments",
                self.name,
                given.len()
            );
            return Err(external(Error::new(kind, message)));
        }
        let repeated = self.arguments.last().into_iter().cycle();
        let arguments = self.arguments.iter().chain(repeated).zip(given);
        Ok(arguments
            .map(|(argument, given)| coerced(*argument, given))
            .collect())
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let returns = call.return_field.data_type();
        let constant: Option<Vec<ScalarValue>> = call
            .args
            .iter()
            .map(|argument| match argument {
                ColumnarValue::Scalar(value) => Some(value.clone()),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        if let Some(arguments) = constant {
            return Ok(ColumnarValue::Scalar(self.row(&arguments, returns)?));
        }
        if call.number_rows == 0 {
            return Ok(ColumnarValue::Array(new_empty_array(returns)));
        }
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let values: DataFusionResult<Vec<ScalarValue>> = (0..call.number_rows)
            .map(|index| {
                let row: DataFusionResult<Vec<ScalarValue>> = columns
                    .iter()
                    .map(|column| ScalarValue::try_from_array(column, index))
                    .collect();
                self.row(&row?, returns)
            })
            .collect();
        let array = ScalarValue::iter_to_array(values?)?;
        Ok(ColumnarValue::Array(array))
    }
}

fn coerced(argument: Argument, given: &DataType) -> DataType {
    match argument {
        Argument::Any => given.clone(),
        Argument::Object if given.is_integer() => DataType::UInt32,
        Argument::Object => DataType::Utf8,
        Argument::Of(type_oid) => {
            let list = || Field::new_list_field(DataType::Utf8, true);
            arrow_type(type_oid).unwrap_or_else(|| DataType::List(Arc::new(list())))
        }
    }
}

/// The text of an argument; empty for anything else, which [`coerced`] excludes.
pub(super) fn text(value: &ScalarValue) -> &str {
    value.try_as_str().flatten().unwrap_or_default()
}

/// The number of an argument; 0 for anything else, which [`coerced`] excludes.
pub(super) fn number(value: &ScalarValue) -> i64 {
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(Some(number))) => number,
        _ => 0,
    }
}

/// The OID of an argument; 0, which no object has, for anything else.
pub(super) fn oid_of(value: &ScalarValue) -> u32 {
    match value {
        ScalarValue::UInt32(Some(oid)) => *oid,
        other => text(other).parse().unwrap_or(0),
    }
}
