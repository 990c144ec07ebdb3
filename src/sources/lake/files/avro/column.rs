//! Makes columns of a file's values: which Arrow type each becomes is decided here, once for the
//! table's columns and for the reading of them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryViewBuilder, BooleanBuilder, Decimal128Builder, Decimal256Builder,
    Float32Builder, Float64Builder, Int32Builder, Int64Builder, IntervalMonthDayNanoBuilder,
    ListArray, NullArray, NullBufferBuilder, StringViewBuilder, StructArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Field, FieldRef, Fields, IntervalUnit, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};

use super::input::{DEPTH_MAX, Input};
use super::schema::{Node, NodeId, Schema};
use super::{Damage, json, scalar};
use crate::types::{TYPE_KEY, oid};

/// How many columns a file may have, counting those inside of others.
const COLUMNS_MAX: usize = 10_000;

/// A column under construction.
pub(super) struct Column {
    /// The branch of a union that is NULL, and how many branches there are.
    null_branch: Option<(Option<usize>, usize)>,
    node: NodeId,
    values: Values,
    /// How many values one value makes, with those inside of it.
    n_values: usize,
}

enum Values {
    Null(usize),
    Boolean(BooleanBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Bytes(BinaryViewBuilder),
    /// Strings, symbols of enums and UUIDs.
    Text(StringViewBuilder),
    Date(Int32Builder),
    Time(Int64Builder),
    Timestamp(Int64Builder, Option<Arc<str>>),
    /// With its type, which the builder has too, but does not tell.
    Decimal128(Decimal128Builder, DataType),
    Decimal256(Decimal256Builder, DataType),
    Duration(IntervalMonthDayNanoBuilder),
    List(Box<List>),
    Record(Record),
    /// What has no type of its own: maps, unions, and records that hold themselves.
    Json(StringViewBuilder, Vec<u8>),
}

struct List {
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
    items: Column,
}

struct Record {
    nulls: NullBufferBuilder,
    fields: Vec<(String, Column)>,
}

/// Where in its schema a column is made.
pub(super) struct Place<'a> {
    schema: &'a Schema,
    /// The records around it.
    within: Vec<NodeId>,
    depth: usize,
    n_columns: usize,
}

impl<'a> Place<'a> {
    pub(super) fn top(schema: &'a Schema) -> Self {
        Self {
            schema,
            within: Vec::new(),
            depth: 0,
            n_columns: 0,
        }
    }
}

impl Column {
    /// An empty column for a type.
    pub(super) fn of(node: NodeId, place: &mut Place<'_>) -> Result<Self, Damage> {
        place.n_columns += 1;
        if place.n_columns > COLUMNS_MAX {
            return Err(Damage::new("its schema has more than 10000 columns"));
        }
        if place.depth > DEPTH_MAX {
            return Err(Damage::new("its schema nests deeper than 64 levels"));
        }
        let before = place.n_columns;
        let (inner, null_branch) = nullable(node, place.schema);
        place.depth += 1;
        let values = Values::of(inner, place)?;
        place.depth -= 1;
        Ok(Self {
            null_branch,
            node: inner,
            values,
            n_values: place.n_columns - before + 1,
        })
    }

    /// How many values one value makes, with those inside of it.
    pub(super) fn n_values(&self) -> usize {
        self.n_values
    }

    /// The column as a field. Any may be NULL, for other files may lack it.
    pub(super) fn field(&self, name: &str) -> Field {
        let field = Field::new(name, self.values.data_type(), true);
        match self.values {
            Values::Json(..) => {
                field.with_metadata([(TYPE_KEY.to_owned(), oid::JSON.to_string())].into())
            }
            _ => field,
        }
    }

    /// As [`Self::field`], but of a type that PostgreSQL knows also where nothing but NULL is.
    fn inner_field(&self, name: &str) -> FieldRef {
        let field = self.field(name);
        Arc::new(match field.data_type() {
            DataType::Null => field.with_data_type(DataType::Utf8View),
            _ => field,
        })
    }

    /// Takes the next value off the input.
    pub(super) fn read(&mut self, schema: &Schema, input: &mut Input<'_>) -> Result<(), Damage> {
        if let Some((null, n_branches)) = self.null_branch
            && Some(input.index(n_branches)?) == null
        {
            self.append_null();
            return Ok(());
        }
        self.values.read(self.node, schema, input)
    }

    fn append_null(&mut self) {
        match &mut self.values {
            Values::Null(length) => *length += 1,
            Values::Boolean(values) => values.append_null(),
            Values::Int(values) | Values::Date(values) => values.append_null(),
            Values::Long(values) | Values::Time(values) | Values::Timestamp(values, _) => {
                values.append_null();
            }
            Values::Float(values) => values.append_null(),
            Values::Double(values) => values.append_null(),
            Values::Bytes(values) => values.append_null(),
            Values::Text(values) | Values::Json(values, _) => values.append_null(),
            Values::Decimal128(values, _) => values.append_null(),
            Values::Decimal256(values, _) => values.append_null(),
            Values::Duration(values) => values.append_null(),
            Values::List(list) => {
                list.nulls.append_null();
                list.ends.push(list.ends.last().copied().unwrap_or(0));
            }
            Values::Record(record) => {
                record.nulls.append_null();
                for (_, field) in &mut record.fields {
                    field.append_null();
                }
            }
        }
    }

