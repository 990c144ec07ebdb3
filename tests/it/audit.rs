//! The audit: who came in, who did what, who was refused what; and no secret in it, nor anywhere.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::gateway::{Gateway, program, test_lake};
use crate::login::{initial, log_in, plain};
use crate::wire::{Wire, message, startup};

/// The lines that were written so far.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the file is there");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect()
}

/// Those of a kind.
fn told(path: &Path, event: &str) -> Vec<Value> {
    let mut all = lines(path);
    all.retain(|line| line["event"] == event);
    all
}

fn start(folder: &TempDir) -> (Gateway, std::path::PathBuf) {
    let path = folder.path().join("audit.json");
    let argument = path.display().to_string();
    let state = folder.path().join("state");
    let arguments = ["--audit", argument.as_str(), "--log", "trace"];
    let gateway = Gateway::start_with_state(&test_lake(), &state, &arguments);
    (gateway, path)
}

#[test]
fn who_did_what_is_told_and_no_secret_is() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (gateway, path) = start(&folder);
    Wire::connect(gateway.address())
        .query("create role ada superuser login password 'canary-1'")
        .expect("the first role is made");
    let mut ada = log_in(&gateway, "ada", "canary-1").expect("the password is right");
    let mut run = |sql: &str| ada.query(sql);
    run("create role bi login password 'canary-2' valid until '2099-01-01'").expect("it is made");
    run("alter role bi password E'canary\\x2d3'").expect("it is changed");
    run("alter role bi password $$canary-2$$").expect("it is changed");
    let activity = "select string_agg(query, '; ') from pg_stat_activity";
    let mut other = log_in(&gateway, "ada", "canary-1").expect("the password is right");
    let shown = other.query(activity).expect("it is a superuser").concat();
    assert!(shown.contains("alter role bi password '***'"), "{shown}");
    drop(other);
    run("create role broken password canary-4").expect_err("it is no string");
    run("begin").expect("it begins");
    run("create schema lost").expect("it is defined");
    run("rollback").expect("it is undone");
    run("begin").expect("it begins");
    run("create schema kept").expect("it is defined");
    run("savepoint s").expect("it is set");
    run("create schema given_up").expect("it is defined");
    run("rollback to s").expect("it is undone");
    run("grant usage on schema kept to bi").expect("it is granted");
    run("commit").expect("it is kept");
    let mut bi = log_in(&gateway, "bi", "canary-2").expect("the password is right");
    let secret = "select * from silver.orders where 'eyJcanary-5' <> ''";
    bi.query(secret).expect_err("it was not granted");
    bi.query("create role x password 'canary-6'")
        .expect_err("it may not");
    bi.query("select 1 / 0")
        .expect_err("it fails, and is not refused");
    drop(bi);
    gateway.wait_until(|| {
        let ends = told(&path, "session_end");
        ends.iter().any(|line| line["user"] == "bi")
    });
    let expected = [
        ("CREATE ROLE", "ada"),
        ("CREATE ROLE", "bi"),
        ("ALTER ROLE", "bi"),
        ("ALTER ROLE", "bi"),
        ("CREATE SCHEMA", "kept"),
        ("GRANT", "kept"),
    ];
    let expected: Vec<_> = expected
        .map(|(command, object)| (command.to_owned(), object.to_owned()))
        .into();
    assert_eq!(defined(&path), expected);
    let refused = told(&path, "refused");
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert_eq!(refused[0]["user"], "bi");
    assert_eq!(refused[0]["role"], "bi");
    assert_eq!(refused[0]["code"], "42501");
    assert_eq!(refused[0]["command"], "SELECT");
    assert_eq!(refused[0]["reason"], "permission denied for schema silver");
    assert_eq!(
        refused[0]["statement"],
        "select * from silver.orders where '***' <> ''"
    );
    assert_eq!(refused[1]["command"], "CREATE ROLE");
    no_canary(&gateway, folder.path());
}

/// The commands that defined something, and what they were about.
fn defined(path: &Path) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = told(path, "definition");
    let lines = lines.iter();
    lines
        .map(|line| (text(&line["command"]), text(&line["object"])))
        .collect()
}

/// Nothing that was written or can be seen of the process holds a canary.
fn no_canary(gateway: &Gateway, folder: &Path) {
    let mut seen = vec![("log".to_owned(), gateway.log())];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder can be listed") {
            let path = entry.expect("the folder can be listed").path();
            match path.is_dir() {
                true => folders.push(path),
                false => seen.push((
                    path.display().to_string(),
                    String::from_utf8_lossy(&fs::read(&path).expect("it can be read")).into_owned(),
                )),
            }
        }
    }
    for process in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{}/{process}", gateway.pid()));
        let bytes = bytes.expect("the process runs");
        seen.push((
            process.to_owned(),
            String::from_utf8_lossy(&bytes).into_owned(),
        ));
    }
    assert!(seen.len() > 4, "{seen:?}");
    for (place, text) in seen {
        let found = text
            .find("canary")
            .map(|at| text[at..].chars().take(200).collect::<String>());
        assert_eq!(found, None, "{place}");
    }
}

