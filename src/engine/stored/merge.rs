//! Plans that give keys and states of groups: of rows, of what is stored, and of both with what came and went.
//!
//! Each has the columns [`key_name`] and [`state_name`] in order, with the types of [`States`], whatever it is made of.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, DFSchema, DataFusionError, JoinType, NullEquality, Result};
use datafusion::datasource::provider_as_source;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast, lit, when,
};

use super::states::{
    State, StateKind, States, key_column, key_name, null, state_column, state_name,
};

/// Whether a state of a group is not known any more, where that may be.
pub(super) const UNDECIDED: &str = "undecided";

/// Digits of what counts and sums are added up in: all that there are.
const DIGITS: u8 = 38;

/// The states of rows.
pub(super) fn of_rows(states: &States, rows: &Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    let plan = read(states, rows)?;
    let keys = states.keys.iter().enumerate();
    let keys = keys.map(|(number, key)| key.expression.clone().alias(key_name(number)));
    plan.aggregate(keys, calls_of(states))?.build()
}

/// The states of each row by itself.
pub(super) fn of_each(states: &States, rows: &Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    let plan = read(states, rows)?;
    let keys = states.keys.iter().enumerate();
    let keys = keys.map(|(number, key)| {
        let own = typed(key.expression.clone(), &key.data_type, plan.schema())?;
        Ok(own.alias(key_name(number)))
    });
    let kept = states.states.iter().enumerate();
    let kept = kept.map(|(number, state)| {
        let own = of_one(state, plan.schema())?;
        Ok(own.alias(state_name(number)))
    });
    let columns = keys.chain(kept).collect::<Result<Vec<_>>>()?;
    plan.project(columns)?.build()
}

/// The rows that a view groups.
fn read(states: &States, rows: &Arc<dyn TableProvider>) -> Result<LogicalPlanBuilder> {
    let source = provider_as_source(Arc::clone(rows));
    let mut plan = LogicalPlanBuilder::scan("rows", source, None)?;
    for condition in &states.shape.filter {
        plan = plan.filter(condition.clone())?;
    }
    Ok(plan)
}

/// A state of a group of one row.
fn of_one(state: &State, schema: &DFSchema) -> Result<Expr> {
    let call = &state.call;
    let filter = call.filter.clone();
    let argument = call.arguments.first();
    let argument = argument.ok_or_else(|| DataFusionError::Internal(call.to_expr().to_string()))?;
    let counted = |condition: Option<Expr>| match condition {
        Some(condition) => when(condition, lit(1_i64)).otherwise(lit(0_i64)),
        None => Ok(lit(1_i64)),
    };
    let own = match (state.kind, filter) {
        (StateKind::Count, filter) if call.counts_rows() => counted(filter)?,
        (StateKind::Count, None) => counted(Some(argument.clone().is_not_null()))?,
        (StateKind::Count, Some(filter)) => {
            // The argument is looked at only where the filter is met: elsewhere it may fail.
            when(filter, counted(Some(argument.clone().is_not_null()))?).otherwise(lit(0_i64))?
        }
        (_, None) => argument.clone(),
        (_, Some(filter)) => when(filter, argument.clone()).end()?,
    };
    typed(own, &state.data_type, schema)
}

/// The states that are stored in columns of these names, the keys' first.
pub(super) fn of_stored(
    states: &States,
    stored: &Arc<dyn TableProvider>,
    columns: &[String],
) -> Result<LogicalPlan> {
    let source = provider_as_source(Arc::clone(stored));
    let plan = LogicalPlanBuilder::scan("stored", source, None)?;
    let keys = states.keys.iter().enumerate();
    let keys = keys.map(|(number, key)| (key_name(number), &key.data_type));
    let kept = states.states.iter().enumerate();
    let kept = kept.map(|(number, state)| (state_name(number), &state.data_type));
    let named = columns.iter().zip(keys.chain(kept));
    let named = named.map(|(column, (name, data_type))| {
        let column = Expr::Column(Column::new_unqualified(column));
        let column = typed(column, data_type, plan.schema())?;
        Ok(column.alias(name))
    });
    let named = named.collect::<Result<Vec<_>>>()?;
    plan.project(named)?.build()
}

/// What is put together.
pub(super) struct Parts {
    /// The states that are stored.
    pub(super) stored: LogicalPlan,
    /// Those of the rows that came since.
    pub(super) added: Option<LogicalPlan>,
    /// Those of the rows that went.
    pub(super) removed: Option<LogicalPlan>,
}

