//! The elements of JSON arrays as lists, of which `unnest` makes rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayBuilder, ArrayRef, AsArray, ListArray, StringBuilder};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};

use super::call::texts_of;
use super::find;
use super::scan::{self, Kind, Strings};
use super::{Flavour, nested};
use crate::error::{Error, ErrorKind, Result};

/// The element type of a list type.
pub(super) fn element_of(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => Some(element),
        _ => None,
    }
}

/// What the list of elements of a value of this type is made of. It does not say that they are
/// JSON: constants forget what the fields of their elements say, and so does `unnest`.
pub(super) fn element(data_type: &DataType, as_text: bool) -> Field {
    const NAME: &str = Field::LIST_FIELD_DEFAULT_NAME;
    match element_of(data_type) {
        Some(element) if element.data_type().is_nested() && !as_text => {
            Field::new(NAME, element.data_type().clone(), true)
        }
        _ => Field::new(NAME, DataType::Utf8, true),
    }
}

/// The elements of each value. Nested ones stay so.
pub(super) fn lists(
    values: &ArrayRef,
    given: &Field,
    flavour: Flavour,
    as_text: bool,
) -> Result<ArrayRef> {
    let element = Arc::new(element(values.data_type(), as_text));
    if let (Some(inner), true) = (
        element_of(values.data_type()),
        element.data_type().is_nested(),
    ) {
        let lists = DataType::List(Arc::clone(inner));
        let lists = cast(values, &lists).map_err(Error::internal)?;
        let lists = lists.as_list::<i32>();
        let (_, offsets, elements, nulls) = lists.clone().into_parts();
        return Ok(Arc::new(ListArray::new(element, offsets, elements, nulls)));
    }
    let texts = match values.data_type().is_nested() {
        true => nested::texts(values)?,
        false => texts_of(values, given, flavour)?,
    };
    let strings = match as_text {
        true => Strings::Decoded,
        false => Strings::AsWritten,
    };
    let mut elements = StringBuilder::new();
    let mut lengths = Vec::with_capacity(texts.len());
    for text in &texts {
        let before = elements.len();
        if let Some(text) = text {
            check_array(text, flavour, as_text)?;
            scan::elements(text, strings, &mut |value| {
                match as_text {
                    true => elements.append_option(find::as_text(value)?),
                    false => elements.append_value(value),
                }
                Ok(())
            })?;
        }
        lengths.push(elements.len() - before);
    }
    let elements: ArrayRef = Arc::new(elements.finish());
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = texts.nulls().cloned();
    Ok(Arc::new(ListArray::new(element, offsets, elements, nulls)))
}

fn check_array(text: &str, flavour: Flavour, as_text: bool) -> Result<()> {
    let kind = scan::kind(text);
    let message = match (flavour, kind) {
        (_, Kind::Array) => return Ok(()),
        (Flavour::Jsonb, Kind::Object) => "cannot extract elements from an object".to_owned(),
        (Flavour::Jsonb, _) => "cannot extract elements from a scalar".to_owned(),
        (Flavour::Json, kind) => {
            let function = match as_text {
                true => "json_array_elements_text",
                false => "json_array_elements",
            };
            let what = match kind {
                Kind::Object => "a non-array",
                _ => "a scalar",
            };
            format!("cannot call {function} on {what}")
        }
    };
    Err(Error::new(ErrorKind::InvalidParameterValue, message))
}
