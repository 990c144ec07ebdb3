//! What sessions do and hold: `pg_stat_activity`, `pg_stat_gssapi`, `pg_prepared_statements`, `pg_cursors`.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat};

use super::data::Builtin;
use super::roles::role_oid;
use super::table::{Table, Value};
use super::{DATABASE_OID, SystemView};
use crate::error::{ErrorKind, Result};

/// Stands for what a role may not see of others' sessions (`pg_stat_get_activity`).
const HIDDEN: &str = "<insufficient privilege>";

/// What a session is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendState {
    /// It runs a statement.
    Active,
    /// It waits for its client, outside of a transaction.
    Idle,
    /// The same, in a transaction.
    InTransaction,
    /// The same, in a failed one.
    InFailedTransaction,
}

impl BackendState {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::InTransaction => "idle in transaction",
            Self::InFailedTransaction => "idle in transaction (aborted)",
        }
    }
}

/// A session as others see it. Moments are microseconds since 1970.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is the column of pg_stat_activity of its name"
)]
pub struct SessionRow {
    pub pid: i32,
    pub user: String,
    pub application: Arc<str>,
    /// As values of `inet` are kept.
    pub client_address: Option<Vec<u8>>,
    pub client_port: Option<u16>,
    pub began_at: i64,
    pub transaction_at: Option<i64>,
    pub query_at: Option<i64>,
    pub changed_at: i64,
    pub state: BackendState,
    pub query: Arc<str>,
}

/// A prepared statement with a name.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is the column of pg_prepared_statements of its name"
)]
pub struct PreparedRow {
    pub name: String,
    pub statement: Arc<str>,
    pub prepared_at: i64,
    /// OIDs.
    pub parameters: Vec<u32>,
    /// OIDs; `None` for a statement without rows.
    pub results: Option<Vec<u32>>,
    pub is_from_sql: bool,
    pub n_runs: i64,
}

/// A cursor.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is the column of pg_cursors of its name"
)]
pub struct CursorRow {
    pub name: String,
    pub statement: Arc<str>,
    pub is_holdable: bool,
    pub is_binary: bool,
    pub is_scrollable: bool,
    pub created_at: i64,
}

/// Something that clients were refused because it is not there for anyone. Moments are microseconds
/// since 1970.
#[derive(Clone, Debug)]
pub struct ProbeRow {
    /// The client's program, as it calls itself.
    pub application: Arc<str>,
    /// What kind of failure it was.
    pub condition: ErrorKind,
    /// The failure's message.
    pub message: String,
    /// The statement it was seen in last, without secrets.
    pub statement: Arc<str>,
    /// How often.
    pub count: i64,
    /// When first.
    pub first_at: i64,
    /// When last.
    pub last_at: i64,
}

/// What a session holds: it alone sees it.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Its prepared statements.
    pub prepared: Vec<PreparedRow>,
    /// Its cursors.
    pub cursors: Vec<CursorRow>,
    /// What its last statement read that read relations of the lake.
    pub versions: Vec<VersionRow>,
}

/// A relation that was read, and its version then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "each field is the column of lakegate.versions of its name"
)]
pub struct VersionRow {
    pub schema_name: String,
    pub table_name: String,
    pub version: String,
}

/// How a statement sees the sessions of its door.
#[derive(Clone)]
pub struct SessionsSeen {
    /// What its own session holds.
    pub own: Arc<Mutex<Held>>,
    /// All sessions there are.
    pub all: Arc<dyn Fn() -> Vec<SessionRow> + Send + Sync>,
    /// What any of them were refused.
    pub refused: Arc<dyn Fn() -> Vec<ProbeRow> + Send + Sync>,
}

impl Default for SessionsSeen {
    /// Where there are no sessions.
    fn default() -> Self {
        Self {
            own: Arc::default(),
            all: Arc::new(Vec::new),
            refused: Arc::new(Vec::new),
        }
    }
}

impl std::fmt::Debug for SessionsSeen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionsSeen")
    }
}

fn written(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Micros, true)
}

pub(super) fn pg_stat_activity(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let mut sessions = (view.sessions.all)();
    sessions.sort_by_key(|session| session.pid);
    sessions
        .iter()
        .try_for_each(|session| push_session(view, session, table))
}

