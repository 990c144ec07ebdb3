//! Who may make servers, and use them: as foreigncmds.c asks, and beyond that nobody but a superuser says what of
//! the gateway's own a server is given: its secrets, and its files.

use super::edit::Editor;
use super::owners::permission_denied;
use crate::auth::{Object, Privilege};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::Wrapper;

/// That only superusers may do this, and why.
fn superusers_only(message: &str, detail: &str) -> Error {
    Error::new(ErrorKind::InsufficientPrivilege, message).with_detail(detail)
}

impl Editor<'_> {
    /// Whether servers of a wrapper may be made.
    pub(super) fn require_may_use_wrapper(&self, wrapper: Wrapper) -> Result<()> {
        let name = wrapper.name();
        match self
            .rights()
            .may(Privilege::Usage, &Object::Wrapper(name.to_owned()))
        {
            true => Ok(()),
            false => Err(permission_denied("foreign-data wrapper", name)),
        }
    }

    /// Whether tables of a server may be made relations here.
    pub(super) fn require_may_use_server(&self, name: &str) -> Result<()> {
        match self
            .rights()
            .may(Privilege::Usage, &Object::Server(name.to_owned()))
        {
            true => Ok(()),
            false => Err(permission_denied("foreign server", name)),
        }
    }

    /// As user_mapping_ddl_aclcheck: the server's owner for everybody, others who may use it for themselves.
    pub(super) fn require_may_map(&self, role: Option<&str>, server: &str) -> Result<()> {
        let is_own = role == Some(self.surroundings.actor.user.as_str());
        let owns = self.rights().own(&Object::Server(server.to_owned()));
        match is_own && !owns {
            true => self.require_may_use_server(server),
            false => self.require_owns_server(server),
        }
    }

    /// Whether a mapping may say a user and a password: a reference leads to a secret of the gateway, which
    /// whoever has a server could have sent to it, and a server may let in who comes from here without any.
    pub(super) fn require_may_say_login(&self) -> Result<()> {
        match self.rights().are_everything() {
            true => Ok(()),
            false => Err(superusers_only(
                "permission denied to set options of a user mapping",
                "Only superusers may say as whom a server is asked.",
            )),
        }
    }

    /// Whether a server's options may name what the gateway reads as itself.
    pub(super) fn require_may_read_file(&self, wrapper: Wrapper) -> Result<()> {
        let (option, detail) = match wrapper {
            Wrapper::Mysql | Wrapper::Postgres => return Ok(()),
            Wrapper::Sqlite => (
                "database",
                "Only superusers may say which file of the gateway's machine is read.",
            ),
            Wrapper::Lake => (
                "location",
                "Only superusers may say which lake the gateway reads, as itself or by its secrets.",
            ),
        };
        match self.rights().are_everything() {
            true => Ok(()),
            false => Err(superusers_only(
                &format!("permission denied to set the \"{option}\" option of a server"),
                detail,
            )),
        }
    }
}
