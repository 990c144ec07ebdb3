//! What a connection remembers: who it is, its transaction, its prepared statements and portals.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::cancel::Registration;
use super::define::Definitions;
use super::failure::Failure;
use super::notify::Channels;
use super::portal::{Life, Portal, Prepared};
use super::settings::Settings;
use super::sqlstate::WireCondition;
use super::startup::Identity;
use super::transaction::Transaction;
use crate::auth::Authority;
use crate::catalog::SessionsSeen;
use crate::engine::{Moment, SessionCommand, Statement, StatementContext, StatementKind};
use crate::error::{Error, ErrorKind, Limit};
use crate::functions::output::{Notation, Style, Zone};
use crate::functions::{SessionFacts, Signals};

/// Prepared statements, and portals, that a session may hold.
const NAMED_MAX: usize = 10_000;

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    /// Whom the client said it is.
    user: String,
    /// Whether it proved that; else it came in on trust.
    pub(super) is_proved: bool,
    /// By what, for the audit.
    method: &'static str,
    /// The groups that its token says it is in.
    pub(super) groups: Arc<[String]>,
    /// When its token ends, and with it the session.
    ends_at: Option<DateTime<Utc>>,
    database: String,
    pid: i32,
    signals: Signals,
    pub(super) settings: Settings,
    pub(super) transaction: Transaction,
    statements: HashMap<String, Arc<Prepared>>,
    portals: HashMap<String, Portal>,
    facts: Option<Arc<SessionFacts>>,
    sessions: SessionsSeen,
    /// Whether there are other prepared statements than `sessions` tells of.
    has_other_statements: bool,
    /// Whether `sessions` tells of cursors.
    had_cursors: bool,
    /// The channels of LISTEN and NOTIFY.
    pub(super) channels: Channels,
    pub(super) definitions: Definitions,
    moment: Option<Arc<Moment>>,
}

impl Session {
    /// A session in its first moment.
    pub(super) fn new(identity: Identity, registration: &Registration) -> Self {
        let token = identity
            .proof
            .as_ref()
            .and_then(|proof| proof.token.as_ref());
        Self {
            user: identity.user,
            is_proved: identity.proof.is_some(),
            method: identity
                .proof
                .as_ref()
                .map_or("trust", |proof| proof.method),
            groups: token
                .map(|token| token.groups.as_slice().into())
                .unwrap_or_default(),
            ends_at: token.map(|token| token.until),
            database: identity.database,
            pid: registration.key.pid,
            signals: registration.signals(),
            settings: identity.settings,
            transaction: Transaction::new(),
            statements: HashMap::new(),
            portals: HashMap::new(),
            facts: None,
            sessions: registration.seen(),
            has_other_statements: false,
            had_cursors: false,
            channels: registration.channels(),
            definitions: Definitions::default(),
            moment: None,
        }
    }

