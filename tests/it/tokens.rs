//! Tokens of an identity provider: as passwords, and by OAUTHBEARER.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use ring::hmac;
use serde_json::{Value, json};

use crate::auth::{attempts, check_attempts};
use crate::certificates::Secrets;
use crate::gateway::{Gateway, given, program, test_lake};
use crate::issuer::{AUDIENCE, ISSUER, KeyServer, SigningKey, claims, encoded, key_set, now};
use crate::login::{TlsStream, bearer, encrypted, initial, log_in, plain};
use crate::wire::{Body, Message, Report, Wire, message, startup};

/// Somebody of whom tokens are asked.
const ADA: &str = "ada@example.com";

/// A gateway that takes tokens of one key, and what belongs to it.
struct Scene {
    gateway: Gateway,
    secrets: Secrets,
    key: SigningKey,
}

fn arguments(secrets: &Secrets, keys: &str) -> Vec<String> {
    let mut arguments = secrets.arguments();
    let audit = secrets.argument("audit.json");
    for (flag, value) in [
        ("--oidc-issuer", ISSUER),
        ("--oidc-audience", AUDIENCE),
        ("--oidc-jwks", keys),
        ("--audit", &audit),
        ("--log", "trace"),
    ] {
        arguments.extend([flag.to_owned(), value.to_owned()]);
    }
    arguments
}

impl Scene {
    /// With the roles of a file: two people, a group, and some that no group may mean.
    fn new(key: SigningKey, keys: Option<&str>) -> Self {
        let secrets = Secrets::new();
        secrets.write("keys.json", &key_set(&[&key]));
        let state = secrets.path("state");
        fs::create_dir_all(&state).expect("the folder can be made");
        let first = Gateway::start_with_state(&test_lake(), &state, &[]);
        let mut root = Wire::connect(first.address());
        root.query("create role root superuser login password 'geheim'")
            .expect("the first role is made");
        drop((root, first));
        let file = secrets.argument("keys.json");
        let arguments = arguments(&secrets, keys.unwrap_or(&file));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let gateway = Gateway::start_with_state(&test_lake(), &state, &arguments);
        let scene = Self {
            gateway,
            secrets,
            key,
        };
        for sql in [
            "create role \"ada@example.com\" login",
            "create role \"off@example.com\"",
            "create role \"both@example.com\" login password 'geheim'",
            "create role plain login",
            "create role analysts",
            "create role boss superuser nologin",
            "grant usage on schema silver to analysts",
            "grant select on all tables in schema silver to analysts",
        ] {
            scene.as_root(sql);
        }
        scene
    }

    fn as_root(&self, sql: &str) -> Vec<String> {
        let mut root = log_in(&self.gateway, "root", "geheim").expect("the password is right");
        root.query(sql)
            .unwrap_or_else(|report| panic!("{sql}: {report:?}"))
    }

    fn stream(&self) -> TlsStream {
        let client = self.secrets.client(rustls::DEFAULT_VERSIONS, &[]);
        encrypted(&self.gateway, client)
    }

    /// What the server asks of a user first.
    fn asked(&self, user: &str) -> (TlsStream, Message) {
        let mut stream = self.stream();
        stream.send(&startup(&[("user", user)]));
        let asked = stream.read().expect("the server asks for a proof");
        (stream, asked)
    }

    /// A login by a token as a password.
    fn log_in(&self, user: &str, token: &str) -> Result<TlsStream, Report> {
        let (stream, asked) = self.asked(user);
        assert_eq!(
            asked.body,
            3_i32.to_be_bytes(),
            "AuthenticationCleartextPassword"
        );
        stream.proved(&message(b'p', format!("{token}\0").as_bytes()))
    }

    fn token(&self, change: &Value) -> String {
        self.key.sign("ES256", &claims(ADA, change))
    }

    fn told(&self, event: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.secrets.path("audit.json")).expect("it is there");
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("it is JSON"));
        lines
            .filter(|line: &Value| line["event"] == event)
            .collect()
    }

    /// The token is refused, in the same words as any; and the audit knows why.
    fn refused(&self, user: &str, token: &str, reason: &str) {
        let report = self.log_in(user, token).err().expect(reason);
        let told = (report.field('S'), report.code(), report.message());
        let words = format!("password authentication failed for user \"{user}\"");
        assert_eq!(told, ("FATAL", "28P01", words.as_str()), "{reason}");
        assert_eq!((report.field('D'), report.field('H')), ("", ""));
        let failed = self.told("log_in_failed");
        assert_eq!(failed.last().expect("it is told")["reason"], reason);
    }
}

