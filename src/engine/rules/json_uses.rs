//! Lets JSON be used only where PostgreSQL has a meaning for it: to DataFusion it is text or a
//! structure, which it would compare, order and cast as such.

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Distinct, Expr, ExprSchemable, LogicalPlan};

use crate::error::{Error, ErrorKind};
use crate::functions::json::{self, Flavour, Operation};
use crate::types::{self, TYPE_KEY};

/// Checks a plan, and makes casts of JSON what PostgreSQL's are. DataFusion's would keep the name
/// of the type, so that this comes before anything asks for the columns of the plan.
///
/// # Errors
/// A use of JSON that PostgreSQL refuses, or that would be answered otherwise.
pub(in crate::engine) fn check(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut changed = false;
    plan.transform_up_with_subqueries(|plan| {
        let rewritten = rewrite_plan(plan)?;
        changed |= rewritten.transformed;
        match changed {
            true => rewritten.map_data(LogicalPlan::recompute_schema),
            false => Ok(rewritten),
        }
    })
    .map(|transformed| transformed.data)
}

fn rewrite_plan(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if matches!(plan, LogicalPlan::TableScan(_)) {
        return Ok(Transformed::no(plan));
    }
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    let rewritten = plan.map_expressions(|expression| {
        let name = names.save(&expression);
        let rewritten = expression.transform_up(|inner| rewrite(inner, &schema))?;
        Ok(rewritten.update_data(|expression| name.restore(expression)))
    })?;
    check_plan(&rewritten.data, &schema)?;
    Ok(rewritten)
}

/// What a value of JSON is, and whether only its field says so.
struct Json {
    flavour: Flavour,
    marked: bool,
}

fn json_of(expression: &Expr, schema: &DFSchema) -> Option<Json> {
    // Outer references of a correlated subquery bring their fields with them.
    let (_, field) = expression.to_field(schema).ok()?;
    Some(Json {
        flavour: json::flavour(&field)?,
        marked: field.metadata().contains_key(TYPE_KEY),
    })
}

/// Rows that are ordered, grouped or made distinct by JSON.
fn check_plan(plan: &LogicalPlan, schema: &DFSchema) -> Result<()> {
    let (keys, operator): (Vec<Expr>, &str) = match plan {
        LogicalPlan::Sort(sort) => {
            let keys = sort.expr.iter().map(|key| key.expr.clone());
            (keys.collect(), "an ordering operator")
        }
        LogicalPlan::Aggregate(aggregate) => (aggregate.group_expr.clone(), "an equality operator"),
        LogicalPlan::Distinct(Distinct::On(distinct)) => {
            (distinct.on_expr.clone(), "an equality operator")
        }
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let fields = input.schema().fields().iter();
            let found = fields.filter_map(|field| json::flavour(field)).next();
            return match found {
                Some(flavour) => Err(no_operator(flavour, "an equality operator")),
                None => Ok(()),
            };
        }
        LogicalPlan::Join(join) => {
            let pairs = join.on.iter();
            let keys = pairs.flat_map(|(left, right)| [left.clone(), right.clone()]);
            (keys.collect(), "an equality operator")
        }
        _ => return Ok(()),
    };
    match keys.iter().find_map(|key| json_of(key, schema)) {
        Some(json) => Err(no_operator(json.flavour, operator)),
        None => Ok(()),
    }
}

fn no_operator(flavour: Flavour, operator: &str) -> DataFusionError {
    external(match flavour {
        Flavour::Json => {
            let message = format!("could not identify {operator} for type json");
            Error::new(ErrorKind::UndefinedFunction, message)
        }
        Flavour::Jsonb => unordered(),
    })
}

