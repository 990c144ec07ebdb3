//! The demo's marts in each kind of server, and its reports over them.

use std::process::Command;

use tempfile::TempDir;

use crate::clients::run;
use crate::gateway::{Gateway, given, program};

#[test]
fn the_demos_marts_are_the_same_in_every_kind_of_server() {
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
    command.arg("tests/peers/marts.py").arg(&lake);
    command.args(["--gateway", &gateway.address().to_string()]);
    command.args(["--postgres", &given("LAKEGATE_TEST_POSTGRES")]);
    command.args(["--mariadb", &given("LAKEGATE_TEST_MARIADB")]);
    let said = run(&mut command).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{said}");
}