fn push_session(view: &SystemView, session: &SessionRow, table: &mut Table) -> Result<()> {
    let authority = &view.snapshot.views.authority;
    let may = |role: &str| authority.has_privileges_of(&view.actor.user, role);
    let is_seen =
        authority.may_everything(&view.actor) || may(&session.user) || may("pg_read_all_stats");
    let user_oid = role_oid(authority, &view.actor, &session.user);
    let moment = |at: Option<i64>| at.filter(|_| is_seen).map(written);
    let began_at = moment(Some(session.began_at));
    let (transaction_at, query_at) = (moment(session.transaction_at), moment(session.query_at));
    let changed_at = moment(Some(session.changed_at));
    let rests = is_seen && session.state != BackendState::Active;
    let seen = |text: &'static str| is_seen.then_some(text);
    table.push(&[
        ("datid", DATABASE_OID.into()),
        ("datname", view.database.as_str().into()),
        ("pid", session.pid.into()),
        ("usesysid", user_oid.map_or(Value::Null, Value::from)),
        ("usename", session.user.as_str().into()),
        ("application_name", session.application.as_ref().into()),
        (
            "client_addr",
            match session.client_address.as_deref().filter(|_| is_seen) {
                Some(kept) => Value::Bytes(kept),
                None => Value::Null,
            },
        ),
        (
            "client_port",
            match session.client_port.filter(|_| is_seen) {
                Some(port) => i32::from(port).into(),
                None => Value::Null,
            },
        ),
        ("backend_start", began_at.as_deref().into()),
        ("xact_start", transaction_at.as_deref().into()),
        ("query_start", query_at.as_deref().into()),
        ("state_change", changed_at.as_deref().into()),
        ("wait_event_type", rests.then_some("Client").into()),
        ("wait_event", rests.then_some("ClientRead").into()),
        ("state", seen(session.state.name()).into()),
        (
            "query",
            match is_seen {
                true => session.query.as_ref().into(),
                false => HIDDEN.into(),
            },
        ),
        ("backend_type", seen("client backend").into()),
    ])
}

/// What clients were refused, for who may see what others do.
pub(super) fn unhandled_probes(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let authority = &view.snapshot.views.authority;
    let may_see = authority.may_everything(&view.actor)
        || authority.has_privileges_of(&view.actor.user, "pg_read_all_stats");
    if !may_see {
        return Ok(());
    }
    let mut probes = (view.sessions.refused)();
    probes.sort_by_key(|probe| (-probe.count, probe.first_at));
    for probe in &probes {
        let condition = format!("{:?}", probe.condition);
        table.push(&[
            ("application_name", probe.application.as_ref().into()),
            ("condition", condition.as_str().into()),
            ("message", probe.message.as_str().into()),
            ("count", Value::Int(probe.count)),
            ("first_at", written(probe.first_at).as_str().into()),
            ("last_at", written(probe.last_at).as_str().into()),
            ("last_statement", probe.statement.as_ref().into()),
        ])?;
    }
    Ok(())
}

/// What the session's last statement read, at which versions.
pub(super) fn versions(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let own = view
        .sessions
        .own
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    for row in &own.versions {
        table.push(&[
            ("schema_name", row.schema_name.as_str().into()),
            ("table_name", row.table_name.as_str().into()),
            ("version", row.version.as_str().into()),
        ])?;
    }
    Ok(())
}

/// No session came by Kerberos.
pub(super) fn pg_stat_gssapi(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let mut sessions = (view.sessions.all)();
    sessions.sort_by_key(|session| session.pid);
    sessions.iter().try_for_each(|session| {
        table.push(&[
            ("pid", session.pid.into()),
            ("gss_authenticated", false.into()),
            ("encrypted", false.into()),
            ("credentials_delegated", false.into()),
        ])
    })
}

pub(super) fn pg_prepared_statements(
    _: &Builtin,
    view: &SystemView,
    table: &mut Table,
) -> Result<()> {
    let held = view
        .sessions
        .own
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    for prepared in &held.prepared {
        let list = |oids: &[u32]| {
            let oids: Vec<String> = oids.iter().map(u32::to_string).collect();
            format!("{{{}}}", oids.join(","))
        };
        let parameters = list(&prepared.parameters);
        let results = prepared.results.as_deref().map(list);
        table.push(&[
            ("name", prepared.name.as_str().into()),
            ("statement", prepared.statement.as_ref().into()),
            (
                "prepare_time",
                written(prepared.prepared_at).as_str().into(),
            ),
            ("parameter_types", Value::Written(Some(&parameters))),
            ("result_types", Value::Written(results.as_deref())),
            ("from_sql", prepared.is_from_sql.into()),
            // Each run is planned for its own values.
            ("generic_plans", 0.into()),
            ("custom_plans", Value::Int(prepared.n_runs)),
        ])?;
    }
    Ok(())
}

pub(super) fn pg_cursors(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let held = view
        .sessions
        .own
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    for cursor in &held.cursors {
        table.push(&[
            ("name", cursor.name.as_str().into()),
            ("statement", cursor.statement.as_ref().into()),
            ("is_holdable", cursor.is_holdable.into()),
            ("is_binary", cursor.is_binary.into()),
            ("is_scrollable", cursor.is_scrollable.into()),
            ("creation_time", written(cursor.created_at).as_str().into()),
        ])?;
    }
    Ok(())
}
