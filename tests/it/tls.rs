//! TLS at the door: as clients ask for it, as it must not be asked for, and what binds a password
//! to it.

use std::io::{Read, Write};
use std::process::Command;

use rcgen::{PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use rustls::version::{TLS12, TLS13};

use crate::auth::{attempts, check_attempts};
use crate::certificates::Secrets;
use crate::gateway::{Gateway, given, program, test_lake};
use crate::login::{GSS_REQUEST, SSL_REQUEST, Stream, connect, encrypted, plain, tls};
use crate::wire::{Wire, message, startup};

/// A gateway with a certificate, and user `ada` with password `geheim`.
fn guarded(secrets: &Secrets, more: &[&str]) -> Gateway {
    secrets.write_users(&[("ada", "geheim")]);
    let own = secrets.arguments();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    Gateway::start(&test_lake(), &[&own[..], more].concat())
}

/// A gateway with a certificate that asks nobody for a password.
fn trusting(secrets: &Secrets, more: &[&str]) -> Gateway {
    let own = secrets.arguments();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    Gateway::start(&test_lake(), &[&own[..], more].concat())
}

#[test]
fn libpq_verifies_the_server_and_binds_its_password() {
    let secrets = Secrets::new();
    let root = secrets.argument("server.crt");
    let login = format!("user=ada password=geheim sslrootcert={root}");
    for algorithm in [None, Some(&PKCS_ECDSA_P384_SHA384)] {
        if let Some(algorithm) = algorithm {
            secrets.renew(algorithm);
        }
        let gateway = guarded(&secrets, &[]);
        let with = |more: &str| format!("{login} sslmode=verify-full {more}");
        check_attempts(
            &gateway,
            &[
                (&with(""), Ok("ada")),
                (&with("channel_binding=require"), Ok("ada")),
                (&with("channel_binding=disable"), Ok("ada")),
                (
                    &with("channel_binding=require sslnegotiation=direct"),
                    Ok("ada"),
                ),
                (
                    &with("ssl_max_protocol_version=TLSv1.2 channel_binding=require"),
                    Ok("ada"),
                ),
                (&with("ssl_min_protocol_version=TLSv1.3"), Ok("ada")),
                (&with("max_protocol_version=3.2"), Ok("ada")),
                (&format!("{login} sslmode=disable"), Ok("ada")),
                (&with("password=x"), Err("password authentication failed")),
            ],
        );
        let got = attempts(&gateway, &[&login, &format!("{login} sslmode=disable")]);
        assert_eq!(
            (&got[0]["tls"], &got[1]["tls"]),
            (&true.into(), &false.into())
        );
    }
}

#[test]
fn certificates_without_a_digest_bind_nothing() {
    let secrets = Secrets::new();
    secrets.renew(&PKCS_ED25519);
    let gateway = guarded(&secrets, &[]);
    let mut stream = encrypted(&gateway, secrets.client(&[&TLS13], &[]));
    assert_eq!(stream.start("ada"), ["SCRAM-SHA-256"]);
}

#[test]
fn psql_logs_in_over_tls() {
    let secrets = Secrets::new();
    let gateway = guarded(&secrets, &["--tls", "require"]);
    let root = secrets.argument("server.crt");
    // The first is the installed one; the one that comes with PostgreSQL for the tests has no TLS.
    for program in given("LAKEGATE_TEST_PSQL").split(':').take(1) {
        let port = gateway.address().port();
        let conninfo = format!(
            "host=localhost hostaddr=127.0.0.1 port={port} user=ada dbname=lake \
             sslmode=verify-full sslrootcert={root} channel_binding=require"
        );
        let output = Command::new(program)
            .args([
                "-X",
                "-At",
                &conninfo,
                "-c",
                "select count(*) from silver.items",
                "-c",
                "\\conninfo",
            ])
            .env("PGPASSWORD", "geheim")
            .output()
            .expect("psql runs");
        let (out, said) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            out.starts_with("782\n") && out.contains("TLSv1.3"),
            "{program}: {out}{said}"
        );
    }
}

