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
use super::scalar::{Argument, Scalar, oid_of, text};
use crate::catalog::sql::identifier;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{element_of, oid};

/// The OID of type `regprocedure`.
const REGPROCEDURE: u32 = 2202;

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
    /// What it is, for the error, and of which kind that is.
    missing: (ErrorKind, &'static str),
}

const KINDS: &[Kind] = &[
    Kind {
        functions: ["regclass", "to_regclass", "regclass_out"],
        type_oid: oid::REGCLASS,
        find: Names::relation_oid,
        spell: Names::spell_relation,
        missing: MISSING_RELATION,
    },
    Kind {
        functions: ["regtype", "to_regtype", "regtype_out"],
        type_oid: oid::REGTYPE,
        find: |names, text| Ok(type_oid(names, text)),
        spell: |names, oid| match names.builtin.type_row(oid) {
            None if oid != 0 => oid.to_string(),
            _ => format_type(&names.builtin, oid, None),
        },
        missing: (ErrorKind::UndefinedObject, "type"),
    },
    Kind {
        functions: ["regproc", "to_regproc", "regproc_out"],
        type_oid: oid::REGPROC,
        find: procedure_oid,
        spell: spell_procedure,
        missing: (ErrorKind::UndefinedFunction, "function"),
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
        missing: (ErrorKind::UndefinedFunction, "function"),
    },
    Kind {
        functions: ["regnamespace", "to_regnamespace", "regnamespace_out"],
        type_oid: oid::REGNAMESPACE,
        find: |names, text| Ok(single(text)?.and_then(|name| names.schema_oid(&name))),
        spell: |names, oid| {
            let name = names.schema(oid);
            name.map_or_else(|| spell_number(oid), |name| identifier(&name))
        },
        missing: (ErrorKind::InvalidSchemaName, "schema"),
    },
    Kind {
        functions: ["regrole", "to_regrole", "regrole_out"],
        type_oid: oid::REGROLE,
        find: |names, text| Ok(single(text)?.and_then(|name| names.role_oid(&name))),
        spell: |names, oid| {
            let name = names.role(oid);
            name.map_or_else(|| spell_number(oid), |name| identifier(&name))
        },
        missing: (ErrorKind::UndefinedObject, "role"),
    },
];

const MISSING_RELATION: (ErrorKind, &str) = (ErrorKind::UndefinedTable, "relation");

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
    let casting = Arc::clone(names);
    let by_cast = move |row: &[ScalarValue]| {
        let found = match &row[0] {
            ScalarValue::UInt32(found) => *found,
            name => resolve(&casting, text(name), find, missing)?,
        };
        Ok(ScalarValue::UInt32(found))
    };
    let looking = Arc::clone(names);
    let by_lookup =
        move |row: &[ScalarValue]| Ok(ScalarValue::UInt32(find(&looking, text(&row[0]))?));
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
        name => resolve(names, text(name), Names::relation_oid, MISSING_RELATION)?,
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

/// As `regclassin` and its kind in regproc.c: `-` is 0, a number is itself, a name must exist.
fn resolve(
    names: &Names,
    text: &str,
    find: fn(&Names, &str) -> Result<Option<u32>>,
    (kind, what): (ErrorKind, &str),
) -> Result<Option<u32>> {
    if text == "-" {
        return Ok(Some(0));
    }
    if let Ok(oid) = text.parse() {
        return Ok(Some(oid));
    }
    let missing = || Error::new(kind, format!("{what} \"{text}\" does not exist"));
    find(names, text)?.ok_or_else(missing).map(Some)
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
        0 => "-".to_owned(),
        other => other.to_string(),
    }
}
