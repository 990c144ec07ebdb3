//! One client's connection: takes its messages one by one, and answers each.
//!
//! - `Ready` -> `Pipeline`: a message of the extended protocol.
//! - `Pipeline` -> `Skip`: its failure; everything up to Sync is skipped.
//! - `Pipeline`, `Skip` -> `Ready`: Sync.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::audit::Arrival;
use super::begin::{Begun, begin};
use super::cancel::SessionKey;
use super::client::{Client, OUTPUT_BYTES};
use super::failure::{End, Failure, Stop};
use super::frame::{Frame, take_frame};
use super::message::{Message, read_message};
use super::respond;
use super::session::Session;
use super::sqlstate::{Condition, WireCondition};
use super::watch::{Watch, panicked};
use crate::catalog::BackendState;
use crate::engine::{Parsed, Statement};
use crate::error::{Error, ErrorKind};

/// The time for the last words of a connection.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// The time a client gets to say who it is while the gateway stops.
const STARTUP_TIMEOUT_CLOSING: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Ready,
    Pipeline,
    Skip,
}

/// A connection whose session has begun.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) session: Session,
    pub(super) shared: Arc<Shared>,
    pub(super) arrival: Arrival,
    /// The statement that is looked at, for the audit.
    pub(super) doing: Option<Arc<Statement>>,
    pub(super) key: Arc<SessionKey>,
    mode: Mode,
}

/// Serves a client until either side ends it.
pub(super) async fn serve(socket: TcpStream, shared: Arc<Shared>, is_admitted: bool) {
    let mut client = Client::new(socket, shared.config.write_timeout);
    let limit = match shared.closing.is_cancelled() {
        true => STARTUP_TIMEOUT_CLOSING,
        false => shared.config.startup_timeout,
    };
    let deadline = Instant::now() + limit;
    let begun = tokio::select! {
        // First, so that it may say that its time is over.
        biased;
        begun = Box::pin(begin(&mut client, &shared, is_admitted, deadline)) => begun,
        () = tokio::time::sleep_until(deadline) => Err(End::Gone),
        () = shared.killed.cancelled() => Err(End::Gone),
    };
    let (mut client, end) = match begun {
        Ok(Some(begun)) => {
            let Begun {
                session,
                registration,
                arrival,
            } = begun;
            let mut connection = Connection {
                client,
                session,
                shared,
                arrival,
                doing: None,
                key: Arc::clone(&registration.key),
                mode: Mode::Ready,
            };
            let end = Box::pin(connection.run()).await;
            connection.arrival.left(&connection, &end);
            (connection.client, end)
        }
        Ok(None) => return,
        Err(end) => (client, end),
    };
    if let End::Gone = end {
        return;
    }
    if let End::Fatal(failure) = end {
        tell(&mut client, &failure);
    }
    // Whether or not these words arrive, this is the end.
    let _ = tokio::time::timeout(FAREWELL_TIMEOUT, client.close()).await;
}

/// Sends a failure, and logs it if it is a fault of ours: here it ends.
fn tell(client: &mut Client, failure: &Failure) {
    if failure.condition == Condition::Engine(ErrorKind::InternalError) {
        tracing::error!(error = ?failure.source, "internal error");
    }
    respond::failure(&mut client.output, failure);
}

impl Connection {
    async fn run(&mut self) -> End {
        loop {
            if let Err(end) = self.turn().await {
                return end;
            }
        }
    }

    /// One message.
    async fn turn(&mut self) -> Result<(), End> {
        let frame = self.next_frame().await?;
        if self.mode == Mode::Skip && !matches!(frame.tag, b'S' | b'X') {
            return Ok(());
        }
        // The work on a message takes far more room than the wait for it, and most sessions wait.
        Box::pin(self.work_on(frame)).await
    }

    async fn work_on(&mut self, frame: Frame) -> Result<(), End> {
        if self.session.has_ended() && frame.tag != b'X' {
            return Err(End::expired());
        }
        self.doing = None;
        let is_simple = matches!(frame.tag, b'Q' | b'F');
        let encoding = self.session.settings.client_encoding();
        self.client.set_encoding(encoding);
        let answered = match read_message(frame, encoding) {
            Ok(Message::Query(text)) => {
                self.report(&text);
                self.query(&text).await
            }
            Ok(Message::FunctionCall) => {
                Err(Failure::from(Error::unsupported("the function call protocol")).into())
            }
            Ok(Message::Sync) => return self.ready(true).await,
            Ok(Message::Terminate) => return Err(End::Terminated),
            Ok(Message::Copy) => return Ok(()),
            Ok(message) => {
                self.mode = Mode::Pipeline;
                self.extended(message).await
            }
            Err(failure) => Err(failure.into()),
        };
        let is_done = match answered {
            Ok(()) => true,
            Err(Stop::End(end)) => return Err(end),
            Err(Stop::Failed(failure)) => {
                self.tell_refused(&failure);
                tell(&mut self.client, &failure);
                self.session.fail();
                false
            }
        };
        match (is_simple, is_done) {
            (true, _) => self.ready(is_done).await,
            (false, true) if self.client.output.len() < OUTPUT_BYTES => Ok(()),
            (false, true) => self.send().await,
            (false, false) => {
                self.mode = Mode::Skip;
                // As send_message_to_frontend in elog.c: a Flush behind the error is skipped like
                // all else, and a client that sent no Sync (asyncpg) waits for the error.
                self.send().await
            }
        }
    }

