//! The columns of a file of JSON, from all its records.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt};
use object_store::ObjectStore;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::FileShape;
use super::document::{self, Text};
use super::listing::DataFile;
use crate::error::{Error, ErrorKind, Result};

/// How long a line may be, in bytes.
const LINE_BYTES_MAX: usize = 64 << 20;

/// Reads all records for their fields and types.
///
/// # Errors
/// `DataCorrupted` naming file and line; `DatatypeMismatch` naming file and column.
pub(super) async fn shape(store: &Arc<dyn ObjectStore>, file: &DataFile) -> Result<FileShape> {
    let mut record = Shape::Object(Vec::new());
    match document::open(store, &file.meta.location).await? {
        Text::Lines(text) => learn_lines(&mut record, text, file.path()).await?,
        Text::Document(text) => learn_document(&mut record, &text, file.path())?,
    }
    let fields = match record.data_type() {
        Ok(DataType::Struct(fields)) => fields,
        Ok(_) => Fields::empty(),
        Err(column) => {
            return Err(Error::new(
                ErrorKind::DatatypeMismatch,
                format!(
                    "column \"{column}\" of file \"{}\" holds objects or arrays in some records, and other values in others",
                    file.path()
                ),
            ));
        }
    };
    Ok(FileShape {
        schema: Arc::new(Schema::new(fields)),
        n_rows: None,
    })
}

/// Learns from all lines.
async fn learn_lines(
    record: &mut Shape,
    mut text: BoxStream<'static, Result<Bytes>>,
    path: &str,
) -> Result<()> {
    let mut line = 0;
    let mut buffer = BytesMut::new();
    loop {
        let chunk = text.next().await.transpose()?;
        let is_at_end = chunk.is_none();
        buffer.extend_from_slice(&chunk.unwrap_or_else(Bytes::new));
        let complete = if is_at_end {
            buffer.len()
        } else {
            buffer
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1)
        };
        let lines = buffer.split_to(complete).freeze();
        for text in lines.as_ref().split(|byte| *byte == b'\n') {
            line += 1;
            learn(record, text, path, line)?;
        }
        // The text after the last line's end is not a line of its own.
        line -= usize::from(!is_at_end);
        if is_at_end {
            return Ok(());
        }
        if buffer.len() > LINE_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::DataCorrupted,
                format!("a line of file \"{path}\" is longer than 64 MiB"),
            ));
        }
    }
}

/// Learns from a document: an object, or an array of objects.
fn learn_document(record: &mut Shape, text: &[u8], path: &str) -> Result<()> {
    let mut json = serde_json::Deserializer::from_slice(text);
    Document(record)
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|cause| {
            Error::new(
                ErrorKind::DataCorrupted,
                format!(
                    "line {} of file \"{path}\" does not fit a JSON document of objects: {cause}",
                    cause.line()
                ),
            )
        })
}

/// An object, or an array of objects.
struct Document<'a>(&'a mut Shape);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        self.0.visit_map(object)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while array.next_element_seed(Row(self.0))?.is_some() {}
        Ok(())
    }
}

/// An object in the array of a document.
struct Row<'a>(&'a mut Shape);

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        self.0.visit_map(object)
    }
}

/// Learns from one line. Empty lines are no records.
fn learn(record: &mut Shape, text: &[u8], path: &str, line: usize) -> Result<()> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    let damaged = |what: &str| {
        Error::new(
            ErrorKind::DataCorrupted,
            format!("line {line} of file \"{path}\" is not a JSON object: {what}"),
        )
    };
    let starts = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if starts != Some(&b'{') {
        return Err(damaged("it does not start with {"));
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    record
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|cause| damaged(&cause.to_string()))
}

/// What values of one place have been so far. Fields keep the order in which they came.
#[derive(Debug, Default)]
enum Shape {
    #[default]
    Null,
    Boolean,
    Integer,
    /// An integer beyond `bigint`.
    Unsigned,
    Float,
    /// Text, or scalars of several kinds, which are served as text.
    Text,
    Array(Box<Shape>),
    Object(Vec<(String, Shape)>),
    /// Scalars and not; nothing serves both.
    Mixed,
}

impl Shape {
    /// Notes a scalar.
    fn scalar(&mut self, found: Shape) {
        let known = std::mem::take(self);
        *self = match (known, found) {
            (Shape::Array(_) | Shape::Object(_) | Shape::Mixed, _) => Shape::Mixed,
            (Shape::Null, found) => found,
            (Shape::Boolean, Shape::Boolean) => Shape::Boolean,
            (Shape::Integer, Shape::Integer) => Shape::Integer,
            (Shape::Integer | Shape::Unsigned, Shape::Integer | Shape::Unsigned) => Shape::Unsigned,
            (
                Shape::Integer | Shape::Unsigned | Shape::Float,
                Shape::Integer | Shape::Unsigned | Shape::Float,
            ) => Shape::Float,
            _ => Shape::Text,
        };
    }

