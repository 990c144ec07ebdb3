//! Tells the audit what happens at the door: who came in or was turned away, what was defined, and
//! what was refused.

use std::net::SocketAddr;

use tokio::time::Instant;

use super::Shared;
use super::client::Client;
use super::connection::Connection;
use super::failure::{End, Failure};
use super::session::Session;
use super::sqlstate::{Condition, sqlstate};
use super::startup::StartupPacket;
use crate::catalog::sql::{Definition, without_secrets};
use crate::engine::{Statement, StatementKind};
use crate::error::ErrorKind;
use crate::observe::{Event, Happened};

/// Whom a connection says it is for, and whence it comes.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    user: String,
    database: String,
    application_name: String,
    address: String,
    is_encrypted: bool,
    since: Instant,
}

/// Something that a transaction defined, told once it is kept.
#[derive(Clone, Debug)]
pub(super) struct Defined {
    session_user: String,
    role: String,
    command: &'static str,
    object: String,
    statement: String,
}

impl Arrival {
    /// Of a client that sent its start-up packet.
    pub(super) fn new(client: &Client, packet: &StartupPacket, shared: &Shared) -> Self {
        let address = client.address().as_ref().map(SocketAddr::to_string);
        Self {
            user: packet.user().unwrap_or_default().to_owned(),
            database: packet.database(&shared.config).to_owned(),
            application_name: packet.application_name().to_owned(),
            address: address.unwrap_or_default(),
            is_encrypted: client.is_encrypted(),
            since: Instant::now(),
        }
    }

    fn event(&self, happened: Happened) -> Event<'_> {
        Event {
            database: &self.database,
            address: &self.address,
            tls: self.is_encrypted,
            application_name: &self.application_name,
            ..Event::new(happened, &self.user)
        }
    }

    /// The client was let in.
    pub(super) fn let_in(&self, shared: &Shared, session: &Session) {
        shared.audit.tell(Event {
            session: Some(session.pid()),
            method: session.method(),
            ..self.event(Happened::LogIn)
        });
    }

    /// It was not, for this reason.
    pub(super) fn turned_away(&self, shared: &Shared, failure: &Failure) {
        let told = &failure.message;
        shared.audit.tell(Event {
            code: sqlstate(failure.condition),
            reason: failure.true_reason.unwrap_or(told),
            ..self.event(Happened::LogInFailed)
        });
    }

    /// The session is over.
    pub(super) fn left(&self, connection: &Connection, end: &End) {
        let (code, reason) = match end {
            End::Terminated => ("", "the client said goodbye"),
            End::Gone => ("", "the client is gone"),
            End::Fatal(failure) => (sqlstate(failure.condition), failure.message.as_str()),
        };
        connection.shared.audit.tell(Event {
            session: Some(connection.session.pid()),
            code,
            reason,
            seconds: Some(self.since.elapsed().as_secs_f64()),
            ..self.event(Happened::SessionEnd)
        });
    }
}

impl Connection {
    /// What a definition is told as, once it is kept; `None` if nobody wants to know.
    pub(super) fn told_as(&self, definition: &Definition) -> Option<Defined> {
        if !self.shared.audit.is_kept() {
            return None;
        }
        let actor = self.session.actor(&self.shared.engine.authority());
        Some(Defined {
            session_user: actor.session_user,
            role: actor.user,
            command: definition.tag(),
            object: definition.subject(),
            statement: self.doing.as_deref().map(shown).unwrap_or_default(),
        })
    }

    /// Tells what was defined: it is kept now.
    pub(super) fn tell_defined(&self, all: Vec<Defined>) {
        for defined in all {
            self.shared.audit.tell(Event {
                role: Some(&defined.role),
                session_user: Some(&defined.session_user),
                session: Some(self.session.pid()),
                command: defined.command,
                object: &defined.object,
                statement: &defined.statement,
                ..self.arrival.event(Happened::Definition)
            });
        }
    }

    /// Tells a failure, if it is that something was not allowed, and counts it, if it is that
    /// something is not there.
    pub(super) fn tell_refused(&self, failure: &Failure) {
        let probes = &self.shared.sessions.probes;
        probes.count(failure, &self.key.activity);
        let denied = Condition::Engine(ErrorKind::InsufficientPrivilege);
        if failure.condition != denied || !self.shared.audit.is_kept() {
            return;
        }
        let actor = self.session.actor(&self.shared.engine.authority());
        let doing = self.doing.as_deref();
        self.shared.audit.tell(Event {
            role: Some(&actor.user),
            session_user: Some(&actor.session_user),
            session: Some(self.session.pid()),
            command: doing.map(command).unwrap_or_default(),
            statement: &doing.map(shown).unwrap_or_default(),
            code: sqlstate(failure.condition),
            reason: &failure.message,
            ..self.arrival.event(Happened::Refused)
        });
    }
}

/// A statement's text without secrets. Those about roles are told without any string.
fn shown(statement: &Statement) -> String {
    let is_about_roles = match &statement.kind {
        StatementKind::Definition(definition) => definition.is_about_roles(),
        _ => false,
    };
    without_secrets(&statement.text, is_about_roles)
}

/// The privilege that a statement needs on what it names is its command's.
fn command(statement: &Statement) -> &'static str {
    match &statement.kind {
        StatementKind::Query(_) => "SELECT",
        StatementKind::Explain { .. } | StatementKind::ExplainExecute { .. } => "EXPLAIN",
        StatementKind::Copy(_) => "COPY",
        StatementKind::Lock(_) => "LOCK TABLE",
        StatementKind::Refresh(_) => "REFRESH MATERIALIZED VIEW",
        StatementKind::Definition(definition) => definition.tag(),
        StatementKind::Prepare(_) => "PREPARE",
        StatementKind::Execute(_) => "EXECUTE",
        StatementKind::Declare(_) => "DECLARE CURSOR",
        StatementKind::Fetch(_) => "FETCH",
        StatementKind::Session(_) => "SET",
        StatementKind::Refused(_) => "",
    }
}