fn value(stream: &mut TlsStream, sql: &str) -> Result<String, String> {
    let rows = stream
        .query(sql)
        .map_err(|report| report.code().to_owned())?;
    Ok(rows.first().cloned().unwrap_or_default())
}

#[test]
fn tokens_of_every_algorithm_let_in() {
    for (key, algorithms) in [
        (SigningKey::curve("k"), vec!["ES256"]),
        (SigningKey::edwards("k"), vec!["EdDSA"]),
        (
            SigningKey::rsa("k"),
            vec!["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
        ),
    ] {
        let scene = Scene::new(key, None);
        assert!(
            scene
                .gateway
                .ready_line()
                .contains("scram-sha-256 or token")
        );
        for algorithm in algorithms {
            let token = scene.key.sign(algorithm, &claims(ADA, &json!({})));
            let mut session = scene.log_in(ADA, &token).expect(algorithm);
            let who = value(&mut session, "select session_user || ' ' || current_user");
            assert_eq!(who.expect(algorithm), format!("{ADA} {ADA}"));
        }
    }
}

#[test]
fn what_is_wrong_with_a_token_nobody_is_told() {
    let scene = Scene::new(SigningKey::curve("k"), None);
    for (change, reason) in [
        (json!({"exp": now() - 61}), "the token has expired"),
        (
            json!({"exp": null}),
            "the token does not say when it expires",
        ),
        (json!({"nbf": now() + 600}), "the token is not valid yet"),
        (json!({"aud": "other"}), "the token is for another audience"),
        (json!({"aud": null}), "the token is for another audience"),
        (
            json!({"iss": "https://login.example/other"}),
            "the token is another issuer's",
        ),
        (
            json!({"preferred_username": "bob@example.com"}),
            "the token is another user's",
        ),
        (
            json!({"preferred_username": null}),
            "the token is another user's",
        ),
    ] {
        scene.refused(ADA, &scene.token(&change), reason);
    }
    let good = claims(ADA, &json!({}));
    let (header, payload) = (
        json!({"alg": "none", "kid": "k"}),
        encoded(good.to_string()),
    );
    let none = format!("{}.{payload}.", encoded(header.to_string()));
    scene.refused(ADA, &none, "the token's algorithm is not taken");
    // The public key as a shared secret.
    let signed = format!(
        "{}.{payload}",
        encoded(json!({"alg": "HS256", "kid": "k"}).to_string())
    );
    let public = hmac::Key::new(hmac::HMAC_SHA256, key_set(&[&scene.key]).as_bytes());
    let shared = format!(
        "{signed}.{}",
        encoded(hmac::sign(&public, signed.as_bytes()))
    );
    scene.refused(ADA, &shared, "the token's algorithm is not taken");
    let other = SigningKey::curve("k").sign("ES256", &good);
    scene.refused(ADA, &other, "the token's signature is wrong");
    let unknown = SigningKey::curve("x").sign("ES256", &good);
    scene.refused(ADA, &unknown, "the token names a key that is not known");
    let rsa = SigningKey::rsa("k").sign("RS256", &good);
    scene.refused(ADA, &rsa, "no key is for the token's algorithm");
    let token = scene.token(&json!({}));
    let (most, signature) = token.rsplit_once('.').expect("it has three parts");
    let changed = encoded(claims(ADA, &json!({"exp": now() + 9999})).to_string());
    let forged = format!(
        "{}.{changed}.{signature}",
        most.split('.').next().unwrap_or_default()
    );
    scene.refused(ADA, &forged, "the token's signature is wrong");
    for garbage in ["", "geheim", "..", "a.b.c", most, &"x.y.".repeat(15_000)] {
        scene.refused(ADA, garbage, "it is no token");
    }
}

#[test]
fn names_and_lengths_of_tokens() {
    let scene = Scene::new(SigningKey::curve("k"), None);
    for (user, reason) in [
        ("nobody@example.com", "there is no such role"),
        ("off@example.com", "the role may not log in"),
    ] {
        let token = scene.key.sign("ES256", &claims(user, &json!({})));
        scene.refused(user, &token, reason);
    }
    // Names are compared in lower case; the role is that of the name that was given.
    let token = scene
        .key
        .sign("ES256", &claims("Ada@Example.COM", &json!({})));
    assert!(scene.log_in(ADA, &token).is_ok());
    scene.refused("Ada@example.com", &token, "there is no such role");
    // Longer than any proof: refused by its length alone.
    let (mut stream, _) = scene.asked(ADA);
    stream.send(b"p\x00\x01\x00\x04");
    stream.expect_refusal("08P01", "invalid message length");
    let (mut stream, _) = scene.asked(ADA);
    stream.send(&message(b'p', b"no end"));
    stream.expect_refusal("08P01", "invalid password packet size");
    let (mut stream, _) = scene.asked(ADA);
    stream.send(&message(b'Q', b"select 1\0"));
    stream.expect_refusal("08P01", "expected password response, got message type 81");
}

#[test]
fn what_is_asked_does_not_tell_who_is_there() {
    let scene = Scene::new(SigningKey::curve("k"), None);
    let shape = |user: &str| {
        let (_, asked) = scene.asked(user);
        asked.body
    };
    let token = 3_i32.to_be_bytes().to_vec();
    for user in [
        ADA,
        "off@example.com",
        "nobody@example.com",
        "boss@example.com",
    ] {
        assert_eq!(shape(user), token, "{user}");
    }
    let proof = shape("root");
    for user in ["plain", "analysts", "nobody", "boss"] {
        assert_eq!(shape(user), proof, "{user}");
    }
    let text = String::from_utf8_lossy(&proof[4..]).into_owned();
    let mechanisms: Vec<&str> = text.split('\0').filter(|name| !name.is_empty()).collect();
    assert_eq!(
        mechanisms,
        ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "OAUTHBEARER"]
    );
    // Who has a password is never asked for anything that could be read on the way.
    assert_eq!(shape("both@example.com"), proof);
    // Without encryption nobody is asked for a token, in neither way.
    for user in [ADA, "plain", "nobody@example.com"] {
        assert_eq!(
            plain(&scene.gateway).start(user),
            ["SCRAM-SHA-256"],
            "{user}"
        );
    }
}

