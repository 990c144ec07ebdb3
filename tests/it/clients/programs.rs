//! The client programs of tests/clients: each is asked the same on Lakegate and on PostgreSQL.

use std::path::PathBuf;
use std::process::Command;

use crate::clients::run;
use crate::clients::secured::{Tls, secured_gateway};
use crate::gateway::{Gateway, given, given_if_set, postgres};

/// The lake whose one table both PostgreSQL have too.
pub(super) fn every_type() -> PathBuf {
    PathBuf::from(given("LAKEGATE_TEST_EVERY_TYPE"))
}

/// The command that compares a program's answers of both servers.
pub(super) fn compare(program: &str, gateway: &Gateway, theirs: &str) -> Command {
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command
        .args(["tests/clients/compare.py", program])
        .args(["--ours", &gateway.address().to_string()])
        .args(["--theirs", theirs]);
    if given_if_set("LAKEGATE_CLIENTS_FILL").is_some() {
        command.arg("--fill");
    }
    command
}

/// What differs, and is not listed, fails the test.
pub(super) fn assert_agreed(mut command: Command) {
    let failure = run(&mut command).err();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}

fn agrees_in_plain(program: &str) {
    let gateway = Gateway::start(&every_type(), &[]);
    assert_agreed(compare(program, &gateway, &postgres().to_string()));
}

fn agrees_over_tls(program: &str) {
    let gateway = secured_gateway();
    let tls = Tls::given();
    let mut command = compare(program, &gateway, &tls.postgres);
    command
        .env("PGPASSWORD", &tls.password)
        .args(["--root-certificate", &tls.certificate]);
    assert_agreed(command);
}

/// Two tests a program.
macro_rules! programs {
    ($($program:ident),* $(,)?) => {
        mod in_plain {
            $(
                #[test]
                fn $program() {
                    super::agrees_in_plain(stringify!($program));
                }
            )*
        }
        mod over_tls {
            $(
                #[test]
                fn $program() {
                    super::agrees_over_tls(stringify!($program));
                }
            )*
        }
    };
}

programs!(
    libpq,
    psycopg,
    psycopg2,
    asyncpg,
    pg8000,
    sqlalchemy,
    adbc,
    connectorx,
    odbc,
    odbc_declare_fetch,
    node_pg,
    postgres_js,
    jdbc,
);
