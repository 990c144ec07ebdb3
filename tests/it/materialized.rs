//! Materialized views: right whatever becomes of the tables below, of refreshes, and of who may see what.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::clients::run;
use crate::delta::{Row, append_version, write_table, write_version};
use crate::gateway::{Gateway, given, given_if_set, program};
use crate::login::log_in;
use crate::wire::Wire;

/// How long is waited for what comes about by itself.
const SEEN_MAX: Duration = Duration::from_secs(20);

/// As many rows, of three words.
pub(crate) fn rows(n_rows: i64) -> Vec<Row> {
    let words = ["red", "green", "blue"];
    (0..n_rows)
        .map(|id| {
            (
                id,
                vec![words[usize::try_from(id % 3).expect("it is small")].to_owned()],
            )
        })
        .collect()
}

/// A lake with a table `s.t` of a version, and views beside it.
pub(crate) fn lake(views: &[(&str, &str)]) -> TempDir {
    let lake = TempDir::new().expect("a temporary folder can be made");
    write_table(&lake.path().join("s/t"), &["word"], &[rows(10)]);
    for (path, text) in views {
        let file = lake.path().join("_lakegate/views").join(path);
        fs::create_dir_all(file.parent().expect("below the views")).expect("a folder can be made");
        fs::write(file, text).expect("a view can be written");
    }
    lake
}

pub(crate) fn serve(lake: &Path, arguments: &[&str]) -> Gateway {
    Gateway::start_with_state(lake, &lake.join("_lakegate"), arguments)
}

/// The version of a view's stored rows that a query reads; empty if it reads none.
pub(crate) fn stored(wire: &mut Wire, query: &str) -> String {
    let lines = wire
        .query(&format!("explain {query}"))
        .expect("it is planned");
    let lines = lines[0].rows.iter().filter_map(|row| row[0].clone());
    let told: Vec<String> = lines
        .filter_map(|line| Some(line.strip_prefix("Materialized View: ")?.to_owned()))
        .collect();
    told.join("; ")
}