#[test]
fn drivers_give_a_token_as_their_password() {
    let scene = Scene::new(SigningKey::rsa("k"), None);
    let token = scene.key.sign(
        "RS256",
        &claims(ADA, &json!({"padding": "x".repeat(8_000)})),
    );
    let with = |more: &str| format!("user={ADA} password={token} {more}");
    let wrong = format!("password authentication failed for user \"{ADA}\"");
    check_attempts(
        &scene.gateway,
        &[
            (&with("sslmode=require"), Ok(ADA)),
            (&with("sslmode=require require_auth=password"), Ok(ADA)),
            (
                &with("sslmode=require require_auth=scram-sha-256"),
                Err("authentication method requirement"),
            ),
            // In plain text it is never sent: what is asked for is a proof.
            (&with("sslmode=disable"), Err(&wrong)),
            (
                &format!("user={ADA} password=geheim sslmode=require"),
                Err(&wrong),
            ),
            (
                "user=both@example.com password=geheim sslmode=require require_auth=scram-sha-256",
                Ok("both@example.com"),
            ),
        ],
    );
    // The first is the system's; the other was built without TLS.
    for psql in given("LAKEGATE_TEST_PSQL").split(':').take(1) {
        let port = scene.gateway.address().port();
        let output = Command::new(psql)
            .args(["-XAtc", "select current_user"])
            .arg(format!("host=localhost hostaddr=127.0.0.1 port={port} dbname=lake user={ADA} sslmode=require"))
            .env("PGPASSWORD", &token)
            .output()
            .expect("psql runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            ADA,
            "{psql}: {said}"
        );
    }
    assert_eq!(
        attempts(&scene.gateway, &[&with("sslmode=require")])[0]["tls"],
        true
    );
}

