//! What psql and the catalog show of servers, beside what they show of postgres_fdw's.

use std::net::SocketAddr;
use std::process::Command;

use super::{Database, Place, done, lines};
use crate::clients::run;
use crate::gateway::given;

/// What is printed of the foreign server, unaligned: PostgreSQL's wrapper has a longer name.
fn psql(address: SocketAddr, database: &str, command: &str) -> String {
    let programs = given("LAKEGATE_TEST_PSQL");
    let first = programs.split(':').next().expect("there is one");
    let mut psql = Command::new(first);
    psql.env("PGPASSWORD", given("LAKEGATE_TEST_PASSWORD"));
    psql.args([
        "-X",
        "-A",
        "-v",
        "ON_ERROR_STOP=1",
        "-U",
        "postgres",
        "-d",
        database,
    ]);
    psql.args([
        "-h",
        &address.ip().to_string(),
        "-p",
        &address.port().to_string(),
    ]);
    psql.args(["-c", command]);
    let shown = run(&mut psql).unwrap_or_else(|failure| panic!("{command}: {failure}"));
    shown.replace("postgres_fdw", "postgres")
}

/// The statements that make servers, by the name of their wrapper.
fn servers(wrapper: &str, database: &Database) -> String {
    let (host, port) = (database.address.ip(), database.address.port());
    format!(
        "create server dwh type 'marts' version '1' foreign data wrapper {wrapper} options (dbname '{}', host '{host}', port '{port}'); \
             create server bare foreign data wrapper {wrapper}; \
             create user mapping for public server dwh options (\"user\" 'postgres'); \
             create user mapping for current_user server bare; create schema mart",
        database.name
    )
}

#[test]
fn psql_shows_servers_mappings_and_tables_as_those_of_postgres_fdw() {
    let table =
        "create table t (a int not null, b varchar(10), c numeric(12,2)); insert into t values (1)";
    let database = Database::new("shown", table);
    let place = Place::new(&[]);
    let ours = place.gateway.address();
    let theirs: SocketAddr = given("LAKEGATE_TEST_POSTGRES_TLS")
        .parse()
        .expect("an address");
    let (host, port) = (database.address.ip(), database.address.port());
    let server = |wrapper: &str| servers(wrapper, &database);
    psql(
        theirs,
        "postgres",
        "drop database if exists warehouse_shown with (force)",
    );
    psql(theirs, "postgres", "create database warehouse_shown");
    psql(theirs, "warehouse_shown", "create extension postgres_fdw");
    psql(theirs, "warehouse_shown", &server("postgres_fdw"));
    psql(
        theirs,
        "warehouse_shown",
        "create foreign table mart.t (a int not null, b varchar(10), c numeric(12,2)) server dwh \
        options (schema_name 'public', table_name 't')",
    );
    for statement in server("postgres").split("; ") {
        psql(ours, "lake", statement);
    }
    // Beyond this machine a connection must be encrypted, unless the server is told otherwise.
    psql(
        ours,
        "lake",
        "alter server dwh options (add sslmode 'disable')",
    );
    psql(
        ours,
        "lake",
        "create foreign table mart.t () server dwh options (schema_name 'public', table_name 't')",
    );
    for command in [
        "\\des",
        "\\des+ bare",
        "\\deu+",
        "\\det",
        "\\det+ mart.*",
        "\\d mart.t",
        "\\d+ mart.t",
        "\\dE mart.*",
        "\\dt mart.*",
    ] {
        let expected = psql(theirs, "warehouse_shown", command);
        assert_eq!(psql(ours, "lake", command), expected, "{command}");
    }
    let wrappers = psql(ours, "lake", "\\dew");
    assert!(
        wrappers.contains("postgres|")
            && wrappers.contains("lake|")
            && wrappers.contains("mysql|")
            && wrappers.contains("sqlite|"),
        "{wrappers}"
    );
    let whole = psql(ours, "lake", "\\des+ dwh");
    let options = format!(
        "(dbname '{}', host '{host}', port '{port}', sslmode 'disable')",
        database.name
    );
    assert!(whole.contains(&options), "{whole}");
}

#[test]
fn the_information_schema_has_what_is_foreign() {
    let database = Database::new("standard", "create table t (a int, b text)");
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    done(
        &mut wire,
        "alter user mapping for public server dwh options (add password 'env:GEHEIM')",
    );
    for (query, expected) in [
        (
            "select foreign_data_wrapper_name from information_schema.foreign_data_wrappers order by 1",
            vec!["lake", "mysql", "postgres", "sqlite"],
        ),
        (
            "select foreign_server_name || ' ' || foreign_data_wrapper_name from information_schema.foreign_servers",
            vec!["dwh postgres"],
        ),
        (
            "select foreign_table_schema || '.' || foreign_table_name || ' ' || foreign_server_name from information_schema.foreign_tables",
            vec!["mart.t dwh"],
        ),
        (
            "select option_name || '=' || option_value from information_schema.foreign_table_options order by 1",
            vec!["schema_name=public", "table_name=t"],
        ),
        (
            "select authorization_identifier from information_schema.user_mappings",
            vec!["PUBLIC"],
        ),
        (
            "select option_name || '=' || option_value from information_schema.user_mapping_options order by 1",
            vec!["password=********", "user=postgres"],
        ),
        (
            "select relkind::text from pg_class where oid = 'mart.t'::regclass",
            vec!["f"],
        ),
        ("select usename from pg_user_mappings", vec!["public"]),
        (
            "select count(*) from pg_tables where schemaname = 'mart'",
            vec!["0"],
        ),
        (
            "select table_name || ' ' || path || ' ' || layout from lakegate.tables where schema_name = 'mart'",
            vec!["t dwh.public.t foreign"],
        ),
    ] {
        assert_eq!(lines(&mut wire, query), expected, "{query}");
    }
    let everything = lines(&mut wire, "select umoptions from pg_user_mapping");
    assert!(!everything.join("").contains("GEHEIM"), "{everything:?}");
}
