//! From the first byte of a connection to its first ReadyForQuery: who comes in, and as what.

use std::sync::Arc;

use tokio::time::Instant;

use super::Shared;
use super::audit::Arrival;
use super::authenticate::{Proof, authenticate};
use super::cancel::Registration;
use super::client::Client;
use super::failure::{End, Failure};
use super::respond;
use super::session::Session;
use super::sqlstate::WireCondition;
use super::startup::{Identity, Opening, StartupPacket, open};
use crate::auth::{Actor, Authority, Object, Privilege, Role, Standing};
use crate::catalog::BackendState;
use crate::error::{Error, ErrorKind};

/// A session, how it can be cancelled, and who came to begin it.
pub(super) struct Begun {
    pub(super) session: Session,
    pub(super) registration: Registration,
    pub(super) arrival: Arrival,
}

/// From the first byte to the first ReadyForQuery; `None` if a request to cancel was all.
///
/// # Errors
/// The client is gone, or was not let in.
pub(super) async fn begin(
    client: &mut Client,
    shared: &Shared,
    is_admitted: bool,
    deadline: Instant,
) -> Result<Option<Begun>, End> {
    let packet = match open(client, &shared.guard).await? {
        Opening::Session(packet) => packet,
        Opening::Cancel { pid, secret } => {
            shared.sessions.cancel(pid, &secret);
            return Ok(None);
        }
    };
    let arrival = Arrival::new(client, &packet, shared);
    let begun = session_of(client, shared, packet, is_admitted, deadline).await;
    match begun {
        Ok((session, registration)) => {
            arrival.let_in(shared, &session);
            Ok(Some(Begun {
                session,
                registration,
                arrival,
            }))
        }
        Err(end) => {
            if let End::Fatal(failure) = &end {
                arrival.turned_away(shared, failure);
            }
            Err(end)
        }
    }
}

/// From the start-up packet on.
async fn session_of(
    client: &mut Client,
    shared: &Shared,
    mut packet: StartupPacket,
    is_admitted: bool,
    deadline: Instant,
) -> Result<(Session, Registration), End> {
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
    let is_snapshot = |name: &str| shared.engine.knows_snapshot(name);
    let identity = packet.identify(&shared.config, &login, is_snapshot);
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
    key.activity.rests(BackendState::Idle, application);
    Ok((session, registration))
}

/// Who came in.
pub(super) struct LoggedIn {
    /// How it proved to be who it says; `None` if it came in on trust.
    pub(super) proof: Option<Proof>,
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
            proof: None,
            role: None,
            is_superuser: true,
            authority,
        });
    }
    let is_encrypted = client.is_encrypted();
    let login = shared.guard.login(user, &authority.roles, is_encrypted);
    let role = login.role.as_ref().map(Arc::clone);
    let tokens = shared.guard.tokens(is_encrypted);
    let proving = authenticate(client, user, login, tokens.as_deref());
    let proof = match tokio::time::timeout_at(deadline, proving).await {
        Ok(proved) => proved?,
        // As ClientAuthentication: who has come this far is told.
        Err(_) => {
            let message = "canceling authentication due to timeout";
            let error = Error::new(ErrorKind::QueryCanceled, message);
            return Err(End::Fatal(Failure::from(error).into_fatal()));
        }
    };
    Ok(LoggedIn {
        proof: Some(proof),
        is_superuser: role.as_ref().is_some_and(|role| role.is_superuser),
        role,
        authority,
    })
}

/// As CheckMyDatabase in postinit.c: whether it has CONNECT.
fn may_connect(login: &LoggedIn, identity: &Identity) -> Result<(), Failure> {
    let token = login.proof.as_ref().and_then(|proof| proof.token.as_ref());
    let actor = Actor {
        user: identity.user.clone(),
        session_user: identity.user.clone(),
        standing: Standing::Proved,
        groups: token
            .map(|token| token.groups.as_slice().into())
            .unwrap_or_default(),
    };
    let rights = login.authority.rights_of(&actor);
    if login.proof.is_none() || rights.may(Privilege::Connect, &Object::Database) {
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
