//! The messages of SASL's OAUTHBEARER (RFC 7628), as PostgreSQL 18 takes them: `oauth_exchange` and
//! what it calls in auth-oauth.c.

use serde::Serialize;

use super::{Refusal, RefusalKind, Tokens};

/// The mechanism's name.
pub const OAUTHBEARER: &str = "OAUTHBEARER";

/// What stands between a message's parts.
const SEPARATOR: char = '\u{1}';

/// The token of a client's first message; `None` if the client only asks where to get one.
///
/// # Errors
/// It is no such message, in PostgreSQL's words.
pub fn bearer_token(message: &[u8]) -> Result<Option<String>, Refusal> {
    if message.is_empty() {
        return Err(malformed("The message is empty."));
    }
    if message.contains(&0) {
        return Err(malformed("Message length does not match input length."));
    }
    // What is not UTF-8 is in no value that is allowed.
    let message = String::from_utf8_lossy(message);
    let rest = match message.chars().next() {
        Some('p') => {
            return Err(malformed(
                "The server does not support channel binding for OAuth, but the client message \
                 includes channel binding data.",
            ));
        }
        Some('y' | 'n') => &message[1..],
        _ => {
            let found = character(&message);
            return Err(malformed(format!(
                "Unexpected channel-binding flag \"{found}\"."
            )));
        }
    };
    let rest = rest.strip_prefix(',').ok_or_else(|| {
        malformed(format!(
            "Comma expected, but found character \"{}\".",
            character(rest)
        ))
    })?;
    if rest.starts_with('a') {
        return Err(Refusal {
            kind: RefusalKind::Unsupported,
            message: "client uses authorization identity, but it is not supported".to_owned(),
            detail: None,
        });
    }
    let rest = rest.strip_prefix(',').ok_or_else(|| {
        let found = character(rest);
        malformed(format!(
            "Unexpected attribute \"{found}\" in client-first-message."
        ))
    })?;
    let rest = rest.strip_prefix(SEPARATOR).ok_or_else(|| {
        let found = character(rest);
        malformed(format!(
            "Key-value separator expected, but found character \"{found}\"."
        ))
    })?;
    Ok(token_of(&authorization(rest)?))
}

/// The value of the pair `auth`.
fn authorization(mut rest: &str) -> Result<String, Refusal> {
    let mut authorization = None;
    loop {
        if rest.is_empty() {
            return Err(malformed("Message did not contain a final terminator."));
        }
        let (pair, behind) = rest
            .split_once(SEPARATOR)
            .ok_or_else(|| malformed("Message contains an unterminated key/value pair."))?;
        rest = behind;
        if pair.is_empty() {
            break;
        }
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| malformed("Message contains a key without a value."))?;
        if key.is_empty() {
            return Err(malformed("Message contains an empty key name."));
        }
        if !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(malformed("Message contains an invalid key name."));
        }
        let is_allowed = |byte: u8| matches!(byte, 0x20..=0x7e | b'\t' | b'\r' | b'\n');
        if !value.bytes().all(is_allowed) {
            return Err(malformed("Message contains an invalid value."));
        }
        if key == "auth" && authorization.replace(value.to_owned()).is_some() {
            return Err(malformed("Message contains multiple auth values."));
        }
    }
    match (authorization, rest) {
        (None, _) => Err(malformed("Message does not contain an auth value.")),
        (Some(authorization), "") => Ok(authorization),
        (Some(_), _) => Err(malformed(
            "Message contains additional data after the final terminator.",
        )),
    }
}

/// As `validate_token_format`: what is no `Bearer token` proves nothing, as an empty token does.
fn token_of(authorization: &str) -> Option<String> {
    if authorization.is_empty() {
        return None;
    }
    let scheme = authorization.get(..7).unwrap_or_default();
    let token = match scheme.eq_ignore_ascii_case("Bearer ") {
        true => authorization[7..].trim_start_matches(' '),
        false => "",
    };
    Some(token.to_owned())
}

/// As `sanitize_char`: the first byte, if it can be shown.
fn character(text: &str) -> String {
    let byte = text.bytes().next().unwrap_or_default();
    match byte {
        0x21..=0x7e => format!("'{}'", char::from(byte)),
        _ => format!("0x{byte:02x}"),
    }
}

