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
use super::part::Part;
use super::ranges::Ranges;
use super::relation::{ForeignTable, RemoteRelation};
use super::scan::ForeignScan;
use super::selection::{Order, Selection};
use super::told::RemoteKeyKind;
use super::{RemoteQuery, RemoteSnapshot};
use crate::error::Error;

/// The most connections that one table is read by.
const PARTITIONS_MAX: usize = 4;

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
    /// What leaves out rows already.
    conditions: Vec<String>,
    /// Which of the rows are wanted, if that is not all of them.
    order: Option<Order>,
    /// As those of a [`Part`].
    keys: Vec<Vec<usize>>,
    /// Whether it is a table of the source.
    is_table: bool,
}

impl Foreign {
    pub(super) fn new(
        table: &ForeignTable,
        relation: RemoteRelation,
        snapshot: Arc<dyn RemoteSnapshot>,
        dialect: Option<Dialect>,
    ) -> Self {
        let (server, remote) = (&table.server.name, &table.remote);
        let told = table.told.keys.iter();
        let keys = told.filter(|key| !matches!(key.kind, RemoteKeyKind::Foreign(..)));
        let keys = keys.filter_map(|key| {
            let places = key.columns.iter().map(|column| relation.place(column));
            places.collect()
        });
        Self {
            keys: keys.collect(),
            is_table: true,
            shown: format!("{server}.{}.{}", remote.schema, remote.table),
            schema: relation.schema(),
            relation: Arc::new(relation),
            snapshot,
            dialect,
            conditions: Vec::new(),
            order: None,
        }
    }

    /// What a part of a plan is made of, as a relation of its own, which has these keys.
    pub(super) fn of_part(
        part: &Part,
        (relation, keys): (RemoteRelation, Vec<Vec<usize>>),
        (conditions, order): (Vec<String>, Option<Order>),
    ) -> Self {
        Self {
            shown: part.shown.clone(),
            schema: relation.schema(),
            relation: Arc::new(relation),
            snapshot: Arc::clone(&part.snapshot),
            dialect: Some(part.dialect),
            conditions,
            order,
            keys,
            is_table: false,
        }
    }

    /// All of it under conditions, as a part of a plan that the source may answer. `None` if it is
    /// not to judge anything, or not exactly these, or if rows were left out that come later.
    pub(super) fn part(&self, filters: &[Expr]) -> Option<Part> {
        let dialect = self.dialect.filter(|_| self.order.is_none())?;
        let mut conditions = self.conditions.clone();
        for filter in filters {
            let is_exact = dialect.is_exact(filter, &self.relation);
            conditions.push(self.condition(filter).filter(|_| is_exact)?);
        }
        Some(Part {
            snapshot: Arc::clone(&self.snapshot),
            dialect,
            shown: self.shown.clone(),
            relation: Arc::clone(&self.relation),
            conditions,
            columns: Vec::new(),
            keys: self.keys.clone(),
            is_table: self.is_table,
            computes: false,
        })
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
        // What is judged behind the first rows cannot be judged before them.
        let takes = self.order.is_none();
        let condition = |filter: &Expr| self.condition(filter).filter(|_| takes);
        let support = |filter: &&Expr| match condition(filter) {
            Some(_) if is_exact(filter) => TableProviderFilterPushDown::Exact,
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
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
        let conditions = conditions.map(|more| [self.conditions.as_slice(), &more].concat());
        let Some(conditions) = conditions else {
            // Dropping one would give rows that were asked to be left out.
            let cause = std::io::Error::other("a condition that was refused is to be pushed down");
            return Err(DataFusionError::External(Box::new(Error::internal(cause))));
        };
        self.snapshot.expect_query();
        let selection = Selection::new(&self.relation, &columns, conditions, limit);
        let selection = match &self.order {
            Some(order) => selection.ordered(order),
            None => selection,
        };
        let query = RemoteQuery {
            sql: selection.sql(&[]),
            columns: columns
                .iter()
                .map(|column| self.relation.columns[*column].clone())
                .collect(),
            schema: Arc::new(self.schema.project(&columns)?),
            table: self.shown.clone(),
            parts: None,
        };
        // The first rows, or some, are of whatever parts they are.
        let n_partitions = session.config().target_partitions().min(PARTITIONS_MAX);
        let is_parted = selection.takes_conditions() && n_partitions > 1;
        let ranges = Some(&self.relation.ranges).filter(|ranges| is_parted && ranges.len() > 1);
        let ranges = ranges.map(|ranges| {
            self.snapshot.expect_query();
            (Ranges::new(ranges.clone()), n_partitions.min(ranges.len()))
        });
        let learned = self.dialect.filter(|_| selection.takes_conditions());
        let learned = learned.map(|dialect| Learned::new(dialect, &self.relation, &query.schema));
        let snapshot = Arc::clone(&self.snapshot);
        let scan = ForeignScan::new(query, selection, learned, snapshot);
        Ok(Arc::new(match ranges {
            Some((ranges, n_partitions)) => scan.in_parts(ranges, n_partitions),
            None => scan,
        }))
    }
}
