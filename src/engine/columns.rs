//! The columns of an answer as its client is told of them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::JoinType;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::answer::Column;
use super::bind::shown;
use crate::types::{self, MODIFIER_KEY, oid};

/// The precision and scale that stand for a numeric without any.
const UNCONSTRAINED: DataType = DataType::Decimal128(38, 10);

/// The columns of a schema's rows.
pub(super) fn of_schema(schema: &SchemaRef) -> Vec<Column> {
    schema
        .fields()
        .iter()
        .map(|field| Column {
            name: shown(field.name()).to_owned(),
            pg_type: types::of_field(field),
        })
        .collect()
}

/// The columns of a plan's rows, whose types are those of the plan once it is `analyzed`. A numeric has
/// a precision and a scale for a client only where a relation or a cast says so (`exprTypmod` in
/// nodeFuncs.c); what is computed has none.
pub(super) fn of_plan(plan: &LogicalPlan, analyzed: &LogicalPlan) -> Vec<Column> {
    let mut columns = of_schema(analyzed.schema().inner());
    for (index, column) in columns.iter_mut().enumerate() {
        // The length of characters goes with their values as far as these are unchanged.
        let is_text = matches!(column.pg_type.oid, oid::VARCHAR | oid::BPCHAR);
        if column.pg_type.modifier != -1 && !is_text && !is_declared(plan, index) {
            column.pg_type.modifier = -1;
        }
    }
    columns
}

/// The columns of a view's rows: the fields of its plan, each with the modifier that clients are told.
pub(super) fn of_view(plan: &LogicalPlan) -> SchemaRef {
    let schema = plan.schema().inner();
    let told = of_plan(plan, plan).into_iter();
    let fields = schema.fields().iter().zip(told).map(|(field, told)| {
        if types::of_field(field) == told.pg_type {
            return Arc::clone(field);
        }
        let mut metadata = field.metadata().clone();
        metadata.insert(MODIFIER_KEY.to_owned(), told.pg_type.modifier.to_string());
        Arc::new(field.as_ref().clone().with_metadata(metadata))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Whether the type of a plan's column is one that was declared.
fn is_declared(plan: &LogicalPlan, index: usize) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => {
            says_type(&projection.expr[index], &projection.input)
        }
        LogicalPlan::Filter(filter) => is_declared(&filter.input, index),
        LogicalPlan::Sort(sort) => is_declared(&sort.input, index),
        LogicalPlan::Limit(limit) => is_declared(&limit.input, index),
        LogicalPlan::SubqueryAlias(alias) => is_declared(&alias.input, index),
        LogicalPlan::Distinct(distinct) => is_declared(distinct.input(), index),
        LogicalPlan::Aggregate(aggregate) => match aggregate.group_expr.get(index) {
            Some(key) => says_type(key, &aggregate.input),
            None => false,
        },
        LogicalPlan::Window(window) => {
            index < window.input.schema().fields().len() && is_declared(&window.input, index)
        }
        LogicalPlan::Join(join) => {
            let n_left = join.left.schema().fields().len();
            let only_right = matches!(
                join.join_type,
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark
            );
            match (only_right, index.checked_sub(n_left)) {
                (true, _) => is_declared(&join.right, index),
                (false, None) => is_declared(&join.left, index),
                (false, Some(index)) => is_declared(&join.right, index),
            }
        }
        LogicalPlan::Union(union) => union.inputs.iter().all(|input| is_declared(input, index)),
        LogicalPlan::TableScan(scan) => match scan.source.get_logical_plan() {
            Some(view) => is_declared(&view, index),
            None => true,
        },
        _ => false,
    }
}

fn says_type(expression: &Expr, input: &LogicalPlan) -> bool {
    match expression {
        Expr::Alias(alias) => says_type(&alias.expr, input),
        Expr::Column(column) => match input.schema().maybe_index_of_column(column) {
            Some(index) => is_declared(input, index),
            None => false,
        },
        Expr::Cast(Cast { field, .. }) => *field.data_type() != UNCONSTRAINED,
        Expr::ScalarFunction(call) => call.func.name() == "of_precision",
        _ => false,
    }
}
