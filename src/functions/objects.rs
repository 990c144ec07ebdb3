//! What the catalog says of an object: its name, its visibility, its description, its definition.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::format_type::format_type;
use super::names::Names;
use super::reg;
use super::scalar::{Argument, Scalar, number, oid_of, text};
use super::session;
use crate::catalog::system::Signature;
use crate::types::oid;

/// The functions of this file.
pub(super) fn functions(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    let mut functions = visibility(names);
    functions.push(session::user_by_id(names));
    functions.extend(descriptions(names));
    functions.extend(definitions(names));
    functions.extend(sizes(names));
    functions.extend(encodings());
    functions
}

/// The list of `pg_partition_ancestors`: no relation here has any.
pub const ANCESTORS_LIST: &str = "pg_partition_ancestors\u{1}";

/// `oid[]`.
const OIDS: u32 = 1028;

const OID: Argument = Argument::Of(oid::OID);
const BOOL: Argument = Argument::Of(oid::BOOL);
const INT4: Argument = Argument::Of(oid::INT4);
const TEXT: Argument = Argument::Of(oid::TEXT);

fn visibility(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    let relations = Arc::clone(names);
    let mut functions = vec![
        Scalar::new("pg_table_is_visible", &[OID], oid::BOOL, move |row| {
            Ok(ScalarValue::Boolean(relations.is_visible(oid_of(&row[0]))))
        })
        .udf(),
    ];
    let types = Arc::clone(names);
    functions.push(
        Scalar::new("pg_type_is_visible", &[OID], oid::BOOL, move |row| {
            let found = types.builtin.type_row(oid_of(&row[0]));
            let schema = found.and_then(|found| types.schema(found.namespace));
            let visible = schema.map(|schema| types.path().any(|name| name == schema));
            Ok(ScalarValue::Boolean(visible))
        })
        .udf(),
    );
    let procedures = Arc::clone(names);
    functions.push(
        Scalar::new("pg_function_is_visible", &[OID], oid::BOOL, move |row| {
            let found = procedures.builtin.functions().get(&oid_of(&row[0]));
            Ok(ScalarValue::Boolean(found.map(|_| true)))
        })
        .udf(),
    );
    // All objects of these kinds are of pg_catalog, which is always searched.
    let others = [
        "pg_collation_is_visible",
        "pg_conversion_is_visible",
        "pg_opclass_is_visible",
        "pg_operator_is_visible",
        "pg_opfamily_is_visible",
        "pg_statistics_obj_is_visible",
        "pg_ts_config_is_visible",
        "pg_ts_dict_is_visible",
        "pg_ts_parser_is_visible",
        "pg_ts_template_is_visible",
    ];
    functions.extend(others.into_iter().map(|name| {
        let yes = |_: &[ScalarValue]| Ok(ScalarValue::from(true));
        Scalar::new(name, &[OID], oid::BOOL, yes).udf()
    }));
    functions
}

fn descriptions(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    let lookup = |names: &Arc<Names>| {
        let names = Arc::clone(names);
        move |row: &[ScalarValue]| {
            let catalog = row.get(1).map_or("", text);
            let described = names.description(oid_of(&row[0]), catalog);
            Ok(ScalarValue::Utf8(described.map(str::to_owned)))
        }
    };
    let none = |_: &[ScalarValue]| Ok(ScalarValue::Utf8(None));
    let columns = Arc::clone(names);
    let of_column = move |row: &[ScalarValue]| {
        let described = columns.column_description(oid_of(&row[0]), number(&row[1]));
        Ok(ScalarValue::Utf8(described.map(str::to_owned)))
    };
    vec![
        Scalar::new("obj_description", &[OID, TEXT], oid::TEXT, lookup(names))
            .optional(1)
            .udf(),
        Scalar::new("shobj_description", &[OID, TEXT], oid::TEXT, none).udf(),
        Scalar::new("col_description", &[OID, INT4], oid::TEXT, of_column).udf(),
    ]
}

/// Reads one text of a function's signature.
type OfSignature = fn(Signature) -> Option<&'static str>;