    /// The values read so far, as an array of the field's type. Starts anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut self.values {
            Values::Null(length) => Arc::new(NullArray::new(std::mem::take(length))),
            Values::Boolean(values) => Arc::new(values.finish()),
            Values::Int(values) => Arc::new(values.finish()),
            Values::Long(values) => Arc::new(values.finish()),
            Values::Float(values) => Arc::new(values.finish()),
            Values::Double(values) => Arc::new(values.finish()),
            Values::Bytes(values) => Arc::new(values.finish()),
            Values::Text(values) | Values::Json(values, _) => Arc::new(values.finish()),
            Values::Date(values) => Arc::new(values.finish().reinterpret_cast::<Date32Type>()),
            Values::Time(values) => {
                Arc::new(values.finish().reinterpret_cast::<Time64MicrosecondType>())
            }
            Values::Timestamp(values, zone) => Arc::new(
                values
                    .finish()
                    .reinterpret_cast::<TimestampMicrosecondType>()
                    .with_timezone_opt(zone.clone()),
            ),
            Values::Decimal128(values, _) => Arc::new(values.finish()),
            Values::Decimal256(values, _) => Arc::new(values.finish()),
            Values::Duration(values) => Arc::new(values.finish()),
            Values::List(list) => list.finish(),
            Values::Record(record) => record.finish(),
        }
    }

    /// The values as the field of a record or the items of a list.
    fn finish_inner(&mut self) -> ArrayRef {
        let array = self.finish();
        match array.data_type() {
            DataType::Null => arrow::array::new_null_array(&DataType::Utf8View, array.len()),
            _ => array,
        }
    }
}

/// What a union of a type and null comes to; any other type is itself.
fn nullable(node: NodeId, schema: &Schema) -> (NodeId, Option<(Option<usize>, usize)>) {
    let Node::Union(branches) = schema.node(node) else {
        return (node, None);
    };
    let is_null = |branch: &NodeId| *schema.node(*branch) == Node::Null;
    match branches.as_slice() {
        [only] => (*only, Some((None, 1))),
        [null, other] if is_null(null) => (*other, Some((Some(0), 2))),
        [other, null] if is_null(null) => (*other, Some((Some(1), 2))),
        _ => (node, None),
    }
}

impl Values {
    fn of(node: NodeId, place: &mut Place<'_>) -> Result<Self, Damage> {
        let schema = place.schema;
        Ok(match schema.node(node) {
            Node::Null => Self::Null(0),
            Node::Boolean => Self::Boolean(BooleanBuilder::new()),
            Node::Int => Self::Int(Int32Builder::new()),
            Node::Long => Self::Long(Int64Builder::new()),
            Node::Float => Self::Float(Float32Builder::new()),
            Node::Double => Self::Double(Float64Builder::new()),
            Node::Bytes | Node::Fixed(_) => Self::Bytes(BinaryViewBuilder::new()),
            Node::Text | Node::Enum(_) | Node::Uuid => Self::Text(StringViewBuilder::new()),
            Node::Date => Self::Date(Int32Builder::new()),
            Node::Time(_) => Self::Time(Int64Builder::new()),
            Node::Timestamp { is_instant, .. } => {
                Self::Timestamp(Int64Builder::new(), is_instant.then(|| "UTC".into()))
            }
            Node::Decimal {
                precision, scale, ..
            } => Self::decimal(*precision, *scale),
            Node::Duration => Self::Duration(IntervalMonthDayNanoBuilder::new()),
            Node::Array(items) => Self::List(Box::new(List {
                ends: Vec::new(),
                nulls: NullBufferBuilder::new(0),
                items: Column::of(*items, place)?,
            })),
            Node::Record(fields) if !fields.is_empty() && !place.within.contains(&node) => {
                place.within.push(node);
                let columns = fields
                    .iter()
                    .map(|(name, id)| Ok((name.clone(), Column::of(*id, place)?)))
                    .collect::<Result<_, Damage>>()?;
                place.within.pop();
                Self::Record(Record {
                    nulls: NullBufferBuilder::new(0),
                    fields: columns,
                })
            }
            Node::Map(_) | Node::Union(_) | Node::Record(_) => {
                Self::Json(StringViewBuilder::new(), Vec::new())
            }
        })
    }

