//! A scalar subquery of its own rows fails in PostgreSQL's words where it has more than one.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::numbers::rewrite_expressions;
use super::schemas::told_anew;
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
            Expr::ScalarSubquery(subquery) if needs_one(&subquery) => {
                let subquery = Subquery {
                    subquery: Arc::new(single(&subquery.subquery)?),
                    ..subquery
                };
                Ok(Transformed::yes(Expr::ScalarSubquery(subquery)))
            }
            other => Ok(Transformed::no(other)),
        };
        let rewritten =
            plan.transform_up_with_subqueries(|plan| rewrite_expressions(plan, &rewrite))?;
        told_anew(rewritten)
    }
}

/// Whether a subquery of its own rows may have more rows than one, or none where its column is never
/// null: without a row it is NULL.
fn needs_one(subquery: &Subquery) -> bool {
    let plan = &subquery.subquery;
    let has_more = plan.max_rows().is_none_or(|n_rows| n_rows > 1);
    let is_nullable = plan.schema().field(0).is_nullable();
    subquery.outer_ref_columns.is_empty() && (has_more || !(is_nullable || has_one_row(plan)))
}

/// Whether a plan has exactly one row, whatever it reads.
fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => has_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => has_one_row(&alias.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        _ => false,
    }
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
