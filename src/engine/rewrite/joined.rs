//! Groupings of joins that are answered from views of one of the joined relations.
//!
//! Its rows are grouped before they are joined, by all that the joins, the conditions and the groups ask of them: so each
//! row of such a group is joined to the same, as often, and the group stands for them. A sum of joined rows is then a
//! sum of joined sums. What is grouped first is a grouping of one relation, and a view may have it.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, JoinType, Result as DataFusionResult};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::logical_plan::{Aggregate, Join};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::derive::Known;
use super::matched::{Asked, known_of};
use super::reason::Reason;
use super::roll_up::{IDLE, UNORDERED};
use crate::engine::stored::shape::{Call, Groups, Shape, is_of_row};
use crate::engine::stored::state_rows::StateRows;

/// What the groups of a relation are called where they are joined. SQL text holds no such name.
const GROUPS: &str = "\u{1}groups";

/// A grouping of joined relations.
pub(super) struct Joined<'a> {
    /// The joins.
    tree: &'a LogicalPlan,
    /// Conditions on joined rows, and their groups, over the columns of the joins.
    filter: Vec<Expr>,
    groups: Groups,
    /// The columns that are asked for.
    schema: &'a DFSchemaRef,
}

/// A relation among those that are joined, of which every row that comes out of the joins is one.
pub(super) struct Member<'a> {
    /// Where it is among the joins: from the outermost in, whether to the right.
    place: Vec<bool>,
    plan: &'a LogicalPlan,
    pub(super) shape: Shape,
}

/// The groups of a member that are joined in place of its rows.
struct Grouped {
    /// Gives them: keys, then calls.
    plan: LogicalPlan,
    keys: Vec<Expr>,
    calls: Vec<Call>,
    /// The conditions that are asked of joined rows.
    left: Vec<Expr>,
}

impl<'a> Joined<'a> {
    /// That of a node; `None` if it is something else.
    pub(super) fn of(node: &'a LogicalPlan) -> Option<Self> {
        let LogicalPlan::Aggregate(aggregate) = node else {
            return None;
        };
        let mut tree = aggregate.input.as_ref();
        while !matches!(tree, LogicalPlan::Join(_)) {
            tree = match tree {
                LogicalPlan::Projection(it) => &it.input,
                LogicalPlan::Filter(it) => &it.input,
                LogicalPlan::SubqueryAlias(it) => &it.input,
                _ => return None,
            };
        }
        let shape = Shape::of_joins(node).ok()?;
        Some(Self {
            tree,
            filter: shape.filter,
            groups: shape.groups?,
            schema: node.schema(),
        })
    }

