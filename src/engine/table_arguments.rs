//! Arguments of table functions: DataFusion takes literals alone, PostgreSQL whatever has a value.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

/// The arguments as literals, where they depend on nothing but constants and the session, and
/// whether all of them are integers of four bytes or less: then so is what `generate_series` gives.
pub(super) fn folded(arguments: Vec<Expr>, state: &SessionState) -> Result<(Vec<Expr>, bool)> {
    let mut are_narrow = true;
    let arguments: Result<Vec<Expr>> = arguments
        .into_iter()
        .map(|argument| {
            if let Expr::Literal(value, _) = &argument {
                are_narrow &= is_narrow_literal(value);
                return Ok(argument);
            }
            let value = value_of(argument, state)?;
            are_narrow &= is_narrow_value(&value);
            widened(value)
        })
        .collect();
    Ok((arguments?, are_narrow))
}

/// The value of an expression as a literal; the expression itself if it has none before it runs.
fn value_of(argument: Expr, state: &SessionState) -> Result<Expr> {
    if argument.exists(|inner| Ok(waits_for_rows(inner)))? {
        return Ok(argument);
    }
    let schema = Arc::new(DFSchema::empty());
    let context = SimplifyContext::builder()
        .with_config_options(Arc::clone(state.config_options()))
        .with_schema(Arc::clone(&schema))
        .build();
    let simplifier = ExprSimplifier::new(context);
    simplifier.simplify(simplifier.coerce(argument, &schema)?)
}

fn waits_for_rows(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Column(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::Placeholder(_)
            | Expr::ScalarSubquery(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
    )
}

/// A number in the text is an integer if it fits one, as in PostgreSQL's lexer.
fn is_narrow_literal(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Int64(Some(value)) => i32::try_from(*value).is_ok(),
        ScalarValue::Int32(_) => true,
        _ => false,
    }
}

fn is_narrow_value(value: &Expr) -> bool {
    matches!(
        value,
        Expr::Literal(ScalarValue::Int16(_) | ScalarValue::Int32(_), _)
    )
}

/// Integers in the one width that DataFusion's `generate_series` takes.
fn widened(value: Expr) -> Result<Expr> {
    match value {
        Expr::Literal(value, metadata) if value.data_type().is_integer() => {
            let wide = value.cast_to(&DataType::Int64)?;
            Ok(Expr::Literal(wide, metadata))
        }
        other => Ok(other),
    }
}
