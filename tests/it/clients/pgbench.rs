//! pgbench: many short statements from several clients at once, in each of its three protocols.

use std::process::Command;

use crate::clients::programs::every_type;
use crate::clients::run;
use crate::gateway::{Gateway, given};

/// For each client: few, for a build for tests plans slowly.
const TRANSACTIONS: u32 = 10;
const CLIENTS: u32 = 4;

/// Every transaction of a script must have been answered, and none with an error.
fn bench(gateway: &Gateway, protocol: &str, script: &str) {
    let mut command = Command::new(given("LAKEGATE_TEST_PGBENCH"));
    command
        .args(["-n", "-h", "127.0.0.1", "-U", "postgres"])
        .args(["-p", &gateway.address().port().to_string()])
        .args(["-M", protocol, "-f", script])
        .args(["-c", &CLIENTS.to_string(), "-j", "2"])
        .args(["-t", &TRANSACTIONS.to_string(), "postgres"]);
    let said = run(&mut command).unwrap_or_else(|failure| panic!("{failure}"));
    let all = TRANSACTIONS * CLIENTS;
    for line in [
        format!("number of transactions actually processed: {all}/{all}"),
        "number of failed transactions: 0 ".to_owned(),
    ] {
        assert!(said.contains(&line), "{protocol} {script}: {said}");
    }
}

#[test]
fn pgbench_selects_in_each_protocol() {
    let gateway = Gateway::start(&every_type(), &[]);
    for protocol in ["simple", "extended", "prepared"] {
        bench(&gateway, protocol, "tests/clients/select_only.sql");
    }
}

#[test]
fn pgbench_pipelines() {
    let gateway = Gateway::start(&every_type(), &[]);
    for protocol in ["extended", "prepared"] {
        bench(&gateway, protocol, "tests/clients/pipeline.sql");
    }
}
