//! Runs the statements about the session itself: settings, transactions, what is prepared.

use std::sync::Arc;

use arrow::array::StringArray;

use super::assume::SESSION_AUTHORIZATION;
use super::failure::Failure;
use super::rows::{Rows, text_column};
use super::session::{Session, no_cursor, no_statement};
use super::sqlstate::WireCondition;
use super::transaction::TooLate;
use crate::auth::Authority;
use crate::engine::{Column, Mode, SessionCommand};

/// What a command did.
#[derive(Debug)]
pub(super) struct Done {
    /// The text of CommandComplete.
    pub(super) tag: &'static str,
    /// To be sent before it.
    pub(super) warning: Option<Failure>,
}

impl Done {
    fn tag(tag: &'static str) -> Self {
        Self { tag, warning: None }
    }
}

/// What surrounds a command.
#[derive(Clone, Debug)]
pub(super) struct Surroundings<'a> {
    /// The command's own text.
    pub(super) text: &'a str,
    /// Whether other statements stand in the same message: they make an implicit block.
    pub(super) has_siblings: bool,
    /// Which roles there are.
    pub(super) authority: Arc<Authority>,
}

/// The columns of a command's rows; none for most.
///
/// # Errors
/// There is no such setting.
pub(super) fn columns(session: &Session, command: &SessionCommand) -> Result<Vec<Column>, Failure> {
    Ok(match command {
        SessionCommand::Show(name) => vec![text_column(session.settings.show(name)?.0)],
        SessionCommand::ShowAll => ["name", "setting", "description"].map(text_column).into(),
        _ => Vec::new(),
    })
}

/// The rows of SHOW; `None` for other commands.
///
/// # Errors
/// There is no such setting.
pub(super) fn rows(session: &Session, command: &SessionCommand) -> Result<Option<Rows>, Failure> {
    let texts = match command {
        SessionCommand::Show(name) => {
            let (_, value) = session.settings.show(name)?;
            vec![StringArray::from(vec![value])]
        }
        SessionCommand::ShowAll => {
            let all: Vec<_> = session.settings.show_all().collect();
            vec![
                all.iter().map(|(name, ..)| Some(*name)).collect(),
                all.iter().map(|(_, value, _)| Some(*value)).collect(),
                all.iter()
                    .map(|(.., description)| Some(*description))
                    .collect(),
            ]
        }
        _ => return Ok(None),
    };
    let columns = columns(session, command)?;
    Ok(Some(Rows::of_texts(columns, texts)))
}

/// Runs a command without rows.
///
/// # Errors
/// What PostgreSQL refuses as well, and settings that are not honoured.
pub(super) fn run(
    session: &mut Session,
    command: &SessionCommand,
    surroundings: &Surroundings<'_>,
) -> Result<Done, Failure> {
    let authority = &surroundings.authority;
    Ok(match command {
        SessionCommand::Begin(_)
        | SessionCommand::Commit
        | SessionCommand::Rollback
        | SessionCommand::Savepoint(_)
        | SessionCommand::Release(_)
        | SessionCommand::RollbackTo(_) => transaction(session, command, surroundings.text)?,
        SessionCommand::Set { name, value, local } => {
            require_fresh(session, name, value.as_deref())?;
            session.set(authority, name, value.as_deref(), *local)?;
            let is_lost = *local && !session.transaction.in_block() && !surroundings.has_siblings;
            Done {
                tag: "SET",
                warning: is_lost.then(|| only_in_blocks("SET LOCAL")),
            }
        }
        SessionCommand::SetTransaction(modes) => {
            let is_lost = !session.transaction.in_block() && !surroundings.has_siblings;
            set_modes(session, modes)?;
            Done {
                tag: "SET",
                warning: is_lost.then(|| only_in_blocks("SET TRANSACTION")),
            }
        }
        SessionCommand::SetCharacteristics(modes) => {
            for mode in modes {
                let name = format!("default_transaction_{}", mode.name);
                session.settings.set(&name, Some(mode.value), false)?;
            }
            Done::tag("SET")
        }
        SessionCommand::Reset(name) => {
            session.reset(authority, name.as_deref())?;
            Done::tag("RESET")
        }
        SessionCommand::Discard(what) => discard(session, what, surroundings)?,
        SessionCommand::Deallocate(Some(name)) => {
            if !session.close_statement(name) {
                return Err(no_statement(name));
            }
            Done::tag("DEALLOCATE")
        }
        SessionCommand::Deallocate(None) => {
            session.close_statements();
            Done::tag("DEALLOCATE ALL")
        }
        SessionCommand::CloseCursor(Some(name)) => {
            if !session.close_portal(name) {
                return Err(no_cursor(name));
            }
            Done::tag("CLOSE CURSOR")
        }
        SessionCommand::CloseCursor(None) => {
            session.close_portals();
            Done::tag("CLOSE CURSOR ALL")
        }
        SessionCommand::Listen(_) | SessionCommand::Unlisten(_) | SessionCommand::Notify(..) => {
            channel(session, command)?
        }
        // Answered by `rows`.
        SessionCommand::Show(_) | SessionCommand::ShowAll => Done::tag("SHOW"),
    })
}

