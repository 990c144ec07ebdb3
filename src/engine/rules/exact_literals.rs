//! What roots, logarithms and powers of literals of numeric are: numerics with digits of their own, known
//! before anything is typed. The functions themselves are double precision, whatever becomes of
//! their arguments later.

use std::cell::Cell;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::numbers::rewrite_expressions;
use crate::functions::exact_value;

/// Runs before types are fitted.
#[derive(Debug)]
pub(super) struct ExactLiterals;

impl AnalyzerRule for ExactLiterals {
    fn name(&self) -> &'static str {
        "postgres_exact_literals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_retyped = Cell::new(false);
        let rewrite = |expression: Expr, _: &DFSchema| {
            let rewritten = folded(expression)?;
            is_retyped.set(is_retyped.get() || rewritten.transformed);
            Ok(rewritten)
        };
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            // The columns of VALUES keep the types that they were planned with.
            if matches!(plan, LogicalPlan::Values(_)) {
                return Ok(Transformed::no(plan));
            }
            let plan = rewrite_expressions(plan, &rewrite)?;
            // Those above must learn what was found below.
            match is_retyped.get() {
                true => plan.data.recompute_schema().map(Transformed::yes),
                false => Ok(plan),
            }
        })?;
        Ok(rewritten.data)
    }
}

fn folded(expression: Expr) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(call) = &expression else {
        return Ok(Transformed::no(expression));
    };
    let Some(literals) = call.args.iter().map(literal).collect::<Option<Vec<_>>>() else {
        return Ok(Transformed::no(expression));
    };
    match exact_value(call.func.name(), &literals) {
        Ok(Some(value)) => Ok(Transformed::yes(Expr::Literal(value, None))),
        Ok(None) => Ok(Transformed::no(expression)),
        Err(error) => Err(DataFusionError::External(Box::new(error))),
    }
}

/// The value of a literal, be it an integer of a narrower type than the planner gives.
fn literal(argument: &Expr) -> Option<ScalarValue> {
    match argument {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Cast(Cast { expr, field }) if field.data_type().is_integer() => match expr.as_ref() {
            Expr::Literal(value, _) if value.data_type().is_integer() => {
                value.cast_to(field.data_type()).ok()
            }
            _ => None,
        },
        _ => None,
    }
}