fn wait_for(wire: &mut Wire, query: &str, expected: &str) {
    let deadline = Instant::now() + SEEN_MAX;
    loop {
        let answer = wire.value(query);
        if answer == expected {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{query}: {answer}, not {expected}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a script that makes a lake of its own and asks a gateway, which keeps its state apart and refreshes nothing by itself.
pub(crate) fn over_own_state(script: &str) {
    let lake = TempDir::new().expect("a temporary folder can be made");
    let state = TempDir::new().expect("a temporary folder can be made");
    let gateway = Gateway::start_with_state(lake.path(), state.path(), &["--poll", "0"]);
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command
        .arg(script)
        .args(["--gateway", &gateway.address().to_string(), "--make"])
        .arg(lake.path())
        .arg("--state")
        .arg(state.path());
    let failure = run(&mut command).err();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}

#[test]
fn views_give_what_their_queries_give_whatever_happens() {
    over_own_state("tests/peers/materialized.py");
}

/// Runs a script that starts gateways of its own.
pub(crate) fn with_own_gateways(script: &str, arguments: &[&str]) {
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command
        .args([script, "--program"])
        .arg(program().get_program())
        .args(arguments);
    let failure = run(&mut command).err();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}

#[test]
fn gateways_that_are_killed_at_any_write_leave_the_views_right() {
    with_own_gateways("tests/peers/failpoints.py", &[]);
}

#[test]
fn what_nobody_reads_any_more_is_taken_away() {
    with_own_gateways("tests/peers/vacuumed.py", &[]);
}

#[test]
fn a_commit_is_followed_by_a_refresh() {
    let lake = lake(&[
        (
            "m/counted.sql",
            "create materialized view m.counted as select word, count(*) as n from s.t group by word;",
        ),
        (
            "m/by_hand.sql",
            "create materialized view m.by_hand with (refresh = 'manual') as select count(*) as n from s.t;",
        ),
        (
            "m/broken.sql",
            "create materialized view m.broken as select now() as at, id from s.t;",
        ),
    ]);
    let gateway = serve(lake.path(), &["--poll", "1"]);
    let mut wire = gateway.connect();
    let of = |column: &str, view: &str| {
        let value = format!("coalesce(({column})::text, 'none')");
        format!("select {value} from lakegate.matviews where view_name = '{view}'")
    };
    wait_for(&mut wire, &of("version", "counted"), "0");
    assert_eq!(
        stored(&mut wire, "select * from m.counted"),
        "m.counted (at version 0)"
    );
    write_version(&lake.path().join("s/t"), &["word"], 1, &rows(30));
    // Before the refresh, and after it.
    assert_eq!(wire.value("select sum(n) from m.counted"), "30");
    wait_for(
        &mut wire,
        &of("inputs || ' ' || stale", "counted"),
        "s.t v1 false",
    );
    assert_eq!(
        stored(&mut wire, "select * from m.counted"),
        "m.counted (at version 1)"
    );
    assert_eq!(wire.value("select sum(n) from m.counted"), "30");
    // As it was, from the rows that were stored then.
    let past = "select sum(n) from m.counted version as of 0";
    assert_eq!(wire.value(past), "10");
    assert_eq!(stored(&mut wire, past), "m.counted (at version 0)");
    // What is refreshed by hand is not, and what cannot be is answered all the same.
    assert_eq!(wire.value(&of("populated", "by_hand")), "false");
    assert_eq!(wire.value("select n from m.by_hand"), "30");
    assert_eq!(wire.value("select count(at) from m.broken"), "30");
    let message = "a materialized view cannot depend on the session or the clock";
    wait_for(&mut wire, &of("last_error", "broken"), message);
    let told = "select distinct view_name || ' ' || kind || ' ' || sqlstate as told \
                from lakegate.refreshes order by told";
    let told = wire.query(told).expect("it is told");
    let told: Vec<_> = told[0]
        .rows
        .iter()
        .filter_map(|row| row[0].clone())
        .collect();
    assert_eq!(told, ["broken failed 42P17", "counted whole 00000"]);
}

/// A session of a role.
pub(crate) type Session = crate::login::Stream<std::net::TcpStream>;

/// The value that a query gives, or the code of its failure.
pub(crate) fn value(session: &mut Session, sql: &str) -> String {
    match session.query(sql) {
        Ok(values) => values.first().cloned().unwrap_or_default(),
        Err(report) => report.code().to_owned(),
    }
}

/// The views whose stored rows a query reads.
pub(crate) fn read_as(session: &mut Session, query: &str) -> Vec<String> {
    let lines = session
        .query(&format!("explain {query}"))
        .expect("it is planned");
    let told = lines.iter();
    let told = told.filter_map(|line| Some(line.strip_prefix("Materialized View: ")?.to_owned()));
    told.collect()
}

#[test]
fn nobody_sees_stored_rows_that_the_owner_may_not_see() {
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
        "grant usage, create on schema m to ada, bob",
        "grant usage on schema s to ada, bob",
        "grant select on s.t to ada",
    ] {
        done(&mut root, sql);
    }
    let mut ada = login("ada");
    let create =
        "create materialized view m.counted as select word, count(*) as n from s.t group by word";
    done(&mut ada, create);
    done(&mut ada, "grant select on m.counted to bob");
    let mut bob = login("bob");
    let query = "select sum(n) from m.counted";
    let is_read = ["m.counted (at version 0)"];
    assert_eq!(read_as(&mut bob, query), is_read);
    assert_eq!(value(&mut bob, query), "10");
    assert_eq!(
        value(&mut bob, "refresh materialized view m.counted"),
        "42501"
    );
    assert_eq!(value(&mut bob, "drop materialized view m.counted"), "42501");
    // Rows are held back from the owner, and so from everybody who reads the view.
    done(&mut root, "create policy few on s.t to ada using (id < 4)");
    done(&mut root, "alter table s.t enable row level security");
    assert!(read_as(&mut bob, query).is_empty());
    assert_eq!(value(&mut bob, query), "4");
    assert_eq!(
        value(&mut ada, "refresh materialized view m.counted"),
        "0A000"
    );
    done(&mut root, "alter table s.t disable row level security");
    assert_eq!(read_as(&mut bob, query), is_read);
    // A column that the owner may no longer read.
    done(&mut root, "revoke select on s.t from ada");
    assert_eq!(value(&mut bob, query), "42501");
    done(&mut root, "grant select (id) on s.t to ada");
    assert_eq!(value(&mut bob, query), "42501");
    done(&mut root, "grant select on s.t to ada");
    assert_eq!(value(&mut bob, query), "10");
    // A policy on the view itself is above its rows.
    done(
        &mut root,
        "create policy red on m.counted to bob using (word = 'red')",
    );
    done(&mut root, "alter view m.counted enable row level security");
    assert_eq!(read_as(&mut bob, query), is_read);
    assert_eq!(value(&mut bob, query), "4");
}

#[test]
fn staleness_is_given_where_it_is_asked_for() {
    let lake = lake(&[]);
    let gateway = serve(lake.path(), &["--poll", "0"]);
    let mut wire = gateway.connect();
    let done = |wire: &mut Wire, sql: &str| {
        wire.query(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    };
    done(&mut wire, "create schema m");
    done(
        &mut wire,
        "create materialized view m.n as select count(*) as n from s.t",
    );
    let query = "select n from m.n";
    assert_eq!(wire.value(query), "10");
    let told = "select is_current || ' ' || (age > interval '0') || ' ' || version || ' ' || inputs \
                from lakegate.freshness('m.n')";
    assert_eq!(wire.value(told), "true false 0 s.t v0");
    write_version(&lake.path().join("s/t"), &["word"], 1, &rows(30));
    assert_eq!(wire.value(query), "30");
    assert_eq!(wire.value(told), "false true 0 s.t v0");
    done(&mut wire, "set lakegate.max_staleness = '1h'");
    assert_eq!(wire.value(query), "10");
    assert_eq!(stored(&mut wire, query), "m.n (at version 0)");
    done(&mut wire, "set lakegate.max_staleness = '1ms'");
    assert_eq!(wire.value(query), "30");
    done(&mut wire, "reset lakegate.max_staleness");
    assert_eq!(wire.value(query), "30");
    done(
        &mut wire,
        "alter materialized view m.n set (max_staleness = '1 hour')",
    );
    assert_eq!(wire.value(query), "10");
    done(&mut wire, "set lakegate.max_staleness = 0");
    assert_eq!(wire.value(query), "30");
    done(&mut wire, "reset lakegate.max_staleness");
    // A transaction that sees one moment sees nothing older.
    done(&mut wire, "begin isolation level repeatable read");
    assert_eq!(wire.value(query), "30");
    done(&mut wire, "commit");
    // Rows of another definition are never too old, but wrong.
    done(&mut wire, "create view m.below as select id from s.t");
    done(
        &mut wire,
        "create materialized view m.o with (max_staleness = '1 hour') as select count(*) as n from m.below",
    );
    assert_eq!(stored(&mut wire, "select * from m.o"), "m.o (at version 0)");
    done(
        &mut wire,
        "create or replace view m.below as select id from s.t where id < 5",
    );
    assert_eq!(wire.value("select n from m.o"), "5");
}

/// A refresh of all views by a process of its own.
fn refresh(lake: &Path) -> Child {
    program()
        .args(["refresh", "--lake"])
        .arg(lake)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

#[test]
fn refreshes_that_are_killed_or_race_leave_the_views_right() {
    let seed = given_if_set("LAKEGATE_TEST_SEED").and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    println!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let lake = lake(&[(
        "m/counted.sql",
        "create materialized view m.counted with (refresh = 'manual') as \
         select word, count(*) as n, max(id) as most from s.t group by word;",
    )]);
    let gateway = serve(lake.path(), &["--poll", "0"]);
    let mut wire = gateway.connect();
    let mut took = Duration::from_millis(400);
    let mut n_stored = 0;
    // The rows of each file.
    let mut files = vec![10];
    for version in 1..=20 {
        let n_rows = chance.random_range(1..200);
        let table = lake.path().join("s/t");
        if chance.random_bool(0.6) {
            append_version(&table, &["word"], version, &rows(n_rows));
        } else {
            write_version(&table, &["word"], version, &rows(n_rows));
            files.pop();
        }
        files.push(n_rows);
        let begun = Instant::now();
        let mut racing = [refresh(lake.path()), refresh(lake.path())];
        if version % 4 == 0 {
            // Left alone, the two make one version of the rows.
            for child in &mut racing {
                assert!(
                    child.wait().expect("it is ours").success(),
                    "a racer failed"
                );
            }
            took = begun.elapsed();
            assert_ne!(
                stored(&mut wire, "select * from m.counted"),
                "",
                "after both"
            );
        } else {
            for child in &mut racing {
                let until = took.mul_f64(chance.random_range(0.2..1.2));
                std::thread::sleep(until.saturating_sub(begun.elapsed()));
                // It may have ended.
                let _ = child.kill();
                child.wait().expect("it is ours");
            }
        }
        let where_ = format!("seed {seed}, version {version}");
        let sum = wire.value("select sum(n) || ' ' || max(most) from m.counted");
        let longest = files.iter().max().expect("there is one");
        let n_all: i64 = files.iter().sum();
        assert_eq!(sum, format!("{n_all} {}", longest - 1), "{where_}");
        n_stored += usize::from(!stored(&mut wire, "select * from m.counted").is_empty());
        if version % 5 == 0 {
            wire.query("refresh materialized view m.counted")
                .expect(&where_);
            assert_ne!(stored(&mut wire, "select * from m.counted"), "", "{where_}");
            let n_now = wire.value("select n from (select count(*) as n from m.counted) as c");
            assert_eq!(n_now, longest.min(&3).to_string(), "{where_}");
        }
    }
    println!("stored after {n_stored} of 20");
}
