//! A correlated scalar subquery taken apart, and its rows joined to those of the query around it.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::functions_aggregate::first_last::first_value;
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, Exists, InSubquery, SetComparison, Sort as SortExpr,
};
use datafusion::logical_expr::logical_plan::{
    Aggregate, FetchType, Filter, Limit, Projection, SkipType, Sort, Subquery,
};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Expr, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, lit, when,
};

use super::single_value::single_value;

/// What a subquery makes of the rows that match an outer row.
enum Value {
    /// That of the one row there may be.
    One(Expr),
    /// That of the first row in an order, behind `LIMIT 1`.
    First(Expr, Vec<SortExpr>),
    /// What is computed of aggregates over all of them.
    All(Aggregated),
}

/// An expression over aggregates without `GROUP BY`.
struct Aggregated {
    /// The aggregates, each under the name that the other two know it by.
    calls: Vec<(Column, AggregateFunction)>,
    /// The condition of `HAVING`; where it does not hold, there is no row.
    having: Option<Expr>,
    value: Expr,
}

impl Value {
    /// Every expression over the rows that match.
    fn expressions(&self) -> Vec<Expr> {
        match self {
            Self::One(value) => vec![value.clone()],
            Self::First(value, order) => {
                let order = order.iter().map(|by| by.expr.clone());
                [value.clone()].into_iter().chain(order).collect()
            }
            Self::All(aggregated) => {
                let calls = aggregated.calls.iter();
                calls
                    .map(|(_, call)| Expr::AggregateFunction(call.clone()))
                    .collect()
            }
        }
    }
}

/// The rows that a subquery reads, and what it makes of them.
struct Rows<'a> {
    /// Which of them match.
    predicate: Option<&'a Expr>,
    source: &'a Arc<LogicalPlan>,
    value: Value,
}

impl<'a> Rows<'a> {
    fn of(plan: &'a LogicalPlan) -> Option<Self> {
        let is_single = plan.max_rows().is_some_and(|n_rows| n_rows <= 1);
        match plan {
            LogicalPlan::Projection(projection) => match Self::aggregated(projection) {
                Some(aggregated) => Some(aggregated),
                None if is_single => None,
                None => Self::of_projection(projection, Value::One),
            },
            LogicalPlan::Limit(limit) if takes_one(limit) => match limit.input.as_ref() {
                LogicalPlan::Sort(sort) => Self::sorted(sort, |inner| inner.expr.first().cloned()),
                // Columns of ORDER BY that are not in the select list are taken off above the sort.
                LogicalPlan::Projection(top) => match (top.expr.as_slice(), top.input.as_ref()) {
                    ([value], LogicalPlan::Sort(sort)) => {
                        Self::sorted(sort, |inner| through(value, inner))
                    }
                    _ => Self::of_projection(top, |value| Value::First(value, Vec::new())),
                },
                _ => None,
            },
            _ => None,
        }
    }

    fn of_projection(projection: &'a Projection, value: impl Fn(Expr) -> Value) -> Option<Self> {
        let [only] = projection.expr.as_slice() else {
            return None;
        };
        let LogicalPlan::Filter(filter) = projection.input.as_ref() else {
            return None;
        };
        Some(Self::filtered(filter, value(only.clone().unalias())))
    }

