//! `ORDER BY (SELECT ...)`: DataFusion plans subqueries in a select list, and none in an order. What the
//! order computes by them becomes a column of the list below it, where the row around them is known.

use std::collections::HashMap;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Sort, ident};

/// Begins the names of the columns; no name in SQL text holds a control character.
const KEY: &str = "\u{1}order";

/// Projects what the sorts of a plan compute by subqueries.
///
/// # Errors
/// DataFusion cannot build the plan.
pub(in crate::engine) fn projected(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Sort(sort) if sort.expr.iter().any(|key| asks(&key.expr)) => {
            below(sort).map(Transformed::yes)
        }
        other => Ok(Transformed::no(other)),
    })
    .map(|transformed| transformed.data)
}

/// Whether an expression has a subquery.
fn asks(expression: &Expr) -> bool {
    expression
        .exists(|inner| {
            Ok(matches!(
                inner,
                Expr::InSubquery(_)
                    | Expr::Exists(_)
                    | Expr::ScalarSubquery(_)
                    | Expr::SetComparison(_)
            ))
        })
        .unwrap_or(false)
}

fn below(sort: Sort) -> Result<LogicalPlan> {
    let columns = sort.input.schema().columns();
    let own: Vec<Expr> = columns.iter().cloned().map(Expr::Column).collect();
    let (mut shown, input) = match sort.input.as_ref() {
        LogicalPlan::Projection(list) => (list.expr.clone(), list.input.as_ref().clone()),
        other => (own.clone(), other.clone()),
    };
    // What a key names of the list, it computes.
    let computed: HashMap<&Column, Expr> = columns
        .iter()
        .zip(shown.iter().map(|item| item.clone().unalias()))
        .collect();
    let mut keys = sort.expr;
    let mut added = Vec::new();
    for (number, key) in keys.iter_mut().enumerate() {
        if !asks(&key.expr) {
            continue;
        }
        let name = format!("{KEY}{number}");
        let asked = std::mem::replace(&mut key.expr, ident(&name));
        let asked = asked.transform_up(|inner| {
            Ok(match &inner {
                Expr::Column(column) => match computed.get(column) {
                    Some(item) => Transformed::yes(item.clone()),
                    None => Transformed::no(inner),
                },
                _ => Transformed::no(inner),
            })
        })?;
        added.push(asked.data.alias(name));
    }
    shown.extend(added);
    LogicalPlanBuilder::from(input)
        .project(shown)?
        .sort_with_limit(keys, sort.fetch)?
        .project(own)?
        .build()
}