#[test]
fn both_ends_may_write_before_they_read() {
    let secrets = Secrets::new();
    let gateway = trusting(&secrets, &[]);
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let mut stream = encrypted(&gateway, secrets.client(versions, &["postgresql"]));
        stream.send(&startup(&[("user", "ada")]));
        stream.read_all();
        // More than buffers and sockets hold, before a byte of the answers is read.
        let text = "x".repeat(100_000);
        let query = message(b'Q', format!("select '{text}'\0").as_bytes());
        let n_queries = 60;
        for _ in 0..n_queries {
            stream.send(&query);
        }
        for _ in 0..n_queries {
            let answered = stream.read_all();
            assert_eq!(answered[1].values(), [Some(text.clone().into_bytes())]);
        }
    }
}

#[test]
fn many_rows_come_whole() {
    let secrets = Secrets::new();
    let gateway = trusting(&secrets, &[]);
    let mut stream = encrypted(&gateway, secrets.client(&[&TLS13], &[]));
    stream.send(&startup(&[("user", "ada")]));
    stream.read_all();
    let sql = b"select n, md5(n::text) from generate_series(1, 300000) as g(n) order by n\0";
    stream.send(&message(b'Q', sql));
    assert_eq!(stream.read().expect("columns come first").tag, b'T');
    for n in 1..=300_000 {
        let row = stream.read().expect("a row comes").values();
        let first = row[0].clone().map(String::from_utf8);
        assert_eq!(first, Some(Ok(n.to_string())));
    }
    assert_eq!(stream.read().expect("the end").tag, b'C');
}

#[test]
fn cancels_are_heard_encrypted_and_plain() {
    let secrets = Secrets::new();
    let gateway = guarded(&secrets, &["--tls", "require"]);
    for is_encrypted in [true, false] {
        let client = secrets.client(&[&TLS13], &[]);
        let mut stream = encrypted(&gateway, std::sync::Arc::clone(&client));
        stream.start("ada");
        let (proof, _) = stream.prove("geheim");
        stream.send(&proof);
        let begun = stream.read_all();
        let key = begun.iter().find(|message| message.tag == b'K');
        let key = &key.expect("a session has a key").body;
        let request = [
            &16_u32.to_be_bytes()[..],
            &80_877_102_u32.to_be_bytes(),
            key,
        ]
        .concat();
        stream.send(&message(
            b'Q',
            b"select n from generate_series(1, 100000000000) as g(n)\0",
        ));
        assert_eq!(stream.read().expect("columns come first").tag, b'T');
        let mut other = connect(gateway.address());
        let mut nothing = Vec::new();
        if is_encrypted {
            other.write_all(&SSL_REQUEST).expect("it is sent");
            let mut answer = [0];
            other.read_exact(&mut answer).expect("it is answered");
            let mut other = tls(other, client);
            other.send(&request);
            let _ = other.0.read_to_end(&mut nothing);
        } else {
            other.write_all(&request).expect("it is sent");
            let _ = other.read_to_end(&mut nothing);
        }
        assert!(nothing.is_empty());
        let end = loop {
            let message = stream.read().expect("the answer goes on");
            if message.tag != b'D' {
                break message;
            }
        };
        assert_eq!(end.report().code(), "57014");
    }
}

#[test]
fn what_is_smuggled_in_front_of_tls_ends_the_connection() {
    let secrets = Secrets::new();
    let gateway = trusting(&secrets, &[]);
    for (gateway, requests) in [
        (&gateway, &[GSS_REQUEST][..]),
        (&Gateway::of_test_lake(), &[SSL_REQUEST, GSS_REQUEST]),
    ] {
        let smuggled = [
            startup(&[("user", "eve")]),
            message(b'Q', b"select 'smuggled'\0"),
        ]
        .concat();
        for request in requests {
            let mut stream = plain(gateway);
            stream.send(&[&request[..], &smuggled].concat());
            stream.expect_refusal("08P01", "received unencrypted data after");
        }
    }
    // Where TLS follows, the client is told within.
    let mut socket = connect(gateway.address());
    socket
        .write_all(&[&SSL_REQUEST[..], &startup(&[("user", "eve")])].concat())
        .expect("it is sent");
    let mut answer = [0];
    socket.read_exact(&mut answer).expect("it is answered");
    assert_eq!(answer, *b"S");
    let mut stream = tls(socket, secrets.client(&[&TLS13], &[]));
    stream.expect_refusal("08P01", "received unencrypted data after SSL request");
    // The same a moment later, instead of a handshake.
    let mut socket = connect(gateway.address());
    socket.write_all(&SSL_REQUEST).expect("it is sent");
    let mut answer = [0];
    socket.read_exact(&mut answer).expect("it is answered");
    socket
        .write_all(&startup(&[("user", "eve")]))
        .expect("it is sent");
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    // At most an alert of TLS.
    assert!(rest.is_empty() || rest[0] == 0x15, "{rest:?}");
}

