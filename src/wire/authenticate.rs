//! Has a client prove who it is, by SCRAM. The manual's 55.3 (SASL), and auth-sasl.c.
//!
//! Whatever fails ends the connection, and what the client sent behind it is never looked at.

use bytes::{Buf, Bytes};

use super::client::Client;
use super::failure::{End, Failure};
use super::frame::take_authentication;
use super::respond;
use super::sqlstate::WireCondition;
use crate::auth::{Exchange, Login, MECHANISM, MECHANISM_PLUS, Refusal, RefusalKind, Reply};
use crate::error::{Error, ErrorKind};

/// Waits until the client has proved that it is `user`. Not cancel safe.
///
/// # Errors
/// It has not, or is gone.
pub(super) async fn authenticate(client: &mut Client, user: &str, login: Login) -> Result<(), End> {
    let mechanisms: &[&str] = match client.binding() {
        Some(_) => &[MECHANISM_PLUS, MECHANISM],
        None => &[MECHANISM],
    };
    respond::authentication_sasl(&mut client.output, mechanisms);
    client.flush().await?;
    let first = answer(client).await?;
    let (mechanism, data) = initial_response(first).map_err(End::Fatal)?;
    let binding = client.binding().cloned();
    let exchange = Exchange::new(&mechanism, login.verifier, login.doom.is_some(), binding);
    let mut exchange = exchange.ok_or_else(|| {
        fatal_protocol("client selected an invalid SASL authentication mechanism")
    })?;
    let mut data = match data {
        Some(data) => data,
        // As scram_exchange: a client may name the mechanism first, and begin when asked to.
        None => {
            respond::authentication_continue(&mut client.output, Vec::new());
            client.flush().await?;
            answer(client).await?
        }
    };
    loop {
        match exchange.step(&data).map_err(refused)? {
            Reply::Continue(challenge) => {
                respond::authentication_continue(&mut client.output, challenge);
                client.flush().await?;
                data = answer(client).await?;
            }
            Reply::Done(words) => {
                respond::authentication_final(&mut client.output, words);
                return Ok(());
            }
            Reply::Failed => {
                let reason = login.doom.unwrap_or("wrong password");
                return Err(End::Fatal(wrong_password(user).truly(reason)));
            }
        }
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
async fn answer(client: &mut Client) -> Result<Bytes, End> {
    loop {
        if let Some(body) = take_authentication(&mut client.input).map_err(End::Fatal)? {
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
