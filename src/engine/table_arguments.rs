//! Arguments of table functions: DataFusion takes literals alone, PostgreSQL whatever has a value.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::Parameter;
use crate::error::{Error, ErrorKind};

/// The arguments with `$1`, `$2` ... replaced by their values. A statement that is only described has
/// none, and a NULL of their type gives the same columns.
pub(super) fn with_values(arguments: Vec<Expr>, values: &[Parameter]) -> Result<Vec<Expr>> {
    let with_values = |argument: Expr| {
        argument.transform(|inner| {
            let Expr::Placeholder(placeholder) = &inner else {
                return Ok(Transformed::no(inner));
            };
            let number = placeholder.id.strip_prefix('$');
            let number = number.and_then(|number| number.parse::<usize>().ok());
            let given = number.and_then(|number| values.get(number.checked_sub(1)?));
            let value = match (given, &placeholder.field) {
                (Some(parameter), _) => parameter.value.clone(),
                (None, Some(field)) => ScalarValue::try_from(field.data_type())?,
                (None, None) => ScalarValue::Null,
            };
            Ok(Transformed::yes(Expr::Literal(value, None)))
        })
    };
    let arguments = arguments.into_iter();
    arguments
        .map(|argument| Ok(with_values(argument)?.data))
        .collect()
}

/// The arguments as literals, where they depend on nothing but constants and the session, and
/// whether all of them are integers of four bytes or less: then so is what `generate_series` gives.
pub(super) fn folded(arguments: Vec<Expr>, state: &SessionState) -> Result<(Vec<Expr>, bool)> {
    let mut are_narrow = true;
    let arguments: Result<Vec<Expr>> = arguments
        .into_iter()
        .map(|argument| {
            if let Expr::Literal(value, _) = &argument {
                are_narrow &= is_narrow_literal(value);
                return widened(argument);
            }
            let value = value_of(argument, state)?;
            are_narrow &= is_narrow_value(&value);
            widened(value)
        })
        .collect();
    let arguments = arguments?;
    match arguments.get(2) {
        Some(Expr::Literal(ScalarValue::Int64(Some(0)), _)) => {
            let message = "step size cannot equal zero";
            let error = Error::new(ErrorKind::InvalidParameterValue, message);
            Err(DataFusionError::External(Box::new(error)))
        }
        _ => Ok((arguments, are_narrow)),
    }
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
        ScalarValue::Int16(_) | ScalarValue::Int32(_) | ScalarValue::Null => true,
        _ => false,
    }
}

fn is_narrow_value(value: &Expr) -> bool {
    matches!(
        value,
        Expr::Literal(
            ScalarValue::Int16(_) | ScalarValue::Int32(_) | ScalarValue::Null,
            _
        )
    )
}

/// Integers in the one width that DataFusion's `generate_series` takes.
fn widened(value: Expr) -> Result<Expr> {
    match value {
        Expr::Literal(value, metadata) if value.is_null() => {
            Ok(Expr::Literal(ScalarValue::Null, metadata))
        }
        Expr::Literal(value, metadata) if value.data_type().is_integer() => {
            let wide = value.cast_to(&DataType::Int64)?;
            Ok(Expr::Literal(wide, metadata))
        }
        other => Ok(other),
    }
}
