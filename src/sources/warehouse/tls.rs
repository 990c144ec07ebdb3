//! TLS to a server, as `sslmode` asks for it.
//! <https://www.postgresql.org/docs/16/libpq-ssl.html>

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_rustls::TlsConnector;

use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::Server;

/// What `sslmode` is where nobody says it: nothing less is safe beyond this machine.
const DEFAULT_MODE: &str = "verify-full";

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Never.
    Disable,
    /// If the server can.
    Prefer,
    /// Always, or there is none.
    Require,
}

/// How connections are encrypted.
#[derive(Clone)]
pub(super) struct Tls {
    /// Whether they are.
    pub(super) mode: Mode,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// As a server's options say.
    ///
    /// # Errors
    /// `UndefinedFile`: `sslrootcert` cannot be read; `InvalidParameterValue`: it holds no
    /// certificate, or the system has none to trust.
    pub(super) fn of(server: &Server) -> Result<Self> {
        let said = server.option("sslmode").unwrap_or(DEFAULT_MODE);
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match said {
            "verify-full" => trusting(server, &provider, true)?,
            "verify-ca" => trusting(server, &provider, false)?,
            _ => Arc::new(AnyCertificate(Arc::clone(&provider))),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self {
            mode: match said {
                "disable" => Mode::Disable,
                "prefer" => Mode::Prefer,
                _ => Mode::Require,
            },
            config: Arc::new(config),
        })
    }

    /// What encrypts one.
    pub(super) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.config))
    }
}

/// Trusts what `sslrootcert` holds, else what the system does.
fn trusting(
    server: &Server,
    provider: &Arc<CryptoProvider>,
    checks_name: bool,
) -> Result<Arc<Trusting>> {
    let mut roots = RootCertStore::empty();
    let mut trusted = Vec::new();
    let invalid = |what: String| Error::new(ErrorKind::InvalidParameterValue, what);
    match server.option("sslrootcert") {
        Some(path) => {
            let unreadable = |_| {
                let message = format!("root certificate file \"{path}\" cannot be read");
                Error::new(ErrorKind::UndefinedFile, message)
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                let certificate = certificate.map_err(unreadable)?;
                roots
                    .add(certificate.clone())
                    .map_err(|cause| invalid(format!("in \"{path}\": {cause}")))?;
                trusted.push(certificate);
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let chains = chains.build().map_err(|_| {
        let name = &server.name;
        let message = format!("there is no certificate by which to verify server \"{name}\"");
        invalid(message).with_hint("Give one as sslrootcert.")
    })?;
    Ok(Arc::new(Trusting {
        chains,
        trusted,
        checks_name,
    }))
}

/// `verify-full`, and `verify-ca`, which takes a trusted certificate whatever name it bears.
#[derive(Debug)]
struct Trusting {
    chains: Arc<WebPkiServerVerifier>,
    /// Those of `sslrootcert`. As in libpq the server's own may be among them.
    trusted: Vec<CertificateDer<'static>>,
    checks_name: bool,
}

impl Trusting {
    /// Whether a certificate that leads to none is trusted for itself: it signs itself, as an
    /// authority, and is of use at the time.
    fn is_itself_trusted(&self, certificate: &CertificateDer<'_>, error: &rustls::Error) -> bool {
        let is_of_no_use = matches!(
            error,
            rustls::Error::InvalidCertificate(
                CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. }
                    | CertificateError::Revoked
                    | CertificateError::BadEncoding
                    | CertificateError::BadSignature
            )
        );
        !is_of_no_use && self.trusted.iter().any(|trusted| trusted == certificate)
    }
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verified = self.chains.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            // Names are looked at last, when the chain was found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.checks_name => Ok(ServerCertVerified::assertion()),
            Err(error) if self.is_itself_trusted(end_entity, &error) => {
                if self.checks_name {
                    let certificate = ParsedCertificate::try_from(end_entity)?;
                    verify_server_name(&certificate, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let chains = &self.chains;
        chains.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let chains = &self.chains;
        chains.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// `prefer` and `require`: nobody listens, but anybody may be at the other end.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
