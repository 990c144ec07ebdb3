//! What a token says, and what of it counts. RFC 7519, section 4; OpenID Connect Core, section 2.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::{Proved, TokenError};

/// How far two clocks may be apart.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// Groups of one token. Issuers leave them out themselves where there are more (Entra ID: 200).
const GROUPS_MAX: usize = 1_000;

/// What tokens must say, and where they say who it is.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// `iss`, to the letter.
    pub issuer: String,
    /// One of `aud`.
    pub audience: String,
    /// Who it is says the first of these that is there.
    pub user_claims: Vec<Claim>,
    /// The groups are those of all of these.
    pub group_claims: Vec<Claim>,
}

/// The name of a claim, or a path to one within others, with dots between.
#[derive(Clone, Debug)]
pub struct Claim(String);

impl Claim {
    /// By its name.
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// A claim of this very name, else the one that the path leads to.
    fn of<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        if let Some(value) = claims.get(&self.0) {
            return Some(value);
        }
        let (first, rest) = self.0.split_once('.')?;
        let mut value = claims.get(first)?;
        for name in rest.split('.') {
            value = value.get(name)?;
        }
        Some(value)
    }
}

impl TokenRules {
    /// What these claims prove at a moment.
    pub(super) fn proved_by(
        &self,
        claims: &Map<String, Value>,
        now: DateTime<Utc>,
    ) -> Result<Proved, TokenError> {
        let refused = |reason| Err(TokenError::Refused(reason));
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return refused("the token is another issuer's");
        }
        let is_own = |value: &Value| value.as_str() == Some(&self.audience);
        let is_for_us = match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(is_own),
            Some(one) => is_own(one),
            None => false,
        };
        if !is_for_us {
            return refused("the token is for another audience");
        }
        let Some(expires) = claims.get("exp").and_then(moment) else {
            return refused("the token does not say when it expires");
        };
        let until = expires.checked_add_signed(LEEWAY).unwrap_or(expires);
        if now >= until {
            return refused("the token has expired");
        }
        if let Some(begins) = claims.get("nbf") {
            let begins = moment(begins).and_then(|it| it.checked_sub_signed(LEEWAY));
            if begins.is_none_or(|begins| now < begins) {
                return refused("the token is not valid yet");
            }
        }
        let mut users = self.user_claims.iter().filter_map(|claim| claim.of(claims));
        match users.next().and_then(Value::as_str) {
            Some(user) if !user.is_empty() => Ok(Proved {
                user: user.to_owned(),
                groups: self.groups(claims),
                until,
            }),
            _ => refused("the token does not say who it is for"),
        }
    }

    fn groups(&self, claims: &Map<String, Value>) -> Vec<String> {
        let values = self.group_claims.iter().filter_map(|it| it.of(claims));
        let names = values.flat_map(|value| match value {
            Value::Array(all) => all.iter().collect(),
            one => vec![one],
        });
        let names = names.filter_map(Value::as_str).map(str::to_owned);
        let mut groups: Vec<String> = names.take(GROUPS_MAX).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

/// `NumericDate`: seconds since 1970, perhaps with a fraction. What is no number is no moment.
fn moment(value: &Value) -> Option<DateTime<Utc>> {
    let seconds = value.as_f64()?.floor();
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (0.0..=1e12)
        .contains(&seconds)
        .then_some(seconds as i64)
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What claims prove at second 1,000.
    fn proved(change: &Value) -> Result<Proved, TokenError> {
        let rules = TokenRules {
            issuer: "https://issuer/".to_owned(),
            audience: "lake".to_owned(),
            user_claims: vec![Claim::named("preferred_username"), Claim::named("sub")],
            group_claims: vec![Claim::named("groups"), Claim::named("realm_access.roles")],
        };
        let mut claims =
            json!({"iss": "https://issuer/", "aud": "lake", "exp": 1000, "sub": "ada"});
        for (name, value) in change.as_object().expect("it is an object") {
            match value.is_null() {
                true => claims.as_object_mut().expect("it is one").remove(name),
                false => claims
                    .as_object_mut()
                    .expect("it is one")
                    .insert(name.clone(), value.clone()),
            };
        }
        let claims = claims.as_object().expect("it is an object").clone();
        let now = DateTime::from_timestamp(1000, 0).expect("it is a moment");
        rules.proved_by(&claims, now)
    }

    fn refused(change: &Value, expected: &str) {
        let reason = proved(change).expect_err("it is wrong").reason();
        assert!(reason.contains(expected), "{change}: {reason}");
    }

    #[test]
    fn what_a_token_must_say_it_must_say() {
        assert_eq!(proved(&json!({})).expect("all is there").user, "ada");
        for issuer in [
            json!(null),
            json!("https://issuer"),
            json!(["https://issuer/"]),
        ] {
            refused(&json!({"iss": issuer}), "issuer");
        }
        for audience in [
            json!(null),
            json!("Lake"),
            json!([]),
            json!(["x"]),
            json!({"lake": 1}),
        ] {
            refused(&json!({"aud": audience}), "audience");
        }
        assert!(proved(&json!({"aud": ["x", "lake"]})).is_ok());
        for never in [
            json!(null),
            json!("1000"),
            json!(-1),
            json!(1e300),
            json!([1000]),
        ] {
            refused(&json!({"exp": never}), "when it expires");
        }
        // A minute of leeway, and not a second more.
        assert!(proved(&json!({"exp": 941})).is_ok());
        refused(&json!({"exp": 940}), "expired");
        assert!(proved(&json!({"nbf": 1060})).is_ok());
        refused(&json!({"nbf": 1061}), "not valid yet");
        refused(&json!({"nbf": "0"}), "not valid yet");
    }

    #[test]
    fn who_it_is_the_first_claim_says() {
        let got = proved(&json!({"preferred_username": "bob"}));
        assert_eq!(got.expect("all is there").user, "bob");
        refused(&json!({"preferred_username": ""}), "who it is for");
        refused(&json!({"preferred_username": 7}), "who it is for");
        refused(&json!({"sub": null}), "who it is for");
    }

    #[test]
    fn groups_are_those_of_all_claims() {
        let said = json!({"groups": ["b", "a", 7], "realm_access": {"roles": ["c", "a"]}});
        assert_eq!(proved(&said).expect("all is there").groups, ["a", "b", "c"]);
        let said = json!({"groups": "one", "realm_access.roles": ["two"]});
        assert_eq!(proved(&said).expect("all is there").groups, ["one", "two"]);
    }
}