    /// The Arrow type.
    ///
    /// # Errors
    /// The name of a field that holds mixed values.
    fn data_type(&self) -> Result<DataType, String> {
        Ok(match self {
            Shape::Null => DataType::Null,
            Shape::Boolean => DataType::Boolean,
            Shape::Integer => DataType::Int64,
            Shape::Unsigned => DataType::Decimal128(20, 0),
            Shape::Float => DataType::Float64,
            Shape::Text => DataType::Utf8View,
            Shape::Mixed => return Err(String::new()),
            Shape::Array(element) => {
                let element = match element.data_type()? {
                    // An array that was always empty still needs a type PostgreSQL knows.
                    DataType::Null => DataType::Utf8View,
                    element => element,
                };
                DataType::List(Field::new_list_field(element, true).into())
            }
            Shape::Object(fields) => {
                let fields = fields.iter().map(|(name, shape)| {
                    let data_type = shape.data_type().map_err(|inner| match inner.as_str() {
                        "" => name.clone(),
                        inner => format!("{name}.{inner}"),
                    })?;
                    Ok(Field::new(name, data_type, true))
                });
                DataType::Struct(fields.collect::<Result<_, String>>()?)
            }
        })
    }
}

impl<'de> DeserializeSeed<'de> for &mut Shape {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Shape {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.scalar(Shape::Boolean);
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.scalar(Shape::Integer);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.scalar(match i64::try_from(value) {
            Ok(_) => Shape::Integer,
            Err(_) => Shape::Unsigned,
        });
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.scalar(Shape::Float);
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.scalar(Shape::Text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        match self {
            Shape::Array(_) => {}
            Shape::Null => *self = Shape::Array(Box::default()),
            _ => *self = Shape::Mixed,
        }
        let mut other = Shape::Null;
        let element = match self {
            Shape::Array(element) => element.as_mut(),
            _ => &mut other,
        };
        while array.next_element_seed(&mut *element)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        match self {
            Shape::Object(_) => {}
            Shape::Null => *self = Shape::Object(Vec::new()),
            _ => *self = Shape::Mixed,
        }
        let mut other = Vec::new();
        let fields = match self {
            Shape::Object(fields) => fields,
            _ => &mut other,
        };
        // Records mostly name their fields in one order: look first where the last one ended.
        let mut expected = 0;
        while let Some(name) = object.next_key::<String>()? {
            let at = if fields.get(expected).is_some_and(|field| field.0 == name) {
                expected
            } else {
                fields
                    .iter()
                    .position(|field| field.0 == name)
                    .unwrap_or_else(|| {
                        fields.push((name, Shape::Null));
                        fields.len() - 1
                    })
            };
            expected = at + 1;
            object.next_value_seed(&mut fields[at].1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_merged_in_order() {
        fn check(lines: &[&str], expected: &str) {
            let mut record = Shape::Object(Vec::new());
            for line in lines {
                learn(&mut record, line.as_bytes(), "x", 1).unwrap();
            }
            let Ok(DataType::Struct(fields)) = record.data_type() else {
                panic!("{record:?}");
            };
            let found: Vec<_> = fields
                .iter()
                .map(|field| format!("{} {}", field.name(), field.data_type()))
                .collect();
            assert_eq!(found.join(", "), expected);
        }
        check(
            &[r#"{"b":1,"a":null}"#, r#"{"a":true}"#],
            "b Int64, a Boolean",
        );
        check(&[r#"{"a":1}"#, r#"{"a":1.5}"#], "a Float64");
        check(&[r#"{"a":18446744073709551615}"#], "a Decimal128(20, 0)");
        check(&[r#"{"a":1}"#, r#"{"a":"x"}"#], "a Utf8View");
        check(&[r#"{"a":null}"#], "a Null");
    }

    #[test]
    fn half_a_line_is_damage() {
        let mut record = Shape::Object(Vec::new());
        for text in [r#"{"a":1"#, r#"{"a":1}{"#, "1", "[1]", r#"{"a" 1}"#] {
            let error = learn(&mut record, text.as_bytes(), "x", 7).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DataCorrupted);
            assert!(error.message().contains("line 7 of file \"x\""));
        }
    }
}
