//! The operations on JSON as functions of columns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{DataFusionError, Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::find::{self, Step};
use super::scan::{self, Kind, Strings};
use super::{Flavour, elements, flavour, is_text, marked, nested, normal, scalars};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::scalar::external;
use crate::types;

/// What a function does with its first argument.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A text or nested value as a value of this type.
    Cast(Flavour),
    /// `to_json`
    Of(Flavour),
    /// A part of a nested value as a value of type json; it stays nested where it is.
    Value,
    /// A part of a nested value as `->>` prints it.
    Text,
    /// `->`
    Get(Flavour),
    /// `->>`
    GetText,
    /// `#>`
    Path(Flavour),
    /// `#>>`
    PathText,
    /// `json_typeof`
    Typeof,
    /// `json_array_length`
    Length,
    /// The list of an array's elements, for `unnest`; and whether they are texts.
    Elements(Flavour, bool),
    /// An unnested element under its type.
    Row(Option<Flavour>),
    /// A list of texts that are JSON, under its type.
    List(Flavour),
    /// A value's JSON text, as type text.
    Plain,
    /// A jsonb scalar as a value of this type.
    Scalar(DataType),
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct JsonFunction {
    name: &'static str,
    operation: Operation,
    signature: Signature,
}

impl JsonFunction {
    pub(super) fn udf(name: &'static str, operation: Operation) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Self {
            name,
            operation,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    }

    fn n_arguments(&self) -> usize {
        match self.operation {
            Operation::Get(_) | Operation::GetText | Operation::Path(_) | Operation::PathText => 2,
            _ => 1,
        }
    }

    fn returns(&self, given: &Field) -> Field {
        let name = self.name;
        match &self.operation {
            Operation::Cast(flavour)
            | Operation::Of(flavour)
            | Operation::Get(flavour)
            | Operation::Path(flavour) => marked(name, DataType::Utf8, *flavour),
            Operation::Value if given.data_type().is_nested() => {
                marked(name, given.data_type().clone(), Flavour::Json)
            }
            Operation::Value => marked(name, DataType::Utf8, Flavour::Json),
            Operation::Text
            | Operation::GetText
            | Operation::PathText
            | Operation::Plain
            | Operation::Typeof => Field::new(name, DataType::Utf8, true),
            Operation::Length => Field::new(name, DataType::Int32, true),
            Operation::Elements(_, as_text) => {
                let element = elements::element(given.data_type(), *as_text);
                Field::new(name, DataType::List(Arc::new(element)), true)
            }
            Operation::Row(flavour) => match flavour {
                Some(_) if given.data_type().is_nested() => {
                    marked(name, given.data_type().clone(), Flavour::Json)
                }
                Some(flavour) => marked(name, given.data_type().clone(), *flavour),
                None => Field::new(name, given.data_type().clone(), true),
            },
            Operation::List(flavour) => {
                // On the list itself: constants forget what the fields of their elements say.
                let of = types::array_of(flavour.oid()).unwrap_or(flavour.oid());
                let metadata = [(types::TYPE_KEY.to_owned(), of.to_string())].into();
                Field::new(name, text_list(), true).with_metadata(metadata)
            }
            Operation::Scalar(data_type) => Field::new(name, data_type.clone(), true),
        }
    }

    /// Whether an argument is of a type that the function takes.
    fn check(&self, given: &Field, is_constant: bool) -> Result<()> {
        let unknown = *given.data_type() == DataType::Null;
        let text = is_text(given.data_type());
        let json = flavour(given);
        let takes = match &self.operation {
            Operation::Cast(_) => return self.check_cast(given),
            Operation::Of(_) => return check_convertible(given),
            Operation::Typeof | Operation::Length | Operation::Elements(..) => {
                // A constant without a type is read as what the function takes.
                let wanted = self.name.starts_with("jsonb");
                let nested = given.data_type().is_nested();
                let same = json == Some(Flavour::Jsonb) || nested || !wanted;
                let same = same && (json != Some(Flavour::Jsonb) || wanted);
                unknown || (json.is_some() && same) || (json.is_none() && text && is_constant)
            }
            _ => true,
        };
        match takes {
            true => Ok(()),
            false => {
                let message = format!(
                    "function {}({}) does not exist",
                    self.name,
                    type_name(given)
                );
                Err(Error::new(ErrorKind::UndefinedFunction, message))
            }
        }
    }

    fn check_cast(&self, given: &Field) -> Result<()> {
        let known = *given.data_type() == DataType::Null
            || flavour(given).is_some()
            || is_text(given.data_type());
        match known {
            true => Ok(()),
            false => Err(cannot_cast(given, self.name)),
        }
    }
}