#[test]
fn groups_are_memberships_of_the_session() {
    let scene = Scene::new(SigningKey::curve("k"), None);
    scene.as_root("grant analysts to \"both@example.com\"");
    let read = "select count(*) from silver.orders";
    let groups = json!({"groups": ["analysts", "plain", "boss", "root", "pg_read_all_data", "Analysts", "lakegate", "x"]});
    let mut inside = scene
        .log_in(ADA, &scene.token(&groups))
        .expect("the token is right");
    let mut outside = scene
        .log_in(ADA, &scene.token(&json!({})))
        .expect("the token is right");
    assert!(value(&mut inside, read).is_ok());
    assert_eq!(value(&mut outside, read), Err("42501".to_owned()));
    assert_eq!(
        value(&mut inside, "select count(*) from bronze.events"),
        Err("42501".to_owned())
    );
    let member = "select pg_has_role('analysts', 'member')";
    assert_eq!(value(&mut inside, member).as_deref(), Ok("t"));
    assert_eq!(value(&mut outside, member).as_deref(), Ok("f"));
    for role in ["plain", "boss", "root", "pg_read_all_data", "lakegate"] {
        let set = format!("set role {role}");
        assert_eq!(value(&mut inside, &set), Err("42501".to_owned()), "{role}");
    }
    assert_eq!(
        value(&mut outside, "set role analysts"),
        Err("42501".to_owned())
    );
    value(&mut inside, "set role analysts").expect("it is in the group");
    assert_eq!(
        value(&mut inside, "select current_user").as_deref(),
        Ok("analysts")
    );
    value(&mut inside, "reset role").expect("it was somebody before");
    // Nobody else becomes a member, and nothing is kept.
    assert_eq!(
        scene.as_root(
            "select count(*)::text from pg_auth_members where roleid = 'analysts'::regrole"
        ),
        ["1"]
    );
    // What the group loses, its sessions lose at their next statement.
    scene.as_root("revoke select on all tables in schema silver from analysts");
    assert_eq!(value(&mut inside, read), Err("42501".to_owned()));
    scene.as_root("grant select on all tables in schema silver to analysts");
    assert!(value(&mut inside, read).is_ok());
    scene.as_root("alter role analysts login");
    assert_eq!(value(&mut inside, read), Err("42501".to_owned()));
}

#[test]
fn a_session_ends_with_its_token() {
    let scene = Scene::new(SigningKey::curve("k"), None);
    // With the leeway of a minute there are some seconds left.
    let token = scene.token(&json!({"exp": now() - 56}));
    let mut session = scene.log_in(ADA, &token).expect("it is within the leeway");
    let mut lasting = scene
        .log_in(ADA, &scene.token(&json!({})))
        .expect("the token is right");
    let begun = Instant::now();
    let report = loop {
        if let Err(report) = session.query("select 1") {
            break report;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it goes on and on"
        );
    };
    let told = (report.field('S'), report.code(), report.message());
    assert_eq!(
        told,
        (
            "FATAL",
            "57P01",
            "terminating connection due to expired token"
        )
    );
    assert!(session.read().is_err(), "the connection is closed");
    assert!(value(&mut lasting, "select 1").is_ok());
    scene.refused(ADA, &token, "the token has expired");
}

#[test]
fn keys_of_a_file_are_read_again_and_the_last_good_ones_stay() {
    let scene = Scene::new(SigningKey::curve("k1"), None);
    let next = SigningKey::edwards("k2");
    let (old, new) = (
        scene.token(&json!({})),
        next.sign("EdDSA", &claims(ADA, &json!({}))),
    );
    let is_taken = |token: &str| scene.log_in(ADA, token).is_ok();
    assert!(is_taken(&old) && !is_taken(&new));
    scene
        .secrets
        .write("keys.json", &key_set(&[&scene.key, &next]));
    scene.gateway.wait_until(|| is_taken(&new));
    assert!(is_taken(&old));
    scene.secrets.write("keys.json", &key_set(&[&next]));
    scene.gateway.wait_until(|| !is_taken(&old));
    let n_warnings = || {
        scene
            .gateway
            .log()
            .matches("the keys before stay in use")
            .count()
    };
    for (n_before, broken) in ["{\"keys\":[", "{\"keys\":[]}"].iter().enumerate() {
        scene.secrets.write("keys.json", broken);
        scene.gateway.wait_until(|| n_warnings() > n_before);
        assert!(is_taken(&new) && !is_taken(&old), "{broken}");
    }
    fs::remove_file(scene.secrets.path("keys.json")).expect("it is there");
    scene.gateway.wait_until(|| n_warnings() > 2);
    assert!(is_taken(&new) && !is_taken(&old));
    scene.secrets.write("keys.json", &key_set(&[&scene.key]));
    scene.gateway.wait_until(|| is_taken(&old));
}