/// LISTEN, UNLISTEN and NOTIFY, which are done when the transaction commits.
fn channel(session: &mut Session, command: &SessionCommand) -> Result<Done, Failure> {
    let n_savepoints = session.transaction.n_savepoints();
    let channels = &mut session.channels;
    Ok(Done::tag(match command {
        SessionCommand::Listen(channel) => {
            channels.listen(channel, n_savepoints);
            "LISTEN"
        }
        SessionCommand::Notify(channel, payload) => {
            channels.notify(channel, payload, n_savepoints)?;
            "NOTIFY"
        }
        SessionCommand::Unlisten(Some(channel)) => {
            channels.unlisten(Some(channel), n_savepoints);
            "UNLISTEN"
        }
        _ => {
            channels.unlisten(None, n_savepoints);
            "UNLISTEN"
        }
    }))
}

fn only_in_blocks(command: &str) -> Failure {
    Failure::warning(
        WireCondition::NoActiveSqlTransaction,
        format!("{command} can only be used in transaction blocks"),
    )
}

/// Makes the transaction what it is to be.
fn set_modes(session: &mut Session, modes: &[Mode]) -> Result<(), Failure> {
    for mode in modes {
        let name = format!("transaction_{}", mode.name);
        require_fresh(session, &name, Some(mode.value))?;
        session.settings.set(&name, Some(mode.value), true)?;
    }
    Ok(())
}

/// Refuses to make a transaction another one than it is once it has begun to read.
fn require_fresh(session: &Session, name: &str, value: Option<&str>) -> Result<(), Failure> {
    let refusals = match name {
        "transaction_isolation" => TooLate {
            after_query: "SET TRANSACTION ISOLATION LEVEL must be called before any query",
            in_savepoint: "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction",
        },
        "transaction_deferrable" => TooLate {
            after_query: "SET TRANSACTION [NOT] DEFERRABLE must be called before any query",
            in_savepoint: "SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction",
        },
        // It may always become read-only.
        "transaction_read_only" if session.settings.is_read_only() && value != Some("on") => {
            TooLate {
                after_query: "transaction read-write mode must be set before any query",
                in_savepoint: "cannot set transaction read-write mode inside a read-only transaction",
            }
        }
        _ => return Ok(()),
    };
    let (_, current) = session.settings.show(name)?;
    match value == Some(current.as_str()) {
        true => Ok(()),
        false => session.transaction.require_fresh(&refusals),
    }
}

fn transaction(
    session: &mut Session,
    command: &SessionCommand,
    text: &str,
) -> Result<Done, Failure> {
    Ok(match command {
        SessionCommand::Begin(modes) => {
            let is_start = text
                .split_ascii_whitespace()
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("start"));
            let warning = session.transaction.begin();
            set_modes(session, modes)?;
            Done {
                tag: match is_start {
                    true => "START TRANSACTION",
                    false => "BEGIN",
                },
                warning,
            }
        }
        // COMMIT of a failed block does what ROLLBACK does, and says so.
        SessionCommand::Commit if !session.transaction.has_failed() => Done {
            tag: "COMMIT",
            warning: session.commit(),
        },
        SessionCommand::Savepoint(name) => {
            session.transaction.savepoint(name.clone())?;
            session.save();
            Done::tag("SAVEPOINT")
        }
        SessionCommand::Release(name) => {
            let n_kept = session.transaction.release(name)?;
            session.forget_savepoints(n_kept);
            Done::tag("RELEASE")
        }
        SessionCommand::RollbackTo(name) => {
            let n_kept = session.transaction.roll_back_to(name)?;
            session.roll_back_to(n_kept);
            Done::tag("ROLLBACK")
        }
        _ => Done {
            tag: "ROLLBACK",
            warning: session.roll_back(),
        },
    })
}

fn discard(
    session: &mut Session,
    what: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Done, Failure> {
    Ok(Done::tag(match what {
        "PLANS" => "DISCARD PLANS",
        "SEQUENCES" => "DISCARD SEQUENCES",
        "TEMP" | "TEMPORARY" => "DISCARD TEMP",
        _ => {
            if session.transaction.in_block() || surroundings.has_siblings {
                return Err(Failure::error(
                    WireCondition::ActiveSqlTransaction,
                    "DISCARD ALL cannot run inside a transaction block",
                ));
            }
            session.close_portals();
            session.close_statements();
            session.channels.unlisten(None, 0);
            let authority = &surroundings.authority;
            session.reset(authority, Some(SESSION_AUTHORIZATION))?;
            session.reset(authority, None)?;
            "DISCARD ALL"
        }
    }))
}
