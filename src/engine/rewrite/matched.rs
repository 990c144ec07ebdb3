//! The rows that a part of a plan asks for, made of the rows of a view, where that is provably the same.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result as DataFusionResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::logical_plan::Aggregate;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::derive::{Known, as_type};
use super::implied::is_implied;
use super::reason::Reason;
use super::roll_up::{RollUp, own_call, require_exact};
use crate::engine::rules::schemas;
use crate::engine::stored::shape::{Call, Groups, Part, Shape};
use crate::engine::stored::state_rows::StateRows;

/// A part of a plan that might be answered by a view.
pub(super) struct Asked<'a> {
    pub(super) shape: Shape,
    /// The columns that are asked for.
    schema: DFSchemaRef,
    /// The relation's columns.
    base: DFSchemaRef,
    /// The conditions on rows, in their simplest form.
    filter: Vec<Expr>,
    /// Each condition as it was written, and as conditions in their simplest form.
    conditions: Vec<(Expr, Vec<Expr>)>,
    state: &'a SessionState,
    /// Whether floating-point numbers may be added in another order.
    floats: bool,
}

impl<'a> Asked<'a> {
    /// What a part of a plan asks for.
    pub(super) fn new(
        part: &LogicalPlan,
        shape: Shape,
        state: &'a SessionState,
        floats: bool,
    ) -> DataFusionResult<Self> {
        let base = DFSchema::try_from(shape.base.source.schema())?;
        let base = Arc::new(base);
        let conditions = simplest(&shape.filter, &base, state);
        let each = conditions.iter().flat_map(|(_, simple)| simple);
        Ok(Self {
            filter: each.cloned().collect(),
            conditions,
            schema: Arc::clone(part.schema()),
            shape,
            base,
            state,
            floats,
        })
    }

    /// Groups that are made of other groups, whose `shape` is not looked at again: the columns that are asked for, of
    /// rows that have these columns.
    pub(super) fn of_groups(
        shape: Shape,
        (schema, base): (&DFSchemaRef, &DFSchemaRef),
        state: &'a SessionState,
        floats: bool,
    ) -> Self {
        Self {
            shape,
            schema: Arc::clone(schema),
            base: Arc::clone(base),
            filter: Vec::new(),
            conditions: Vec::new(),
            state,
            floats,
        }
    }

    /// The same rows of a view, under the same names and of the same types.
    ///
    /// # Errors
    /// Why it does not have them.
    pub(super) fn answered(&self, view: &Shape, rows: &StateRows) -> Result<LogicalPlan, Reason> {
        let kept = simplest(&view.filter, &self.base, self.state);
        let kept: Vec<Expr> = kept.into_iter().flat_map(|(_, simple)| simple).collect();
        if !kept
            .iter()
            .all(|condition| is_implied(condition, &self.filter))
        {
            return Err(Reason::RowsMissing);
        }
        let known = known_of(&self.base, view, rows);
        let left = self.left(&kept, &known).ok_or(Reason::Filter)?;
        let is_whole = left.is_empty();
        let read =
            |plan: &LogicalPlan| filtered(plan.clone(), left.clone()).map_err(|_| Reason::Type);
        match (&self.shape.groups, &view.groups) {
            (None, Some(_)) => Err(Reason::QueryShape),
            (_, None) if kept.is_empty() => Err(Reason::NoGain),
            (None, None) => {
                let outputs = known.all(&self.shape.outputs).ok_or(Reason::Keys)?;
                self.named(read(&rows.plan)?, outputs)
            }
            (Some(asked), None) => self.grouped(read(&rows.plan)?, asked, &known),
            // Its one row is there also where the relation has none, and a group is not.
            (Some(asked), Some(own)) if own.keys.is_empty() && !asked.keys.is_empty() => {
                Err(Reason::Keys)
            }
            (Some(asked), Some(own)) => {
                // Each of its groups is one of those asked for, and is there if that is.
                let is_own = own.keys.iter().all(|key| asked.keys.contains(key));
                if is_own
                    && (is_whole || !own.keys.is_empty())
                    && let Some(outputs) = self.as_stored(asked, rows, &known)
                {
                    return self.named(read(&rows.plan)?, outputs);
                }
                let is_one_group = own.keys.is_empty();
                let plan = read(rows.parts.as_ref().unwrap_or(&rows.plan))?;
                self.rolled_up(plan, asked, (&rows.calls, is_one_group), &known)
            }
        }
    }