fn definitions(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    let of_signature = |name: &'static str, read: OfSignature| {
        let names = Arc::clone(names);
        let body = move |row: &[ScalarValue]| {
            let signature = names.builtin.signature(oid_of(&row[0]));
            let read = signature.and_then(read).map(str::to_owned);
            Ok(ScalarValue::Utf8(read))
        };
        Scalar::new(name, &[OID], oid::TEXT, body).udf()
    };
    let formatted = Arc::clone(names);
    let mut functions = vec![
        of_signature("pg_get_function_result", |signature| signature.result),
        of_signature("pg_get_function_arguments", |signature| {
            Some(signature.arguments)
        }),
        of_signature("pg_get_function_identity_arguments", |signature| {
            Some(signature.identity_arguments)
        }),
        Scalar::new("format_type", &[OID, INT4], oid::TEXT, move |row| {
            if row[0].is_null() {
                return Ok(ScalarValue::Utf8(None));
            }
            let modifier = (!row[1].is_null()).then(|| number(&row[1]));
            let modifier = modifier.and_then(|modifier| i32::try_from(modifier).ok());
            let type_oid = oid_of(&row[0]);
            let of_rows = formatted.row_type(type_oid);
            let name =
                of_rows.unwrap_or_else(|| format_type(&formatted.builtin, type_oid, modifier));
            Ok(ScalarValue::from(name))
        })
        .with_nulls()
        .udf(),
    ];
    functions.push(view_definition(names));
    functions.extend(key_definitions(names));
    functions.push(expression());
    functions.extend(absent());
    functions
}

fn view_definition(names: &Arc<Names>) -> Arc<ScalarUDF> {
    let names = Arc::clone(names);
    let body = move |row: &[ScalarValue]| {
        let found = names.snapshot.relation(reg::relation(&names, &row[0])?);
        let text = found.and_then(|relation| Some(relation.view()?.text()));
        Ok(ScalarValue::Utf8(text))
    };
    // The second argument is whether to break lines, or where: a text is shown as written.
    Scalar::new("pg_get_viewdef", &[Argument::Object, BOOL], oid::TEXT, body)
        .optional(1)
        .udf()
}

/// `pg_get_constraintdef` and `pg_get_indexdef`: of declared keys.
fn key_definitions(names: &Arc<Names>) -> [Arc<ScalarUDF>; 2] {
    let of_constraint = Arc::clone(names);
    let constraint = move |row: &[ScalarValue]| {
        let mut keys = of_constraint.snapshot.keys();
        let found = keys.find(|key| key.oid() == oid_of(&row[0]));
        Ok(ScalarValue::Utf8(found.map(|found| found.key.text())))
    };
    let of_index = Arc::clone(names);
    let index = move |row: &[ScalarValue]| {
        let mut keys = of_index.snapshot.keys();
        let found = keys.find(|key| key.index() == Some(oid_of(&row[0])));
        // The second argument is the column, counted from 1; 0 asks for the whole.
        let column = row.get(1).map_or(0, number);
        let column = usize::try_from(column)
            .ok()
            .and_then(|it| it.checked_sub(1));
        Ok(ScalarValue::Utf8(
            found.map(|found| found.index_text(column)),
        ))
    };
    [
        Scalar::new("pg_get_constraintdef", &[OID, BOOL], oid::TEXT, constraint)
            .optional(1)
            .udf(),
        Scalar::new("pg_get_indexdef", &[OID, INT4, BOOL], oid::TEXT, index)
            .optional(2)
            .udf(),
    ]
}

/// `pg_get_expr`: an expression of the catalog is kept as its text.
fn expression() -> Arc<ScalarUDF> {
    let body = |row: &[ScalarValue]| Ok(row[0].clone());
    Scalar::new("pg_get_expr", &[TEXT, OID, BOOL], oid::TEXT, body)
        .optional(1)
        .udf()
}

