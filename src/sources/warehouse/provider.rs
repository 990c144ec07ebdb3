//! A foreign table as DataFusion asks for it: columns, and conditions that its source judges.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result as PlanResult, Statistics};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::condition::Dialect;
use super::keys::Learned;
use super::relation::{ForeignTable, RemoteRelation};
use super::scan::ForeignScan;
use super::selection::Selection;
use super::{RemoteQuery, RemoteSnapshot};
use crate::error::Error;

/// A foreign table in one snapshot of its source.
#[derive(Debug)]
pub(super) struct Foreign {
    /// The server's name, and the table's at it.
    shown: String,
    relation: Arc<RemoteRelation>,
    schema: SchemaRef,
    snapshot: Arc<dyn RemoteSnapshot>,
    /// What conditions are written in; `None` if the source is not to judge any.
    dialect: Option<Dialect>,
}

impl Foreign {
    pub(super) fn new(
        table: &ForeignTable,
        relation: RemoteRelation,
        snapshot: Arc<dyn RemoteSnapshot>,
        dialect: Option<Dialect>,
    ) -> Self {
        let (server, remote) = (&table.server.name, &table.remote);
        Self {
            shown: format!("{server}.{}.{}", remote.schema, remote.table),
            schema: relation.schema(),
            relation: Arc::new(relation),
            snapshot,
            dialect,
        }
    }

    fn condition(&self, filter: &Expr) -> Option<String> {
        self.dialect?.condition(filter, &self.relation)
    }
}

#[async_trait]
impl TableProvider for Foreign {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        let rows = self.relation.size.rows.map(usize::try_from);
        if let Some(Ok(rows)) = rows {
            statistics.num_rows = Precision::Inexact(rows);
        }
        Some(statistics)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        let is_exact = |filter: &Expr| {
            let dialect = self.dialect.as_ref();
            dialect.is_some_and(|dialect| dialect.is_exact(filter, &self.relation))
        };
        let support = |filter: &&Expr| match self.condition(filter) {
            Some(_) if is_exact(filter) => TableProviderFilterPushDown::Exact,
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let columns = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.relation.columns.len()).collect(),
        };
        let conditions = filters.iter().map(|filter| self.condition(filter));
        let conditions: Option<Vec<String>> = conditions.collect();
        let Some(conditions) = conditions else {
            // Dropping one would give rows that were asked to be left out.
            let cause = std::io::Error::other("a condition that was refused is to be pushed down");
            return Err(DataFusionError::External(Box::new(Error::internal(cause))));
        };
        self.snapshot.expect_query();
        let selection = Selection::new(&self.relation, &columns, conditions, limit);
        let query = RemoteQuery {
            sql: selection.sql(&[]),
            columns: columns
                .iter()
                .map(|column| self.relation.columns[*column].clone())
                .collect(),
            schema: Arc::new(self.schema.project(&columns)?),
            table: self.shown.clone(),
        };
        let learned = self.dialect.filter(|_| selection.takes_conditions());
        let learned = learned.map(|dialect| Learned::new(dialect, &self.relation, &query.schema));
        let snapshot = Arc::clone(&self.snapshot);
        Ok(Arc::new(ForeignScan::new(
            query, selection, learned, snapshot,
        )))
    }
}
