//! `sqrt`, `exp`, `ln`, `log` and `power`: of literals of numeric they are numerics with PostgreSQL's
//! digits, of everything else double precision.
//! <https://www.postgresql.org/docs/16/functions-math.html>
//!
//! In PostgreSQL each numeric has a scale of its own, and in a column of Arrow all have one. What is
//! computed of literals alone becomes a literal with its own scale when the statement is planned
//! (`rules::exact_literals`).

mod number;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::checked_floats::exp;
use super::decimals::trimmed;
use super::input::Digits;
use super::logarithms::{logarithm, raised};
use super::overloads::undefined;
use super::scalar::external;
use crate::error::{Error, ErrorKind, Mathematical, Result};
use number::{DIGITS_MAX, NoResult, Number};

/// The functions by their names.
const FUNCTIONS: [(&str, Kind); 7] = [
    ("sqrt", Kind::Sqrt),
    ("exp", Kind::Exp),
    ("ln", Kind::Ln),
    ("log", Kind::Log),
    ("log10", Kind::Log10),
    ("power", Kind::Power),
    ("pow", Kind::Power),
];

/// The functions of this room.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    FUNCTIONS
        .into_iter()
        .map(|(name, kind)| {
            Arc::new(ScalarUDF::from(Exact {
                signature: Signature::user_defined(Volatility::Immutable),
                name,
                kind,
            }))
        })
        .collect()
}

