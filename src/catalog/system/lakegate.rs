//! Schema `lakegate`: what PostgreSQL's catalog has no place for.

use std::collections::BTreeMap;

use super::SystemView;
use super::data::{Builtin, DefinedColumn, Definition};
use super::relations::lake_relations;
use super::table::{Table, Value};
use crate::catalog::{Inventory, Snapshot};
use crate::error::{Error, Result};
use crate::sources::Layout;
use crate::types::oid;

/// The schema's name.
pub const LAKEGATE: &str = "lakegate";

/// The schema's OID. PostgreSQL itself stays far below, objects of users begin at 16384.
pub const LAKEGATE_OID: u32 = 16000;

/// A relation of the schema: name, OID, columns.
type Own = (&'static str, u32, &'static [(&'static str, u32)]);

const RELATIONS: &[Own] = &[
    (
        "cache",
        16008,
        &[
            ("cache", oid::TEXT),
            ("entries", oid::INT8),
            ("bytes", oid::INT8),
            ("max_bytes", oid::INT8),
            ("hits", oid::INT8),
            ("shared", oid::INT8),
            ("misses", oid::INT8),
            ("saved_seconds", oid::FLOAT8),
        ],
    ),
    (
        "keywords",
        16004,
        &[
            ("word", oid::TEXT),
            ("catcode", oid::CHAR),
            ("barelabel", oid::BOOL),
            ("catdesc", oid::TEXT),
            ("baredesc", oid::TEXT),
        ],
    ),
    (
        "matviews",
        16010,
        &[
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
        ],
    ),
    (
        "omissions",
        16001,
        &[("path", oid::TEXT), ("reason", oid::TEXT)],
    ),
    (
        "queries",
        16009,
        &[
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
        ],
    ),
    (
        "refreshes",
        16011,
        &[
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
        ],
    ),
    (
        "snapshots",
        16005,
        &[
            ("snapshot_name", oid::TEXT),
            ("as_of", oid::TIMESTAMPTZ),
            ("tables", oid::INT4),
            ("comment", oid::TEXT),
        ],
    ),
    (
        "tables",
        16002,
        &[
            ("schema_name", oid::TEXT),
            ("table_name", oid::TEXT),
            ("path", oid::TEXT),
            ("layout", oid::TEXT),
        ],
    ),
    (
        "unhandled_probes",
        16007,
        &[
            ("application_name", oid::TEXT),
            ("condition", oid::TEXT),
            ("message", oid::TEXT),
            ("count", oid::INT8),
            ("first_at", oid::TIMESTAMPTZ),
            ("last_at", oid::TIMESTAMPTZ),
            ("last_statement", oid::TEXT),
        ],
    ),
    (
        "versions",
        16006,
        &[
            ("schema_name", oid::TEXT),
            ("table_name", oid::TEXT),
            ("version", oid::TEXT),
        ],
    ),
    (
        "view_errors",
        16003,
        &[
            ("schema_name", oid::TEXT),
            ("relation_name", oid::TEXT),
            ("path", oid::TEXT),
            ("line", oid::INT4),
            ("column", oid::INT4),
            ("condition", oid::TEXT),
            ("message", oid::TEXT),
            ("detail", oid::TEXT),
            ("hint", oid::TEXT),
        ],
    ),
];

/// The relations of the schema.
pub(super) fn definitions() -> impl Iterator<Item = Definition> {
    let column = |&(name, type_oid): &(&'static str, u32)| DefinedColumn {
        name,
        type_oid,
        not_null: false,
        modifier: -1,
        domain: None,
        collation: None,
    };
    RELATIONS
        .iter()
        .map(move |(name, oid, columns)| Definition {
            schema: LAKEGATE,
            name,
            oid: *oid,
            kind: "v",
            columns: columns.iter().map(column).collect(),
        })
}

/// What discovery found but did not make a table.
pub(super) fn omissions(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for omission in &view.snapshot.omissions {
        table.push(&[
            ("path", omission.path.as_str().into()),
            ("reason", omission.reason.as_str().into()),
        ])?;
    }
    Ok(())
}

/// The named snapshots, and of how many tables each knows the version.
pub(super) fn snapshots(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for saved in view.snapshot.views.snapshots.values() {
        let as_of = saved.instant.to_rfc3339();
        let n_tables = saved.versions.as_ref().map(BTreeMap::len);
        let n_tables = n_tables.and_then(|number| i32::try_from(number).ok());
        table.push(&[
            ("snapshot_name", saved.name.as_str().into()),
            ("as_of", as_of.as_str().into()),
            ("tables", n_tables.map_or(Value::Null, Value::from)),
            ("comment", saved.comment.as_deref().into()),
        ])?;
    }
    Ok(())
}

/// Where each table's rows lie.
pub(super) fn tables(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let rights = view.rights();
    for (_, relation) in lake_relations(view) {
        let is_known = rights.may_any(&relation.schema, &relation.name);
        if relation.view().is_some() || !is_known {
            continue;
        }
        let layout = relation.table().map(|table| match table.layout {
            Layout::Delta => "delta",
            Layout::Folder => "folder",
            Layout::File => "file",
        });
        let elsewhere = relation.foreign().map(|table| {
            let remote = &table.remote;
            format!("{}.{}.{}", table.server.name, remote.schema, remote.table)
        });
        let layout = layout.or(elsewhere.as_ref().map(|_| "foreign"));
        let path = relation.table().map(|table| table.path.as_str());
        table.push(&[
            ("schema_name", relation.schema.as_str().into()),
            ("table_name", relation.name.as_str().into()),
            ("path", path.or(elsewhere.as_deref()).into()),
            ("layout", layout.into()),
        ])?;
    }
    Ok(())
}

/// The relations that cannot be read, and why; and what is wrong in the views folder.
pub(super) fn view_errors(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for problem in view_problems(&view.snapshot, view.inventory.as_deref()) {
        let condition = format!("{:?}", problem.error.kind());
        let (line, column) = problem.place.unzip();
        let number = |number: Option<usize>| match number.and_then(|n| i32::try_from(n).ok()) {
            Some(number) => number.into(),
            None => Value::Null,
        };
        table.push(&[
            ("schema_name", problem.name.map(|name| name.0).into()),
            ("relation_name", problem.name.map(|name| name.1).into()),
            ("path", problem.path.as_deref().into()),
            ("line", number(line)),
            ("column", number(column)),
            ("condition", condition.as_str().into()),
            ("message", problem.error.message().into()),
            ("detail", problem.error.detail().into()),
            ("hint", problem.error.hint().into()),
        ])?;
    }
    Ok(())
}

/// What is wrong with a relation, or with a file of the views folder.
#[derive(Debug)]
pub struct ViewProblem<'a> {
    /// The relation's schema and name; `None` if it is about a file.
    pub name: Option<(&'a str, &'a str)>,
    /// The file or folder.
    pub path: Option<String>,
    /// Line and column in it, where it is text of ours.
    pub place: Option<(usize, usize)>,
    /// What.
    pub error: &'a Error,
}

/// What is wrong in a snapshot: the files that could not be understood, then the relations that
/// cannot be read, each once.
pub fn view_problems<'a>(
    snapshot: &'a Snapshot,
    inventory: Option<&'a Inventory>,
) -> Vec<ViewProblem<'a>> {
    let told = snapshot.views.problems.iter().map(|problem| ViewProblem {
        name: problem
            .view
            .as_ref()
            .map(|name| (name.0.as_str(), name.1.as_str())),
        path: Some(problem.location.path.clone()),
        place: Some((problem.location.line, problem.location.column)),
        error: &problem.error,
    });
    let mut problems: Vec<_> = told.collect();
    let schemas = snapshot.schemas.values();
    for relation in schemas.flat_map(|schema| schema.relations.values()) {
        let name = (relation.schema.as_str(), relation.name.as_str());
        if problems.iter().any(|problem| problem.name == Some(name)) {
            continue;
        }
        let opened = inventory.and_then(|inventory| inventory.error(relation.oid));
        let Some(error) = relation.kind.as_ref().err().or(opened) else {
            continue;
        };
        let location = relation
            .view()
            .map(|view| view.locate(error.position().unwrap_or(1)));
        problems.push(ViewProblem {
            name: Some(name),
            place: location.as_ref().map(|at| (at.line, at.column)),
            path: location
                .map(|at| at.path)
                .or_else(|| Some(relation.table()?.path.clone())),
            error,
        });
    }
    problems
}