/// The types whose JSON is the same here and in PostgreSQL.
pub(super) fn check_convertible(given: &Field) -> Result<()> {
    let data_type = given.data_type();
    let element = elements::element_of(data_type).map_or(data_type, |element| element.data_type());
    let same = is_text(element)
        || matches!(
            element,
            DataType::Boolean | DataType::Int16 | DataType::Int32 | DataType::Int64
        );
    match same || flavour(given).is_some() || *data_type == DataType::Null {
        true => Ok(()),
        false => Err(Error::unsupported(format!(
            "to_json of type {}",
            type_name(given)
        ))),
    }
}

/// The error of a cast that PostgreSQL does not have.
pub fn cannot_cast(given: &Field, to: &str) -> Error {
    let message = format!("cannot cast type {} to {to}", type_name(given));
    Error::new(ErrorKind::CannotCoerce, message)
}

fn type_name(field: &Field) -> String {
    let of = types::of_field(field);
    types::format_type(of.oid, -1).unwrap_or_default()
}

impl ScalarUDFImpl for JsonFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> DataFusionResult<DataType> {
        let first = given.first().cloned().unwrap_or(DataType::Null);
        let field = self.returns(&Field::new("", first, true));
        Ok(field.data_type().clone())
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        let Some(first) = given.arg_fields.first() else {
            return Err(external(self.wrong_count(0)));
        };
        let constant = given.scalar_arguments.first().is_some_and(Option::is_some);
        self.check(first, constant).map_err(external)?;
        Ok(Arc::new(self.returns(first)))
    }

    fn coerce_types(&self, given: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        if given.len() != self.n_arguments() {
            return Err(external(self.wrong_count(given.len())));
        }
        let mut types = given.to_vec();
        if let Some(second) = types.get_mut(1) {
            let part = Field::new_list_field(DataType::Utf8, true);
            *second = match self.operation {
                Operation::Path(_) | Operation::PathText => DataType::List(Arc::new(part)),
                _ if second.is_integer() => DataType::Int64,
                _ => DataType::Utf8,
            };
        }
        Ok(types)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let constant = call
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let Some(given) = call.arg_fields.first() else {
            return Err(DataFusionError::Internal("no argument".to_owned()));
        };
        let values = self.columns(&columns, given).map_err(external)?;
        match constant {
            true => ScalarValue::try_from_array(&values, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(values)),
        }
    }
}

impl JsonFunction {
    fn wrong_count(&self, n_given: usize) -> Error {
        let message = format!(
            "function {} does not exist with {n_given} arguments",
            self.name
        );
        Error::new(ErrorKind::UndefinedFunction, message)
    }

    fn columns(&self, columns: &[ArrayRef], given: &Field) -> Result<ArrayRef> {
        let values = &columns[0];
        let rows = |flavour: Flavour| texts_of(values, given, flavour);
        Ok(match &self.operation {
            Operation::Cast(flavour) => Arc::new(texts_of(values, given, *flavour)?),
            Operation::Of(wanted) if flavour(given).is_none() => {
                each(&nested::texts(values)?, |_, text| match wanted {
                    Flavour::Json => Ok(Some(text.to_owned())),
                    Flavour::Jsonb => normal::normal(text).map(Some),
                })?
            }
            Operation::Of(flavour) => Arc::new(rows(*flavour)?),
            Operation::Value if values.data_type().is_nested() => Arc::clone(values),
            Operation::Value => Arc::new(nested::texts(values)?),
            Operation::Text if is_text(values.data_type()) => Arc::new(strings(values)?),
            Operation::Text => each(&nested::texts(values)?, |_, text| find::as_text(text))?,
            Operation::Get(flavour) => get(&rows(*flavour)?, &columns[1], given, false)?,
            Operation::GetText => get(&rows(Flavour::Json)?, &columns[1], given, true)?,
            Operation::Path(flavour) => path(&rows(*flavour)?, &columns[1], false)?,
            Operation::PathText => path(&rows(Flavour::Json)?, &columns[1], true)?,
            Operation::Typeof => each(&rows(Flavour::Json)?, |_, text| {
                Ok(Some(find::type_name(scan::kind(text)).to_owned()))
            })?,
            Operation::Length => lengths(&rows(Flavour::Json)?)?,
            Operation::Elements(flavour, as_text) => {
                elements::lists(values, given, *flavour, *as_text)?
            }
            Operation::Row(_) => Arc::clone(values),
            Operation::List(_) => cast_with_options(values, &text_list(), &CastOptions::default())
                .map_err(Error::internal)?,
            Operation::Plain => Arc::new(rows(flavour(given).unwrap_or(Flavour::Json))?),
            Operation::Scalar(data_type) => scalars::of(&rows(Flavour::Jsonb)?, data_type)?,
        })
    }
}

