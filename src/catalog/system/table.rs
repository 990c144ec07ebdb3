//! Rows of system relations, made from values or from the text of COPY.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Int64Builder, ListArray, RecordBatch,
    RecordBatchOptions, StringArray, StringBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::data::Definition;
use crate::catalog::Wanted;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{MODIFIER_KEY, PgType, TYPE_KEY, arrow_type, of_field, oid};

/// The OID of `aclitem[]`.
const ACLITEM_ARRAY: u32 = 1034;

/// The columns of a relation of an upper room, by their names and types.
pub fn columns(columns: &[(&str, u32)]) -> SchemaRef {
    let fields = columns
        .iter()
        .map(|(name, type_oid)| field(name, *type_oid, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A field whose PostgreSQL type is `type_oid`. Types without an Arrow type of their own hold text.
pub fn field(name: &str, type_oid: u32, nullable: bool) -> Field {
    let list = |element| DataType::List(Arc::new(Field::new_list_field(element, true)));
    let data_type = match type_oid {
        oid::INT2VECTOR => list(DataType::Int16),
        oid::OIDVECTOR => list(DataType::UInt32),
        ACLITEM_ARRAY => list(DataType::Utf8),
        other => arrow_type(other).unwrap_or(DataType::Utf8),
    };
    let plain = Field::new(name, data_type, nullable);
    if of_field(&plain) == PgType::of(type_oid) {
        return plain;
    }
    let key = (TYPE_KEY.to_owned(), type_oid.to_string());
    plain.with_metadata(HashMap::from([key]))
}

/// The columns of a system relation.
pub(super) fn schema_of(definition: &Definition) -> SchemaRef {
    let columns = definition.columns.iter();
    let fields: Vec<Field> = columns
        .map(|column| {
            let field = field(column.name, column.type_oid, !column.not_null);
            if column.modifier == -1 {
                return field;
            }
            let mut metadata = field.metadata().clone();
            metadata.insert(MODIFIER_KEY.to_owned(), column.modifier.to_string());
            field.with_metadata(metadata)
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// A value of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of any width, or an OID.
    Int(i64),
    /// Text, a name, or a `"char"`.
    Text(&'a str),
    /// Bytes, or a value that is kept as such.
    Bytes(&'a [u8]),
    /// A value of any type as PostgreSQL writes it; `None` is NULL.
    Written(Option<&'a str>),
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<i32> for Value<'_> {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<i16> for Value<'_> {
    fn from(value: i16) -> Self {
        Self::Int(value.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }
}

/// Collects the rows of one relation.
#[derive(Debug)]
pub(super) struct Table {
    schema: SchemaRef,
    /// `None` for those that are not wanted.
    columns: Vec<Option<Column>>,
    wanted: Wanted,
    n_rows: usize,
}

impl Table {
    /// No rows yet, of which not more will be asked than is wanted.
    pub(super) fn of(schema: SchemaRef, wanted: &Wanted) -> Self {
        let fields = schema.fields().iter().enumerate();
        let columns = fields.map(|(number, field)| {
            let wanted = wanted.columns.as_ref();
            let is_wanted = wanted.is_none_or(|wanted| wanted.contains(&number));
            is_wanted.then(|| Column::new(field.data_type()))
        });
        Self {
            columns: columns.collect(),
            schema,
            wanted: wanted.clone(),
            n_rows: 0,
        }
    }

    /// Whether a column's values are asked for at all.
    pub(super) fn has_column(&self, name: &str) -> bool {
        let number = self.schema.index_of(name);
        number.is_ok_and(|number| self.columns[number].is_some())
    }

    /// Whether rows are asked for in which a column is this; if not, they need not be made.
    pub(super) fn has(&self, column: &str, value: &str) -> bool {
        self.wanted.has(column, value)
    }

    /// As [`Table::has`], of an OID.
    pub(super) fn has_oid(&self, column: &str, value: u32) -> bool {
        self.wanted.only.is_empty() || self.has(column, &value.to_string())
    }

    /// The rows of a text as `COPY ... TO STDOUT` writes it.
    ///
    /// # Errors
    /// The text does not fit the columns.
    pub(super) fn of_copy_text(schema: SchemaRef, text: &str) -> Result<RecordBatch> {
        let mut table = Self::of(schema, &Wanted::default());
        for line in text.lines() {
            let mut cells = line.split('\t');
            for column in table.columns.iter_mut().flatten() {
                match cells.next() {
                    None => return Err(damaged("a row is too short")),
                    Some("\\N") => column.push(Value::Null)?,
                    Some(cell) => column.push_text(&unescape(cell))?,
                }
            }
            table.n_rows += 1;
        }
        table.finish()
    }

    /// Adds a row. `values` are in the order of the columns; columns left out are NULL, or false,
    /// zero and empty where they are NOT NULL, as most of PostgreSQL's catalog is in most rows.
    ///
    /// # Errors
    /// A value names no column, or comes out of order: a fault of ours.
    pub(super) fn push(&mut self, values: &[(&str, Value<'_>)]) -> Result<()> {
        let mut values = values.iter().peekable();
        for (field, column) in self.schema.fields().iter().zip(&mut self.columns) {
            let value = values.next_if(|(name, _)| name == field.name());
            match (column, value) {
                (None, _) => {}
                (Some(column), Some((_, value))) => column.push(*value)?,
                (Some(column), None) if field.is_nullable() => column.push(Value::Null)?,
                (Some(column), None) => column.push_default(),
            }
        }
        self.n_rows += 1;
        match values.next() {
            None => Ok(()),
            Some((name, _)) => Err(damaged(&format!("no place for a value of \"{name}\""))),
        }
    }

    /// All rows, with the columns that are wanted, in the order in which they are.
    ///
    /// # Errors
    /// A value is not of its column's type: a fault of ours.
    pub(super) fn finish(mut self) -> Result<RecordBatch> {
        let all = (0..self.columns.len()).collect();
        let numbers: Vec<usize> = self.wanted.columns.take().unwrap_or(all);
        let columns = numbers.iter().map(|number| {
            let column = self.columns[*number].take();
            let column = column.ok_or_else(|| damaged("a column is wanted twice"))?;
            column.finish(self.schema.field(*number).data_type())
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let schema = self.schema.project(&numbers).map_err(Error::internal)?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.n_rows));
        RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
            .map_err(Error::internal)
    }
}

/// The values of one column, until its type is needed.
#[derive(Debug)]
enum Column {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    List {
        elements: Vec<Option<String>>,
        lengths: Vec<usize>,
        valid: Vec<bool>,
    },
}

impl Column {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32 => {
                Self::Int(Int64Builder::new())
            }
            DataType::List(_) => Self::List {
                elements: Vec::new(),
                lengths: Vec::new(),
                valid: Vec::new(),
            },
            DataType::Binary => Self::Bytes(BinaryBuilder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn push(&mut self, value: Value<'_>) -> Result<()> {
        let value = match value {
            Value::Written(Some(text)) => return self.push_text(text),
            Value::Written(None) => Value::Null,
            other => other,
        };
        match (self, value) {
            (Self::Bool(values), Value::Bool(value)) => values.append_value(value),
            (Self::Bool(values), Value::Null) => values.append_null(),
            (Self::Int(values), Value::Int(value)) => values.append_value(value),
            (Self::Int(values), Value::Null) => values.append_null(),
            (Self::Text(values), Value::Text(value)) => values.append_value(value),
            (Self::Text(values), Value::Null) => values.append_null(),
            (Self::Bytes(values), Value::Bytes(value)) => values.append_value(value),
            (Self::Bytes(values), Value::Null) => values.append_null(),
            (Self::List { lengths, valid, .. }, Value::Null) => {
                lengths.push(0);
                valid.push(false);
            }
            _ => return Err(damaged("a value of another type")),
        }
        Ok(())
    }

    fn push_default(&mut self) {
        match self {
            Self::Bool(values) => values.append_value(false),
            Self::Int(values) => values.append_value(0),
            Self::Text(values) => values.append_value(""),
            Self::Bytes(values) => values.append_value([]),
            Self::List { lengths, valid, .. } => {
                lengths.push(0);
                valid.push(true);
            }
        }
    }

    /// Adds a value that is written as PostgreSQL writes it.
    fn push_text(&mut self, text: &str) -> Result<()> {
        match self {
            Self::Bool(values) => values.append_value(text == "t"),
            Self::Int(values) => match text.parse() {
                Ok(value) => values.append_value(value),
                Err(cause) => return Err(Error::internal(cause)),
            },
            Self::Text(values) => values.append_value(text),
            Self::Bytes(_) => return Err(damaged("bytes that are written as text")),
            Self::List {
                elements,
                lengths,
                valid,
            } => {
                let before = elements.len();
                elements.extend(list_elements(text));
                lengths.push(elements.len() - before);
                valid.push(true);
            }
        }
        Ok(())
    }

    fn finish(self, data_type: &DataType) -> Result<ArrayRef> {
        let values: ArrayRef = match self {
            Self::Bool(mut values) => Arc::new(values.finish()),
            Self::Int(mut values) => Arc::new(values.finish()),
            Self::Text(mut values) => Arc::new(values.finish()),
            Self::Bytes(mut values) => Arc::new(values.finish()),
            Self::List {
                elements,
                lengths,
                valid,
            } => list_of(&StringArray::from(elements), &lengths, valid, data_type)?,
        };
        cast(&values, data_type).map_err(Error::internal)
    }
}

fn list_of(
    elements: &StringArray,
    lengths: &[usize],
    valid: Vec<bool>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let DataType::List(field) = data_type else {
        return Err(damaged("a list in a column without lists"));
    };
    let elements = cast(elements, field.data_type()).map_err(Error::internal)?;
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    let nulls = NullBuffer::from(valid);
    let list = ListArray::try_new(Arc::clone(field), offsets, elements, Some(nulls));
    Ok(Arc::new(list.map_err(Error::internal)?))
}

/// The elements of `{a,"b c",NULL}`, or of `1 2 3` as vectors are written.
fn list_elements(text: &str) -> Vec<Option<String>> {
    let Some(inner) = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
    else {
        let words = text.split_ascii_whitespace();
        return words.map(|word| Some(word.to_owned())).collect();
    };
    let mut elements = Vec::new();
    let (mut element, mut quoted, mut was_quoted) = (String::new(), false, false);
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            '\\' => element.extend(letters.next()),
            ',' if !quoted => {
                elements.push(element_of(&mut element, was_quoted));
                was_quoted = false;
            }
            other => element.push(other),
        }
    }
    if !inner.is_empty() {
        elements.push(element_of(&mut element, was_quoted));
    }
    elements
}

fn element_of(text: &mut String, quoted: bool) -> Option<String> {
    let text = std::mem::take(text);
    (quoted || text != "NULL").then_some(text)
}

/// Undoes the backslashes of COPY's text format.
fn unescape(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    let mut letters = cell.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.extend(letters.next().map(|escaped| match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            })),
            other => text.push(other),
        }
    }
    text
}

fn damaged(message: &str) -> Error {
    Error::new(
        ErrorKind::InternalError,
        format!("rows of a system relation: {message}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[Option<&str>]) {
        let elements = list_elements(text);
        let elements: Vec<Option<&str>> = elements.iter().map(Option::as_deref).collect();
        assert_eq!(elements, expected);
    }

    #[test]
    fn lists_are_read_as_postgres_writes_them() {
        check("{}", &[]);
        check("", &[]);
        check("23 25", &[Some("23"), Some("25")]);
        check(
            r#"{a,"b,\"c",NULL,"NULL",""}"#,
            &[Some("a"), Some("b,\"c"), None, Some("NULL"), Some("")],
        );
    }

    #[test]
    fn copy_text_is_unescaped() {
        assert_eq!(unescape(r"a\tb\\n\n"), "a\tb\\n\n");
    }
}