    /// The relations of which groups may be joined in place of rows.
    pub(super) fn members(&self) -> Vec<Member<'a>> {
        let mut found = Vec::new();
        members(self.tree, &mut Vec::new(), &mut found);
        found
    }

    /// What is asked for, of a view of a member, which has this shape and these rows.
    ///
    /// # Errors
    /// Why it does not follow from them.
    pub(super) fn answered(
        &self,
        member: &Member<'_>,
        (view, rows): (&Shape, &StateRows),
        (state, floats): (&SessionState, bool),
    ) -> Result<LogicalPlan, Reason> {
        let base = DFSchema::try_from(member.shape.base.source.schema());
        let base = base.map_err(|_| Reason::Type)?;
        let known = known_of(&base, view, rows);
        let has = |expression: &Expr| {
            let expression = member.shape.expressed(expression, member.plan.schema());
            expression.is_ok_and(|it| known.has(&it))
        };
        let groups = self.grouped(member, &has, state)?;
        let shape = Shape::of(&groups.plan).map_err(|_| Reason::QueryShape)?;
        let asked = Asked::new(&groups.plan, shape, state, floats);
        let asked = asked.map_err(|_| Reason::Type)?;
        let plan = asked.answered(view, rows)?;
        self.of_groups(member, &groups, plan, (state, floats))
    }

    /// The groups of a member that give the same as its rows. Of what is asked of the member only that is computed
    /// before the joins which a view `has`: what fails may not be asked of rows that the joins leave out.
    fn grouped(
        &self,
        member: &Member<'_>,
        has: &dyn Fn(&Expr) -> bool,
        state: &SessionState,
    ) -> Result<Grouped, Reason> {
        let mut others = Vec::new();
        besides(self.tree, &member.place, &mut others);
        if others.iter().any(|it| !it.all_out_ref_exprs().is_empty()) {
            return Err(Reason::QueryShape);
        }
        let mut making = Making {
            own: member.plan.schema(),
            has,
            keys: Vec::new(),
            calls: Vec::new(),
        };
        let (own, left): (Vec<Expr>, Vec<Expr>) = self
            .filter
            .iter()
            .cloned()
            .partition(|it| making.is_own(it));
        joins_of(self.tree, &member.place, &mut |join| {
            let on = join.on.iter().flat_map(|(left, right)| [left, right]);
            for expression in on.chain(&join.filter) {
                is_of_row(expression).map_err(|_| Reason::QueryShape)?;
                making.key(expression);
            }
            Ok(())
        })?;
        for expression in self.groups.keys.iter().chain(&left) {
            making.key(expression);
        }
        for call in &self.groups.calls {
            making.call(call, state)?;
        }
        // Without keys there is one group, also where the relation has no rows.
        if making.keys.is_empty() {
            return Err(Reason::Keys);
        }
        let Making { keys, calls, .. } = making;
        let plan = grouped(member.plan, own, (&keys, &calls)).map_err(|_| Reason::Type)?;
        Ok(Grouped {
            plan,
            keys,
            calls,
            left,
        })
    }

    /// What is asked for, of groups of a member that `plan` gives.
    fn of_groups(
        &self,
        member: &Member<'_>,
        groups: &Grouped,
        plan: LogicalPlan,
        (state, floats): (&SessionState, bool),
    ) -> Result<LogicalPlan, Reason> {
        let plan = LogicalPlanBuilder::from(plan).alias(GROUPS);
        let plan = plan.and_then(LogicalPlanBuilder::build);
        let plan = plan.map_err(|_| Reason::Type)?;
        let mut others = Vec::new();
        besides(self.tree, &member.place, &mut others);
        let all = |own: &LogicalPlan| {
            let schemas = std::iter::once(own).chain(others.iter().copied());
            all_columns(schemas.map(|plan| plan.schema()))
        };
        let base = Arc::new(all(member.plan).map_err(|_| Reason::Type)?);
        let rows = all(&plan).map_err(|_| Reason::Type)?;
        let others = others.iter().flat_map(|plan| plan.schema().columns());
        let others: Vec<(Expr, Column)> = others.map(|it| (Expr::Column(it.clone()), it)).collect();
        let mut columns = plan.schema().columns().into_iter();
        let keys: Vec<(&Expr, Column)> = groups.keys.iter().zip(columns.by_ref()).collect();
        let calls: Vec<(Call, Column)> = groups.calls.iter().cloned().zip(columns).collect();
        let keys = keys.iter().map(|(key, column)| (*key, column));
        let others = others.iter().map(|(other, column)| (other, column));
        let known = Known::new(&base, keys.chain(others), &rows);
        let tree = rebuilt(self.tree, &member.place, &plan, &known)?;
        let left = known.all(&groups.left).ok_or(Reason::Filter)?;
        let plan = match conjunction(left) {
            Some(condition) => LogicalPlanBuilder::from(tree)
                .filter(condition)
                .and_then(LogicalPlanBuilder::build)
                .map_err(|_| Reason::Type)?,
            None => tree,
        };
        let asked = Asked::of_groups(member.shape.clone(), (self.schema, &base), state, floats);
        asked.rolled_up(plan, &self.groups, (&calls, false), &known)
    }
}

/// Those below a plan of joins that keep each of their rows, or leave it out.
fn members<'a>(plan: &'a LogicalPlan, place: &mut Vec<bool>, found: &mut Vec<Member<'a>>) {
    let LogicalPlan::Join(join) = plan else {
        if let Ok(shape) = Shape::of(plan)
            && shape.groups.is_none()
        {
            found.push(Member {
                place: place.clone(),
                plan,
                shape,
            });
        }
        return;
    };
    for (is_right, below) in [(false, &join.left), (true, &join.right)] {
        let is_kept = match join.join_type {
            JoinType::Inner => true,
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => !is_right,
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => is_right,
            JoinType::Full | JoinType::LeftMark | JoinType::RightMark => false,
        };
        if is_kept {
            place.push(is_right);
            members(below, place, found);
            place.pop();
        }
    }
}

/// The joins on the way to a place.
fn joins_of(
    plan: &LogicalPlan,
    place: &[bool],
    each: &mut impl FnMut(&Join) -> Result<(), Reason>,
) -> Result<(), Reason> {
    match (plan, place) {
        (LogicalPlan::Join(join), [is_right, place @ ..]) => {
            each(join)?;
            joins_of(side(join, *is_right), place, each)
        }
        _ => Ok(()),
    }
}

fn side(join: &Join, is_right: bool) -> &LogicalPlan {
    match is_right {
        true => &join.right,
        false => &join.left,
    }
}

/// The joins with other rows at a place, by what is known of those.
fn rebuilt(
    plan: &LogicalPlan,
    place: &[bool],
    rows: &LogicalPlan,
    known: &Known<'_>,
) -> Result<LogicalPlan, Reason> {
    let (LogicalPlan::Join(join), [is_right, place @ ..]) = (plan, place) else {
        return Ok(rows.clone());
    };
    let below = Arc::new(rebuilt(side(join, *is_right), place, rows, known)?);
    let (left, right) = match is_right {
        true => (Arc::clone(&join.left), below),
        false => (below, Arc::clone(&join.right)),
    };
    let derived = |it: &Expr| known.derived(it).ok_or(Reason::Keys);
    let on = join.on.iter();
    let on = on.map(|(left, right)| Ok((derived(left)?, derived(right)?)));
    let joined = Join::try_new(
        left,
        right,
        on.collect::<Result<_, Reason>>()?,
        join.filter.as_ref().map(derived).transpose()?,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    );
    Ok(LogicalPlan::Join(joined.map_err(|_| Reason::Type)?))
}