/// The states of all together. If rows went and there are extremes, [`UNDECIDED`] is one column more: whether what is
/// left of a group's extremes is not known.
pub(super) fn merged(states: &States, parts: Parts, session: &SessionState) -> Result<LogicalPlan> {
    let takes_away = parts.removed.is_some();
    let mut plan = side(states, parts.stored, Side::Stored, takes_away)?;
    for (part, is_side) in [(parts.added, Side::Added), (parts.removed, Side::Removed)] {
        if let Some(part) = part {
            plan = plan.union(side(states, part, is_side, takes_away)?.build()?)?;
        }
    }
    let sum = session.udaf("sum")?;
    let keys = (0..states.keys.len()).map(key_column).collect::<Vec<_>>();
    let mut calls = Vec::new();
    for (number, state) in states.states.iter().enumerate() {
        let least = state.kind == StateKind::Least;
        let extreme = |name: String| {
            let column = Expr::Column(Column::new_unqualified(&name));
            let extreme = if least { min(column) } else { max(column) };
            extreme.alias(name)
        };
        match state.kind {
            StateKind::Count | StateKind::Sum => {
                let added_up = sum.call(vec![state_column(number)]);
                calls.push(added_up.alias(state_name(number)));
            }
            StateKind::Least | StateKind::Greatest => {
                calls.push(extreme(state_name(number)));
                if takes_away {
                    calls.push(extreme(came_name(number)));
                    calls.push(extreme(went_name(number)));
                }
            }
        }
    }
    let mut plan = plan.aggregate(keys.clone(), calls)?;
    if !keys.is_empty() && takes_away {
        plan =
            plan.filter(state_column(0).gt(cast(lit(0_i64), DataType::Decimal128(DIGITS, 0))))?;
    }
    let mut columns = keys;
    for number in 0..states.states.len() {
        let state = settled(states, number, takes_away, &plan)?;
        columns.push(state.alias(state_name(number)));
    }
    if takes_away && states.has_extremes() {
        columns.push(undecided(states)?.alias(UNDECIDED));
    }
    plan.project(columns)?.build()
}

/// The states that [`merged`] gives, those of groups that are [`UNDECIDED`] computed of all their `rows`.
pub(super) fn decided_of(
    states: &States,
    merged: LogicalPlan,
    rows: &Arc<dyn TableProvider>,
) -> Result<LogicalPlan> {
    let keys: Vec<Expr> = (0..states.keys.len()).map(key_column).collect();
    let kept = (0..states.states.len()).map(state_column);
    let columns: Vec<Expr> = keys.iter().cloned().chain(kept).collect();
    let is_open = Expr::Column(Column::new_unqualified(UNDECIDED));
    let known = LogicalPlanBuilder::from(merged.clone());
    let known = known.filter(is_open.clone().is_not_true())?;
    let known = known.project(columns)?;
    let open = LogicalPlanBuilder::from(merged).filter(is_open)?;
    let open = open.project(keys)?.build()?;
    let rows = read(states, rows)?;
    // Under names that no column of the relation has.
    let group = |number: usize| format!("\u{1}group_{number}");
    let mut with_keys: Vec<Expr> = rows
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let own = states.keys.iter().enumerate();
    with_keys.extend(own.map(|(number, key)| key.expression.clone().alias(group(number))));
    let numbers = 0..states.keys.len();
    let of_rows = numbers.clone().map(|it| Column::new_unqualified(group(it)));
    let of_open = numbers
        .clone()
        .map(|it| Column::new_unqualified(key_name(it)));
    let rows = rows.project(with_keys)?.join_detailed(
        open,
        JoinType::LeftSemi,
        (of_rows.collect(), of_open.collect()),
        None,
        NullEquality::NullEqualsNull,
    )?;
    let own = |it: usize| Expr::Column(Column::new_unqualified(group(it))).alias(key_name(it));
    let again = rows.aggregate(numbers.map(own), calls_of(states))?;
    known.union(again.build()?)?.build()
}

/// What computes states of rows.
fn calls_of(states: &States) -> Vec<Expr> {
    let calls = states.states.iter().enumerate();
    calls
        .map(|(number, state)| state.call.to_expr().alias(state_name(number)))
        .collect()
}

/// What a part is of the whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Stored,
    Added,
    Removed,
}

/// The extreme of rows that came, by the number of the state.
fn came_name(number: usize) -> String {
    format!("came_{number}")
}

/// The extreme of rows that went.
fn went_name(number: usize) -> String {
    format!("went_{number}")
}

