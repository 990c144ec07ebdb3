//! Whether a plan's rows depend on the session's time zone, or on its styles of output.
//!
//! Stored rows were made with PostgreSQL's defaults. Of a plan that looks into no instant and writes no
//! value as text they are right for every session; what is not known to do neither, may.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as DataFusionResult};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

/// The aggregates that take an instant for what it is.
const OF_ANY_TYPE: &[&str] = &["array_agg", "bool_and", "bool_or", "count", "max", "min"];

/// Whether the rows of an analyzed plan may be others in another session. `is_of_style` tells of
/// functions whether they are.
pub(super) fn depends_on_style(
    plan: &LogicalPlan,
    is_of_style: &dyn Fn(&str) -> bool,
) -> DataFusionResult<bool> {
    let mut depends = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(below) = scan.source.get_logical_plan()
        {
            depends |= depends_on_style(&below, is_of_style)?;
        }
        let schema = merge_schema(&node.inputs());
        node.apply_expressions(|expression| {
            expression.apply(|inner| {
                depends |= may_depend(inner, &schema, is_of_style);
                Ok(next(depends))
            })
        })?;
        Ok(next(depends))
    })?;
    Ok(depends)
}

fn next(depends: bool) -> TreeNodeRecursion {
    match depends {
        true => TreeNodeRecursion::Stop,
        false => TreeNodeRecursion::Continue,
    }
}

/// Whether an expression itself, not those in it, may give something else in another session.
fn may_depend(expression: &Expr, schema: &DFSchema, is_of_style: &dyn Fn(&str) -> bool) -> bool {
    match expression {
        Expr::Column(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::Alias(_)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::Case(_)
        | Expr::Exists(_)
        | Expr::ScalarSubquery(_) => false,
        // A text was read as an instant in the zone in which it was planned.
        Expr::Literal(value, _) => holds_instants(&value.data_type()),
        Expr::BinaryExpr(binary) if binary.op.is_logic_operator() => false,
        Expr::BinaryExpr(binary) if binary.op.supports_propagation() => {
            // An instant beside something else is compared in the session's zone.
            is_mixed(expression, schema)
        }
        Expr::Between(_) | Expr::InList(_) | Expr::InSubquery(_) => is_mixed(expression, schema),
        Expr::AggregateFunction(call) if OF_ANY_TYPE.contains(&call.func.name()) => false,
        Expr::ScalarFunction(call) => is_of_style(call.name()) || has_instant(expression, schema),
        Expr::AggregateFunction(call) => {
            is_of_style(call.func.name()) || has_instant(expression, schema)
        }
        _ => has_instant(expression, schema),
    }
}

/// Whether it is, or takes, an instant.
fn has_instant(expression: &Expr, schema: &DFSchema) -> bool {
    is_instant(expression, schema) != Some(false)
        || taken(expression, schema)
            .iter()
            .any(|of| *of != Some(false))
}

/// Whether it takes an instant and something else.
fn is_mixed(expression: &Expr, schema: &DFSchema) -> bool {
    let taken = taken(expression, schema);
    taken.contains(&None) || taken.iter().any(|of| *of != taken[0])
}

/// Of what an expression takes, whether each is an instant; `None` where that is not known.
fn taken(expression: &Expr, schema: &DFSchema) -> Vec<Option<bool>> {
    let mut taken = Vec::new();
    let walked = expression.apply_children(|child| {
        taken.push(is_instant(child, schema));
        Ok(TreeNodeRecursion::Continue)
    });
    if walked.is_err() {
        taken.push(None);
    }
    taken
}

fn is_instant(expression: &Expr, schema: &DFSchema) -> Option<bool> {
    let data_type = expression.get_type(schema).ok()?;
    Some(holds_instants(&data_type))
}

fn holds_instants(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(_, zone) => zone.is_some(),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::FixedSizeList(element, _) => holds_instants(element.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| holds_instants(field.data_type())),
        DataType::Dictionary(_, value) => holds_instants(value),
        _ => false,
    }
}
