//! Roles: made over the wire, kept as files, and who gets in by them.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use lakegate::auth::Verifier;
use tempfile::TempDir;

use crate::gateway::{Gateway, given, postgres, program, test_lake};
use crate::login::{Stream, log_in, plain};
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

/// A gateway whose roles are `ada`, a superuser, and `bi`, with the same password; and a session of
/// `ada`.
fn with_roles(state: &TempDir) -> (Gateway, Stream<TcpStream>) {
    let running = gateway(state);
    let verifier = Verifier::of_password("geheim").to_string();
    Wire::connect(running.address())
        .query(&format!(
            "create role ada superuser login password '{verifier}'"
        ))
        .expect("a verifier is taken");
    let kept = fs::read_to_string(role_file(state, "ada.sql")).expect("the file is there");
    assert!(kept.contains(&verifier), "{kept}");
    let mut ada = log_in(&running, "ada", "geheim").expect("the password is right");
    let made = ada.query("create role bi login password 'geheim' connection limit 1");
    check(made, Ok(&[]));
    (running, ada)
}

#[test]
fn superusers_alone_define_roles() {
    let state = TempDir::new().expect("a temporary folder can be made");
    let (running, mut ada) = with_roles(&state);
    let exists = "role \"bi\" already exists";
    check(ada.query("create role bi"), Err(("42710", exists)));
    let grant = "grant select on nothing_there to bi";
    let missing = "relation \"nothing_there\" does not exist";
    check(ada.query(grant), Err(("42P01", missing)));
    let current = "current user cannot be dropped";
    check(ada.query("drop role ada"), Err(("55006", current)));
    let lonely = "at least one role";
    check(
        ada.query("alter role ada nosuperuser"),
        Err(("42P17", lonely)),
    );
    check(ada.query("drop role if exists nobody"), Ok(&[]));
    let mut bi = log_in(&running, "bi", "geheim").expect("the password is right");
    check(bi.query("show is_superuser"), Ok(&["off"]));
    for (statement, verb) in [
        ("create role x", "create"),
        ("drop role ada", "drop"),
        ("alter role bi superuser", "alter"),
        ("alter role ada password 'x'", "alter"),
        ("alter role bi password 'neu' superuser", "alter"),
    ] {
        let denied = format!("permission denied to {verb} role");
        check(bi.query(statement), Err(("42501", &denied)));
    }
    let listed = "select rolname || ' ' || rolsuper::text from pg_roles \
                  where rolname not like 'pg%' order by rolname";
    check(
        bi.query(listed),
        Ok(&["ada true", "bi false", "lakegate true"]),
    );
    let masked = "select distinct rolpassword from pg_authid where rolpassword is not null";
    check(ada.query(masked), Ok(&["********"]));
    let authid = "permission denied for table pg_authid";
    check(bi.query(masked), Err(("42501", authid)));
}

#[test]
fn what_a_role_may_changes_at_once() {
    let state = TempDir::new().expect("a temporary folder can be made");
    let (running, mut ada) = with_roles(&state);
    let mut bi = log_in(&running, "bi", "geheim").expect("the password is right");
    // CONNECTION LIMIT, which does not hold for the superuser.
    let refused = log_in(&running, "bi", "geheim").err();
    let refused = refused.expect("it is one too many");
    assert_eq!((refused.code(), refused.field('S')), ("53300", "FATAL"));
    assert_eq!(refused.message(), "too many connections for role \"bi\"");
    check(bi.query("alter user bi password 'neu'"), Ok(&[]));
    drop(bi);
    running.wait_until(|| log_in(&running, "bi", "neu").is_ok());
    let old = log_in(&running, "bi", "geheim").err();
    assert_eq!(old.expect("the password is another").code(), "28P01");
    check(ada.query("begin; drop role bi; rollback"), Ok(&[]));
    running.wait_until(|| log_in(&running, "bi", "neu").is_ok());
    for change in [
        "nologin",
        "login valid until '2020-01-01'",
        "valid until 'infinity' password null",
    ] {
        check(ada.query(&format!("alter role bi {change}")), Ok(&[]));
        let refused = log_in(&running, "bi", "neu").err();
        assert_eq!(
            refused.expect("it may not log in").message(),
            "password authentication failed for user \"bi\""
        );
    }
    check(ada.query("drop user bi"), Ok(&[]));
    assert!(!role_file(&state, "bi.sql").exists());
}

