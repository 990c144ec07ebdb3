//! `lakegate.refreshes`: the last refreshes of materialized views by this gateway.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};

use super::Materialized;
use super::told::Refreshed;
use crate::catalog::system::columns;
use crate::catalog::{Needs, SystemRelation, SystemView, Wanted};
use crate::error::{Error, Result};
use crate::types::oid;

/// The columns, as [`crate::catalog::system`] tells of them.
const COLUMNS: &[(&str, u32)] = &[
    ("started_at", oid::TIMESTAMPTZ),
    ("ended_at", oid::TIMESTAMPTZ),
    ("schema_name", oid::TEXT),
    ("view_name", oid::TEXT),
    ("kind", oid::TEXT),
    ("reason", oid::TEXT),
    ("rows", oid::INT8),
    ("version", oid::INT8),
    ("inputs", oid::TEXT),
    ("sqlstate", oid::TEXT),
    ("error", oid::TEXT),
];

/// The relation.
#[derive(Debug)]
pub(super) struct Refreshes(pub(super) Arc<Materialized>);

impl SystemRelation for Refreshes {
    fn name(&self) -> &str {
        "refreshes"
    }

    fn columns(&self) -> SchemaRef {
        columns(COLUMNS)
    }

    fn needs(&self) -> Needs {
        Needs::Snapshot
    }

    fn always_has_rows(&self) -> bool {
        false
    }

    fn rows(&self, view: &SystemView, wanted: &Wanted) -> Result<RecordBatch> {
        let rights = view.rights();
        let mut rows = self.0.told.refreshes();
        rows.retain(|row| rights.may_any(&row.name.0, &row.name.1));
        let arrays = self.arrays(&rows);
        let whole = RecordBatch::try_new(self.columns(), arrays).map_err(Error::internal)?;
        wanted.of(&whole)
    }
}

impl Refreshes {
    fn arrays(&self, rows: &[Arc<Refreshed>]) -> Vec<ArrayRef> {
        let text = |of: &dyn Fn(&Refreshed) -> Option<String>| -> ArrayRef {
            let values = rows.iter().map(|row| of(row));
            Arc::new(StringArray::from_iter(values))
        };
        let number = |of: &dyn Fn(&Refreshed) -> Option<u64>| -> ArrayRef {
            let numbers = rows.iter().map(|row| i64::try_from(of(row)?).ok());
            Arc::new(Int64Array::from_iter(numbers))
        };
        let instant = |of: &dyn Fn(&Refreshed) -> DateTime<Utc>| -> ArrayRef {
            let micros = rows.iter().map(|row| of(row).timestamp_micros());
            Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
        };
        let code_of = self.0.code_of;
        vec![
            instant(&|row| row.started),
            instant(&|row| row.ended),
            text(&|row| Some(row.name.0.clone())),
            text(&|row| Some(row.name.1.clone())),
            text(&|row| Some(row.kind().to_owned())),
            text(&|row| row.reason().map(str::to_owned)),
            number(&|row| row.n_rows),
            number(&|row| row.version),
            text(&|row| Some(row.inputs.clone())),
            text(&|row| Some(code_of(row.error.as_ref().map(Error::kind)).to_owned())),
            text(&|row| Some(row.error.as_ref()?.message().to_owned())),
        ]
    }
}
