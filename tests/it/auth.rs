//! Who gets in, and who does not: SCRAM, the file of users, limits before authentication.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::certificates::Secrets;
use crate::gateway::{Gateway, given, postgres, program, test_lake};
use crate::login::{GSS_REQUEST, SSL_REQUEST, Stream, connect, initial, plain};
use crate::wire::{Wire, message, startup};

const USERS: [(&str, &str); 2] = [("ada", "geheim"), ("böb \"x\"", "I\u{ad}X pass")];

/// A gateway that asks these users for their passwords, without TLS.
fn guarded(secrets: &Secrets, more: &[&str]) -> Gateway {
    secrets.write_users(&USERS.map(|(name, password)| (name, password)));
    let users = secrets.argument("users.txt");
    let arguments = [&["--auth-file", users.as_str()], more].concat();
    Gateway::start(&test_lake(), &arguments)
}

/// What libpq says to each connection string.
pub(crate) fn attempts(gateway: &Gateway, conninfos: &[&str]) -> Vec<serde_json::Value> {
    attempts_at(gateway.address(), conninfos)
}

/// The same of whatever listens there.
pub(crate) fn attempts_at(address: SocketAddr, conninfos: &[&str]) -> Vec<serde_json::Value> {
    let port = address.port();
    let output = Command::new(given("LAKEGATE_TEST_PYTHON"))
        .arg("tests/clients/login.py")
        .args(conninfos.iter().map(|conninfo| {
            format!("host=localhost hostaddr=127.0.0.1 port={port} dbname=lake connect_timeout=20 {conninfo}")
        }))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).expect("it is text");
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("it is JSON"))
        .collect()
}

/// The connection strings that are let in as their user, and those that are refused with words.
pub(crate) fn check_attempts(gateway: &Gateway, expected: &[(&str, Result<&str, &str>)]) {
    let conninfos: Vec<&str> = expected.iter().map(|(conninfo, _)| *conninfo).collect();
    let got = attempts(gateway, &conninfos);
    assert_eq!(got.len(), expected.len());
    for ((conninfo, expected), got) in expected.iter().zip(got) {
        match expected {
            Ok(user) => assert_eq!(got["user"], *user, "{conninfo}: {got}"),
            Err(words) => {
                let said = got["error"].as_str().unwrap_or_default();
                assert!(said.contains(words), "{conninfo}: {got}");
            }
        }
    }
}

#[test]
fn libpq_logs_in_by_scram_and_by_nothing_else() {
    let gateway = guarded(&Secrets::new(), &[]);
    let wrong = |user: &str| format!("FATAL:  password authentication failed for user \"{user}\"");
    check_attempts(
        &gateway,
        &[
            ("user=ada password=geheim", Ok("ada")),
            (
                "user=ada password=geheim require_auth=scram-sha-256",
                Ok("ada"),
            ),
            (
                "user=ada password=geheim max_protocol_version=3.2",
                Ok("ada"),
            ),
            // SASLprep makes one of both spellings.
            ("user='böb \"x\"' password='IX pass'", Ok("böb \"x\"")),
            ("user=ada password=Geheim", Err(&wrong("ada"))),
            ("user=eve password=geheim", Err(&wrong("eve"))),
            ("user=Ada password=geheim", Err(&wrong("Ada"))),
            (
                "user=ada password=geheim require_auth=password",
                Err("authentication method requirement"),
            ),
            (
                "user=ada password=geheim channel_binding=require",
                Err("channel binding"),
            ),
            (
                "user=ada password=geheim sslmode=require",
                Err("server does not support SSL"),
            ),
            ("user=ada", Err("no password supplied")),
        ],
    );
}

#[test]
fn protocol_3_2_is_spoken() {
    let gateway = guarded(&Secrets::new(), &[]);
    let got = attempts(
        &gateway,
        &[
            "user=ada password=geheim max_protocol_version=3.2 min_protocol_version=3.2",
            "user=ada password=geheim",
        ],
    );
    assert_eq!(
        (&got[0]["protocol"], &got[1]["protocol"]),
        (&30002.into(), &30000.into())
    );
}

