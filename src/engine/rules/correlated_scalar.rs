//! Plans correlated scalar subqueries that do not aggregate, which DataFusion refuses.
//!
//! `SELECT (SELECT i.x FROM i WHERE c(i, o)) FROM o` becomes
//! `SELECT single_value(i.x) FROM (o, numbered) LEFT JOIN i ON c(i, o) GROUP BY number, o.*`:
//! the number tells apart rows that are equal, and `single_value` fails on a second match. Behind
//! `ORDER BY y LIMIT 1` it is `first_value(i.x ORDER BY i.y)` instead.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::functions_aggregate::first_last::first_value;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, Sort as SortExpr};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{
    FetchType, Filter, Limit, Projection, SkipType, Sort, Subquery,
};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, lit, when};
use datafusion::optimizer::AnalyzerRule;

use super::single_value::single_value;

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

/// The rows of a scalar subquery.
struct Rows<'a> {
    filter: &'a Filter,
    /// What it gives for a row.
    value: Expr,
    /// The order by which it takes the first row, behind `LIMIT 1`; `None` if it may have but one.
    first_by: Option<Vec<SortExpr>>,
}

impl<'a> Rows<'a> {
    fn of(plan: &'a LogicalPlan) -> Option<Self> {
        match plan {
            LogicalPlan::Projection(projection) => Self::of_projection(projection, None),
            LogicalPlan::Limit(limit) if takes_one(limit) => match limit.input.as_ref() {
                LogicalPlan::Sort(sort) => Self::sorted(sort, |inner| inner.expr.first().cloned()),
                // Columns of ORDER BY that are not in the select list are taken off above the sort.
                LogicalPlan::Projection(top) => match (top.expr.as_slice(), top.input.as_ref()) {
                    ([value], LogicalPlan::Sort(sort)) => {
                        Self::sorted(sort, |inner| through(value, inner))
                    }
                    _ => Self::of_projection(top, Some(Vec::new())),
                },
                _ => None,
            },
            _ => None,
        }
    }

    fn of_projection(projection: &'a Projection, first_by: Option<Vec<SortExpr>>) -> Option<Self> {
        match (projection.expr.as_slice(), projection.input.as_ref()) {
            ([value], LogicalPlan::Filter(filter)) => Some(Self {
                filter,
                value: value.clone().unalias(),
                first_by,
            }),
            _ => None,
        }
    }

    fn sorted(sort: &'a Sort, value: impl Fn(&Projection) -> Option<Expr>) -> Option<Self> {
        let LogicalPlan::Projection(inner) = sort.input.as_ref() else {
            return None;
        };
        let LogicalPlan::Filter(filter) = inner.input.as_ref() else {
            return None;
        };
        let order = sort.expr.iter().map(|by| {
            let expression = through(&by.expr, inner)?;
            (!has_subquery(&expression)).then(|| by.with_expr(expression))
        });
        Some(Self {
            filter,
            value: value(inner)?.unalias(),
            first_by: Some(order.collect::<Option<Vec<SortExpr>>>()?),
        })
    }
}

/// `LIMIT 1` without OFFSET.
fn takes_one(limit: &Limit) -> bool {
    let skips = limit.get_skip_type();
    let fetches = limit.get_fetch_type();
    matches!(skips, Ok(SkipType::Literal(0))) && matches!(fetches, Ok(FetchType::Literal(Some(1))))
}

/// An expression over a projection as one over the projection's input.
fn through(expression: &Expr, projection: &Projection) -> Option<Expr> {
    let replaced = expression.clone().transform_up(|expression| {
        let Expr::Column(column) = &expression else {
            return Ok(Transformed::no(expression));
        };
        let index = projection.schema.index_of_column(column)?;
        Ok(Transformed::yes(projection.expr[index].clone().unalias()))
    });
    Some(replaced.ok()?.data)
}

/// A scalar subquery taken apart.
struct Lookup {
    /// What it reads.
    source: LogicalPlan,
    /// The conditions that mention the outer row.
    correlated: Vec<Expr>,
    /// What it gives for a row.
    value: Expr,
    /// As in [`Rows`].
    first_by: Option<Vec<SortExpr>>,
    /// The name of its relation, and of its value.
    name: String,
}

