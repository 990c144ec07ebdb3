//! psql of two versions: what its commands show, and the names it completes.

use std::process::Command;

use crate::clients::run;
use crate::gateway::{Gateway, given, test_lake};

/// What a program of PostgreSQL's prints about the lake.
fn of(program: &str, gateway: &Gateway, arguments: &[&str]) -> String {
    let port = gateway.address().port().to_string();
    let mut command = Command::new(program);
    command
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "postgres",
            "-d",
            "lake",
        ])
        .args(arguments);
    run(&mut command).unwrap_or_else(|failure| panic!("{failure}"))
}

/// psql without a start-up file, stopping at the first error.
fn psql(program: &str, gateway: &Gateway, arguments: &[&str]) -> String {
    let mut all = vec!["-X", "-v", "ON_ERROR_STOP=1"];
    all.extend(arguments);
    of(program, gateway, &all)
}

#[test]
fn psql_describes_the_lake() {
    let gateway = Gateway::of_test_lake();
    for program in given("LAKEGATE_TEST_PSQL").split(':') {
        let described = |command: &str, named: &[&str]| {
            let out = psql(program, &gateway, &["-c", command]);
            for name in named {
                assert!(
                    out.contains(name),
                    "{program} {command} lacks {name}:\n{out}"
                );
            }
        };
        described("\\d", &["regions"]);
        described("\\dt *.*", &["silver", "orders", "daily_revenue"]);
        described("\\dt silver.*", &["items", "edges"]);
        described("\\dv", &[]);
        described("\\dn", &["bronze", "gold", "public", "silver"]);
        described("\\dn+", &["bronze"]);
        described("\\l", &["lake"]);
        described("\\du", &["postgres"]);
        described("\\df", &[]);
        described(
            "\\d silver.orders",
            &[
                "order_id",
                "bigint",
                "numeric(12,2)",
                "timestamp with time zone",
                "discount",
            ],
        );
        described("\\d+ gold.shops", &["shopName", "smallint", "text[]"]);
        described("\\d silver.items", &["OrderId", "unitPrice"]);
        let timed = psql(
            program,
            &gateway,
            &[
                "-c",
                "\\timing on",
                "-c",
                "select count(*) as n from silver.items",
            ],
        );
        assert!(timed.contains("782") && timed.contains("Time:"), "{timed}");
        let csv = psql(
            program,
            &gateway,
            &["--csv", "-c", "select * from regions order by region"],
        );
        assert_eq!(
            csv,
            "region,label,vat\neast,The East,\nnorth,The North,0.25\nsouth,The South,0.23\n"
        );
    }
}

#[test]
fn psql_completes_names() {
    let gateway = Gateway::of_test_lake();
    for program in given("LAKEGATE_TEST_PSQL").split(':') {
        let out = psql(
            program,
            &gateway,
            &["-At", "-f", "tests/clients/psql_completion.sql"],
        );
        let names = [
            "orders", "silver", "order_id", "regions", "lake", "timezone",
        ];
        for name in names {
            assert!(
                out.contains(name),
                "{program} does not offer {name}:\n{out}"
            );
        }
    }
}

#[test]
fn pg_dump_writes_what_there_is() {
    let views = tempfile::tempdir().expect("a folder can be made");
    let folder = views.path().display().to_string();
    let gateway = Gateway::start(&test_lake(), &["--views", &folder]);
    let definitions = "create view gold.revenue as select region, sum(amount) as amount from silver.orders group by region;
        comment on view gold.revenue is 'By region';
        comment on column silver.orders.amount is 'Without VAT';
        alter view gold.revenue add primary key (region) not enforced";
    let programs = given("LAKEGATE_TEST_PSQL");
    // The newest: an older one refuses a newer server.
    let newest = programs.split(':').next_back().expect("there is one");
    psql(newest, &gateway, &["-c", definitions]);
    let pg_dump = newest.replace("psql", "pg_dump");
    let dump = of(&pg_dump, &gateway, &["--schema-only"]);
    let expected = [
        "CREATE TABLE silver.orders (",
        "    amount numeric(12,2),",
        "    ordered_at timestamp with time zone,",
        "CREATE VIEW gold.revenue AS",
        "COMMENT ON VIEW gold.revenue IS 'By region';",
        "COMMENT ON COLUMN silver.orders.amount IS 'Without VAT';",
        "PostgreSQL database dump complete",
    ];
    for line in expected {
        assert!(dump.contains(line), "the dump lacks {line}:\n{dump}");
    }
    // What came with the server is the server's.
    assert!(!dump.contains("lakegate."), "{dump}");
}
