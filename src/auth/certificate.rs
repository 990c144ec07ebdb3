//! The server's certificate and key, as rustls serves them.

use std::sync::Arc;

use ring::digest;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

/// The name of the protocol in ALPN, which a client must give that begins with TLS at once.
/// <https://www.postgresql.org/docs/17/protocol-flow.html#PROTOCOL-FLOW-SSL>
const ALPN: &[u8] = b"postgresql";

/// What stands in the file of a key that cannot be read without a password.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// A certificate with its key, checked to belong together.
#[derive(Debug)]
pub struct Certificate {
    /// What rustls serves it with: TLS 1.2 and 1.3, no session resumption, as in PostgreSQL.
    pub config: Arc<ServerConfig>,
    /// The digest that `tls-server-end-point` binds to (RFC 5929, section 4.1); `None` if the
    /// certificate's signature has no digest of its own, as Ed25519.
    pub binding: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads a chain of certificates and a key, both PEM. The server's own certificate comes first;
    /// the key is PKCS #8, PKCS #1 or SEC 1.
    ///
    /// # Errors
    /// A sentence that says what is wrong. It holds nothing of the key.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("the certificate is damaged: {error}"))?;
        let own = chain.first().ok_or("there is no certificate in it")?;
        let binding = binding(own);
        // In the label of PKCS #8, in a header of the older forms.
        if key.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED) {
            return Err("the key is encrypted; a server needs it without a password".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => {
                "there is no private key in the key's file".to_owned()
            }
            error => format!("the key is damaged: {error}"),
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let pair = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                "the certificate and the key do not belong together".to_owned()
            }
            error => format!("the pair cannot be used: {error}"),
        })?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // As be-secure-openssl.c: neither tickets nor a session cache.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self {
            config: Arc::new(config),
            binding,
        })
    }
}

/// The digest of a certificate by the hash of its own signature; MD5 and SHA-1 count as SHA-256.
fn binding(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = signature_hash(certificate)?;
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

/// Signature algorithms by the content of their OIDs (RFC 8017, RFC 5758), and their hashes.
const SIGNATURES: [(&[u8], &digest::Algorithm); 9] = [
    // md5, sha1, sha256, sha384, sha512 WithRSAEncryption: 1.2.840.113549.1.1.n
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", &digest::SHA256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", &digest::SHA256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", &digest::SHA256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", &digest::SHA384),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", &digest::SHA512),
    // ecdsa-with-SHA1: 1.2.840.10045.4.1; -SHA256, -SHA384, -SHA512: 1.2.840.10045.4.3.n
    (b"\x2a\x86\x48\xce\x3d\x04\x01", &digest::SHA256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", &digest::SHA256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", &digest::SHA384),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", &digest::SHA512),
];

/// rsassaPss, 1.2.840.113549.1.1.10, whose hash stands in its parameters.
const RSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";

/// Hashes of rsassaPss: 2.16.840.1.101.3.4.2.n.
const HASHES: [(&[u8], &digest::Algorithm); 3] = [
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x01", &digest::SHA256),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x02", &digest::SHA384),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x03", &digest::SHA512),
];

/// DER's SEQUENCE, OBJECT IDENTIFIER and the context's `[0]`.
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const CONTEXT_0: u8 = 0xa0;

/// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }`, RFC 5280.
fn signature_hash(certificate: &[u8]) -> Option<&'static digest::Algorithm> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (identifier, parameters) = element(algorithm, OBJECT_IDENTIFIER)?;
    if identifier != RSA_PSS {
        return hash_of(identifier, &SIGNATURES);
    }
    let (parameters, _) = element(parameters, SEQUENCE)?;
    // Without a word about it the hash is SHA-1, which counts as SHA-256.
    let Some((hash, _)) = element(parameters, CONTEXT_0) else {
        return Some(&digest::SHA256);
    };
    let (hash, _) = element(hash, SEQUENCE)?;
    let (identifier, _) = element(hash, OBJECT_IDENTIFIER)?;
    hash_of(identifier, &HASHES)
}

fn hash_of(
    identifier: &[u8],
    known: &[(&[u8], &'static digest::Algorithm)],
) -> Option<&'static digest::Algorithm> {
    let found = known.iter().find(|(known, _)| *known == identifier);
    found.map(|(_, algorithm)| *algorithm)
}

/// The content of the DER element that comes first, if it has this tag, and what comes after it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = match length {
        short @ 0..=0x7f => (usize::from(*short), rest),
        long => {
            let n_bytes = usize::from(long & 0x7f);
            if !(1..=4).contains(&n_bytes) || rest.len() < n_bytes {
                return None;
            }
            let (length, rest) = rest.split_at(n_bytes);
            let length = length
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, rest)
        }
    };
    (rest.len() >= length).then(|| rest.split_at(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(algorithm: &'static rcgen::SignatureAlgorithm) -> (String, String) {
        let key = rcgen::KeyPair::generate_for(algorithm).expect("ring makes such keys");
        let names = vec!["localhost".to_owned()];
        let parameters = rcgen::CertificateParams::new(names).expect("the name is one");
        let certificate = parameters.self_signed(&key).expect("the key signs");
        (certificate.pem(), key.serialize_pem())
    }

    fn check(chain: &str, key: &str, expected: Result<Option<usize>, &str>) {
        let read = Certificate::read(chain.as_bytes(), key.as_bytes());
        let got = read.map(|read| read.binding.map(|binding| binding.len()));
        match (got, expected) {
            (Err(message), Err(start)) => assert!(message.starts_with(start), "{message}"),
            (got, expected) => assert_eq!(got, expected.map_err(str::to_owned)),
        }
    }

    #[test]
    fn bindings_have_the_hash_of_the_signature() {
        let (chain, key) = pair(&rcgen::PKCS_ECDSA_P256_SHA256);
        check(&chain, &key, Ok(Some(32)));
        let (chain, key) = pair(&rcgen::PKCS_ECDSA_P384_SHA384);
        check(&chain, &key, Ok(Some(48)));
        let (chain, key) = pair(&rcgen::PKCS_ED25519);
        check(&chain, &key, Ok(None));
    }

    #[test]
    fn broken_pairs_are_refused() {
        let (chain, key) = pair(&rcgen::PKCS_ECDSA_P256_SHA256);
        let (_, other) = pair(&rcgen::PKCS_ECDSA_P256_SHA256);
        check(&chain, &other, Err("the certificate and the key do not"));
        check("", &key, Err("there is no certificate"));
        check(&key, &key, Err("there is no certificate"));
        check(&chain, &chain, Err("there is no private key"));
        let encrypted = key.replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE");
        check(&chain, &encrypted, Err("the key is encrypted"));
        let cut = &chain[..chain.len() / 2];
        check(cut, &key, Err("the certificate is damaged"));
        let damaged = key.replace("MIG", "AAG");
        check(&chain, &damaged, Err("the pair cannot be used"));
    }

    #[test]
    fn cut_certificates_have_no_binding() {
        let (chain, _) = pair(&rcgen::PKCS_ECDSA_P256_SHA256);
        let whole = CertificateDer::from_pem_slice(chain.as_bytes()).expect("PEM");
        assert!(binding(&whole).is_some());
        for n_bytes in 0..whole.len() {
            assert_eq!(binding(&whole[..n_bytes]), None);
        }
    }
}