    fn decimal(precision: u8, scale: i8) -> Self {
        if precision <= 38 {
            let data_type = DataType::Decimal128(precision, scale);
            let values = Decimal128Builder::new().with_data_type(data_type.clone());
            Self::Decimal128(values, data_type)
        } else {
            let data_type = DataType::Decimal256(precision, scale);
            let values = Decimal256Builder::new().with_data_type(data_type.clone());
            Self::Decimal256(values, data_type)
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Null(_) => DataType::Null,
            Self::Boolean(_) => DataType::Boolean,
            Self::Int(_) => DataType::Int32,
            Self::Long(_) => DataType::Int64,
            Self::Float(_) => DataType::Float32,
            Self::Double(_) => DataType::Float64,
            Self::Bytes(_) => DataType::BinaryView,
            Self::Text(_) | Self::Json(..) => DataType::Utf8View,
            Self::Date(_) => DataType::Date32,
            Self::Time(_) => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            Self::Decimal128(_, data_type) | Self::Decimal256(_, data_type) => data_type.clone(),
            Self::Duration(_) => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::List(list) => DataType::List(list.item_field()),
            Self::Record(record) => DataType::Struct(record.inner_fields()),
        }
    }

    fn read(&mut self, node: NodeId, schema: &Schema, input: &mut Input<'_>) -> Result<(), Damage> {
        match (self, schema.node(node)) {
            (Self::Null(length), _) => *length += 1,
            (Self::Boolean(values), _) => values.append_value(input.boolean()?),
            (Self::Int(values) | Self::Date(values), _) => values.append_value(input.int()?),
            (Self::Long(values), _) => values.append_value(input.long()?),
            (Self::Float(values), _) => {
                values.append_value(f32::from_le_bytes(input.array()?));
            }
            (Self::Double(values), _) => {
                values.append_value(f64::from_le_bytes(input.array()?));
            }
            (Self::Bytes(values), Node::Fixed(size)) => values.append_value(input.take(*size)?),
            (Self::Bytes(values), _) => values.append_value(input.bytes()?),
            (Self::Text(values), Node::Enum(symbols)) => {
                values.append_value(input.symbol(symbols)?);
            }
            (Self::Text(values), Node::Uuid) => values.append_value(scalar::uuid(input)?),
            (Self::Text(values), _) => values.append_value(input.text()?),
            (Self::Time(values), node) => values.append_value(scalar::time(node, input)?),
            (Self::Timestamp(values, _), node) => {
                values.append_value(scalar::timestamp(node, input)?);
            }
            (Self::Decimal128(values, _), node) => {
                values.append_value(scalar::decimal128(node, input)?);
            }
            (Self::Decimal256(values, _), node) => {
                values.append_value(scalar::decimal256(node, input)?);
            }
            (Self::Duration(values), _) => values.append_value(scalar::duration(input)?),
            (Self::List(list), _) => list.read(schema, input)?,
            (Self::Record(record), _) => {
                for (_, field) in &mut record.fields {
                    field.read(schema, input)?;
                }
                record.nulls.append_non_null();
            }
            (Self::Json(values, text), _) => {
                text.clear();
                match json::write(node, schema, input, text)? {
                    json::Written::Null => values.append_null(),
                    json::Written::Value => {
                        let text = str::from_utf8(text);
                        values.append_value(text.map_err(|_| Damage::new("a text is not UTF-8"))?);
                    }
                }
            }
        }
        Ok(())
    }
}

impl List {
    fn item_field(&self) -> FieldRef {
        self.items.inner_field(Field::LIST_FIELD_DEFAULT_NAME)
    }

    fn read(&mut self, schema: &Schema, input: &mut Input<'_>) -> Result<(), Damage> {
        let mut end = self.ends.last().copied().unwrap_or(0);
        loop {
            let n_items = input.n_items()?;
            if n_items == 0 {
                break;
            }
            input.expect(n_items.saturating_mul(self.items.n_values))?;
            for _ in 0..n_items {
                self.items.read(schema, input)?;
            }
            end = i32::try_from(n_items)
                .ok()
                .and_then(|n_items| end.checked_add(n_items))
                .ok_or_else(|| Damage::new("an array is too long"))?;
        }
        self.ends.push(end);
        self.nulls.append_non_null();
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        let mut offsets = vec![0];
        offsets.append(&mut self.ends);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let field = self.item_field();
        let items = self.items.finish_inner();
        Arc::new(ListArray::new(field, offsets, items, self.nulls.finish()))
    }
}

impl Record {
    fn inner_fields(&self) -> Fields {
        self.fields
            .iter()
            .map(|(name, column)| column.inner_field(name))
            .collect()
    }

    fn finish(&mut self) -> ArrayRef {
        let fields = self.inner_fields();
        let arrays = self.fields.iter_mut();
        let arrays = arrays.map(|(_, column)| column.finish_inner()).collect();
        Arc::new(StructArray::new(fields, arrays, self.nulls.finish()))
    }
}
