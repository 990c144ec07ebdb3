//! Reads what guards the door: certificate and key, the file of users. At the start a broken one is
//! an error; while serving, the last good one stays.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::{MissedTickBehavior, interval};

use super::keys::Issuer;
use crate::auth::{Certificate, Guard, Userlist};
use crate::catalog::Catalog;
use crate::config::{AuditTarget, Config, TlsFiles};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::Audit;

/// Where the audit goes.
///
/// # Errors
/// Its file cannot be written.
pub(super) fn audit(config: &Config) -> Result<Audit> {
    match &config.audit {
        None => Ok(Audit::default()),
        Some(AuditTarget::StandardError) => Ok(Audit::to_standard_error()),
        Some(AuditTarget::File(path)) => Audit::to_file(path).map_err(|error| {
            let message = format!("--audit {}: {error}", path.display());
            Error::new(ErrorKind::IoError, message).with_cause(error)
        }),
    }
}

/// Opens the file of the audit once more at every SIGHUP, as `man logrotate` has daemons do it.
pub(super) async fn reopen_audit(audit: &Audit, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        match audit.reopen() {
            Ok(true) => tracing::info!("SIGHUP: the audit's file is opened again"),
            Ok(false) => tracing::info!("SIGHUP: there is no audit's file to open again"),
            Err(error) => tracing::error!(%error, "open the audit's file again"),
        }
    }
    // The signal comes no more; what runs beside this goes on.
    std::future::pending().await
}

/// How often the files are looked at.
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// The largest of these files that is read, in bytes: a chain is a few KiB, a user some 200 bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The guard, and the files it is made of.
pub(super) struct Security {
    pub(super) guard: Arc<Guard>,
    tls: Option<Watched<TlsFiles>>,
    userlist: Option<Watched<PathBuf>>,
    issuer: Option<Issuer>,
    is_trusting: bool,
}

/// Files, and the digest of what was last read of them, good or not.
pub(super) struct Watched<T> {
    pub(super) files: T,
    pub(super) seen: blake3::Hash,
}

impl Security {
    /// Reads the files, and decides whether passwords are asked for: it is not if the door is on
    /// loopback (or it is told to be insecure), there is no file of roles, readable or not, and no
    /// file of users.
    ///
    /// # Errors
    /// A file that cannot be read, or says nothing that can be used; a door to other machines
    /// without anybody who may log in.
    pub(super) async fn read(config: &Config, catalog: &Catalog) -> Result<Self> {
        let (mut certificate, mut tls) = (None, None);
        if let Some(files) = &config.tls {
            let (bytes, seen) = read_pair(files).await?;
            certificate = Some(pair(files, &bytes)?);
            tls = Some(Watched {
                files: files.clone(),
                seen,
            });
        }
        let (mut users, mut userlist) = (Userlist::default(), None);
        if let Some(file) = &config.auth_file {
            let (bytes, seen) = read_file(file).await?;
            users = list(file, &bytes)?;
            userlist = Some(Watched {
                files: file.clone(),
                seen,
            });
        }
        let issuer = match &config.tokens {
            Some(tokens) => Some(Issuer::read(tokens).await?),
            None => None,
        };
        if let Some(problem) = catalog.views().role_problem() {
            let message = format!("{}: {}", problem.location, problem.error);
            return Err(Error::new(problem.error.kind(), message));
        }
        let has_roles = catalog.authority().is_enforced;
        let is_open = !has_roles && userlist.is_none();
        if !config.listen.ip().is_loopback() && is_open {
            let address = config.listen;
            if !config.is_insecure {
                let message = format!(
                    "--listen {address} is reachable from other machines, and nobody is asked for a \
                     password; give --auth-file, make roles, or say --insecure"
                );
                return Err(Error::new(ErrorKind::InvalidParameterValue, message));
            }
            tracing::warn!(%address, "everybody who reaches this address reads everything");
        }
        let mut guard = Guard::new(certificate, config.is_tls_required, users, is_open);
        if let Some(issuer) = &issuer {
            guard = guard.with_tokens(Arc::clone(&issuer.tokens));
        }
        Ok(Self {
            guard: Arc::new(guard),
            tls,
            userlist,
            issuer,
            is_trusting: is_open,
        })
    }

