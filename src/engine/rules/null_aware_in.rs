//! `x IN (SELECT y ...)` is neither true nor false where a null stands in the way. DataFusion knows
//! that of an IN that is a whole condition of WHERE; inside of another expression it takes the
//! unknown for false, and `NOT` of it lets rows through that PostgreSQL holds back.
//!
//! There it becomes `CASE WHEN EXISTS (.. WHERE y = x) THEN true WHEN x IS NULL AND EXISTS (..) THEN
//! NULL WHEN EXISTS (.. WHERE y IS NULL) THEN NULL ELSE false END`.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::logical_plan::{Filter, Subquery};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, lit, when,
};
use datafusion::optimizer::AnalyzerRule;

/// The rule; it runs after types were coerced.
#[derive(Debug)]
pub(super) struct NullAwareIn;

impl AnalyzerRule for NullAwareIn {
    fn name(&self) -> &'static str {
        "null_aware_in"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Filter(filter) if has_in(&filter.predicate) => in_filter(filter),
            other => Ok(Transformed::no(other)),
        })?;
        Ok(rewritten.data)
    }
}

fn has_in(expression: &Expr) -> bool {
    let found = expression.exists(|inner| Ok(matches!(inner, Expr::InSubquery(_))));
    found.unwrap_or(false)
}

fn in_filter(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    let schema = filter.input.schema();
    let mut conditions = Vec::new();
    for condition in split_conjunction_owned(filter.predicate) {
        conditions.push(match is_whole(&condition) {
            true => condition,
            false => where_null_is_false(condition, schema)?,
        });
    }
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    let filter = Filter::try_new(predicate, Arc::clone(&filter.input))?;
    Ok(Transformed::yes(LogicalPlan::Filter(filter)))
}

/// Whether DataFusion makes a join of a condition that minds nulls.
fn is_whole(condition: &Expr) -> bool {
    match condition {
        Expr::Not(inner) => matches!(inner.as_ref(), Expr::InSubquery(_)),
        other => matches!(other, Expr::InSubquery(_)),
    }
}

/// A condition of which it does not matter whether it is false or null.
fn where_null_is_false(condition: Expr, schema: &DFSchema) -> Result<Expr> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if matches!(op, Operator::And | Operator::Or) =>
        {
            Ok(Expr::BinaryExpr(BinaryExpr {
                left: Box::new(where_null_is_false(*left, schema)?),
                op,
                right: Box::new(where_null_is_false(*right, schema)?),
            }))
        }
        Expr::InSubquery(within) if !within.negated => Ok(Expr::InSubquery(within)),
        other => {
            let exact = other.transform_up(|inner| match inner {
                Expr::InSubquery(within) => Ok(Transformed::yes(three_valued(within, schema)?)),
                inner => Ok(Transformed::no(inner)),
            });
            Ok(exact?.data)
        }
    }
}

/// An IN that is null where PostgreSQL's is.
fn three_valued(within: InSubquery, schema: &DFSchema) -> Result<Expr> {
    let InSubquery {
        expr: value,
        subquery,
        negated,
    } = within;
    let mut seen = subquery.outer_ref_columns.clone();
    let outer = value.as_ref().clone().transform_up(|inner| match inner {
        Expr::Column(column) => {
            let (_, field) = schema.qualified_field_from_column(&column)?;
            let column = Expr::OuterReferenceColumn(Arc::clone(field), column);
            seen.push(column.clone());
            Ok(Transformed::yes(column))
        }
        inner => Ok(Transformed::no(inner)),
    })?;
    let (qualifier, field) = subquery.subquery.schema().qualified_field(0);
    let own = Expr::Column(Column::new(qualifier.cloned(), field.name()));
    let exists = |condition: Option<Expr>, seen: Vec<Expr>| -> Result<Expr> {
        let mut rows = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone());
        if let Some(condition) = condition {
            rows = rows.filter(condition)?;
        }
        Ok(Expr::Exists(Exists {
            subquery: Subquery {
                subquery: Arc::new(rows.build()?),
                outer_ref_columns: seen,
                spans: subquery.spans.clone(),
            },
            negated: false,
        }))
    };
    let before = || subquery.outer_ref_columns.clone();
    let is_there = exists(Some(own.clone().eq(outer.data)), seen)?;
    let unknown = || lit(ScalarValue::Boolean(None));
    let is_in = when(is_there, lit(true))
        .when(value.is_null().and(exists(None, before())?), unknown())
        .when(exists(Some(own.is_null()), before())?, unknown())
        .otherwise(lit(false))?;
    Ok(match negated {
        true => Expr::Not(Box::new(is_in)),
        false => is_in,
    })
}
