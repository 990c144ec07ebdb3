//! What is kept of a password: SCRAM-SHA-256's verifier, in the text of `pg_authid.rolpassword`.
//!
//! As `scram_build_secret` and `parse_scram_secret` in PostgreSQL's scram-common.c and
//! auth-scram.c: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, RFC 5803.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use ring::{digest, hmac, pbkdf2};

use crate::error::{Error, ErrorKind, Result};

/// Bytes of SHA-256.
pub(super) const KEY_BYTES: usize = 32;

/// Bytes of a new salt: PostgreSQL's `SCRAM_DEFAULT_SALT_LEN`.
pub(super) const SALT_BYTES: usize = 16;

/// Iterations of a new verifier: PostgreSQL's `SCRAM_SHA_256_DEFAULT_ITERATIONS`.
pub(super) const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not 0");

const PREFIX: &str = "SCRAM-SHA-256$";

/// Proves that a client knows a password, without holding the password: what leaks of it does not
/// let anybody log in.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pub(super) iterations: NonZeroU32,
    pub(super) salt: Vec<u8>,
    pub(super) stored_key: [u8; KEY_BYTES],
    pub(super) server_key: [u8; KEY_BYTES],
}

impl Verifier {
    /// Reads the text form; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (parameters, keys) = text.strip_prefix(PREFIX)?.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let iterations = iterations.parse().ok().filter(|n: &NonZeroU32| {
            // The client reads it as an int.
            i32::try_from(n.get()).is_ok()
        })?;
        let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?;
        Some(Self {
            iterations,
            salt,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }

    /// A verifier of a password, with a salt of its own. Costs some milliseconds of one core.
    pub fn of_password(password: &str) -> Self {
        let mut salt = vec![0; SALT_BYTES];
        rand::rng().fill_bytes(&mut salt);
        Self::derive(password, salt, ITERATIONS)
    }

    /// RFC 5802, section 3. As in PostgreSQL, a password that SASLprep refuses is taken as it is.
    pub(super) fn derive(password: &str, salt: Vec<u8>, iterations: NonZeroU32) -> Self {
        let prepared = stringprep::saslprep(password);
        let prepared = prepared.as_deref().unwrap_or(password);
        let mut salted = [0; KEY_BYTES];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            &salt,
            prepared.as_bytes(),
            &mut salted,
        );
        Self {
            iterations,
            salt,
            stored_key: sha256(&hmac_sha256(&salted, &[b"Client Key"])),
            server_key: hmac_sha256(&salted, &[b"Server Key"]),
        }
    }
}

fn key(text: &str) -> Option<[u8; KEY_BYTES]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; KEY_BYTES] {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest
        .as_ref()
        .try_into()
        .expect("a digest of SHA-256 has 32 bytes")
}

/// HMAC-SHA-256 over the parts, one after the other.
pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; KEY_BYTES] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let tag = context.sign();
    tag.as_ref()
        .try_into()
        .expect("a tag of HMAC-SHA-256 has 32 bytes")
}

/// The text form. It belongs into files and `pg_authid`, and nowhere else.
impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        write!(
            f,
            "{PREFIX}{}:{}${}:{}",
            self.iterations,
            encode(&self.salt),
            encode(&self.stored_key),
            encode(&self.server_key)
        )
    }
}

/// Nothing of it: verifiers do not belong into logs.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

/// What stands behind PASSWORD in a statement.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// A verifier, to be kept as it is.
    Verifier(Verifier),
    /// The password itself, to be kept as its verifier.
    Plain(String),
}

impl Password {
    /// What a text is, as `get_password_type` in crypt.c.
    ///
    /// # Errors
    /// `FeatureNotSupported`: an md5 hash. Nobody could log in by it.
    pub fn of(text: &str) -> Result<Self> {
        if is_md5(text) {
            return Err(
                Error::unsupported("an md5 password").with_hint("Use a SCRAM-SHA-256 verifier.")
            );
        }
        Ok(match Verifier::parse(text) {
            Some(verifier) => Self::Verifier(verifier),
            None => Self::Plain(text.to_owned()),
        })
    }

    /// The verifier.
    pub fn into_verifier(self) -> Verifier {
        match self {
            Self::Verifier(verifier) => verifier,
            Self::Plain(password) => Verifier::of_password(&password),
        }
    }

    /// The verifier, where a password itself may not stand: in a file.
    ///
    /// # Errors
    /// `InvalidParameterValue`: it is the password itself.
    pub fn required_verifier(self) -> Result<Verifier> {
        match self {
            Self::Verifier(verifier) => Ok(verifier),
            Self::Plain(_) => {
                let message = "a file must hold a SCRAM-SHA-256 verifier, not the password itself";
                Err(Error::new(ErrorKind::InvalidParameterValue, message).with_hint(VERIFIER_HINT))
            }
        }
    }
}

/// How to come by a verifier.
pub(super) const VERIFIER_HINT: &str = "PostgreSQL keeps verifiers in pg_authid.rolpassword; \
     CREATE ROLE ... PASSWORD over the wire makes one, and so does psql's \\password.";

/// Whether a text is an md5 hash of PostgreSQL: `md5` and 32 hexadecimal digits.
pub(super) fn is_md5(text: &str) -> bool {
    let digits = text.strip_prefix("md5");
    digits.is_some_and(|digits| {
        digits.len() == 32
            && digits
                .bytes()
                .all(|digit| b"0123456789abcdef".contains(&digit))
    })
}

/// Nothing of it.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_they_are_written() {
        // The password and salt of RFC 7677's example, as PostgreSQL keeps them.
        let text = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        let verifier = Verifier::parse(text).expect("the text is PostgreSQL's");
        assert_eq!(verifier.to_string(), text);
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        assert_eq!(Verifier::derive("pencil", salt, ITERATIONS), verifier);
        assert_eq!(format!("{verifier:?}"), "Verifier(..)");
    }

    #[test]
    fn other_texts_are_no_verifiers() {
        for text in [
            "",
            "secret",
            "SCRAM-SHA-256$",
            "SCRAM-SHA-256$0:AAAA$AA==:AA==",
            "SCRAM-SHA-256$4096:AAAA$AA==:AA==",
            "SCRAM-SHA-1$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        ] {
            assert_eq!(Verifier::parse(text), None, "{text}");
        }
    }

    #[test]
    fn passwords_are_prepared_as_clients_prepare_them() {
        let derive = |text: &str| Verifier::derive(text, vec![1], ITERATIONS);
        // RFC 4013: a soft hyphen is nothing, a no-break space is a space.
        assert_eq!(derive("I\u{ad}X"), derive("IX"));
        assert_eq!(derive("a\u{a0}b"), derive("a b"));
        // It forbids control characters: then the password counts as it is.
        assert_ne!(derive("a\u{7}\u{ad}"), derive("a\u{7}"));
    }

    #[test]
    fn md5_is_refused() {
        assert!(Password::of("md5a6343a68d964ca596d9752250d54bb8a").is_err());
        let plain = Password::of("md5 is old").expect("this is a password");
        assert_eq!(plain, Password::Plain("md5 is old".to_owned()));
        assert!(plain.required_verifier().is_err());
    }
}
