//! Casts to and from the types that name objects: `regclass`, `regtype` and their kind.
//!
//! A cast `x::regclass` is planned as `regclass(x)`, whose value is the OID; `regclass_out(oid)`
//! spells it, as PostgreSQL does where such a value is shown or cast to text.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt32Type};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::format_type::{format_type, type_oid};
use super::names::{Names, parse_name};
use super::operator_names;
use super::scalar::{Argument, Scalar, oid_of, text};
use crate::catalog::sql::identifier;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{element_of, oid};

/// The OIDs of `regprocedure`, `regoper` and `regoperator`.
const REGPROCEDURE: u32 = 2202;
const REGOPER: u32 = 2203;
const REGOPERATOR: u32 = 2204;

/// What stands for no object, but for operators, of which it is one.
const NO_OBJECT: &str = "-";

/// The function that spells the values of a type; `None` if they are no objects.
pub(super) fn output_of(type_oid: u32) -> Option<&'static str> {
    let element = element_of(type_oid).unwrap_or(type_oid);
    let kind = KINDS.iter().find(|kind| kind.type_oid == element)?;
    Some(kind.functions[2])
}

/// A kind of object that a type names.
#[derive(Clone, Copy)]
struct Kind {
    /// The cast, the lookup that gives NULL, and the output.
    functions: [&'static str; 3],
    type_oid: u32,
    find: fn(&Names, &str) -> Result<Option<u32>>,
    spell: fn(&Names, u32) -> String,
    /// The error that there is none of a name.
    missing: fn(&str) -> Error,
}

const KINDS: &[Kind] = &[
    Kind {
        functions: ["regclass", "to_regclass", "regclass_out"],
        type_oid: oid::REGCLASS,
        find: Names::relation_oid,
        spell: Names::spell_relation,
        missing: missing_relation,
    },
    Kind {
        functions: ["regtype", "to_regtype", "regtype_out"],
        type_oid: oid::REGTYPE,
        find: |names, text| Ok(type_oid(names, text)),
        spell: |names, oid| match names.builtin.type_row(oid) {
            None if oid != 0 => names.row_type(oid).unwrap_or_else(|| oid.to_string()),
            _ => format_type(&names.builtin, oid, None),
        },
        missing: |name| missing(ErrorKind::UndefinedObject, "type", name),
    },
    Kind {
        functions: ["regproc", "to_regproc", "regproc_out"],
        type_oid: oid::REGPROC,
        find: procedure_oid,
        spell: spell_procedure,
        missing: |name| missing(ErrorKind::UndefinedFunction, "function", name),
    },
    Kind {
        functions: ["regprocedure", "to_regprocedure", "regprocedure_out"],
        type_oid: REGPROCEDURE,
        find: procedure_oid,
        spell: |names, oid| match names.builtin.signature(oid) {
            None => spell_procedure(names, oid),
            Some(signature) => {
                let arguments = signature.identity_arguments.replace(", ", ",");
                format!("{}({arguments})", spell_procedure(names, oid))
            }
        },
        missing: |name| missing(ErrorKind::UndefinedFunction, "function", name),
    },
    Kind {
        functions: ["regnamespace", "to_regnamespace", "regnamespace_out"],
        type_oid: oid::REGNAMESPACE,
        find: |names, text| Ok(single(text)?.and_then(|name| names.schema_oid(&name))),
        spell: |names, oid| {
            let name = names.schema(oid);
            name.map_or_else(|| spell_number(oid), |name| identifier(&name))
        },
        missing: |name| missing(ErrorKind::InvalidSchemaName, "schema", name),
    },
    Kind {
        functions: ["regrole", "to_regrole", "regrole_out"],
        type_oid: oid::REGROLE,
        find: |names, text| Ok(single(text)?.and_then(|name| names.role_oid(&name))),
        spell: |names, oid| {
            let name = names.role(oid);
            name.map_or_else(|| spell_number(oid), |name| identifier(&name))
        },
        missing: |name| missing(ErrorKind::UndefinedObject, "role", name),
    },
    Kind {
        functions: ["regoper", "to_regoper", "regoper_out"],
        type_oid: REGOPER,
        find: operator_names::by_symbol,
        spell: operator_names::spell_symbol,
        missing: operator_names::missing,
    },
    Kind {
        functions: ["regoperator", "to_regoperator", "regoperator_out"],
        type_oid: REGOPERATOR,
        find: operator_names::by_operands,
        spell: operator_names::spell_operands,
        missing: operator_names::missing,
    },
];

fn missing(kind: ErrorKind, what: &str, name: &str) -> Error {
    Error::new(kind, format!("{what} \"{name}\" does not exist"))
}

fn missing_relation(name: &str) -> Error {
    missing(ErrorKind::UndefinedTable, "relation", name)
}

/// The functions of this file.
pub(super) fn functions(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    KINDS.iter().flat_map(|kind| of_kind(names, kind)).collect()
}

fn of_kind(names: &Arc<Names>, kind: &Kind) -> [Arc<ScalarUDF>; 3] {
    let Kind {
        functions: [cast, lookup, output],
        type_oid,
        find,
        spell,
        missing,
    } = *kind;
    let is_operator = [REGOPER, REGOPERATOR].contains(&type_oid);
    let casting = Arc::clone(names);
    let by_cast = move |row: &[ScalarValue]| {
        let found = match &row[0] {
            ScalarValue::UInt32(found) => *found,
            // A name that is none; operators are no such names.
            name if text(name) == NO_OBJECT && !is_operator => Some(0),
            name => resolve(&casting, text(name), find, missing)?,
        };
        Ok(ScalarValue::UInt32(found))
    };
    let looking = Arc::clone(names);
    let by_lookup = move |row: &[ScalarValue]| {
        let found = find(&looking, text(&row[0]));
        Ok(ScalarValue::UInt32(match is_operator {
            // Whatever is wrong with it, there is none.
            true => found.ok().flatten(),
            false => found?,
        }))
    };
    let spelling = Arc::clone(names);
    let by_output = move |row: &[ScalarValue]| {
        Ok(ScalarValue::from(match &row[0] {
            ScalarValue::List(array) => array_text(&array.value(0), |oid| spell(&spelling, oid))?,
            one => spell(&spelling, oid_of(one)),
        }))
    };
    let [object, of_text, of_oid] = [
        Argument::Object,
        Argument::Of(oid::TEXT),
        // An object, or an array of them.
        Argument::Any,
    ];
    [
        Scalar::new(cast, &[object], type_oid, by_cast).udf(),
        Scalar::new(lookup, &[of_text], type_oid, by_lookup).udf(),
        Scalar::new(output, &[of_oid], oid::TEXT, by_output).udf(),
    ]
}

/// The relation that an argument of type `regclass` means, by its OID or its name as text.
///
/// # Errors
/// `UndefinedTable`: there is none of this name.
pub(super) fn relation(names: &Names, value: &ScalarValue) -> Result<u32> {
    let found = match value {
        ScalarValue::UInt32(found) => *found,
        name if text(name) == NO_OBJECT => Some(0),
        name => resolve(names, text(name), Names::relation_oid, missing_relation)?,
    };
    Ok(found.unwrap_or_default())
}

/// An array of objects as text.
fn array_text(elements: &ArrayRef, spell: impl Fn(u32) -> String) -> Result<String> {
    let numbers = cast(elements, &DataType::UInt32).map_err(Error::internal)?;
    let numbers = numbers.as_primitive::<UInt32Type>().iter();
    let names = numbers.map(|number| match number {
        None => "NULL".to_owned(),
        Some(number) => match spell(number) {
            name if name.contains([' ', '"', ',', '{', '}', '\\']) => {
                format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
            }
            name => name,
        },
    });
    Ok(format!("{{{}}}", names.collect::<Vec<_>>().join(",")))
}

/// As `regclassin` and its kind in regproc.c: a number is itself, a name must exist.
fn resolve(
    names: &Names,
    text: &str,
    find: fn(&Names, &str) -> Result<Option<u32>>,
    missing: fn(&str) -> Error,
) -> Result<Option<u32>> {
    if let Ok(oid) = text.parse() {
        return Ok(Some(oid));
    }
    find(names, text)?.ok_or_else(|| missing(text)).map(Some)
}

fn single(text: &str) -> Result<Option<String>> {
    Ok(match parse_name(text)?.as_slice() {
        [name] => Some(name.clone()),
        _ => None,
    })
}

/// The function of this name, if there is exactly one. A list of argument types picks one of many.
fn procedure_oid(names: &Names, text: &str) -> Result<Option<u32>> {
    let (name, arguments) = match text.split_once('(') {
        Some((name, rest)) => (name, Some(rest.trim_end().trim_end_matches(')'))),
        None => (text, None),
    };
    let parts = parse_name(name)?;
    let (Some(name), true) = (parts.last(), parts.len() < 3) else {
        return Ok(None);
    };
    if parts.len() == 2 && parts[0] != "pg_catalog" {
        return Ok(None);
    }
    let fits = |oid: u32| {
        arguments.is_none_or(|arguments| {
            let signature = names.builtin.signature(oid);
            let squeezed = |text: &str| text.replace(' ', "");
            signature.is_some_and(|signature| {
                squeezed(signature.identity_arguments) == squeezed(arguments)
            })
        })
    };
    let functions = names.builtin.functions().iter();
    let mut found = functions.filter(|(oid, of)| *of == name && fits(**oid));
    let first = found.next().map(|(oid, _)| *oid);
    Ok(first.filter(|_| found.next().is_none()))
}

fn spell_procedure(names: &Names, oid: u32) -> String {
    let name = names.builtin.functions().get(&oid);
    name.map_or_else(|| spell_number(oid), |name| identifier(name))
}

fn spell_number(oid: u32) -> String {
    match oid {
        0 => NO_OBJECT.to_owned(),
        other => other.to_string(),
    }
}
