//! What a session holds under a name: prepared statements and portals.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::cursor::SharedCursor;
use super::encode::Format;
use crate::catalog::{CursorRow, PreparedRow};
use crate::engine::{Description, Parameter, Statement};

/// What Parse made.
#[derive(Debug)]
pub(super) struct Prepared {
    /// `None` for a text without a statement.
    pub(super) statement: Option<Arc<Statement>>,
    pub(super) description: Description,
    /// Whether PREPARE made it, or DECLARE, whose text this is; else the protocol.
    pub(super) sql_text: Option<Arc<str>>,
    /// When it was made, in microseconds since 1970.
    pub(super) made_at: i64,
    /// How often it was run.
    pub(super) n_runs: AtomicI64,
}

impl Prepared {
    /// One that is made now.
    pub(super) fn new(
        statement: Option<Arc<Statement>>,
        description: Description,
        sql_text: Option<Arc<str>>,
    ) -> Self {
        Self {
            statement,
            description,
            sql_text,
            made_at: chrono::Utc::now().timestamp_micros(),
            n_runs: AtomicI64::new(0),
        }
    }

    fn text(&self) -> Arc<str> {
        let statement = self.statement.as_ref().map(|statement| &statement.text);
        let text = self.sql_text.as_ref().or(statement);
        text.map_or_else(|| "".into(), Arc::clone)
    }

    pub(super) fn row(&self, name: &str) -> PreparedRow {
        let Description {
            parameters,
            columns,
        } = &self.description;
        let oids = |types: &mut dyn Iterator<Item = u32>| types.collect::<Vec<u32>>();
        PreparedRow {
            name: name.to_owned(),
            statement: self.text(),
            prepared_at: self.made_at,
            parameters: oids(&mut parameters.iter().map(|of| of.oid)),
            results: (!columns.is_empty())
                .then(|| oids(&mut columns.iter().map(|column| column.pg_type.oid))),
            is_from_sql: self.sql_text.is_some(),
            n_runs: self.n_runs.load(Ordering::Relaxed),
        }
    }
}

/// What Bind or DECLARE made.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) prepared: Arc<Prepared>,
    pub(super) parameters: Vec<Parameter>,
    /// One for each column, for Execute.
    pub(super) formats: Vec<Format>,
    /// For a FETCH in a Query: binary only if it was declared so.
    pub(super) fetch_format: Format,
    pub(super) state: PortalState,
    /// How long it stays.
    pub(super) life: Life,
    /// Whether it goes backward.
    pub(super) is_scrollable: bool,
}

impl Portal {
    pub(super) fn row(&self, name: &str) -> CursorRow {
        CursorRow {
            name: name.to_owned(),
            statement: self.prepared.text(),
            is_holdable: matches!(self.life, Life::Held { .. } | Life::Session),
            is_binary: self.fetch_format == Format::Binary,
            is_scrollable: self.is_scrollable,
            created_at: self.prepared.made_at,
        }
    }
}

/// How far a portal has come.
/// - `New` -> `Open`: the first Execute of a statement with rows, and every DECLARE.
/// - `New` -> `Done`: a command is done.
#[derive(Debug)]
pub(super) enum PortalState {
    New,
    Open(SharedCursor),
    Done,
}

/// How long a portal stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// To the end of its transaction. `n_savepoints` stood when it was made: going back to one of
    /// them ends it.
    Transaction { n_savepoints: usize },
    /// As above until its transaction commits, then as long as the session.
    Held { n_savepoints: usize },
    /// As long as the session.
    Session,
}

impl Life {
    /// The savepoints that stood when it was made, or were left of those.
    pub(super) fn n_savepoints(&mut self) -> Option<&mut usize> {
        match self {
            Self::Transaction { n_savepoints } | Self::Held { n_savepoints } => Some(n_savepoints),
            Self::Session => None,
        }
    }
}
