//! PostgreSQL's JSON: values of type json and jsonb, which are texts here, and nested columns of the
//! lake, which are shown as json.
//! <https://www.postgresql.org/docs/16/functions-json.html>

mod build;
mod call;
mod elements;
mod find;
mod nested;
mod normal;
mod scalars;
mod scan;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::logical_expr::ScalarUDF;

use crate::error::Result;
use crate::types::{self, TYPE_KEY, oid};
use call::JsonFunction;
pub use call::{Operation, cannot_cast};
pub use nested::texts;

/// PostgreSQL's two types of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flavour {
    /// `json`: the text as it was given.
    Json,
    /// `jsonb`: the text of the value.
    Jsonb,
}

impl Flavour {
    /// The type's OID.
    pub fn oid(self) -> u32 {
        match self {
            Self::Json => oid::JSON,
            Self::Jsonb => oid::JSONB,
        }
    }
}

/// A text as a value of json or jsonb.
///
/// # Errors
/// It is not JSON, or nothing that jsonb holds.
pub fn read(text: &str, flavour: Flavour) -> Result<String> {
    match flavour {
        Flavour::Json => scan::check(text, scan::Strings::AsWritten).map(|()| text.to_owned()),
        Flavour::Jsonb => normal::normal(text),
    }
}

/// What makes rows of elements, around `unnest`; not a name that SQL text can have.
pub const ROW_FUNCTIONS: [&str; 3] = ["json_row\u{1}", "jsonb_row\u{1}", "text_row\u{1}"];

/// The functions of FROM that make rows of a JSON array's elements, and what goes around them.
pub const ELEMENTS: [(&str, &str); 4] = [
    ("json_array_elements", ROW_FUNCTIONS[0]),
    ("jsonb_array_elements", ROW_FUNCTIONS[1]),
    ("json_array_elements_text", ROW_FUNCTIONS[2]),
    ("jsonb_array_elements_text", ROW_FUNCTIONS[2]),
];

/// A part of a path as a place in an array.
pub fn path_index(part: &str) -> Option<i64> {
    find::index(part)
}

/// Which JSON type a column has; `None` for all others.
pub fn flavour(field: &Field) -> Option<Flavour> {
    match types::of_field(field).oid {
        oid::JSON => Some(Flavour::Json),
        oid::JSONB => Some(Flavour::Jsonb),
        _ => None,
    }
}

/// Whether a type is one of Arrow's that hold letters.
pub fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

/// Whether a function is one of those that take JSON values.
pub fn takes_json(function: &ScalarUDF) -> bool {
    let inner: &dyn std::any::Any = function.inner().as_ref();
    inner.is::<JsonFunction>()
}

/// Whether a function is one of those that put values into JSON, and JSON as it is.
pub fn builds_json(function: &ScalarUDF) -> bool {
    let inner: &dyn std::any::Any = function.inner().as_ref();
    inner.is::<build::Build>()
}

/// A field under the name of a JSON type.
fn marked(name: &str, data_type: DataType, flavour: Flavour) -> Field {
    let metadata = [(TYPE_KEY.to_owned(), flavour.oid().to_string())].into();
    Field::new(name, data_type, true).with_metadata(metadata)
}

/// The function of an operation, for planners.
pub fn function(operation: Operation) -> Arc<ScalarUDF> {
    let name = match &operation {
        Operation::Cast(Flavour::Json) => "json",
        Operation::Cast(Flavour::Jsonb) => "jsonb",
        Operation::Of(_) => "to_json",
        Operation::Value => VALUE,
        Operation::Text => "json_text",
        Operation::Get(_) => "json_get",
        Operation::GetText => "json_get_text",
        Operation::Path(_) => "json_path",
        Operation::PathText => "json_path_text",
        Operation::Typeof => "json_typeof",
        Operation::Length => "json_array_length",
        Operation::Elements(..) => "json_elements",
        Operation::Row(_) => "json_row",
        Operation::List(_) => "json_list",
        Operation::Plain => "json_out",
        Operation::Scalar(_) => "jsonb_scalar",
    };
    JsonFunction::udf(name, operation)
}

/// The name of [`Operation::Value`], by which planners know it again.
pub const VALUE: &str = "json_of";

/// The functions that SQL text can name.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    use Flavour::{Json, Jsonb};
    let [json_row, jsonb_row, text_row] = ROW_FUNCTIONS;
    [
        ("json", Operation::Cast(Json)),
        ("jsonb", Operation::Cast(Jsonb)),
        ("to_json", Operation::Of(Json)),
        ("to_jsonb", Operation::Of(Jsonb)),
        ("json_typeof", Operation::Typeof),
        ("jsonb_typeof", Operation::Typeof),
        ("json_array_length", Operation::Length),
        ("jsonb_array_length", Operation::Length),
        ("json_array_elements", Operation::Elements(Json, false)),
        ("jsonb_array_elements", Operation::Elements(Jsonb, false)),
        ("json_array_elements_text", Operation::Elements(Json, true)),
        (
            "jsonb_array_elements_text",
            Operation::Elements(Jsonb, true),
        ),
        (json_row, Operation::Row(Some(Json))),
        (jsonb_row, Operation::Row(Some(Jsonb))),
        (text_row, Operation::Row(None)),
    ]
    .into_iter()
    .map(|(name, operation)| JsonFunction::udf(name, operation))
    .chain(build::functions())
    .collect()
}
