//! What stands at the door: whether passwords are asked for, of whom, and what encrypts.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::Utc;
use rand::RngCore;

use super::verifier::{ITERATIONS, KEY_BYTES, SALT_BYTES, Verifier, hmac_sha256};
use super::{Certificate, Role, Roles, Tokens, Userlist};

/// The guard of a door. What it knows is replaced while the gateway runs.
#[derive(Debug)]
pub struct Guard {
    certificate: RwLock<Option<Arc<Certificate>>>,
    userlist: RwLock<Arc<Userlist>>,
    /// The tokens that are taken over TLS; `None` if none are.
    tokens: Option<Arc<Tokens>>,
    /// Whether a client without TLS is turned away.
    pub is_tls_required: bool,
    /// Whether nobody is asked for a password. Goes from true to false, and never back.
    is_trusting: AtomicBool,
    /// Of this process alone: the salts of users that are not there come of it.
    mock_secret: [u8; KEY_BYTES],
}

/// What a client must prove, and what is then known of it.
#[derive(Debug)]
pub struct Login {
    /// What the proof of its password is checked by.
    pub verifier: Verifier,
    /// Why no password lets it in. The client must not learn it.
    pub doom: Option<&'static str>,
    /// Why no token does. The client must not learn it.
    pub token_doom: Option<&'static str>,
    /// It is asked for a token as a password, and not for the proof of one.
    pub is_asked_for_token: bool,
    /// Its role, if the views folder has it.
    pub role: Option<Arc<Role>>,
}

impl Guard {
    /// A guard. `is_trusting` says that nobody is asked for a password for as long as there are
    /// no roles.
    pub fn new(
        certificate: Option<Certificate>,
        is_tls_required: bool,
        userlist: Userlist,
        is_trusting: bool,
    ) -> Self {
        let mut mock_secret = [0; KEY_BYTES];
        rand::rng().fill_bytes(&mut mock_secret);
        Self {
            certificate: RwLock::new(certificate.map(Arc::new)),
            userlist: RwLock::new(Arc::new(userlist)),
            tokens: None,
            is_tls_required,
            is_trusting: AtomicBool::new(is_trusting),
            mock_secret,
        }
    }

    /// The same, where tokens are taken.
    #[must_use]
    pub fn with_tokens(self, tokens: Arc<Tokens>) -> Self {
        Self {
            tokens: Some(tokens),
            ..self
        }
    }

    /// The tokens that are taken of a client; none without encryption.
    pub fn tokens(&self, is_encrypted: bool) -> Option<Arc<Tokens>> {
        self.tokens
            .as_ref()
            .filter(|_| is_encrypted)
            .map(Arc::clone)
    }

