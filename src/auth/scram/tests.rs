//! The example of the RFC, and the refusals of PostgreSQL.

use super::super::verifier::ITERATIONS;
use super::*;

/// RFC 7677, section 3: password `pencil`, with its salt and the server's nonce.
fn exchange(mechanism: &str, is_doomed: bool, binding: Option<&[u8]>) -> Exchange {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
    let verifier = Verifier::derive("pencil", salt, ITERATIONS);
    let binding = binding.map(<[u8]>::to_vec);
    let mut exchange =
        Exchange::new(mechanism, verifier, is_doomed, binding).expect("it was offered");
    exchange.nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned();
    exchange
}

const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

#[test]
fn the_example_of_the_rfc_is_answered() {
    let mut exchange = exchange(MECHANISM, false, None);
    let challenge = exchange.step(FIRST.as_bytes());
    assert_eq!(challenge, Ok(Reply::Continue(CHALLENGE.into())));
    let words = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    let last = exchange.step(FINAL.as_bytes());
    assert_eq!(last, Ok(Reply::Done(words.to_vec())));
    assert!(exchange.step(FINAL.as_bytes()).is_err());
}

#[test]
fn the_doomed_are_challenged_alike_and_fail() {
    let mut exchange = exchange(MECHANISM, true, None);
    let challenge = exchange.step(FIRST.as_bytes());
    assert_eq!(challenge, Ok(Reply::Continue(CHALLENGE.into())));
    assert_eq!(exchange.step(FINAL.as_bytes()), Ok(Reply::Failed));
}

#[test]
fn a_wrong_proof_fails() {
    let mut exchange = exchange(MECHANISM, false, None);
    exchange
        .step(FIRST.as_bytes())
        .expect("the message is good");
    let wrong = FINAL.replace("p=dHzb", "p=dHza");
    assert_eq!(exchange.step(wrong.as_bytes()), Ok(Reply::Failed));
}

#[test]
fn mechanisms_that_were_not_offered_are_none() {
    let verifier = || Verifier::derive("x", vec![1], ITERATIONS);
    assert!(Exchange::new(MECHANISM_PLUS, verifier(), false, None).is_none());
    assert!(Exchange::new("SCRAM-SHA-1", verifier(), false, None).is_none());
    assert!(Exchange::new("PLAIN", verifier(), false, None).is_none());
}

fn check(mut exchange: Exchange, messages: &[&str], expected: &str) {
    let (last, before) = messages.split_last().expect("there is a message");
    for message in before {
        exchange.step(message.as_bytes()).expect("a good message");
    }
    let refusal = exchange.step(last.as_bytes()).expect_err("a bad message");
    let said = refusal.detail.unwrap_or(refusal.message);
    assert_eq!(said, expected);
}

#[test]
fn first_messages_are_refused_as_postgres_does() {
    let plain = || exchange(MECHANISM, false, None);
    let bound = || exchange(MECHANISM_PLUS, false, Some(b"x"));
    check(plain(), &[""], "The message is empty.");
    check(plain(), &["x"], "Unexpected channel-binding flag \"x\".");
    check(
        plain(),
        &["nx"],
        "Comma expected, but found character \"x\".",
    );
    check(
        plain(),
        &["n,a=bob,n=,r=x"],
        "client uses authorization identity, but it is not supported",
    );
    check(
        plain(),
        &["n,,m=1,n=,r=x"],
        "client requires an unsupported SCRAM extension",
    );
    check(
        plain(),
        &["n,,r=x"],
        "Expected attribute \"n\" but found \"r\".",
    );
    check(
        plain(),
        &["n,,n"],
        "Expected character \"=\" for attribute \"n\".",
    );
    check(
        plain(),
        &["n,,n=,r=\u{1}"],
        "non-printable characters in SCRAM nonce",
    );
    check(
        plain(),
        &["n,,n=,r=x,=y"],
        "Attribute expected, but found invalid character \"=\".",
    );
    check(
        plain(),
        &["p=tls-server-end-point,,n=,r=x"],
        "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message \
         includes channel binding data.",
    );
    check(
        bound(),
        &["p=tls-unique,,n=,r=x"],
        "unsupported SCRAM channel-binding type \"tls-unique\"",
    );
    check(
        bound(),
        &[FIRST],
        "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include \
         channel binding data.",
    );
    check(
        exchange(MECHANISM, false, Some(b"x")),
        &["y,,n=,r=x"],
        "The client supports SCRAM channel binding but thinks the server does not.  However, \
         this server does support channel binding.",
    );
}

#[test]
fn final_messages_are_refused_as_postgres_does() {
    let plain = || exchange(MECHANISM, false, None);
    let after = |start: &str| FINAL.replacen("c=biws", start, 1);
    check(
        plain(),
        &[FIRST, &after("c=eSws")],
        "unexpected SCRAM channel-binding attribute in client-final-message",
    );
    check(
        plain(),
        &[FIRST, &FINAL.replace("r=rOpr", "r=xOpr")],
        "Nonce does not match.",
    );
    check(
        plain(),
        &[FIRST, &FINAL.replace("p=dHzb", "p=")],
        "Malformed proof in client-final-message.",
    );
    check(
        plain(),
        &[FIRST, &format!("{FINAL},x=1")],
        "Garbage found at the end of client-final-message.",
    );
    check(
        plain(),
        &[FIRST, "c=biws,r=x"],
        "Attribute expected, but found end of string.",
    );
    let bound = exchange(MECHANISM_PLUS, false, Some(b"x"));
    let first = FIRST.replacen("n,,", "p=tls-server-end-point,,", 1);
    // The digest of another certificate: somebody is in between.
    let other = STANDARD.encode("p=tls-server-end-point,,y");
    check(
        bound,
        &[&first, &after(&format!("c={other}"))],
        "SCRAM channel binding check failed",
    );
}
