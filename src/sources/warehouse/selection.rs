//! What is asked of one table: columns, and the rows that conditions and a limit leave.

use super::relation::RemoteRelation;

/// A query of one table.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    /// Up to the table.
    head: String,
    conditions: Vec<String>,
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
            limit,
        }
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
        if let Some(limit) = self.limit {
            sql += &format!(" LIMIT {limit}");
        }
        sql
    }
}
