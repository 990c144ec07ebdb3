//! The tokens that a door takes: by which rules and keys, of whom as a password.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::sync::{Notify, watch};

use super::{Keys, Proved, TokenError, TokenRules, prove};

/// The least time between two requests for keys that are not known: whoever sends tokens with
/// made-up keys does not have the issuer asked for each.
const ASKING_PERIOD: Duration = Duration::from_secs(60);

/// How long a login waits for new keys.
const KEYS_TIMEOUT: Duration = Duration::from_secs(12);

/// Checks tokens. Its keys are replaced while the gateway runs.
#[derive(Debug)]
pub struct Tokens {
    rules: TokenRules,
    /// OAuth scopes that clients are to ask for.
    scope: String,
    /// Of whom a token is asked as a password: a name, or a pattern of one with `*`.
    users: String,
    keys: watch::Sender<Arc<Keys>>,
    /// Whether there is somebody who can be asked for new keys.
    can_ask: bool,
    asked_at: Mutex<Option<Instant>>,
    wanted: Notify,
}

impl Tokens {
    /// Takes tokens by these rules and keys; `can_ask` says that [`Self::wanted`] is listened to.
    pub fn new(rules: TokenRules, keys: Keys, users: &str, scope: &str, can_ask: bool) -> Self {
        Self {
            rules,
            scope: scope.to_owned(),
            users: users.to_owned(),
            keys: watch::Sender::new(Arc::new(keys)),
            can_ask,
            asked_at: Mutex::new(None),
            wanted: Notify::new(),
        }
    }

    /// Whether a user of this name is asked for a token as a password. The name alone decides, so
    /// that what is asked does not tell whether there is such a user.
    pub fn are_passwords_of(&self, user: &str) -> bool {
        fits(&self.users, user)
    }

    /// Where clients find out how to come by a token. As `generate_error_response` in auth-oauth.c.
    pub fn discovery_url(&self) -> String {
        let issuer = &self.rules.issuer;
        match issuer.contains("/.well-known/") {
            true => issuer.clone(),
            false => format!("{issuer}/.well-known/openid-configuration"),
        }
    }

    /// OAuth scopes that clients are to ask for.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// From now on these keys count.
    pub fn set_keys(&self, keys: Keys) {
        self.keys.send_replace(Arc::new(keys));
    }

    /// There are no new keys: who waits for them is told.
    pub fn keep_keys(&self) {
        self.keys.send_modify(|_| {});
    }

    /// Waits until somebody comes with a key that is not known.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// What a token proves of a user. Names are compared in lower case: issuers do not keep them
    /// apart by it.
    ///
    /// # Errors
    /// It proves nothing, or of somebody else.
    pub async fn prove(&self, token: &str, user: &str) -> Result<Proved, TokenError> {
        let mut changes = self.keys.subscribe();
        let first = self.prove_now(token);
        let proved = match first {
            Err(TokenError::UnknownKey) if self.may_ask() => {
                self.wanted.notify_one();
                // Whether or not there are new ones, those that are there decide.
                let _ = tokio::time::timeout(KEYS_TIMEOUT, changes.changed()).await;
                self.prove_now(token)?
            }
            other => other?,
        };
        match proved.user.to_lowercase() == user.to_lowercase() {
            true => Ok(proved),
            false => Err(TokenError::Refused("the token is another user's")),
        }
    }

    fn prove_now(&self, token: &str) -> Result<Proved, TokenError> {
        let keys = Arc::clone(&self.keys.borrow());
        prove(token, &keys, &self.rules, Utc::now())
    }

    fn may_ask(&self) -> bool {
        let mut asked_at = self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = asked_at.is_some_and(|at| at.elapsed() < ASKING_PERIOD);
        if !self.can_ask || is_recent {
            return false;
        }
        *asked_at = Some(Instant::now());
        true
    }
}

/// Whether a name fits a pattern, in which `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.split_once(part) {
            Some((_, behind)) => left = behind,
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, expected) in [
            ("*", "ada", true),
            ("*", "", true),
            ("*@*", "ada@example.com", true),
            ("*@*", "ada", false),
            ("*@example.com", "ada@example.com", true),
            ("*@example.com", "ada@example.org", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*b", "ab", false),
            ("ada", "ada", true),
            ("ada", "Ada", false),
            ("", "ada", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[tokio::test]
    async fn keys_that_are_not_known_are_asked_for_once_a_minute() {
        let rules = TokenRules {
            issuer: "https://issuer".to_owned(),
            audience: "lake".to_owned(),
            user_claims: Vec::new(),
            group_claims: Vec::new(),
        };
        let tokens = Tokens::new(rules, Keys::default(), "*@*", "openid", true);
        // {"alg":"ES256","kid":"x"}, and an empty object.
        let token = "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.e30.AAAA";
        let answering = async {
            tokens.wanted().await;
            tokens.keep_keys();
        };
        let (first, ()) = tokio::join!(tokens.prove(token, "ada"), answering);
        assert_eq!(first, Err(TokenError::UnknownKey));
        // Nobody answers now, and nobody is asked.
        assert_eq!(
            tokens.prove(token, "ada").await,
            Err(TokenError::UnknownKey)
        );
        let expected = "https://issuer/.well-known/openid-configuration";
        assert_eq!(tokens.discovery_url(), expected);
    }
}
