//! What a subquery reads of the rows around it: its domain, the distinct values of those columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::logical_plan::Subquery;
use datafusion::logical_expr::{
    Expr, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr,
};

use super::super::lookup::subquery_of;
use super::Names;

/// The distinct values that a subquery depends on, under names of their own.
pub(super) struct Domain<'a> {
    /// Gives the columns, each combination once.
    pub(super) plan: LogicalPlan,
    /// The columns of the outer rows, in the order of the domain's.
    outer: Vec<Column>,
    /// Their names here.
    own: Vec<Column>,
    pub(super) names: &'a Names,
}

impl<'a> Domain<'a> {
    /// Of these columns of a plan; `None` if it would not give the same rows twice.
    pub(super) fn of(
        plan: &LogicalPlan,
        outer: Vec<Column>,
        names: &'a Names,
    ) -> Result<Option<Self>> {
        let plan = source(plan, &outer);
        if is_volatile(plan)? {
            return Ok(None);
        }
        let own: Vec<Column> = outer
            .iter()
            .map(|_| Column::new_unqualified(names.next()))
            .collect();
        let named = outer.iter().zip(&own);
        let named = named.map(|(column, own)| Expr::Column(column.clone()).alias(own.name()));
        let plan = LogicalPlanBuilder::from(plan.clone())
            .project(named)?
            .distinct()?
            .build()?;
        Ok(Some(Self {
            plan,
            outer,
            own,
            names,
        }))
    }

    /// Its columns.
    pub(super) fn columns(&self) -> Vec<Expr> {
        self.own.iter().cloned().map(Expr::Column).collect()
    }

    /// What an outer column is called here.
    pub(super) fn column_of(&self, outer: &Column) -> Column {
        let index = self.outer.iter().position(|column| column == outer);
        self.own[index.expect("it was given with the others")].clone()
    }

    /// Joins rows that have the domain's columns to those that it was made of.
    pub(super) fn join(
        &self,
        outer: LogicalPlan,
        rows: LogicalPlan,
        join_type: JoinType,
    ) -> Result<LogicalPlan> {
        self.join_on(outer, rows, join_type, Vec::new())
    }

    /// The same under more conditions.
    pub(super) fn join_on(
        &self,
        outer: LogicalPlan,
        rows: LogicalPlan,
        join_type: JoinType,
        mut conditions: Vec<Expr>,
    ) -> Result<LogicalPlan> {
        let pairs = self.outer.iter().zip(&self.own);
        conditions.extend(
            pairs.map(|(outer, own)| same(Expr::Column(outer.clone()), Expr::Column(own.clone()))),
        );
        LogicalPlanBuilder::from(outer)
            .join_on(rows, join_type, conditions)?
            .build()
    }

    /// The same columns under other names, so that rows of two plans can be joined; and the
    /// conditions of that join.
    pub(super) fn copied(&self, rows: LogicalPlan) -> Result<(LogicalPlan, Vec<Expr>)> {
        let (mut columns, mut conditions) = (Vec::new(), Vec::new());
        for (qualifier, field) in rows.schema().iter() {
            let column = Column::new(qualifier.cloned(), field.name());
            match self.own.contains(&column) {
                true => {
                    let copy = self.names.next();
                    columns.push(Expr::Column(column.clone()).alias(&copy));
                    let copy = Expr::Column(Column::new_unqualified(copy));
                    conditions.push(same(Expr::Column(column), copy));
                }
                false => columns.push(Expr::Column(column)),
            }
        }
        let copied = LogicalPlanBuilder::from(rows).project(columns)?.build()?;
        Ok((copied, conditions))
    }

    /// The columns of `of` as `schema` names them, and the domain's.
    pub(super) fn renamed(
        &self,
        rows: LogicalPlan,
        of: &LogicalPlan,
        schema: &DFSchema,
    ) -> Result<LogicalPlan> {
        let renamed = of.schema().iter().zip(schema.iter());
        let renamed = renamed.map(|((of, field), (qualifier, name))| {
            Expr::Column(Column::new(of.cloned(), field.name()))
                .alias_qualified(qualifier.cloned(), name.name())
        });
        LogicalPlanBuilder::from(rows)
            .project(renamed.chain(self.columns()))?
            .build()
    }