#[test]
fn keys_behind_a_url_are_fetched_when_one_is_new_but_not_for_everybody() {
    let (first, second) = (SigningKey::curve("k1"), SigningKey::curve("k2"));
    let server = KeyServer::start("200 OK", &key_set(&[&first]));
    let url = server.url.clone();
    let scene = Scene::new(first, Some(&url));
    assert_eq!(server.n_requests(), 1, "once at the start");
    assert!(scene.log_in(ADA, &scene.token(&json!({}))).is_ok());
    assert_eq!(server.n_requests(), 1, "its key is known");
    server.serve(&key_set(&[&second]));
    let token = second.sign("ES256", &claims(ADA, &json!({})));
    assert!(scene.log_in(ADA, &token).is_ok(), "the new key is fetched");
    assert_eq!(server.n_requests(), 2);
    for n in 0..5 {
        let made_up = SigningKey::curve(&format!("x{n}")).sign("ES256", &claims(ADA, &json!({})));
        scene.refused(ADA, &made_up, "the token names a key that is not known");
    }
    assert_eq!(server.n_requests(), 2, "at most once a minute");
    assert!(scene.log_in(ADA, &token).is_ok());
}

#[test]
fn keys_that_cannot_be_used_stop_the_start() {
    let secrets = Secrets::new();
    let start = |keys: &str| {
        let output = program()
            .args(["serve", "--listen", "127.0.0.1:0", "--lake"])
            .arg(test_lake())
            .args(["--state", &secrets.argument("state")])
            .args(arguments(&secrets, keys))
            .output()
            .expect("the program runs");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let file = secrets.argument("keys.json");
    assert!(start(&file).contains("could not read"));
    for (text, expected) in [
        ("nonsense", "it is no set of keys"),
        ("{\"keys\":[]}", "none of its keys can be used"),
        (
            "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
            "none of its keys can be used",
        ),
        (
            "{\"keys\":[{\"kty\":\"EC\",\"d\":\"AAAA\"}]}",
            "it holds a private key",
        ),
    ] {
        secrets.write("keys.json", text);
        let said = start(&file);
        assert!(said.contains(expected), "{said}");
    }
    let missing = KeyServer::start("404 Not Found", "");
    assert!(start(&missing.url).contains("status 404"));
    let elsewhere = KeyServer::start("302 Found", "");
    assert!(start(&elsewhere.url).contains("status 302"));
    let long = KeyServer::start("200 OK", &" ".repeat(2 << 20));
    assert!(start(&long.url).contains("longer than"));
    assert!(start("http://login.example/keys").contains("only https"));
}

/// The body of a SASL challenge.
fn challenge(message: &Message) -> String {
    let mut body = Body(&message.body);
    assert_eq!(body.int32(), 11, "AuthenticationSASLContinue");
    String::from_utf8_lossy(&message.body[4..]).into_owned()
}

#[test]
fn oauthbearer_is_spoken_as_postgres_18_speaks_it() {
    let scene = Scene::new(SigningKey::curve("k"), None);
    let plain_token = scene.key.sign("ES256", &claims("plain", &json!({})));
    let begin = || scene.asked("plain").0;
    let mut stream = begin();
    stream.send(&bearer(&plain_token));
    let tags: Vec<u8> = stream
        .read_all()
        .iter()
        .map(|message| message.tag)
        .collect();
    assert!(
        tags.starts_with(b"RSS") && tags.ends_with(b"KZ"),
        "{tags:?}"
    );
    assert_eq!(
        value(&mut stream, "select session_user").as_deref(),
        Ok("plain")
    );
    // The mechanism first, and the token when asked for.
    let mut stream = begin();
    stream.send(&message(b'p', b"OAUTHBEARER\0\xff\xff\xff\xff"));
    assert_eq!(challenge(&stream.read().expect("it is asked to begin")), "");
    stream.send(&message(
        b'p',
        format!("n,,\u{1}auth=bearer {plain_token}\u{1}\u{1}").as_bytes(),
    ));
    assert_eq!(stream.read_all().last().expect("it is let in").tag, b'Z');
    // Where to get a token: asked for, or told because this one will not do.
    let expired = scene
        .key
        .sign("ES256", &claims("plain", &json!({"exp": 1})));
    for first in [
        initial("OAUTHBEARER", b"n,,\x01auth=\x01\x01"),
        bearer(&expired),
        bearer(""),
    ] {
        let mut stream = begin();
        stream.send(&first);
        let told = challenge(&stream.read().expect("it is told where"));
        let told: Value = serde_json::from_str(&told).expect("it is JSON");
        let expected = json!({
            "status": "invalid_token",
            "openid-configuration": format!("{ISSUER}/.well-known/openid-configuration"),
            "scope": "openid",
        });
        assert_eq!(told, expected);
        stream.send(&message(b'p', b"\x01"));
        let words = "OAuth bearer authentication failed for user \"plain\"";
        stream.expect_refusal("28000", words);
    }
    let reasons = scene.told("log_in_failed");
    let reasons: Vec<&str> = reasons
        .iter()
        .filter_map(|line| line["reason"].as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "the client asked where to get a token",
            "the token has expired",
            "it is no token"
        ]
    );
}

