//! What tools ask: every statement of tests/statements, on Lakegate and on a PostgreSQL with the same
//! objects.

use std::process::Command;

use tempfile::TempDir;

use crate::clients::run;
use crate::gateway::{Gateway, given, given_if_set, postgres};

/// The database on both servers.
const DATABASE: &str = "statements";

fn python(script: &str) -> Command {
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command.arg(format!("tests/statements/{script}"));
    command
}

#[test]
fn tools_are_answered_as_by_postgres() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let theirs = postgres();
    let theirs = format!("host={} port={} user=postgres", theirs.ip(), theirs.port());
    run(python("objects.py")
        .arg(folder.path())
        .args([&theirs, DATABASE]))
    .expect("the objects are made");
    let views = folder.path().join("views");
    let views = views.to_str().expect("the path is text");
    let options = ["--views", views, "--database", DATABASE];
    let gateway = Gateway::start(&folder.path().join("lake"), &options);
    let ours = gateway.address();
    let ours = format!("host={} port={} user=postgres", ours.ip(), ours.port());
    let mut compare = python("compare.py");
    compare
        .args([
            "--ours",
            &format!("{ours} dbname={DATABASE} sslmode=disable"),
        ])
        .args([
            "--theirs",
            &format!("{theirs} dbname={DATABASE} sslmode=disable"),
        ]);
    if given_if_set("LAKEGATE_STATEMENTS_FILL").is_some() {
        compare.arg("--fill");
    }
    let failure = run(&mut compare).err();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}