#[test]
fn who_came_in_and_who_did_not() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (gateway, path) = start(&folder);
    Wire::connect(gateway.address())
        .query("create role ada superuser login password 'canary-1'")
        .expect("the first role is made");
    let mut ada = log_in(&gateway, "ada", "canary-1").expect("the password is right");
    for sql in [
        "create role nologin_role password 'canary-2'",
        "create role no_password login",
        "create role past login password 'canary-2' valid until '2020-01-01'",
    ] {
        ada.query(sql).expect("it is made");
    }
    let users = [
        "ada",
        "nobody",
        "nologin_role",
        "no_password",
        "past",
        "a\n{\"event\":\"log_in\"}\r",
    ];
    for user in users {
        let report = log_in(&gateway, user, "canary-3")
            .err()
            .expect("it is wrong");
        assert_eq!(report.code(), "28P01");
        let message = format!("password authentication failed for user \"{user}\"");
        assert_eq!(report.message(), message);
        assert_eq!(report.field('D'), "", "the client does not learn why");
    }
    fail_by_hand(&gateway);
    gateway.wait_until(|| told(&path, "log_in_failed").len() == 8);
    let failed = told(&path, "log_in_failed");
    let reasons: Vec<&str> = failed
        .iter()
        .filter_map(|line| line["reason"].as_str())
        .collect();
    assert_eq!(
        reasons[..6],
        [
            "wrong password",
            "there is no such role",
            "the role may not log in",
            "the role has no password",
            "VALID UNTIL is over",
            "there is no such role",
        ]
    );
    assert_eq!(
        failed[5]["user"], users[5],
        "a name makes no line of its own"
    );
    assert_eq!(failed[7]["application_name"], "tool");
    assert_eq!(failed[7]["code"], "3D000");
    let address = failed[0]["address"].as_str().unwrap_or_default();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let methods: Vec<Value> = told(&path, "log_in")
        .iter()
        .map(|line| line["method"].clone())
        .collect();
    assert_eq!(methods, ["trust", "scram-sha-256"]);
    drop(ada);
    gateway.wait_until(|| told(&path, "session_end").len() == 2);
    let ends = told(&path, "session_end");
    assert!(ends.iter().all(|line| line["seconds"].as_f64().is_some()));
    no_canary(&gateway, folder.path());
}

/// Two failures that no driver makes: half a proof, and a database that is not there.
fn fail_by_hand(gateway: &Gateway) {
    // Half a proof, and something else in its place.
    let mut stream = plain(gateway);
    stream.start("ada");
    stream.send(&initial("SCRAM-SHA-256", b"n,,n=,r=canary-4"));
    stream.read().expect("the server challenges");
    stream.send(&message(b'p', b"c=biws,r=canary-4,p=canary-5"));
    stream.read_all();
    let mut stream = plain(gateway);
    stream.send(&startup(&[
        ("user", "ada"),
        ("database", "elsewhere"),
        ("application_name", "tool"),
    ]));
    stream.read().expect("the server asks for a proof");
    let (proof, _) = stream.prove("canary-1");
    stream.send(&proof);
    stream.expect_refusal("3D000", "database \"elsewhere\" does not exist");
}

#[test]
fn an_audit_that_cannot_be_written_stops_the_start() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let output = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--lake"])
        .arg(test_lake())
        .arg("--state")
        .arg(folder.path())
        .arg("--audit")
        .arg(folder.path().join("no/such/folder"))
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("--audit"),
        "{said}"
    );
}

#[test]
fn a_rotated_file_is_opened_again_at_sighup() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (gateway, path) = start(&folder);
    let said = || drop(Wire::connect(gateway.address()));
    let log_ins = |path: &Path| told(path, "log_in").len();
    said();
    gateway.wait_until(|| log_ins(&path) == 1);
    let rotated = folder.path().join("audit.json.1");
    fs::rename(&path, &rotated).expect("it can be renamed");
    // Without the signal lines go on to the file, whatever its name is.
    said();
    gateway.wait_until(|| log_ins(&rotated) == 2);
    assert!(!path.exists());
    gateway.signal("HUP");
    gateway.wait_until(|| path.exists());
    said();
    gateway.wait_until(|| log_ins(&path) == 1);
    assert_eq!(log_ins(&rotated), 2);
    // Where it cannot be opened, nothing is lost, and the log says why.
    fs::rename(&path, &rotated).expect("it can be renamed");
    fs::create_dir(&path).expect("a folder can be made");
    gateway.signal("HUP");
    let problem = "open the audit's file again";
    gateway.wait_until(|| gateway.log().contains(problem));
    said();
    gateway.wait_until(|| log_ins(&rotated) == 2);
}
