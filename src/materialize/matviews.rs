//! `lakegate.matviews`: how each materialized view is kept, and what is stored of it.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};

use super::told::{Look, Standing};
use super::{Made, Materialized};
use crate::catalog::sql::MaterializedOptions;
use crate::catalog::system::columns;
use crate::catalog::{Needs, SystemRelation, SystemView, Wanted};
use crate::error::{Error, Result};
use crate::sources::Size;
use crate::types::oid;

/// The columns, as [`crate::catalog::system`] tells of them.
const COLUMNS: &[(&str, u32)] = &[
    ("schema_name", oid::TEXT),
    ("view_name", oid::TEXT),
    ("refresh", oid::TEXT),
    ("max_staleness", oid::TEXT),
    ("populated", oid::BOOL),
    ("stale", oid::BOOL),
    ("version", oid::INT8),
    ("inputs", oid::TEXT),
    ("rows", oid::INT8),
    ("bytes", oid::INT8),
    ("as_of", oid::TIMESTAMPTZ),
    ("checked_at", oid::TIMESTAMPTZ),
    ("failed_at", oid::TIMESTAMPTZ),
    ("last_error", oid::TEXT),
    ("failures", oid::INT8),
    ("paused_until", oid::TIMESTAMPTZ),
    ("path", oid::TEXT),
];

/// The relation.
#[derive(Debug)]
pub(super) struct Matviews(pub(super) Arc<Materialized>);

/// A row: a view, its options, and what is known of it.
struct Row {
    schema: String,
    name: String,
    options: MaterializedOptions,
    standing: Standing,
    path: String,
}

impl Row {
    fn look(&self) -> Option<&Look> {
        self.standing.look.as_ref()
    }

    fn stored(&self) -> Option<(u64, &Made, Size)> {
        let (version, made, size) = self.look()?.stored.as_ref()?;
        Some((*version, made, *size))
    }
}

impl SystemRelation for Matviews {
    fn name(&self) -> &str {
        "matviews"
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
        let known = view.snapshot.views.iter();
        let rows: Vec<Row> = known
            .filter(|((schema, name), _)| rights.may_any(schema, name))
            .filter_map(|(name, defined)| {
                let options = defined.materialized.clone()?;
                Some(Row {
                    schema: name.0.clone(),
                    name: name.1.clone(),
                    options,
                    standing: self.0.standing(name),
                    path: self.0.shown_path(name),
                })
            })
            .collect();
        let whole = RecordBatch::try_new(self.columns(), arrays(&rows)).map_err(Error::internal)?;
        wanted.of(&whole)
    }
}

fn arrays(rows: &[Row]) -> Vec<ArrayRef> {
    let text = |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rows.iter().map(of)))
    };
    let truth = |of: &dyn Fn(&Row) -> Option<bool>| -> ArrayRef {
        Arc::new(BooleanArray::from_iter(rows.iter().map(of)))
    };
    let number = |of: &dyn Fn(&Row) -> Option<u64>| -> ArrayRef {
        let numbers = rows.iter().map(of);
        let numbers = numbers.map(|number| i64::try_from(number?).ok());
        Arc::new(Int64Array::from_iter(numbers))
    };
    let instant = |of: &dyn Fn(&Row) -> Option<DateTime<Utc>>| -> ArrayRef {
        let micros = rows.iter().map(of);
        let micros = micros.map(|instant| Some(instant?.timestamp_micros()));
        Arc::new(TimestampMicrosecondArray::from_iter(micros).with_timezone("UTC"))
    };
    vec![
        text(&|row| Some(row.schema.clone())),
        text(&|row| Some(row.name.clone())),
        text(&|row| Some(row.options.refresh.text())),
        text(&|row| Some(row.options.max_staleness.as_ref()?.text.clone())),
        truth(&|row| row.look().map(|look| look.stored.is_some())),
        truth(&|row| row.stored().and(row.look()).map(|look| !look.is_current)),
        number(&|row| row.stored().map(|(version, ..)| version)),
        text(&|row| row.stored().map(|(_, made, _)| made.shown_inputs())),
        number(&|row| row.stored().and_then(|(.., size)| size.rows)),
        number(&|row| row.stored().map(|(.., size)| size.bytes)),
        instant(&|row| row.stored().and_then(|(_, made, _)| made.as_of())),
        instant(&|row| row.look().map(|look| look.at)),
        instant(&|row| row.standing.failure.as_ref().map(|(at, _)| *at)),
        text(&|row| {
            let failure = row.standing.failure.as_ref();
            failure.map(|(_, error)| error.message().to_owned())
        }),
        number(&|row| Some(u64::from(row.standing.n_failures))),
        instant(&|row| row.standing.paused_until),
        text(&|row| Some(row.path.clone())),
    ]
}
