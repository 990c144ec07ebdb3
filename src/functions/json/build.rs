//! `json_build_object` and `json_build_array`, and their kind of jsonb.
//! <https://www.postgresql.org/docs/16/functions-json.html#FUNCTIONS-JSON-CREATION-TABLE>

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::call::{check_convertible, strings};
use super::{Flavour, flavour, is_text, marked, nested, normal};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::scalar::external;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [
        ("json_build_object", Flavour::Json, true),
        ("jsonb_build_object", Flavour::Jsonb, true),
        ("json_build_array", Flavour::Json, false),
        ("jsonb_build_array", Flavour::Jsonb, false),
    ]
    .into_iter()
    .map(|(name, flavour, is_object)| {
        Arc::new(ScalarUDF::from(Build {
            name,
            flavour,
            is_object,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    })
    .collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Build {
    name: &'static str,
    flavour: Flavour,
    /// Of keys and values in turn, else of values.
    is_object: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Build {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        if self.is_object && given.arg_fields.len() % 2 == 1 {
            return Err(external(self.odd()));
        }
        for (index, field) in given.arg_fields.iter().enumerate() {
            match self.is_object && index % 2 == 0 {
                true => self.check_key(field).map_err(external)?,
                false => check_convertible(field).map_err(external)?,
            }
        }
        Ok(Arc::new(marked(self.name, DataType::Utf8, self.flavour)))
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        Ok(given.to_vec())
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let is_scalar = call
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let n_rows = if is_scalar { 1 } else { call.number_rows };
        let columns = call.args.iter().zip(&call.arg_fields).enumerate();
        let parts = columns.map(|(index, (argument, field))| {
            let values = argument.to_array(n_rows)?;
            let part = match self.is_object && index % 2 == 0 {
                true => keys(&values),
                false => json_texts(&values, field),
            };
            part.map_err(external)
        });
        let parts = parts.collect::<DataFusionResult<Vec<StringArray>>>()?;
        let written = (0..n_rows).map(|row| self.row(&parts, row).map(Some));
        let written = written.collect::<Result<StringArray>>().map_err(external)?;
        let written: ArrayRef = Arc::new(written);
        match is_scalar {
            true => ScalarValue::try_from_array(&written, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(written)),
        }
    }
}

impl Build {
    /// As `json_build_object_worker` in json.c, which writes a colon between spaces.
    fn row(&self, parts: &[StringArray], row: usize) -> Result<String> {
        let mut text = String::from(if self.is_object { "{" } else { "[" });
        for (index, part) in parts.iter().enumerate() {
            let is_key = self.is_object && index % 2 == 0;
            if index > 0 {
                let separator = if self.is_object && !is_key {
                    " : "
                } else {
                    ", "
                };
                text.push_str(separator);
            }
            match (part.is_valid(row), is_key) {
                (true, _) => text.push_str(part.value(row)),
                (false, true) => return Err(self.null_key(index)),
                (false, false) => text.push_str("null"),
            }
        }
        text.push(if self.is_object { '}' } else { ']' });
        match self.flavour {
            Flavour::Json => Ok(text),
            Flavour::Jsonb => normal::normal(&text),
        }
    }

    fn odd(&self) -> Error {
        let message = "argument list must have even number of elements";
        let hint = format!(
            "The arguments of {}() must consist of alternating keys and values.",
            self.name
        );
        Error::new(ErrorKind::InvalidParameterValue, message).with_hint(hint)
    }

    fn check_key(&self, field: &Field) -> Result<()> {
        let data_type = field.data_type();
        if flavour(field).is_some() || data_type.is_nested() {
            let message = "key value must be scalar, not array, composite, or json";
            return Err(Error::new(ErrorKind::InvalidParameterValue, message));
        }
        match is_text(data_type) || data_type.is_null() {
            true => Ok(()),
            false => check_convertible(field),
        }
    }

    fn null_key(&self, index: usize) -> Error {
        match self.flavour {
            Flavour::Json => {
                let message = "null value not allowed for object key";
                Error::new(ErrorKind::NullValueNotAllowed, message)
            }
            Flavour::Jsonb => {
                let message = format!("argument {}: key must not be null", index + 1);
                Error::new(ErrorKind::InvalidParameterValue, message)
            }
        }
    }
}

/// The values' texts as JSON strings.
fn keys(values: &ArrayRef) -> Result<StringArray> {
    let texts: ArrayRef = Arc::new(strings(values)?);
    nested::texts(&texts)
}

/// The values as JSON texts.
fn json_texts(values: &ArrayRef, field: &Field) -> Result<StringArray> {
    match values.data_type() {
        DataType::Null => Ok(StringArray::new_null(values.len())),
        _ if flavour(field).is_some() && is_text(values.data_type()) => strings(values),
        DataType::Utf8View | DataType::LargeUtf8 => keys(values),
        _ => nested::texts(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_written_as_postgres_does() {
        let build = |flavour, is_object| Build {
            name: "build",
            flavour,
            is_object,
            signature: Signature::user_defined(Volatility::Immutable),
        };
        let parts = [
            StringArray::from(vec![Some("\"b\"")]),
            StringArray::from(vec![Some("1")]),
            StringArray::from(vec![Some("\"a\"")]),
            StringArray::from(vec![None::<&str>]),
        ];
        let written = |flavour, is_object| build(flavour, is_object).row(&parts, 0).ok();
        let json = Some(r#"{"b" : 1, "a" : null}"#.to_owned());
        assert_eq!(written(Flavour::Json, true), json);
        let jsonb = Some(r#"{"a": null, "b": 1}"#.to_owned());
        assert_eq!(written(Flavour::Jsonb, true), jsonb);
        let array = Some(r#"["b", 1, "a", null]"#.to_owned());
        assert_eq!(written(Flavour::Json, false), array);
    }
}
