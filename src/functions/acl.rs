//! Privileges and options as the catalog writes them: what an object has by default, and what an array
//! of either lists (acl.c, foreign.c).

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result as DataFusionResult, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::names::{Names, parse_name};
use super::scalar::{Argument, Scalar, external, oid_of, text};
use crate::auth::Privilege;
use crate::catalog::sql::identifier;
use crate::error::{Error, ErrorKind, Result};
use crate::types::oid;

/// The OID of `aclitem[]`.
const ACLITEM_ARRAY: u32 = 1034;

/// Functions that make rows of several columns, by the columns and the list they stand for. No name
/// in SQL text is one of the lists'.
pub const ROW_LISTS: [(&str, &str, &[&str]); 2] = [
    (
        "aclexplode",
        "aclexplode\u{1}",
        &["grantor", "grantee", "privilege_type", "is_grantable"],
    ),
    (
        "pg_options_to_table",
        "pg_options_to_table\u{1}",
        &["option_name", "option_value"],
    ),
];

/// The functions of this file.
pub(super) fn functions(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    let listed = |index: usize, types: Vec<DataType>, rows: RowsOf| {
        let (_, list, columns) = ROW_LISTS[index];
        let fields = columns.iter().zip(types);
        let fields = fields.map(|(name, data_type)| Field::new(*name, data_type, true));
        Arc::new(ScalarUDF::from(Listed {
            list,
            fields: fields.collect(),
            rows,
            signature: Signature::any(1, Volatility::Stable),
        }))
    };
    let known = Arc::clone(names);
    let text = DataType::Utf8;
    vec![
        acl_default(names),
        listed(
            0,
            vec![
                DataType::UInt32,
                DataType::UInt32,
                text.clone(),
                DataType::Boolean,
            ],
            Arc::new(move |item| privileges(&known, item)),
        ),
        listed(1, vec![text.clone(), text], Arc::new(option)),
    ]
}

/// `acldefault(type, owner)`: what `NULL` in a column of privileges stands for (`acldefault` in acl.c).
fn acl_default(names: &Arc<Names>) -> Arc<ScalarUDF> {
    let names = Arc::clone(names);
    let arguments = [Argument::Of(oid::CHAR), Argument::Of(oid::OID)];
    Scalar::new("acldefault", &arguments, ACLITEM_ARRAY, move |row| {
        let (public, own) = match text(&row[0]) {
            "c" => ("", ""),
            "r" => ("", "arwdDxt"),
            "s" => ("", "rwU"),
            "d" => ("Tc", "CTc"),
            "f" => ("X", "X"),
            "l" | "T" => ("U", "U"),
            "L" => ("", "rw"),
            "n" => ("", "UC"),
            "t" => ("", "C"),
            "F" | "S" => ("", "U"),
            "p" => ("", "sA"),
            other => {
                let message = format!("unrecognized object type abbreviation: {other}");
                return Err(Error::new(ErrorKind::InternalError, message));
            }
        };
        let owner = oid_of(&row[1]);
        let name = names.role(owner);
        let owner = name.map_or_else(|| owner.to_string(), |name| identifier(&name));
        let items = [("", public), (owner.as_str(), own)].into_iter();
        let items = items
            .filter(|(_, letters)| !letters.is_empty())
            .map(|(grantee, letters)| ScalarValue::from(format!("{grantee}={letters}/{owner}")));
        let items: Vec<ScalarValue> = items.collect();
        Ok(ScalarValue::List(ScalarValue::new_list_nullable(
            &items,
            &DataType::Utf8,
        )))
    })
    .udf()
}

/// A row of values for each thing that an item lists.
type RowsOf = Arc<dyn Fn(&str) -> Result<Vec<Vec<ScalarValue>>> + Send + Sync>;

