//! As whom a server is asked, as a user mapping says: its secrets are read anew for each connection.

use super::server::is_reference;
use super::{Options, Server};
use crate::config::Secrets;
use crate::error::{Error, ErrorKind, Result};

/// A user of a server.
pub(super) struct Login {
    /// Its name there.
    pub(super) user: String,
    /// What proves it.
    pub(super) password: Option<String>,
}

/// The options of a mapping, and where its references lead.
#[derive(Clone)]
pub(super) struct Mapping {
    options: Options,
    secrets: Secrets,
}

impl Mapping {
    /// A mapping of these options.
    pub(super) fn new(options: &Options, secrets: &Secrets) -> Self {
        Self {
            options: options.clone(),
            secrets: secrets.clone(),
        }
    }

    /// As whom a connection is opened now.
    ///
    /// # Errors
    /// `UndefinedObject`: the mapping says no user, or a reference leads nowhere.
    pub(super) fn login(&self, server: &Server) -> Result<Login> {
        let user = self.option("user")?.ok_or_else(|| {
            let message = format!("no user is mapped to server \"{}\"", server.name);
            Error::new(ErrorKind::UndefinedObject, message)
                .with_hint("Give the option user of its user mapping.")
        })?;
        let password = self.option("password")?;
        Ok(Login { user, password })
    }

    fn option(&self, name: &str) -> Result<Option<String>> {
        match self.options.get(name) {
            Some(said) if is_reference(said) => self.secrets.read(said).map(Some),
            said => Ok(said.cloned()),
        }
    }
}
