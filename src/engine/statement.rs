//! A parsed statement: what it is, and where in the client's text it stood.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;

use super::copy::Copy;
use crate::catalog::sql::{Definition, Lines};

/// One statement of a message.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its own text, without the semicolon.
    pub text: String,
    /// What it is.
    pub kind: StatementKind,
    /// Turns places in the tree into positions of the message.
    pub(super) lines: Arc<Lines>,
}

/// What a statement asks for. The door runs [`StatementKind::Session`] itself; everything else
/// goes to [`super::Engine::answer`].
#[derive(Clone, Debug)]
pub enum StatementKind {
    /// Rows: SELECT, VALUES, TABLE, WITH.
    Query(Box<ast::Query>),
    /// EXPLAIN of a query.
    Explain {
        /// What is explained.
        query: Box<ast::Query>,
        /// Whether it is run as well.
        analyze: bool,
        /// Whether every operator's properties are shown.
        verbose: bool,
    },
    /// COPY TO STDOUT: rows in messages of their own.
    Copy(Box<Copy>),
    /// A change of the views folder. The door collects those of a transaction, and gives them to
    /// [`super::Engine::define`].
    Definition(Definition),
    /// About the session alone.
    Session(SessionCommand),
}

/// Statements about the session: settings and transactions. No relation is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// BEGIN, START TRANSACTION.
    Begin,
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
    /// SET TRANSACTION, SET SESSION CHARACTERISTICS: nothing changes in a read-only server.
    SetTransaction,
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
    /// UNLISTEN: nothing can be listened to, so nothing is stopped.
    Unlisten,
}