/// What one of the functions, or `trim_scale`, gives for literals of numeric; `None` where it is not
/// numeric, and for other functions.
///
/// # Errors
/// It has no value, or one of too many digits.
pub fn exact_value(name: &str, literals: &[ScalarValue]) -> Result<Option<ScalarValue>> {
    let given: Vec<DataType> = literals.iter().map(ScalarValue::data_type).collect();
    if !are_numeric(&given) {
        return Ok(None);
    }
    if let ("trim_scale", [literal]) = (name, literals) {
        return Ok(trimmed(literal));
    }
    match FUNCTIONS.iter().find(|(known, _)| *known == name) {
        Some((name, kind)) => exact(*kind, name, literals),
        None => Ok(None),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Sqrt,
    Exp,
    Ln,
    /// Of one argument to base 10, of two to the first.
    Log,
    Log10,
    Power,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    signature: Signature,
    name: &'static str,
    kind: Kind,
}

fn is_decimal(of: &DataType) -> bool {
    matches!(of, DataType::Decimal128(..) | DataType::Decimal256(..))
}

fn is_text(of: &DataType) -> bool {
    matches!(of, DataType::Utf8 | DataType::Utf8View)
}

/// Whether numeric is the type in which such arguments meet: floating-point numbers count for more, and
/// integers alone are double precision.
fn are_numeric(given: &[DataType]) -> bool {
    given.iter().any(is_decimal) && !given.iter().any(DataType::is_floating)
}

impl ScalarUDFImpl for Exact {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        let fits = |of: &DataType| of.is_numeric() || of.is_null() || is_text(of);
        // What does not fit is refused where the type of the result is asked for.
        if are_numeric(given) || !given.iter().all(fits) {
            return Ok(given.to_vec());
        }
        Ok(vec![DataType::Float64; given.len()])
    }

    fn return_type(&self, given: &[DataType]) -> DataFusionResult<DataType> {
        let fits_count = match self.kind {
            Kind::Sqrt | Kind::Exp | Kind::Ln | Kind::Log10 => given.len() == 1,
            Kind::Log => (1..=2).contains(&given.len()),
            Kind::Power => given.len() == 2,
        };
        let fits = |of: &DataType| of.is_numeric() || of.is_null() || is_text(of);
        match fits_count && given.iter().all(fits) {
            true => Ok(DataType::Float64),
            false => Err(external(undefined(self.name, given))),
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let are_scalars = call
            .args
            .iter()
            .all(|it| matches!(it, ColumnarValue::Scalar(_)));
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let values: ArrayRef = Arc::new(self.floats(&columns)?);
        match are_scalars {
            true => ScalarValue::try_from_array(&values, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(values)),
        }
    }
}

impl Exact {
    fn floats(&self, columns: &[ArrayRef]) -> DataFusionResult<Float64Array> {
        let floats = columns.iter().map(|column| {
            let floats = cast(column, &DataType::Float64)?;
            Ok(floats.as_primitive::<Float64Type>().clone())
        });
        let floats: Vec<Float64Array> = floats.collect::<DataFusionResult<_>>()?;
        let of_one = |compute: fn(f64) -> Result<f64>| {
            let values = floats[0].iter();
            let computed: Result<Float64Array> =
                values.map(|value| value.map(compute).transpose()).collect();
            computed.map_err(external)
        };
        let of_two = |compute: fn(f64, f64) -> Result<f64>| {
            let pairs = floats[0].iter().zip(&floats[1]);
            let computed: Result<Float64Array> = pairs
                .map(|(left, right)| left.zip(right).map(|(l, r)| compute(l, r)).transpose())
                .collect();
            computed.map_err(external)
        };
        match (self.kind, floats.len()) {
            (Kind::Sqrt, _) => of_one(square_root),
            (Kind::Exp, _) => of_one(exp),
            (Kind::Ln, _) => of_one(|value| logarithm(value, f64::ln)),
            (Kind::Log10, _) | (Kind::Log, 1) => of_one(|value| logarithm(value, f64::log10)),
            (Kind::Log, _) => of_two(logarithm_to_base),
            (Kind::Power, _) => of_two(raised),
        }
    }
}

/// The value of literals; `None` where one of them is NULL or none that is known here.
fn exact(kind: Kind, name: &str, literals: &[ScalarValue]) -> Result<Option<ScalarValue>> {
    let numbers = literals.iter().map(number_of);
    let Some(numbers) = numbers.collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let ten = || Number::of("10").ok_or(NoResult::TooLong);
    let result = match (kind, numbers.as_slice()) {
        (Kind::Sqrt, [of]) => of.sqrt(),
        (Kind::Exp, [of]) => of.exp(),
        (Kind::Ln, [of]) => of.ln(),
        (Kind::Log | Kind::Log10, [of]) => ten().and_then(|ten| of.log(&ten)),
        (Kind::Log, [base, of]) => of.log(base),
        (Kind::Power, [base, exponent]) => base.power(exponent),
        _ => return Ok(None),
    };
    let result = result.map_err(|why| failure(why, name))?;
    let digits = Digits::of(&result.text()).and_then(Digits::into_scalar);
    digits
        .map(Some)
        .map_err(|_| failure(NoResult::TooLong, name))
}

/// As `dsqrt` in float.c.
fn square_root(value: f64) -> Result<f64> {
    match value < 0.0 {
        true => Err(failure(NoResult::NegativeRoot, "sqrt")),
        false => Ok(value.sqrt()),
    }
}

fn logarithm_to_base(base: f64, value: f64) -> Result<f64> {
    let (base, value) = (logarithm(base, f64::ln)?, logarithm(value, f64::ln)?);
    match base == 0.0 {
        true => Err(failure(NoResult::DivisionByZero, "log")),
        false => Ok(value / base),
    }
}

/// A literal as a number; `None` of NULL, and of a text that is none.
fn number_of(literal: &ScalarValue) -> Option<Number> {
    let text = match literal {
        ScalarValue::Utf8(Some(text)) => text.trim_ascii().to_owned(),
        ScalarValue::Decimal128(Some(_), _, 0..) | ScalarValue::Decimal256(Some(_), _, 0..) => {
            let digits = cast(&literal.to_array().ok()?, &DataType::Utf8).ok()?;
            digits.as_string::<i32>().value(0).to_owned()
        }
        other if other.data_type().is_integer() && !other.is_null() => other.to_string(),
        _ => return None,
    };
    Number::of(&text)
}

/// PostgreSQL's words (numeric.c, float.c).
fn failure(why: NoResult, name: &str) -> Error {
    let power = ErrorKind::InvalidArgumentFor(Mathematical::Power);
    let of_logarithm = ErrorKind::InvalidArgumentFor(Mathematical::Logarithm);
    let (kind, message) = match why {
        NoResult::NegativeRoot => (power, "cannot take square root of a negative number"),
        NoResult::LogarithmOfZero => (of_logarithm, "cannot take logarithm of zero"),
        NoResult::LogarithmOfNegative => {
            (of_logarithm, "cannot take logarithm of a negative number")
        }
        NoResult::DivisionByZero => (ErrorKind::DivisionByZero, "division by zero"),
        NoResult::ZeroToNegative => (power, "zero raised to a negative power is undefined"),
        NoResult::NegativeToFraction => (
            power,
            "a negative number raised to a non-integer power yields a complex result",
        ),
        NoResult::TooLong => {
            let what = format!("{name}() with a result of more than {DIGITS_MAX} digits");
            return Error::unsupported(what);
        }
    };
    Error::new(kind, message)
}