/// `role=letters/grantor`: a row for each letter (`aclexplode` in acl.c).
fn privileges(names: &Names, item: &str) -> Result<Vec<Vec<ScalarValue>>> {
    let malformed = || {
        Error::new(
            ErrorKind::InvalidTextRepresentation,
            format!("invalid aclitem: \"{item}\""),
        )
    };
    let (grantee, rest) = item.split_once('=').ok_or_else(malformed)?;
    let (letters, grantor) = rest.split_once('/').ok_or_else(malformed)?;
    let role = |name: &str| -> Result<u32> {
        // PUBLIC has no name, and is role 0.
        if name.is_empty() {
            return Ok(0);
        }
        let known = parse_name(name)?;
        Ok(known
            .first()
            .and_then(|name| names.role_oid(name))
            .unwrap_or_default())
    };
    let (grantee, grantor) = (role(grantee)?, role(grantor)?);
    let mut rows = Vec::new();
    let mut letters = letters.chars().peekable();
    while let Some(letter) = letters.next() {
        let privilege = match letter {
            'X' => "EXECUTE",
            's' => "SET",
            'A' => "ALTER SYSTEM",
            letter => {
                let known = Privilege::ALL.into_iter().find(|it| it.letter() == letter);
                known.ok_or_else(malformed)?.word()
            }
        };
        let is_grantable = letters.next_if_eq(&'*').is_some();
        rows.push(vec![
            ScalarValue::from(grantor),
            ScalarValue::from(grantee),
            ScalarValue::from(privilege),
            ScalarValue::from(is_grantable),
        ]);
    }
    Ok(rows)
}

/// `name=value` (`untransformRelOptions` in reloptions.c).
fn option(item: &str) -> Result<Vec<Vec<ScalarValue>>> {
    let (name, value) = match item.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (item, None),
    };
    Ok(vec![vec![
        ScalarValue::from(name),
        ScalarValue::from(value),
    ]])
}

/// The list of what an array's texts list.
struct Listed {
    list: &'static str,
    fields: Fields,
    rows: RowsOf,
    signature: Signature,
}

impl Listed {
    fn item(&self) -> Arc<Field> {
        Arc::new(Field::new_list_field(
            DataType::Struct(self.fields.clone()),
            true,
        ))
    }
}

impl std::fmt::Debug for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.list)
    }
}

impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list && Arc::ptr_eq(&self.rows, &other.rows)
    }
}

impl Eq for Listed {}

impl Hash for Listed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.list.hash(state);
    }
}

impl ScalarUDFImpl for Listed {
    fn name(&self) -> &str {
        self.list
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> DataFusionResult<DataType> {
        match given {
            [DataType::List(_) | DataType::Null | DataType::Utf8] => {
                Ok(DataType::List(self.item()))
            }
            _ => {
                let name = self.list.trim_end_matches('\u{1}');
                let message = format!("function {name} takes an array");
                Err(external(Error::new(ErrorKind::UndefinedFunction, message)))
            }
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let is_scalar = matches!(call.args[0], ColumnarValue::Scalar(_));
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        let array_of_text = DataType::new_list(DataType::Utf8, true);
        let lists = arrow::compute::cast(&columns[0], &array_of_text)?;
        let lists = lists
            .as_list_opt::<i32>()
            .ok_or_else(|| exec_datafusion_err!("not a list"))?;
        let mut values: Vec<Vec<ScalarValue>> = vec![Vec::new(); self.fields.len()];
        let mut lengths = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let before = values[0].len();
            if !lists.is_null(row) {
                let items = lists.value(row);
                let items = items.as_string::<i32>();
                for item in items.iter().flatten() {
                    for row in (self.rows)(item).map_err(external)? {
                        values
                            .iter_mut()
                            .zip(row)
                            .for_each(|(all, value)| all.push(value));
                    }
                }
            }
            lengths.push(values[0].len() - before);
        }
        let columns = values.into_iter().zip(&self.fields);
        let columns = columns.map(|(values, field)| match values.is_empty() {
            true => Ok(arrow::array::new_empty_array(field.data_type())),
            false => ScalarValue::iter_to_array(values),
        });
        let columns = columns.collect::<DataFusionResult<Vec<ArrayRef>>>()?;
        let rows = StructArray::try_new(self.fields.clone(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let lists: ArrayRef = Arc::new(ListArray::try_new(
            self.item(),
            offsets,
            Arc::new(rows),
            None,
        )?);
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&lists, 0)?),
            false => ColumnarValue::Array(lists),
        })
    }
}
