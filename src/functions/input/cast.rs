//! Casts of text columns, by the input functions.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryBuilder, BooleanArray, PrimitiveArray,
    PrimitiveBuilder, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, FieldRef, Float32Type, Float64Type,
    Int16Type, Int32Type, Int64Type, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
    UInt32Type,
};
use datafusion::common::{DataFusionError, Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::number::Digits;
use super::{boolean, datetime, invalid_text, scalar, value};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::characters;
use crate::functions::kept;
use crate::functions::output::Style;
use crate::types::{self, oid};

/// The function that reads texts as values of a column's type, as a session of this style does.
pub fn input(to: FieldRef, style: Style) -> Arc<ScalarUDF> {
    let pg_oid = types::of_field(&to).oid;
    // The zone of a time without one may have another offset tomorrow.
    let volatility = match types::element_of(pg_oid).unwrap_or(pg_oid) {
        oid::TIMETZ => Volatility::Stable,
        _ => Volatility::Immutable,
    };
    Arc::new(ScalarUDF::from(Input {
        signature: Signature::any(1, volatility),
        style,
        to,
    }))
}

/// Whether texts are read as values of this type by [`input`].
pub fn reads(to: &DataType) -> bool {
    match to {
        // Delta tables hold texts and bytes as views.
        DataType::List(element) => match element.data_type() {
            DataType::BinaryView => true,
            element => reads(element) || is_text(element),
        },
        DataType::Boolean
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt32
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Decimal256(..)
        | DataType::Date32
        | DataType::Time64(TimeUnit::Microsecond)
        | DataType::Timestamp(TimeUnit::Microsecond, _)
        | DataType::Interval(_)
        | DataType::Binary => true,
        _ => false,
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Input {
    signature: Signature,
    to: FieldRef,
    style: Style,
}

impl ScalarUDFImpl for Input {
    fn name(&self) -> &'static str {
        "input"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(self.to.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        let field = self.to.as_ref().clone();
        Ok(Arc::new(field.with_name("input").with_nullable(true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let to = self.to.data_type();
        let pg_oid = types::of_field(&self.to).oid;
        let read = |texts: ArrayRef| -> DataFusionResult<ArrayRef> {
            let texts = cast(&texts, &DataType::Utf8)?;
            read(texts.as_string(), (to, pg_oid), &self.style)
                .and_then(|values| characters::fitted(values, &self.to))
                .map_err(|error| DataFusionError::External(Box::new(error)))
        };
        match &arguments.args[0] {
            ColumnarValue::Array(texts) => read(Arc::clone(texts)).map(ColumnarValue::Array),
            ColumnarValue::Scalar(text) => {
                let value = read(text.to_array()?)?;
                Ok(ColumnarValue::Scalar(match to {
                    // With the field of its elements, whose metadata name their type.
                    DataType::List(_) => {
                        ScalarValue::List(Arc::new(value.as_list::<i32>().clone()))
                    }
                    _ => ScalarValue::try_from_array(&value, 0)?,
                }))
            }
        }
    }
}

/// The values of texts.
fn read(texts: &StringArray, (to, pg_oid): (&DataType, u32), style: &Style) -> Result<ArrayRef> {
    Ok(match to {
        DataType::Binary if pg_oid != oid::BYTEA => read_kept(texts, pg_oid, style)?,
        DataType::Boolean => Arc::new(booleans(texts)?),
        DataType::Int16 => whole::<Int16Type>(texts, oid::INT2)?,
        DataType::Int32 => whole::<Int32Type>(texts, oid::INT4)?,
        DataType::Int64 => whole::<Int64Type>(texts, oid::INT8)?,
        DataType::UInt32 => {
            primitive::<UInt32Type>(texts, to, |text| scalar::object_id(text, oid::OID))?
        }
        DataType::Float32 => primitive::<Float32Type>(texts, to, |text| {
            scalar::float(text, oid::FLOAT4, f32::is_infinite)
        })?,
        DataType::Float64 => primitive::<Float64Type>(texts, to, |text| {
            scalar::float(text, oid::FLOAT8, f64::is_infinite)
        })?,
        DataType::Decimal128(..) | DataType::Decimal256(..) => decimals(texts, to)?,
        DataType::Date32 => primitive::<Date32Type>(texts, to, |text| datetime::date(text, style))?,
        DataType::Time64(_) => {
            primitive::<Time64MicrosecondType>(texts, to, |text| datetime::time(text, style))?
        }
        DataType::Timestamp(_, None) => primitive::<TimestampMicrosecondType>(texts, to, |text| {
            datetime::timestamp(text, style)
        })?,
        DataType::Timestamp(_, Some(_)) => {
            primitive::<TimestampMicrosecondType>(texts, to, |text| {
                datetime::timestamptz(text, style)
            })?
        }
        _ => any(texts, (to, pg_oid), style)?,
    })
}

/// Values of a type that Arrow lacks.
///
/// # Errors
/// What PostgreSQL says of a text that is not of the type.
pub(in crate::functions) fn read_kept(
    texts: &StringArray,
    pg_oid: u32,
    style: &Style,
) -> Result<ArrayRef> {
    let mut values = BinaryBuilder::new();
    for text in texts {
        match text {
            Some(text) => values.append_value(kept::from_text(text, pg_oid, style)?),
            None => values.append_null(),
        }
    }
    Ok(Arc::new(values.finish()))
}

/// The decimals of texts, of this precision and scale.
///
/// # Errors
/// A text is no number, or has too many digits.
pub(in crate::functions) fn decimals(texts: &StringArray, to: &DataType) -> Result<ArrayRef> {
    match to {
        DataType::Decimal256(precision, scale) => primitive::<Decimal256Type>(texts, to, |text| {
            Digits::of(text)?.unscaled(*precision, *scale)
        }),
        DataType::Decimal128(precision, scale) => primitive::<Decimal128Type>(texts, to, |text| {
            let unscaled = Digits::of(text)?.unscaled(*precision, *scale)?;
            unscaled
                .to_i128()
                .ok_or_else(|| invalid_text(oid::NUMERIC, text))
        }),
        other => Err(Error::unsupported(format!("decimals of type {other}"))),
    }
}

fn booleans(texts: &StringArray) -> Result<BooleanArray> {
    let read = |text: &str| boolean(text).ok_or_else(|| invalid_text(oid::BOOL, text));
    texts
        .iter()
        .map(|text| text.map(read).transpose())
        .collect()
}

fn whole<T>(texts: &StringArray, pg_oid: u32) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i128>,
{
    primitive::<T>(texts, &T::DATA_TYPE, |text| scalar::integer(text, pg_oid))
}

fn primitive<T: ArrowPrimitiveType>(
    texts: &StringArray,
    to: &DataType,
    read: impl Fn(&str) -> Result<T::Native>,
) -> Result<ArrayRef> {
    let mut values = PrimitiveBuilder::<T>::with_capacity(texts.len()).with_data_type(to.clone());
    for text in texts {
        match text {
            Some(text) => values.append_value(read(text)?),
            None => values.append_null(),
        }
    }
    let values: PrimitiveArray<T> = values.finish();
    Ok(Arc::new(values))
}

/// Values of types that are not as often read from text.
fn any(texts: &StringArray, (to, pg_oid): (&DataType, u32), style: &Style) -> Result<ArrayRef> {
    let null = ScalarValue::try_from(to).map_err(Error::internal)?;
    if texts.is_empty() {
        return null.to_array_of_size(0).map_err(Error::internal);
    }
    let values = texts.iter().map(|text| match text {
        None => Ok(null.clone()),
        Some(text) => {
            let value = value(text, pg_oid, style)?;
            if is_deeper(&value.data_type(), to) {
                let message = "an array of more dimensions than its type has here";
                return Err(Error::unsupported(message));
            }
            value.cast_to(to).map_err(|cause| {
                let message = format!("value \"{text}\" is out of range");
                Error::new(ErrorKind::NumericValueOutOfRange, message).with_cause(cause)
            })
        }
    });
    let values: Vec<ScalarValue> = values.collect::<Result<_>>()?;
    let array = ScalarValue::iter_to_array(values).map_err(Error::internal)?;
    // What the elements' metadata say of their type is lost among values.
    cast(&array, to).map_err(Error::internal)
}

fn is_deeper(of: &DataType, to: &DataType) -> bool {
    match (of, to) {
        (DataType::List(of), DataType::List(to)) => is_deeper(of.data_type(), to.data_type()),
        (DataType::List(_), _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    /// What texts are as arrays of elements of a type.
    fn check(element: &DataType, texts: &[&str], expected: &[&str]) {
        let list = Field::new_list("a", Field::new_list_field(element.clone(), true), true);
        assert!(reads(list.data_type()), "{element}");
        let pg_oid = types::of_field(&list).oid;
        let texts = StringArray::from(texts.to_vec());
        let made = read(&texts, (list.data_type(), pg_oid), &Style::default());
        let made = made.expect("they are arrays");
        assert_eq!(made.data_type(), list.data_type());
        let found = made.as_list::<i32>().iter().map(|elements| {
            let elements = elements.expect("it is not NULL");
            let elements = cast(&elements, &DataType::Binary).expect("they are bytes");
            let elements = elements.as_binary::<i32>().iter();
            let shown = elements
                .map(|element| String::from_utf8_lossy(element.unwrap_or(b"NULL")).into_owned());
            shown.collect::<Vec<_>>().join("|")
        });
        assert_eq!(found.collect::<Vec<_>>(), expected, "{element}");
    }

    /// Tables of Delta have views: an array was once a single element that had the array's text.
    #[test]
    fn arrays_are_read_however_their_elements_are_held() {
        for text in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View] {
            check(
                &text,
                &["{}", "{a,\"b c\"}", "{NULL}"],
                &["", "a|b c", "NULL"],
            );
        }
        for bytes in [DataType::Binary, DataType::BinaryView] {
            check(&bytes, &["{}", "{\"\\\\x6162\"}"], &["", "ab"]);
        }
    }
}
