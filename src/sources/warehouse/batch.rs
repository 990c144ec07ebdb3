//! Makes batches of what sources sent, as the columns say that it is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};

use crate::error::{Error, ErrorKind, Remote, Result};

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
