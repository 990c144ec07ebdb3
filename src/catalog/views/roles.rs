//! Roles in the files of the views folder: read from them, and changed in them as text.

use std::sync::Arc;

use super::edit::Editor;
use super::file::{Piece, pieces};
use super::names::file_name;
use super::{ROLES_FOLDER, Views};
use crate::auth::{Password, Role, RoleChange, Roles, Until};
use crate::catalog::sql::{Definition, identifier, literal};
use crate::error::{Error, ErrorKind, Result};

/// The role that a file defines.
///
/// # Errors
/// A password that is no verifier.
pub(super) fn of_file(name: &str, change: RoleChange) -> Result<Role> {
    if let Some(Some(password)) = change.password.clone() {
        password.required_verifier()?;
    }
    Ok(Role::new(name).after(change))
}

/// Takes back what the broken files of roles say: they count as they were before.
pub(super) fn take_back_broken(views: &mut Views, before: &Views, broken: &[String]) {
    let is_broken = |path: &String| broken.contains(path) && path.starts_with(ROLES_FOLDER);
    let mut roles = Roles::clone(&views.roles);
    views.role_paths.retain(|name, path| {
        let keeps = !is_broken(path);
        if !keeps {
            roles.remove(name);
        }
        keeps
    });
    for (name, role) in before.roles.iter() {
        let Some(path) = before.role_paths.get(name).filter(|path| is_broken(path)) else {
            continue;
        };
        if !roles.contains_key(name) {
            roles.insert(name.clone(), Arc::clone(role));
            views.role_paths.insert(name.clone(), path.clone());
        }
    }
    views.roles = Arc::new(roles);
}

/// The statement that makes a role what it is.
fn create_statement(role: &Role) -> String {
    let mut options = String::new();
    if role.is_superuser {
        options.push_str(" superuser");
    }
    options.push_str(if role.can_login { " login" } else { " nologin" });
    if let Some(verifier) = &role.password {
        options.push_str(&format!("\n  password {}", literal(&verifier.to_string())));
    }
    if role.valid_until != Until::Always {
        let until = literal(&role.valid_until.to_string());
        options.push_str(&format!("\n  valid until {until}"));
    }
    if role.connections_max != -1 {
        options.push_str(&format!("\n  connection limit {}", role.connections_max));
    }
    format!("create role {}{options};", identifier(&role.name))
}

impl Editor<'_> {
    pub(super) fn create_role(&mut self, name: &str, change: &RoleChange) -> Result<()> {
        refuse_reserved(name)?;
        if self.views.roles.contains_key(name) {
            let message = format!("role \"{name}\" already exists");
            return Err(Error::new(ErrorKind::DuplicateObject, message));
        }
        let change = self.without_empty_password(change);
        let role = Role::new(name).after(change);
        if self.views.roles.is_empty() && !role.can_administer() {
            let message = "the first role must be a superuser that can log in with a password";
            return Err(Error::new(ErrorKind::InvalidObjectDefinition, message)
                .with_hint("CREATE ROLE ... SUPERUSER LOGIN PASSWORD '...'"));
        }
        let path = format!("{ROLES_FOLDER}{}.sql", file_name(name));
        self.append(&path, &create_statement(&role));
        Ok(())
    }

    pub(super) fn alter_role(&mut self, name: &str, change: &RoleChange) -> Result<()> {
        let Some(role) = self.views.roles.get(name) else {
            return Err(no_role(name));
        };
        let change = self.without_empty_password(change);
        let role = Role::clone(role).after(change);
        self.require_administrator(|other| match other.name == name {
            true => Some(role.clone()),
            false => Some(other.clone()),
        })?;
        let (path, piece) = self.piece_of_role(name)?;
        self.replace(&path, piece.bytes, &create_statement(&role));
        Ok(())
    }

    pub(super) fn drop_roles(&mut self, names: &[String], if_exists: bool) -> Result<()> {
        for name in names {
            if !self.views.roles.contains_key(name) {
                if !if_exists {
                    return Err(no_role(name));
                }
                let notice = format!("role \"{name}\" does not exist, skipping");
                self.edited.notices.push(notice);
                continue;
            }
            if name == self.surroundings.user {
                let message = "current user cannot be dropped";
                return Err(Error::new(ErrorKind::ObjectInUse, message));
            }
            let (path, piece) = self.piece_of_role(name)?;
            self.replace(&path, piece.with_comment, "");
        }
        match names.iter().any(|name| self.views.roles.contains_key(name)) {
            true => self
                .require_administrator(|role| (!names.contains(&role.name)).then(|| role.clone())),
            false => Ok(()),
        }
    }

    /// Refuses a change that nobody could ever take back: the roles must have a superuser that can
    /// log in.
    fn require_administrator(&self, after: impl Fn(&Role) -> Option<Role>) -> Result<()> {
        let mut after = self.views.roles.values().filter_map(|role| after(role));
        if after.any(|role| role.can_administer()) {
            return Ok(());
        }
        let message = "at least one role must be a superuser that can log in with a password";
        Err(Error::new(ErrorKind::InvalidObjectDefinition, message))
    }

    /// As CreateRole in user.c: nobody can log in with an empty password, so that it is none.
    fn without_empty_password(&mut self, change: &RoleChange) -> RoleChange {
        let mut change = change.clone();
        if change.password == Some(Some(Password::Plain(String::new()))) {
            let notice = "empty string is not a valid password, clearing password";
            self.edited.notices.push(notice.to_owned());
            change.password = Some(None);
        }
        change
    }

    fn piece_of_role(&self, name: &str) -> Result<(String, Piece)> {
        let path = self.views.role_paths.get(name).cloned().unwrap_or_default();
        let text = self.edited.files.text(&path).map_or("", AsRef::as_ref);
        let found = pieces(text)?.into_iter().find(|piece| {
            matches!(&piece.definition, Ok(Definition::CreateRole { name: of, .. }) if of == name)
        });
        let found = found.ok_or_else(|| {
            let message = format!("could not change \"{path}\" because of a concurrent change");
            Error::new(ErrorKind::SerializationFailure, message)
        })?;
        Ok((path, found))
    }
}

fn refuse_reserved(name: &str) -> Result<()> {
    let is_system = name.starts_with("pg_");
    if !is_system && !["public", "none"].contains(&name) {
        return Ok(());
    }
    let message = format!("role name \"{name}\" is reserved");
    let error = Error::new(ErrorKind::ReservedName, message);
    Err(match is_system {
        true => error.with_detail("Role names starting with \"pg_\" are reserved."),
        false => error,
    })
}

fn no_role(name: &str) -> Error {
    let message = format!("role \"{name}\" does not exist");
    Error::new(ErrorKind::UndefinedObject, message)
}
