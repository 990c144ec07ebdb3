//! Has a client prove who it is, by SCRAM or a token. The manual's 55.3 (SASL), and auth-sasl.c.
//!
//! Whatever fails ends the connection, and what the client sent behind it is never looked at.

use bytes::{Buf, Bytes};

use super::client::Client;
use super::failure::{End, Failure};
use super::frame::take_authentication;
use super::respond;
use super::sqlstate::WireCondition;
use crate::auth::{
    Exchange, Login, MECHANISM, MECHANISM_PLUS, OAUTHBEARER, Proved, Refusal, RefusalKind, Reply,
    TokenError, Tokens, bearer_challenge, bearer_farewell, bearer_token,
};
use crate::error::{Error, ErrorKind};

/// What is asked for, in the words of an error.
const SASL: &str = "SASL";

/// What a client has proved.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    /// By what, for the audit.
    pub(super) method: &'static str,
    /// What its token says, if it was one.
    pub(super) token: Option<Proved>,
}

/// Waits until the client has proved that it is `user`. `tokens` are those that it may prove it by.
/// Not cancel safe.
///
/// # Errors
/// It has not, or is gone.
pub(super) async fn authenticate(
    client: &mut Client,
    user: &str,
    login: Login,
    tokens: Option<&Tokens>,
) -> Result<Proof, End> {
    if let Some(tokens) = tokens.filter(|_| login.is_asked_for_token) {
        return token_as_password(client, user, &login, tokens).await;
    }
    let mut mechanisms = vec![MECHANISM];
    if client.binding().is_some() {
        mechanisms.insert(0, MECHANISM_PLUS);
    }
    if tokens.is_some() {
        mechanisms.push(OAUTHBEARER);
    }
    respond::authentication_sasl(&mut client.output, &mechanisms);
    client.flush().await?;
    let first = answer(client, SASL).await?;
    let (mechanism, data) = initial_response(first).map_err(End::Fatal)?;
    match tokens.filter(|_| mechanism == OAUTHBEARER) {
        Some(tokens) => bearer(client, user, &login, tokens, data).await,
        None => scram(client, user, login, &mechanism, data).await,
    }
}

/// A client may name the mechanism first, and begin when asked to (scram_exchange, oauth_exchange).
async fn begun(client: &mut Client, data: Option<Bytes>) -> Result<Bytes, End> {
    match data {
        Some(data) => Ok(data),
        None => challenged(client, Vec::new()).await,
    }
}

/// The client's answer to a challenge.
async fn challenged(client: &mut Client, challenge: Vec<u8>) -> Result<Bytes, End> {
    respond::authentication_continue(&mut client.output, challenge);
    client.flush().await?;
    answer(client, SASL).await
}

async fn scram(
    client: &mut Client,
    user: &str,
    login: Login,
    mechanism: &str,
    data: Option<Bytes>,
) -> Result<Proof, End> {
    let binding = client.binding().cloned();
    let exchange = Exchange::new(mechanism, login.verifier, login.doom.is_some(), binding);
    let mut exchange = exchange.ok_or_else(|| {
        fatal_protocol("client selected an invalid SASL authentication mechanism")
    })?;
    let mut data = begun(client, data).await?;
    loop {
        match exchange.step(&data).map_err(refused)? {
            Reply::Continue(challenge) => data = challenged(client, challenge).await?,
            Reply::Done(words) => {
                respond::authentication_final(&mut client.output, words);
                let method = "scram-sha-256";
                let token = None;
                return Ok(Proof { method, token });
            }
            Reply::Failed => {
                let reason = login.doom.unwrap_or("wrong password");
                return Err(End::Fatal(wrong_password(user).truly(reason)));
            }
        }
    }
}

/// A token where a password is asked for, as auth.c's CheckPasswordAuth asks for one.
async fn token_as_password(
    client: &mut Client,
    user: &str,
    login: &Login,
    tokens: &Tokens,
) -> Result<Proof, End> {
    respond::authentication_password(&mut client.output);
    client.flush().await?;
    let body = answer(client, "password").await?;
    let invalid = || fatal_protocol("invalid password packet size");
    let (end, token) = body.split_last().ok_or_else(invalid)?;
    if *end != 0 || token.contains(&0) {
        return Err(invalid());
    }
    let failed = |reason| End::Fatal(wrong_password(user).truly(reason));
    let token = std::str::from_utf8(token).map_err(|_| failed("it is no token"))?;
    let proved = tokens.prove(token, user).await;
    let token = accepted(proved, login).map_err(failed)?;
    let method = "token as password";
    Ok(Proof { method, token })
}

