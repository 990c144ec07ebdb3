//! `VALUES` with subqueries in it, which DataFusion computes before the subqueries: as a select list,
//! which for several rows chooses by their number.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::logical_plan::Values;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::lookup::has_subquery;
use super::schemas::told_anew;

/// Names the number of a row.
const NUMBER: &str = "__row_of_values";

/// The rule; it runs before subqueries are rewritten where they stand.
#[derive(Debug)]
pub(super) struct ValuesSubqueries;

impl AnalyzerRule for ValuesSubqueries {
    fn name(&self) -> &'static str {
        "values_subqueries"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Values(values) if values.values.iter().flatten().any(has_subquery) => {
                selected(values).map(Transformed::yes)
            }
            other => Ok(Transformed::no(other)),
        })?;
        told_anew(rewritten)
    }
}

fn selected(values: Values) -> Result<LogicalPlan> {
    let Values { schema, values } = values;
    if let [row] = values.as_slice() {
        let row = named(row.clone(), &schema);
        return LogicalPlanBuilder::empty(true).project(row)?.build();
    }
    let numbers = (0_i64..).zip(&values).map(|(number, _)| vec![lit(number)]);
    let numbers = LogicalPlanBuilder::values(numbers.collect())?;
    let first = Expr::Column(Column::new_unqualified("column1"));
    let numbers = numbers.project([first.alias(NUMBER)])?;
    let number = || Box::new(Expr::Column(Column::new_unqualified(NUMBER)));
    let mut columns = Vec::with_capacity(schema.fields().len());
    for index in 0..schema.fields().len() {
        let cells = values.iter().map(|row| row[index].clone());
        let chosen = (0_i64..).zip(cells);
        let chosen = chosen.map(|(number, cell)| (Box::new(lit(number)), Box::new(cell)));
        let chosen = datafusion::logical_expr::Case::new(Some(number()), chosen.collect(), None);
        columns.push(Expr::Case(chosen));
    }
    numbers.project(named(columns, &schema))?.build()
}

/// Expressions under the names of a schema's columns.
fn named(expressions: Vec<Expr>, schema: &Arc<DFSchema>) -> Vec<Expr> {
    let names = schema.iter();
    let named = expressions.into_iter().zip(names);
    named
        .map(|(expression, (qualifier, field))| {
            expression.alias_qualified(qualifier.cloned(), field.name())
        })
        .collect()
}
