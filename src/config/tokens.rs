//! Which tokens are taken, as the flags say it together.

use std::path::PathBuf;

use clap::Args;
use url::{Host, Url};

/// Tokens of an identity provider, in place of passwords.
#[derive(Debug, Args)]
pub struct TokenArguments {
    /// Take tokens of this issuer, over TLS: their "iss" to the letter
    #[arg(long, env = "LAKEGATE_OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,

    /// The issuer's public keys, a JWK Set: a file, or an https:// URL
    #[arg(long, env = "LAKEGATE_OIDC_JWKS", value_name = "FILE-or-URL")]
    pub oidc_jwks: Option<String>,

    /// For whom tokens must be made out: one of their "aud"
    #[arg(long, env = "LAKEGATE_OIDC_AUDIENCE", value_name = "NAME")]
    pub oidc_audience: Option<String>,

    /// The claim that names the user [default: preferred_username, else upn, else sub]
    #[arg(long, env = "LAKEGATE_OIDC_USER_CLAIM", value_name = "CLAIM")]
    pub oidc_user_claim: Option<String>,

    /// The claim that lists the user's groups, or a path like realm_access.roles [default: groups and roles]
    #[arg(long, env = "LAKEGATE_OIDC_GROUPS_CLAIM", value_name = "CLAIM")]
    pub oidc_groups_claim: Option<String>,

    /// The users who give a token as their password, if they have none: a name, with * for any text
    #[arg(
        long,
        env = "LAKEGATE_OIDC_USERS",
        default_value = "*@*",
        value_name = "PATTERN"
    )]
    pub oidc_users: String,

    /// The scope that OAUTHBEARER clients are to ask the issuer for
    #[arg(
        long,
        env = "LAKEGATE_OIDC_SCOPE",
        default_value = "openid",
        value_name = "SCOPE"
    )]
    pub oidc_scope: String,
}

/// Which tokens are taken.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// `iss`, to the letter.
    pub issuer: String,
    /// One of `aud`.
    pub audience: String,
    /// Where the issuer's public keys are.
    pub keys: KeySource,
    /// Who it is says the first of these claims that is there.
    pub user_claims: Vec<String>,
    /// The groups are those of all of these claims.
    pub group_claims: Vec<String>,
    /// Who gives a token as a password.
    pub users: String,
    /// What clients of OAUTHBEARER are to ask for.
    pub scope: String,
}

/// Where public keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a file.
    File(PathBuf),
    /// Behind a URL: https, or http on this machine.
    Url(Url),
}

impl TokenArguments {
    /// What the flags say together; `None` if none of them is given.
    pub(super) fn check(&self, has_tls: bool) -> Result<Option<TokenConfig>, String> {
        let (issuer, jwks, audience) =
            match (&self.oidc_issuer, &self.oidc_jwks, &self.oidc_audience) {
                (None, None, None) => return self.check_none(),
                (Some(issuer), Some(jwks), Some(audience)) => (issuer, jwks, audience),
                _ => {
                    let message =
                        "--oidc-issuer, --oidc-jwks and --oidc-audience must be given together";
                    return Err(message.to_owned());
                }
            };
        if !has_tls {
            let message = "--oidc-issuer needs --tls-cert and --tls-key: tokens are taken over TLS";
            return Err(message.to_owned());
        }
        if issuer.is_empty() || audience.is_empty() || jwks.is_empty() {
            let message = "--oidc-issuer, --oidc-jwks and --oidc-audience must not be empty";
            return Err(message.to_owned());
        }
        let claims = |given: &Option<String>, default: &[&str]| match given {
            Some(claim) => vec![claim.clone()],
            None => default.iter().map(|claim| (*claim).to_owned()).collect(),
        };
        Ok(Some(TokenConfig {
            issuer: issuer.clone(),
            audience: audience.clone(),
            keys: key_source(jwks)?,
            user_claims: claims(&self.oidc_user_claim, &["preferred_username", "upn", "sub"]),
            group_claims: claims(&self.oidc_groups_claim, &["groups", "roles"]),
            users: self.oidc_users.clone(),
            scope: self.oidc_scope.clone(),
        }))
    }

    fn check_none(&self) -> Result<Option<TokenConfig>, String> {
        match (&self.oidc_user_claim, &self.oidc_groups_claim) {
            (None, None) => Ok(None),
            _ => Err("--oidc-user-claim and --oidc-groups-claim need --oidc-issuer".to_owned()),
        }
    }
}

fn key_source(text: &str) -> Result<KeySource, String> {
    if !text.contains("://") {
        return Ok(KeySource::File(PathBuf::from(text)));
    }
    let url = Url::parse(text).map_err(|error| format!("--oidc-jwks {text}: {error}"))?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(KeySource::Url(url)),
        "http" if is_here => Ok(KeySource::Url(url)),
        _ => Err(format!("--oidc-jwks {text}: only https, or a file")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn the_flags_of_tokens_belong_together() {
        let tls = ["--tls-cert", "a.crt", "--tls-key", "a.key"];
        let issuer = ["--oidc-issuer", "https://issuer"];
        let jwks = |source| ["--oidc-jwks", source];
        let audience = ["--oidc-audience", "lake"];
        let with = |parts: &[&[&str]]| check(&parts.concat());
        let whole = [&tls[..], &issuer, &jwks("keys.json"), &audience];
        let config = with(&whole).expect("all is there").tokens;
        let config = config.expect("tokens are taken");
        assert_eq!(config.keys, KeySource::File("keys.json".into()));
        assert_eq!(config.user_claims, ["preferred_username", "upn", "sub"]);
        for missing in 0..whole.len() {
            let mut parts = whole.to_vec();
            parts.remove(missing);
            assert!(with(&parts).is_err(), "{parts:?}");
        }
        assert!(with(&[&["--oidc-user-claim", "sub"]]).is_err());
        assert!(with(&[&tls]).expect("none is needed").tokens.is_none());
    }

    #[test]
    fn keys_come_encrypted_or_from_this_machine() {
        for good in [
            "https://issuer/keys",
            "http://localhost:8080/keys",
            "http://127.0.0.1/keys",
            "http://[::1]/keys",
        ] {
            assert!(matches!(key_source(good), Ok(KeySource::Url(_))), "{good}");
        }
        for bad in [
            "http://issuer/keys",
            "http://localhost.issuer/keys",
            "ftp://localhost/keys",
            "file:///keys",
            "https://",
        ] {
            assert!(key_source(bad).is_err(), "{bad}");
        }
    }
}