    /// Whether a plan, or a subquery in it, names a column of the outer rows.
    pub(super) fn is_named_in(&self, plan: &LogicalPlan) -> Result<bool> {
        let mut is_named = false;
        plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expression| {
                is_named |= self.is_named_by(expression)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(is_named)
    }

    /// Whether an expression itself names one.
    pub(super) fn is_named_by(&self, expression: &Expr) -> Result<bool> {
        expression.exists(|inner| {
            Ok(match inner {
                Expr::OuterReferenceColumn(_, column) => self.outer.contains(column),
                other => subquery_of(other).is_some_and(|subquery| {
                    let columns = subquery.outer_ref_columns.iter();
                    columns.into_iter().any(|it| match it {
                        Expr::OuterReferenceColumn(_, column) => self.outer.contains(column),
                        _ => false,
                    })
                }),
            })
        })
    }

    /// An expression of a node of the subquery, over an input that has the domain's columns. `inputs`
    /// are the node's own: a subquery below it that names one of their columns means that.
    pub(super) fn replace(&self, expression: Expr, inputs: &[DFSchemaRef]) -> Result<Expr> {
        let own = |column: &Column| {
            let known = self.outer.contains(column);
            known.then(|| self.column_of(column))
        };
        let replaced = expression.transform_down(|expression| match &expression {
            Expr::OuterReferenceColumn(_, column) => Ok(match own(column) {
                Some(column) => Transformed::yes(Expr::Column(column)),
                None => Transformed::no(expression),
            }),
            _ => rename_in_subquery(expression, &own, inputs),
        })?;
        Ok(replaced.data)
    }
}

/// What of a plan gives these columns: of tables that are named side by side, each row with each, the one that has them.
fn source<'a>(plan: &'a LogicalPlan, columns: &[Column]) -> &'a LogicalPlan {
    let LogicalPlan::Join(join) = plan else {
        return plan;
    };
    let is_cross = join.join_type == JoinType::Inner && join.on.is_empty() && join.filter.is_none();
    if !is_cross || columns.is_empty() {
        return plan;
    }
    let has_all = |side: &LogicalPlan| {
        let schema = side.schema();
        columns.iter().all(|column| schema.has_column(column))
    };
    match (has_all(&join.left), has_all(&join.right)) {
        (true, _) => source(&join.left, columns),
        (_, true) => source(&join.right, columns),
        _ => plan,
    }
}

/// Another name for a column of the rows around a subquery.
type Rename<'a> = &'a dyn Fn(&Column) -> Option<Column>;

/// Whether two values are equal or both null.
fn same(left: Expr, right: Expr) -> Expr {
    binary_expr(left, Operator::IsNotDistinctFrom, right)
}

/// Renames outer columns in an expression that is a subquery, in a node of these inputs.
fn rename_in_subquery(
    mut expression: Expr,
    rename: Rename<'_>,
    inputs: &[DFSchemaRef],
) -> Result<Transformed<Expr>> {
    let subquery = match &mut expression {
        Expr::ScalarSubquery(subquery)
        | Expr::Exists(Exists { subquery, .. })
        | Expr::InSubquery(InSubquery { subquery, .. })
        | Expr::SetComparison(SetComparison { subquery, .. }) => subquery,
        _ => return Ok(Transformed::no(expression)),
    };
    let rename: Rename<'_> = &|column| match inputs.iter().any(|it| it.has_column(column)) {
        true => None,
        false => rename(column),
    };
    let plan = subquery.subquery.as_ref().clone().transform_up(|node| {
        let inputs: Vec<DFSchemaRef> = node
            .inputs()
            .iter()
            .map(|it| Arc::clone(it.schema()))
            .collect();
        node.map_expressions(|expression| rename_outer(expression, rename, &inputs))
    })?;
    if !plan.transformed {
        return Ok(Transformed::no(expression));
    }
    let outer = std::mem::take(&mut subquery.outer_ref_columns).into_iter();
    let outer = outer.map(|column| Ok(rename_outer(column, rename, &[])?.data));
    *subquery = Subquery {
        subquery: Arc::new(plan.data),
        outer_ref_columns: outer.collect::<Result<_>>()?,
        spans: subquery.spans.clone(),
    };
    Ok(Transformed::yes(expression))
}

fn rename_outer(
    expression: Expr,
    rename: Rename<'_>,
    inputs: &[DFSchemaRef],
) -> Result<Transformed<Expr>> {
    expression.transform_down(|inner| match &inner {
        Expr::OuterReferenceColumn(field, column) => Ok(match rename(column) {
            Some(own) => Transformed::yes(Expr::OuterReferenceColumn(Arc::clone(field), own)),
            None => Transformed::no(inner),
        }),
        _ => rename_in_subquery(inner, rename, inputs),
    })
}

/// The columns of `scope` that a subquery names, in a fixed order.
pub(super) fn outer_columns(subquery: &Subquery, scope: &DFSchema) -> Result<Vec<Column>> {
    let mut columns = BTreeSet::new();
    subquery.subquery.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|inner| {
                if let Expr::OuterReferenceColumn(_, column) = inner
                    && scope.has_column(column)
                {
                    columns.insert(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(columns.into_iter().collect())
}

/// Whether a plan names columns of any rows around it.
pub(super) fn names_outer(plan: &LogicalPlan) -> bool {
    let mut names = false;
    let walked = plan.apply_with_subqueries(|node| {
        names |= node.contains_outer_reference();
        Ok(match names {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    });
    walked.is_err() || names
}

fn is_volatile(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            found |= expression.is_volatile();
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}