    /// The certificate for a new connection.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        let certificate = self.certificate.read();
        let certificate = certificate.unwrap_or_else(PoisonError::into_inner);
        certificate.as_ref().map(Arc::clone)
    }

    /// From now on new connections have this certificate.
    pub fn set_certificate(&self, certificate: Certificate) {
        let mut current = self
            .certificate
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Some(Arc::new(certificate));
    }

    /// From now on these users may log in.
    pub fn set_userlist(&self, userlist: Userlist) {
        let mut current = self
            .userlist
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(userlist);
    }

    /// Whether nobody is asked for a password. `has_roles` says whether roles exist, or ever did
    /// while this process ran.
    pub fn trusts(&self, has_roles: bool) -> bool {
        if has_roles {
            self.is_trusting.store(false, Ordering::Release);
        }
        self.is_trusting.load(Ordering::Acquire)
    }

    /// What a user must prove. For one who cannot log in it looks the same, and takes as long.
    ///
    /// Who has a password is asked for the proof of it. Of others the name alone decides whether
    /// they are asked for a token, whether or not they are there.
    pub fn login(&self, user: &str, roles: &Roles, is_encrypted: bool) -> Login {
        let role = roles.get(user).map(Arc::clone);
        let barred = role.as_deref().and_then(barred);
        let userlist = self.userlist.read();
        let userlist = Arc::clone(&userlist.unwrap_or_else(PoisonError::into_inner));
        let own = role.as_ref().and_then(|role| role.password.as_ref());
        let known = own.or_else(|| userlist.verifier(user));
        // Made in any case, so that it takes as long.
        let mock = self.mock(user);
        let tokens = self.tokens(is_encrypted);
        let is_asked_for_token =
            known.is_none() && tokens.is_some_and(|tokens| tokens.are_passwords_of(user));
        Login {
            token_doom: match &role {
                Some(_) => barred,
                None => Some("there is no such role"),
            },
            is_asked_for_token,
            doom: barred.or(match (&role, known) {
                (_, Some(_)) => None,
                (Some(_), None) => Some("the role has no password"),
                (None, None) => Some("there is no such role"),
            }),
            verifier: known.cloned().unwrap_or(mock),
            role,
        }
    }

    /// As `mock_scram_secret` in auth-scram.c: the salt of a user is the same at each attempt.
    fn mock(&self, user: &str) -> Verifier {
        let salt = hmac_sha256(&self.mock_secret, &[b"salt", user.as_bytes()]);
        let iterations: NonZeroU32 = ITERATIONS;
        Verifier {
            iterations,
            salt: salt[..SALT_BYTES].to_vec(),
            stored_key: hmac_sha256(&self.mock_secret, &[b"stored", user.as_bytes()]),
            server_key: hmac_sha256(&self.mock_secret, &[b"server", user.as_bytes()]),
        }
    }
}

/// Why a role may not log in, if it may not.
fn barred(role: &Role) -> Option<&'static str> {
    match (role.can_login, role.valid_until.is_over(Utc::now())) {
        (false, _) => Some("the role may not log in"),
        (true, true) => Some("VALID UNTIL is over"),
        (true, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Password, RoleChange, Until};
    use super::*;

    fn role(name: &str, change: RoleChange) -> (String, Arc<Role>) {
        (name.to_owned(), Arc::new(Role::new(name).after(change)))
    }

    fn with_password() -> RoleChange {
        RoleChange {
            can_login: Some(true),
            password: Password::of("geheim").ok().map(Some),
            ..RoleChange::default()
        }
    }

    #[test]
    fn only_who_may_log_in_can() {
        let past = Until::parse("2020-01-01").expect("a date");
        let roles = Roles::from([
            role("good", with_password()),
            role(
                "no_login",
                RoleChange {
                    can_login: Some(false),
                    ..with_password()
                },
            ),
            role(
                "expired",
                RoleChange {
                    valid_until: Some(past),
                    ..with_password()
                },
            ),
            role(
                "no_password",
                RoleChange {
                    password: None,
                    ..with_password()
                },
            ),
        ]);
        let guard = Guard::new(None, false, Userlist::default(), false);
        let is_doomed = |user: &str| guard.login(user, &roles, true).doom.is_some();
        assert!(!is_doomed("good"));
        for user in ["no_login", "expired", "no_password", "nobody"] {
            assert!(is_doomed(user), "{user}");
        }
    }

    #[test]
    fn the_salts_of_nobody_stay_and_differ() {
        let guard = Guard::new(None, false, Userlist::default(), false);
        let salt = |user: &str| guard.login(user, &Roles::new(), true).verifier.salt;
        assert_eq!(salt("a"), salt("a"));
        assert_ne!(salt("a"), salt("b"));
        let other = Guard::new(None, false, Userlist::default(), false);
        assert_ne!(
            salt("a"),
            other.login("a", &Roles::new(), true).verifier.salt
        );
    }

    #[test]
    fn trust_never_comes_back() {
        let guard = Guard::new(None, false, Userlist::default(), true);
        assert!(guard.trusts(false));
        assert!(!guard.trusts(true));
        assert!(!guard.trusts(false));
    }
}