/// What is joined to the rows of a place.
fn besides<'a>(plan: &'a LogicalPlan, place: &[bool], found: &mut Vec<&'a LogicalPlan>) {
    if let (LogicalPlan::Join(join), [is_right, place @ ..]) = (plan, place) {
        found.push(side(join, !*is_right));
        besides(side(join, *is_right), place, found);
    }
}

/// The columns of all, those of semi-joins among them, which do not come out of the joins.
fn all_columns<'a>(schemas: impl Iterator<Item = &'a DFSchemaRef>) -> DataFusionResult<DFSchema> {
    let fields = schemas.flat_map(|schema| schema.iter());
    let fields = fields.map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)));
    DFSchema::new_with_metadata(fields.collect(), HashMap::new())
}

/// Groups of the rows of a plan that meet conditions.
fn grouped(
    plan: &LogicalPlan,
    filter: Vec<Expr>,
    (keys, calls): (&[Expr], &[Call]),
) -> DataFusionResult<LogicalPlan> {
    let mut plan = LogicalPlanBuilder::from(plan.clone());
    if let Some(condition) = conjunction(filter) {
        plan = plan.filter(condition)?;
    }
    let keys = keys.iter().enumerate();
    let keys = keys.map(|(number, key)| key.clone().alias(format!("key_{number}")));
    let calls = calls.iter().enumerate();
    let calls = calls.map(|(number, call)| call.to_expr().alias(format!("call_{number}")));
    let grouped = Aggregate::try_new(Arc::new(plan.build()?), keys.collect(), calls.collect())?;
    Ok(LogicalPlan::Aggregate(grouped))
}

/// Groups of a member that are being found.
struct Making<'a> {
    /// Its columns.
    own: &'a DFSchema,
    has: &'a dyn Fn(&Expr) -> bool,
    keys: Vec<Expr>,
    calls: Vec<Call>,
}

impl Making<'_> {
    /// Whether an expression is of the member's columns alone.
    fn is_own(&self, expression: &Expr) -> bool {
        let columns = expression.column_refs();
        !columns.is_empty() && columns.iter().all(|it| self.own.has_column(it))
    }

    fn mentions(&self, expression: &Expr) -> bool {
        let columns = expression.column_refs();
        columns.iter().any(|it| self.own.has_column(it))
    }

    /// What an expression asks of the member becomes keys: as much of it at once as there is.
    fn key(&mut self, expression: &Expr) {
        let is_whole = matches!(expression, Expr::Column(_)) || (self.has)(expression);
        if self.is_own(expression) && is_whole {
            if !self.keys.contains(expression) {
                self.keys.push(expression.clone());
            }
        } else if self.mentions(expression) {
            for child in children(expression) {
                self.key(child);
            }
        }
    }

    /// What a call asks of the member becomes keys, or calls of its groups.
    fn call(&mut self, call: &Call, state: &SessionState) -> Result<(), Reason> {
        let own = call.filter.clone().filter(|filter| self.is_own(filter));
        if let Some(filter) = call.filter.as_ref().filter(|_| own.is_none()) {
            self.key(filter);
        }
        let name = call.function.name();
        if !call.order_by.is_empty() || !(IDLE.contains(&name) || UNORDERED.contains(&name)) {
            return Err(Reason::Aggregate);
        }
        let count = |arguments: Vec<Expr>| Call {
            function: count_udaf(),
            arguments,
            filter: own.clone(),
            is_distinct: false,
            order_by: Vec::new(),
            nulls: None,
        };
        if name == "count" && !call.is_distinct {
            // Of how many rows a group is made, as often as it is joined.
            self.add(count(vec![lit(1_i64)]));
        }
        let is_own = call.arguments.iter().all(|it| self.is_own(it));
        if call.is_distinct || !is_own {
            for argument in &call.arguments {
                self.key(argument);
            }
            return Ok(());
        }
        match name {
            "count" if call.counts_rows() => {}
            "count" => self.add(count(call.arguments.clone())),
            "avg" => {
                let sum = state.udaf("sum").map_err(|_| Reason::Aggregate)?;
                self.add(count(call.arguments.clone()));
                self.add(Call {
                    function: sum,
                    filter: own,
                    ..call.clone()
                });
            }
            _ => self.add(Call {
                filter: own,
                ..call.clone()
            }),
        }
        Ok(())
    }

    fn add(&mut self, call: Call) {
        if !self.calls.contains(&call) {
            self.calls.push(call);
        }
    }
}

/// The expressions right in an expression.
fn children(expression: &Expr) -> Vec<&Expr> {
    let mut found = Vec::new();
    // The step never fails.
    drop(expression.apply_children(|child| {
        found.push(child);
        Ok(TreeNodeRecursion::Continue)
    }));
    found
}