    fn filtered(filter: &'a Filter, value: Value) -> Self {
        Self {
            predicate: Some(&filter.predicate),
            source: &filter.input,
            value,
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
        let order = order.collect::<Option<Vec<SortExpr>>>()?;
        let value = Value::First(value(inner)?.unalias(), order);
        Some(Self::filtered(filter, value))
    }

    /// A projection of aggregates over all rows, in one group.
    fn aggregated(projection: &'a Projection) -> Option<Self> {
        let [value] = projection.expr.as_slice() else {
            return None;
        };
        let (having, aggregate) = match projection.input.as_ref() {
            LogicalPlan::Filter(filter) => (Some(filter.predicate.clone()), filter.input.as_ref()),
            other => (None, other),
        };
        let LogicalPlan::Aggregate(aggregate) = aggregate else {
            return None;
        };
        let calls = calls(aggregate)?;
        if having.as_ref().is_some_and(has_subquery) {
            return None;
        }
        let value = Value::All(Aggregated {
            calls,
            having,
            value: value.clone().unalias(),
        });
        Some(match aggregate.input.as_ref() {
            LogicalPlan::Filter(filter) => Self::filtered(filter, value),
            _ => Self {
                predicate: None,
                source: &aggregate.input,
                value,
            },
        })
    }
}

/// The calls of an aggregate over all rows; `None` where it groups them, or one is not of this
/// query's rows.
fn calls(aggregate: &Aggregate) -> Option<Vec<(Column, AggregateFunction)>> {
    if !aggregate.group_expr.is_empty() {
        return None;
    }
    let names = aggregate.schema.columns().into_iter();
    names
        .zip(&aggregate.aggr_expr)
        .map(|(name, call)| match call.clone().unalias() {
            // An aggregate of the outer row's columns alone is one of the outer query's, says
            // chapter 4.2.7 of PostgreSQL's manual.
            call if call.contains_outer() && !call.any_column_refs() => None,
            call if has_subquery(&call) => None,
            Expr::AggregateFunction(call) => Some((name, call)),
            _ => None,
        })
        .collect()
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
pub(super) struct Lookup {
    /// What it reads.
    source: LogicalPlan,
    /// The conditions that mention the outer row.
    correlated: Vec<Expr>,
    value: Value,
    /// The name of its relation, and of its value.
    pub(super) name: String,
}

impl Lookup {
    /// `None` for subqueries of another shape, and those that DataFusion plans by itself.
    pub(super) fn of(subquery: &Subquery) -> Option<Self> {
        if subquery.outer_ref_columns.is_empty() {
            return None;
        }
        let Rows {
            predicate,
            source,
            value,
        } = Rows::of(&subquery.subquery)?;
        let deeper = source.exists(|node| Ok(node.contains_outer_reference()));
        let grouped = matches!(source.as_ref(), LogicalPlan::Aggregate(_));
        if grouped || deeper.unwrap_or(true) || value.expressions().iter().any(has_subquery) {
            return None;
        }
        let conditions = predicate.cloned().map(split_conjunction_owned);
        let (correlated, own): (Vec<Expr>, Vec<Expr>) = conditions
            .unwrap_or_default()
            .into_iter()
            .partition(Expr::contains_outer);
        if correlated.iter().any(has_subquery) || is_planned(&correlated, &value) {
            return None;
        }
        let source = match conjunction(own) {
            Some(own) => LogicalPlan::Filter(Filter::try_new(own, Arc::clone(source)).ok()?),
            None => source.as_ref().clone(),
        };
        Some(Self {
            source,
            correlated,
            value,
            name: String::new(),
        })
    }

    /// Whether it has a value whichever row is around it: it may be looked up for rows that nobody
    /// asks for.
    pub(super) fn never_fails(&self) -> bool {
        !matches!(self.value, Value::One(_))
    }

    /// The rows of `outer`, each with `keys` and with the subquery's value under its name. The
    /// keys tell the rows of `outer` apart.
    pub(super) fn look_up(self, outer: LogicalPlan, keys: &[Expr]) -> Result<LogicalPlan> {
        let mut columns: Vec<Column> = Vec::new();
        let expressions = self.value.expressions();
        for expression in self.correlated.iter().chain(&expressions) {
            for column in expression.column_refs() {
                if !columns.contains(column) {
                    columns.push(column.clone());
                }
            }
        }
        let matches = Matches {
            name: &self.name,
            columns: &columns,
        };
        let on = self.correlated.into_iter();
        let on = on.map(|condition| matches.outside(condition));
        let mut on = on.collect::<Result<Vec<Expr>>>()?;
        if on.is_empty() {
            // Every row matches. A join wants a condition.
            on.push(lit(true));
        }
        let inner = LogicalPlanBuilder::from(self.source)
            .project(matches.kept())?
            .alias(self.name.as_str())?
            .build()?;
        let joined = LogicalPlanBuilder::from(outer).join_on(inner, JoinType::Left, on)?;
        let keys = keys.iter().cloned();
        match self.value {
            Value::One(value) => {
                let value = single_value(matches.value(value)?).alias(self.name.as_str());
                joined.aggregate(keys, [value])?.build()
            }
            Value::First(value, order) => {
                let order = order.into_iter().map(|by| {
                    let expression = matches.outside(by.expr.clone())?;
                    Ok(by.with_expr(expression))
                });
                let order = order.collect::<Result<Vec<SortExpr>>>()?;
                let value = first_value(matches.value(value)?, order).alias(self.name.as_str());
                joined.aggregate(keys, [value])?.build()
            }
            Value::All(aggregated) => {
                let (calls, value) = matches.aggregated(aggregated)?;
                let value = value.alias(self.name.as_str());
                joined
                    .aggregate(keys.clone(), calls)?
                    .project(keys.chain([value]))?
                    .build()
            }
        }
    }
}

/// Whether DataFusion plans a subquery by itself: it knows aggregates of those rows in which a
/// column equals something of the outer row (`can_pullup_over_aggregation` of its `decorrelate`).
fn is_planned(correlated: &[Expr], value: &Value) -> bool {
    let Value::All(Aggregated { having, value, .. }) = value else {
        return false;
    };
    let is_column = |expression: &Expr| match expression {
        Expr::Cast(cast) => matches!(cast.expr.as_ref(), Expr::Column(_)),
        other => matches!(other, Expr::Column(_)),
    };
    let is_equality = |condition: &Expr| match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => {
            is_column(left) && !right.any_column_refs()
                || is_column(right) && !left.any_column_refs()
        }
        _ => false,
    };
    let above = having.iter().chain([value]).any(Expr::contains_outer);
    !above && !correlated.is_empty() && correlated.iter().all(is_equality)
}

/// The rows of a subquery beside those of the query around it, to which they are joined.
struct Matches<'a> {
    /// The name of their relation.
    name: &'a str,
    /// What is kept of them, as the subquery names it.
    columns: &'a [Column],
}

