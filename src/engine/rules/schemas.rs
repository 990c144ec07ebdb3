//! What a plan knows of its columns is made true before it is optimised.
//!
//! DataFusion takes the columns of a `UNION` as nullable only if they were so when it was planned,
//! and refuses to run what turned out otherwise. And where rows were grouped, joined to others and are
//! grouped again by the same columns and more, it takes the columns of the first grouping for a key of
//! the second (`aggregate_functional_dependencies` in datafusion-common's functional_dependencies.rs
//! does not ask whether they determine the others), and leaves out a `DISTINCT` that is not idle.

use std::cell::Cell;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
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
        let told = Told {
            apart: Arc::new(ScalarUDF::from(Apart::default())),
            is_stale: Cell::new(has_union(&plan)?),
        };
        let told = plan.transform_up_with_subqueries(|node| told.node(node))?;
        Ok(told.data)
    }
}

/// Groups of rows that were grouped before, of which nothing is believed that is not so.
pub(in crate::engine) fn grouped(aggregate: Aggregate) -> Result<LogicalPlan> {
    let told = Told {
        apart: Arc::new(ScalarUDF::from(Apart::default())),
        is_stale: Cell::new(false),
    };
    told.grouped(aggregate)
}

/// Nodes from the leaves up.
struct Told {
    apart: Arc<ScalarUDF>,
    /// Whether nodes above may know something else of their inputs.
    is_stale: Cell<bool>,
}

impl Told {
    fn node(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let node = match node {
            LogicalPlan::Union(union) => return anew(union).map(Transformed::yes),
            // The optimizer makes it one anyway, and only then it is known what its keys are.
            LogicalPlan::Distinct(Distinct::All(input)) if !input.schema().fields().is_empty() => {
                let columns: Vec<Expr> = input.schema().iter().map(Expr::from).collect();
                self.is_stale.set(true);
                self.grouped(Aggregate::try_new(input, columns, Vec::new())?)?
            }
            LogicalPlan::Distinct(Distinct::On(on)) => {
                let one = LogicalPlan::Distinct(Distinct::On(on));
                let every = |_: usize| true;
                return self.apart(one, every).map(Transformed::yes);
            }
            LogicalPlan::Aggregate(aggregate) => {
                if misleads(&aggregate) {
                    self.is_stale.set(true);
                }
                self.grouped(aggregate)?
            }
            other => other,
        };
        match self.is_stale.get() {
            true => node.recompute_schema().map(Transformed::yes),
            false => Ok(Transformed::no(node)),
        }
    }

    fn grouped(&self, aggregate: Aggregate) -> Result<LogicalPlan> {
        if !misleads(&aggregate) {
            return Ok(LogicalPlan::Aggregate(aggregate));
        }
        let keys = aggregate.input.schema().functional_dependencies().clone();
        let is_key = |index: usize| keys.iter().any(|key| key.source_indices.contains(&index));
        let input = self.apart(aggregate.input.as_ref().clone(), is_key)?;
        let (groups, aggregates) = (aggregate.group_expr, aggregate.aggr_expr);
        let grouped = Aggregate::try_new(Arc::new(input), groups, aggregates)?;
        Ok(LogicalPlan::Aggregate(grouped))
    }

    /// The same rows, of whose chosen columns nothing is known.
    fn apart(&self, input: LogicalPlan, is_chosen: impl Fn(usize) -> bool) -> Result<LogicalPlan> {
        let schema = Arc::clone(input.schema());
        let columns = schema.iter().enumerate();
        let columns = columns.map(|(index, (qualifier, field))| {
            let column = Expr::from((qualifier, field));
            match is_chosen(index) {
                true => {
                    let apart = self.apart.call(vec![column]);
                    apart.alias_qualified(qualifier.cloned(), field.name())
                }
                false => column,
            }
        });
        let columns: Vec<Expr> = columns.collect();
        LogicalPlanBuilder::from(input).project(columns)?.build()
    }
}

fn has_union(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= matches!(node, LogicalPlan::Union(_));
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}

/// A plan of which something was rewritten, each node with what it now knows of its inputs: what was
/// never null may be now.
pub(in crate::engine) fn told_anew(rewritten: Transformed<LogicalPlan>) -> Result<LogicalPlan> {
    if !rewritten.transformed {
        return Ok(rewritten.data);
    }
    rewritten
        .data
        .transform_up_with_subqueries(|node| node.recompute_schema().map(Transformed::yes))
        .map(|told| told.data)
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
fn misleads(aggregate: &Aggregate) -> bool {
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
