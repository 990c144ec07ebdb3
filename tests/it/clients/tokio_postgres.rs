//! tokio-postgres: every value in binary, byte by byte.

use std::error::Error;
use std::net::SocketAddr;

use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, NoTls};

use crate::gateway::{Gateway, postgres};

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
const DIFFERENT: &[&str] = &["select upper($1) as u, length($1) as l"];

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
