//! PostgreSQL's functions, operators and types that DataFusion lacks or means otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use crate::catalog::Snapshot;

/// What functions may know of the session that calls them (`current_user`, `current_setting` ...).
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// The database as the session named it.
    pub database: String,
    /// The session's user.
    pub user: String,
    /// Schemas searched for unqualified names, `pg_catalog` not among them.
    pub search_path: Vec<String>,
    /// Every setting by lower-case name, as SHOW prints it.
    pub settings: Arc<BTreeMap<String, String>>,
    /// The number that `pg_backend_pid()` gives.
    pub backend_pid: i32,
}

/// Functions whose answers depend on the session or the catalog, made for one statement.
/// Looked up by lower-case name, without schema.
pub fn of_session(facts: &Arc<SessionFacts>, snapshot: &Arc<Snapshot>) -> Vec<Arc<ScalarUDF>> {
    let _ = (facts, snapshot);
    Vec::new()
}

/// Functions that depend on their arguments alone, registered once.
pub fn constant() -> Vec<Arc<ScalarUDF>> {
    Vec::new()
}
