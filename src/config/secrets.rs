//! Where references to secrets lead: to variables of the environment that are named, and to files
//! below one folder.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Error, ErrorKind, Result};

/// The flags.
#[derive(Debug, Args)]
pub struct SecretArguments {
    /// Variables of the environment that a definition may refer to as env:NAME, separated by commas
    #[arg(
        long,
        env = "LAKEGATE_SECRET_ENV",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub secret_env: Vec<String>,

    /// The folder of files that a definition may refer to as file:PATH
    #[arg(long, env = "LAKEGATE_SECRET_DIR", value_name = "DIR")]
    pub secret_dir: Option<PathBuf>,
}

impl SecretArguments {
    /// The secrets. A variable that is not set is missed by who refers to it.
    #[expect(clippy::disallowed_methods, reason = "this room reads the environment")]
    pub(super) fn read(&self) -> Secrets {
        let names = self.secret_env.iter().map(|name| name.trim());
        let known = names.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
        Secrets {
            environment: known.collect(),
            folder: self.secret_dir.clone(),
        }
    }
}

/// The secrets that definitions may refer to.
#[derive(Clone, Default)]
pub struct Secrets {
    environment: BTreeMap<String, String>,
    folder: Option<PathBuf>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// What a reference leads to: `env:NAME` or `file:PATH`. Of a file a newline at its end is left
    /// out, as editors write it.
    ///
    /// # Errors
    /// `UndefinedObject`: it leads nowhere, or where it may not.
    pub fn read(&self, reference: &str) -> Result<String> {
        if let Some(name) = reference.strip_prefix("env:") {
            return self.environment.get(name).cloned().ok_or_else(|| {
                missing(
                    reference,
                    "It is not among the variables of --secret-env, or not set.",
                )
            });
        }
        let Some(path) = reference.strip_prefix("file:") else {
            let message = "a secret is neither env:NAME nor file:PATH";
            return Err(Error::new(ErrorKind::InvalidParameterValue, message));
        };
        let Some(folder) = &self.folder else {
            return Err(missing(reference, "There is no --secret-dir."));
        };
        let path = below(folder, Path::new(path))
            .ok_or_else(|| missing(reference, "There is no such file below --secret-dir."))?;
        let text = std::fs::read_to_string(path)
            .map_err(|_| missing(reference, "The file cannot be read as text."))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }
}

/// The file, if it lies below the folder, symbolic links followed.
fn below(folder: &Path, path: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let path = folder.join(path).canonicalize().ok()?;
    path.starts_with(&folder).then_some(path)
}

fn missing(reference: &str, why: &str) -> Error {
    let message = format!("secret \"{reference}\" cannot be read");
    Error::new(ErrorKind::UndefinedObject, message).with_detail(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_only_where_they_may() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inside = folder.path().join("secrets");
        std::fs::create_dir(&inside).expect("the folder can be made");
        std::fs::write(inside.join("a"), "geheim\n").expect("it can be written");
        std::fs::write(folder.path().join("b"), "fremd").expect("it can be written");
        let secrets = Secrets {
            environment: BTreeMap::from([("A".to_owned(), "of A".to_owned())]),
            folder: Some(inside.clone()),
        };
        assert_eq!(secrets.read("env:A").ok().as_deref(), Some("of A"));
        assert_eq!(secrets.read("file:a").ok().as_deref(), Some("geheim"));
        let whole = format!("file:{}", inside.join("a").display());
        assert_eq!(secrets.read(&whole).ok().as_deref(), Some("geheim"));
        for refused in [
            "env:PATH",
            "env:",
            "file:../b",
            "file:/etc/hostname",
            "file:c",
            "a",
        ] {
            assert!(secrets.read(refused).is_err(), "{refused}");
        }
    }
}