#[tokio::test]
async fn a_rust_driver_logs_in() {
    let gateway = guarded(&Secrets::new(), &[]);
    let port = gateway.address().port();
    let connect = async |password: &str| {
        let config = format!("host=127.0.0.1 port={port} user=ada dbname=lake password={password}");
        tokio_postgres::connect(&config, tokio_postgres::NoTls).await
    };
    let (client, connection) = connect("geheim").await.expect("the password is right");
    let session = async move {
        let row = client.query_one("select current_user::text", &[]).await;
        row.expect("it is answered").get::<_, String>(0)
    };
    let (user, ended) = tokio::join!(session, connection);
    ended.expect("the session ends in order");
    assert_eq!(user, "ada");
    let refused = connect("x").await.err().expect("the password is wrong");
    assert_eq!(
        refused.code().map(tokio_postgres::error::SqlState::code),
        Some("28P01")
    );
}

#[test]
fn nothing_behind_a_failed_login_is_looked_at() {
    let gateway = guarded(&Secrets::new(), &[]);
    let mut stream = plain(&gateway);
    assert_eq!(stream.start("ada"), ["SCRAM-SHA-256"]);
    let (mut proof, _) = stream.prove("wrong");
    proof.extend(message(b'Q', b"select 'smuggled'\0"));
    proof.extend(message(b'X', b""));
    stream.send(&proof);
    stream.expect_refusal("28P01", "password authentication failed for user \"ada\"");
}

#[test]
fn all_at_once_and_byte_by_byte_are_the_same() {
    let gateway = guarded(&Secrets::new(), &[]);
    let mut stream = plain(&gateway);
    for byte in startup(&[("user", "ada")]) {
        stream.send(&[byte]);
    }
    let asked = stream.read().expect("the server asks for a proof");
    assert_eq!(asked.body[..4], [0, 0, 0, 10]);
    let (proof, _) = stream.prove("geheim");
    for byte in proof {
        stream.send(&[byte]);
    }
    let tags: Vec<u8> = stream
        .read_all()
        .iter()
        .map(|message| message.tag)
        .collect();
    assert!(
        tags.starts_with(b"RRSS") && tags.ends_with(b"KZ"),
        "{tags:?}"
    );
    // And the proof with the first statements in one segment.
    let mut stream = plain(&gateway);
    stream.start("ada");
    let (mut proof, _) = stream.prove("geheim");
    proof.extend(message(b'Q', b"select 7\0"));
    stream.send(&proof);
    stream.read_all();
    let answered = stream.read_all();
    let tags: Vec<u8> = answered.iter().map(|message| message.tag).collect();
    assert_eq!(tags, b"TDCZ");
    assert_eq!(answered[1].values(), [Some(b"7".to_vec())]);
}

#[test]
fn those_who_are_not_there_look_like_those_who_are() {
    let gateway = guarded(&Secrets::new(), &[]);
    let challenge = |user: &str| {
        let mut stream = plain(&gateway);
        let mechanisms = stream.start(user);
        let (proof, challenge) = stream.prove("wrong");
        stream.send(&proof);
        stream.expect_refusal("28P01", &format!("user \"{user}\""));
        let salt = challenge.split(',').nth(1).unwrap_or_default().to_owned();
        let shape: Vec<(String, usize)> = challenge
            .split(',')
            .map(|part| (part[..2].to_owned(), part.len()))
            .collect();
        let iterations = challenge.split(',').nth(2).unwrap_or_default().to_owned();
        (salt, (mechanisms, shape, iterations))
    };
    let (known, unknown) = (challenge("ada"), challenge("eve"));
    assert_eq!(known.1, unknown.1);
    assert_ne!(known.0, unknown.0);
    assert_eq!(
        unknown.0,
        challenge("eve").0,
        "the salt of nobody is the same each time"
    );
    assert_ne!(unknown.0, challenge("mallory").0);
}

#[test]
fn only_answers_are_heard_while_authenticating() {
    let gateway = guarded(&Secrets::new(), &[]);
    let check = |bytes: &[u8], code: &str, text: &str| {
        let mut stream = plain(&gateway);
        stream.start("ada");
        stream.send(bytes);
        stream.expect_refusal(code, text);
    };
    check(
        &message(b'Q', b"select 1\0"),
        "08P01",
        "expected SASL response, got message type 81",
    );
    // A password in plain text, and an md5 hash, as a proxy in between might have asked for them.
    check(
        &message(b'p', b"geheim\0"),
        "08P01",
        "insufficient data left in message",
    );
    check(
        &message(b'p', b"md5a6343a68d964ca596d9752250d54bb8a\0"),
        "08P01",
        "insufficient",
    );
    let invalid = "client selected an invalid SASL authentication mechanism";
    check(&initial("PLAIN", b"\0ada\0geheim"), "08P01", invalid);
    check(
        &initial("SCRAM-SHA-256-PLUS", b"p=tls-unique,,n=,r=x"),
        "08P01",
        invalid,
    );
    check(
        &initial("SCRAM-SHA-256", b"nonsense"),
        "08P01",
        "malformed SCRAM message",
    );
    // Longer than any proof: refused by its length alone.
    check(b"p\x00\x01\x00\x04", "08P01", "invalid message length");
    check(b"p\x00\x00\x00\x03", "08P01", "invalid message length");
}

