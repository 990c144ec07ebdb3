//! Roles: who there is, and what each may.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};

use super::verifier::{Password, Verifier};
use crate::error::{Error, ErrorKind, Result};

/// A role, with PostgreSQL's attributes as far as they mean something here.
/// <https://www.postgresql.org/docs/16/sql-createrole.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// SUPERUSER.
    pub is_superuser: bool,
    /// LOGIN.
    pub can_login: bool,
    /// INHERIT: what memberships say that are granted to it without a word about it.
    pub inherits: bool,
    /// CREATEROLE: it makes roles, and changes those it has the ADMIN option on.
    pub can_create_roles: bool,
    /// CREATEDB. There is one database; kept and shown.
    pub can_create_databases: bool,
    /// REPLICATION. Nothing is replicated; kept and shown.
    pub can_replicate: bool,
    /// BYPASSRLS.
    pub bypasses_row_security: bool,
    /// PASSWORD; without one it cannot prove itself.
    pub password: Option<Verifier>,
    /// VALID UNTIL: its password counts before this moment.
    pub valid_until: Until,
    /// CONNECTION LIMIT: its sessions at a time; -1 for any number.
    pub connections_max: i32,
}

/// The roles by their names.
pub type Roles = BTreeMap<String, Arc<Role>>;

/// Until when a password counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// `infinity`.
    Always,
    /// A moment.
    Moment(DateTime<Utc>),
}

/// What a statement says of a role; `None` leaves what is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleChange {
    /// SUPERUSER or NOSUPERUSER.
    pub is_superuser: Option<bool>,
    /// LOGIN or NOLOGIN.
    pub can_login: Option<bool>,
    /// INHERIT or NOINHERIT.
    pub inherits: Option<bool>,
    /// CREATEROLE or NOCREATEROLE.
    pub can_create_roles: Option<bool>,
    /// CREATEDB or NOCREATEDB.
    pub can_create_databases: Option<bool>,
    /// REPLICATION or NOREPLICATION.
    pub can_replicate: Option<bool>,
    /// BYPASSRLS or NOBYPASSRLS.
    pub bypasses_row_security: Option<bool>,
    /// PASSWORD; within it `None` is PASSWORD NULL.
    pub password: Option<Option<Password>>,
    /// VALID UNTIL.
    pub valid_until: Option<Until>,
    /// CONNECTION LIMIT.
    pub connections_max: Option<i32>,
}

impl RoleChange {
    /// Whether a password is all that it changes.
    pub fn is_password_alone(&self) -> bool {
        let others = Self {
            password: None,
            ..self.clone()
        };
        self.password.is_some() && others == Self::default()
    }
}

impl Role {
    /// A role of which nothing was said but its name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_superuser: false,
            can_login: false,
            inherits: true,
            can_create_roles: false,
            can_create_databases: false,
            can_replicate: false,
            bypasses_row_security: false,
            password: None,
            valid_until: Until::Always,
            connections_max: -1,
        }
    }

    /// The role after a change. A password that is not yet a verifier becomes one: that costs some
    /// milliseconds of one core.
    #[must_use]
    pub fn after(self, change: RoleChange) -> Self {
        Self {
            name: self.name,
            is_superuser: change.is_superuser.unwrap_or(self.is_superuser),
            can_login: change.can_login.unwrap_or(self.can_login),
            inherits: change.inherits.unwrap_or(self.inherits),
            can_create_roles: change.can_create_roles.unwrap_or(self.can_create_roles),
            can_create_databases: change
                .can_create_databases
                .unwrap_or(self.can_create_databases),
            can_replicate: change.can_replicate.unwrap_or(self.can_replicate),
            bypasses_row_security: change
                .bypasses_row_security
                .unwrap_or(self.bypasses_row_security),
            password: match change.password {
                Some(password) => password.map(Password::into_verifier),
                None => self.password,
            },
            valid_until: change.valid_until.unwrap_or(self.valid_until),
            connections_max: change.connections_max.unwrap_or(self.connections_max),
        }
    }

    /// Whether it can administer: a superuser that may log in and has a password.
    pub fn can_administer(&self) -> bool {
        self.is_superuser && self.can_login && self.password.is_some()
    }
}

impl Until {
    /// Reads a moment as PostgreSQL writes it, or as ISO 8601 does. Without an offset it is UTC.
    ///
    /// # Errors
    /// `InvalidDatetimeFormat`: it is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("infinity") {
            return Ok(Self::Always);
        }
        let with_offset = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"];
        let without = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
        // The T of ISO 8601 is a space in PostgreSQL, its Z an offset.
        let plain = trimmed.replace('T', " ").replace('Z', "+00");
        let plain = plain.strip_suffix(" UTC").unwrap_or(&plain);
        let exact = with_offset
            .iter()
            .find_map(|format| DateTime::parse_from_str(plain, format).ok());
        let moment = exact.map(|moment| moment.to_utc()).or_else(|| {
            let date = NaiveDate::parse_from_str(plain, "%Y-%m-%d").ok();
            let midnight = date.and_then(|date| date.and_hms_opt(0, 0, 0));
            let stated = without
                .iter()
                .find_map(|format| NaiveDateTime::parse_from_str(plain, format).ok());
            stated.or(midnight).map(|moment| moment.and_utc())
        });
        moment.map(Self::Moment).ok_or_else(|| {
            let message =
                format!("invalid input syntax for type timestamp with time zone: \"{text}\"");
            Error::new(ErrorKind::InvalidDatetimeFormat, message)
        })
    }

    /// Whether it is over at a moment.
    pub fn is_over(self, now: DateTime<Utc>) -> bool {
        match self {
            Self::Always => false,
            // As get_role_password in crypt.c: valid before the moment.
            Self::Moment(moment) => moment < now,
        }
    }
}

impl std::fmt::Display for Until {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Always => f.write_str("infinity"),
            Self::Moment(moment) => {
                let text = moment.to_rfc3339_opts(SecondsFormat::AutoSi, false);
                f.write_str(&text.replace('T', " ").replace("+00:00", "+00"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let got = Until::parse(text).ok().map(|until| until.to_string());
        assert_eq!(got.as_deref(), expected, "{text}");
    }

    #[test]
    fn moments_are_read_and_written() {
        check("infinity", Some("infinity"));
        check("2027-01-01", Some("2027-01-01 00:00:00+00"));
        check("2027-01-01 10:00", Some("2027-01-01 10:00:00+00"));
        check("2027-01-01 10:00:00+02", Some("2027-01-01 08:00:00+00"));
        check(
            "2027-01-01 10:00:00.5 +02:30",
            Some("2027-01-01 07:30:00.500+00"),
        );
        check("2027-01-01T10:00:00Z", Some("2027-01-01 10:00:00+00"));
        check("2027-01-01 10:00:00+00", Some("2027-01-01 10:00:00+00"));
        check("tomorrow", None);
        check("", None);
        check("2027-13-01", None);
    }

    #[test]
    fn a_change_leaves_what_it_does_not_say() {
        let password = Password::of("secret").expect("a password");
        let role = Role::new("bi").after(RoleChange {
            can_login: Some(true),
            password: Some(Some(password)),
            ..RoleChange::default()
        });
        let later = role.clone().after(RoleChange {
            connections_max: Some(3),
            ..RoleChange::default()
        });
        assert_eq!(later.password, role.password);
        assert!(later.can_login && !later.can_administer());
        let none = later.after(RoleChange {
            password: Some(None),
            ..RoleChange::default()
        });
        assert_eq!(none.password, None);
    }
}
