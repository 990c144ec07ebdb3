//! Queries over tables that are answered from materialized views: the same rows, and for the same readers.

use std::fs;

use crate::delta::write_version;
use crate::login::log_in;
use crate::materialized::{
    Session, lake, over_own_state, rows, serve, stored, value, with_own_gateways,
};

#[test]
fn queries_give_what_they_give_without_views() {
    over_own_state("tests/peers/rewriting.py");
}

#[test]
fn queries_give_the_same_after_every_operation() {
    with_own_gateways("tests/peers/operations.py", &["--of", "python"]);
}

#[test]
fn queries_give_the_same_over_tables_that_spark_wrote() {
    with_own_gateways("tests/peers/operations.py", &["--of", "spark"]);
}

/// Whether a query reads the files of the stored view, which its reader may not know by name.
fn is_read(session: &mut Session, query: &str) -> bool {
    let lines = session.query(&format!("explain (why) {query}"));
    let lines = lines.expect("it is planned");
    let names = |line: &String| line.starts_with("Materialized View");
    assert!(!lines.iter().any(names), "{lines:?}");
    lines.iter().any(|line| line.contains("m/counted/"))
}

const COUNTED: &str = "create materialized view m.counted with (refresh = 'manual') as select word, count(*) as n from s.t group by word";

#[test]
fn rows_are_read_only_where_they_are_of_what_is_asked() {
    let lake = lake(&[]);
    let gateway = serve(lake.path(), &["--poll", "0"]);
    let mut wire = gateway.connect();
    let query = "select word, count(*) as n from s.t group by word order by word";
    let total = "select count(*) from s.t";
    wire.query("create schema m").expect("it is made");
    assert_eq!(stored(&mut wire, query), "");
    wire.query(COUNTED).expect("it is made");
    assert_eq!(stored(&mut wire, query), "m.counted (at version 0)");
    assert_eq!(wire.value(total), "10");
    // Another version is not what was stored, and then it is.
    write_version(&lake.path().join("s/t"), &["word"], 1, &rows(30));
    assert_eq!(stored(&mut wire, query), "");
    assert_eq!(wire.value(total), "30");
    let past = "select count(*) from s.t version as of 0";
    assert_eq!(stored(&mut wire, past), "m.counted (at version 0)");
    assert_eq!(wire.value(past), "10");
    wire.query("refresh materialized view m.counted")
        .expect("it is refreshed");
    assert_eq!(stored(&mut wire, query), "m.counted (at version 1)");
    assert_eq!(wire.value(total), "30");
    // Both moments in one statement.
    let both = "select (select count(*) from s.t version as of 0) + (select count(*) from s.t)";
    assert_eq!(wire.value(both), "40");
    // Within a transaction that defines something nothing is known of views.
    wire.query("begin").expect("it begins");
    wire.query("create view m.words as select word from s.t")
        .expect("it is made");
    assert_eq!(stored(&mut wire, query), "");
    assert_eq!(wire.value("select count(*) from m.words"), "30");
    wire.query("rollback").expect("it ends");
    wire.query("set lakegate.rewrite = off").expect("it is set");
    assert_eq!(stored(&mut wire, query), "");
    wire.query("reset lakegate.rewrite").expect("it is set");
    // What is stored and gone is not read.
    let folder = lake
        .path()
        .join("_lakegate/materialized/m/counted/_delta_log");
    fs::remove_dir_all(folder).expect("the log is there");
    assert_eq!(wire.value(total), "30");
}

#[test]
fn readers_of_the_table_are_the_readers() {
    let lake = lake(&[]);
    let gateway = serve(lake.path(), &["--poll", "0"]);
    let mut first = gateway.connect();
    first
        .query("create role root superuser login password 'geheim'")
        .expect("the first role is a superuser");
    drop(first);
    let login = |user: &str| log_in(&gateway, user, "geheim").expect("the password is right");
    let done = |session: &mut Session, sql: &str| {
        session
            .query(sql)
            .unwrap_or_else(|report| panic!("{sql}: {}", report.message()));
    };
    let mut root = login("root");
    for sql in [
        "create role ada login password 'geheim'",
        "create role bob login password 'geheim'",
        "create schema m",
        "grant usage, create on schema m to ada",
        "grant usage on schema s to ada, bob",
        "grant select on s.t to ada, bob",
    ] {
        done(&mut root, sql);
    }
    let mut ada = login("ada");
    done(&mut ada, COUNTED);
    // Who reads the table needs no right on the view.
    let mut bob = login("bob");
    let query = "select sum(n) from (select count(*) as n from s.t group by word) as t";
    assert_eq!(value(&mut bob, "select n from m.counted"), "42501");
    assert!(is_read(&mut bob, query));
    assert_eq!(value(&mut bob, query), "10");
    // Where rows are held back from the reader, no view has what is left.
    done(&mut root, "create policy few on s.t to bob using (id < 4)");
    done(&mut root, "alter table s.t enable row level security");
    assert!(!is_read(&mut bob, query));
    assert_eq!(value(&mut bob, query), "4");
    // From an owner without a policy all are held back, so that nothing that is stored is to be believed.
    let why = "Materialized View Not Used: m.counted (rights)";
    let told = root.query(&format!("explain (why) {query}"));
    assert!(told.expect("it is planned").contains(&why.to_owned()));
    assert_eq!(value(&mut root, query), "10");
    done(&mut root, "drop policy few on s.t");
    done(&mut root, "alter table s.t disable row level security");
    assert!(is_read(&mut bob, query));
    // An owner who may no longer read the table.
    done(&mut root, "revoke select on s.t from ada");
    assert!(!is_read(&mut bob, query));
    assert_eq!(value(&mut bob, query), "10");
    done(&mut root, "grant select on s.t to ada");
    assert!(is_read(&mut bob, query));
    // A reader who may not, and one who may read a column.
    done(&mut root, "revoke select on s.t from bob");
    assert_eq!(value(&mut bob, query), "42501");
    done(&mut root, "grant select (id) on s.t to bob");
    assert_eq!(value(&mut bob, query), "42501");
    assert_eq!(value(&mut bob, "select count(id) from s.t"), "10");
    // The settings of a role.
    done(&mut root, "grant select on s.t to bob");
    done(&mut root, "alter role bob set lakegate.rewrite = off");
    let mut again = login("bob");
    assert!(!is_read(&mut again, query));
    assert_eq!(value(&mut again, query), "10");
}
