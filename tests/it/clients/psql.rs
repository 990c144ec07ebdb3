//! psql of two versions: what its commands show, and the names it completes.

use std::process::Command;

use crate::clients::run;
use crate::gateway::{Gateway, given};

/// psql without a start-up file, stopping at the first error.
fn psql(program: &str, gateway: &Gateway, arguments: &[&str]) -> String {
    let port = gateway.address().port().to_string();
    let mut command = Command::new(program);
    command
        .args([
            "-X",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "postgres",
            "-d",
            "lake",
        ])
        .args(["-v", "ON_ERROR_STOP=1"])
        .args(arguments);
    run(&mut command).unwrap_or_else(|failure| panic!("{failure}"))
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