/// As oauth_exchange in auth-oauth.c of PostgreSQL 18.
async fn bearer(
    client: &mut Client,
    user: &str,
    login: &Login,
    tokens: &Tokens,
    data: Option<Bytes>,
) -> Result<Proof, End> {
    let data = begun(client, data).await?;
    let reason = match bearer_token(&data).map_err(refused)? {
        None => "the client asked where to get a token",
        Some(token) => match accepted(tokens.prove(&token, user).await, login) {
            Ok(token) => {
                let method = "oauth";
                return Ok(Proof { method, token });
            }
            Err(reason) => reason,
        },
    };
    let farewell = challenged(client, bearer_challenge(tokens)).await?;
    bearer_farewell(&farewell).map_err(refused)?;
    let failure = Failure::fatal(
        WireCondition::InvalidAuthorizationSpecification,
        format!("OAuth bearer authentication failed for user \"{user}\""),
    );
    Err(End::Fatal(failure.truly(reason)))
}

/// What a token proves of somebody who may log in; else why it lets nobody in.
fn accepted(
    proved: Result<Proved, TokenError>,
    login: &Login,
) -> Result<Option<Proved>, &'static str> {
    match (proved, login.token_doom) {
        (Err(error), _) => Err(error.reason()),
        (Ok(_), Some(doom)) => Err(doom),
        (Ok(proved), None) => Ok(Some(proved)),
    }
}

/// PostgreSQL's words, the same whatever was wrong: the user, the password, or the role.
fn wrong_password(user: &str) -> Failure {
    Failure::fatal(
        WireCondition::InvalidPassword,
        format!("password authentication failed for user \"{user}\""),
    )
}

/// The body of the client's next answer.
async fn answer(client: &mut Client, asked: &str) -> Result<Bytes, End> {
    loop {
        let body = take_authentication(&mut client.input, asked);
        if let Some(body) = body.map_err(End::Fatal)? {
            return Ok(body);
        }
        client.fill().await?;
    }
}

/// Reads SASLInitialResponse: a mechanism, and what it begins with.
fn initial_response(mut body: Bytes) -> Result<(String, Option<Bytes>), Failure> {
    let invalid = || {
        Failure::fatal(
            WireCondition::ProtocolViolation,
            "insufficient data left in message",
        )
    };
    let end = body
        .iter()
        .position(|byte| *byte == 0)
        .ok_or_else(invalid)?;
    let mechanism = String::from_utf8_lossy(&body.split_to(end)).into_owned();
    body.advance(1);
    if body.len() < 4 {
        return Err(invalid());
    }
    let length = body.get_i32();
    let data = match usize::try_from(length) {
        Ok(length) if length <= body.len() => Some(body.split_to(length)),
        Err(_) if length == -1 => None,
        _ => return Err(invalid()),
    };
    match body.is_empty() {
        true => Ok((mechanism, data)),
        false => Err(Failure::fatal(
            WireCondition::ProtocolViolation,
            "invalid message format",
        )),
    }
}

fn fatal_protocol(message: &str) -> End {
    End::Fatal(Failure::fatal(WireCondition::ProtocolViolation, message))
}

fn refused(refusal: Refusal) -> End {
    let mut failure = match refusal.kind {
        RefusalKind::Protocol => Failure::fatal(WireCondition::ProtocolViolation, refusal.message),
        RefusalKind::Binding => Failure::fatal(
            WireCondition::InvalidAuthorizationSpecification,
            refusal.message,
        ),
        RefusalKind::Unsupported => {
            let error = Error::new(ErrorKind::FeatureNotSupported, refusal.message);
            Failure::from(error).into_fatal()
        }
    };
    failure.detail = refusal.detail;
    End::Fatal(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &'static [u8], expected: Result<(&str, Option<&[u8]>), &str>) {
        let got = initial_response(Bytes::from_static(body));
        let got = got.map_err(|failure| failure.message);
        let expected = expected
            .map(|(name, data)| (name.to_owned(), data.map(Bytes::copy_from_slice)))
            .map_err(str::to_owned);
        assert_eq!(got, expected);
    }

    #[test]
    fn initial_responses_are_read_whole() {
        let short = Err("insufficient data left in message");
        check(b"S\0\0\0\0\x02ab", Ok(("S", Some(b"ab"))));
        check(b"S\0\0\0\0\0", Ok(("S", Some(b""))));
        check(b"S\0\xff\xff\xff\xff", Ok(("S", None)));
        check(b"S\0\xff\xff\xff\xfe", short);
        check(b"S\0\0\0\0\x03ab", short);
        check(b"S\0\0\0", short);
        check(b"S", short);
        check(b"", short);
        check(b"S\0\0\0\0\x01ab", Err("invalid message format"));
    }
}
