//! Roles: made over the wire, kept as files, and who gets in by them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lakegate::auth::Verifier;
use tempfile::TempDir;

use crate::gateway::{Gateway, program, test_lake};
use crate::login::{log_in, plain};
use crate::wire::{Report, Wire, startup};

/// A gateway whose state is in a folder that the test looks into.
fn gateway(state: &TempDir) -> Gateway {
    Gateway::start_with_state(&test_lake(), state.path(), &[])
}

fn role_file(state: &TempDir, name: &str) -> std::path::PathBuf {
    state.path().join("views/_roles").join(name)
}

fn check(answer: Result<Vec<String>, Report>, expected: Result<&[&str], (&str, &str)>) {
    match (answer, expected) {
        (Ok(rows), Ok(expected)) => assert_eq!(rows, expected),
        (Err(report), Err((code, text))) => {
            assert_eq!(report.code(), code, "{report:?}");
            assert!(report.message().contains(text), "{report:?}");
        }
        (answer, expected) => panic!("{answer:?}, not {expected:?}"),
    }
}

fn wait_until(gateway: &Gateway, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{}",
            gateway.log()
        );
    }
}

/// Every file below a folder, as one text.
fn everything_below(folder: &Path) -> String {
    let mut texts = String::new();
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        texts.push_str(&match path.is_dir() {
            true => everything_below(&path),
            false => fs::read_to_string(&path).expect("it is text"),
        });
    }
    texts
}

#[test]
fn the_first_role_ends_trust_at_once() {
    let state = TempDir::new().expect("a temporary folder can be made");
    let running = gateway(&state);
    assert!(
        running.ready_line().contains("trust, no TLS"),
        "{}",
        running.ready_line()
    );
    let mut trusted = Wire::connect(running.address());
    let first = trusted.query("create role ada login password 'geheim-1'");
    assert_eq!(first.expect_err("it is no superuser").code(), "42P17");
    trusted
        .query("create role ada superuser login password 'geheim-1'")
        .expect("the first role is made");
    // This session goes on, but makes no more roles: nobody knows who it is.
    assert_eq!(trusted.value("select 1"), "1");
    let second = trusted.query("create role eve login password 'geheim-2'");
    assert_eq!(second.expect_err("it has proved nothing").code(), "42501");
    // Others must prove themselves.
    let mut ada = log_in(&running, "ada", "geheim-1").expect("the password is right");
    check(ada.query("create user bi password 'geheim-2'"), Ok(&[]));
    for (user, password) in [("ada", "geheim-2"), ("postgres", ""), ("eve", "geheim-2")] {
        let refused = log_in(&running, user, password).err().expect("it is wrong");
        assert_eq!(refused.code(), "28P01");
    }
    // What is kept, and what is said, holds no password.
    let kept = everything_below(state.path());
    assert!(kept.contains("create role ada superuser login"), "{kept}");
    assert!(
        !kept.contains("geheim") && !running.log().contains("geheim"),
        "{kept}"
    );
    drop(running);
    let restarted = gateway(&state);
    assert!(
        restarted.ready_line().contains("scram-sha-256"),
        "{}",
        restarted.ready_line()
    );
    log_in(&restarted, "bi", "geheim-2").expect("roles are kept");
}