/// psql's `\\password` is this call: the client asks how passwords are kept, and sends a verifier.
#[test]
fn libpq_changes_a_password_without_sending_it() {
    let state = TempDir::new().expect("a temporary folder can be made");
    let (running, _ada) = with_roles(&state);
    let port = running.address().port();
    let change = format!(
        "import psycopg\n\
         with psycopg.connect(host='127.0.0.1', port={port}, user='bi', password='geheim', \
         dbname='lake', autocommit=True) as bi:\n    \
         bi.pgconn.change_password(b'bi', 'n\u{ad}\u{e9}u'.encode())\n"
    );
    let output = Command::new(given("LAKEGATE_TEST_PYTHON"))
        .args(["-c", &change])
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    running.wait_until(|| log_in(&running, "bi", "n\u{e9}u").is_ok());
}

fn write_role_file(state: &TempDir, name: &str, text: &str) {
    fs::create_dir_all(role_file(state, "")).expect("the folder can be made");
    fs::write(role_file(state, name), text).expect("the file can be written");
}

#[test]
fn files_of_roles_count_while_running() {
    let state = TempDir::new().expect("a temporary folder can be made");
    let running = gateway(&state);
    Wire::connect(running.address());
    let verifier = Verifier::of_password("geheim");
    let role = format!("create role ada superuser login password '{verifier}';\n");
    write_role_file(&state, "ada.sql", &role);
    running.wait_until(|| {
        let mut stream = plain(&running);
        stream.send(&startup(&[("user", "ada")]));
        let asked = stream.read().expect("it is answered");
        asked.body[..4] == [0, 0, 0, 10]
    });
    log_in(&running, "ada", "geheim").expect("the role is there");
    let bare = "create role ada superuser login password 'offen';\n";
    write_role_file(&state, "ada.sql", bare);
    let told = "a file must hold a SCRAM-SHA-256 verifier";
    running.wait_until(|| running.log().contains(told));
    log_in(&running, "ada", "geheim").expect("what was good stays");
    // By hand as over the wire: trust does not come back when the file goes.
    fs::remove_file(role_file(&state, "ada.sql")).expect("the file can go");
    running.wait_until(|| log_in(&running, "ada", "geheim").is_err());
}

#[test]
fn broken_files_of_roles_stop_the_start() {
    let state = TempDir::new().expect("a temporary folder can be made");
    for (text, expected) in [
        ("create role ada nonsense;", "unrecognized role option"),
        (
            "create role ada password 'offen';",
            "a file must hold a scram-sha-256 verifier",
        ),
        (
            "revoke select on gold.a from ada;",
            "revoke in the views folder",
        ),
        (
            "grant select on gold.a to ada;",
            "role \"ada\" does not exist",
        ),
        ("'", "unterminated"),
    ] {
        write_role_file(&state, "bad.sql", text);
        let output = program()
            .args(["serve", "--listen", "127.0.0.1:0", "--lake"])
            .arg(test_lake())
            .arg("--state")
            .arg(state.path())
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("_roles/bad.sql:1:"), "{said}");
        assert!(said.contains(expected) && !said.contains("offen"), "{said}");
    }
    // A file without a role is a file of roles: nobody is trusted, and nobody can log in.
    write_role_file(&state, "bad.sql", "-- nobody yet\n");
    let ready = gateway(&state).ready_line().to_owned();
    assert!(ready.contains("scram-sha-256"), "{ready}");
}

/// The same statements on PostgreSQL and here: the same rows, or the same code. The steps are the
/// same each time; by hand it is run with others.
#[test]
fn roles_and_privileges_are_those_of_postgres() {
    // One after the other: on PostgreSQL their roles are the same.
    for seed in ["4145658683", "12"] {
        compare_with_postgres(seed);
    }
}

fn compare_with_postgres(seed: &str) {
    let (state, lake) = (TempDir::new(), TempDir::new());
    let state = state.expect("a temporary folder can be made");
    let lake = lake.expect("a temporary folder can be made");
    for (path, text) in [
        ("rt_s1/t1.csv", "a,b,c\n1,2,3\n"),
        ("rt_s1/t2.csv", "a,b\n1,2\n"),
        ("rt_s2/t3.csv", "a,d\n1,2\n"),
    ] {
        let file = lake.path().join(path);
        let folder = file.parent().expect("it lies in a folder");
        fs::create_dir_all(folder).expect("the folder can be made");
        fs::write(file, text).expect("the file can be written");
    }
    let running = Gateway::start_with_state(lake.path(), state.path(), &[]);
    Wire::connect(running.address())
        .query("create role ada superuser login password 'geheim'")
        .expect("the first role is made");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/roles.py");
    let output = Command::new(given("LAKEGATE_TEST_PYTHON"))
        .arg(script)
        .args(["--gateway", &running.address().port().to_string()])
        .args(["--postgres", &postgres().to_string()])
        .args(["--seed", seed])
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{failed}");
}
