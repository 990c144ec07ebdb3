//! A real PostgreSQL that reads the gateway as a foreign server.

use std::process::Command;

use crate::clients::programs::every_type;
use crate::clients::run;
use crate::clients::secured::{Tls, secured_gateway};
use crate::gateway::{Gateway, given};

/// PostgreSQL reads the gateway by postgres_fdw, and compares with its own table.
fn foreign_server(gateway: &Gateway, arguments: &[&str]) {
    let tls = Tls::given();
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command
        .env("PGPASSWORD", &tls.password)
        .arg("tests/clients/foreign_server.py")
        .args(["--ours", &gateway.address().to_string()])
        .args(["--theirs", &tls.postgres])
        .args(["--root-certificate", &tls.certificate])
        .args(arguments);
    let failure = run(&mut command).err();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}

#[test]
fn postgres_reads_it_as_a_foreign_server() {
    foreign_server(&Gateway::start(&every_type(), &[]), &[]);
}

#[test]
fn postgres_reads_it_as_a_foreign_server_over_tls() {
    foreign_server(&secured_gateway(), &["--over-tls"]);
}
