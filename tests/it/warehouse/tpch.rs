//! The 22 queries of TPC-H, with tables spread over a lake and three kinds of servers.

use std::process::Command;

use crate::clients::run;
use crate::gateway::{Gateway, given, given_if_set};

/// Asks the queries of tables at a scale, which are made for it, spread as these numbers say.
#[expect(
    clippy::print_stdout,
    reason = "how long each spread took is told with the test's output"
)]
fn asked(scale: &str, spreads: &str) {
    let folder = tempfile::TempDir::new().expect("a temporary folder can be made");
    let database = format!("warehouse_tpch_{}", scale.replace('.', "_"));
    let script = |what: &str, more: &[&str]| {
        let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
        command
            .args(["tests/peers/tpch.py", what])
            .arg(folder.path());
        command.args(["--postgres", &given("LAKEGATE_TEST_POSTGRES")]);
        command.args(["--mariadb", &given("LAKEGATE_TEST_MARIADB")]);
        command.args(["--database", &database]);
        command.args(more);
        let said = run(&mut command).unwrap_or_else(|failure| panic!("{failure}"));
        println!("{said}");
    };
    script("make", &["--scale", scale]);
    let gateway = Gateway::start(&folder.path().join("lake"), &[]);
    let address = gateway.address().to_string();
    script("ask", &["--gateway", &address, "--spreads", spreads]);
}

#[test]
fn tpch_over_four_kinds_of_source_has_duckdbs_answers() {
    let scale = given_if_set("LAKEGATE_TEST_TPCH_SCALE").unwrap_or_else(|| "0.01".to_owned());
    asked(&scale, "0,1,2,3,4");
}

#[test]
fn tpch_of_more_rows_has_duckdbs_answers() {
    // One spread of all four kinds of source: five of them take a quarter of an hour unoptimised.
    asked("0.1", "1");
}
