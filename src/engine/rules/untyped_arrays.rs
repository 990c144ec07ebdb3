//! `x = ANY ('{a,b}')` and `x <> ALL ($1)`: what has no type beside ANY and ALL is an array of the type that
//! it is compared with, as `make_scalar_array_op` in parse_oper.c has it.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::expr::{Cast, Placeholder};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::sql::sqlparser::ast::{self, Value};

use super::normalize::call;
use super::numbers::rewrite_expressions;
use crate::functions::{ELEMENTS_LIKE, array_like};

/// Marks the array of ANY and ALL that has no type: the planner knows that of the other operand.
pub(super) fn mark(left: &ast::Expr, right: &mut ast::Expr) {
    if is_untyped(right) {
        *right = call(ELEMENTS_LIKE, vec![left.clone(), right.clone()]);
    }
}

fn is_untyped(expression: &ast::Expr) -> bool {
    match expression {
        ast::Expr::Nested(inner) => is_untyped(inner),
        ast::Expr::Value(value) => matches!(
            value.value,
            Value::SingleQuotedString(_)
                | Value::EscapedStringLiteral(_)
                | Value::Placeholder(_)
                | Value::Null
        ),
        _ => false,
    }
}

/// Gives the marked arrays of a plan their types.
///
/// # Errors
/// There are no arrays of the type that one is compared with.
pub(in crate::engine) fn typed(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|plan| rewrite_expressions(plan, &typed_expression))
        .map(|transformed| transformed.data)
}

fn typed_expression(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(mut of) = expression else {
        return Ok(Transformed::no(expression));
    };
    if of.func.name() != ELEMENTS_LIKE {
        return Ok(Transformed::no(Expr::ScalarFunction(of)));
    }
    let elements = of.args.swap_remove(1);
    let (_, value) = of.args[0].to_field(schema)?;
    let field = array_like(&value).map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(Transformed::yes(match elements {
        Expr::Placeholder(Placeholder { id, field: None }) => {
            let field = Some(field);
            Expr::Placeholder(Placeholder { id, field })
        }
        // The client said what it is.
        Expr::Placeholder(declared) => Expr::Placeholder(declared),
        literal => Expr::Cast(Cast {
            expr: Box::new(literal),
            field,
        }),
    }))
}