    /// For the ready line.
    pub(super) fn shown(&self) -> String {
        let proof = match (self.is_trusting, &self.issuer) {
            (true, _) => "trust",
            (false, None) => "scram-sha-256",
            (false, Some(_)) => "scram-sha-256 or token",
        };
        let tls = match (&self.tls, self.guard.is_tls_required) {
            (None, _) => "no TLS",
            (Some(_), false) => "TLS allowed",
            (Some(_), true) => "TLS required",
        };
        format!("{proof}, {tls}")
    }

    /// Reads the files whenever they changed. Never ends by itself.
    pub(super) async fn watch(mut self) {
        let issuer = self.issuer.take();
        let keys = async {
            if let Some(issuer) = issuer {
                issuer.watch().await;
            }
        };
        tokio::join!(self.watch_files(), keys);
    }

    async fn watch_files(&mut self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.reload_certificate().await {
                tracing::warn!("the certificate before stays in use: {error}");
            }
            if let Err(error) = self.reload_userlist().await {
                tracing::warn!("the users before stay: {error}");
            }
        }
    }

    async fn reload_certificate(&mut self) -> Result<()> {
        let Some(watched) = &mut self.tls else {
            return Ok(());
        };
        let read = read_pair(&watched.files).await;
        if let Some(bytes) = watched.changed(read)? {
            self.guard.set_certificate(pair(&watched.files, &bytes)?);
            tracing::info!("the certificate was read again");
        }
        Ok(())
    }

    async fn reload_userlist(&mut self) -> Result<()> {
        let Some(watched) = &mut self.userlist else {
            return Ok(());
        };
        let read = read_file(&watched.files).await;
        if let Some(bytes) = watched.changed(read)? {
            self.guard.set_userlist(list(&watched.files, &bytes)?);
            tracing::info!("the file of users was read again");
        }
        Ok(())
    }
}

impl<T> Watched<T> {
    /// What was read, if it is not what was read the last time. A failure to read is told once.
    pub(super) fn changed<B>(&mut self, read: Result<(B, blake3::Hash)>) -> Result<Option<B>> {
        let seen = match &read {
            Ok((_, seen)) => *seen,
            Err(error) => blake3::hash(error.message().as_bytes()),
        };
        let is_same = seen == self.seen;
        self.seen = seen;
        match read {
            _ if is_same => Ok(None),
            Ok((bytes, _)) => Ok(Some(bytes)),
            Err(error) => Err(error),
        }
    }
}

type Pair = (Vec<u8>, Vec<u8>);

async fn read_pair(files: &TlsFiles) -> Result<(Pair, blake3::Hash)> {
    let (certificate, of_certificate) = read_file(&files.certificate).await?;
    let (key, of_key) = read_file(&files.key).await?;
    let both = [*of_certificate.as_bytes(), *of_key.as_bytes()].concat();
    Ok(((certificate, key), blake3::hash(&both)))
}

fn pair(files: &TlsFiles, (certificate, key): &Pair) -> Result<Certificate> {
    Certificate::read(certificate, key).map_err(|reason| {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        let message = format!("--tls-cert {certificate}, --tls-key {key}: {reason}");
        Error::new(ErrorKind::InvalidParameterValue, message)
    })
}

fn list(file: &Path, bytes: &[u8]) -> Result<Userlist> {
    let parsed = match std::str::from_utf8(bytes) {
        Ok(text) => Userlist::parse(text),
        Err(_) => Err("it is not UTF-8".to_owned()),
    };
    parsed.map_err(|reason| {
        let message = format!("--auth-file {}: {reason}", file.display());
        Error::new(ErrorKind::InvalidParameterValue, message)
    })
}

/// A file's bytes, and their digest.
pub(super) async fn read_file(file: &Path) -> Result<(Vec<u8>, blake3::Hash)> {
    let path = file.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let n_bytes = std::fs::metadata(&path)?.len();
        if n_bytes > FILE_BYTES_MAX {
            return Err(std::io::Error::other("it is larger than 16 MiB"));
        }
        std::fs::read(path)
    });
    let bytes = read.await.map_err(Error::internal)?.map_err(|error| {
        let message = format!("could not read \"{}\": {error}", file.display());
        Error::new(ErrorKind::IoError, message).with_cause(error)
    })?;
    let digest = blake3::hash(&bytes);
    Ok((bytes, digest))
}
