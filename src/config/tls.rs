//! What the flags of TLS say together.

use std::path::PathBuf;

use clap::ValueEnum;

use super::DoorArguments;

/// Who may, or must, use TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TlsMode {
    /// Nobody can.
    Off,
    /// Clients that ask for it.
    Allow,
    /// Everybody; others are turned away before they are asked for a password.
    Require,
}

/// Where the server's certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain of certificates, PEM.
    pub certificate: PathBuf,
    /// The key, PEM.
    pub key: PathBuf,
}

impl DoorArguments {
    /// Certificate and key, and whether everybody must use TLS.
    pub(super) fn check_tls(&self) -> Result<(Option<TlsFiles>, bool), String> {
        let files = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            (None, None) => None,
            _ => return Err("--tls-cert and --tls-key must be given together".to_owned()),
        };
        match (self.tls, files) {
            (Some(TlsMode::Allow | TlsMode::Require), None) => {
                Err("--tls allow and --tls require need --tls-cert and --tls-key".to_owned())
            }
            (Some(TlsMode::Off), _) => Ok((None, false)),
            (mode, files) => Ok((files, mode == Some(TlsMode::Require))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn tls_needs_both_files() {
        assert!(check(&["--tls-cert", "a.crt"]).is_err());
        assert!(check(&["--tls-key", "a.key"]).is_err());
        assert!(check(&["--tls", "require"]).is_err());
        assert!(check(&["--tls", "allow"]).is_err());
        let config = check(&[
            "--tls-cert",
            "a.crt",
            "--tls-key",
            "a.key",
            "--tls",
            "require",
        ]);
        assert!(config.expect("all is there").is_tls_required);
        assert_eq!(check(&["--tls", "off"]).expect("none is needed").tls, None);
    }
}