/// Definitions of what Lakegate has none of: no such object has an OID.
fn absent() -> Vec<Arc<ScalarUDF>> {
    let absent: [(&str, &[Argument], usize); 9] = [
        ("pg_describe_object", &[OID, OID, INT4], 0),
        ("pg_get_partkeydef", &[OID], 0),
        ("pg_get_ruledef", &[OID, BOOL], 1),
        ("pg_get_triggerdef", &[OID, BOOL], 1),
        ("pg_get_statisticsobjdef", &[OID], 0),
        ("pg_get_statisticsobjdef_columns", &[OID], 0),
        ("pg_get_functiondef", &[OID], 0),
        ("pg_get_function_sqlbody", &[OID], 0),
        ("pg_get_serial_sequence", &[TEXT, TEXT], 0),
    ];
    let absent = absent.into_iter().map(|(name, arguments, optional)| {
        let none = |_: &[ScalarValue]| Ok(ScalarValue::Utf8(None));
        Scalar::new(name, arguments, oid::TEXT, none)
            .optional(optional)
            .udf()
    });
    let mut functions: Vec<_> = absent.collect();
    // The tablespaces that there are lie where the server's own files do.
    let nowhere = |_: &[ScalarValue]| Ok(ScalarValue::from(""));
    functions.push(Scalar::new("pg_tablespace_location", &[OID], oid::TEXT, nowhere).udf());
    let empty = ScalarValue::new_list_nullable(&[], &DataType::UInt32);
    let none = move |_: &[ScalarValue]| Ok(ScalarValue::List(Arc::clone(&empty)));
    functions.push(Scalar::new(ANCESTORS_LIST, &[Argument::Object], OIDS, none).udf());
    let never: [(&str, &[Argument]); 2] = [
        ("pg_relation_is_publishable", &[Argument::Object]),
        ("pg_is_other_temp_schema", &[OID]),
    ];
    functions.extend(never.into_iter().map(|(name, arguments)| {
        let no = |_: &[ScalarValue]| Ok(ScalarValue::from(false));
        Scalar::new(name, arguments, oid::BOOL, no).udf()
    }));
    functions
}

/// Sizes: of tables, those of their files. Indexes there are none, and the gateway itself has no
/// space. NULL of what is not there, as in PostgreSQL.
/// <https://www.postgresql.org/docs/16/functions-admin.html#FUNCTIONS-ADMIN-DBSIZE>
fn sizes(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    let of_tables: [(&str, &[Argument], usize); 3] = [
        ("pg_table_size", &[Argument::Object], 0),
        ("pg_relation_size", &[Argument::Object, TEXT], 1),
        ("pg_total_relation_size", &[Argument::Object], 0),
    ];
    let of_tables = of_tables.into_iter().map(|(name, arguments, optional)| {
        let names = Arc::clone(names);
        let size = move |row: &[ScalarValue]| {
            // The other forks of a relation: fsm, vm and init.
            let is_main = row.get(1).is_none_or(|fork| text(fork) == "main");
            let bytes =
                names
                    .bytes_of(reg::relation(&names, &row[0])?)
                    .map(|bytes| match is_main {
                        true => i64::try_from(bytes).unwrap_or(i64::MAX),
                        false => 0,
                    });
            Ok(ScalarValue::Int64(bytes))
        };
        Scalar::new(name, arguments, oid::INT8, size)
            .optional(optional)
            .udf()
    });
    let of_others = ["pg_indexes_size", "pg_database_size", "pg_tablespace_size"];
    let of_others = of_others.into_iter().map(|name| {
        let none = |_: &[ScalarValue]| Ok(ScalarValue::Int64(Some(0)));
        Scalar::new(name, &[Argument::Object], oid::INT8, none).udf()
    });
    of_tables.chain(of_others).collect()
}

fn encodings() -> Vec<Arc<ScalarUDF>> {
    let to_char = |row: &[ScalarValue]| {
        let name = match number(&row[0]) {
            0 => "SQL_ASCII",
            6 => "UTF8",
            _ => "",
        };
        Ok(ScalarValue::from(name))
    };
    let to_number = |row: &[ScalarValue]| {
        let number = match text(&row[0]).to_uppercase().as_str() {
            "SQL_ASCII" => 0,
            "UTF8" | "UTF-8" | "UNICODE" => 6,
            _ => -1,
        };
        Ok(ScalarValue::Int32(Some(number)))
    };
    vec![
        Scalar::new("pg_encoding_to_char", &[INT4], oid::NAME, to_char).udf(),
        Scalar::new("pg_char_to_encoding", &[TEXT], oid::INT4, to_number).udf(),
    ]
}
