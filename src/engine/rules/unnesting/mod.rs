//! Correlated subqueries and lateral joins of any shape, as joins: what DataFusion does not unnest, or
//! unnests only where the outer row is named in a filter.
//!
//! The method is that of Neumann and Kemper, "Unnesting Arbitrary Queries" (BTW 2015): the distinct
//! values that a subquery reads of the rows around it are its [`Domain`]; the subquery is computed for
//! all of them at once, its operators keeping the domain's columns ([`push`]), and joined to the rows
//! by those, nulls being equal.

mod domain;
mod push;

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::functions_aggregate::expr_fn::{bool_or, count};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Aggregate, Join, Subquery};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Expr, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, lit, when,
};
use datafusion::optimizer::AnalyzerRule;

use super::lookup::has_subquery;
use super::schemas::told_anew;
use super::single_value::single_value;
use domain::{Domain, outer_columns};

/// The rule; it runs after types were coerced and after the rules for the plainer shapes.
#[derive(Debug)]
pub(super) struct Unnesting;

impl AnalyzerRule for Unnesting {
    fn name(&self) -> &'static str {
        "unnesting"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let names = Names(Cell::new(0));
        let rewritten = plan.transform_up_with_subqueries(|node| unnested(node, &names))?;
        told_anew(rewritten)
    }
}

/// Names that are distinct within a plan.
struct Names(Cell<usize>);

impl Names {
    fn next(&self) -> String {
        self.0.set(self.0.get() + 1);
        format!("__unnested_{}", self.0.get())
    }
}

/// A node without the subqueries that DataFusion does not unnest by itself.
fn unnested(node: LogicalPlan, names: &Names) -> Result<Transformed<LogicalPlan>> {
    match &node {
        LogicalPlan::Join(join) => match lateral(join, names)? {
            Some(joined) => Ok(Transformed::yes(joined)),
            None => Ok(Transformed::no(node)),
        },
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Window(_) => hoisted(node, names),
        _ => Ok(Transformed::no(node)),
    }
}

/// A node of one input whose subqueries became columns of the input.
fn hoisted(node: LogicalPlan, names: &Names) -> Result<Transformed<LogicalPlan>> {
    let inputs = node.inputs();
    let [input] = inputs.as_slice() else {
        return Ok(Transformed::no(node));
    };
    let input = (*input).clone();
    let mut left_alone = HashSet::new();
    if let LogicalPlan::Filter(filter) = &node {
        for condition in split_conjunction(&filter.predicate) {
            left_alone.extend(plain_condition(condition));
        }
    }
    let mut hoist = Hoist {
        scope: Arc::clone(input.schema()),
        plan: input,
        left_alone,
        in_projection: matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Filter(_)),
        names,
        found: false,
    };
    let preserver = NamePreserver::new(&node);
    let expressions = node.expressions().into_iter().map(|expression| {
        let name = preserver.save(&expression);
        Ok(name.restore(hoist.extract(expression)?))
    });
    let expressions = expressions.collect::<Result<Vec<Expr>>>()?;
    if !hoist.found {
        return Ok(Transformed::no(node));
    }
    let changed = node.with_new_exprs(expressions, vec![hoist.plan])?;
    let plan = match &node {
        LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) => changed,
        _ => LogicalPlanBuilder::from(changed)
            .project(columns_of(node.schema()))?
            .build()?,
    };
    Ok(Transformed::yes(plan))
}

/// The columns of a schema, as expressions.
fn columns_of(schema: &DFSchema) -> Vec<Expr> {
    schema.iter().map(Expr::from).collect()
}

/// Subqueries on their way out of a node.
struct Hoist<'a> {
    /// What the node's expressions may name.
    scope: Arc<DFSchema>,
    /// The node's input, with the columns that stand for subqueries.
    plan: LogicalPlan,
    /// The subqueries that DataFusion makes semijoins of.
    left_alone: HashSet<Subquery>,
    /// Whether DataFusion takes aggregating subqueries here.
    in_projection: bool,
    names: &'a Names,
    found: bool,
}

impl<'a> Hoist<'a> {
    fn extract(&mut self, expression: Expr) -> Result<Expr> {
        let extracted = expression.transform_down(|expression| {
            let column = match &expression {
                Expr::ScalarSubquery(subquery) => self.scalar(subquery)?,
                Expr::Exists(exists) => self.exists(exists)?,
                Expr::InSubquery(within) => self.within(within)?,
                _ => return Ok(Transformed::no(expression)),
            };
            Ok(match column {
                Some(column) => {
                    self.found = true;
                    Transformed::new(column, true, TreeNodeRecursion::Jump)
                }
                None => Transformed::no(expression),
            })
        })?;
        Ok(extracted.data)
    }

