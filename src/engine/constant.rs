//! Queries that read no relation and always give the same rows, `SELECT 1` above all: pools and drivers
//! send them all day, and ask by them how far away the server is.
//!
//! They are planned once. What is kept is how their values are computed, and they are computed
//! where they are asked for: no other thread is woken.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use moka::sync::Cache;

use super::answer::{Answer, Column};
use super::context::StatementContext;
use super::failure;
use super::statement::Statement;
use crate::error::{Error, Result};
use crate::functions::output::Notation;

/// Constants that are kept. An entry never goes stale: it depends on its text and on the session's
/// style, and those are its key.
const CONSTANTS_MAX: u64 = 1_000;

/// Bytes of the longest text kept.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// A query of one row that is always the same.
#[derive(Debug)]
pub(super) struct Constant {
    pub(super) columns: Vec<Column>,
    values: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    /// What the values are computed of: a row without columns.
    row: RecordBatch,
}

/// The constants that were asked for, by their text and the session's style.
#[derive(Debug)]
pub(super) struct Constants {
    known: Cache<Key, Arc<Constant>>,
}

impl Default for Constants {
    fn default() -> Self {
        Self {
            known: Cache::new(CONSTANTS_MAX),
        }
    }
}

impl Constants {
    /// A query that was found to be constant.
    pub(super) fn get(
        &self,
        statement: &Statement,
        context: &StatementContext,
    ) -> Option<Arc<Constant>> {
        self.known.get(&key(statement, context))
    }

    /// Keeps a query if it is constant.
    pub(super) fn keep(
        &self,
        statement: &Statement,
        context: &StatementContext,
        logical: &LogicalPlan,
        physical: &dyn ExecutionPlan,
        columns: &[Column],
    ) {
        // What was made of parts of another statement has no text of its own.
        if (1..=TEXT_BYTES_MAX).contains(&statement.text.len())
            && is_immutable(logical)
            && let Some(constant) = Constant::of(physical, columns)
        {
            let key = key(statement, context);
            self.known.insert(key, Arc::new(constant));
        }
    }
}

/// A text, the zone by its name, and the other settings that values show.
type Key = (Arc<str>, Arc<str>, Notation);

fn key(statement: &Statement, context: &StatementContext) -> Key {
    (
        Arc::clone(&statement.text),
        Arc::clone(&context.time_zone),
        context.facts.style.notation,
    )
}

impl Constant {
    fn of(physical: &dyn ExecutionPlan, columns: &[Column]) -> Option<Self> {
        let projection = physical.downcast_ref::<ProjectionExec>()?;
        projection.input().downcast_ref::<PlaceholderRowExec>()?;
        let values = projection.expr().iter();
        Some(Self {
            columns: columns.to_vec(),
            values: values.map(|value| Arc::clone(&value.expr)).collect(),
            schema: projection.schema(),
            row: row_of(&projection.input().schema())?,
        })
    }

    /// The answer, computed here and now.
    pub(super) fn answer(&self) -> Result<Answer> {
        let values = self.values.iter().map(|value| {
            let value = value.evaluate(&self.row)?;
            value.into_array(1)
        });
        let values = values
            .collect::<datafusion::common::Result<Vec<_>>>()
            .map_err(|error| failure::from_datafusion(&error))?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), values);
        let batch = batch.map_err(Error::internal)?;
        Ok(Answer::of_batch(self.columns.clone(), batch))
    }
}

/// The one row of `PlaceholderRowExec`: all its columns are null.
fn row_of(schema: &SchemaRef) -> Option<RecordBatch> {
    let nulls = schema.fields().iter();
    let nulls = nulls.map(|field| arrow::array::new_null_array(field.data_type(), 1));
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
    RecordBatch::try_new_with_options(Arc::clone(schema), nulls.collect(), &options).ok()
}

/// Whether the values of a plan depend on nothing but its text.
fn is_immutable(plan: &LogicalPlan) -> bool {
    let mut depends_on_nothing = true;
    let walked = plan.apply_expressions(|expression| {
        expression.apply(|inner| {
            depends_on_nothing &= match inner {
                Expr::ScalarFunction(call) => {
                    call.func.signature().volatility == Volatility::Immutable
                }
                Expr::Placeholder(_)
                | Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::OuterReferenceColumn(..) => false,
                _ => true,
            };
            Ok(match depends_on_nothing {
                true => TreeNodeRecursion::Continue,
                false => TreeNodeRecursion::Stop,
            })
        })
    });
    depends_on_nothing && walked.is_ok() && plan.inputs().into_iter().all(is_immutable)
}