/// What a client is told whose token will not do: where to get another. RFC 7628, section 3.2.2.
pub fn bearer_challenge(tokens: &Tokens) -> Vec<u8> {
    #[derive(Serialize)]
    struct Challenge<'a> {
        status: &'static str,
        #[serde(rename = "openid-configuration")]
        discovery_url: String,
        scope: &'a str,
    }
    let challenge = Challenge {
        status: "invalid_token",
        discovery_url: tokens.discovery_url(),
        scope: tokens.scope(),
    };
    serde_json::to_vec(&challenge).unwrap_or_default()
}

/// Reads the only answer that there is to the challenge.
///
/// # Errors
/// It is another.
pub fn bearer_farewell(message: &[u8]) -> Result<(), Refusal> {
    match message {
        b"\x01" => Ok(()),
        _ => Err(malformed("Client did not send a kvsep response.")),
    }
}

fn malformed(detail: impl Into<String>) -> Refusal {
    Refusal {
        kind: RefusalKind::Protocol,
        message: "malformed OAUTHBEARER message".to_owned(),
        detail: Some(detail.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &[u8], expected: Result<Option<&str>, &str>) {
        let got = bearer_token(message);
        let got = got.map_err(|refusal| refusal.detail.unwrap_or(refusal.message));
        let expected = expected
            .map(|token| token.map(str::to_owned))
            .map_err(str::to_owned);
        assert_eq!(got, expected, "{}", String::from_utf8_lossy(message));
    }

    #[test]
    fn first_messages_are_read_as_postgres_18_reads_them() {
        check(b"n,,\x01auth=Bearer abc.def\x01\x01", Ok(Some("abc.def")));
        check(b"y,,\x01auth=bearer   abc\x01\x01", Ok(Some("abc")));
        check(
            b"n,,\x01host=h\x01port=1\x01auth=Bearer abc\x01\x01",
            Ok(Some("abc")),
        );
        check(b"n,,\x01auth=\x01\x01", Ok(None));
        check(b"n,,\x01auth=Bearer \x01\x01", Ok(Some("")));
        check(b"n,,\x01auth=Basic abc\x01\x01", Ok(Some("")));
        check(b"", Err("The message is empty."));
        check(b"n,,\0", Err("Message length does not match input length."));
        check(
            b"p=tls-unique,,",
            Err(
                "The server does not support channel binding for OAuth, but the client message includes channel binding data.",
            ),
        );
        check(b"x,,", Err("Unexpected channel-binding flag \"'x'\"."));
        check(b"n", Err("Comma expected, but found character \"0x00\"."));
        check(
            b"n,a=ada,",
            Err("client uses authorization identity, but it is not supported"),
        );
        check(
            b"n,b,",
            Err("Unexpected attribute \"'b'\" in client-first-message."),
        );
        check(
            b"n,,auth",
            Err("Key-value separator expected, but found character \"'a'\"."),
        );
        check(
            b"n,,\x01auth=Bearer abc",
            Err("Message contains an unterminated key/value pair."),
        );
        check(
            b"n,,\x01auth=Bearer abc\x01",
            Err("Message did not contain a final terminator."),
        );
        check(
            b"n,,\x01\x01",
            Err("Message does not contain an auth value."),
        );
        check(
            b"n,,\x01auth\x01\x01",
            Err("Message contains a key without a value."),
        );
        check(
            b"n,,\x01=x\x01\x01",
            Err("Message contains an empty key name."),
        );
        check(
            b"n,,\x01a1=x\x01\x01",
            Err("Message contains an invalid key name."),
        );
        check(
            b"n,,\x01auth=\x02\x01\x01",
            Err("Message contains an invalid value."),
        );
        check(
            b"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
            Err("Message contains multiple auth values."),
        );
        check(
            b"n,,\x01auth=Bearer a\x01\x01x",
            Err("Message contains additional data after the final terminator."),
        );
        assert!(bearer_farewell(b"\x01").is_ok() && bearer_farewell(b"").is_err());
    }
}
