//! The operators of a subquery for all of its domain at once: each keeps the domain's columns.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchemaRef, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::{Sort as SortExpr, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{
    Aggregate, Distinct, FetchType, Join, Limit, Projection, SkipType, Sort, SubqueryAlias, Union,
    Unnest, Values, Window,
};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, JoinType, LogicalPlan, LogicalPlanBuilder, lit,
};

use super::domain::Domain;
use super::{columns_of, unnested};

impl Domain<'_> {
    /// The rows of a subquery for each row of the domain, with the domain's columns; `None` where an
    /// operator in it is not known here.
    pub(super) fn push(&self, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        if !self.is_named_in(plan)? {
            return self.with_each(plan).map(Some);
        }
        match plan {
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => {
                let Some(input) = self.push(&filter.input)? else {
                    return Ok(None);
                };
                let inputs = [Arc::clone(filter.input.schema())];
                let predicate = self.replace(filter.predicate.clone(), &inputs)?;
                let filtered = LogicalPlanBuilder::from(input).filter(predicate)?.build()?;
                self.without_subqueries(filtered)
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Join(join) => self.inner_join(join),
            LogicalPlan::Sort(sort) => self.sort(sort),
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::SubqueryAlias(alias) => self.alias(alias),
            LogicalPlan::Distinct(distinct) => self.distinct(distinct),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::Subquery(subquery) => self.push(&subquery.subquery),
            _ => Ok(None),
        }
    }

    /// A plan that does not depend on the domain, for each of its rows.
    fn with_each(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        match plan {
            LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => Ok(self.plan.clone()),
            other => LogicalPlanBuilder::from(other.clone())
                .cross_join(self.plan.clone())?
                .build(),
        }
    }

    /// What is left in a node of the subqueries that now depend on the domain's columns.
    fn without_subqueries(&self, node: LogicalPlan) -> Result<Option<LogicalPlan>> {
        Ok(Some(unnested(node, self.names)?.data))
    }

    fn all(&self, expressions: &[Expr], inputs: &[DFSchemaRef]) -> Result<Vec<Expr>> {
        let preserver = NamePreserver::new_for_projection();
        let replaced = expressions.iter().map(|expression| {
            let name = preserver.save(expression);
            Ok(name.restore(self.replace(expression.clone(), inputs)?))
        });
        replaced.collect()
    }

    fn sorts(&self, sorts: &[SortExpr], inputs: &[DFSchemaRef]) -> Result<Vec<SortExpr>> {
        let replaced = sorts.iter();
        let replaced =
            replaced.map(|sort| Ok(sort.with_expr(self.replace(sort.expr.clone(), inputs)?)));
        replaced.collect()
    }

    fn projection(&self, projection: &Projection) -> Result<Option<LogicalPlan>> {
        let Some(input) = self.push(&projection.input)? else {
            return Ok(None);
        };
        let inputs = [Arc::clone(projection.input.schema())];
        let expressions = self.all(&projection.expr, &inputs)?;
        let projected = LogicalPlanBuilder::from(input)
            .project(expressions.into_iter().chain(self.columns()))?
            .build()?;
        self.without_subqueries(projected)
    }

    /// Groups by the domain as well. An aggregate without groups has a row where nothing is
    /// aggregated, so that its input is joined to the domain and filtered by whether it was there.
    fn aggregate(&self, aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
        let is_set = |group: &Expr| matches!(group, Expr::GroupingSet(_));
        if aggregate.group_expr.iter().any(is_set) {
            return Ok(None);
        }
        let Some(input) = self.push(&aggregate.input)? else {
            return Ok(None);
        };
        let inputs = [Arc::clone(aggregate.input.schema())];
        let aggregates = self.all(&aggregate.aggr_expr, &inputs)?;
        let groups = self.all(&aggregate.group_expr, &inputs)?;
        let groups = self.columns().into_iter().chain(groups);
        let (input, aggregates) = match aggregate.group_expr.is_empty() {
            false => (input, aggregates),
            true => {
                let is_there = self.names.next();
                let marked = columns_of(input.schema()).into_iter();
                let marked = LogicalPlanBuilder::from(input)
                    .project(marked.chain([lit(true).alias(&is_there)]))?
                    .build()?;
                let (marked, same) = self.copied(marked)?;
                let joined = LogicalPlanBuilder::from(self.plan.clone())
                    .join_on(marked, JoinType::Left, same)?
                    .build()?;
                let is_there = Expr::Column(Column::new_unqualified(is_there));
                let preserver = NamePreserver::new_for_projection();
                let only_there = aggregates.into_iter().map(|it| {
                    let name = preserver.save(&it);
                    Ok(name.restore(filtered(it, &is_there)?))
                });
                (joined, only_there.collect::<Result<Vec<Expr>>>()?)
            }
        };
        let grouped = LogicalPlanBuilder::from(input)
            .aggregate(groups, aggregates)?
            .build()?;
        self.without_subqueries(grouped)
    }

    fn inner_join(&self, join: &Join) -> Result<Option<LogicalPlan>> {
        let (left, right) = (
            self.is_named_in(&join.left)?,
            self.is_named_in(&join.right)?,
        );
        let is_of_right = matches!(
            join.join_type,
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark
        );
        let (on_left, on_right) = match join.join_type {
            JoinType::Full => return Ok(None),
            _ if is_of_right => (left, true),
            JoinType::Inner if right && !left => (false, true),
            _ => (true, right),
        };
        let side = |plan: &Arc<LogicalPlan>, depends: bool| match depends {
            true => self.push(plan),
            false => Ok(Some(plan.as_ref().clone())),
        };
        let (Some(left), Some(right)) = (side(&join.left, on_left)?, side(&join.right, on_right)?)
        else {
            return Ok(None);
        };
        let inputs = [
            Arc::clone(join.left.schema()),
            Arc::clone(join.right.schema()),
        ];
        let on = join.on.iter().map(|(left, right)| {
            let side = |expression: &Expr| self.replace(expression.clone(), &inputs);
            Ok((side(left)?, side(right)?))
        });
        let on = on.collect::<Result<Vec<_>>>()?;
        let mut conditions = Vec::new();
        if let Some(filter) = &join.filter {
            conditions.push(self.replace(filter.clone(), &inputs)?);
        }
        let (left, right) = match (on_left, on_right, is_of_right) {
            (true, true, true) => {
                let (left, same) = self.copied(left)?;
                conditions.extend(same);
                (left, right)
            }
            (true, true, false) => {
                let (right, same) = self.copied(right)?;
                conditions.extend(same);
                (left, right)
            }
            _ => (left, right),
        };
        let joined = Join::try_new(
            Arc::new(left),
            Arc::new(right),
            on,
            conditions.into_iter().reduce(Expr::and),
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?;
        let columns = columns_of(&join.schema).into_iter().chain(self.columns());
        let joined = LogicalPlanBuilder::from(LogicalPlan::Join(joined));
        joined.project(columns)?.build().map(Some)
    }

    fn sort(&self, sort: &Sort) -> Result<Option<LogicalPlan>> {
        if let Some(fetch) = sort.fetch {
            return self.first_rows(&sort.input, &sort.expr, 0, Some(fetch));
        }
        let Some(input) = self.push(&sort.input)? else {
            return Ok(None);
        };
        let by = self.sorts(&sort.expr, &[Arc::clone(sort.input.schema())])?;
        let sorted = LogicalPlanBuilder::from(input).sort(by)?.build()?;
        self.without_subqueries(sorted)
    }

    fn limit(&self, limit: &Limit) -> Result<Option<LogicalPlan>> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return Ok(None);
        };
        match limit.input.as_ref() {
            // What it gives does not depend on how many rows there are: the rows are cut first.
            LogicalPlan::Projection(projection) => {
                let input = Limit {
                    input: Arc::clone(&projection.input),
                    ..limit.clone()
                };
                let input = Arc::new(LogicalPlan::Limit(input));
                let schema = Arc::clone(&projection.schema);
                let expressions = projection.expr.clone();
                self.projection(&Projection::try_new_with_schema(
                    expressions,
                    input,
                    schema,
                )?)
            }
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                self.first_rows(&sort.input, &sort.expr, skip, fetch)
            }
            _ => self.first_rows(&limit.input, &[], skip, fetch),
        }
    }

    /// The rows of a plan from one on, and no more than so many, for each of the domain.
    fn first_rows(
        &self,
        plan: &LogicalPlan,
        by: &[SortExpr],
        skip: usize,
        fetch: Option<usize>,
    ) -> Result<Option<LogicalPlan>> {
        let Some(rows) = self.push(plan)? else {
            return Ok(None);
        };
        let columns = columns_of(rows.schema());
        let by = self.sorts(by, &[Arc::clone(plan.schema())])?;
        let number = self.names.next();
        let numbered = row_number()
            .partition_by(self.columns())
            .order_by(by)
            .build()?
            .alias(&number);
        let number = Expr::Column(Column::new_unqualified(number));
        let count = |rows: usize| lit(u64::try_from(rows).unwrap_or(u64::MAX));
        let mut within = number.clone().gt(count(skip));
        if let Some(fetch) = fetch {
            within = within.and(number.lt_eq(count(skip.saturating_add(fetch))));
        }
        LogicalPlanBuilder::from(rows)
            .window([numbered])?
            .filter(within)?
            .project(columns)?
            .build()
            .map(Some)
    }

    fn alias(&self, alias: &SubqueryAlias) -> Result<Option<LogicalPlan>> {
        match self.push(&alias.input)? {
            Some(rows) => self.renamed(rows, &alias.input, &alias.schema).map(Some),
            None => Ok(None),
        }
    }

    fn distinct(&self, distinct: &Distinct) -> Result<Option<LogicalPlan>> {
        let Some(input) = self.push(distinct.input())? else {
            return Ok(None);
        };
        let builder = LogicalPlanBuilder::from(input);
        let on = match distinct {
            Distinct::All(_) => return builder.distinct()?.build().map(Some),
            Distinct::On(on) => on,
        };
        let inputs = [Arc::clone(on.input.schema())];
        let select = self
            .all(&on.select_expr, &inputs)?
            .into_iter()
            .chain(self.columns());
        let keys = self.all(&on.on_expr, &inputs)?;
        let keys = self.columns().into_iter().chain(keys).collect();
        let sorts = on.sort_expr.as_ref().map(|sorts| {
            let own = self
                .columns()
                .into_iter()
                .map(|column| column.sort(true, true));
            Ok::<_, datafusion::common::DataFusionError>(
                own.chain(self.sorts(sorts, &inputs)?).collect(),
            )
        });
        let rows = builder.distinct_on(keys, select.collect(), sorts.transpose()?)?;
        rows.build().map(Some)
    }

    fn union(&self, union: &Union) -> Result<Option<LogicalPlan>> {
        let mut inputs = Vec::with_capacity(union.inputs.len());
        for input in &union.inputs {
            let Some(rows) = self.push(input)? else {
                return Ok(None);
            };
            inputs.push(Arc::new(self.renamed(rows, input, &union.schema)?));
        }
        let all = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
        // By place, for a union may take the qualifiers of its inputs' columns away.
        let columns = columns_of(all.schema()).into_iter();
        let own = self.columns();
        let own = own
            .into_iter()
            .map(|column| column.schema_name().to_string());
        let named = union
            .schema
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), field.name().clone()))
            .chain(own.map(|name| (None, name)));
        let renamed = columns
            .zip(named)
            .map(|(column, (qualifier, name))| column.alias_qualified(qualifier, name));
        LogicalPlanBuilder::from(all)
            .project(renamed)?
            .build()
            .map(Some)
    }

    fn window(&self, window: &Window) -> Result<Option<LogicalPlan>> {
        let Some(input) = self.push(&window.input)? else {
            return Ok(None);
        };
        let inputs = [Arc::clone(window.input.schema())];
        let expressions = self.all(&window.window_expr, &inputs)?.into_iter();
        let preserver = NamePreserver::new_for_projection();
        let expressions = expressions.map(|expression| {
            let name = preserver.save(&expression);
            let within = expression.transform(|inner| match inner {
                Expr::WindowFunction(mut call) => {
                    let WindowFunction { params, .. } = call.as_mut();
                    params.partition_by.extend(self.columns());
                    Ok(Transformed::yes(Expr::WindowFunction(call)))
                }
                other => Ok(Transformed::no(other)),
            })?;
            Ok(name.restore(within.data))
        });
        let expressions = expressions.collect::<Result<Vec<Expr>>>()?;
        let windowed = LogicalPlanBuilder::from(input)
            .window(expressions)?
            .build()?;
        self.without_subqueries(windowed)
    }

    fn unnest(&self, unnest: &Unnest) -> Result<Option<LogicalPlan>> {
        let Some(input) = self.push(&unnest.input)? else {
            return Ok(None);
        };
        LogicalPlanBuilder::from(input)
            .unnest_columns_with_options(unnest.exec_columns.clone(), unnest.options.clone())?
            .build()
            .map(Some)
    }

    fn values(&self, values: &Values) -> Result<Option<LogicalPlan>> {
        let mut rows = Vec::with_capacity(values.values.len());
        for row in &values.values {
            let named = row.iter().zip(values.schema.iter());
            let named = named.map(|(expression, (qualifier, field))| {
                let expression = self.replace(expression.clone(), &[])?;
                Ok(expression.alias_qualified(qualifier.cloned(), field.name()))
            });
            let named = named.collect::<Result<Vec<Expr>>>()?;
            let row = LogicalPlanBuilder::from(self.plan.clone())
                .project(named.into_iter().chain(self.columns()))?
                .build()?;
            rows.push(row);
        }
        let mut rows = rows.into_iter();
        let Some(first) = rows.next() else {
            return Ok(None);
        };
        let mut all = LogicalPlanBuilder::from(first);
        for row in rows {
            all = all.union(row)?;
        }
        all.build().map(Some)
    }
}

/// An aggregate of only those rows of which a condition is true.
fn filtered(aggregate: Expr, condition: &Expr) -> Result<Expr> {
    let filtered = aggregate.transform(|inner| match inner {
        Expr::AggregateFunction(mut call) => {
            let own = call.params.filter.take();
            let both = match own {
                Some(own) => condition.clone().and(*own),
                None => condition.clone(),
            };
            call.params.filter = Some(Box::new(both));
            Ok(Transformed::yes(Expr::AggregateFunction(call)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(filtered.data)
}
