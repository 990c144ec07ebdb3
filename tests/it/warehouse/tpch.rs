//! The 22 queries of TPC-H, with tables spread in five ways over a lake and three kinds of servers.

use std::process::Command;

use crate::clients::run;
use crate::gateway::{Gateway, given, given_if_set};

#[test]
fn tpch_over_four_kinds_of_source_has_duckdbs_answers() {
    let folder = tempfile::TempDir::new().expect("a temporary folder can be made");
    let script = |what: &str, more: &[&str]| {
        let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
        command
            .args(["tests/peers/tpch.py", what])
            .arg(folder.path());
        command.args(["--postgres", &given("LAKEGATE_TEST_POSTGRES")]);
        command.args(["--mariadb", &given("LAKEGATE_TEST_MARIADB")]);
        command.args(more);
        let said = run(&mut command).unwrap_or_else(|failure| panic!("{failure}"));
        println!("{said}");
    };
    let scale = given_if_set("LAKEGATE_TEST_TPCH_SCALE").unwrap_or_else(|| "0.01".to_owned());
    script("make", &["--scale", &scale]);
    let gateway = Gateway::start(&folder.path().join("lake"), &[]);
    script("ask", &["--gateway", &gateway.address().to_string()]);
}