#[test]
fn who_must_encrypt_is_told_before_any_password() {
    let secrets = Secrets::new();
    let gateway = guarded(&secrets, &["--tls", "require"]);
    let mut stream = plain(&gateway);
    stream.send(&startup(&[("user", "ada")]));
    let messages = stream.read_all();
    let tags: Vec<u8> = messages.iter().map(|message| message.tag).collect();
    assert_eq!(tags, b"E");
    let report = messages[0].report();
    assert_eq!(report.code(), "28000");
    assert!(report.message().contains("no encryption"), "{report:?}");
    check_attempts(
        &gateway,
        &[
            (
                "user=ada password=geheim sslmode=disable",
                Err("no encryption"),
            ),
            ("user=ada password=geheim", Ok("ada")),
        ],
    );
}

#[test]
fn old_versions_are_not_spoken() {
    let secrets = Secrets::new();
    let gateway = trusting(&secrets, &[]);
    // A ClientHello of TLS 1.1 with a cipher of its time, RSA with 3DES, and with none at all.
    for cipher in [[0, 0x0a], [0, 0]] {
        let hello = [&[3, 2][..], &[7; 32], &[0, 0, 2], &cipher, &[1, 0]].concat();
        let length = u8::try_from(hello.len()).expect("it is short");
        let record = [&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat();
        let mut socket = connect(gateway.address());
        socket.write_all(&SSL_REQUEST).expect("it is sent");
        let mut answer = [0];
        socket.read_exact(&mut answer).expect("it is answered");
        socket.write_all(&record).expect("it is sent");
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest);
        assert_eq!(rest.first(), Some(&0x15), "an alert and no more: {rest:?}");
    }
}

#[test]
fn tls_from_the_first_byte_names_the_protocol() {
    let secrets = Secrets::new();
    let gateway = trusting(&secrets, &[]);
    let direct = |protocols: &[&str]| {
        tls(
            connect(gateway.address()),
            secrets.client(&[&TLS13, &TLS12], protocols),
        )
    };
    let mut stream = direct(&["postgresql"]);
    stream.send(&startup(&[("user", "ada")]));
    let tags: Vec<u8> = stream
        .read_all()
        .iter()
        .map(|message| message.tag)
        .collect();
    assert!(tags.ends_with(b"KZ"), "{tags:?}");
    let mut stream = direct(&[]);
    stream.expect_refusal("08P01", "without ALPN");
    // Another protocol's name is no agreement.
    assert!(direct(&["http/1.1"]).0.write_all(b"x").is_err());
    // Where there is no certificate, TLS is not answered.
    let none = Gateway::of_test_lake();
    let mut socket = connect(none.address());
    socket
        .write_all(&[0x16, 3, 1, 2, 0, 1])
        .expect("it is sent");
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    assert!(rest.is_empty());
}

#[test]
fn a_new_certificate_is_served_without_a_restart() {
    let secrets = Secrets::new();
    let gateway = trusting(&secrets, &[]);
    let old = secrets.client(&[&TLS13], &[]);
    let serves = |client: &std::sync::Arc<rustls::ClientConfig>| {
        let mut stream = encrypted(&gateway, std::sync::Arc::clone(client));
        stream.0.write_all(&startup(&[("user", "ada")])).is_ok() && stream.read().is_ok()
    };
    assert!(serves(&old));
    let mut kept = encrypted(&gateway, std::sync::Arc::clone(&old));
    kept.send(&startup(&[("user", "ada")]));
    kept.read_all();
    secrets.renew(&PKCS_ECDSA_P384_SHA384);
    let new = secrets.client(&[&TLS13], &[]);
    gateway.wait_until(|| serves(&new));
    assert!(!serves(&old));
    // Sessions go on as they began.
    kept.send(&message(b'Q', b"select 1\0"));
    assert_eq!(kept.read_all().len(), 4);
    // A broken pair is not served.
    secrets.write("server.key", "nonsense");
    gateway.wait_until(|| {
        gateway
            .log()
            .contains("the certificate before stays in use")
    });
    assert!(serves(&new));
}

