//! Time travel: every moment of every table and view, by every way to say it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clients::run;
use crate::delta::{Row, write_table, write_version};
use crate::gateway::{Gateway, given};

/// Runs a script of tests/peers over a lake that it makes itself, below a folder that the gateway serves.
pub(crate) fn over_own_lake(script: &str) {
    let lake = TempDir::new().expect("a temporary folder can be made");
    let gateway = Gateway::start(lake.path(), &[]);
    let mut command = script_over(script, lake.path(), &gateway);
    let failure = run(&mut command).err();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}

fn script_over(script: &str, lake: &Path, gateway: &Gateway) -> Command {
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command
        .arg(script)
        .args(["--gateway", &gateway.address().to_string(), "--make"])
        .arg(lake);
    command
}

#[test]
fn random_histories_are_read_as_they_were() {
    over_own_lake("tests/peers/histories.py");
}

#[test]
fn every_spelling_reads_every_kind_of_relation() {
    over_own_lake("tests/peers/moments.py");
}

/// As many rows.
fn rows(n_rows: i64) -> Vec<Row> {
    (0..n_rows).map(|id| (id, Vec::new())).collect()
}

/// A lake of two tables with a row each.
fn two_tables() -> (TempDir, Gateway) {
    let lake = TempDir::new().expect("a temporary folder can be made");
    for name in ["s/a", "s/b"] {
        write_table(&lake.path().join(name), &[], &[rows(1)]);
    }
    let gateway = Gateway::start(lake.path(), &[]);
    (lake, gateway)
}

/// Commits a version with as many rows as its number and one, some time from now.
fn commit_later(lake: &TempDir, name: &str, version: usize) {
    let n_rows = i64::try_from(version).expect("it is small") + 1;
    let commit = write_version(&lake.path().join(name), &[], version, &rows(n_rows));
    let commit = File::options().append(true).open(commit);
    let later = SystemTime::now() + Duration::from_secs(3600);
    let dated = commit.and_then(|commit| commit.set_modified(later));
    dated.expect("the commit can be dated");
}

#[test]
fn a_transaction_sees_one_moment_of_all_tables() {
    let (lake, gateway) = two_tables();
    let mut wire = gateway.connect();
    wire.query("begin isolation level repeatable read")
        .expect("it begins");
    assert_eq!(wire.value("select count(*) from s.a"), "1");
    for name in ["s/a", "s/b"] {
        commit_later(&lake, name, 1);
    }
    assert_eq!(wire.value("select count(*) from s.a"), "1");
    // It is first read now, as it was then.
    assert_eq!(wire.value("select count(*) from s.b"), "1");
    // What is asked for by name is another table.
    let both = "select count(*) from s.b as b join s.b version as of 1 as later on b.id = later.id";
    assert_eq!(wire.value(both), "1");
    assert_eq!(wire.value("select count(*) from s.b version as of 1"), "2");
    wire.query("commit").expect("it ends");
    assert_eq!(wire.value("select count(*) from s.b"), "2");
}

#[test]
fn a_cursor_stays_and_a_prepared_statement_goes_on() {
    let (lake, gateway) = two_tables();
    let mut wire = gateway.connect();
    wire.query("prepare q as select count(*) from s.a timestamp as of now()")
        .expect("it is kept");
    wire.query("prepare v as select count(*) from s.a version as of $1")
        .expect("it is kept");
    assert_eq!(wire.value("execute q"), "1");
    wire.query("begin").expect("it begins");
    wire.query("declare c cursor for select id from s.a")
        .expect("it is opened");
    write_version(&lake.path().join("s/a"), &[], 1, &rows(2));
    let fetched = wire.query("fetch all from c").expect("it has rows");
    assert_eq!(fetched[0].rows.len(), 1);
    wire.query("commit").expect("it ends");
    assert_eq!(wire.value("execute q"), "2");
    assert_eq!(wire.value("execute v (0)"), "1");
    assert_eq!(wire.value("execute v (1)"), "2");
}

/// Dates a commit's file so many hours after the first of March.
fn dated(commit: &Path, hours: u64) {
    let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_323_200);
    let file = File::options().append(true).open(commit);
    let dated = file.and_then(|file| file.set_modified(begin + Duration::from_secs(hours * 3600)));
    dated.expect("the commit can be dated");
}

/// Has a commit say its own time, in hours after the first of March. The first that does enables that.
fn with_own_time(table: &Path, commit: &Path, hours: u64, enables: Option<usize>) {
    let millis = 1_772_323_200_000 + hours * 3_600_000;
    let mut actions = vec![json!({"commitInfo": {
        "inCommitTimestamp": millis, "timestamp": millis + 5_000_000, "operation": "WRITE",
    }})];
    if let Some(version) = enables {
        let first = table.join("_delta_log/00000000000000000000.json");
        let first = fs::read_to_string(first).expect("it was written");
        let begun = first.lines().map(|line| {
            let action: Value = serde_json::from_str(line).expect("it is an action");
            action
        });
        let metadata = begun
            .filter(|action| !action["metaData"].is_null())
            .map(|mut action| {
                action["metaData"]["configuration"] = json!({
                    "delta.enableInCommitTimestamps": "true",
                    "delta.inCommitTimestampEnablementVersion": version.to_string(),
                    "delta.inCommitTimestampEnablementTimestamp": millis.to_string(),
                });
                action
            });
        actions.extend(metadata);
        actions.push(json!({"protocol": {
            "minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["inCommitTimestamp"],
        }}));
    }
    let mut lines: Vec<String> = actions.iter().map(ToString::to_string).collect();
    lines.push(fs::read_to_string(commit).expect("it was written"));
    fs::write(commit, lines.join("\n")).expect("the commit can be written");
}

#[test]
fn commits_that_say_their_own_time_are_found_by_it() {
    let lake = TempDir::new().expect("a temporary folder can be made");
    let table = lake.path().join("s/t");
    // When the file of each was written, and what it says itself: a copy of the table mixed them up.
    let commits = [
        (1, None),
        (2, None),
        (23, Some(3)),
        (0, Some(4)),
        (9, Some(6)),
    ];
    for (version, (written, own)) in commits.into_iter().enumerate() {
        let n_rows = i64::try_from(version).expect("it is small") + 1;
        let commit = write_version(&table, &[], version, &rows(n_rows));
        if let Some(own) = own {
            with_own_time(&table, &commit, own, (version == 2).then_some(version));
        }
        dated(&commit, written);
    }
    let gateway = Gateway::start(lake.path(), &[]);
    let mut wire = gateway.connect();
    for (instant, n_rows) in [
        ("01:00", "1"),
        ("01:59:59.999", "1"),
        ("02:30", "2"),
        ("02:59:59.999999", "2"),
        ("03:00", "3"),
        ("04:30", "4"),
        ("05:59", "4"),
        ("06:00", "5"),
        ("23:30", "5"),
    ] {
        let query = format!("select count(*) from s.t timestamp as of '2026-03-01 {instant}'");
        assert_eq!(wire.value(&query), n_rows, "{instant}");
    }
    let told = "select string_agg(to_char(timestamp, 'HH24:MI'), ' ' order by version) from lakegate.history('s.t')";
    assert_eq!(wire.value(told), "01:00 02:00 03:00 04:00 06:00");
    let before = "select * from s.t timestamp as of '2026-03-01 00:59'";
    let refused = wire.query(before).expect_err("there was no version");
    assert_eq!(refused.code(), "22023");
}

#[test]
fn what_changed_is_the_difference_of_bags() {
    over_own_lake("tests/peers/differences.py");
}
