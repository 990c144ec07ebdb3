//! The actions of a Delta commit, as the protocol's text writes them.

use arrow::datatypes::{DataType, Field};

use super::super::files::{Object, array, quoted};
use super::super::world::Moment;

/// A commit that is being put together.
pub(super) struct Commit {
    pub(super) at: Moment,
    operation: &'static str,
    /// The operation's parameters: an object of texts.
    pub(super) parameters: String,
    /// Everything after the commitInfo, in order.
    pub(super) actions: Vec<String>,
    /// Whether rows differ before and after.
    pub(super) data_change: bool,
    pub(super) is_blind_append: bool,
    /// Rows written by WRITE, changed by UPDATE, deleted by DELETE.
    pub(super) n_rows: usize,
    pub(super) n_files_added: usize,
    pub(super) n_files_removed: usize,
    pub(super) n_bytes: u64,
}

impl Commit {
    pub(super) fn new(at: Moment, operation: &'static str) -> Self {
        Self {
            at,
            operation,
            parameters: Object::new().end(),
            actions: Vec::new(),
            data_change: true,
            is_blind_append: false,
            n_rows: 0,
            n_files_added: 0,
            n_files_removed: 0,
            n_bytes: 0,
        }
    }

    /// The text of the commit that makes version `version`.
    pub(super) fn lines(&self, version: u64) -> String {
        let info = Object::new()
            .raw("timestamp", self.at.millis())
            .text("operation", self.operation)
            .raw("operationParameters", &self.parameters);
        let info = match version.checked_sub(1) {
            Some(read) => info.raw("readVersion", read),
            None => info,
        };
        let isolation = if self.data_change {
            "Serializable"
        } else {
            "SnapshotIsolation"
        };
        let info = info
            .text("isolationLevel", isolation)
            .raw("isBlindAppend", self.is_blind_append)
            .raw("operationMetrics", self.metrics())
            .text("engineInfo", "lakegate-demo")
            .end();
        let mut lines = Object::new().raw("commitInfo", info).end();
        lines.push('\n');
        for action in &self.actions {
            lines.push_str(action);
            lines.push('\n');
        }
        lines
    }

    fn metrics(&self) -> String {
        let rows = match self.operation {
            "WRITE" => Some("numOutputRows"),
            "UPDATE" => Some("numUpdatedRows"),
            "DELETE" => Some("numDeletedRows"),
            _ => None,
        };
        let (added, removed, bytes) = match self.operation {
            "WRITE" => ("numFiles", None, "numOutputBytes"),
            "ADD COLUMNS" => return Object::new().end(),
            _ => ("numAddedFiles", Some("numRemovedFiles"), "numAddedBytes"),
        };
        let mut metrics = Object::new().text(added, &self.n_files_added.to_string());
        if let Some(removed) = removed {
            metrics = metrics.text(removed, &self.n_files_removed.to_string());
        }
        if let Some(rows) = rows {
            metrics = metrics.text(rows, &self.n_rows.to_string());
        }
        metrics.text(bytes, &self.n_bytes.to_string()).end()
    }
}

/// Every engine can read and write the table.
pub(super) fn protocol() -> String {
    let versions = Object::new()
        .raw("minReaderVersion", 1)
        .raw("minWriterVersion", 2)
        .end();
    Object::new().raw("protocol", versions).end()
}

/// The table's columns and how it is partitioned.
pub(super) fn metadata(
    id: &str,
    fields: &[Field],
    partition_column: Option<&str>,
    created_at: Moment,
) -> String {
    let schema = Object::new()
        .text("type", "struct")
        .raw("fields", array(fields.iter().map(field_json)))
        .end();
    let format = Object::new()
        .text("provider", "parquet")
        .raw("options", Object::new().end())
        .end();
    let metadata = Object::new()
        .text("id", id)
        .raw("format", format)
        .text("schemaString", &schema)
        .raw("partitionColumns", array(partition_column.map(quoted)))
        .raw("configuration", Object::new().end())
        .raw("createdTime", created_at.millis())
        .end();
    Object::new().raw("metaData", metadata).end()
}

/// A column as the schema of a Delta table has it.
pub(super) fn field_json(field: &Field) -> String {
    Object::new()
        .text("name", field.name())
        .text("type", &type_name(field.data_type()))
        .raw("nullable", field.is_nullable())
        .raw("metadata", Object::new().end())
        .end()
}

fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int32 => "integer",
        DataType::Int64 => "long",
        DataType::Float64 => "double",
        DataType::Date32 => "date",
        DataType::Timestamp(_, Some(_)) => "timestamp",
        DataType::Decimal128(precision, scale) => return format!("decimal({precision},{scale})"),
        _ => "string",
    };
    name.to_owned()
}
