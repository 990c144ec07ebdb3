//! Serves deltalake's scan of one snapshot with PostgreSQL's types, trusting no statistics.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as PlanResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use deltalake_core::delta_datafusion::DeltaScanNext;

use super::stats;
use crate::types::lake_type;

/// A Delta table at one version.
#[derive(Debug)]
pub(super) struct Provider {
    path: String,
    scan: DeltaScanNext,
    schema: SchemaRef,
    /// A column that lies in the files and is cheap to read.
    counted: Option<usize>,
}

impl Provider {
    pub(super) fn new(path: &str, scan: DeltaScanNext) -> Self {
        let from = TableProvider::schema(&scan);
        let fields: Vec<_> = from
            .fields()
            .iter()
            .map(|field| {
                Field::new(
                    field.name(),
                    lake_type(field.data_type()),
                    field.is_nullable(),
                )
            })
            .collect();
        Self {
            path: path.to_owned(),
            schema: Arc::new(Schema::new(fields)),
            counted: None,
            scan,
        }
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
        self.scan.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let _ = (&self.path, self.counted);
        let plan = self.scan.scan(session, projection, filters, limit).await?;
        served(stats::demoted(plan)?, &self.schema)
    }
}

/// `plan` with each column cast to the type under which `schema` serves its name.
fn served(plan: Arc<dyn ExecutionPlan>, schema: &SchemaRef) -> PlanResult<Arc<dyn ExecutionPlan>> {
    let from = plan.schema();
    let mut differs = false;
    let columns = from
        .fields()
        .iter()
        .enumerate()
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