#[test]
fn malformed_oauthbearer_messages_are_refused() {
    let scene = Scene::new(SigningKey::curve("k"), None);
    let begin = || scene.asked("plain").0;
    let expired = scene
        .key
        .sign("ES256", &claims("plain", &json!({"exp": 1})));
    let mut stream = begin();
    stream.send(&bearer(&expired));
    stream.read().expect("it is told where");
    stream.send(&message(b'p', b"\x01\x01"));
    stream.expect_refusal("08P01", "malformed OAUTHBEARER message");
    let mut stream = begin();
    stream.send(&initial(
        "OAUTHBEARER",
        b"p=tls-exporter,,\x01auth=\x01\x01",
    ));
    stream.expect_refusal("08P01", "malformed OAUTHBEARER message");
    let mut stream = begin();
    stream.send(&initial("OAUTHBEARER", b"n,a=root,\x01auth=\x01\x01"));
    stream.expect_refusal("0A000", "client uses authorization identity");
    // It is no way to send a token in plain text.
    let mut stream = plain(&scene.gateway);
    stream.start("plain");
    stream.send(&bearer(&expired));
    stream.expect_refusal(
        "08P01",
        "client selected an invalid SASL authentication mechanism",
    );
}

#[test]
fn no_token_is_written_anywhere() {
    let scene = Scene::new(SigningKey::curve("k"), None);
    let good = scene.token(&json!({"groups": ["analysts"]}));
    let expired = scene.token(&json!({"exp": 1}));
    let mut session = scene.log_in(ADA, &good).expect("the token is right");
    let said: Vec<String> = [
        value(
            &mut session,
            "select string_agg(query, ' ') from pg_stat_activity",
        ),
        value(&mut session, "show all"),
        value(
            &mut session,
            "select string_agg(setting, ' ') from pg_settings",
        ),
    ]
    .into_iter()
    .map(|answer| format!("{answer:?}"))
    .collect();
    scene.refused(ADA, &expired, "the token has expired");
    drop(session);
    scene
        .gateway
        .wait_until(|| !scene.told("session_end").is_empty());
    let process = |name: &str| PathBuf::from(format!("/proc/{}/{name}", scene.gateway.pid()));
    let read = |path: PathBuf| {
        String::from_utf8_lossy(&fs::read(path).expect("it can be read")).into_owned()
    };
    let seen = [
        ("log", scene.gateway.log()),
        ("audit", read(scene.secrets.path("audit.json"))),
        ("cmdline", read(process("cmdline"))),
        ("environ", read(process("environ"))),
        ("answers", said.concat()),
    ];
    for token in [&good, &expired] {
        let (_, signature) = token.rsplit_once('.').expect("it has three parts");
        let payload = token.split('.').nth(1).expect("it has three parts");
        for (place, text) in &seen {
            assert!(!text.contains(signature), "{place}");
            assert!(!text.contains(payload), "{place}");
        }
    }
    let came = scene.told("log_in");
    assert!(
        came.iter()
            .any(|line| line["method"] == "token as password" && line["tls"] == true)
    );
}