/// jsonb has an order of its own, which is not that of its texts.
fn unordered() -> Error {
    Error::unsupported("comparing values of type jsonb")
        .with_hint("Compare what ->> gives, or a cast to text.")
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn rewrite(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    check_arrays(&expression, schema)?;
    match expression {
        Expr::Cast(Cast { expr, field }) => match cast(&expr, &field, schema)? {
            Some(rewritten) => Ok(Transformed::yes(rewritten)),
            None => Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
        },
        other => {
            if let Some(operation) = retyped(&other, schema) {
                return Ok(Transformed::yes(
                    json::function(operation).call(vec![other]),
                ));
            }
            check_expression(&other, schema).map_err(external)?;
            Ok(Transformed::no(other))
        }
    }
}

fn check_expression(expression: &Expr, schema: &DFSchema) -> crate::error::Result<()> {
    let operands: Vec<&Expr> = match expression {
        Expr::BinaryExpr(binary) => vec![&binary.left, &binary.right],
        Expr::Like(like) | Expr::SimilarTo(like) => vec![&like.expr, &like.pattern],
        Expr::Between(between) => vec![&between.expr, &between.low, &between.high],
        Expr::InList(in_list) => in_list.list.iter().chain([&*in_list.expr]).collect(),
        Expr::InSubquery(in_subquery) => vec![&in_subquery.expr],
        Expr::SetComparison(comparison) => vec![&comparison.expr],
        Expr::TryCast(TryCast { expr, .. }) | Expr::Not(expr) | Expr::Negative(expr) => vec![expr],
        Expr::Case(case) => return check_case(case, schema),
        Expr::ScalarFunction(call) => return check_function(call, schema),
        Expr::AggregateFunction(call) if call.func.name() != "count" || call.params.distinct => {
            return check_aggregate(call.func.name(), &call.params.args, schema);
        }
        Expr::WindowFunction(call) => {
            let keys = call.params.order_by.iter().map(|key| &key.expr);
            let keys = keys.chain(&call.params.partition_by);
            let arguments = keys.chain(&call.params.args).cloned().collect::<Vec<_>>();
            return check_aggregate(call.fun.name(), &arguments, schema);
        }
        _ => return Ok(()),
    };
    for operand in operands {
        match json_of(operand, schema).map(|json| json.flavour) {
            Some(Flavour::Json) => {
                let message = match expression {
                    Expr::BinaryExpr(binary) => format!(
                        "operator does not exist: {} {} {}",
                        type_name(&binary.left, schema),
                        binary.op,
                        type_name(&binary.right, schema)
                    ),
                    _ => "operator does not exist for type json".to_owned(),
                };
                return Err(Error::new(ErrorKind::UndefinedFunction, message)
                    .with_hint("Compare what ->> gives, or a cast to text."));
            }
            Some(Flavour::Jsonb) => return Err(unordered()),
            None => {}
        }
    }
    Ok(())
}

fn type_name(expression: &Expr, schema: &DFSchema) -> String {
    if matches!(expression, Expr::Literal(value, None) if value.is_null() || value.data_type() == DataType::Utf8)
    {
        return "unknown".to_owned();
    }
    let field = expression.to_field(schema).map(|(_, field)| field);
    let of = field.map(|field| types::of_field(&field).oid);
    of.ok()
        .and_then(|oid| types::format_type(oid, -1))
        .unwrap_or_default()
}

/// The type of a branch would be forgotten where the others have another. Nested values are of their
/// type anyway.
fn check_case(
    case: &datafusion::logical_expr::Case,
    schema: &DFSchema,
) -> crate::error::Result<()> {
    let compared = case.expr.iter().map(|expression| expression.as_ref());
    let branches = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
    let otherwise = case.else_expr.iter().map(|expression| expression.as_ref());
    let mut values = compared.chain(branches).chain(otherwise);
    match values.any(|value| json_of(value, schema).is_some_and(|json| json.marked)) {
        true => Err(Error::unsupported("CASE of values of type json or jsonb")
            .with_hint("Take what ->> gives, or a cast to text.")),
        false => Ok(()),
    }
}

/// An array of JSON can be shown: what is done with it would forget what its elements are.
fn check_arrays(expression: &Expr, schema: &DFSchema) -> Result<()> {
    let keeps = match expression {
        Expr::Alias(_) | Expr::IsNull(_) | Expr::IsNotNull(_) => true,
        Expr::ScalarFunction(call) => call.func.name() == TYPE_OF,
        Expr::Cast(Cast { expr, field }) => {
            let of = expr
                .to_field(schema)
                .map(|(_, of)| types::of_field(&of).oid);
            let is_text =
                json::is_text(field.data_type()) && !field.metadata().contains_key(TYPE_KEY);
            is_text || of.is_ok_and(|of| of == types::of_field(field).oid)
        }
        _ => false,
    };
    if keeps {
        return Ok(());
    }
    let arrays = [Flavour::Json, Flavour::Jsonb].map(|flavour| types::array_of(flavour.oid()));
    expression.apply_children(|child| {
        // The cast of one to text bears the name of its type still, and is no array.
        let is_array = |field: &Field| {
            matches!(field.data_type(), DataType::List(_))
                && arrays.contains(&Some(types::of_field(field).oid))
        };
        match child.to_field(schema) {
            Ok((_, field)) if is_array(&field) => {
                let what = "an operation on an array of json or jsonb";
                Err(external(Error::unsupported(what)))
            }
            _ => Ok(TreeNodeRecursion::Continue),
        }
    })?;
    Ok(())
}

/// What gives the type of JSON back to an expression over values of one such type, and NULLs:
/// an array of them is json[], a CASE or coalesce is json.
fn retyped(expression: &Expr, schema: &DFSchema) -> Option<Operation> {
    let (values, is_array): (Vec<&Expr>, bool) = match expression {
        Expr::Case(case) if case.expr.is_none() => {
            let branches = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            let otherwise = case.else_expr.iter().map(AsRef::as_ref);
            (branches.chain(otherwise).collect(), false)
        }
        Expr::ScalarFunction(call) => match call.func.name() {
            "coalesce" => (call.args.iter().collect(), false),
            "make_array" => (call.args.iter().collect(), true),
            _ => return None,
        },
        _ => return None,
    };
    let mut flavour = None;
    for value in values {
        if matches!(value, Expr::Literal(value, _) if value.is_null()) {
            continue;
        }
        let json = json_of(value, schema).filter(|json| json.marked)?;
        if !is_text_field(value, schema) || flavour.is_some_and(|known| known != json.flavour) {
            return None;
        }
        flavour = Some(json.flavour);
    }
    Some(match is_array {
        true => Operation::List(flavour?),
        false => Operation::Row(Some(flavour?)),
    })
}

fn is_text_field(expression: &Expr, schema: &DFSchema) -> bool {
    let field = expression.to_field(schema);
    field.is_ok_and(|(_, field)| json::is_text(field.data_type()))
}

/// Functions that take nested values and leave what is in them as it is.
const ON_NESTED: [&str; 4] = ["get_field", "array_element", "map_extract", "unnest"];

/// The function that asks for a type, and not for a value.
const TYPE_OF: &str = "pg_typeof";

fn check_function(
    call: &datafusion::logical_expr::expr::ScalarFunction,
    schema: &DFSchema,
) -> crate::error::Result<()> {
    let takes_all = json::takes_json(&call.func) || json::builds_json(&call.func);
    if takes_all || call.func.name() == TYPE_OF || ON_NESTED.contains(&call.func.name()) {
        return Ok(());
    }
    let name = call.func.name();
    if name == "coalesce" {
        let mut arguments = call.args.iter();
        let marked = |argument: &Expr| json_of(argument, schema).is_some_and(|json| json.marked);
        return match arguments.any(marked) {
            true => Err(
                Error::unsupported("coalesce of values of type json or jsonb")
                    .with_hint("Take what ->> gives, or a cast to text."),
            ),
            false => Ok(()),
        };
    }
    check_aggregate(name, &call.args, schema)
}

fn check_aggregate(name: &str, arguments: &[Expr], schema: &DFSchema) -> crate::error::Result<()> {
    let json = arguments
        .iter()
        .find_map(|argument| json_of(argument, schema).filter(|json| json.marked));
    let Some(json) = json else {
        return Ok(());
    };
    let of = match json.flavour {
        Flavour::Json => "json",
        Flavour::Jsonb => "jsonb",
    };
    Err(Error::unsupported(format!("{name}() of type {of}")))
}

/// A cast of JSON to another type; `None` for casts of other values.
fn cast(expression: &Expr, to: &Field, schema: &DFSchema) -> Result<Option<Expr>> {
    let Some(json) = json_of(expression, schema) else {
        return Ok(None);
    };
    let of_to = types::of_field(to).oid;
    if json::is_text(to.data_type()) {
        // What is JSON already, and asked for as text: a name or another kind of text is cut.
        if types::oid::TEXT != of_to && types::oid::VARCHAR != of_to {
            return Err(external(Error::unsupported("a cast of json to this type")));
        }
        return Ok(Some(
            json::function(Operation::Plain).call(vec![expression.clone()]),
        ));
    }
    let (_, field) = expression.to_field(schema)?;
    let scalar = matches!(
        to.data_type(),
        DataType::Boolean
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(..)
    );
    match json.flavour {
        Flavour::Jsonb if *to.data_type() == DataType::Decimal128(38, 10) => Err(external(
            Error::unsupported("a cast of jsonb to numeric without precision")
                .with_hint("Name precision and scale, as in numeric(20,4)."),
        )),
        Flavour::Jsonb if scalar => {
            let operation = Operation::Scalar(to.data_type().clone());
            Ok(Some(
                json::function(operation).call(vec![expression.clone()]),
            ))
        }
        _ => {
            let name = types::format_type(of_to, -1).unwrap_or_default();
            Err(external(json::cannot_cast(&field, &name)))
        }
    }
}
