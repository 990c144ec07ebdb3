//! A server of a warehouse as it is defined: how it is reached, and as whom.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lake;
use super::relation::Misfit;
use crate::error::{Error, ErrorKind, Remote, Result};

/// Names and values of OPTIONS.
pub type Options = BTreeMap<String, String>;

/// How long a connection may take, unless the server's options say otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The values of `sslmode`, as libpq has them but for `allow`, which encrypts by chance.
const SSL_MODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];

/// What may become of a date that is none: that it is an error, or NULL.
const ON_ERROR: [&str; 2] = ["error", "null"];

/// What begins a reference to a secret.
const REFERENCES: [&str; 2] = ["env:", "file:"];

/// The most connections that one server may be asked to serve.
const CONNECTIONS_MAX: usize = 1_000;

/// How a kind of server is read: a foreign-data wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wrapper {
    /// Another lake of files.
    Lake,
    /// A server of MySQL or MariaDB.
    Mysql,
    /// A database of PostgreSQL.
    Postgres,
    /// A file of SQLite.
    Sqlite,
}

/// What options are given of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionsOf {
    /// CREATE SERVER.
    Server,
    /// CREATE USER MAPPING.
    Mapping,
    /// CREATE FOREIGN TABLE.
    Table,
    /// IMPORT FOREIGN SCHEMA.
    Import,
}

impl Wrapper {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Lake, Self::Mysql, Self::Postgres, Self::Sqlite];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lake => "lake",
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }

    /// The wrapper of this name.
    ///
    /// # Errors
    /// `UndefinedObject`: there is none.
    pub fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|wrapper| wrapper.name() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            let message = format!("foreign-data wrapper \"{name}\" does not exist");
            Error::new(ErrorKind::UndefinedObject, message)
                .with_hint(format!("Those that exist are {known}."))
        })
    }

    /// Whether the gateway reads it as itself, and nobody is mapped to it.
    pub fn is_read_as_ourselves(self) -> bool {
        matches!(self, Self::Lake | Self::Sqlite)
    }

    /// The options that it takes, but for those of a lake's store ([`lake::options`]).
    fn options(self, of: OptionsOf) -> &'static [&'static str] {
        match (self, of) {
            (Self::Lake, OptionsOf::Table) => &["schema_name", "table_name"],
            (Self::Mysql, OptionsOf::Server) => &[
                "application_name",
                "cache_ttl",
                "connect_timeout",
                "host",
                "max_connections",
                "on_error",
                "port",
                "sslmode",
                "sslrootcert",
                "statement_timeout",
            ],
            (Self::Mysql, OptionsOf::Table) => &["on_error", "schema_name", "table_name"],
            (Self::Postgres, OptionsOf::Server) => &[
                "application_name",
                "cache_ttl",
                "connect_timeout",
                "dbname",
                "host",
                "max_connections",
                "numeric",
                "port",
                "sslmode",
                "sslrootcert",
                "statement_timeout",
            ],
            (Self::Mysql | Self::Postgres, OptionsOf::Mapping) => &["password", "user"],
            (Self::Postgres, OptionsOf::Table) => &["numeric", "schema_name", "table_name"],
            (Self::Sqlite, OptionsOf::Server) => &["cache_ttl", "database"],
            (Self::Sqlite, OptionsOf::Table) => &["table_name"],
            (Self::Lake, OptionsOf::Server)
            | (Self::Lake | Self::Sqlite, OptionsOf::Mapping)
            | (_, OptionsOf::Import) => &[],
        }
    }

    /// Checks options before they are kept.
    ///
    /// # Errors
    /// `Remote`: the wrapper knows no such option; `InvalidParameterValue`: not this
    /// value; `UndefinedObject`: one that must be there is not.
    pub fn check(self, of: OptionsOf, options: &Options) -> Result<()> {
        let required = match (self, of) {
            (Self::Sqlite, OptionsOf::Server) => Some(("database", "the path of the SQLite file")),
            (Self::Lake, OptionsOf::Server) => Some(("location", "the path or URL of the lake")),
            _ => None,
        };
        if let Some((name, what)) = required
            && !options.contains_key(name)
        {
            let message = format!("option \"{name}\" is required: {what}");
            return Err(Error::new(ErrorKind::UndefinedObject, message));
        }
        let known = match (self, of) {
            (Self::Lake, OptionsOf::Server) => lake::options(options)?,
            _ => self.options(of).to_vec(),
        };
        for (name, value) in options {
            if !known.contains(&name.as_str()) {
                return Err(unknown(name, &known));
            }
            check_value(name, value)?;
        }
        Ok(())
    }
}