    /// The next message, waited for as long as the session may be silent.
    async fn next_frame(&mut self) -> Result<Frame, End> {
        let idle_timeout = match self.mode {
            Mode::Ready => self
                .session
                .settings
                .idle_timeout(self.session.transaction.in_block()),
            Mode::Pipeline | Mode::Skip => None,
        };
        let deadline = idle_timeout.map(|timeout| Instant::now() + timeout);
        loop {
            if self.mode == Mode::Ready && self.shared.closing.is_cancelled() {
                return Err(End::shutdown());
            }
            let limit = self.shared.config.message_bytes_max;
            if let Some(frame) = take_frame(&mut self.client.input, limit).map_err(End::Fatal)? {
                return Ok(frame);
            }
            self.client.rest();
            let idle = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.shared.closing.cancelled() => return Err(End::shutdown()),
                () = self.key.ended.cancelled() => return Err(End::shutdown()),
                read = self.client.fill() => read?,
                () = idle => return Err(self.idle_too_long()),
                () = self.key.inbox.woken.notified(), if self.hears() => {
                    self.hand_over();
                    self.send().await?;
                }
            }
        }
    }

    fn idle_too_long(&self) -> End {
        End::Fatal(match self.session.transaction.in_block() {
            true => Failure::fatal(
                WireCondition::IdleInTransactionSessionTimeout,
                "terminating connection due to idle-in-transaction timeout",
            ),
            false => Failure::fatal(
                WireCondition::IdleSessionTimeout,
                "terminating connection due to idle-session timeout",
            ),
        })
    }

    /// Ends the implicit transaction, and says that the next message may come.
    async fn ready(&mut self, is_done: bool) -> Result<(), End> {
        if is_done {
            if !self.session.transaction.in_block()
                && let Err(failure) = self.commit_definitions().await
            {
                self.tell_refused(&failure);
                tell(&mut self.client, &failure);
                self.session.fail();
            }
            self.session.finish_implicit();
        }
        self.mode = Mode::Ready;
        let settings = &self.session.settings;
        if !settings.is_told() {
            self.client.keep_alive(settings.keepalive());
            self.client.set_encoding(settings.client_encoding());
        }
        for (name, value) in self.session.settings.take_changes() {
            respond::parameter_status(&mut self.client.output, name, &value);
        }
        if self.hears() {
            self.hand_over();
        }
        self.rest();
        let status = self.session.transaction.status();
        respond::ready(&mut self.client.output, status);
        self.send().await
    }

    /// A statement begins, for `pg_stat_activity`.
    pub(super) fn report(&self, text: &str) {
        self.key.activity.runs(text);
    }

    /// The session waits for its client.
    fn rest(&self) {
        let transaction = &self.session.transaction;
        let state = match (transaction.in_block(), transaction.has_failed()) {
            (false, _) => BackendState::Idle,
            (true, false) => BackendState::InTransaction,
            (true, true) => BackendState::InFailedTransaction,
        };
        let settings = self.session.settings.values();
        let application = settings.get("application_name");
        let application = application.map(String::as_str).unwrap_or_default();
        self.key.activity.rests(state, application);
    }

    /// Whether notifications are told now: between transactions, as `ProcessClientReadInterrupt` in
    /// postgres.c.
    fn hears(&self) -> bool {
        self.mode == Mode::Ready && !self.session.transaction.in_block()
    }

    /// Tells the client what its session was notified of.
    fn hand_over(&mut self) {
        for notification in self.key.inbox.take() {
            respond::notification(&mut self.client.output, &notification);
        }
    }

    /// Sends everything now.
    pub(super) async fn send(&mut self) -> Result<(), End> {
        tokio::select! {
            biased;
            done = self.client.flush() => done,
            () = self.shared.killed.cancelled() => Err(End::Gone),
        }
    }

    /// Splits a text into its statements.
    pub(super) fn parse(&self, text: &str) -> Result<Parsed, Failure> {
        let parse = || self.shared.engine.parse(text, self.session.database());
        let parsed = catch_unwind(AssertUnwindSafe(parse));
        match parsed {
            Ok(parsed) => parsed.map_err(Failure::from),
            Err(panic) => Err(panicked(panic.as_ref())),
        }
    }

    /// Watches over a statement from now on, to be cancelled by this token.
    pub(super) fn watch(&self, cancel: &CancellationToken) -> Watch {
        let timeout = self.session.settings.statement_timeout();
        Watch {
            cancel: cancel.clone(),
            deadline: timeout.map(|timeout| Instant::now() + timeout),
            killed: self.shared.killed.clone(),
            ended: self.key.ended.clone(),
            _running: self.key.running(cancel),
        }
    }

    /// Sends a notice or warning, unless the client wants none of its kind.
    pub(super) fn notify(&mut self, notice: &Failure) {
        if self.session.settings.wants(notice.severity) {
            respond::failure(&mut self.client.output, notice);
        }
    }
}
