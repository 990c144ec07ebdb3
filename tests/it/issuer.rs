//! Who issues tokens, in a test: keys of every kind, and tokens that are right but for one thing.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding,
    RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

/// `iss` of the tests.
pub(crate) const ISSUER: &str = "https://login.example/tenant";

/// `aud` of the tests.
pub(crate) const AUDIENCE: &str = "lakegate";

/// A key that signs tokens, by the name that its set has for it.
pub(crate) struct SigningKey {
    id: String,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Curve(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl SigningKey {
    /// For ES256.
    pub(crate) fn curve(id: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("ring makes keys");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random);
        Self {
            id: id.to_owned(),
            pair: Pair::Curve(pair.expect("ring reads its keys")),
        }
    }

    /// For EdDSA.
    pub(crate) fn edwards(id: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("ring makes keys");
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("ring reads its keys");
        Self {
            id: id.to_owned(),
            pair: Pair::Edwards(pair),
        }
    }

    /// For RS256 and its kind; made by OpenSSL, as ring makes none.
    pub(crate) fn rsa(id: &str) -> Self {
        let output = Command::new("openssl")
            .args([
                "genpkey",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
            ])
            .args(["-outform", "DER"])
            .output()
            .expect("OpenSSL runs");
        // Versions differ in which of both forms this is.
        let pair = RsaKeyPair::from_der(&output.stdout)
            .or_else(|_| RsaKeyPair::from_pkcs8(&output.stdout))
            .expect("ring reads OpenSSL's keys");
        Self {
            id: id.to_owned(),
            pair: Pair::Rsa(Box::new(pair)),
        }
    }

    /// The public key, as sets have it.
    pub(crate) fn jwk(&self) -> Value {
        let id = &self.id;
        match &self.pair {
            Pair::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "use": "sig", "kid": id, "n": encoded(public.n), "e": encoded(public.e)})
            }
            Pair::Curve(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": id, "x": encoded(&point[1..33]), "y": encoded(&point[33..])})
            }
            Pair::Edwards(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": encoded(pair.public_key())})
            }
        }
    }

    /// A token with this header, beside the key's name, and these claims.
    pub(crate) fn sign(&self, algorithm: &str, claims: &Value) -> String {
        let header = json!({"alg": algorithm, "kid": self.id, "typ": "JWT"});
        let signed = format!(
            "{}.{}",
            encoded(header.to_string()),
            encoded(claims.to_string())
        );
        let bytes = signed.as_bytes();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &dyn RsaEncoding = match algorithm {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    _ => &signature::RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                let made = pair.sign(padding, &SystemRandom::new(), bytes, &mut signature);
                made.expect("ring signs");
                signature
            }
            Pair::Curve(pair) => {
                let made = pair.sign(&SystemRandom::new(), bytes);
                made.expect("ring signs").as_ref().to_vec()
            }
            Pair::Edwards(pair) => pair.sign(bytes).as_ref().to_vec(),
        };
        format!("{signed}.{}", encoded(signature))
    }
}

/// The set of these keys' public parts.
pub(crate) fn key_set(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is later than 1970").as_secs()
}

/// Claims that are right for an hour, but for what is changed; null takes one away.
pub(crate) fn claims(user: &str, change: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": now() + 3600, "nbf": now(), "iat": now(),
        "sub": "0000-1111", "preferred_username": user,
    });
    let object = claims.as_object_mut().expect("it is an object");
    for (name, value) in change.as_object().expect("it is an object") {
        match value.is_null() {
            true => object.remove(name),
            false => object.insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// A server that answers every request with the same document, and counts them.
pub(crate) struct KeyServer {
    pub(crate) url: String,
    document: Arc<Mutex<String>>,
    n_requests: Arc<AtomicUsize>,
}

impl KeyServer {
    /// On loopback, with its status line.
    pub(crate) fn start(status: &'static str, document: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let document = Arc::new(Mutex::new(document.to_owned()));
        let n_requests = Arc::new(AtomicUsize::new(0));
        let (body, count) = (Arc::clone(&document), Arc::clone(&n_requests));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for mut socket in listener.incoming().map_while(Result::ok) {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request);
                count.fetch_add(1, Ordering::SeqCst);
                let body = body.lock().expect("nobody panicked").clone();
                let head = format!(
                    "HTTP/1.1 {status}\r\nLocation: /elsewhere\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                let _ = socket.write_all((head + &body).as_bytes());
            }
        });
        Self {
            url: format!("http://{address}/keys"),
            document,
            n_requests,
        }
    }

    /// From now on it answers this.
    pub(crate) fn serve(&self, document: &str) {
        document.clone_into(&mut self.document.lock().expect("nobody panicked"));
    }

    /// How often it was asked.
    pub(crate) fn n_requests(&self) -> usize {
        self.n_requests.load(Ordering::SeqCst)
    }
}
