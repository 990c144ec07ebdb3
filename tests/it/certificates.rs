//! Certificates and files of users, made by the test that needs them.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use lakegate::auth::Verifier;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, SignatureAlgorithm};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;

/// A folder with what guards a gateway's door.
#[derive(Debug)]
pub(crate) struct Secrets {
    folder: TempDir,
}

impl Secrets {
    /// A certificate for `localhost`, and its key.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let secrets = Self { folder };
        secrets.renew(&PKCS_ECDSA_P256_SHA256);
        secrets
    }

    /// Writes another certificate and key over those that are there.
    pub(crate) fn renew(&self, algorithm: &'static SignatureAlgorithm) {
        let key = KeyPair::generate_for(algorithm).expect("ring makes such keys");
        let names = vec!["localhost".to_owned()];
        let parameters = CertificateParams::new(names).expect("localhost is a name");
        let certificate = parameters.self_signed(&key).expect("the key signs");
        self.write("server.crt", &certificate.pem());
        self.write("server.key", &key.serialize_pem());
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the file can be written");
    }

    /// Writes the file of users, whose passwords are these.
    pub(crate) fn write_users(&self, users: &[(&str, &str)]) {
        let lines: Vec<String> = users
            .iter()
            .map(|(user, password)| {
                let user = user.replace('"', "\"\"");
                format!("\"{user}\" \"{}\"\n", Verifier::of_password(password))
            })
            .collect();
        self.write("users.txt", &lines.concat());
    }

    /// Where a file is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same, as an argument.
    pub(crate) fn argument(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The gateway's arguments for the certificate, and for the users if there is a file of them.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "--tls-cert".to_owned(),
            self.argument("server.crt"),
            "--tls-key".to_owned(),
            self.argument("server.key"),
        ];
        if self.path("users.txt").exists() {
            arguments.extend(["--auth-file".to_owned(), self.argument("users.txt")]);
        }
        arguments
    }

    /// What a client of rustls trusts: this certificate alone. With ALPN, or without.
    pub(crate) fn client(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        protocols: &[&str],
    ) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        let own = CertificateDer::from_pem_file(self.path("server.crt")).expect("it is PEM");
        roots.add(own).expect("it is a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("the versions are there")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }
}
