//! A cast to a type that Arrow's does not tell can be NULL where what it casts can. DataFusion's plan
//! takes it so, but its execution asks the field that the cast names (`CastExpr::nullable` in
//! datafusion-physical-expr's cast.rs), and what groups its rows is refused where the two differ.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::numbers::rewrite_expressions;

/// Runs last: rules before it find out that what is cast is never NULL.
#[derive(Debug)]
pub(super) struct CastNulls;

impl OptimizerRule for CastNulls {
    fn name(&self) -> &'static str {
        "cast_nulls"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        rewrite_expressions(plan, &rewrite)
    }
}

fn rewrite(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::Cast(Cast { expr, field }) = expression else {
        return Ok(Transformed::no(expression));
    };
    let is_nullable = match field.metadata().is_empty() {
        // It is one by Arrow's type alone: it is asked of what it casts.
        true => field.is_nullable(),
        false => expr.nullable(schema)?,
    };
    if is_nullable == field.is_nullable() {
        return Ok(Transformed::no(Expr::Cast(Cast { expr, field })));
    }
    let field = Arc::new(field.as_ref().clone().with_nullable(is_nullable));
    Ok(Transformed::yes(Expr::Cast(Cast { expr, field })))
}
