//! The tools people come with: psql of two versions, the Python drivers, tokio-postgres; and the
//! peers that read the same files.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, NoTls};

use crate::gateway::{Gateway, given, postgres, program};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program to its end: what it printed, or everything it said if it failed.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .current_dir(root())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && !said.contains("ERROR") {
        return Ok(out);
    }
    Err(format!("{command:?}: {}\n{out}{said}", output.status))
}

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

/// Runs a Python script with the address of the gateway and of PostgreSQL.
fn python(script: &str, gateway: &Gateway) {
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command
        .arg(script)
        .args(["--gateway", &gateway.address().to_string()])
        .args(["--postgres", &postgres().to_string()]);
    let failure = run(&mut command).err();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}

#[test]
fn duckdb_and_deltalake_read_the_same_rows() {
    python("tests/peers/compare.py", &Gateway::of_test_lake());
}

#[test]
fn every_view_of_the_demo_is_what_others_compute() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let lake = folder.path().join("lake");
    let made = run(program()
        .args(["demo", "--no-serve", "--scale", "0.005", "--dir"])
        .arg(&lake));
    assert!(made.is_ok(), "{made:?}");
    let views = lake.join("views");
    let views = views.to_str().expect("a temporary path is text");
    let gateway = Gateway::start(&lake, &["--views", views]);
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command
        .arg("tests/peers/demo.py")
        .args(["--gateway", &gateway.address().to_string(), "--lake"])
        .arg(&lake);
    let failure = run(&mut command).err();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}

#[test]
fn python_drivers_read_the_same_values_as_from_postgres() {
    python("tests/clients/drivers.py", &Gateway::of_test_lake());
}

/// A value as its bytes on the wire, of whatever type.
#[derive(Debug, PartialEq, Eq)]
struct Bytes(Option<Vec<u8>>);

impl<'a> FromSql<'a> for Bytes {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw.to_vec())))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

type Parameter = &'static (dyn ToSql + Sync);

/// Statements and parameters that give the same on both: one type a line.
const STATEMENTS: &[(&str, &[Parameter])] = &[
    ("select $1::bool, $2::bool", &[&true, &None::<bool>]),
    (
        "select $1::int2, $2::int4, $3::int8",
        &[&-7_i16, &i32::MAX, &i64::MIN],
    ),
    (
        "select $1::float4, $2::float8",
        &[&0.1_f32, &f64::NEG_INFINITY],
    ),
    ("select $1::text, $2::varchar", &[&"snø ☃", &""]),
    ("select $1::bytea", &[&b"\x00\xff\\".as_slice()]),
    ("select $1::int4 + 1 as a, $1::int4 * 2 as b", &[&20]),
    ("select $1 as a where $2 = 1", &[&"typed by nothing", &1]),
    (
        "select n from generate_series(1, 3) as g(n) where n > $1 order by n limit $2",
        &[&1, &5_i64],
    ),
    (
        "select date '2026-02-28' as d, timestamp '2026-01-01 10:00' as t",
        &[],
    ),
    ("select timestamptz '2026-07-01 12:00:00+02' as t", &[]),
    (
        "select interval '1 day 02:03:04' as i, time '23:59:59.999999' as t",
        &[],
    ),
    (
        "select 1.5::numeric(10,2) as a, -0.00012::numeric as b, 'NaN'::float8 as c",
        &[],
    ),
    ("select array[1,2,3] as a, array['x',null] as b", &[]),
    ("select $1::int4[] as a", &[&[3_i32, 1, 2].as_slice()]),
    (
        "select count(*) as n, sum(n) as s, avg(n::float8) as a from generate_series(1, 10) as g(n)",
        &[],
    ),
    ("select upper($1) as u, length($1) as l", &[&"straße"]),
];

async fn connect(address: SocketAddr) -> Client {
    let parameters = format!("host=127.0.0.1 port={} user=postgres", address.port());
    let (client, connection) = tokio_postgres::connect(&parameters, NoTls)
        .await
        .expect("the server lets user postgres in");
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends with the client, and the test's runtime owns both"
    )]
    tokio::spawn(connection);
    client
}

/// Column names and types, and every value's bytes; or the error's code.
async fn outcome(client: &Client, sql: &str, parameters: &[Parameter]) -> String {
    let statement = match client.prepare(sql).await {
        Ok(statement) => statement,
        Err(error) => return format!("prepare: {error:?}"),
    };
    let columns: Vec<String> = statement
        .columns()
        .iter()
        .map(|column| format!("{} {}", column.name(), column.type_()))
        .collect();
    let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|it| *it as _).collect();
    let rows = match client.query(&statement, &parameters).await {
        Ok(rows) => rows,
        Err(error) => return format!("query: {error:?}"),
    };
    let rows: Vec<Vec<Bytes>> = rows
        .iter()
        .map(|row| (0..row.len()).map(|at| row.get(at)).collect())
        .collect();
    format!("{:?} {columns:?} {rows:?}", statement.params())
}

/// Statements that Lakegate is known to answer otherwise or to refuse; `docs/differences.md` says
/// how. One that comes to agree must leave the list.
const DIFFERENT: &[&str] = &[
    "select $1::text, $2::varchar",
    "select $1::bytea",
    "select date '2026-02-28' as d, timestamp '2026-01-01 10:00' as t",
    "select interval '1 day 02:03:04' as i, time '23:59:59.999999' as t",
    "select $1::int4[] as a",
    "select upper($1) as u, length($1) as l",
];

#[tokio::test]
async fn tokio_postgres_reads_the_same_bytes_as_from_postgres() {
    let gateway = Gateway::of_test_lake();
    let (ours, theirs) = (connect(gateway.address()).await, connect(postgres()).await);
    let mut differences = Vec::new();
    let mut no_longer = Vec::new();
    for (sql, parameters) in STATEMENTS {
        let expected = outcome(&theirs, sql, parameters).await;
        assert!(!expected.contains("Error"), "{sql}: {expected}");
        let came = outcome(&ours, sql, parameters).await;
        match (came == expected, DIFFERENT.contains(sql)) {
            (false, false) => differences.push(format!("{sql}\n  - {expected}\n  + {came}")),
            (true, true) => no_longer.push(*sql),
            _ => {}
        }
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
    assert!(
        no_longer.is_empty(),
        "no longer different, so take them off the list: {no_longer:?}"
    );
}
