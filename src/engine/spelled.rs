//! Objects by their names: a column of `regclass` and its kind holds numbers, and is read as text by its
//! names.

use std::sync::Arc;

use datafusion::common::Column as ColumnName;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF};

use super::answer::Column;
use super::failure;
use crate::error::Result;
use crate::functions;

/// How a client reads the columns of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// All as text.
    #[default]
    Text,
    /// All in binary.
    Binary,
    /// Each as text, or not.
    ByColumn(Vec<bool>),
}

impl Shown {
    fn is_text(&self, index: usize) -> bool {
        match self {
            Self::Text => true,
            Self::Binary => false,
            Self::ByColumn(columns) => columns.get(index).copied().unwrap_or(true),
        }
    }
}

/// The plan with names in the place of objects' numbers, where they are read as text; `None` if
/// there are none.
pub(super) fn spelled(
    plan: &LogicalPlan,
    columns: &[Column],
    shown: &Shown,
    session: impl FnOnce() -> Vec<Arc<ScalarUDF>>,
) -> Result<Option<LogicalPlan>> {
    let name = |index: usize| {
        let name = functions::spelling(columns[index].pg_type.oid)?;
        shown.is_text(index).then_some(name)
    };
    if (0..columns.len()).all(|index| name(index).is_none()) {
        return Ok(None);
    }
    let session = session();
    let function = |index: usize| {
        let name = name(index)?;
        session.iter().find(|function| function.name() == name)
    };
    let written = plan
        .schema()
        .iter()
        .enumerate()
        .map(|(index, (table, field))| {
            let column = Expr::Column(ColumnName::new(table.cloned(), field.name()));
            match function(index) {
                Some(function) => function.call(vec![column]).alias(field.name()),
                None => column,
            }
        });
    LogicalPlanBuilder::from(plan.clone())
        .project(written.collect::<Vec<_>>())
        .and_then(LogicalPlanBuilder::build)
        .map(Some)
        .map_err(|error| failure::from_datafusion(&error))
}
