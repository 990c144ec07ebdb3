//! Clients that come over TLS and authenticate by SCRAM: psql, pgbench, and what they are told.

use std::process::Command;

use crate::clients::programs::every_type;
use crate::clients::run;
use crate::gateway::{Gateway, given};

/// What clients need to know to come over TLS, and the PostgreSQL that wants the same.
pub(super) struct Tls {
    /// The file that both servers' certificate is checked by: the certificate itself.
    pub(super) certificate: String,
    /// Of user postgres, on both.
    pub(super) password: String,
    /// host:port of PostgreSQL.
    pub(super) postgres: String,
}

impl Tls {
    pub(super) fn given() -> Self {
        Self {
            certificate: format!("{}/server.crt", given("LAKEGATE_TEST_TLS")),
            password: given("LAKEGATE_TEST_PASSWORD"),
            postgres: given("LAKEGATE_TEST_POSTGRES_TLS"),
        }
    }
}

/// A gateway that lets in who comes over TLS and knows the password.
pub(super) fn secured_gateway() -> Gateway {
    let folder = given("LAKEGATE_TEST_TLS");
    let file = |name: &str| format!("{folder}/{name}");
    Gateway::start(
        &every_type(),
        &[
            "--tls",
            "require",
            "--tls-cert",
            &file("server.crt"),
            "--tls-key",
            &file("server.key"),
            "--auth-file",
            &file("users.txt"),
        ],
    )
}

/// A libpq program that checks the certificate and sends this password.
fn libpq_program(program: &str, gateway: &Gateway, password: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", gateway.address().port().to_string())
        .env("PGUSER", "postgres")
        .env("PGDATABASE", "postgres")
        .env("PGPASSWORD", password)
        .env("PGSSLMODE", "verify-full")
        .env("PGSSLROOTCERT", Tls::given().certificate);
    command
}

/// The psql that has TLS: the system's, not the one that came with pgserver.
fn psql() -> String {
    let programs = given("LAKEGATE_TEST_PSQL");
    programs.split(':').next().unwrap_or_default().to_owned()
}

#[test]
fn psql_comes_over_tls_by_scram() {
    let gateway = secured_gateway();
    let mut command = libpq_program(&psql(), &gateway, &Tls::given().password);
    command.args([
        "-X",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        "\\conninfo",
        "-c",
        "\\d every_type.samples",
    ]);
    let said = run(&mut command).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(said.contains("TLSv1."), "{said}");
    assert!(said.contains("not_a_number"), "{said}");
}

#[test]
fn a_wrong_password_is_refused_in_postgres_words() {
    let gateway = secured_gateway();
    let mut command = libpq_program(&psql(), &gateway, "not the password");
    command.args(["-X", "-c", "select 1"]);
    let said = run(&mut command).expect_err("the password is wrong");
    assert!(
        said.contains("FATAL:  password authentication failed for user \"postgres\""),
        "{said}"
    );
}

#[test]
fn plain_text_is_refused_where_tls_is_required() {
    let gateway = secured_gateway();
    let mut command = libpq_program(&psql(), &gateway, &Tls::given().password);
    command.env("PGSSLMODE", "disable");
    command.args(["-X", "-c", "select 1"]);
    let said = run(&mut command).expect_err("it came in plain");
    assert!(said.contains("FATAL:"), "{said}");
}

#[test]
fn pgbench_comes_over_tls() {
    let gateway = secured_gateway();
    let program = given("LAKEGATE_TEST_PGBENCH");
    let mut command = libpq_program(&program, &gateway, &Tls::given().password);
    command.args([
        "-n", "-M", "prepared", "-c", "4", "-j", "2", "-t", "5", "-C",
    ]);
    command.args(["-f", "tests/clients/select_only.sql"]);
    let said = run(&mut command).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(
        said.contains("number of transactions actually processed: 20/20"),
        "{said}"
    );
}
