//! Servers that are lakes: their tables are read as those of the gateway's own lake are, in which they are mounted.

use std::collections::BTreeMap;
use std::path::Path;

use super::server::is_reference;
use super::{Options, Server, Warehouse};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::{self, Lake};

/// The options that are secrets, which files only refer to.
pub(super) const SECRETS: &[&str] = &[
    "account_key",
    "client_secret",
    "sas_token",
    "secret_access_key",
    "service_account_key",
    "session_token",
];

/// The options that say who asks. With one of them the gateway's own credentials are not used.
const CREDENTIALS: &[&str] = &["access_key_id", "account_name", "client_id"];

/// What the stores of schemes take beside a location.
const STORES: &[(&[&str], &[&str])] = &[
    (
        &["s3", "s3a"],
        &[
            "access_key_id",
            "allow_http",
            "endpoint",
            "location",
            "region",
            "secret_access_key",
            "session_token",
        ],
    ),
    (
        &["abfs", "abfss", "adl", "az", "azure"],
        &[
            "account_key",
            "account_name",
            "allow_http",
            "client_id",
            "client_secret",
            "endpoint",
            "location",
            "sas_token",
            "tenant_id",
        ],
    ),
    (&["gs"], &["location", "service_account_key"]),
    (&["file"], &["location"]),
];

/// The options that the store of a location takes.
///
/// # Errors
/// `InvalidParameterValue`: no lake can lie there.
pub(super) fn options(of: &Options) -> Result<Vec<&'static str>> {
    let location = of.get("location").map_or("", String::as_str);
    let scheme = location
        .split_once("://")
        .map_or("file", |(scheme, _)| scheme);
    let mut stores = STORES.iter();
    match stores.find(|(schemes, _)| schemes.contains(&scheme)) {
        Some((_, known)) if !location.is_empty() && !location.contains('\0') => Ok(known.to_vec()),
        _ => {
            let message = format!("invalid value for option \"location\": \"{location}\"");
            Err(Error::new(ErrorKind::InvalidParameterValue, message)
                .with_hint("Write a path, or a URL that begins with file, s3, abfss, az or gs."))
        }
    }
}

/// A server that is a lake, as it is mounted.
#[derive(Debug)]
pub struct OtherLake {
    /// The lake itself.
    pub lake: Lake,
    /// What its folder is called: another one if the server's location is another, and the same in every process.
    pub folder: String,
}

impl Warehouse {
    /// Opens a server that is a lake. Nothing is asked of a store in a cloud.
    ///
    /// # Errors
    /// A reference leads nowhere, an option the store refuses, a folder that is not there.
    pub fn lake(&self, server: &Server) -> Result<OtherLake> {
        let location = self.location(server)?;
        let says_who = |name: &str| CREDENTIALS.contains(&name) || SECRETS.contains(&name);
        let mut options = match server.options.keys().any(|name| says_who(name)) {
            true => BTreeMap::new(),
            false => self.surroundings.store_options.clone(),
        };
        for (name, value) in server
            .options
            .iter()
            .filter(|(name, _)| *name != "location")
        {
            let value = match is_reference(value) {
                true => self.surroundings.secrets.read(value)?,
                false => value.clone(),
            };
            options.insert(name.clone(), value);
        }
        Ok(OtherLake {
            lake: storage::unasked(&location, &options)?,
            folder: folder(server, &location),
        })
    }

    /// What the folder of a server that is a lake is called: see [`OtherLake::folder`].
    ///
    /// # Errors
    /// `InvalidParameterValue`: its location is a relative path, and there is nothing that it is relative to.
    pub fn lake_folder(&self, server: &Server) -> Result<String> {
        let location = self.location(server)?;
        Ok(folder(server, &location))
    }

    /// A path that is not absolute is one below the gateway's own lake.
    fn location(&self, server: &Server) -> Result<String> {
        let location = server.option("location").unwrap_or_default();
        if location.contains("://") || Path::new(location).is_absolute() {
            return Ok(location.to_owned());
        }
        let folder = self.surroundings.folder.as_ref().ok_or_else(|| {
            let message = format!("the location \"{location}\" is a relative path");
            Error::new(ErrorKind::InvalidParameterValue, message)
                .with_hint("Only below a lake on disk are paths relative.")
        })?;
        Ok(folder.join(location).display().to_string())
    }
}

/// The name of a server's folder: its own, and what tells the place where it is from others.
fn folder(server: &Server, location: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in [
        &server.name,
        location,
        server.option("endpoint").unwrap_or_default(),
    ] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let plain = |of: char| if of.is_ascii_alphanumeric() { of } else { '_' };
    let name: String = server.name.chars().map(plain).collect();
    format!("{name}@{}", &hasher.finalize().to_hex()[..16])
}

#[cfg(test)]
mod tests {
    use super::super::{OptionsOf, Wrapper};

    #[test]
    fn options_are_those_of_the_location() {
        let check = |said: &[(&str, &str)]| {
            let said = said.iter();
            let options = said.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let checked = Wrapper::Lake.check(OptionsOf::Server, &options.collect());
            checked.err().map(|error| error.message().to_owned())
        };
        let s3 = ("location", "s3://archive/lake");
        assert_eq!(check(&[s3]), None);
        assert_eq!(check(&[("location", "archive")]), None);
        assert_eq!(
            check(&[s3, ("secret_access_key", "env:KEY"), ("access_key_id", "a")]),
            None
        );
        let wrong = |said: &[(&str, &str)]| check(said).expect("it is wrong");
        assert!(wrong(&[]).contains("\"location\" is required"));
        assert!(
            wrong(&[s3, ("account_key", "env:KEY")]).contains("invalid option \"account_key\"")
        );
        assert!(wrong(&[s3, ("allow_http", "yes")]).contains("\"allow_http\""));
        assert!(wrong(&[("location", "ftp://archive")]).contains("\"location\""));
        assert!(wrong(&[("location", "archive"), ("region", "x")]).contains("\"region\""));
        let secret = wrong(&[s3, ("secret_access_key", "hunter2")]);
        assert!(secret.contains("must be a reference") && !secret.contains("hunter2"));
    }
}
