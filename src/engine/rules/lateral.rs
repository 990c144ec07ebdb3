//! Joins of relations with the elements of their own lists, or with values of their own rows:
//! `FROM t, unnest(t.list)`, `FROM t, abs(t.x)`. They are made where they are, instead of being
//! joined.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, NullHandling, Result, ScalarValue, TableReference};
use datafusion::logical_expr::{
    Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Unnest,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

use crate::functions::json;

/// Leaves other lateral joins to DataFusion, which knows those by equality.
#[derive(Debug)]
pub(super) struct Lateral;

impl AnalyzerRule for Lateral {
    fn name(&self) -> &'static str {
        "postgres_lateral_elements"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Join(join) => match unnested(&join)? {
                Some(plan) => Ok(Transformed::yes(plan)),
                None => Ok(Transformed::no(LogicalPlan::Join(join))),
            },
            other => Ok(Transformed::no(other)),
        })
        .map(|transformed| transformed.data)
    }
}

/// The left side of a join with the elements that its right side makes of it; `None` if the right
/// side is something else.
fn unnested(join: &Join) -> Result<Option<LogicalPlan>> {
    let is_left = join.join_type == JoinType::Left;
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) || !join.on.is_empty() {
        return Ok(None);
    }
    let condition = join.filter.as_ref().filter(|filter| !is_true(filter));
    let steps = match steps(&join.right) {
        Some(steps) if !(is_left && condition.is_some()) => steps,
        _ => return Ok(None),
    };
    let mut lateral = LateralPlan {
        outer: Arc::clone(join.left.schema()),
        keeps_rows: is_left,
        plan: join.left.as_ref().clone(),
    };
    let mut steps = steps.iter().rev().peekable();
    while let Some(step) = steps.next() {
        // One projection of both: an unqualified column beside a qualified one of its name is
        // ambiguous to the optimizer.
        let added = match (step, steps.peek()) {
            (LogicalPlan::Projection(projection), Some(LogicalPlan::SubqueryAlias(alias))) => {
                steps.next();
                lateral.project(projection, Some(&alias.alias))?
            }
            _ => lateral.add(step)?,
        };
        if !added {
            return Ok(None);
        }
    }
    let plan = LogicalPlanBuilder::from(lateral.plan);
    let plan = match condition {
        Some(condition) => plan.filter(condition.clone())?,
        None => plan,
    };
    plan.build().map(Some)
}

fn is_true(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Literal(ScalarValue::Boolean(Some(true)), _)
    )
}

/// The nodes of a plan over one row of nothing, from the top; `None` for other plans, and for
/// those that do not name the other side of the join.
fn steps(plan: &LogicalPlan) -> Option<Vec<&LogicalPlan>> {
    let mut steps = Vec::new();
    let (mut next, mut is_lateral) = (plan, false);
    loop {
        next = match next {
            LogicalPlan::Subquery(subquery) => {
                is_lateral = true;
                &subquery.subquery
            }
            LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => break,
            LogicalPlan::Projection(projection) => {
                steps.push(next);
                &projection.input
            }
            LogicalPlan::Filter(filter) => {
                steps.push(next);
                &filter.input
            }
            LogicalPlan::SubqueryAlias(alias) => {
                steps.push(next);
                &alias.input
            }
            LogicalPlan::Unnest(unnest) => {
                steps.push(next);
                &unnest.input
            }
            _ => return None,
        };
    }
    is_lateral.then_some(steps)
}

/// The right side of a join, built up on the left one.
struct LateralPlan {
    /// The columns of the left side, which every step keeps in front.
    outer: Arc<DFSchema>,
    /// Whether a row without elements stays.
    keeps_rows: bool,
    plan: LogicalPlan,
}

impl LateralPlan {
    /// Adds a step of the right side; false if it cannot be.
    fn add(&mut self, step: &LogicalPlan) -> Result<bool> {
        match step {
            LogicalPlan::Projection(projection) => self.project(projection, None),
            LogicalPlan::SubqueryAlias(alias) => {
                let own = self.plan.schema().iter().skip(self.outer.fields().len());
                let own: Vec<Expr> = own
                    .map(|(qualifier, field)| {
                        Expr::Column(Column::new(qualifier.cloned(), field.name()))
                            .alias_qualified(Some(alias.alias.clone()), field.name())
                    })
                    .collect();
                self.select(own)?;
                Ok(true)
            }
            LogicalPlan::Filter(_) if self.keeps_rows => Ok(false),
            LogicalPlan::Filter(filter) => {
                let predicate = self.inner(filter.predicate.clone())?;
                let plan = LogicalPlanBuilder::from(self.plan.clone());
                self.plan = plan.filter(predicate)?.build()?;
                Ok(true)
            }
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            _ => Ok(false),
        }
    }

    fn project(&mut self, projection: &Projection, alias: Option<&TableReference>) -> Result<bool> {
        let above = self.is_unnested();
        let mut own = Vec::with_capacity(projection.expr.len());
        for (expression, (qualifier, field)) in projection.expr.iter().zip(projection.schema.iter())
        {
            // A row that is kept has NULLs for its element, and for nothing else yet.
            if self.keeps_rows && above && !is_null_of_null(expression) {
                return Ok(false);
            }
            let qualifier = alias.or(qualifier).cloned();
            let expression = self.inner(expression.clone())?.unalias();
            own.push(expression.alias_qualified(qualifier, field.name()));
        }
        self.select(own)?;
        Ok(true)
    }

    fn is_unnested(&self) -> bool {
        let own = self.plan.schema().fields().len() > self.outer.fields().len();
        own && matches!(
            &self.plan,
            LogicalPlan::Unnest(_) | LogicalPlan::Projection(_)
        )
    }

    fn unnest(&mut self, unnest: &Unnest) -> Result<bool> {
        let mut options = unnest.options.clone();
        if self.keeps_rows {
            options.null_handling = NullHandling::PreserveAndExpandEmpty;
        }
        let plan = LogicalPlanBuilder::from(self.plan.clone());
        let columns = unnest.exec_columns.clone();
        self.plan = plan
            .unnest_columns_with_options(columns, options)?
            .build()?;
        Ok(true)
    }

    /// The columns of the left side, and these.
    fn select(&mut self, own: Vec<Expr>) -> Result<()> {
        let outer = self
            .outer
            .iter()
            .map(|(qualifier, field)| Expr::Column(Column::new(qualifier.cloned(), field.name())));
        let columns: Vec<Expr> = outer.chain(own).collect();
        let plan = LogicalPlanBuilder::from(self.plan.clone());
        self.plan = plan.project(columns)?.build()?;
        Ok(())
    }

    /// An expression of the right side, over both.
    fn inner(&self, expression: Expr) -> Result<Expr> {
        let rewritten = expression.transform(|expression| match expression {
            Expr::OuterReferenceColumn(_, column) if self.outer.has_column(&column) => {
                Ok(Transformed::yes(Expr::Column(column)))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(rewritten.data)
    }
}

/// Whether an expression is NULL where the column in it is.
fn is_null_of_null(expression: &Expr) -> bool {
    match expression {
        Expr::Column(_) => true,
        Expr::Alias(alias) => is_null_of_null(&alias.expr),
        Expr::ScalarFunction(call) if json::takes_json(&call.func) => {
            call.args.first().is_some_and(is_null_of_null)
        }
        _ => false,
    }
}