#[test]
fn broken_pairs_stop_the_start() {
    let secrets = Secrets::new();
    let other = Secrets::new();
    secrets.write("nothing.pem", "");
    let check = |arguments: &[&str], expected: &str| {
        let output = program()
            .args(["serve", "--lake"])
            .arg(test_lake())
            .args(["--state", &secrets.argument("state")])
            .args(arguments)
            .env("LAKEGATE_LISTEN", "127.0.0.1:0")
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(expected),
            "{said}"
        );
        assert!(output.stdout.is_empty(), "it was ready");
    };
    let (certificate, key) = (
        secrets.argument("server.crt"),
        secrets.argument("server.key"),
    );
    let pair = |certificate: &str, key: &str, expected: &str| {
        check(&["--tls-cert", certificate, "--tls-key", key], expected);
    };
    pair(
        &certificate,
        &other.argument("server.key"),
        "do not belong together",
    );
    pair(
        &certificate,
        &secrets.argument("nothing.pem"),
        "there is no private key",
    );
    pair(
        &secrets.argument("nothing.pem"),
        &key,
        "there is no certificate",
    );
    pair(&secrets.argument("gone.pem"), &key, "could not read");
    check(&["--tls-cert", &certificate], "must be given together");
    check(&["--tls", "require"], "need --tls-cert");
    check(&["--listen", "0.0.0.0:0"], "nothing is encrypted");
    check(
        &[
            "--listen",
            "0.0.0.0:0",
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
        ],
        "nobody is asked for a password",
    );
}

/// Writes a certificate and its key as `openssl` makes them.
fn make_by_openssl(secrets: &Secrets, request: &[&str], key_form: Option<&[&str]>) {
    let run = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output();
        let output = output.expect("openssl is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    };
    let (certificate, key) = (
        secrets.argument("server.crt"),
        secrets.argument("server.key"),
    );
    let made = ["-keyout", &key, "-out", &certificate];
    let name = [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ];
    run(&[
        &["req", "-x509", "-nodes", "-days", "2"][..],
        request,
        &name,
        &made,
    ]
    .concat());
    if let Some(key_form) = key_form {
        let other = secrets.argument("other.key");
        run(&[key_form, &["-in", &key, "-out", &other]].concat());
        std::fs::rename(other, key).expect("the key can be renamed");
    }
}

#[test]
fn keys_and_signatures_of_every_form_are_served() {
    let secrets = Secrets::new();
    let root = secrets.argument("server.crt");
    let login = format!(
        "user=ada password=geheim sslrootcert={root} sslmode=verify-full channel_binding=require"
    );
    let rsa = ["-newkey", "rsa:2048", "-sha384"];
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let pss = [
        "-newkey",
        "rsa:2048",
        "-sha512",
        "-sigopt",
        "rsa_padding_mode:pss",
    ];
    for (request, key_form, label) in [
        (&rsa[..], None, "BEGIN PRIVATE KEY"),
        (
            &rsa,
            Some(&["rsa", "-traditional"][..]),
            "BEGIN RSA PRIVATE KEY",
        ),
        (&curve, Some(&["ec"]), "BEGIN EC PRIVATE KEY"),
        (&pss, None, "BEGIN PRIVATE KEY"),
    ] {
        make_by_openssl(&secrets, request, key_form);
        let key = std::fs::read_to_string(secrets.path("server.key")).expect("the key is text");
        assert!(key.contains(label), "{label}");
        let gateway = guarded(&secrets, &[]);
        let old = format!("{login} ssl_max_protocol_version=TLSv1.2");
        check_attempts(&gateway, &[(&login, Ok("ada")), (&old, Ok("ada"))]);
    }
}

#[test]
fn there_is_no_way_back_to_plain_text() {
    let secrets = Secrets::new();
    let gateway = trusting(&secrets, &[]);
    let mut stream = encrypted(&gateway, secrets.client(&[&TLS13], &[]));
    // A second request within TLS is a start-up packet of a protocol that nobody speaks.
    stream.send(&SSL_REQUEST);
    stream.expect_refusal("0A000", "unsupported frontend protocol 1234.5679");
    let mut wire = Wire::connect(gateway.address());
    assert_eq!(wire.value("show ssl"), "on");
    let mut unencrypted = Stream(connect(gateway.address()));
    unencrypted.send(&startup(&[("user", "ada")]));
    let tags: Vec<u8> = unencrypted
        .read_all()
        .iter()
        .map(|message| message.tag)
        .collect();
    assert!(tags.ends_with(b"KZ"), "{tags:?}");
}