#[test]
fn superusers_alone_define_roles() {
    let state = TempDir::new().expect("a temporary folder can be made");
    let running = gateway(&state);
    let mut trusted = Wire::connect(running.address());
    let verifier = Verifier::of_password("geheim").to_string();
    trusted
        .query(&format!(
            "create role ada superuser login password '{verifier}'"
        ))
        .expect("a verifier is taken");
    let kept = fs::read_to_string(role_file(&state, "ada.sql")).expect("the file is there");
    assert!(kept.contains(&verifier), "{kept}");
    let mut ada = log_in(&running, "ada", "geheim").expect("the password is right");
    check(
        ada.query("create role bi login password 'geheim' connection limit 1"),
        Ok(&[]),
    );
    check(
        ada.query("create role bi"),
        Err(("42710", "role \"bi\" already exists")),
    );
    check(
        ada.query("create role x createdb"),
        Err(("0A000", "the role option CREATEDB")),
    );
    check(ada.query("grant bi to ada"), Err(("0A000", "GRANT")));
    check(
        ada.query("drop role ada"),
        Err(("55006", "current user cannot be dropped")),
    );
    check(
        ada.query("alter role ada nosuperuser"),
        Err(("42P17", "at least one role")),
    );
    check(ada.query("drop role if exists nobody"), Ok(&[]));
    let mut bi = log_in(&running, "bi", "geheim").expect("the password is right");
    check(bi.query("show is_superuser"), Ok(&["off"]));
    check(
        bi.query("create role x"),
        Err(("42501", "permission denied to create role")),
    );
    check(
        bi.query("drop role ada"),
        Err(("42501", "permission denied to drop role")),
    );
    check(
        bi.query("alter role bi superuser"),
        Err(("42501", "permission denied to alter role")),
    );
    check(
        bi.query("alter role ada password 'x'"),
        Err(("42501", "permission denied")),
    );
    check(
        bi.query("alter role bi password 'neu' superuser"),
        Err(("42501", "permission denied")),
    );
    check(
        bi.query("select rolname || ' ' || rolsuper::text from pg_roles order by rolname"),
        Ok(&["ada true", "bi false"]),
    );
    check(
        bi.query("select distinct rolpassword from pg_authid"),
        Ok(&["********"]),
    );
    // CONNECTION LIMIT, which is not the superuser's.
    let refused = log_in(&running, "bi", "geheim")
        .err()
        .expect("it is one too many");
    assert_eq!((refused.code(), refused.field('S')), ("53300", "FATAL"));
    assert_eq!(refused.message(), "too many connections for role \"bi\"");
    check(bi.query("alter user bi password 'neu'"), Ok(&[]));
    drop(bi);
    wait_until(&running, || log_in(&running, "bi", "neu").is_ok());
    let old = log_in(&running, "bi", "geheim")
        .err()
        .expect("the password is another");
    assert_eq!(old.code(), "28P01");
    check(ada.query("begin; drop role bi; rollback"), Ok(&[]));
    wait_until(&running, || log_in(&running, "bi", "neu").is_ok());
    for change in [
        "nologin",
        "login valid until '2020-01-01'",
        "valid until 'infinity' password null",
    ] {
        check(ada.query(&format!("alter role bi {change}")), Ok(&[]));
        let refused = log_in(&running, "bi", "neu")
            .err()
            .expect("it may not log in");
        assert_eq!(
            refused.message(),
            "password authentication failed for user \"bi\""
        );
    }
    check(ada.query("drop user bi"), Ok(&[]));
    assert!(!role_file(&state, "bi.sql").exists());
}

#[test]
fn files_of_roles_count_while_running_and_stop_the_start_if_broken() {
    let state = TempDir::new().expect("a temporary folder can be made");
    let running = gateway(&state);
    let role = |name: &str, password: &str| {
        let verifier = Verifier::of_password(password);
        format!("create role {name} superuser login password '{verifier}';\n")
    };
    let write = |name: &str, text: &str| {
        fs::create_dir_all(role_file(&state, "")).expect("the folder can be made");
        fs::write(role_file(&state, name), text).expect("the file can be written");
    };
    Wire::connect(running.address());
    write("ada.sql", &role("ada", "geheim"));
    // By hand as over the wire: it ends trust, and does not come back when the file goes.
    wait_until(&running, || {
        let mut stream = plain(&running);
        stream.send(&startup(&[("user", "ada")]));
        let asked = stream.read().expect("it is answered");
        asked.body[..4] == [0, 0, 0, 10]
    });
    log_in(&running, "ada", "geheim").expect("the role is there");
    write(
        "ada.sql",
        "create role ada superuser login password 'offen';\n",
    );
    wait_until(&running, || {
        running
            .log()
            .contains("a file must hold a SCRAM-SHA-256 verifier")
    });
    log_in(&running, "ada", "geheim").expect("what was good stays");
    fs::remove_file(role_file(&state, "ada.sql")).expect("the file can go");
    wait_until(&running, || log_in(&running, "ada", "geheim").is_err());
    drop(running);
    for (name, text, expected) in [
        (
            "bad.sql",
            "create role ada nonsense;",
            "unrecognized role option",
        ),
        (
            "bad.sql",
            "create role ada password 'offen';",
            "a file must hold a SCRAM-SHA-256 verifier",
        ),
        (
            "bad.sql",
            "grant select on all tables in schema gold to ada;",
            "GRANT",
        ),
        ("bad.sql", "'", "unterminated"),
    ] {
        write(name, text);
        let output = program()
            .args(["serve", "--listen", "127.0.0.1:0", "--lake"])
            .arg(test_lake())
            .arg("--state")
            .arg(state.path())
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.to_lowercase();
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("_roles/bad.sql:1:"), "{said}");
        assert!(
            said.contains(&expected.to_lowercase()) && !said.contains("offen"),
            "{said}"
        );
    }
    write("bad.sql", "-- nobody yet\n");
    let restarted = gateway(&state);
    assert!(
        restarted.ready_line().contains("scram-sha-256"),
        "a file of roles is there"
    );
}
