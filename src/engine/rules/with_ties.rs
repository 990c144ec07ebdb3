//! `FETCH FIRST n ROWS WITH TIES`: the rows whose rank in the order is at most n.
//! <https://www.postgresql.org/docs/16/sql-select.html#SQL-LIMIT>
//!
//! The statement's tree has a call in the place of n (`rules::fetch`), which is found here again where
//! the order has become part of the plan.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DataFusionError, Result};
use datafusion::functions_window::rank::rank;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, Limit, LogicalPlan, LogicalPlanBuilder, Projection, Sort, cast,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

use crate::error::Error;
use crate::functions::WITH_TIES;

/// The rank of a row. SQL text holds no such name.
const RANK: &str = "\u{1}rank";

/// Runs before types are fitted.
#[derive(Debug)]
pub(super) struct WithTies;

impl AnalyzerRule for WithTies {
    fn name(&self) -> &'static str {
        "postgres_with_ties"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Limit(limit) => match n_rows(&limit) {
                Some(n_rows) => Ok(Transformed::yes(ranked(&limit, n_rows)?)),
                None => Ok(Transformed::no(LogicalPlan::Limit(limit))),
            },
            other => Ok(Transformed::no(other)),
        })?;
        Ok(rewritten.data)
    }
}

/// How many rows are asked for with those that tie with the last; `None` where ties do not count.
fn n_rows(limit: &Limit) -> Option<Expr> {
    match limit.fetch.as_deref() {
        Some(Expr::ScalarFunction(call)) if call.func.name() == WITH_TIES => {
            call.args.first().cloned()
        }
        _ => None,
    }
}

fn ranked(limit: &Limit, n_rows: Expr) -> Result<LogicalPlan> {
    let (sort, above) = match limit.input.as_ref() {
        LogicalPlan::Sort(sort) => (sort, None),
        // What orders the rows need not be among their columns.
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Sort(sort) => (sort, Some(projection)),
            _ => return Err(refused()),
        },
        _ => return Err(refused()),
    };
    let sorted = Arc::new(LogicalPlan::Sort(Sort {
        expr: sort.expr.clone(),
        input: Arc::new(up_to(sort, n_rows, limit.skip.as_deref())?),
        fetch: None,
    }));
    let input = match above {
        None => sorted,
        Some(above) => {
            let projection = Projection::try_new(above.expr.clone(), sorted)?;
            Arc::new(LogicalPlan::Projection(projection))
        }
    };
    Ok(LogicalPlan::Limit(Limit {
        skip: limit.skip.clone(),
        fetch: None,
        input,
    }))
}

/// The rows below a sort whose rank is at most that of the last row that is asked for. NULL asks for
/// all of them.
fn up_to(sort: &Sort, n_rows: Expr, skip: Option<&Expr>) -> Result<LogicalPlan> {
    let columns = sort.input.schema().columns().into_iter().map(Expr::Column);
    let columns: Vec<Expr> = columns.collect();
    let own = rank().order_by(sort.expr.clone()).build()?.alias(RANK);
    let n_rows = cast(n_rows, DataType::Int64);
    let last = match skip {
        None => n_rows.clone(),
        Some(skip) => n_rows.clone() + cast(skip.clone(), DataType::Int64),
    };
    let rank = cast(Expr::Column(Column::from_name(RANK)), DataType::Int64);
    let is_wanted = n_rows.is_null().is_true().or(rank.lt_eq(last).is_true());
    LogicalPlanBuilder::from(sort.input.as_ref().clone())
        .window(vec![own])?
        .filter(is_wanted)?
        .project(columns)?
        .build()
}

fn refused() -> DataFusionError {
    let error = Error::unsupported("FETCH ... WITH TIES of this query");
    DataFusionError::External(Box::new(error))
}