    /// The rows of a subquery for each row of the plan; `None` if it does not depend on them, or has
    /// an operator that is not known here.
    fn rows(&self, subquery: &Subquery, more: Option<&Column>) -> Result<Option<Rows<'a>>> {
        let mut columns = outer_columns(subquery, &self.scope)?;
        if columns.is_empty() {
            return Ok(None);
        }
        columns.extend(more.cloned());
        let Some(domain) = Domain::of(&self.plan, columns, self.names)? else {
            return Ok(None);
        };
        let plan = domain.push(&subquery.subquery)?;
        Ok(plan.map(|plan| Rows { domain, plan }))
    }

    fn scalar(&mut self, subquery: &Subquery) -> Result<Option<Expr>> {
        if self.in_projection && aggregates_by_equality(subquery) {
            return Ok(None);
        }
        let Some(rows) = self.rows(subquery, None)? else {
            return Ok(None);
        };
        let value = Expr::from(subquery.subquery.schema().qualified_field(0));
        let name = self.names.next();
        let found = LogicalPlanBuilder::from(rows.plan);
        let found = match has_one_row(&subquery.subquery) {
            true => {
                let columns = rows.domain.columns();
                found.project([value.alias(&name)].into_iter().chain(columns))?
            }
            false => found.aggregate(rows.domain.columns(), [single_value(value).alias(&name)])?,
        };
        self.plan = rows
            .domain
            .join(self.plan.clone(), found.build()?, JoinType::Left)?;
        Ok(Some(Expr::Column(Column::new_unqualified(name))))
    }

    fn exists(&mut self, exists: &Exists) -> Result<Option<Expr>> {
        if self.left_alone.contains(&exists.subquery) {
            return Ok(None);
        }
        let Some(rows) = self.rows(&exists.subquery, None)? else {
            return Ok(None);
        };
        let name = self.names.next();
        let columns = rows.domain.columns();
        let found = LogicalPlanBuilder::from(rows.plan)
            .project(columns.clone())?
            .distinct()?
            .project(columns.into_iter().chain([lit(true).alias(&name)]))?
            .build()?;
        self.plan = rows.domain.join(self.plan.clone(), found, JoinType::Left)?;
        let found = Expr::Column(Column::new_unqualified(name));
        Ok(Some(match exists.negated {
            false => found.is_not_null(),
            true => found.is_null(),
        }))
    }

    /// `x IN (SELECT y ...)` by the values of x: true if one is equal, else NULL if a comparison was.
    fn within(&mut self, within: &InSubquery) -> Result<Option<Expr>> {
        if self.left_alone.contains(&within.subquery)
            || outer_columns(&within.subquery, &self.scope)?.is_empty()
        {
            return Ok(None);
        }
        let before = self.plan.clone();
        let tested = Column::new_unqualified(self.names.next());
        let tested_value = within.expr.as_ref().clone().alias(tested.name());
        let columns = columns_of(before.schema());
        self.plan = LogicalPlanBuilder::from(before.clone())
            .project(columns.into_iter().chain([tested_value]))?
            .build()?;
        let Some(rows) = self.rows(&within.subquery, Some(&tested))? else {
            self.plan = before;
            return Ok(None);
        };
        let value = Expr::from(within.subquery.subquery.schema().qualified_field(0));
        let equal = Expr::Column(rows.domain.column_of(&tested)).eq(value);
        let (is_equal, name) = (self.names.next(), self.names.next());
        let compared = Expr::Column(Column::new_unqualified(is_equal.as_str()));
        let found = LogicalPlanBuilder::from(rows.plan)
            .project(
                rows.domain
                    .columns()
                    .into_iter()
                    .chain([equal.alias(&is_equal)]),
            )?
            .aggregate(
                rows.domain.columns(),
                [
                    bool_or(compared.clone()).alias(format!("{name}_any")),
                    count(lit(1)).alias(format!("{name}_rows")),
                    count(compared).alias(format!("{name}_known")),
                ],
            )?
            .build()?;
        self.plan = rows.domain.join(self.plan.clone(), found, JoinType::Left)?;
        let part = |part: &str| Expr::Column(Column::new_unqualified(format!("{name}_{part}")));
        let is_within = when(part("any").is_true(), lit(true))
            .when(
                part("rows").gt(part("known")),
                lit(datafusion::common::ScalarValue::Boolean(None)),
            )
            .otherwise(lit(false))?;
        Ok(Some(match within.negated {
            false => is_within,
            true => Expr::Not(Box::new(is_within)),
        }))
    }
}

