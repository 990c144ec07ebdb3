//! How the columns of a materialized view lie in its Delta table, and how they are served from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::metadata::FieldMetadata;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::types::{MODIFIER_KEY, PgType, TYPE_KEY, element_of, format_type, kept, of_field};

/// Characters that Delta takes in no name of a column.
const NOT_IN_NAMES: &[char] = &[' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

/// A column of a materialized view, and how it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumn {
    /// As the view calls it.
    pub name: String,
    /// As the Delta table calls it.
    pub stored: String,
    /// The OID of its type.
    pub oid: u32,
    /// Its type's modifier.
    pub modifier: i32,
}

/// How columns of these names, types and fields are stored, and the schema of what is.
///
/// # Errors
/// `FeatureNotSupported`, naming the column: its type's values cannot be stored as they are.
pub fn stored_columns(
    columns: &[(String, PgType)],
    schema: &Schema,
) -> Result<(Vec<StoredColumn>, SchemaRef)> {
    let mut taken = HashSet::new();
    let (mut stored, mut fields) = (Vec::new(), Vec::new());
    for (index, ((name, pg_type), field)) in columns.iter().zip(schema.fields()).enumerate() {
        let data_type = stored_type(field, pg_type.oid).ok_or_else(|| {
            let shown = format_type(pg_type.oid, pg_type.modifier);
            let shown = shown.unwrap_or_else(|| pg_type.oid.to_string());
            let what = format!("column \"{name}\" of type {shown} in a materialized view");
            Error::unsupported(what).with_hint("Cast it to text.")
        })?;
        // Delta tells names apart without their case.
        let is_plain = !name.is_empty() && !name.contains(NOT_IN_NAMES);
        let is_own = is_plain && taken.insert(name.to_lowercase());
        let own = match is_own {
            true => name.clone(),
            false => free_name(index, &mut taken),
        };
        fields.push(Field::new(&own, data_type, true));
        stored.push(StoredColumn {
            name: name.clone(),
            stored: own,
            oid: pg_type.oid,
            modifier: pg_type.modifier,
        });
    }
    if fields.is_empty() {
        let message = "a materialized view must have a column";
        return Err(Error::new(ErrorKind::FeatureNotSupported, message));
    }
    Ok((stored, Arc::new(Schema::new(fields))))
}

/// A name for a column whose own Delta does not take.
fn free_name(index: usize, taken: &mut HashSet<String>) -> String {
    let mut name = format!("column_{}", index + 1);
    while !taken.insert(name.clone()) {
        name.push('_');
    }
    name
}

