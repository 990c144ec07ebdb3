//! A parsed statement: what it is, and where in the client's text it stood.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::tokenizer::Location;

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

/// Where the lines of a message begin. The parser counts lines and columns, PostgreSQL's
/// clients characters from the message's start.
#[derive(Debug)]
pub(super) struct Lines {
    /// Characters and bytes before each line.
    starts: Vec<(usize, usize)>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Arc<Self> {
        let mut starts = vec![(0, 0)];
        for (n_chars, (byte, character)) in text.char_indices().enumerate() {
            if character == '\n' {
                starts.push((n_chars + 1, byte + 1));
            }
        }
        Arc::new(Self { starts })
    }

    fn start(&self, location: Location) -> (usize, usize) {
        let line = usize::try_from(location.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let last = self.starts.len() - 1;
        self.starts[line.min(last)]
    }

    /// The character of a place, counted from 1.
    pub(super) fn position(&self, location: Location) -> usize {
        let column = usize::try_from(location.column).unwrap_or(1);
        self.start(location).0 + column.max(1)
    }

    /// The byte of a place in `text`.
    pub(super) fn byte(&self, text: &str, location: Location) -> usize {
        let (_, line) = self.start(location);
        let n_chars = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
        text[line..]
            .char_indices()
            .nth(n_chars)
            .map_or(text.len(), |(byte, _)| line + byte)
    }
}
