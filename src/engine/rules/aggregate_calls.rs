//! Refuses aggregates that DataFusion would compute as others than they are.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use crate::error::{Error, ErrorKind};

/// Checks the aggregates of a plan.
///
/// # Errors
/// One of them is of the rows around a subquery, or of values that its function does not take here.
pub(in crate::engine) fn check(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Aggregate(aggregate) = node {
            for call in &aggregate.aggr_expr {
                check_call(call, aggregate.input.schema())?;
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(plan)
}

fn check_call(call: &Expr, schema: &DFSchema) -> Result<()> {
    // An aggregate of nothing but columns of the rows around its query is one of the query around, says
    // chapter 4.2.7 of PostgreSQL's manual.
    if call.contains_outer() && !call.any_column_refs() {
        return Err(unsupported(
            "an aggregate of the rows around a subquery is not supported inside of it",
        ));
    }
    call.apply(|inner| {
        if let Expr::AggregateFunction(AggregateFunction { func, params }) = inner
            && func.name() == "string_agg"
            && let Some(first) = params.args.first()
            && is_bytes(&first.get_type(schema)?)
        {
            return Err(unsupported("string_agg of type bytea is not supported"));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}

fn unsupported(message: &str) -> DataFusionError {
    let error = Error::new(ErrorKind::FeatureNotSupported, message.to_owned());
    DataFusionError::External(Box::new(error))
}
