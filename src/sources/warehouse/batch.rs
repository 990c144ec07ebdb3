//! Makes batches of what sources sent, as the columns say that it is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};

use crate::error::{Error, ErrorKind, Remote, Result};

/// Characters of a value that a message shows.
const SHOWN_MAX: usize = 60;

/// A batch of columns, of which there may be none.
///
/// # Errors
/// `Remote`: a NULL in a column that has none, as its source said.
pub(super) fn of_columns(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    n_rows: usize,
) -> Result<RecordBatch> {
    let checked = schema.fields().iter().zip(&columns);
    for (field, column) in checked.filter(|(field, _)| !field.is_nullable()) {
        if column.null_count() > 0 {
            let name = field.name();
            let message = format!("column \"{name}\" holds nulls, and its source says it has none");
            return Err(Error::new(ErrorKind::Remote(Remote::Failed), message));
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    RecordBatch::try_new_with_options(Arc::<Schema>::clone(schema), columns, &options)
        .map_err(Error::internal)
}

/// A text in the words of a message.
pub(super) fn quoted(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let start: String = text.chars().take(SHOWN_MAX).collect();
    let end = if start.len() < text.len() { "..." } else { "" };
    format!("the text \"{start}{end}\"")
}

/// A value that is not of its column's type: how it is shown, the column and its type, and the row,
/// counted from 1, of which table.
pub(super) fn not_of_type(
    shown: &str,
    (column, type_name): (&str, &str),
    (row, table): (u64, &str),
) -> Error {
    let message = format!("{shown} of column \"{column}\" is not of type {type_name}");
    let detail = format!("It is in row {row} that was read of table \"{table}\".");
    Error::new(ErrorKind::InvalidRowData, message).with_detail(detail)
}
