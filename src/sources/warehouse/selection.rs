//! What is asked of one table: columns, and the rows that conditions and a limit leave.

use super::relation::RemoteRelation;

/// The first rows by an order.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// What is sorted by, as the source is told it.
    pub(super) keys: String,
    /// How many of the rows are wanted.
    pub(super) n_rows: usize,
}

/// A query of one table.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    /// Up to the table.
    head: String,
    conditions: Vec<String>,
    /// By what the rows are sorted, of which the first are wanted.
    order: Option<String>,
    limit: Option<usize>,
}

impl Selection {
    /// Of these columns, by their places.
    pub(super) fn new(
        relation: &RemoteRelation,
        columns: &[usize],
        conditions: Vec<String>,
        limit: Option<usize>,
    ) -> Self {
        let columns = columns.iter().map(|column| &relation.columns[*column].sql);
        let columns: Vec<&str> = columns.map(String::as_str).collect();
        let columns = match columns.as_slice() {
            // The rows are counted, and nothing of them is wanted.
            [] => "NULL".to_owned(),
            columns => columns.join(", "),
        };
        Self {
            head: format!("SELECT {columns} FROM {}", relation.sql),
            conditions,
            order: None,
            limit,
        }
    }

    /// Only the first of the rows by this order.
    pub(super) fn ordered(mut self, order: &Order) -> Self {
        self.order = Some(order.keys.clone());
        let limit = self.limit.unwrap_or(order.n_rows);
        self.limit = Some(limit.min(order.n_rows));
        self
    }

    /// Whether rows may be left out before they are counted.
    pub(super) fn takes_conditions(&self) -> bool {
        self.limit.is_none()
    }

    /// What is sent, under more conditions.
    pub(super) fn sql(&self, more: &[String]) -> String {
        let mut sql = self.head.clone();
        let conditions: Vec<&str> = self
            .conditions
            .iter()
            .chain(more)
            .map(String::as_str)
            .collect();
        if !conditions.is_empty() {
            sql += &format!(" WHERE {}", conditions.join(" AND "));
        }
        if let Some(order) = &self.order {
            sql += &format!(" ORDER BY {order}");
        }
        if let Some(limit) = self.limit {
            sql += &format!(" LIMIT {limit}");
        }
        sql
    }
}
