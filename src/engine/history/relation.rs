//! `lakegate.queries`: the queries that were asked lately, for who may know of them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::SchemaRef;

use super::{Asked, Came, History};
use crate::catalog::system::columns;
use crate::catalog::{Needs, SystemRelation, SystemView, Wanted};
use crate::error::{Error, Result};
use crate::types::oid;

/// The columns, as [`crate::catalog::system`] tells of them.
const COLUMNS: &[(&str, u32)] = &[
    ("started_at", oid::TIMESTAMPTZ),
    ("milliseconds", oid::FLOAT8),
    ("pid", oid::INT4),
    ("user_name", oid::TEXT),
    ("role_name", oid::TEXT),
    ("application_name", oid::TEXT),
    ("query", oid::TEXT),
    ("rows", oid::INT8),
    ("scanned_bytes", oid::INT8),
    ("versions", oid::TEXT),
    ("cache", oid::TEXT),
    ("sqlstate", oid::TEXT),
];

/// Stands for what a role may not see of others' statements (`pg_stat_get_activity`).
const HIDDEN: &str = "<insufficient privilege>";

/// The relation.
#[derive(Debug)]
pub(super) struct QueriesRelation(pub(super) Arc<History>);

impl SystemRelation for QueriesRelation {
    fn name(&self) -> &str {
        "queries"
    }

    fn columns(&self) -> SchemaRef {
        columns(COLUMNS)
    }

    fn needs(&self) -> Needs {
        Needs::Snapshot
    }

    fn always_has_rows(&self) -> bool {
        true
    }

    fn rows(&self, view: &SystemView, wanted: &Wanted) -> Result<RecordBatch> {
        let asked: Vec<Arc<Asked>> = self.0.lock().iter().map(Arc::clone).collect();
        let authority = &view.snapshot.views.authority;
        let may = |role: &str| authority.has_privileges_of(&view.actor.user, role);
        let sees_all = authority.may_everything(&view.actor) || may("pg_read_all_stats");
        let rows: Vec<(&Asked, bool)> = asked
            .iter()
            .map(|asked| (asked.as_ref(), sees_all || may(&asked.session_user)))
            .collect();
        let whole = RecordBatch::try_new(self.columns(), self.arrays(&rows));
        let whole = whole.map_err(Error::internal)?;
        wanted.of(&whole)
    }
}

impl QueriesRelation {
    /// The columns' values, of rows that may be seen or not.
    fn arrays(&self, rows: &[(&Asked, bool)]) -> Vec<ArrayRef> {
        let text = |of: &dyn Fn(&Asked, bool) -> Option<String>| -> ArrayRef {
            let values = rows.iter().map(|(asked, is_seen)| of(asked, *is_seen));
            Arc::new(StringArray::from_iter(values))
        };
        let number = |of: &dyn Fn(&Asked) -> Option<i64>| -> ArrayRef {
            let values = rows.iter();
            let values = values.map(|(asked, is_seen)| of(asked).filter(|_| *is_seen));
            Arc::new(Int64Array::from_iter(values))
        };
        let started = rows.iter().map(|(asked, _)| asked.at.timestamp_micros());
        let took = rows.iter();
        let took = took.map(|(asked, is_seen)| {
            let milliseconds = asked.took.as_secs_f64() * 1e3;
            is_seen.then_some(milliseconds)
        });
        let pids = rows.iter().map(|(asked, _)| asked.pid);
        vec![
            Arc::new(TimestampMicrosecondArray::from_iter_values(started).with_timezone("UTC")),
            Arc::new(Float64Array::from_iter(took)),
            Arc::new(Int32Array::from_iter_values(pids)),
            text(&|asked, _| Some(asked.session_user.clone())),
            text(&|asked, is_seen| is_seen.then(|| asked.role.clone())),
            text(&|asked, is_seen| is_seen.then(|| asked.application.clone())),
            text(&|asked, is_seen| {
                Some(match is_seen {
                    true => asked.text.to_string(),
                    false => HIDDEN.to_owned(),
                })
            }),
            number(&|asked| i64::try_from(asked.n_rows).ok()),
            number(&|asked| i64::try_from(asked.n_bytes?).ok()),
            text(&|asked, is_seen| is_seen.then(|| asked.versions.clone())),
            text(&|asked, is_seen| {
                let came = asked.came.filter(|_| is_seen)?;
                Some(named(came).to_owned())
            }),
            text(&|asked, is_seen| is_seen.then(|| asked.sqlstate.clone())),
        ]
    }
}

fn named(came: Came) -> &'static str {
    match came {
        Came::Hit => "result hit",
        Came::Shared => "shared run",
        Came::Computed => "miss",
    }
}