    /// The session's number.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// How it proved who it is, for the audit.
    pub(super) fn method(&self) -> &'static str {
        self.method
    }

    /// Whether the token by which it came in has expired.
    pub(super) fn has_ended(&self) -> bool {
        self.ends_at.is_some_and(|end| Utc::now() >= end)
    }

    /// The database as the client named it.
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// Whom the client said it is.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// What a statement runs under.
    pub(super) fn context(
        &mut self,
        authority: &Authority,
        cancel: &CancellationToken,
    ) -> StatementContext {
        self.tell_what_is_held();
        StatementContext {
            facts: self.facts(authority),
            time_zone: self.settings.time_zone(),
            draft: self.definitions.draft().cloned(),
            moment: self.moment(),
            limits: self.settings.statement_limits(),
            cancel: cancel.clone(),
        }
    }

    /// The moment that the transaction sees, from its first statement on.
    fn moment(&mut self) -> Option<Arc<Moment>> {
        if !self.settings.sees_one_moment() {
            return None;
        }
        let moment = self.moment.get_or_insert_with(|| Arc::new(Moment::now()));
        Some(Arc::clone(moment))
    }

    /// The facts are made anew only where a setting has changed.
    fn facts(&mut self, authority: &Authority) -> Arc<SessionFacts> {
        let actor = self.actor(authority);
        if let Some(facts) = &self.facts
            && Arc::ptr_eq(&facts.settings, self.settings.values())
            && facts.actor == actor
        {
            return Arc::clone(facts);
        }
        let facts = Arc::new(SessionFacts {
            database: self.database.clone(),
            search_path: self.settings.search_path(&actor.user),
            actor,
            settings: Arc::clone(self.settings.values()),
            style: self.style(),
            backend_pid: self.pid,
            set_config: self.settings.set_config(),
            signals: self.signals.clone(),
            sessions: self.sessions.clone(),
            told: OnceLock::new(),
        });
        self.facts = Some(Arc::clone(&facts));
        facts
    }

    /// For `pg_prepared_statements` and `pg_cursors`.
    fn tell_what_is_held(&mut self) {
        if !self.has_other_statements && self.portals.is_empty() && !self.had_cursors {
            return;
        }
        let mut held = self
            .sessions
            .own
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut self.has_other_statements) {
            let named = self.statements.iter().filter(|(name, _)| !name.is_empty());
            held.prepared = named.map(|(name, kept)| kept.row(name)).collect();
        }
        let cursors = self.portals.iter().map(|(name, portal)| portal.row(name));
        held.cursors = cursors.collect();
        self.had_cursors = !held.cursors.is_empty();
    }

    /// How values are written, and read.
    pub(super) fn style(&self) -> Style {
        Style {
            zone: Zone::of(&self.settings.time_zone()),
            notation: Notation::of(self.settings.values()),
        }
    }

    /// A statement starts: refused in a failed block unless it ends the block.
    ///
    /// # Errors
    /// The block has failed.
    pub(super) fn start_statement(&mut self, statement: Option<&Statement>) -> Result<(), Failure> {
        self.require_sound(statement)?;
        if self.transaction.start_statement() {
            self.save();
            self.settings.begin_transaction();
        }
        Ok(())
    }

    /// A transaction or savepoint begins.
    pub(super) fn save(&mut self) {
        self.settings.save();
        self.definitions.save();
    }

    /// RELEASE; this many savepoints are left.
    pub(super) fn forget_savepoints(&mut self, n_kept: usize) {
        self.settings.forget_savepoints(n_kept);
        self.channels.forget_savepoints(n_kept);
        self.definitions.forget_savepoints(n_kept);
        for portal in self.portals.values_mut() {
            if let Some(n_savepoints) = portal.life.n_savepoints() {
                *n_savepoints = n_kept.min(*n_savepoints);
            }
        }
    }

    /// ROLLBACK TO; this many savepoints are left, the last of them is where it goes back to.
    pub(super) fn roll_back_to(&mut self, n_kept: usize) {
        self.settings.roll_back_to(n_kept);
        self.channels.roll_back_to(n_kept);
        self.definitions.roll_back_to(n_kept);
        self.close_portals_since(n_kept);
    }

    /// Closes the portals that were made when at least this many savepoints stood.
    fn close_portals_since(&mut self, n_savepoints: usize) {
        self.portals.retain(|_, portal| {
            let before = portal.life.n_savepoints();
            before.is_none_or(|before| *before < n_savepoints)
        });
    }

    /// Refuses everything in a failed block but what ends it.
    ///
    /// # Errors
    /// The block has failed.
    pub(super) fn require_sound(&self, statement: Option<&Statement>) -> Result<(), Failure> {
        // An empty statement can do no harm.
        let Some(statement) = statement else {
            return Ok(());
        };
        let ends_block = matches!(
            statement.kind,
            StatementKind::Session(
                SessionCommand::Commit | SessionCommand::Rollback | SessionCommand::RollbackTo(_)
            )
        );
        if self.transaction.has_failed() && !ends_block {
            return Err(Failure::error(
                WireCondition::InFailedSqlTransaction,
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        Ok(())
    }

    /// A statement failed: a block is spoiled, an implicit transaction is rolled back.
    pub(super) fn fail(&mut self) {
        self.settings.forget_asked();
        if self.transaction.in_block() {
            self.transaction.fail();
            // Those that no ROLLBACK TO can bring back.
            self.close_portals_since(self.transaction.n_savepoints());
        } else {
            self.roll_back();
        }
    }

    /// The end of a message, or Sync: a transaction that no BEGIN opened ends.
    pub(super) fn finish_implicit(&mut self) {
        if !self.transaction.in_block() && self.transaction.is_open() {
            self.commit();
        }
        if !self.transaction.in_block() {
            self.portals
                .retain(|_, portal| portal.life == Life::Session);
        }
    }

    /// COMMIT, once the definitions are written; what there is to warn of.
    pub(super) fn commit(&mut self) -> Option<Failure> {
        self.portals.retain(|_, portal| {
            if matches!(portal.life, Life::Held { .. }) {
                portal.life = Life::Session;
            }
            portal.life == Life::Session
        });
        self.settings.commit();
        self.channels.commit();
        self.definitions.clear();
        self.moment = None;
        self.transaction.end()
    }

    /// ROLLBACK; what there is to warn of.
    pub(super) fn roll_back(&mut self) -> Option<Failure> {
        self.portals
            .retain(|_, portal| portal.life == Life::Session);
        self.settings.roll_back();
        self.channels.roll_back();
        self.definitions.clear();
        self.moment = None;
        self.transaction.end()
    }

    /// A prepared statement.
    ///
    /// # Errors
    /// There is none of this name.
    pub(super) fn statement(&self, name: &str) -> Result<Arc<Prepared>, Failure> {
        let found = self.statements.get(name).map(Arc::clone);
        found.ok_or_else(|| no_statement(name))
    }

    /// Refuses a name that is taken; the unnamed statement gives way.
    ///
    /// # Errors
    /// A statement of this name exists, or there are too many.
    pub(super) fn make_room_for_statement(&mut self, name: &str) -> Result<(), Failure> {
        if name.is_empty() {
            self.statements.remove(name);
        } else if self.statements.contains_key(name) {
            return Err(Error::new(
                ErrorKind::DuplicatePreparedStatement,
                format!("prepared statement \"{name}\" already exists"),
            )
            .into());
        }
        within_limit(self.statements.len(), "prepared statements")
    }

    /// Keeps a prepared statement.
    pub(super) fn keep_statement(&mut self, name: String, prepared: Prepared) {
        self.has_other_statements |= !name.is_empty();
        self.statements.insert(name, Arc::new(prepared));
    }

    /// Forgets a prepared statement; whether there was one.
    pub(super) fn close_statement(&mut self, name: &str) -> bool {
        self.has_other_statements = true;
        self.statements.remove(name).is_some()
    }

    /// Forgets every prepared statement.
    pub(super) fn close_statements(&mut self) {
        self.has_other_statements = true;
        self.statements.clear();
    }

    /// A portal.
    ///
    /// # Errors
    /// There is none of this name.
    pub(super) fn portal(&self, name: &str) -> Result<&Portal, Failure> {
        self.portals.get(name).ok_or_else(|| no_portal(name))
    }

    /// Takes a portal, to be run and perhaps kept again.
    ///
    /// # Errors
    /// There is none of this name.
    pub(super) fn take_portal(&mut self, name: &str) -> Result<Portal, Failure> {
        self.portals.remove(name).ok_or_else(|| no_portal(name))
    }

    /// Refuses a name that is taken; the unnamed portal gives way.
    ///
    /// # Errors
    /// A portal of this name exists, or there are too many.
    pub(super) fn make_room_for_portal(&mut self, name: &str) -> Result<(), Failure> {
        if name.is_empty() {
            self.portals.remove(name);
        } else if self.portals.contains_key(name) {
            return Err(Error::new(
                ErrorKind::DuplicateCursor,
                format!("cursor \"{name}\" already exists"),
            )
            .into());
        }
        within_limit(self.portals.len(), "portals")
    }

    /// Keeps a portal.
    pub(super) fn keep_portal(&mut self, name: String, portal: Portal) {
        self.portals.insert(name, portal);
    }

    /// Closes a portal; whether there was one.
    pub(super) fn close_portal(&mut self, name: &str) -> bool {
        self.portals.remove(name).is_some()
    }

    /// Closes every portal.
    pub(super) fn close_portals(&mut self) {
        self.portals.clear();
    }

    /// A simple Query ends what the extended protocol left unnamed.
    pub(super) fn close_unnamed(&mut self) {
        self.statements.remove("");
        self.portals.remove("");
    }
}

fn within_limit(n_kept: usize, what: &str) -> Result<(), Failure> {
    if n_kept < NAMED_MAX {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LimitExceeded(Limit::Configuration),
        format!("cannot have more than {NAMED_MAX} {what}"),
    )
    .into())
}

/// PostgreSQL's words for a prepared statement that is not there.
pub(super) fn no_statement(name: &str) -> Failure {
    let message = match name {
        "" => "unnamed prepared statement does not exist".to_owned(),
        _ => format!("prepared statement \"{name}\" does not exist"),
    };
    Error::new(ErrorKind::InvalidSqlStatementName, message).into()
}

/// PostgreSQL's words for a cursor that is not there; the protocol calls it a portal.
pub(super) fn no_cursor(name: &str) -> Failure {
    let message = format!("cursor \"{name}\" does not exist");
    Error::new(ErrorKind::InvalidCursorName, message).into()
}

/// PostgreSQL's words for a portal that is not there.
fn no_portal(name: &str) -> Failure {
    Error::new(
        ErrorKind::InvalidCursorName,
        format!("portal \"{name}\" does not exist"),
    )
    .into()
}
