//! What reads a relation of the catalog that has no rows gives none, whatever it would compute of
//! them: tools ask of each relation for what few have (policies, triggers, partitions), in
//! subqueries that DataFusion does not plan.

use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::config::ConfigOptions;
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DFSchemaRef, ExprSchema, Result, ScalarValue};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{EmptyRelation, Expr, JoinType, LogicalPlan, Projection};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::chosen::chosen;

/// Runs first, so that nothing is planned in vain.
#[derive(Debug)]
pub(super) struct WithoutRows;

impl AnalyzerRule for WithoutRows {
    fn name(&self) -> &'static str {
        "postgres_without_rows"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            if !has_none(&plan) {
                return Ok(Transformed::no(plan));
            }
            Ok(Transformed::yes(none(&plan)?))
        })?;
        Ok(rewritten.data)
    }
}

/// No rows, with the columns of a plan. A scalar subquery must be a projection, so that is what it is.
fn none(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let schema = &told(plan)?;
    let nulls = schema.iter().map(|(qualifier, field)| {
        let null = ScalarValue::try_new_null(field.data_type())?;
        let named = (!field.metadata().is_empty()).then(|| FieldMetadata::new_from_field(field));
        Ok(Expr::Literal(null, named).alias_qualified(qualifier.cloned(), field.name()))
    });
    let input = LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: false,
        schema: Arc::new(DFSchema::empty()),
    });
    let nulls = nulls.collect::<Result<Vec<_>>>()?;
    let none = Projection::try_new_with_schema(nulls, Arc::new(input), Arc::clone(schema))?;
    Ok(LogicalPlan::Projection(none))
}

/// A plan's columns with what now tells their types. To DataFusion a cast still has what told the
/// type of before, until its values are computed; and what reads it had it from there.
fn told(plan: &LogicalPlan) -> Result<DFSchemaRef> {
    let schema = plan.schema();
    let inputs: Vec<_> = plan
        .inputs()
        .iter()
        .flat_map(|it| it.schema().fields())
        .collect();
    let told = |index: usize, field: &Field| match plan {
        LogicalPlan::Projection(it) => match chosen(&it.expr[index], it.input.schema()) {
            Expr::Cast(cast) => cast.field.metadata().clone(),
            Expr::Column(column) => match it.input.schema().field_from_column(&column) {
                Ok(field) => field.metadata().clone(),
                Err(_) => field.metadata().clone(),
            },
            _ => field.metadata().clone(),
        },
        // The others have the columns of what they read.
        _ if inputs.len() == schema.fields().len() => inputs[index].metadata().clone(),
        _ => field.metadata().clone(),
    };
    let columns = schema
        .iter()
        .enumerate()
        .map(|(index, (qualifier, field))| {
            let field = field.as_ref().clone().with_metadata(told(index, field));
            (qualifier.cloned(), Arc::new(field))
        });
    let schema =
        DFSchema::new_with_metadata(columns.collect(), DFSchema::metadata(schema).clone())?;
    Ok(Arc::new(schema))
}

/// Whether a plan has no rows because what it reads has none.
fn has_none(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => source_as_provider(&scan.source)
            .is_ok_and(|provider| provider.downcast_ref::<EmptyTable>().is_some()),
        LogicalPlan::Projection(it) => is_empty(&it.input),
        LogicalPlan::Filter(it) => is_empty(&it.input),
        LogicalPlan::Sort(it) => is_empty(&it.input),
        LogicalPlan::Limit(it) => is_empty(&it.input),
        LogicalPlan::SubqueryAlias(it) => is_empty(&it.input),
        LogicalPlan::Distinct(it) => is_empty(it.input()),
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::Inner => is_empty(&join.left) || is_empty(&join.right),
            JoinType::Left => is_empty(&join.left),
            JoinType::Right => is_empty(&join.right),
            _ => false,
        },
        _ => false,
    }
}

fn is_empty(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Projection(projection) = plan else {
        return false;
    };
    matches!(projection.input.as_ref(), LogicalPlan::EmptyRelation(it) if !it.produce_one_row)
}
