//! The path of one statement: parse, bind names, pin versions, plan, execute.

mod answer;
mod context;
mod statement;

use std::sync::Arc;

use datafusion::common::ScalarValue;

pub use answer::{Answer, Column, Description};
pub use context::StatementContext;
pub use statement::{SessionCommand, Statement, StatementKind};

use crate::catalog::Catalog;
use crate::error::{Error, Result};

/// Runs statements over a catalog.
#[derive(Debug)]
pub struct Engine {
    catalog: Arc<Catalog>,
}

impl Engine {
    /// Splits a message into its statements. Empty statements are left out.
    ///
    /// # Errors
    /// `SyntaxError` with its position; what would write is `ReadOnlySqlTransaction`, what cannot
    /// be run exactly `FeatureNotSupported`.
    pub fn parse(&self, text: &str) -> Result<Vec<Statement>> {
        let _ = (text, &self.catalog);
        Err(Error::unsupported("SQL"))
    }

    /// What a statement takes and gives. `declared` are the types the client gave for `$1`, `$2`...;
    /// 0 or absent ones are inferred.
    ///
    /// # Errors
    /// Whatever planning finds wrong.
    pub async fn describe(
        &self,
        statement: &Statement,
        declared: &[u32],
        context: &StatementContext,
    ) -> Result<Description> {
        let _ = (statement, declared, context);
        Err(Error::unsupported("SQL"))
    }

    /// Runs a statement on the query runtime. `parameters` are the values of `$1`, `$2` ..., of
    /// the types [`Engine::describe`] gave. `expected` are the columns that were described to the
    /// client, if any: another set now is an error (PostgreSQL's "cached plan must not change
    /// result type").
    ///
    /// # Errors
    /// Whatever planning finds wrong; failures while running come from [`Answer::next`].
    pub async fn answer(
        &self,
        statement: &Statement,
        parameters: Vec<ScalarValue>,
        expected: Option<&[Column]>,
        context: &StatementContext,
    ) -> Result<Answer> {
        let _ = (statement, parameters, expected, context);
        Err(Error::unsupported("SQL"))
    }
}