#[test]
fn postgres_wants_the_same_form_of_start_up() {
    let gateway = guarded(&Secrets::new(), &[]);
    for packet in [
        startup(&[]),
        [&12_u32.to_be_bytes()[..], &[0, 3, 0, 0], b"user"].concat(),
        [&9_u32.to_be_bytes()[..], &[0, 4, 0, 0, 0]].concat(),
    ] {
        let told = [gateway.address(), postgres()].map(|address| {
            let mut stream = Stream(connect(address));
            stream.send(&packet);
            let report = stream.read().expect("the server says why").report();
            (report.code().to_owned(), report.field('S').to_owned())
        });
        assert_eq!(told[0], told[1], "{packet:?}");
    }
}

#[test]
fn strangers_are_left_at_once() {
    let gateway = guarded(&Secrets::new(), &[]);
    // What the first session makes once is not theirs.
    check_attempts(&gateway, &[("user=ada password=geheim", Ok("ada"))]);
    let before = gateway.resident_mib();
    let noise: Vec<u8> = (0..4096_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let tls_hello = [&[0x16, 3, 1, 2, 0][..], &[7; 512]].concat();
    for bytes in [
        &b"\0\0\0\0"[..],
        b"\0\0\0\x07\0\0\0",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\0\0\x27\x15",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        &tls_hello,
        &noise,
    ] {
        let mut socket = connect(gateway.address());
        // It may be closed before all of it is sent.
        let _ = socket.write_all(bytes);
        let begun = Instant::now();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        assert!(begun.elapsed() < Duration::from_secs(1), "{bytes:?}");
        assert!(answer.is_empty() || answer[0] == b'E', "{answer:?}");
    }
    check_attempts(&gateway, &[("user=ada password=geheim", Ok("ada"))]);
    let after = gateway.resident_mib();
    assert!(after < before + 10, "{before} MiB, then {after} MiB");
}

#[test]
fn the_slow_are_left_at_the_end_of_their_time() {
    let gateway = guarded(
        &Secrets::new(),
        &["--login-seconds", "2", "--connections", "300"],
    );
    let begun = Instant::now();
    let starting = startup(&[("user", "ada")]);
    let mut slow: Vec<_> = (0..100).map(|_| connect(gateway.address())).collect();
    let mut proving: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = plain(&gateway);
            stream.start("ada");
            stream.0
        })
        .collect();
    // A byte now and then does not prolong it.
    let proof = initial("SCRAM-SHA-256", b"n,,n=,r=rOprNGfwEbeRWgbNEkqO");
    let mut n_sent = 0;
    while begun.elapsed() < Duration::from_millis(1500) {
        let (first, second) = (starting[n_sent], proof[n_sent]);
        slow.iter_mut()
            .for_each(|socket| socket.write_all(&[first]).expect("it is heard"));
        proving
            .iter_mut()
            .for_each(|socket| socket.write_all(&[second]).expect("it is heard"));
        n_sent += 1;
        check_attempts(&gateway, &[("user=ada password=geheim", Ok("ada"))]);
    }
    for socket in &mut slow {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = socket.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{rest:?}");
    }
    for socket in proving {
        Stream(socket).expect_refusal("57014", "canceling authentication due to timeout");
    }
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(10), "{waited:?}");
}

#[test]
fn encryption_by_gss_is_declined() {
    let gateway = guarded(&Secrets::new(), &[]);
    let mut socket = connect(gateway.address());
    for request in [GSS_REQUEST, SSL_REQUEST] {
        socket.write_all(&request).expect("it is sent");
        let mut answer = [0];
        socket.read_exact(&mut answer).expect("it is answered");
        assert_eq!(answer, *b"N");
    }
    assert_eq!(Stream(socket).start("ada"), ["SCRAM-SHA-256"]);
}

