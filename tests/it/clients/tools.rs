//! Tools that ask a server what it has, and work with that: each on Lakegate and on a PostgreSQL that
//! holds the same objects, those of tests/statements.

use std::process::Command;

use tempfile::TempDir;

use crate::clients::programs::{assert_agreed, compare};
use crate::clients::run;
use crate::gateway::{Gateway, given, postgres};

/// A database of its own, for some tools define views.
fn agrees(program: &str) {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let database = format!("tools_{program}");
    let theirs = postgres();
    run(Command::new(given("LAKEGATE_TEST_PYTHON"))
        .arg("tests/statements/objects.py")
        .arg(folder.path())
        .arg(format!(
            "host={} port={} user=postgres",
            theirs.ip(),
            theirs.port()
        ))
        .arg(&database))
    .expect("the objects are made");
    let views = folder.path().join("views");
    let views = views.to_str().expect("the path is text");
    let options = ["--views", views, "--database", &database];
    let gateway = Gateway::start(&folder.path().join("lake"), &options);
    let mut command = compare(program, &gateway, &theirs.to_string());
    command.args(["--database", &database]);
    assert_agreed(command);
}

/// A test a program.
macro_rules! tools {
    ($($program:ident),* $(,)?) => {
        $(
            #[test]
            fn $program() {
                agrees(stringify!($program));
            }
        )*
    };
}

tools!(
    sqlalchemy_inspection,
    sqlalchemy_1_4_inspection,
    jdbc_metadata,
    odbc_catalog,
    pgcli,
    dbt,
    superset,
);
