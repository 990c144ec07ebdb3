//! Clients whose texts are not in UTF-8: byte for byte what PostgreSQL sends them.

use std::net::SocketAddr;

use crate::gateway::{Gateway, postgres};
use crate::wire::{Wire, message};

/// What a client is told by a message: its tag, and its body; of an error the code and the message.
fn told(tag: u8, body: Vec<u8>) -> (char, Vec<u8>) {
    if tag != b'E' {
        return (char::from(tag), body);
    }
    let fields = body.split(|byte| *byte == 0);
    let shown = fields.filter(|field| matches!(field.first(), Some(b'C' | b'M')));
    (char::from(tag), shown.collect::<Vec<_>>().join(&b'\n'))
}

/// Sends messages one by one, and takes what comes back up to each ReadyForQuery.
fn conversation(address: SocketAddr, sent: &[Vec<u8>]) -> Vec<(char, Vec<u8>)> {
    let mut wire = Wire::connect(address);
    let mut all = Vec::new();
    for bytes in sent {
        wire.send(bytes).expect("it is sent");
        loop {
            let message = wire.read().expect("it is answered");
            let is_last = message.tag == b'Z';
            all.push(told(message.tag, message.body));
            if is_last {
                break;
            }
        }
    }
    all
}

fn query(sql: &[u8]) -> Vec<u8> {
    message(b'Q', &[sql, b"\0"].concat())
}

/// Parse, Bind with a text, Describe, Execute and Sync; the answer is in binary.
fn extended(sql: &[u8], value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).expect("a test's values are short");
    let bind = [
        &b"\0\0\0\0\0\x01\0\0\0"[..],
        &[length],
        value,
        b"\0\x01\0\x01",
    ]
    .concat();
    [
        message(b'P', &[b"\0", sql, b"\0\0\0"].concat()),
        message(b'B', &bind),
        message(b'D', b"P\0"),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
    ]
    .concat()
}

fn check(sent: &[Vec<u8>]) {
    let gateway = Gateway::of_test_lake();
    let theirs = conversation(postgres(), sent);
    let ours = conversation(gateway.address(), sent);
    assert_eq!(ours.len(), theirs.len(), "{ours:?}\n{theirs:?}");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
}

#[test]
fn texts_in_latin_are_the_same_as_from_postgres() {
    for name in ["latin1", "ISO-8859-15"] {
        check(&[
            query(format!("set client_encoding to '{name}'").as_bytes()),
            query(b"show client_encoding"),
            query(b"select pg_client_encoding()"),
            query(b"select '\xe9\xa4' as \"\xe8\", length('\xe9\xa4'), 1, E'\\u00e9'"),
            query(b"select \xe9 from generate_series(1, 2)"),
            extended(b"select $1::text as \"\xe9\", 233", b"\xe9\xa4x"),
            extended(b"select $1::jsonb", b"[\"\xe9\"]"),
            query(b"reset client_encoding"),
            query("select 'é€' as \"ü\"".as_bytes()),
        ]);
    }
}

#[test]
fn a_character_that_the_encoding_lacks_is_an_error() {
    check(&[
        query(b"set client_encoding to latin1"),
        query(b"select E'\\u20ac'"),
        query(b"set client_encoding to latin9"),
        query(b"select E'\\u20ac', E'\\u00a5'"),
        query(b"select E'\\u00a4'"),
    ]);
}

#[test]
fn sql_ascii_passes_bytes_on() {
    check(&[
        query(b"set client_encoding to sql_ascii"),
        query("select 'é€', length('é€')".as_bytes()),
        query(b"select '\xe9'"),
    ]);
}
