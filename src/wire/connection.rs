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
use super::authenticate::authenticate;
use super::cancel::{Registration, SessionKey};
use super::client::{Client, OUTPUT_BYTES};
use super::failure::{End, Failure, Stop};
use super::frame::{Frame, take_frame};
use super::message::{Message, read_message};
use super::respond;
use super::session::Session;
use super::sqlstate::{Condition, WireCondition};
use super::startup::{Identity, Opening, StartupPacket, open};
use super::watch::{Watch, panicked};
use crate::auth::{Authority, Object, Privilege, Role};
use crate::catalog::SessionState;
use crate::engine::Parsed;
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
    key: Arc<SessionKey>,
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
        Ok(Some((session, registration))) => {
            let mut connection = Connection {
                client,
                session,
                shared,
                key: Arc::clone(&registration.key),
                mode: Mode::Ready,
            };
            let end = Box::pin(connection.run()).await;
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

/// A session, and how it can be cancelled.
type Begun = (Session, Registration);

/// From the first byte to the first ReadyForQuery; `None` if a request to cancel was all.
async fn begin(
    client: &mut Client,
    shared: &Shared,
    is_admitted: bool,
    deadline: Instant,
) -> Result<Option<Begun>, End> {
    let mut packet = match open(client, &shared.guard).await? {
        Opening::Session(packet) => packet,
        Opening::Cancel { pid, secret } => {
            shared.sessions.cancel(pid, &secret);
            return Ok(None);
        }
    };
    if let Some(told) = packet.take_negotiation() {
        respond::negotiate_protocol(&mut client.output, told.version, told.unknown_options);
    }
    if shared.closing.is_cancelled() {
        return Err(End::Fatal(Failure::fatal(
            WireCondition::CannotConnectNow,
            "the database system is shutting down",
        )));
    }
    if !is_admitted {
        return Err(End::Fatal(Failure::fatal(
            WireCondition::TooManyConnections,
            "sorry, too many clients already",
        )));
    }
    let login = log_in(client, shared, &packet, deadline).await?;
    let has_long_secret = packet.takes_long_secrets();
    let role_packet = packet.role().map(str::to_owned);
    let identity = packet.identify(&shared.config, &login);
    let mut identity = identity.map_err(End::Fatal)?;
    identity.settings.share(&shared.beginnings);
    let (role, warnings) = (
        role_packet.or(identity.role.take()),
        std::mem::take(&mut identity.warnings),
    );
    let registration = shared
        .sessions
        .register(&identity.user, has_long_secret, client.address());
    may_connect(&login, &identity).map_err(End::Fatal)?;
    if let Some(role) = &login.role {
        within_role_limit(role, shared.sessions.count_of(&role.name)).map_err(End::Fatal)?;
    }
    let key = &registration.key;
    let mut session = Session::new(identity, &registration);
    client.keep_alive(session.settings.keepalive());
    if let Some(role) = role {
        session
            .begin_as(&login.authority, &role)
            .map_err(|failure| End::Fatal(failure.into_fatal()))?;
    }
    respond::authentication_ok(&mut client.output);
    for (name, value) in session.settings.take_changes() {
        respond::parameter_status(&mut client.output, name, &value);
    }
    for warning in &warnings {
        respond::failure(&mut client.output, warning);
    }
    respond::backend_key(&mut client.output, key.pid, &key.secret);
    respond::ready(&mut client.output, session.transaction.status());
    client.flush().await?;
    let application = session.settings.values().get("application_name");
    let application = application.map(String::as_str).unwrap_or_default();
    key.activity.rests(SessionState::Idle, application);
    Ok(Some((session, registration)))
}

/// Who came in.
pub(super) struct LoggedIn {
    /// Whether it proved to be who it says; else it came in on trust.
    pub(super) is_proved: bool,
    role: Option<Arc<Role>>,
    pub(super) is_superuser: bool,
    /// As it was then.
    pub(super) authority: Arc<Authority>,
}

/// Has the client prove who it is, unless everybody is trusted.
async fn log_in(
    client: &mut Client,
    shared: &Shared,
    packet: &StartupPacket,
    deadline: Instant,
) -> Result<LoggedIn, End> {
    let user = packet.user().map_err(End::Fatal)?;
    if shared.guard.is_tls_required && !client.is_encrypted() {
        let host = client.address().map(|address| address.ip().to_string());
        let host = host.unwrap_or_default();
        let database = packet.database(&shared.config);
        return Err(End::Fatal(Failure::fatal(
            WireCondition::InvalidAuthorizationSpecification,
            format!(
                "connection requires TLS: host \"{host}\", user \"{user}\", \
                 database \"{database}\", no encryption"
            ),
        )));
    }
    let authority = shared.engine.authority();
    if shared.guard.trusts(authority.is_enforced) {
        return Ok(LoggedIn {
            is_proved: false,
            role: None,
            is_superuser: true,
            authority,
        });
    }
    let login = shared.guard.login(user, &authority.roles);
    let role = login.role.as_ref().map(Arc::clone);
    let proving = authenticate(client, user, login);
    match tokio::time::timeout_at(deadline, proving).await {
        Ok(proved) => proved?,
        // As ClientAuthentication: who has come this far is told.
        Err(_) => {
            let message = "canceling authentication due to timeout";
            let error = Error::new(ErrorKind::QueryCanceled, message);
            return Err(End::Fatal(Failure::from(error).into_fatal()));
        }
    }
    Ok(LoggedIn {
        is_proved: true,
        is_superuser: role.as_ref().is_some_and(|role| role.is_superuser),
        role,
        authority,
    })
}

/// As CheckMyDatabase in postinit.c: whether it has CONNECT.
fn may_connect(login: &LoggedIn, identity: &Identity) -> Result<(), Failure> {
    let rights = login.authority.rights_of_role(&identity.user);
    if !login.is_proved || rights.may(Privilege::Connect, &Object::Database) {
        return Ok(());
    }
    let message = format!("permission denied for database \"{}\"", identity.database);
    let denied = Error::new(ErrorKind::InsufficientPrivilege, message)
        .with_detail("User does not have CONNECT privilege.");
    Err(Failure::from(denied).into_fatal())
}

/// As InitializeSessionUserId: CONNECTION LIMIT does not hold for superusers.
fn within_role_limit(role: &Role, n_sessions: usize) -> Result<(), Failure> {
    match usize::try_from(role.connections_max) {
        Ok(limit) if n_sessions > limit && !role.is_superuser => Err(Failure::fatal(
            WireCondition::TooManyConnections,
            format!("too many connections for role \"{}\"", role.name),
        )),
        _ => Ok(()),
    }
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
            (false, _) => SessionState::Idle,
            (true, false) => SessionState::InTransaction,
            (true, true) => SessionState::InFailedTransaction,
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
        let parsed = catch_unwind(AssertUnwindSafe(|| self.shared.engine.parse(text)));
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