impl Lookup {
    /// `None` for subqueries of another shape, and those that give at most one row by themselves.
    fn of(subquery: &Subquery) -> Option<Self> {
        let plan = subquery.subquery.as_ref();
        let Rows {
            filter,
            value,
            first_by,
        } = Rows::of(plan)?;
        let single = plan.max_rows().is_some_and(|n_rows| n_rows <= 1) && first_by.is_none();
        if single || subquery.outer_ref_columns.is_empty() {
            return None;
        }
        let deeper = filter
            .input
            .exists(|node| Ok(node.contains_outer_reference()));
        let grouped = matches!(filter.input.as_ref(), LogicalPlan::Aggregate(_));
        if grouped || deeper.unwrap_or(true) || has_subquery(&value) {
            return None;
        }
        let (correlated, own): (Vec<Expr>, Vec<Expr>) =
            split_conjunction_owned(filter.predicate.clone())
                .into_iter()
                .partition(Expr::contains_outer);
        if correlated.iter().any(has_subquery) {
            return None;
        }
        let source = match conjunction(own) {
            Some(own) => LogicalPlan::Filter(Filter::try_new(own, Arc::clone(&filter.input)).ok()?),
            None => filter.input.as_ref().clone(),
        };
        Some(Self {
            source,
            correlated,
            value,
            first_by,
            name: String::new(),
        })
    }

    /// Joins the rows of the subquery to `outer`; the second result is its value, aggregated over
    /// the rows that were joined to one of `outer`.
    fn join(self, outer: LogicalPlan) -> Result<(LogicalPlan, Expr)> {
        let mut columns: Vec<Column> = Vec::new();
        let order = self.first_by.iter().flatten().map(|by| &by.expr);
        for expression in self.correlated.iter().chain([&self.value]).chain(order) {
            for column in expression.column_refs() {
                if !columns.contains(column) {
                    columns.push(column.clone());
                }
            }
        }
        let named = |index: usize| format!("column_{index}");
        let matched = Column::new(Some(self.name.as_str()), "matched");
        let outside = |expression: Expr| {
            expression.transform(|expression| match expression {
                Expr::Column(column) => {
                    let index = columns.iter().position(|known| *known == column);
                    let index = index.expect("all columns were collected above");
                    let column = Column::new(Some(self.name.as_str()), named(index));
                    Ok(Transformed::yes(Expr::Column(column)))
                }
                Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
                other => Ok(Transformed::no(other)),
            })
        };
        let on = self.correlated.iter().cloned();
        let on = on.map(|condition| Ok(outside(condition)?.data));
        let on = on.collect::<Result<Vec<Expr>>>()?;
        let value = outside(self.value.clone())?.data;
        let value = match value {
            Expr::Column(_) => value,
            // Without a match the value is NULL, whatever its expression gives for NULLs.
            other => when(Expr::Column(matched), other).end()?,
        };
        let value = match &self.first_by {
            None => single_value(value),
            Some(first_by) => {
                let order = first_by.iter().map(|by| {
                    let expression = outside(by.expr.clone())?.data;
                    Ok(by.with_expr(expression))
                });
                first_value(value, order.collect::<Result<Vec<SortExpr>>>()?)
            }
        };
        let kept = columns.iter().enumerate();
        let kept = kept.map(|(index, column)| Expr::Column(column.clone()).alias(named(index)));
        let inner = LogicalPlanBuilder::from(self.source)
            .project(kept.chain([lit(true).alias("matched")]))?
            .alias(self.name.as_str())?
            .build()?;
        let joined = LogicalPlanBuilder::from(outer)
            .join_on(inner, JoinType::Left, on)?
            .build()?;
        Ok((joined, value))
    }
}

fn has_subquery(expression: &Expr) -> bool {
    let found = expression.exists(|expression| Ok(subquery_of(expression).is_some()));
    found.unwrap_or(true)
}

fn subquery_of(expression: &Expr) -> Option<&Subquery> {
    match expression {
        Expr::ScalarSubquery(subquery)
        | Expr::Exists(Exists { subquery, .. })
        | Expr::InSubquery(InSubquery { subquery, .. })
        | Expr::SetComparison(SetComparison { subquery, .. }) => Some(subquery),
        _ => None,
    }
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
    columns: Vec<Expr>,
    lookups: Vec<Lookup>,
    names: &Names,
) -> Result<LogicalPlan> {
    let number = names.next();
    let mut plan = LogicalPlanBuilder::from(input)
        .project(columns.clone())?
        .window([row_number().alias(number.as_str())])?
        .build()?;
    let mut values = Vec::with_capacity(lookups.len());
    for lookup in lookups {
        let name = lookup.name.clone();
        let (joined, value) = lookup.join(plan)?;
        values.push(value.alias(name));
        plan = joined;
    }
    let number = Expr::Column(Column::new_unqualified(number));
    let keys = [number].into_iter().chain(columns);
    LogicalPlanBuilder::from(plan)
        .aggregate(keys, values)?
        .build()
}