#[test]
fn the_file_of_users_is_read_again() {
    let secrets = Secrets::new();
    let gateway = guarded(&secrets, &[]);
    let refused = |user: &str| {
        let mut stream = plain(&gateway);
        stream.start(user);
        let (proof, _) = stream.prove("geheim");
        stream.send(&proof);
        stream.read_all().iter().any(|message| message.tag == b'E')
    };
    assert!(refused("carl") && !refused("ada"));
    secrets.write_users(&[("carl", "geheim")]);
    gateway.wait_until(|| !refused("carl"));
    assert!(refused("ada"));
    secrets.write("users.txt", "\"carl\" \"geheim\"\n");
    gateway.wait_until(|| gateway.log().contains("the users before stay"));
    assert!(!refused("carl"));
    assert!(!gateway.log().contains("geheim"));
}

#[test]
fn broken_files_of_users_stop_the_start() {
    let secrets = Secrets::new();
    let check = |text: Option<&str>, expected: &str| {
        if let Some(text) = text {
            secrets.write("broken.txt", text);
        }
        let output = program()
            .args(["serve", "--listen", "127.0.0.1:0", "--lake"])
            .arg(test_lake())
            .args(["--state", &secrets.argument("state"), "--auth-file"])
            .arg(secrets.path("broken.txt"))
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(expected),
            "{said}"
        );
        assert!(!said.contains("geheim"), "{said}");
    };
    check(None, "could not read");
    check(
        Some("\n\"ada\" \"geheim\"\n"),
        "line 2: user \"ada\" has a plain password",
    );
    check(
        Some("\"ada\" \"md5a6343a68d964ca596d9752250d54bb8a\"\n"),
        "line 1: user \"ada\" has an md5 hash",
    );
}

#[test]
fn there_is_room_for_so_many() {
    let gateway = Gateway::start(&test_lake(), &["--connections", "2"]);
    let _first = gateway.connect();
    let mut second = gateway.connect();
    let refused = Wire::start(gateway.address(), &[("user", "postgres")]);
    let refused = refused
        .expect("it is told why")
        .expect_err("there is no room");
    assert_eq!(refused.code(), "53300");
    // Who wants to cancel is heard nevertheless.
    second.send_query("select n from generate_series(1, 100000000000) as g(n)");
    assert_eq!(second.read().expect("columns come first").tag, b'T');
    second.cancel();
    let failed = second.answers().expect_err("it was cancelled");
    assert_eq!(failed.code(), "57014");
}

#[test]
fn the_keys_of_protocol_3_2_are_long() {
    let gateway = Gateway::of_test_lake();
    let mut packet = startup(&[("user", "ada")]);
    packet[7] = 2;
    let mut stream = plain(&gateway);
    stream.send(&packet);
    let begun = stream.read_all();
    assert_eq!(begun[0].tag, b'R', "nothing is negotiated");
    let key = begun.iter().find(|message| message.tag == b'K');
    let key = key.expect("a session has a key").body.clone();
    assert_eq!(key.len(), 4 + 32);
    let sql = b"select n from generate_series(1, 100000000000) as g(n)\0";
    stream.send(&message(b'Q', sql));
    assert_eq!(stream.read().expect("columns come first").tag, b'T');
    let cancel = |key: &[u8]| {
        let length = u32::try_from(8 + key.len()).expect("it is short");
        let head = [length.to_be_bytes(), 80_877_102_u32.to_be_bytes()].concat();
        let mut other = connect(gateway.address());
        let sent = other.write_all(&[&head[..], key].concat());
        sent.expect("it is sent");
        let mut nothing = Vec::new();
        let _ = other.read_to_end(&mut nothing);
        assert!(nothing.is_empty());
    };
    // A wrong one is met with silence, and so is the beginning of the right one.
    let mut wrong = key.clone();
    wrong[35] ^= 1;
    cancel(&wrong);
    cancel(&key[..8]);
    for _ in 0..1000 {
        assert_eq!(stream.read().expect("rows come").tag, b'D');
    }
    cancel(&key);
    let end = loop {
        let message = stream.read().expect("the answer goes on");
        if message.tag != b'D' {
            break message;
        }
    };
    assert_eq!(end.report().code(), "57014");
}