/// The type in which Delta holds all values of a column; `None` if it has none.
fn stored_type(field: &Field, oid: u32) -> Option<DataType> {
    if kept(field).is_some() {
        return None;
    }
    Some(match field.data_type() {
        DataType::Boolean => DataType::Boolean,
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => DataType::Int16,
        DataType::UInt16 | DataType::Int32 => DataType::Int32,
        // Counts of rows, far below 2^63; a larger number fails to be cast.
        DataType::UInt64 | DataType::Int64 => DataType::Int64,
        DataType::Float16 | DataType::Float32 => DataType::Float32,
        DataType::Float64 => DataType::Float64,
        DataType::Date32 => DataType::Date32,
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(_, Some(_)) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
            if u8::try_from(*scale).is_ok_and(|scale| scale <= *precision) =>
        {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::List(element) | DataType::LargeList(element) => {
            let element_oid = element_of(oid)?;
            let data_type = stored_type(element, element_oid)?;
            DataType::List(Arc::new(Field::new("element", data_type, true)))
        }
        _ => return None,
    })
}

/// The stored column of a value without a name of its own; `None` if Delta does not hold all values of its type.
pub fn stored_field(name: &str, data_type: &DataType) -> Option<Field> {
    let field = Field::new(name, data_type.clone(), true);
    let stored = stored_type(&field, of_field(&field).oid)?;
    Some(field.with_data_type(stored))
}

/// Rows as they are stored.
pub(super) fn to_stored(batch: &RecordBatch, schema: &SchemaRef) -> DataFusionResult<RecordBatch> {
    // A value that does not fit is an error, and never NULL.
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = batch.columns().iter().zip(schema.fields());
    let columns =
        columns.map(|(column, field)| cast_with_options(column, field.data_type(), &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// The stored rows as the view's; `None` if they have not the columns that are said of them: the view's own, and those
/// beside them that are not shown.
///
/// # Errors
/// A fault of ours.
pub(super) fn served<'a>(
    provider: Arc<dyn TableProvider>,
    columns: &'a [StoredColumn],
    beside: impl Iterator<Item = &'a str>,
) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
    let schema = provider.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let own = columns.iter().map(|column| column.stored.as_str());
    if !names.eq(own.chain(beside)) {
        return Ok(None);
    }
    let as_they_are = |(field, column): (&Arc<Field>, &StoredColumn)| {
        column.stored == column.name && metadata_of(field, column).is_none()
    };
    let is_all = schema.fields().len() == columns.len();
    if is_all && schema.fields().iter().zip(columns).all(as_they_are) {
        return Ok(Some(provider));
    }
    let fields = schema.fields().iter().zip(columns);
    let said = fields.map(|(field, column)| {
        let own = Expr::Column(Column::new_unqualified(field.name()));
        let metadata = metadata_of(field, column).map(FieldMetadata::from);
        own.alias_with_metadata(&column.name, metadata)
    });
    let plan = LogicalPlanBuilder::scan("stored", provider_as_source(provider), None)?
        .project(said)?
        .build()?;
    Ok(Some(Arc::new(ViewTable::new(plan, None))))
}

/// What a served field must say of its type, where its values do not.
fn metadata_of(field: &Field, column: &StoredColumn) -> Option<HashMap<String, String>> {
    let told = of_field(field);
    if (told.oid, told.modifier) == (column.oid, column.modifier) {
        return None;
    }
    let mut metadata = HashMap::new();
    if told.oid != column.oid {
        metadata.insert(TYPE_KEY.to_owned(), column.oid.to_string());
    }
    metadata.insert(MODIFIER_KEY.to_owned(), column.modifier.to_string());
    Some(metadata)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::IntervalUnit;

    use super::*;
    use crate::types::{of_arrow, oid};

    fn stored(columns: &[(&str, DataType)]) -> Result<(Vec<StoredColumn>, SchemaRef)> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, data_type)| Field::new(*name, data_type.clone(), true))
            .collect();
        let types: Vec<(String, PgType)> = columns
            .iter()
            .map(|(name, data_type)| ((*name).to_owned(), of_arrow(data_type)))
            .collect();
        stored_columns(&types, &Schema::new(fields))
    }

    #[test]
    fn names_that_delta_does_not_take_are_replaced() {
        let int = DataType::Int32;
        let (columns, schema) = stored(&[
            ("n", int.clone()),
            ("N", int.clone()),
            ("a b", int.clone()),
            ("column_2", int.clone()),
            ("", int),
        ])
        .expect("integers can be stored");
        let names: Vec<&str> = columns.iter().map(|it| it.stored.as_str()).collect();
        assert_eq!(names, ["n", "column_2", "column_3", "column_4", "column_5"]);
        assert_eq!(schema.fields().len(), 5);
        assert_eq!(columns[1].name, "N");
    }

    #[test]
    fn types_without_a_place_in_delta_are_refused_by_name() {
        for data_type in [
            DataType::Interval(IntervalUnit::MonthDayNano),
            DataType::Time64(TimeUnit::Microsecond),
            DataType::UInt32,
            DataType::new_list(DataType::Time64(TimeUnit::Microsecond), true),
        ] {
            let error = stored(&[("odd", data_type)]).expect_err("it cannot be stored");
            assert_eq!(error.kind(), ErrorKind::FeatureNotSupported);
            assert!(error.message().contains("\"odd\""), "{error}");
        }
        let inet = DataType::Binary;
        let field = Field::new("ip", inet, true);
        let field = field.with_metadata([(TYPE_KEY.to_owned(), oid::INET.to_string())].into());
        let types = [("ip".to_owned(), PgType::of(oid::INET))];
        assert!(stored_columns(&types, &Schema::new(vec![field])).is_err());
    }
}
