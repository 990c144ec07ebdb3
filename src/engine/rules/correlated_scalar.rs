//! Plans correlated scalar subqueries that DataFusion refuses: those that do not aggregate, and
//! aggregates of rows that are told by more than what equals something of the outer row.
//!
//! `SELECT (SELECT i.x FROM i WHERE c(i, o)) FROM o` becomes
//! `SELECT single_value(i.x) FROM (o, numbered) LEFT JOIN i ON c(i, o) GROUP BY number, o.*`:
//! the number tells apart rows that are equal, and `single_value` fails on a second match. Behind
//! `ORDER BY y LIMIT 1` it is `first_value(i.x ORDER BY i.y)` instead, and an aggregate is itself,
//! over the rows that were joined.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Aggregate, Filter, Projection};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;

use super::lookup::{Lookup, subquery_of};

/// Begins the names that this rule makes.
const PREFIX: &str = "__single_value";

/// The rule; it runs after types were coerced, and leaves what DataFusion plans by itself.
#[derive(Debug)]
pub(super) struct CorrelatedScalar;

impl AnalyzerRule for CorrelatedScalar {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let names = Names(Cell::new(0));
        let rewritten = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Projection(projection) if projection.expr.iter().any(is_rewritable) => {
                in_projection(projection, &names)
            }
            LogicalPlan::Filter(filter) if is_rewritable(&filter.predicate) => {
                in_filter(filter, &names)
            }
            LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(is_correlated) => {
                in_aggregate(aggregate, &names)
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(rewritten.data)
    }

    fn name(&self) -> &'static str {
        "correlated_scalar"
    }
}

/// Names that are distinct within a plan.
struct Names(Cell<usize>);

impl Names {
    fn next(&self) -> String {
        self.0.set(self.0.get() + 1);
        format!("{PREFIX}_{}", self.0.get())
    }
}

fn is_rewritable(expression: &Expr) -> bool {
    let found = expression.exists(|expression| {
        Ok(match expression {
            Expr::ScalarSubquery(subquery) => Lookup::of(subquery).is_some(),
            _ => false,
        })
    });
    found.unwrap_or(false)
}

fn in_projection(projection: Projection, names: &Names) -> Result<Transformed<LogicalPlan>> {
    let columns = columns_of(&projection.expr, projection.input.schema())?;
    let mut lookups = Vec::new();
    let preserver = NamePreserver::new_for_projection();
    let expressions = projection.expr.into_iter().map(|expression| {
        let name = preserver.save(&expression);
        Ok(name.restore(extract(expression, names, &mut lookups)?))
    });
    let expressions = expressions.collect::<Result<Vec<Expr>>>()?;
    let input = look_up(projection.input.as_ref().clone(), columns, lookups, names)?;
    let projection = Projection::try_new(expressions, Arc::new(input))?;
    Ok(Transformed::yes(LogicalPlan::Projection(projection)))
}

fn in_filter(filter: Filter, names: &Names) -> Result<Transformed<LogicalPlan>> {
    let columns: Vec<Expr> = filter.input.schema().iter().map(Expr::from).collect();
    let (conditions, own): (Vec<Expr>, Vec<Expr>) = split_conjunction_owned(filter.predicate)
        .into_iter()
        .partition(is_rewritable);
    // The other conditions first: they need no number, and leave fewer rows to look up.
    let mut input = LogicalPlanBuilder::from(filter.input.as_ref().clone());
    if let Some(own) = conjunction(own) {
        input = input.filter(own)?;
    }
    let mut lookups = Vec::new();
    let conditions = conditions.into_iter();
    let conditions = conditions.map(|condition| extract(condition, names, &mut lookups));
    let conditions = conditions.collect::<Result<Vec<Expr>>>()?;
    let condition = conjunction(conditions).expect("one was rewritable");
    let found = look_up(input.build()?, columns.clone(), lookups, names)?;
    let plan = LogicalPlanBuilder::from(found)
        .filter(condition)?
        .project(columns)?
        .build()?;
    Ok(Transformed::yes(plan))
}

/// Whether a scalar subquery of the row around it is in an expression.
fn is_correlated(expression: &Expr) -> bool {
    let found = expression.exists(|expression| {
        Ok(match expression {
            Expr::ScalarSubquery(subquery) => !subquery.outer_ref_columns.is_empty(),
            _ => false,
        })
    });
    found.unwrap_or(false)
}

