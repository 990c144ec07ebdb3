//! What a plan knows of its columns is made true before it is optimised.
//!
//! DataFusion takes the columns of a `UNION` as nullable only if they were so when it was planned,
//! and refuses to run what turned out otherwise. And where rows were grouped, joined to others and are
//! grouped again by the same columns and more, it takes the columns of the first grouping for a key of
//! the second (`aggregate_functional_dependencies` in datafusion-common's functional_dependencies.rs
//! does not ask whether they determine the others), and leaves out a `DISTINCT` that is not idle.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, exec_err, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::logical_plan::{Aggregate, Distinct, Union};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

/// The rule; it runs last.
#[derive(Debug)]
pub(super) struct Schemas;

impl AnalyzerRule for Schemas {
    fn name(&self) -> &'static str {
        "schemas"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let apart = Arc::new(ScalarUDF::from(Apart::default()));
        let mut is_changed = false;
        let told = plan.transform_up_with_subqueries(|node| {
            let node = match node {
                LogicalPlan::Union(union) => {
                    is_changed = true;
                    return anew(union).map(Transformed::yes);
                }
                LogicalPlan::Aggregate(aggregate) if misleads_groups(&aggregate) => {
                    is_changed = true;
                    let input = without_keys(&aggregate.input, &apart)?;
                    let (groups, aggregates) = (aggregate.group_expr, aggregate.aggr_expr);
                    let grouped = Aggregate::try_new(Arc::new(input), groups, aggregates)?;
                    return Ok(Transformed::yes(LogicalPlan::Aggregate(grouped)));
                }
                LogicalPlan::Distinct(Distinct::All(input))
                    if misleads_distinct(input.schema()) =>
                {
                    is_changed = true;
                    let input = without_keys(&input, &apart)?;
                    LogicalPlan::Distinct(Distinct::All(Arc::new(input)))
                }
                other => other,
            };
            match is_changed {
                true => node.recompute_schema().map(Transformed::yes),
                false => Ok(Transformed::no(node)),
            }
        })?;
        Ok(told.data)
    }
}

/// A union with what its inputs now say of their columns, under the names that it gave them.
fn anew(union: Union) -> Result<LogicalPlan> {
    let before = Arc::clone(&union.schema);
    let renewed = Union::try_new_with_loose_types(union.inputs)?;
    let same = before.iter().zip(renewed.schema.iter());
    let same = same.map(|((qualifier, before), (_, field))| {
        let named = field.as_ref().clone().with_name(before.name());
        (qualifier.cloned(), Arc::new(named))
    });
    let schema = DFSchema::new_with_metadata(same.collect(), before.metadata().clone())?;
    Ok(LogicalPlan::Union(Union {
        schema: Arc::new(schema),
        ..renewed
    }))
}

/// Whether a key of the input, all of it among the groups, does not determine one of the groups.
fn misleads_groups(aggregate: &Aggregate) -> bool {
    let schema = aggregate.input.schema();
    let groups: Vec<Option<usize>> = aggregate
        .group_expr
        .iter()
        .map(|group| match group {
            Expr::Column(column) => schema.maybe_index_of_column(column),
            _ => None,
        })
        .collect();
    schema.functional_dependencies().iter().any(|key| {
        let mut sources = key.source_indices.iter();
        let is_grouped = sources.all(|source| groups.contains(&Some(*source)));
        let determines =
            |group: &Option<usize>| group.is_some_and(|index| key.target_indices.contains(&index));
        is_grouped && !groups.iter().all(determines)
    })
}

/// The same, where all columns are the groups.
fn misleads_distinct(schema: &DFSchema) -> bool {
    let n_columns = schema.fields().len();
    let mut keys = schema.functional_dependencies().iter();
    keys.any(|key| !(0..n_columns).all(|index| key.target_indices.contains(&index)))
}

/// The same rows, of whose columns nothing is known to be a key.
fn without_keys(input: &LogicalPlan, apart: &Arc<ScalarUDF>) -> Result<LogicalPlan> {
    let schema = input.schema();
    let keys = schema.functional_dependencies();
    let is_key = |index: usize| keys.iter().any(|key| key.source_indices.contains(&index));
    let columns = schema
        .iter()
        .enumerate()
        .map(|(index, (qualifier, field))| {
            let column = Expr::from((qualifier, field));
            match is_key(index) {
                true => apart
                    .call(vec![column])
                    .alias_qualified(qualifier.cloned(), field.name()),
                false => column,
            }
        });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::from(input.clone())
        .project(columns)?
        .build()
}

/// Gives its argument, of which the planner knows no more than its type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Apart {
    signature: Signature,
}

impl Default for Apart {
    fn default() -> Self {
        Self {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Apart {
    fn name(&self) -> &'static str {
        "apart\u{1}"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the field is asked for, not the type")
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match arguments.arg_fields {
            [field] => Ok(Arc::clone(field)),
            _ => internal_err!("one argument was given"),
        }
    }

    fn invoke_with_args(&self, mut call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match call.args.pop() {
            Some(value) => Ok(value),
            None => exec_err!("one argument was given"),
        }
    }
}
