//! Plans `->`, `->>`, `#>` and `#>>`: functions on JSON texts, plain accesses to fields and elements
//! on nested columns of the lake.
//! <https://www.postgresql.org/docs/16/functions-json.html>

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::functions::core::get_field;
use datafusion::functions_nested::extract::array_element_udf;
use datafusion::functions_nested::map_extract::map_extract_udf;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, cast, lit};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::json_paths::{self, Path};
use crate::error::{Error, ErrorKind};
use crate::functions::json::{self, Flavour, Operation};
use crate::types::{self, TYPE_KEY};

#[derive(Debug)]
pub(super) struct JsonOperators;

/// One of the four operators.
#[derive(Clone, Copy)]
struct Operator {
    symbol: &'static str,
    follows_path: bool,
    as_text: bool,
}

impl Operator {
    fn of(operator: &BinaryOperator) -> Option<Self> {
        let (symbol, follows_path, as_text) = match operator {
            BinaryOperator::Arrow => ("->", false, false),
            BinaryOperator::LongArrow => ("->>", false, true),
            BinaryOperator::HashArrow => ("#>", true, false),
            BinaryOperator::HashLongArrow => ("#>>", true, true),
            _ => return None,
        };
        Some(Self {
            symbol,
            follows_path,
            as_text,
        })
    }

    fn undefined(self, left: &Operand, right: &Operand) -> Error {
        let (left, right) = (left.type_name(), right.type_name());
        if left == "unknown" {
            let message = format!("operator is not unique: {left} {} {right}", self.symbol);
            let hint = "Could not choose a best candidate operator. \
                        You might need to add explicit type casts.";
            return Error::new(ErrorKind::AmbiguousFunction, message).with_hint(hint);
        }
        let message = format!("operator does not exist: {left} {} {right}", self.symbol);
        let hint = "No operator matches the given name and argument types. \
                    You might need to add explicit type casts.";
        Error::new(ErrorKind::UndefinedFunction, message).with_hint(hint)
    }
}

/// An operand and what it is.
struct Operand {
    expression: Expr,
    field: FieldRef,
}

impl Operand {
    fn new(expression: Expr, schema: &DFSchema) -> Result<Self> {
        let (_, field) = expression.to_field(schema)?;
        Ok(Self { expression, field })
    }

    fn type_name(&self) -> String {
        match &self.expression {
            Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Null, _) | Expr::Placeholder(_)
                if !self.field.metadata().contains_key(TYPE_KEY) =>
            {
                "unknown".to_owned()
            }
            _ => {
                let of = types::of_field(&self.field);
                types::format_type(of.oid, -1).unwrap_or_default()
            }
        }
    }
}

impl ExprPlanner for JsonOperators {
    fn plan_binary_op(
        &self,
        raw: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let Some(operator) = Operator::of(&raw.op) else {
            return Ok(PlannerResult::Original(raw));
        };
        let left = Operand::new(raw.left, schema)?;
        let right = Operand::new(raw.right, schema)?;
        let Some(flavour) = json::flavour(&left.field) else {
            return Err(external(operator.undefined(&left, &right)));
        };
        let Some(path) = path(operator, &right).map_err(external)? else {
            return Err(external(operator.undefined(&left, &right)));
        };
        let planned = match (within(&left), path) {
            (Some(nested), Path::Constant(parts)) => {
                let mut value = Some(nested);
                for part in &parts {
                    value = match value {
                        Some(value) => json_paths::step(value, part, schema, &ACCESSES)?,
                        None => None,
                    };
                }
                of_nested(value, operator, schema)?
            }
            (_, path) => {
                let operation = operation(operator, flavour);
                let path = path.expression(operator.follows_path);
                json::function(operation).call(vec![left.expression, path])
            }
        };
        Ok(PlannerResult::Planned(planned))
    }
}

/// DataFusion's functions on nested values.
const ACCESSES: json_paths::Accesses = json_paths::Accesses {
    field: |value, name| get_field().call(vec![value, lit(name)]),
    element: |value, place| array_element_udf().call(vec![value, lit(place)]),
    entry: |value, key| {
        let values = map_extract_udf().call(vec![value, lit(key)]);
        array_element_udf().call(vec![values, lit(1_i64)])
    },
};

fn operation(operator: Operator, flavour: Flavour) -> Operation {
    match (operator.follows_path, operator.as_text) {
        (false, false) => Operation::Get(flavour),
        (false, true) => Operation::GetText,
        (true, false) => Operation::Path(flavour),
        (true, true) => Operation::PathText,
    }
}

/// What a part of a nested value is to the outside: a value of type json, or its text.
fn of_nested(value: Option<Expr>, operator: Operator, schema: &DFSchema) -> Result<Expr> {
    let Some(value) = value else {
        let null = lit(ScalarValue::Utf8(None));
        return Ok(match operator.as_text {
            true => cast(null, DataType::Utf8),
            false => json::function(Operation::Value).call(vec![null]),
        });
    };
    let operation = match operator.as_text {
        // Left as it is, a comparison with it reaches the files' statistics.
        true if json::is_text(&value.get_type(schema)?) => return Ok(value),
        true => Operation::Text,
        false => Operation::Value,
    };
    Ok(json::function(operation).call(vec![value]))
}

/// The nested value that an operand is, or stands for.
fn within(operand: &Operand) -> Option<Expr> {
    if let Expr::ScalarFunction(call) = &operand.expression
        && call.func.name() == json::VALUE
    {
        return call.args.first().cloned();
    }
    let nested = operand.field.data_type().is_nested();
    nested.then(|| operand.expression.clone())
}

/// Where the right operand leads; `None` if it is of a type that the operator does not take.
fn path(operator: Operator, right: &Operand) -> Result<Option<Path>, Error> {
    if operator.follows_path {
        return json_paths::of_array(&right.expression, &right.field);
    }
    let plain = !right.field.metadata().contains_key(TYPE_KEY);
    Ok(match right.field.data_type() {
        DataType::Int16 | DataType::Int32 => Some(json_paths::of_index(&right.expression)),
        DataType::Null => Some(json_paths::of_key(&right.expression)),
        other if json::is_text(other) && (plain || is_name(&right.field)) => {
            Some(json_paths::of_key(&right.expression))
        }
        _ => None,
    })
}

fn is_name(field: &Field) -> bool {
    types::of_field(field).oid == types::oid::NAME
}

fn external(error: Error) -> datafusion::common::DataFusionError {
    datafusion::common::DataFusionError::External(Box::new(error))
}