    /// The conditions that a view's rows, which meet what is `kept`, are still to meet.
    fn left(&self, kept: &[Expr], known: &Known<'_>) -> Option<Vec<Expr>> {
        let mut left = Vec::new();
        for (written, simple) in &self.conditions {
            let open: Vec<Expr> = simple
                .iter()
                .filter(|condition| !is_implied(condition, kept))
                .cloned()
                .collect();
            if open.is_empty() {
                continue;
            }
            match known.all(&open) {
                Some(open) => left.extend(open),
                // A key may be a condition that has a simpler form.
                None => left.push(known.derived(written)?),
            }
        }
        Some(left)
    }

    /// Groups that the view has one by one.
    fn as_stored(&self, asked: &Groups, rows: &StateRows, known: &Known<'_>) -> Option<Vec<Expr>> {
        let mut outputs = known.all(&asked.keys)?;
        for call in &asked.calls {
            require_exact(call, known, self.floats).ok()?;
            let mut calls = rows.calls.iter();
            let (_, column) = calls.find(|(own, _)| own == call)?;
            outputs.push(Expr::Column(column.clone()));
        }
        Some(outputs)
    }

    /// Groups of the rows of a view that has rows.
    fn grouped(
        &self,
        plan: LogicalPlan,
        asked: &Groups,
        known: &Known<'_>,
    ) -> Result<LogicalPlan, Reason> {
        let mut aggregates = Vec::with_capacity(asked.calls.len());
        let mut outputs = Vec::with_capacity(asked.calls.len());
        for call in &asked.calls {
            require_exact(call, known, self.floats)?;
            if !call.order_by.is_empty() {
                return Err(Reason::Aggregate);
            }
            let own = own_call(call, known).ok_or(Reason::Aggregate)?;
            outputs.push(Expr::Column(
                Part::Call(place(&mut aggregates, own)).column(),
            ));
        }
        self.aggregated(plan, asked, known, (aggregates, outputs))
    }

    /// Groups of the groups of a view.
    pub(super) fn rolled_up(
        &self,
        plan: LogicalPlan,
        asked: &Groups,
        (calls, is_one_group): (&[(Call, Column)], bool),
        known: &Known<'_>,
    ) -> Result<LogicalPlan, Reason> {
        let mut rolling = RollUp {
            known,
            base: &self.base,
            calls,
            floats: self.floats,
            is_one_group,
            aggregates: Vec::new(),
        };
        if known.all(&asked.keys).is_none() {
            return Err(Reason::Keys);
        }
        let outputs = asked.calls.iter().map(|call| rolling.rolled(call));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        let aggregates = rolling.aggregates;
        self.aggregated(plan, asked, known, (aggregates, outputs))
    }

    /// Rows grouped by the keys that are asked for; the outputs name aggregates by their numbers.
    fn aggregated(
        &self,
        plan: LogicalPlan,
        asked: &Groups,
        known: &Known<'_>,
        (aggregates, outputs): (Vec<Expr>, Vec<Expr>),
    ) -> Result<LogicalPlan, Reason> {
        let keys = known.all(&asked.keys).ok_or(Reason::Keys)?;
        let mut groups = Vec::with_capacity(keys.len());
        let keys = keys.into_iter().map(|key| place(&mut groups, key));
        let keys: Vec<usize> = keys.collect();
        let n_keys = groups.len();
        // Two keys may differ in a cast alone, of which names do not tell.
        let groups = groups.into_iter().enumerate();
        let groups = groups.map(|(number, key)| key.alias(Part::Key(number).column().flat_name()));
        let groups = groups.collect();
        let grouped = Aggregate::try_new(Arc::new(plan), groups, aggregates);
        let grouped = grouped.and_then(schemas::grouped);
        let grouped = grouped.map_err(|_| Reason::Type)?;
        let schema = Arc::clone(grouped.schema());
        let column = |index: usize| Expr::Column(Column::from(schema.qualified_field(index)));
        let numbered = |output: Expr| {
            let output = output.transform(|inner| match Part::of(&inner) {
                Some(Part::Call(number)) => Ok(Transformed::yes(column(n_keys + number))),
                _ => Ok(Transformed::no(inner)),
            });
            output.map(|output| output.data)
        };
        let outputs = outputs.into_iter().map(numbered);
        let outputs = outputs.collect::<DataFusionResult<Vec<_>>>();
        let keys = keys.into_iter().map(column);
        let outputs = keys.chain(outputs.map_err(|_| Reason::Type)?);
        let outputs = outputs.collect();
        self.named(grouped, outputs)
    }

