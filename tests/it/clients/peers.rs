//! Others that read the same files compute the same answers.

use std::process::Command;

use tempfile::TempDir;

use crate::clients::{python, run};
use crate::gateway::{Gateway, given, program};

#[test]
fn duckdb_and_deltalake_read_the_same_rows() {
    python("tests/peers/compare.py", &Gateway::of_test_lake());
}

#[test]
fn every_view_of_the_demo_is_what_others_compute() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let lake = folder.path().join("lake");
    let made = run(program()
        .args(["demo", "--no-serve", "--scale", "0.005", "--dir"])
        .arg(&lake));
    assert!(made.is_ok(), "{made:?}");
    let views = lake.join("views");
    let views = views.to_str().expect("a temporary path is text");
    let gateway = Gateway::start(&lake, &["--views", views]);
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command
        .arg("tests/peers/demo.py")
        .args(["--gateway", &gateway.address().to_string(), "--lake"])
        .arg(&lake);
    let failure = run(&mut command).err();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}
