//! Functions of texts, which take nothing else in PostgreSQL: `length(42)` is an error there, and
//! DataFusion makes a text of the number.
//! <https://www.postgresql.org/docs/16/functions-string.html>

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::numbers::rewrite_expressions;
use crate::error::{Error, ErrorKind};
use crate::types;

/// The functions by DataFusion's names, their names here, and how many of their first arguments are
/// texts.
const FUNCTIONS: &[(&str, &str, usize)] = &[
    ("ascii", "ascii", 1),
    ("btrim", "btrim", 2),
    ("character_length", "length", 1),
    ("initcap", "initcap", 1),
    ("left", "left", 1),
    ("lower", "lower", 1),
    ("lpad", "lpad", 1),
    ("ltrim", "ltrim", 2),
    ("octet_length", "octet_length", 1),
    ("repeat", "repeat", 1),
    ("replace", "replace", 3),
    ("reverse", "reverse", 1),
    ("right", "right", 1),
    ("rpad", "rpad", 1),
    ("rtrim", "rtrim", 2),
    ("split_part", "split_part", 2),
    ("starts_with", "starts_with", 2),
    ("strpos", "strpos", 2),
    ("translate", "translate", 3),
    ("upper", "upper", 1),
];

/// Runs before type coercion.
#[derive(Debug)]
pub(super) struct TextArguments;

impl AnalyzerRule for TextArguments {
    fn name(&self) -> &'static str {
        "postgres_text_arguments"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| rewrite_expressions(plan, &checked))
            .map(|transformed| transformed.data)
    }
}

fn checked(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(call) = &expression else {
        return Ok(Transformed::no(expression));
    };
    let known = FUNCTIONS
        .iter()
        .find(|(known, ..)| *known == call.func.name());
    if let Some((_, name, n_texts)) = known {
        let mut texts = call.args.iter().take(*n_texts);
        if texts.any(|argument| is_no_text(argument, schema)) {
            return Err(undefined(name, &call.args, schema));
        }
    }
    Ok(Transformed::no(expression))
}

/// Whether a value has a type that no implicit cast makes text. Outer references of a correlated
/// subquery have no type here.
fn is_no_text(argument: &Expr, schema: &DFSchema) -> bool {
    argument.get_type(schema).is_ok_and(|of| {
        of.is_numeric()
            || matches!(
                of,
                DataType::Boolean
                    | DataType::Date32
                    | DataType::Time64(_)
                    | DataType::Timestamp(..)
                    | DataType::Interval(_)
            )
    })
}

/// As `ParseFuncOrColumn` in parse_func.c.
fn undefined(name: &str, arguments: &[Expr], schema: &DFSchema) -> DataFusionError {
    let names: Vec<String> = arguments
        .iter()
        .map(|argument| type_name(argument, schema))
        .collect();
    let message = format!("function {name}({}) does not exist", names.join(", "));
    let error = Error::new(ErrorKind::UndefinedFunction, message).with_hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    );
    DataFusionError::External(Box::new(error))
}

fn type_name(argument: &Expr, schema: &DFSchema) -> String {
    match argument {
        Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Null, _) => "unknown".to_owned(),
        // A number in the text is an integer if it fits one.
        Expr::Literal(ScalarValue::Int64(Some(number)), _) if i32::try_from(*number).is_ok() => {
            "integer".to_owned()
        }
        other => {
            let field = other.to_field(schema).map(|(_, field)| field);
            let name = field.map(|field| types::format_type(types::of_field(&field).oid, -1));
            name.ok().flatten().unwrap_or_else(|| "unknown".to_owned())
        }
    }
}
