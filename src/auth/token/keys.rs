//! The public keys of who issues tokens: a JWK Set. RFC 7517, RFC 7518 section 6, RFC 8037.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

/// Keys of one set: an issuer has some that it signs with, and some that it did.
const KEYS_MAX: usize = 100;

/// Bytes of the modulus of RSA: 2048 bits, the least that RFC 7518 allows.
const MODULUS_BYTES_MIN: usize = 256;

/// How tokens are signed. Nothing else is taken: neither `none`, nor what both sides share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// By its name in a header (RFC 7518, section 3.1).
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }
}

/// The public keys of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(Vec<Key>);

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, if it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

/// What a signature is checked with. Its kind decides which algorithms can be meant, whatever a
/// token says: a public key is never taken for a shared secret.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// The private part, which does not belong here.
    d: Option<serde_json::Value>,
}

impl Keys {
    /// Reads a JWK Set. As RFC 7517, section 5, has it, keys that mean nothing here are passed over.
    ///
    /// # Errors
    /// A sentence: it is no such set, holds no key that can be used, or a private one.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let set: JwkSet = serde_json::from_slice(bytes)
            .map_err(|error| format!("it is no set of keys (JWK Set): {error}"))?;
        if set.keys.len() > KEYS_MAX {
            return Err(format!("it has more than {KEYS_MAX} keys"));
        }
        let mut keys = Vec::new();
        for value in set.keys {
            let Ok(jwk) = serde_json::from_value::<Jwk>(value) else {
                continue;
            };
            if jwk.d.is_some() {
                return Err("it holds a private key".to_owned());
            }
            keys.extend(Key::of(jwk));
        }
        match keys.is_empty() {
            true => Err("none of its keys can be used".to_owned()),
            false => Ok(Self(keys)),
        }
    }

    /// Whether any key has this name.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// The keys that a token may be signed with.
    pub(super) fn fitting<'a>(
        &'a self,
        id: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a Key> {
        let keys = self.0.iter();
        keys.filter(move |key| key.is_for(algorithm) && (id.is_none() || key.id.as_deref() == id))
    }
}

impl Key {
    /// `None` if it is not one that can be used here.
    fn of(jwk: Jwk) -> Option<Self> {
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let algorithm = match jwk.alg.as_deref() {
            Some(name) => Some(Algorithm::named(name)?),
            None => None,
        };
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let point = |size: usize| {
            let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
            let is_whole = x.len() == size && y.len() == size;
            // SEC 1, section 2.3.3: not compressed.
            is_whole.then(|| [&[4], x.as_slice(), y.as_slice()].concat())
        };
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rsa {
                modulus: without_zeros(bytes(&jwk.n)?),
                exponent: without_zeros(bytes(&jwk.e)?),
            },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => {
                Material::Ed25519(bytes(&jwk.x).filter(|key| key.len() == 32)?)
            }
            _ => return None,
        };
        if let Material::Rsa { modulus, .. } = &material
            && modulus.len() < MODULUS_BYTES_MIN
        {
            return None;
        }
        Some(Self {
            id: jwk.kid,
            algorithm,
            material,
        })
    }

    fn is_for(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let can = match self.material {
            Material::Rsa { .. } => {
                matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512)
            }
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        can && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Whether it signed these bytes so.
    pub(super) fn signed(&self, algorithm: Algorithm, bytes: &[u8], signed: &[u8]) -> bool {
        let plain = |of: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(of, key)
                .verify(bytes, signed)
                .is_ok()
        };
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                let parameters = match algorithm {
                    Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
                    Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return false,
                };
                key.verify(parameters, bytes, signed).is_ok()
            }
            Material::P256(key) => plain(&signature::ECDSA_P256_SHA256_FIXED, key),
            Material::P384(key) => plain(&signature::ECDSA_P384_SHA384_FIXED, key),
            Material::Ed25519(key) => plain(&signature::ED25519, key),
        }
    }
}

/// Some write numbers with zeros in front, which ring does not take.
fn without_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the only key of a set signed a token.
    fn check(jwk: &str, algorithm: Algorithm, token: &str, expected: bool) {
        let keys = Keys::parse(format!("{{\"keys\":[{jwk}]}}").as_bytes()).expect("it is a set");
        let (signed, signature) = token.rsplit_once('.').expect("it has a signature");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("it is base64url");
        let mut fitting = keys.fitting(None, algorithm);
        let holds = fitting.any(|key| key.signed(algorithm, signed.as_bytes(), &signature));
        assert_eq!(holds, expected, "{token}");
    }

    const EDWARDS: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const CURVE: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

    #[test]
    fn the_examples_of_the_standards_hold() {
        // RFC 7515, A.3.
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        check(CURVE, Algorithm::Es256, token, true);
        check(CURVE, Algorithm::Rs256, token, false);
        check(
            CURVE,
            Algorithm::Es256,
            &token.replace(".DtEh", ".DtEi"),
            false,
        );
        // RFC 8037, A.4.
        let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        check(EDWARDS, Algorithm::EdDsa, token, true);
        check(
            EDWARDS,
            Algorithm::EdDsa,
            &token.replace(".RXhh", ".RXhi"),
            false,
        );
    }

    #[test]
    fn only_sets_with_a_key_that_serves_are_taken() {
        let parse = |text: &str| Keys::parse(text.as_bytes());
        for broken in ["", "[]", "{}", "{\"keys\": 1}", "{\"keys\": []}"] {
            assert!(parse(broken).is_err(), "{broken}");
        }
        let with = |more: &str| {
            let key = CURVE.replacen('{', &format!("{{{more},"), 1);
            parse(&format!("{{\"keys\":[{key}]}}"))
        };
        assert!(with("\"use\":\"sig\"").is_ok());
        assert!(with("\"use\":\"enc\"").is_err());
        assert!(with("\"alg\":\"HS256\"").is_err());
        assert!(with("\"d\":\"AAAA\"").is_err_and(|error| error.contains("private")));
        let secret = r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#;
        assert!(parse(secret).is_err());
        let short = r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#;
        assert!(parse(short).is_err());
        let both = format!("{{\"keys\":[{{\"kty\":\"oct\",\"k\":\"AAAA\"}},{EDWARDS}]}}");
        assert!(parse(&both).is_ok());
    }
}