/// As postgres_fdw_validator in option.c.
fn unknown(name: &str, known: &[&str]) -> Error {
    let hint = match known {
        [] => "There are no valid options in this context.".to_owned(),
        known => format!("Valid options in this context are: {}", known.join(", ")),
    };
    Error::new(
        ErrorKind::Remote(Remote::InvalidOptionName),
        format!("invalid option \"{name}\""),
    )
    .with_hint(hint)
}

fn check_value(name: &str, value: &str) -> Result<()> {
    let is_valid = match name {
        "port" => value.parse::<u16>().is_ok_and(|port| port > 0),
        "sslmode" => SSL_MODES.contains(&value),
        "cache_ttl" | "connect_timeout" => value.parse::<u32>().is_ok_and(|seconds| seconds > 0),
        "statement_timeout" => value.parse::<u32>().is_ok(),
        "max_connections" => value
            .parse()
            .is_ok_and(|number| (1..=CONNECTIONS_MAX).contains(&number)),
        "numeric" => numeric(value).is_some(),
        "on_error" => ON_ERROR.contains(&value),
        "allow_http" => ["false", "true"].contains(&value),
        // The value may be the secret itself: it is not shown.
        secret if is_secret(secret) && !is_reference(value) => {
            let message = match secret {
                "password" => {
                    "a password must be a reference, and not the password itself".to_owned()
                }
                other => {
                    format!("option \"{other}\" must be a reference, and not the secret itself")
                }
            };
            return Err(Error::new(ErrorKind::InvalidParameterValue, message)
                .with_hint("Write 'env:NAME' or 'file:PATH'; see --secret-env and --secret-dir."));
        }
        _ => !value.contains('\0'),
    };
    if is_valid {
        return Ok(());
    }
    let message = format!("invalid value for option \"{name}\": \"{value}\"");
    let error = Error::new(ErrorKind::InvalidParameterValue, message);
    Err(match name {
        "sslmode" => error.with_hint(format!("Valid values are: {}.", SSL_MODES.join(", "))),
        "on_error" => error.with_hint(format!("Valid values are: {}.", ON_ERROR.join(", "))),
        "numeric" => error.with_hint("Write a precision up to 38 and a scale, as '38,10'."),
        _ => error,
    })
}

/// Whether an option is a secret, which files only refer to, and nobody is shown.
pub fn is_secret(option: &str) -> bool {
    option == "password" || lake::SECRETS.contains(&option)
}

pub(super) fn is_reference(value: &str) -> bool {
    let mut kinds = REFERENCES.iter();
    kinds.any(|kind| {
        value
            .strip_prefix(kind)
            .is_some_and(|name| !name.is_empty())
    })
}

/// The precision and scale of an option `numeric`.
fn numeric(value: &str) -> Option<(u8, i8)> {
    let (precision, scale) = value.split_once(',')?;
    let precision: u8 = precision.trim().parse().ok()?;
    let scale: u8 = scale.trim().parse().ok()?;
    let scale = i8::try_from(scale).ok()?;
    ((1..=38).contains(&precision) && scale.unsigned_abs() <= precision)
        .then_some((precision, scale))
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// How it is read.
    pub wrapper: Wrapper,
    /// TYPE: what its maker calls it.
    pub server_type: Option<String>,
    /// VERSION: the same.
    pub version: Option<String>,
    /// How it is reached.
    pub options: Options,
    /// As whom it is asked, by role; `None` is PUBLIC.
    pub mappings: BTreeMap<Option<String>, Options>,
}

impl Server {
    /// The role whose mapping counts for a role: its own, or PUBLIC, which is `None`.
    ///
    /// # Errors
    /// `UndefinedObject`: there is no mapping for it.
    pub fn mapping_for(&self, role: &str) -> Result<Option<String>> {
        let own = Some(role.to_owned());
        match self.mappings.contains_key(&own) {
            true => Ok(own),
            false if self.mappings.contains_key(&None) || self.wrapper.is_read_as_ourselves() => {
                Ok(None)
            }
            // As GetUserMapping in foreign.c.
            false => Err(Error::new(
                ErrorKind::UndefinedObject,
                format!("user mapping not found for \"{role}\""),
            )
            .with_detail(format!("It is missing for server \"{}\".", self.name))),
        }
    }