    /// The columns that are asked for, of these values.
    fn named(&self, plan: LogicalPlan, values: Vec<Expr>) -> Result<LogicalPlan, Reason> {
        let mut columns = Vec::with_capacity(values.len());
        for (value, (qualifier, field)) in values.into_iter().zip(self.schema.iter()) {
            let own = value.get_type(plan.schema()).map_err(|_| Reason::Type)?;
            if !is_alike(&own, field.data_type()) {
                return Err(Reason::Type);
            }
            let value = as_type(value, &own, field.data_type());
            columns.push(value.alias_qualified(qualifier.cloned(), field.name()));
        }
        let plan = LogicalPlanBuilder::from(plan).project(columns);
        let plan = plan.and_then(LogicalPlanBuilder::build);
        let plan = plan.map_err(|_| Reason::Type)?;
        let asked = self.schema.fields().iter();
        let is_same = asked.zip(plan.schema().fields()).all(|(asked, own)| {
            asked.data_type() == own.data_type() && asked.metadata() == own.metadata()
        });
        let n_columns = plan.schema().fields().len();
        match is_same && n_columns == self.schema.fields().len() {
            true => Ok(plan),
            false => Err(Reason::Type),
        }
    }
}

/// What is known of a view's rows, over a relation of these columns.
pub(super) fn known_of<'a>(base: &'a DFSchema, view: &Shape, rows: &'a StateRows) -> Known<'a> {
    let is_grouped = view.groups.is_some();
    // Two zeros are one group, and it is not told which of them names it.
    let is_exact = |of: &Expr| !is_grouped || !is_float(of, base);
    let values = rows.values.iter().filter(|(of, _)| is_exact(of));
    let values = values.map(|(of, column)| (of, column));
    Known::new(base, values, rows.plan.schema())
}

/// The place of an expression in a list, which has each once.
fn place(list: &mut Vec<Expr>, expression: Expr) -> usize {
    let known = list.iter().position(|known| *known == expression);
    known.unwrap_or_else(|| {
        list.push(expression);
        list.len() - 1
    })
}

fn filtered(plan: LogicalPlan, conditions: Vec<Expr>) -> DataFusionResult<LogicalPlan> {
    match conjunction(conditions) {
        Some(condition) => LogicalPlanBuilder::from(plan).filter(condition)?.build(),
        None => Ok(plan),
    }
}

fn is_float(expression: &Expr, base: &DFSchema) -> bool {
    let data_type = expression.get_type(base);
    data_type.map_or(true, |data_type| data_type.is_floating())
}

/// Whether a value of one type is cast to the other without becoming another, or fails.
fn is_alike(own: &DataType, wanted: &DataType) -> bool {
    let is_text = |it: &DataType| {
        matches!(
            it,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let is_bytes = |it: &DataType| {
        matches!(
            it,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        )
    };
    match (own, wanted) {
        (DataType::Timestamp(own, zone), DataType::Timestamp(wanted, other)) => {
            own == wanted && zone.is_some() == other.is_some()
        }
        (DataType::Decimal128(_, scale), DataType::Decimal128(_, wanted)) => scale <= wanted,
        (DataType::Int64, DataType::Decimal128(_, scale)) => *scale >= 0,
        _ => {
            own == wanted
                || (is_text(own) && is_text(wanted))
                || (is_bytes(own) && is_bytes(wanted))
        }
    }
}

/// Conditions beside what the optimizer would write of them, one by one.
fn simplest(
    conditions: &[Expr],
    base: &DFSchemaRef,
    state: &SessionState,
) -> Vec<(Expr, Vec<Expr>)> {
    let context = SimplifyContext::builder()
        .with_config_options(Arc::clone(state.config_options()))
        .with_schema(Arc::clone(base))
        .with_query_execution_start_time(state.execution_props().query_execution_start_time)
        .build();
    let simplifier = ExprSimplifier::new(context);
    let simplified = conditions.iter().map(|condition| {
        // What fails is left to fail where it is run.
        let simplified = simplifier.simplify(condition.clone());
        let simplified = simplified.unwrap_or_else(|_| condition.clone());
        (condition.clone(), split_conjunction_owned(simplified))
    });
    simplified.collect()
}
