//! psql shows the row policies of a table as it shows PostgreSQL's.

use std::net::SocketAddr;
use std::process::Command;

use crate::clients::run;
use crate::gateway::{given, postgres};
use crate::rights::{PASSWORD, place};

/// What both are told. A condition is shown as it was written, in parentheses: so it is written as
/// PostgreSQL prints it.
const POLICIES: &[&str] = &[
    "create role dp_readers",
    "create role dp_bi",
    "alter table vault.secrets enable row level security",
    "create policy everyone on vault.secrets using (id > 1)",
    "create policy several on vault.secrets as restrictive for select to dp_readers, dp_bi using (word <> 'x'::text)",
    "create policy one on vault.secrets to dp_bi using (id = 2)",
];

struct Server {
    address: SocketAddr,
    user: &'static str,
    database: &'static str,
}

impl Server {
    fn psql(&self, program: &str, commands: &[&str]) -> String {
        let mut command = Command::new(program);
        command.env("PGPASSWORD", PASSWORD);
        command.args(["-X", "-v", "ON_ERROR_STOP=1", "-U", self.user]);
        command.args(["-h", &self.address.ip().to_string()]);
        command.args(["-p", &self.address.port().to_string()]);
        command.args(["-d", self.database]);
        for one in commands {
            command.args(["-c", one]);
        }
        run(&mut command).unwrap_or_else(|failure| panic!("{failure}"))
    }
}

#[test]
fn psql_shows_policies_as_those_of_postgres() {
    let (place, _ada) = place();
    let ours = Server {
        address: place.gateway.address(),
        user: "ada",
        database: "lake",
    };
    let theirs = Server {
        address: postgres(),
        user: "postgres",
        database: "psql_policies",
    };
    let programs = given("LAKEGATE_TEST_PSQL");
    let first = programs.split(':').next().expect("there is one");
    let of_cluster = Server {
        database: "postgres",
        ..theirs
    };
    let again = [
        "drop database if exists psql_policies",
        "drop role if exists dp_readers, dp_bi",
        "create database psql_policies",
    ];
    of_cluster.psql(first, &again);
    let table = [
        "create schema vault",
        "create table vault.secrets (id bigint, word text)",
    ];
    theirs.psql(first, &table);
    for server in [&ours, &theirs] {
        server.psql(first, POLICIES);
    }
    for program in programs.split(':') {
        for state in ["enable", "force", "no force", "disable"] {
            let change = format!("alter table vault.secrets {state} row level security");
            let [shown, expected] = [&ours, &theirs]
                .map(|server| server.psql(program, &[&change, "\\d vault.secrets"]));
            assert!(expected.contains("TO dp_bi,dp_readers"), "{expected}");
            assert_eq!(shown, expected, "{program}: {change}");
            let [shown, expected] =
                [&ours, &theirs].map(|server| server.psql(program, &["\\dp vault.secrets"]));
            assert!(expected.contains("to: dp_bi, dp_readers"), "{expected}");
            let (shown, expected) = (last_column(&shown), last_column(&expected));
            assert_eq!(shown, expected, "{program}: \\dp");
        }
    }
}

/// The lines about policies of `\dp`, without what was granted; the policies are in any order there.
fn last_column(shown: &str) -> Vec<&str> {
    let lines = shown.lines().filter(|line| !line.starts_with('-'));
    let cells = lines.filter_map(|line| line.rsplit('|').next());
    let mut cells: Vec<&str> = cells
        .map(|cell| cell.trim_end_matches('+').trim())
        .collect();
    cells.sort_unstable();
    cells
}
