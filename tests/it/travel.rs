//! Time travel: every moment of every table and view, by every way to say it.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

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

#[test]
fn what_changed_is_the_difference_of_bags() {
    over_own_lake("tests/peers/differences.py");
}