/// The rows of a subquery, with the columns of its domain.
struct Rows<'a> {
    domain: Domain<'a>,
    plan: LogicalPlan,
}

/// A lateral join whose right side is not what DataFusion, or the rule of elements, makes a join of.
fn lateral(join: &Join, names: &Names) -> Result<Option<LogicalPlan>> {
    let (subquery, alias) = match join.right.as_ref() {
        LogicalPlan::Subquery(subquery) => (subquery, None),
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            LogicalPlan::Subquery(subquery) => (subquery, Some(alias)),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left)
        || is_filtered_chain(&subquery.subquery)
    {
        return Ok(None);
    }
    let columns = outer_columns(subquery, join.left.schema())?;
    if columns.is_empty() {
        return Ok(None);
    }
    let Some(domain) = Domain::of(&join.left, columns, names)? else {
        return Ok(None);
    };
    let Some(mut right) = domain.push(&subquery.subquery)? else {
        return Ok(None);
    };
    if let Some(alias) = alias {
        right = domain.renamed(right, &subquery.subquery, &alias.schema)?;
    }
    let on = join.on.iter().cloned().map(|(left, right)| left.eq(right));
    let on = on.chain(join.filter.clone()).collect();
    let joined = domain.join_on(join.left.as_ref().clone(), right, join.join_type, on)?;
    let columns = columns_of(&join.schema);
    LogicalPlanBuilder::from(joined)
        .project(columns)?
        .build()
        .map(Some)
}

/// The subquery of a condition that DataFusion makes a semijoin of.
fn plain_condition(condition: &Expr) -> Option<Subquery> {
    match condition {
        Expr::Not(inner) => plain_condition(inner),
        Expr::Exists(Exists { subquery, .. }) | Expr::InSubquery(InSubquery { subquery, .. }) => {
            is_filtered_chain(&subquery.subquery).then(|| subquery.clone())
        }
        _ => None,
    }
}

/// Whether the outer row is named only in filters below nothing but projections.
fn is_filtered_chain(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => {
            !projection.expr.iter().any(Expr::contains_outer)
                && is_filtered_chain(&projection.input)
        }
        LogicalPlan::SubqueryAlias(alias) => is_filtered_chain(&alias.input),
        LogicalPlan::Filter(filter) => {
            !has_subquery(&filter.predicate) && is_filtered_chain(&filter.input)
        }
        other => !domain::names_outer(other),
    }
}

/// Whether it is an aggregate over a filter that compares columns with the outer row for equality.
fn aggregates_by_equality(subquery: &Subquery) -> bool {
    fn of(plan: &LogicalPlan) -> bool {
        match plan {
            LogicalPlan::Projection(projection) => {
                !projection
                    .expr
                    .iter()
                    .any(|it| it.contains_outer() || has_subquery(it))
                    && of(&projection.input)
            }
            LogicalPlan::SubqueryAlias(alias) => of(&alias.input),
            LogicalPlan::Aggregate(aggregate) => {
                let expressions = aggregate.aggr_expr.iter();
                aggregate.group_expr.is_empty()
                    && !expressions.into_iter().any(Expr::contains_outer)
                    && is_equal_chain(&aggregate.input)
            }
            _ => false,
        }
    }
    of(&subquery.subquery)
}

fn is_equal_chain(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(filter) => {
            let conditions = split_conjunction(&filter.predicate);
            !has_subquery(&filter.predicate)
                && conditions.into_iter().all(is_plain_equality)
                && is_equal_chain(&filter.input)
        }
        LogicalPlan::SubqueryAlias(alias) => is_equal_chain(&alias.input),
        other => !domain::names_outer(other),
    }
}

/// Whether a condition names no outer row, or compares a column with one.
fn is_plain_equality(condition: &Expr) -> bool {
    let is_outer = |side: &Expr| matches!(side, Expr::OuterReferenceColumn(..));
    let is_column = |side: &Expr| matches!(side, Expr::Column(_));
    match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) if is_outer(left) || is_outer(right) => is_column(left) || is_column(right),
        other => !other.contains_outer(),
    }
}

/// Whether a subquery has exactly one row for every outer row.
fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => has_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => has_one_row(&alias.input),
        LogicalPlan::Aggregate(Aggregate { group_expr, .. }) => group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        _ => false,
    }
}