    /// The mapping by which tables and columns are looked at, of which everybody is told:
    /// PUBLIC's, else that of the first role.
    ///
    /// # Errors
    /// As [`Self::mapping_for`]: there is none.
    pub fn mapping_for_names(&self) -> Result<Option<String>> {
        match self.mappings.keys().next() {
            Some(first) => Ok(first.clone()),
            None => self.mapping_for("public"),
        }
    }

    /// The options of a role's mapping.
    pub(super) fn mapping(&self, role: Option<&str>) -> Options {
        let role = role.map(str::to_owned);
        self.mappings.get(&role).cloned().unwrap_or_default()
    }

    /// An option's value.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// How long a connection may take.
    pub(super) fn connect_timeout(&self) -> Duration {
        let said = self.option("connect_timeout");
        let said = said.and_then(|seconds| seconds.parse().ok());
        said.map_or(CONNECT_TIMEOUT, Duration::from_secs)
    }

    /// How long answers are kept whose tables have no versions; `None` not at all.
    pub(super) fn cache_ttl(&self) -> Option<Duration> {
        let said = self.option("cache_ttl")?;
        said.parse().ok().map(Duration::from_secs)
    }

    /// Precision and scale under which numerics without any are read; `None` keeps them as they
    /// are. What a table's options say goes before.
    pub(super) fn numeric(&self, of_table: &Options) -> Option<(u8, i8)> {
        let said = of_table.get("numeric").map(String::as_str);
        said.or_else(|| self.option("numeric")).and_then(numeric)
    }

    /// What becomes of dates that are none. What a table's options say goes before.
    pub(super) fn misfit(&self, of_table: &Options) -> Misfit {
        let said = of_table.get("on_error").map(String::as_str);
        match said.or_else(|| self.option("on_error")) {
            Some("null") => Misfit::IsNull,
            _ => Misfit::Fails,
        }
    }

    /// That it cannot be reached.
    pub fn unavailable(&self, detail: impl Into<String>) -> Error {
        let message = format!("could not connect to server \"{}\"", self.name);
        Error::new(ErrorKind::Remote(Remote::Unavailable), message).with_detail(detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(of: OptionsOf, name: &str, value: &str) -> Option<ErrorKind> {
        let options = Options::from([(name.to_owned(), value.to_owned())]);
        let checked = Wrapper::Postgres.check(of, &options);
        checked.err().map(|error| error.kind())
    }

    #[test]
    fn options_are_checked_before_they_are_kept() {
        let (server, mapping) = (OptionsOf::Server, OptionsOf::Mapping);
        let (unknown, invalid) = (
            Some(ErrorKind::Remote(Remote::InvalidOptionName)),
            Some(ErrorKind::InvalidParameterValue),
        );
        assert_eq!(check(server, "host", "dwh.example"), None);
        assert_eq!(check(server, "password", "env:A"), unknown);
        assert_eq!(check(server, "port", "0"), invalid);
        assert_eq!(check(server, "sslmode", "allow"), invalid);
        assert_eq!(check(server, "numeric", "38,10"), None);
        assert_eq!(check(server, "numeric", "10,38"), invalid);
        assert_eq!(check(server, "max_connections", "0"), invalid);
        assert_eq!(check(mapping, "password", "env:DWH_PASSWORD"), None);
        assert_eq!(check(mapping, "password", "hunter2"), invalid);
        assert_eq!(check(mapping, "password", "env:"), invalid);
    }

    #[test]
    fn a_role_is_mapped_by_its_own_mapping_or_by_that_of_public() {
        let server = |roles: &[Option<&str>]| Server {
            name: "dwh".to_owned(),
            wrapper: Wrapper::Postgres,
            server_type: None,
            version: None,
            options: Options::new(),
            mappings: roles
                .iter()
                .map(|role| (role.map(str::to_owned), Options::new()))
                .collect(),
        };
        let of_ada = Some("ada".to_owned());
        assert_eq!(
            server(&[Some("ada"), None]).mapping_for("ada").ok(),
            Some(of_ada)
        );
        assert_eq!(server(&[None]).mapping_for("ada").ok(), Some(None));
        assert!(server(&[Some("bob")]).mapping_for("ada").is_err());
    }
}
