//! Checks whether the rows of a view can be stored: nothing in its query may give something else at
//! another time, and its columns must be of types that are read back as they were.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::LogicalPlan;

use super::style::depends_on_style;
use crate::catalog::Snapshot;
use crate::catalog::system::is_system_schema;
use crate::catalog::views::View;
use crate::engine::access::Access;
use crate::engine::context::StatementContext;
use crate::engine::plan::Plan;
use crate::engine::{Inner, columns, execute, failure, pin, plan, references, session_state};
use crate::error::{Error, ErrorKind, Result};
use crate::materialize::{StoredColumn, stored_columns};

/// A view's query, ready to be run and stored.
#[derive(Debug)]
pub(super) struct Storable {
    pub(super) analyzed: LogicalPlan,
    pub(super) columns: Vec<StoredColumn>,
    pub(super) schema: SchemaRef,
    pub(super) depends_on_style: bool,
}

impl Inner {
    /// Refuses a definition whose rows cannot be stored.
    ///
    /// # Errors
    /// `InvalidObjectDefinition`: they would not stay right; `FeatureNotSupported`: a column is of a type
    /// that is not stored.
    pub(in crate::engine) async fn check_materialized(
        &self,
        view: &Arc<View>,
        snapshot: &Arc<Snapshot>,
    ) -> Result<()> {
        let context = self.own_context();
        let state = session_state::of_statement(&self.base, &context);
        let clock = self.clock(&state, &context, &[]);
        let resolved = references::resolve_view(snapshot, view, clock, &Access::open())?;
        let pinned = pin::pin(&self.catalog, &resolved, None, &context).await?;
        let mut tables = pinned.tables.iter();
        if let Some(table) = tables.find(|table| is_system_schema(&table.schema)) {
            let what = format!(
                "a materialized view over the system relation \"{}.{}\"",
                table.schema, table.name
            );
            return Err(Error::unsupported(what));
        }
        let logical = plan::logical_of_view(&pinned, &state, &context)?;
        self.storable(logical, &state, &context).map(|_| ())
    }

    /// A view's planned query, if its rows can be stored.
    ///
    /// # Errors
    /// As [`Self::check_materialized`].
    pub(super) fn storable(
        &self,
        logical: LogicalPlan,
        state: &datafusion::execution::SessionState,
        context: &StatementContext,
    ) -> Result<Storable> {
        let logical = Plan { logical };
        let analyzed = execute::analyzed(&logical, state)?;
        let told = columns::of_plan(&logical.logical, &analyzed);
        let named: Vec<_> = told
            .iter()
            .map(|column| (column.name.clone(), column.pg_type))
            .collect();
        let (columns, schema) = stored_columns(&named, analyzed.schema().as_arrow())?;
        if let Err(reason) = self.results.never_changes(&logical.logical, &told, context) {
            let message = "a materialized view cannot depend on the session or the clock";
            return Err(Error::new(ErrorKind::InvalidObjectDefinition, message)
                .with_detail(format!("Its query {reason}.")));
        }
        let is_of_style = |name: &str| self.results.is_of_style(name);
        let depends_on_style = depends_on_style(&analyzed, &is_of_style)
            .map_err(|error| failure::from_datafusion(&error))?;
        Ok(Storable {
            analyzed,
            columns,
            schema,
            depends_on_style,
        })
    }
}
