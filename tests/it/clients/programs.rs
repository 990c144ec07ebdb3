//! The client programs of tests/clients: each is asked the same on Lakegate and on PostgreSQL.

use std::path::PathBuf;
use std::process::Command;

use crate::clients::{python, run};
use crate::gateway::{Gateway, given, given_if_set, postgres};

/// A gateway over the lake whose one table PostgreSQL has too.
pub(super) fn gateway(arguments: &[&str]) -> Gateway {
    Gateway::start(&PathBuf::from(given("LAKEGATE_TEST_EVERY_TYPE")), arguments)
}

/// Has a program compared; what differs, and is not listed, fails the test.
fn compare(program: &str, gateway: &Gateway, theirs: &str) {
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command
        .args(["tests/clients/compare.py", program])
        .args(["--ours", &gateway.address().to_string()])
        .args(["--theirs", theirs]);
    if given_if_set("LAKEGATE_CLIENTS_FILL").is_some() {
        command.arg("--fill");
    }
    let failure = run(&mut command).err();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}

/// One test a program.
macro_rules! in_plain {
    ($($program:ident),*) => {
        mod in_plain {
            $(
                #[test]
                fn $program() {
                    let gateway = super::gateway(&[]);
                    super::compare(stringify!($program), &gateway, &super::postgres().to_string());
                }
            )*
        }
    };
}

in_plain!(
    libpq,
    psycopg2,
    asyncpg,
    pg8000,
    sqlalchemy,
    odbc,
    node_pg,
    postgres_js,
    jdbc
);

#[test]
fn python_drivers_read_the_same_values_as_from_postgres() {
    python("tests/clients/drivers.py", &Gateway::of_test_lake());
}
