//! Which role a session runs its statements as: SET ROLE and SET SESSION AUTHORIZATION.
//!
//! As in PostgreSQL both are settings, so that SET LOCAL, savepoints and ROLLBACK do to them what
//! they do to others. <https://www.postgresql.org/docs/16/sql-set-role.html>

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::failure::Failure;
use super::session::Session;
use crate::auth::{Actor, Authority, Standing};
use crate::engine::StatementContext;
use crate::error::{Error, ErrorKind};

/// The setting of SET ROLE.
pub(super) const ROLE: &str = "role";

/// The setting of SET SESSION AUTHORIZATION.
pub(super) const SESSION_AUTHORIZATION: &str = "session_authorization";

/// What `role` is while none is set.
pub(super) const NONE: &str = "none";

/// Whether a setting says as whom a session runs its statements.
pub(super) fn is_identity(setting: &str) -> bool {
    [ROLE, SESSION_AUTHORIZATION].contains(&setting)
}

impl Connection {
    /// What a statement runs under.
    pub(super) fn context(&mut self, cancel: &CancellationToken) -> StatementContext {
        let authority = self.shared.engine.authority();
        self.session.context(&authority, cancel)
    }

    /// Sets what the statement's `set_config()` asked for.
    ///
    /// # Errors
    /// A role that the session may not assume, or as SET.
    pub(super) fn apply_settings(&mut self) -> Result<(), Failure> {
        let authority = self.shared.engine.authority();
        for asked in self.session.settings.take_asked() {
            let value = asked.value.as_deref();
            self.session
                .set(&authority, &asked.name, value, asked.is_local)?;
        }
        Ok(())
    }
}

impl Session {
    /// As whom the session runs its statements.
    pub(super) fn actor(&self, authority: &Authority) -> Actor {
        let session_user = self.settings.value(SESSION_AUTHORIZATION);
        let user = match self.settings.value(ROLE) {
            NONE => session_user,
            role => role,
        };
        Actor {
            user: user.to_owned(),
            session_user: session_user.to_owned(),
            standing: self.standing(authority),
            groups: match user == self.user() && session_user == self.user() {
                true => Arc::clone(&self.groups),
                false => Arc::default(),
            },
        }
    }

    fn standing(&self, authority: &Authority) -> Standing {
        match (authority.is_enforced, self.is_proved) {
            (false, _) => Standing::Open,
            (true, true) => Standing::Proved,
            (true, false) => Standing::Unproved,
        }
    }

    /// SET name = value; `None` for its default.
    ///
    /// # Errors
    /// There is no such setting, it does not take this value, or it is a role that the session may
    /// not assume.
    pub(super) fn set(
        &mut self,
        authority: &Authority,
        name: &str,
        value: Option<&str>,
        is_local: bool,
    ) -> Result<(), Failure> {
        let name = name.to_lowercase();
        if !is_identity(&name) {
            return self.settings.set(&name, value, is_local);
        }
        let value = value.filter(|value| name != ROLE || *value != NONE);
        if let Some(value) = value {
            match name == ROLE {
                true => self.require_may_set_role(authority, value)?,
                false => self.require_may_be(authority, value)?,
            }
        }
        self.settings.set(&name, value, is_local)?;
        if name == SESSION_AUTHORIZATION {
            // As SetSessionUserId in miscinit.c.
            self.settings.set(ROLE, Some(NONE), is_local)?;
        }
        self.tell_superuser(authority, is_local);
        Ok(())
    }

    /// Begins as a role, to which RESET ROLE goes back.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub(super) fn begin_as(&mut self, authority: &Authority, role: &str) -> Result<(), Failure> {
        self.set(authority, ROLE, Some(role), false)?;
        self.settings.keep_as_defaults();
        Ok(())
    }

    /// RESET name; `None` for RESET ALL, which leaves as whom the session runs.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub(super) fn reset(
        &mut self,
        authority: &Authority,
        name: Option<&str>,
    ) -> Result<(), Failure> {
        match name {
            Some(name) => self.set(authority, name, None, false),
            None => {
                self.settings.reset_all();
                Ok(())
            }
        }
    }

    /// `is_superuser` follows the role.
    fn tell_superuser(&mut self, authority: &Authority, is_local: bool) {
        let is_superuser = authority.may_everything(&self.actor(authority));
        let value = if is_superuser { "on" } else { "off" };
        self.settings.put("is_superuser", value, is_local);
    }

    /// As `check_role` in variable.c.
    fn require_may_set_role(&self, authority: &Authority, role: &str) -> Result<(), Failure> {
        let actor = self.actor(authority);
        require_exists(authority, &actor, role)?;
        let may = match actor.standing {
            Standing::Open => true,
            Standing::Proved => {
                let is_own = actor.session_user == self.user();
                let groups = if is_own { &*self.groups } else { &[] };
                let mut groups = authority.groups_of(groups);
                authority.can_set_role(&actor.session_user, role)
                    || groups.any(|group| authority.can_set_role(group, role))
            }
            Standing::Unproved => false,
        };
        match may {
            true => Ok(()),
            false => Err(denied(format!("permission denied to set role \"{role}\""))),
        }
    }

    /// As `check_session_authorization` in variable.c: who was authenticated as superuser may be
    /// anybody.
    fn require_may_be(&self, authority: &Authority, role: &str) -> Result<(), Failure> {
        let actor = self.actor(authority);
        require_exists(authority, &actor, role)?;
        let may = match actor.standing {
            Standing::Open => true,
            Standing::Proved => role == self.user() || authority.is_superuser(self.user()),
            Standing::Unproved => role == self.user(),
        };
        match may {
            true => Ok(()),
            false => Err(denied(
                "permission denied to set session authorization".to_owned(),
            )),
        }
    }
}

fn require_exists(authority: &Authority, actor: &Actor, role: &str) -> Result<(), Failure> {
    if authority.exists(role) || role == actor.session_user {
        return Ok(());
    }
    let message = format!("role \"{role}\" does not exist");
    Err(Error::new(ErrorKind::InvalidParameterValue, message).into())
}

fn denied(message: String) -> Failure {
    Error::new(ErrorKind::InsufficientPrivilege, message).into()
}
