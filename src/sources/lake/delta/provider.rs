//! Serves deltalake's scan of one snapshot with PostgreSQL's types, trusting no statistics.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use deltalake_core::delta_datafusion::FileSelection;

use super::plain::Plain;
use super::snapshot::Snapshot;
use super::stats;
use crate::types::lake_type;

/// A Delta table at one version.
#[derive(Debug)]
pub(super) struct Provider {
    snapshot: Arc<Snapshot>,
    /// What the log calls the files that are read, where not all of them are.
    names: Option<HashSet<String>>,
    schema: SchemaRef,
    /// Its files, where nothing else is to be read.
    plain: Option<Plain>,
    /// The column of the files that is cheapest to read.
    cheapest: Option<usize>,
    partition_columns: Vec<String>,
}

impl Provider {
    /// Reads the snapshot, or only the files that the log calls so.
    pub(super) fn new(snapshot: Arc<Snapshot>, names: Option<HashSet<String>>) -> Self {
        let described = snapshot.described();
        let from = TableProvider::schema(described.scan());
        let partition_columns = described.state().metadata().partition_columns().to_vec();
        let fields: Vec<_> = from
            .fields()
            .iter()
            .map(|field| {
                let data_type = lake_type(field.data_type());
                Field::new(field.name(), data_type, field.is_nullable())
            })
            .collect();
        let cheapest = fields
            .iter()
            .enumerate()
            .filter(|(_, field)| !partition_columns.contains(field.name()))
            .min_by_key(|(_, field)| field.data_type().primitive_width().unwrap_or(usize::MAX))
            .map(|(index, _)| index);
        Self {
            schema: Arc::new(Schema::new(fields)),
            plain: None,
            cheapest,
            partition_columns,
            snapshot,
            names,
        }
    }

    /// The same, read by itself where its files are all that is to be read.
    pub(super) fn plain(mut self, of: impl FnOnce(&SchemaRef) -> Option<Plain>) -> Self {
        self.plain = of(&self.schema);
        self
    }

    /// The columns to read for `projection`: one of the files' own among them, so that rows are
    /// counted by reading them. The log says how many there are, but that may be wrong.
    fn columns_read(&self, projection: Option<&Vec<usize>>) -> Option<Vec<usize>> {
        let mut columns = projection?.clone();
        let is_in_files = |column: &usize| {
            !self
                .partition_columns
                .contains(self.schema.field(*column).name())
        };
        if !columns.iter().any(is_in_files) {
            columns.extend(self.cheapest);
        }
        Some(columns)
    }

    /// Whether the log's minima and maxima answer the filter: they leave out NaN.
    fn is_answerable(&self, filter: &Expr) -> bool {
        !filter.column_refs().iter().any(|column| {
            self.schema
                .field_with_name(&column.name)
                .is_ok_and(|field| field.data_type().is_floating())
        })
    }
}

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        if self.plain.is_some() {
            return Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()]);
        }
        let scan = self.snapshot.described().scan();
        let supported = scan.supports_filters_pushdown(filters)?;
        Ok(filters
            .iter()
            .zip(supported)
            .map(|(filter, supported)| match self.is_answerable(filter) {
                true => supported,
                false => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let state = in_microseconds(session);
        let session = state.as_ref().map_or(session, |state| state);
        if let Some(plain) = &self.plain {
            let limit = limit.filter(|_| filters.is_empty());
            return plain.scan(session, projection, limit);
        }
        let columns = self.columns_read(projection);
        let whole = self.snapshot.whole().await;
        let whole = whole.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let scan = match &self.names {
            None => Cow::Borrowed(whole.scan()),
            Some(names) => {
                let selection = FileSelection::from_file_paths(names.iter().cloned());
                Cow::Owned(whole.scan().clone().with_file_selection(selection))
            }
        };
        let plan = scan.scan(session, columns.as_ref(), filters, limit).await?;
        let n_columns = projection.map_or(self.schema.fields().len(), Vec::len);
        served(stats::demoted(plan)?, &self.schema, n_columns)
    }
}

/// The session with timestamps of 96 bits read as microseconds, unless it has them already: as
/// nanoseconds, which deltalake asks for, the year 9999 would wrap around.
fn in_microseconds(session: &dyn Session) -> Option<SessionState> {
    let unit = &session.config_options().execution.parquet.coerce_int96;
    if unit.as_deref() == Some("us") {
        return None;
    }
    let mut state = session.as_any().downcast_ref::<SessionState>()?.clone();
    let options = state.config_mut().options_mut();
    options.execution.parquet.coerce_int96 = Some("us".to_owned());
    Some(state)
}

/// The first columns of `plan`, each cast to the type under which `schema` serves its name.
fn served(
    plan: Arc<dyn ExecutionPlan>,
    schema: &SchemaRef,
    n_columns: usize,
) -> PlanResult<Arc<dyn ExecutionPlan>> {
    let from = plan.schema();
    let mut differs = from.fields().len() != n_columns;
    let columns = from
        .fields()
        .iter()
        .enumerate()
        .take(n_columns)
        .map(|(index, field)| {
            let to = schema.field_with_name(field.name())?.data_type();
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), index));
            let expr = if to == field.data_type() {
                column
            } else {
                differs = true;
                Arc::new(CastExpr::new(column, to.clone(), None))
            };
            Ok(ProjectionExpr::new(expr, field.name().clone()))
        })
        .collect::<PlanResult<Vec<_>>>()?;
    if !differs {
        return Ok(plan);
    }
    Ok(Arc::new(ProjectionExec::try_new(columns, plan)?))
}
