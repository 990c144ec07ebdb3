//! JSON Web Tokens as proof of who somebody is. RFC 7519; RFC 8725 says what to beware of.

mod claims;
mod keys;
mod tokens;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;

pub use claims::{Claim, TokenRules};
pub use keys::Keys;
pub use tokens::Tokens;

use keys::Algorithm;

/// What a token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Who it is, as the issuer calls them.
    pub user: String,
    /// The groups that the issuer says they are in.
    pub groups: Vec<String>,
    /// When it proves nothing any more, with the leeway of clocks.
    pub until: DateTime<Utc>,
}

/// Why a token proves nothing. It never holds anything of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It names a key that is not known: perhaps a new one.
    UnknownKey,
    /// It will not do.
    Refused(&'static str),
}

impl TokenError {
    /// For the audit.
    pub fn reason(self) -> &'static str {
        match self {
            Self::UnknownKey => "the token names a key that is not known",
            Self::Refused(reason) => reason,
        }
    }
}

/// Of the header of a token, what counts here (RFC 7515, section 4.1).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

/// What a token proves at a moment.
///
/// # Errors
/// Nothing.
pub(super) fn prove(
    token: &str,
    keys: &Keys,
    rules: &TokenRules,
    now: DateTime<Utc>,
) -> Result<Proved, TokenError> {
    const NO_TOKEN: TokenError = TokenError::Refused("it is no token");
    let (signed, signature) = token.rsplit_once('.').ok_or(NO_TOKEN)?;
    let (header, payload) = signed.split_once('.').ok_or(NO_TOKEN)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| NO_TOKEN);
    let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
    let header: Header = serde_json::from_slice(&header).map_err(|_| NO_TOKEN)?;
    if header.crit.is_some() {
        return Err(TokenError::Refused("the token asks for what is not known"));
    }
    let algorithm = Algorithm::named(&header.alg);
    let algorithm = algorithm.ok_or(TokenError::Refused("the token's algorithm is not taken"))?;
    let id = header.kid.as_deref();
    if id.is_some_and(|id| !keys.knows(id)) {
        return Err(TokenError::UnknownKey);
    }
    let mut fitting = keys.fitting(id, algorithm).peekable();
    if fitting.peek().is_none() {
        return Err(TokenError::Refused("no key is for the token's algorithm"));
    }
    if !fitting.any(|key| key.signed(algorithm, signed.as_bytes(), &signature)) {
        return Err(TokenError::Refused("the token's signature is wrong"));
    }
    let claims = serde_json::from_slice(&payload);
    rules.proved_by(&claims.map_err(|_| NO_TOKEN)?, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_token_proves_nothing() {
        let rules = TokenRules {
            issuer: "https://issuer".to_owned(),
            audience: "lake".to_owned(),
            user_claims: vec![Claim::named("sub")],
            group_claims: Vec::new(),
        };
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let none = format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded("{}"));
        let shared = format!("{}.{}.AAAA", encoded(r#"{"alg":"HS256"}"#), encoded("{}"));
        let unknown = format!(
            "{}.{}.AAAA",
            encoded(r#"{"alg":"ES256","kid":"x"}"#),
            encoded("{}")
        );
        let critical = format!(
            "{}.{}.AAAA",
            encoded(r#"{"alg":"ES256","crit":["b64"]}"#),
            encoded("{}")
        );
        let long = ".".repeat(60_000);
        let check = |token: &str, expected: TokenError| {
            let got = prove(token, &Keys::default(), &rules, Utc::now());
            assert_eq!(got, Err(expected), "{}", token.get(..40).unwrap_or(token));
        };
        let no_token = TokenError::Refused("it is no token");
        for text in ["", ".", "..", "a.b.c", "geheim", "é.é.é", long.as_str()] {
            check(text, no_token);
        }
        let not_taken = TokenError::Refused("the token's algorithm is not taken");
        check(&none, not_taken);
        check(&shared, not_taken);
        check(&unknown, TokenError::UnknownKey);
        check(
            &critical,
            TokenError::Refused("the token asks for what is not known"),
        );
    }
}
