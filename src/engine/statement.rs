//! A parsed statement: what it is, and where in the client's text it stood.

use std::sync::{Arc, OnceLock};

use datafusion::sql::sqlparser::ast;

use super::cache::Canonical;
use super::copy::Copy;
use super::explain::ExplainOptions;
use crate::catalog::sql::{Definition, Lines, Refresh};
use crate::error::Error;

/// One statement of a message.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its own text, without the semicolon.
    pub text: Arc<str>,
    /// What it is.
    pub kind: StatementKind,
    /// Turns places in the tree into positions of the message.
    pub(super) lines: Arc<Lines>,
    /// What its query says, once somebody asks.
    canonical: OnceLock<Canonical>,
}

impl Statement {
    /// A statement of this text.
    pub(super) fn new(text: Arc<str>, kind: StatementKind, lines: Arc<Lines>) -> Self {
        Self {
            text,
            kind,
            lines,
            canonical: OnceLock::new(),
        }
    }

    /// What the statement's query says, which is `query`.
    pub(super) fn canonical(&self, query: &ast::Query) -> &Canonical {
        self.canonical.get_or_init(|| Canonical::of(query))
    }

    /// The EXPLAIN of this query; `None` if it is none.
    pub fn explained(&self, options: ExplainOptions) -> Option<Self> {
        let StatementKind::Query(query) = &self.kind else {
            return None;
        };
        Some(Self {
            kind: StatementKind::Explain {
                query: query.clone(),
                options,
            },
            ..self.clone()
        })
    }
}

impl StatementKind {
    /// Whether a query in it is run, and not only planned.
    pub(super) fn is_run(&self) -> bool {
        match self {
            Self::Explain { options, .. } => options.analyze,
            _ => true,
        }
    }
}

/// What a statement asks for. Queries go to [`super::Engine::answer`]; the door runs what is about
/// the session itself, and keeps the statements and cursors that have a name.
#[derive(Clone, Debug)]
pub enum StatementKind {
    /// Rows: SELECT, VALUES, TABLE, WITH.
    Query(Box<ast::Query>),
    /// EXPLAIN of a query.
    Explain {
        /// What is explained.
        query: Box<ast::Query>,
        /// What is shown, and whether it is run as well.
        options: ExplainOptions,
    },
    /// EXPLAIN of a kept statement.
    ExplainExecute {
        /// What is explained.
        execute: Execute,
        /// What is shown, and whether it is run as well.
        options: ExplainOptions,
    },
    /// COPY TO STDOUT: rows in messages of their own.
    Copy(Box<Copy>),
    /// LOCK TABLE in ACCESS SHARE MODE: the relations of a query that is not run. The door hands it to
    /// [`super::Engine::lock`].
    Lock(Box<ast::Query>),
    /// A change of the views folder. The door collects those of a transaction, and gives them to
    /// [`super::Engine::define`].
    Definition(Definition),
    /// REFRESH MATERIALIZED VIEW. The door hands it to [`super::Engine::refresh`].
    Refresh(Refresh),
    /// What is known and not run: an error when it would be, and what was sent before it is run.
    Refused(Error),
    /// A statement kept under a name.
    Prepare(Prepare),
    /// A kept statement, to be run.
    Execute(Execute),
    /// A query whose rows are fetched by and by.
    Declare(Declare),
    /// Rows of a cursor, or a step over them.
    Fetch(Fetch),
    /// About the session alone.
    Session(SessionCommand),
}

/// PREPARE name (types) AS query.
#[derive(Clone, Debug)]
pub struct Prepare {
    /// The name it is kept under.
    pub name: String,
    /// OIDs of the parameters' types; 0 is to be inferred, and so are those left out.
    pub declared: Vec<u32>,
    /// What is kept: always a query.
    pub statement: Arc<Statement>,
}

/// EXECUTE name (arguments).
#[derive(Clone, Debug)]
pub struct Execute {
    /// The name that PREPARE or Parse gave.
    pub name: String,
    pub(super) arguments: Vec<ast::Expr>,
    pub(super) lines: Arc<Lines>,
}

/// DECLARE name CURSOR FOR query.
#[derive(Clone, Debug)]
pub struct Declare {
    /// The cursor's name.
    pub name: String,
    /// Whether FETCH gives values in binary.
    pub is_binary: bool,
    /// Whether it also goes backward.
    pub is_scrollable: bool,
    /// Whether it stays after its transaction.
    pub is_held: bool,
    /// What it gives the rows of: always a query.
    pub query: Arc<Statement>,
}

/// FETCH and MOVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The cursor's name.
    pub cursor: String,
    /// Which rows.
    pub direction: Direction,
    /// MOVE: the rows are passed, and not sent.
    pub is_move: bool,
}

/// Where a cursor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// This many rows on; 0 is the row it is on, once more.
    Forward(u64),
    /// This many rows back.
    Backward(u64),
    /// To the row of this number, counted from 1, or from the end backward.
    Absolute(i64),
    /// To the row this far from here.
    Relative(i64),
}

impl Direction {
    /// All rows that are left.
    pub const ALL: Self = Self::Forward(u64::MAX);

    /// A number of rows forward, a negative one backward.
    pub fn forward(n_rows: i64) -> Self {
        match n_rows {
            0.. => Self::Forward(n_rows.unsigned_abs()),
            _ => Self::Backward(n_rows.unsigned_abs()),
        }
    }

    /// The other way; the row it is on stays that.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Forward(0) => self,
            Self::Forward(n_rows) => Self::Backward(n_rows),
            Self::Backward(n_rows) => Self::Forward(n_rows),
            Self::Absolute(_) | Self::Relative(_) => self,
        }
    }
}

/// Statements about the session: settings and transactions. No relation is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// BEGIN, START TRANSACTION, and what the transaction is to be.
    Begin(Vec<Mode>),
    /// COMMIT, END.
    Commit,
    /// ROLLBACK, ABORT.
    Rollback,
    /// SAVEPOINT name.
    Savepoint(String),
    /// RELEASE SAVEPOINT name.
    Release(String),
    /// ROLLBACK TO SAVEPOINT name.
    RollbackTo(String),
    /// SET name = value; the value's parts as SHOW would print them, joined by `, `.
    Set {
        /// Lower case; `TIME ZONE` is `timezone`, `NAMES` is `client_encoding`.
        name: String,
        /// `None` for DEFAULT.
        value: Option<String>,
        /// SET LOCAL: until the transaction ends.
        local: bool,
    },
    /// SET TRANSACTION: this one.
    SetTransaction(Vec<Mode>),
    /// SET SESSION CHARACTERISTICS AS TRANSACTION: those to come.
    SetCharacteristics(Vec<Mode>),
    /// SHOW name.
    Show(String),
    /// SHOW ALL.
    ShowAll,
    /// RESET name; `None` for RESET ALL.
    Reset(Option<String>),
    /// DISCARD ALL and its parts: the word after DISCARD, in upper case.
    Discard(String),
    /// DEALLOCATE name; `None` for ALL.
    Deallocate(Option<String>),
    /// CLOSE name; `None` for ALL.
    CloseCursor(Option<String>),
    /// LISTEN channel.
    Listen(String),
    /// UNLISTEN channel; `None` for all.
    Unlisten(Option<String>),
    /// NOTIFY channel, and its payload, which may be empty.
    Notify(String, String),
}

/// One of the things that a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// The end of the settings' names, `transaction_...` and `default_transaction_...`.
    pub name: &'static str,
    /// The setting's value.
    pub value: &'static str,
}