/// The first argument as JSON texts of a type: those that are not yet known to be are checked.
pub(super) fn texts_of(values: &ArrayRef, given: &Field, wanted: Flavour) -> Result<StringArray> {
    if *values.data_type() == DataType::Null {
        return Ok(StringArray::new_null(values.len()));
    }
    let nested = !is_text(values.data_type());
    let texts = match nested {
        true => nested::texts(values)?,
        false => strings(values)?,
    };
    match (flavour(given), wanted) {
        (Some(Flavour::Jsonb), _) => Ok(texts),
        (Some(Flavour::Json), Flavour::Json) => Ok(texts),
        (None, Flavour::Json) => {
            for text in texts.iter().flatten() {
                scan::check(text, Strings::AsWritten)?;
            }
            Ok(texts)
        }
        (_, Flavour::Jsonb) => {
            let normal = each(&texts, |_, text| normal::normal(text).map(Some))?;
            Ok(normal.as_string::<i32>().clone())
        }
    }
}

pub(super) fn strings(values: &ArrayRef) -> Result<StringArray> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let texts = cast_with_options(values, &DataType::Utf8, &options).map_err(Error::internal)?;
    Ok(texts.as_string::<i32>().clone())
}

fn text_list() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

/// A text for each text; NULL stays NULL.
fn each(
    texts: &StringArray,
    mut of: impl FnMut(usize, &str) -> Result<Option<String>>,
) -> Result<ArrayRef> {
    let results = texts.iter().enumerate().map(|(row, text)| match text {
        Some(text) => of(row, text),
        None => Ok(None),
    });
    let results: Result<StringArray> = results.collect();
    Ok(Arc::new(results?))
}

fn found(value: Option<&str>, as_text: bool) -> Result<Option<String>> {
    match value {
        Some(value) if as_text => find::as_text(value),
        Some(value) => Ok(Some(value.to_owned())),
        None => Ok(None),
    }
}

fn get(texts: &StringArray, keys: &ArrayRef, given: &Field, as_text: bool) -> Result<ArrayRef> {
    if let Some(indexes) = keys.as_primitive_opt::<Int64Type>() {
        let is_jsonb = flavour(given) == Some(Flavour::Jsonb);
        return each(texts, |row, text| {
            if indexes.is_null(row) {
                return Ok(None);
            }
            let index = indexes.value(row);
            let nested = matches!(scan::kind(text), Kind::Array | Kind::Object);
            // jsonb keeps a scalar as an array of one, and `jsonb_array_element` shows it.
            match is_jsonb && !nested && matches!(index, 0 | -1) {
                true => found(Some(text), as_text),
                false => found(find::step(text, Step::Index(index))?, as_text),
            }
        });
    }
    let keys = strings(keys)?;
    each(texts, |row, text| match keys.is_null(row) {
        true => Ok(None),
        false => found(find::step(text, Step::Key(keys.value(row)))?, as_text),
    })
}

fn path(texts: &StringArray, paths: &ArrayRef, as_text: bool) -> Result<ArrayRef> {
    let paths = paths.as_list::<i32>();
    each(texts, |row, text| {
        if paths.is_null(row) {
            return Ok(None);
        }
        let parts = strings(&paths.value(row))?;
        let parts: Vec<Option<String>> = parts.iter().map(|part| part.map(str::to_owned)).collect();
        found(find::path(text, &parts)?, as_text)
    })
}

fn lengths(texts: &StringArray) -> Result<ArrayRef> {
    let length = |text: &str| {
        let what = match scan::kind(text) {
            Kind::Array => {
                let mut n_elements = 0_i32;
                scan::elements(text, Strings::AsWritten, &mut |_| {
                    n_elements += 1;
                    Ok(())
                })?;
                return Ok(n_elements);
            }
            Kind::Object => "a non-array",
            _ => "a scalar",
        };
        let message = format!("cannot get array length of {what}");
        Err(Error::new(ErrorKind::InvalidParameterValue, message))
    };
    let lengths: Result<Int32Array> = texts
        .iter()
        .map(|text| text.map(length).transpose())
        .collect();
    Ok(Arc::new(lengths?))
}
