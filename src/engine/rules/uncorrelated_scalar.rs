//! A scalar subquery of its own rows fails in PostgreSQL's words where it has more than one.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::numbers::rewrite_expressions;
use super::single_value::single_value;

/// The rule; it runs after types were coerced.
#[derive(Debug)]
pub(super) struct UncorrelatedScalar;

impl AnalyzerRule for UncorrelatedScalar {
    fn name(&self) -> &'static str {
        "uncorrelated_scalar"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewrite = |expression: Expr, _: &DFSchema| match expression {
            Expr::ScalarSubquery(subquery) if may_have_more(&subquery) => {
                let subquery = Subquery {
                    subquery: Arc::new(single(&subquery.subquery)?),
                    ..subquery
                };
                Ok(Transformed::yes(Expr::ScalarSubquery(subquery)))
            }
            other => Ok(Transformed::no(other)),
        };
        plan.transform_up_with_subqueries(|plan| rewrite_expressions(plan, &rewrite))
            .map(|transformed| transformed.data)
    }
}

fn may_have_more(subquery: &Subquery) -> bool {
    let has_one = subquery
        .subquery
        .max_rows()
        .is_some_and(|n_rows| n_rows <= 1);
    !has_one && subquery.outer_ref_columns.is_empty()
}

/// The one row of a plan of one column, under the column's name.
fn single(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let (table, field) = plan.schema().qualified_field(0);
    let value = Expr::Column(Column::new(table.cloned(), field.name()));
    let name = field.name().clone();
    let table = table.cloned();
    let one = LogicalPlanBuilder::from(plan.clone())
        .aggregate(Vec::<Expr>::new(), vec![single_value(value)])?
        .build()?;
    let (of_one, value) = one.schema().qualified_field(0);
    let value = Expr::Column(Column::new(of_one.cloned(), value.name()));
    let named = value.alias_qualified(table, name);
    LogicalPlanBuilder::from(one).project(vec![named])?.build()
}
