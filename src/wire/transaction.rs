//! Where a session stands between BEGIN and COMMIT.
//!
//! All that a block can write are definitions; but clients follow its states closely.
//! - `None` -> `Implicit`: the first statement of a message, or of a pipeline up to Sync.
//! - `Implicit` -> `None`: the end of that message, or Sync.
//! - `None`, `Implicit` -> `Block`: BEGIN.
//! - `Block` -> `Failed`: an error; `Failed` -> `Block`: ROLLBACK TO SAVEPOINT.
//! - `Block`, `Failed` -> `None`: COMMIT, ROLLBACK.

use pgwire::messages::response::TransactionStatus;

use super::failure::Failure;
use super::sqlstate::WireCondition;

/// Savepoints a block may hold; each keeps a copy of the settings.
const SAVEPOINTS_MAX: usize = 10_000;

/// PostgreSQL's words for what must be said of a transaction before it does anything.
#[derive(Debug)]
pub(super) struct TooLate {
    pub(super) after_query: &'static str,
    pub(super) in_savepoint: &'static str,
}

/// The state of a session's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    None,
    Implicit,
    Block,
    Failed,
}

/// A session's transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    state: State,
    /// Names, oldest first; one name may stand there twice.
    savepoints: Vec<String>,
    /// Whether a query was run in it.
    has_read: bool,
}

impl Transaction {
    pub(super) fn new() -> Self {
        Self {
            state: State::None,
            savepoints: Vec::new(),
            has_read: false,
        }
    }

    /// The byte of ReadyForQuery.
    pub(super) fn status(&self) -> TransactionStatus {
        match self.state {
            State::None | State::Implicit => TransactionStatus::Idle,
            State::Block => TransactionStatus::Transaction,
            State::Failed => TransactionStatus::Error,
        }
    }

    /// Whether BEGIN was said and neither COMMIT nor ROLLBACK.
    pub(super) fn in_block(&self) -> bool {
        matches!(self.state, State::Block | State::Failed)
    }

    /// Whether only the end of the block can be next.
    pub(super) fn has_failed(&self) -> bool {
        self.state == State::Failed
    }

    /// Whether any transaction is open.
    pub(super) fn is_open(&self) -> bool {
        self.state != State::None
    }

    /// How many savepoints stand.
    pub(super) fn n_savepoints(&self) -> usize {
        self.savepoints.len()
    }

    /// A statement starts. Returns whether a transaction began with it.
    pub(super) fn start_statement(&mut self) -> bool {
        let began = self.state == State::None;
        if began {
            self.state = State::Implicit;
        }
        began
    }

    /// BEGIN.
    pub(super) fn begin(&mut self) -> Option<Failure> {
        if self.in_block() {
            return Some(Failure::warning(
                WireCondition::ActiveSqlTransaction,
                "there is already a transaction in progress",
            ));
        }
        self.state = State::Block;
        None
    }

    /// COMMIT or ROLLBACK; what PostgreSQL warns of outside a block.
    pub(super) fn end(&mut self) -> Option<Failure> {
        let warning = (!self.in_block()).then(|| {
            Failure::warning(
                WireCondition::NoActiveSqlTransaction,
                "there is no transaction in progress",
            )
        });
        self.close();
        warning
    }

    /// The transaction is over.
    pub(super) fn close(&mut self) {
        self.state = State::None;
        self.savepoints.clear();
        self.has_read = false;
    }

    /// A query runs.
    pub(super) fn read(&mut self) {
        self.has_read = true;
    }

    /// Refuses what must be said of a transaction before it does anything (`check_transaction_isolation`
    /// and `check_transaction_read_only` in variable.c).
    ///
    /// # Errors
    /// A query was run already, or a savepoint stands.
    pub(super) fn require_fresh(&self, refusals: &TooLate) -> Result<(), Failure> {
        let message = if self.has_read {
            refusals.after_query
        } else if !self.savepoints.is_empty() {
            refusals.in_savepoint
        } else {
            return Ok(());
        };
        Err(Failure::error(WireCondition::ActiveSqlTransaction, message))
    }

    /// A statement failed: a block is kept, but can only be ended.
    pub(super) fn fail(&mut self) {
        if self.state == State::Block {
            self.state = State::Failed;
        }
    }

    /// SAVEPOINT name.
    pub(super) fn savepoint(&mut self, name: String) -> Result<(), Failure> {
        self.require_block("SAVEPOINT")?;
        if self.savepoints.len() >= SAVEPOINTS_MAX {
            return Err(Failure::error(
                WireCondition::ObjectNotInPrerequisiteState,
                format!("cannot have more than {SAVEPOINTS_MAX} savepoints"),
            ));
        }
        self.savepoints.push(name);
        Ok(())
    }

    /// RELEASE SAVEPOINT name; how many savepoints are left.
    pub(super) fn release(&mut self, name: &str) -> Result<usize, Failure> {
        self.require_block("RELEASE SAVEPOINT")?;
        let index = self.find(name)?;
        self.savepoints.truncate(index);
        Ok(index)
    }

    /// ROLLBACK TO SAVEPOINT name; how many savepoints are left, that one among them.
    pub(super) fn roll_back_to(&mut self, name: &str) -> Result<usize, Failure> {
        self.require_block("ROLLBACK TO SAVEPOINT")?;
        let index = self.find(name)?;
        self.savepoints.truncate(index + 1);
        self.state = State::Block;
        Ok(index + 1)
    }

    fn find(&self, name: &str) -> Result<usize, Failure> {
        let found = self
            .savepoints
            .iter()
            .rposition(|savepoint| savepoint == name);
        found.ok_or_else(|| {
            Failure::error(
                WireCondition::InvalidSavepointSpecification,
                format!("savepoint \"{name}\" does not exist"),
            )
        })
    }

    fn require_block(&self, command: &str) -> Result<(), Failure> {
        if self.in_block() {
            return Ok(());
        }
        Err(Failure::error(
            WireCondition::NoActiveSqlTransaction,
            format!("{command} can only be used in transaction blocks"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_block_comes_back_by_its_savepoint() {
        let mut transaction = Transaction::new();
        assert!(transaction.start_statement());
        assert!(transaction.begin().is_none());
        assert!(transaction.begin().is_some());
        transaction.savepoint("a".into()).unwrap();
        transaction.savepoint("b".into()).unwrap();
        transaction.fail();
        assert_eq!(transaction.status(), TransactionStatus::Error);
        assert_eq!(transaction.roll_back_to("a").unwrap(), 1);
        assert_eq!(transaction.status(), TransactionStatus::Transaction);
        assert!(transaction.release("b").is_err());
        assert_eq!(transaction.release("a").unwrap(), 0);
        assert!(transaction.end().is_none());
        assert_eq!(transaction.status(), TransactionStatus::Idle);
    }

    #[test]
    fn outside_a_block_there_is_nothing_to_end_or_save() {
        let mut transaction = Transaction::new();
        transaction.start_statement();
        assert!(transaction.savepoint("a".into()).is_err());
        transaction.fail();
        assert_eq!(transaction.status(), TransactionStatus::Idle);
        let warning = transaction.end().expect("a warning");
        assert_eq!(warning.message, "there is no transaction in progress");
    }
}