/// A part with columns that are put together: numbers that are added up, those that went below zero, and extremes
/// beside each other.
fn side(
    states: &States,
    part: LogicalPlan,
    side: Side,
    takes_away: bool,
) -> Result<LogicalPlanBuilder> {
    let mut columns: Vec<Expr> = (0..states.keys.len()).map(key_column).collect();
    for (number, state) in states.states.iter().enumerate() {
        let column = state_column(number);
        match state.kind {
            StateKind::Count | StateKind::Sum => {
                let wide = cast(column, added_up_in(state));
                let signed = match side {
                    Side::Removed => Expr::Negative(Box::new(wide)),
                    Side::Stored | Side::Added => wide,
                };
                columns.push(signed.alias(state_name(number)));
            }
            StateKind::Least | StateKind::Greatest if !takes_away => columns.push(column),
            StateKind::Least | StateKind::Greatest => {
                for (of, name) in [
                    (Side::Stored, state_name(number)),
                    (Side::Added, came_name(number)),
                    (Side::Removed, went_name(number)),
                ] {
                    let own = match of == side {
                        true => column.clone(),
                        false => null(&state.data_type)?,
                    };
                    columns.push(own.alias(name));
                }
            }
        }
    }
    LogicalPlanBuilder::from(part).project(columns)
}

/// The type that a count or sum is added up in.
fn added_up_in(state: &State) -> DataType {
    match state.data_type {
        DataType::Decimal128(_, scale) => DataType::Decimal128(DIGITS, scale),
        _ => DataType::Decimal128(DIGITS, 0),
    }
}

/// A state of what was put together, in its own type.
fn settled(
    states: &States,
    number: usize,
    takes_away: bool,
    plan: &LogicalPlanBuilder,
) -> Result<Expr> {
    let state = &states.states[number];
    let column = match state.kind {
        StateKind::Count | StateKind::Sum => {
            typed(state_column(number), &state.data_type, plan.schema())?
        }
        StateKind::Least | StateKind::Greatest if takes_away => chosen(state, number)?,
        StateKind::Least | StateKind::Greatest => state_column(number),
    };
    let Some(n_values) = state.counted_by.filter(|_| takes_away) else {
        return Ok(column);
    };
    let nothing = cast(lit(0_i64), DataType::Decimal128(DIGITS, 0));
    when(state_column(n_values).eq(nothing), null(&state.data_type)?).otherwise(column)
}

/// The better of the stored extreme and that of what came, where what went leaves the stored one.
fn chosen(state: &State, number: usize) -> Result<Expr> {
    let (own, came, _) = columns_of(number);
    when(own.clone().is_null(), came.clone())
        .when(came.clone().is_null(), own.clone())
        .when(is_better(state, came.clone(), own.clone()), came)
        .otherwise(own)
}

/// Whether an extreme of a group is not known: the stored one may have gone, and what came is not as good.
fn undecided(states: &States) -> Result<Expr> {
    let nothing = cast(lit(0_i64), DataType::Decimal128(DIGITS, 0));
    let mut all = lit(false);
    for (number, state) in states.states.iter().enumerate() {
        let (StateKind::Least | StateKind::Greatest, Some(n_values)) =
            (state.kind, state.counted_by)
        else {
            continue;
        };
        let (own, came, went) = columns_of(number);
        // Nothing went, or nothing as good as the stored one.
        let is_left = went
            .clone()
            .is_null()
            .or(is_better(state, own.clone(), went));
        let is_matched = came
            .clone()
            .is_not_null()
            .and(is_better(state, own.clone(), came).is_not_true());
        let is_known = state_column(n_values)
            .eq(nothing.clone())
            .or(own.is_null())
            .or(is_left)
            .or(is_matched);
        all = all.or(is_known.is_not_true());
    }
    Ok(all)
}

/// The stored extreme, that of what came, and that of what went.
fn columns_of(number: usize) -> (Expr, Expr, Expr) {
    let column = |name: String| Expr::Column(Column::new_unqualified(name));
    (
        state_column(number),
        column(came_name(number)),
        column(went_name(number)),
    )
}

/// Whether one extreme goes before another.
fn is_better(state: &State, one: Expr, other: Expr) -> Expr {
    match state.kind {
        StateKind::Greatest => one.gt(other),
        StateKind::Least | StateKind::Count | StateKind::Sum => one.lt(other),
    }
}

/// An expression in a type, cast if it is of another.
pub(super) fn typed(expression: Expr, data_type: &DataType, schema: &DFSchema) -> Result<Expr> {
    Ok(match expression.get_type(schema)? == *data_type {
        true => expression,
        false => cast(expression, data_type.clone()),
    })
}