/// What an aggregate takes of subqueries is a column of the rows below it: nothing plans subqueries
/// in the aggregate itself.
fn in_aggregate(aggregate: Aggregate, names: &Names) -> Result<Transformed<LogicalPlan>> {
    let all = [
        aggregate.group_expr.as_slice(),
        aggregate.aggr_expr.as_slice(),
    ];
    let columns = columns_of(&all.concat(), aggregate.input.schema())?;
    let (mut lookups, mut moved) = (Vec::new(), Vec::new());
    let preserver = NamePreserver::new_for_projection();
    let calls = aggregate.aggr_expr.into_iter().map(|call| {
        let name = preserver.save(&call);
        let call = extract(call, names, &mut lookups)?;
        // What DataFusion plans by itself, it plans in a select list.
        let call = call.transform_down(|expression| match expression {
            Expr::ScalarSubquery(_) if is_correlated(&expression) => {
                let name = names.next();
                moved.push(expression.alias(name.as_str()));
                let column = Expr::Column(Column::new_unqualified(name));
                Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(name.restore(call.data))
    });
    let calls = calls.collect::<Result<Vec<Expr>>>()?;
    let mut below = aggregate.input.as_ref().clone();
    if !lookups.is_empty() {
        below = look_up(below, columns, lookups, names)?;
    }
    if !moved.is_empty() {
        let kept = below.schema().iter().map(Expr::from);
        let selected = kept.chain(moved).collect();
        below = LogicalPlan::Projection(Projection::try_new(selected, Arc::new(below))?);
    }
    let aggregate = Aggregate::try_new(Arc::new(below), aggregate.group_expr, calls)?;
    Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
}

/// The columns that expressions read, those that their subqueries read of the outer row included.
fn columns_of(expressions: &[Expr], schema: &DFSchema) -> Result<Vec<Expr>> {
    let mut indexes = BTreeSet::new();
    for expression in expressions {
        expression.apply(|expression| {
            let outer = subquery_of(expression).map(|subquery| &subquery.outer_ref_columns);
            for column in [expression].into_iter().chain(outer.into_iter().flatten()) {
                if let Expr::Column(column) | Expr::OuterReferenceColumn(_, column) = column {
                    indexes.extend(schema.maybe_index_of_column(column));
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    let columns = indexes.into_iter();
    Ok(columns
        .map(|index| Expr::from(schema.qualified_field(index)))
        .collect())
}

/// Puts columns in the places of subqueries.
fn extract(expression: Expr, names: &Names, lookups: &mut Vec<Lookup>) -> Result<Expr> {
    let extracted = expression.transform_down(|expression| {
        let lookup = match &expression {
            Expr::ScalarSubquery(subquery) => Lookup::of(subquery),
            _ => None,
        };
        Ok(match lookup {
            None => Transformed::no(expression),
            Some(mut lookup) => {
                lookup.name = names.next();
                let column = Column::new_unqualified(lookup.name.as_str());
                lookups.push(lookup);
                Transformed::new(Expr::Column(column), true, TreeNodeRecursion::Jump)
            }
        })
    })?;
    Ok(extracted.data)
}

/// The rows of `input` with `columns`, and the value of each lookup under its name.
fn look_up(
    input: LogicalPlan,
    mut columns: Vec<Expr>,
    lookups: Vec<Lookup>,
    names: &Names,
) -> Result<LogicalPlan> {
    let number = names.next();
    let (input, above) = match input {
        // Within another subquery: what correlates that one stays above what is looked up, where
        // it is found when its turn comes.
        LogicalPlan::Filter(filter) if lookups.iter().all(Lookup::never_fails) => {
            let conditions = split_conjunction_owned(filter.predicate).into_iter();
            let (above, own): (Vec<Expr>, Vec<Expr>) = conditions.partition(Expr::contains_outer);
            let input = LogicalPlanBuilder::from(filter.input.as_ref().clone());
            let input = match conjunction(own) {
                Some(own) => input.filter(own)?,
                None => input,
            };
            (input.build()?, above)
        }
        other => (other, Vec::new()),
    };
    for column in columns_of(&above, input.schema())? {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    let mut plan = LogicalPlanBuilder::from(input)
        .project(columns.clone())?
        .window([row_number().alias(number.as_str())])?
        .build()?;
    let number = Expr::Column(Column::new_unqualified(number));
    let mut keys: Vec<Expr> = [number].into_iter().chain(columns).collect();
    for lookup in lookups {
        // One after the other: the rows that one joins are not there for the next.
        let value = Expr::Column(Column::new_unqualified(lookup.name.as_str()));
        plan = lookup.look_up(plan, &keys)?;
        keys.push(value);
    }
    match conjunction(above) {
        Some(above) => LogicalPlanBuilder::from(plan).filter(above)?.build(),
        None => Ok(plan),
    }
}
