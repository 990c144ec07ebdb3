//! Casts to `varchar` and `character`, with a length and without.
//! <https://www.postgresql.org/docs/16/datatype-character.html>
//!
//! Values of type `character` are kept without the spaces at their end, which count neither in
//! comparisons nor in casts to text; they are padded where they are sent.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::error::{Error, Result};
use crate::types::{self, MODIFIER_KEY, TYPE_KEY, oid};

/// Bytes of the modifier before the length (`VARHDRSZ`).
const MODIFIER_BASE: i64 = 4;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [Characters::Varying, Characters::Padded]
        .into_iter()
        .map(|characters| {
            Arc::new(ScalarUDF::from(CharacterCast {
                signature: Signature::user_defined(Volatility::Immutable),
                characters,
            }))
        })
        .collect()
}

/// The cast of a value that is kept as text, but is of another type, to text: its type's name is
/// forgotten, and nothing else changes.
pub fn as_text() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(CharacterCast {
        signature: Signature::user_defined(Volatility::Immutable),
        characters: Characters::Plain,
    }))
}

/// What a text is cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Characters {
    Plain,
    Varying,
    Padded,
}

/// `varchar(text [, length])` and `bpchar(text [, length])`, which stand for casts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CharacterCast {
    signature: Signature,
    characters: Characters,
}

impl CharacterCast {
    /// The field of the result: its type and length are in the metadata.
    fn field(&self, of: &DataType, length: Option<i64>) -> FieldRef {
        let type_oid = match self.characters {
            Characters::Plain => return Arc::new(Field::new(self.name(), of.clone(), true)),
            Characters::Varying => oid::VARCHAR,
            Characters::Padded => oid::BPCHAR,
        };
        let mut metadata = vec![(TYPE_KEY.to_owned(), type_oid.to_string())];
        if let Some(length) = length {
            let modifier = (length + MODIFIER_BASE).to_string();
            metadata.push((MODIFIER_KEY.to_owned(), modifier));
        }
        let field = Field::new(self.name(), of.clone(), true);
        Arc::new(field.with_metadata(metadata.into_iter().collect()))
    }

    fn cast(&self, texts: &ArrayRef, length: Option<i64>) -> DataFusionResult<ArrayRef> {
        if self.characters != Characters::Padded && length.is_none() {
            return Ok(Arc::clone(texts));
        }
        let length = length.and_then(|length| usize::try_from(length).ok());
        let plain = cast(texts, &DataType::Utf8)?;
        let written = plain.as_string::<i32>().iter().map(|text| {
            let text = cut(text?, length);
            Some(match self.characters {
                Characters::Plain | Characters::Varying => text,
                Characters::Padded => text.trim_end_matches(' '),
            })
        });
        let written: StringArray = written.collect();
        Ok(cast(&written, texts.data_type())?)
    }
}

/// Arrays of `varchar(n)` and `character(n)` with elements of their length; other values as they are.
pub(super) fn fitted(values: ArrayRef, field: &Field) -> Result<ArrayRef> {
    let pg_type = types::of_field(field);
    let is_padded = match types::element_of(pg_type.oid) {
        Some(oid::BPCHAR) => true,
        Some(oid::VARCHAR) => false,
        _ => return Ok(values),
    };
    let length = i64::from(pg_type.modifier) - MODIFIER_BASE;
    let length = usize::try_from(length).ok().filter(|length| *length > 0);
    fitted_elements(&values, length, is_padded)
}

fn fitted_elements(values: &ArrayRef, length: Option<usize>, is_padded: bool) -> Result<ArrayRef> {
    let DataType::List(element) = values.data_type() else {
        let texts = cast(values, &DataType::Utf8).map_err(Error::internal)?;
        let fitted = texts.as_string::<i32>().iter().map(|text| {
            let text = cut(text?, length);
            Some(match is_padded {
                true => text.trim_end_matches(' '),
                false => text,
            })
        });
        let fitted: StringArray = fitted.collect();
        return Ok(Arc::new(fitted));
    };
    let lists = values.as_list::<i32>();
    let elements = fitted_elements(lists.values(), length, is_padded)?;
    let lists = ListArray::try_new(
        Arc::clone(element),
        lists.offsets().clone(),
        elements,
        lists.nulls().cloned(),
    );
    Ok(Arc::new(lists.map_err(Error::internal)?))
}

/// The first characters of a text.
fn cut(text: &str, length: Option<usize>) -> &str {
    let end = length.and_then(|length| text.char_indices().nth(length));
    end.map_or(text, |(end, _)| &text[..end])
}

fn length_of(value: Option<&ScalarValue>) -> Option<i64> {
    match value?.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(length)) => length,
        _ => None,
    }
}

impl ScalarUDFImpl for CharacterCast {
    fn name(&self) -> &'static str {
        match self.characters {
            Characters::Plain => "text",
            Characters::Varying => "varchar",
            Characters::Padded => "bpchar",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, of: &[DataType]) -> DataFusionResult<DataType> {
        Ok(of.first().cloned().unwrap_or(DataType::Utf8))
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        let length = length_of(arguments.scalar_arguments.get(1).copied().flatten());
        let of = arguments.arg_fields[0].data_type();
        Ok(self.field(of, length))
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        let text = match given {
            [text, ..] if given.len() <= 2 => text,
            _ => {
                let message = format!("{} takes a text and a length", self.name());
                return Err(DataFusionError::Plan(message));
            }
        };
        let text = match text {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => text.clone(),
            _ => DataType::Utf8,
        };
        let length = given.get(1).map(|_| DataType::Int64);
        Ok(std::iter::once(text).chain(length).collect())
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let length = match call.args.get(1) {
            Some(ColumnarValue::Scalar(length)) => length_of(Some(length)),
            _ => None,
        };
        match &call.args[0] {
            ColumnarValue::Array(texts) => self.cast(texts, length).map(ColumnarValue::Array),
            ColumnarValue::Scalar(text) => {
                let text = self.cast(&text.to_array()?, length)?;
                ScalarValue::try_from_array(&text, 0).map(ColumnarValue::Scalar)
            }
        }
    }
}