impl Matches<'_> {
    fn column(&self, name: &str) -> Expr {
        Expr::Column(Column::new(Some(self.name), name))
    }

    /// NULL beside an outer row that nothing matches.
    fn matched(&self) -> Expr {
        self.column("matched")
    }

    /// What is joined: the columns under names of their own, and that there is a row.
    fn kept(&self) -> impl Iterator<Item = Expr> {
        let columns =
            self.columns.iter().enumerate().map(|(index, column)| {
                Expr::Column(column.clone()).alias(format!("column_{index}"))
            });
        columns.chain([lit(true).alias("matched")])
    }

    /// An expression of the subquery, over the joined rows.
    fn outside(&self, expression: Expr) -> Result<Expr> {
        let outside = expression.transform(|expression| match expression {
            Expr::Column(column) => {
                let index = self.columns.iter().position(|known| *known == column);
                let index = index.expect("all columns were collected before");
                Ok(Transformed::yes(self.column(&format!("column_{index}"))))
            }
            Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
            other => Ok(Transformed::no(other)),
        })?;
        Ok(outside.data)
    }

    /// What the subquery gives for one row.
    fn value(&self, value: Expr) -> Result<Expr> {
        match self.outside(value)? {
            column @ Expr::Column(_) => Ok(column),
            // Without a match the value is NULL, whatever its expression gives for NULLs.
            other => when(self.matched(), other).end(),
        }
    }

    /// An aggregate of the rows that match. The row of NULLs beside an outer row that nothing
    /// matches is none of them.
    fn of_matches(&self, call: AggregateFunction) -> Result<AggregateFunction> {
        let AggregateFunction { func, params } = call;
        let filter = match params.filter {
            Some(filter) => self.matched().and(self.outside(*filter)?),
            None => self.matched(),
        };
        let arguments = params.args.into_iter();
        let order_by = params.order_by.into_iter();
        let params = AggregateFunctionParams {
            args: arguments
                .map(|argument| self.outside(argument))
                .collect::<Result<Vec<Expr>>>()?,
            filter: Some(Box::new(filter)),
            order_by: order_by
                .map(|by| Ok(by.with_expr(self.outside(by.expr.clone())?)))
                .collect::<Result<Vec<SortExpr>>>()?,
            distinct: params.distinct,
            null_treatment: params.null_treatment,
        };
        Ok(AggregateFunction { func, params })
    }

    /// Aggregates of the rows that match, and what is computed of them.
    fn aggregated(&self, aggregated: Aggregated) -> Result<(Vec<Expr>, Expr)> {
        let named = |index: usize| format!("{}_aggregate_{index}", self.name);
        let mut names = Vec::with_capacity(aggregated.calls.len());
        let mut calls = Vec::with_capacity(aggregated.calls.len());
        for (index, (name, call)) in aggregated.calls.into_iter().enumerate() {
            let call = Expr::AggregateFunction(self.of_matches(call)?);
            calls.push(call.alias(named(index)));
            names.push(name);
        }
        let above = |expression: Expr| {
            let above = expression.transform(|expression| match expression {
                Expr::Column(column) => {
                    let index = names.iter().position(|known| *known == column);
                    let index = index.expect("what is above names aggregates alone");
                    let column = Column::new_unqualified(named(index));
                    Ok(Transformed::yes(Expr::Column(column)))
                }
                Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
                other => Ok(Transformed::no(other)),
            });
            above.map(|above| above.data)
        };
        let value = above(aggregated.value)?;
        Ok(match aggregated.having {
            Some(having) => (calls, when(above(having)?, value).end()?),
            None => (calls, value),
        })
    }
}

pub(super) fn has_subquery(expression: &Expr) -> bool {
    let found = expression.exists(|expression| Ok(subquery_of(expression).is_some()));
    found.unwrap_or(true)
}

pub(super) fn subquery_of(expression: &Expr) -> Option<&Subquery> {
    match expression {
        Expr::ScalarSubquery(subquery)
        | Expr::Exists(Exists { subquery, .. })
        | Expr::InSubquery(InSubquery { subquery, .. })
        | Expr::SetComparison(SetComparison { subquery, .. }) => Some(subquery),
        _ => None,
    }
}
