//! What is kept of answers over servers: nothing that a writer has made untrue since.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rusqlite::Connection;

use super::mariadb::Maria;
use super::{Database, Place, done, lines};
use crate::gateway::given_if_set;
use crate::wire::Wire;

/// Steps of a random history.
const N_STEPS: usize = 150;

/// Answers that were given from what was kept.
fn hits(wire: &mut Wire) -> i64 {
    let hits = "select hits from lakegate.cache where cache = 'results'";
    wire.value(hits).parse().expect("it is a number")
}

/// How many of the answers to a query, asked so often, were kept before.
fn hits_of(wire: &mut Wire, query: &str, n_times: usize) -> i64 {
    let before = hits(wire);
    for _ in 0..n_times {
        lines(wire, query);
    }
    hits(wire) - before
}

fn random() -> (u64, StdRng) {
    let seed = given_if_set("LAKEGATE_TEST_SEED").and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    (seed, StdRng::seed_from_u64(seed))
}

const TABLES: &str = "
create table plain (id int primary key, n int, word text);
insert into plain select i, i % 7, 'w' || i % 5 from generate_series(1, 100) i;
create unlogged table unlogged (id int, n int, word text);
create table parts (id int, n int, word text) partition by range (id);
create table parts_1 partition of parts for values from (0) to (1000);
create type mood as enum ('glad', 'sad');
create table moods (id int, n int, word mood);
create materialized view stored as select * from plain with no data;
refresh materialized view stored;
create view seen as select id, n, word from plain;
create sequence numbers;
create view moving as select last_value::int as id, last_value::int as n, 'a' as word from numbers;
create table hidden (id int, n int, word text);
alter table hidden enable row level security;
create table priced (id int, n int, word money);
";

/// What a writer does, once or in a transaction.
fn writing(random: &mut StdRng) -> String {
    let table = *["plain", "unlogged", "parts"].choose(random).expect("some");
    let number: i32 = random.random_range(0..500);
    let one = match random.random_range(0..9) {
        0 => format!(
            "insert into {table} values ({}, {number}, 'new') ",
            200 + number
        ),
        1 => format!("update {table} set n = n + 1 where id = {number}"),
        2 => format!("delete from {table} where id = {number}"),
        3 => format!("truncate {table}"),
        4 => "refresh materialized view stored".to_owned(),
        5 => format!("insert into moods values ({number}, 1, 'glad')"),
        6 => "vacuum".to_owned(),
        7 => "select nextval('numbers')".to_owned(),
        _ => format!("alter table {table} alter column word set default 'd{number}'"),
    };
    match random.random_range(0..5) {
        0 if one != "vacuum" => format!("begin; {one}; rollback"),
        1 if one != "vacuum" => {
            format!("begin; savepoint a; {one}; release a; update moods set n = 2; commit")
        }
        _ => one,
    }
}

#[test]
fn what_is_kept_of_postgres_is_what_a_fresh_look_would_find() {
    let database = Database::new("versions", TABLES);
    let place = Place::with_marts(&database);
    let (mut wire, mut truth) = (place.gateway.connect(), database.connect());
    let mut writer = database.connect();
    let mut open = database.connect();
    let (seed, mut random) = random();
    println!("LAKEGATE_TEST_SEED={seed}");
    let mut is_open = false;
    let mut n_failed = 0;
    let before = hits(&mut wire);
    for step in 0..N_STEPS {
        match random.random_range(0..8) {
            // A transaction that stays open over others.
            0 if !is_open => {
                done(&mut open, "begin; insert into moods values (1, 1, 'sad')");
                is_open = true;
            }
            1 if is_open => {
                let end = if random.random_bool(0.5) {
                    "commit"
                } else {
                    "rollback"
                };
                done(&mut open, end);
                is_open = false;
            }
            2..=5 => {
                let sql = writing(&mut random);
                // A key that is there already is an error, and nothing is written.
                let is_blocked = is_open && sql.contains("moods");
                if !is_blocked && writer.query(&sql).is_err() {
                    n_failed += 1;
                    drop(writer.query("rollback"));
                }
            }
            _ => {}
        }
        for table in [
            "plain", "unlogged", "parts", "stored", "moods", "seen", "moving",
        ] {
            let query = |of: &str| {
                format!("select count(*), sum(n), min(word::text), max(id) from {of}{table}")
            };
            let expected = lines(&mut truth, &query(""));
            let found = lines(&mut wire, &query("mart."));
            assert_eq!(found, expected, "seed {seed}, step {step}: {table}");
        }
    }
    assert!(n_failed < N_STEPS / 2, "{n_failed} of the writes failed");
    let kept = hits(&mut wire) - before;
    println!("{kept} of {} answers were kept", N_STEPS * 7);
    assert!(kept > 50, "{kept} answers were kept");
}

#[test]
fn only_tables_that_transactions_alone_change_are_kept() {
    let database = Database::new("told", TABLES);
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    for table in ["plain", "unlogged", "parts", "stored", "moods"] {
        let query = format!("select count(*) from mart.{table}");
        // Whatever others do at the server meanwhile makes another token.
        let deadline = Instant::now() + Duration::from_secs(90);
        while hits_of(&mut wire, &query, 3) != 2 {
            assert!(Instant::now() < deadline, "{table}");
        }
    }
    for table in ["seen", "moving", "hidden", "priced"] {
        let query = format!("select count(*) from mart.{table}");
        assert_eq!(hits_of(&mut wire, &query, 3), 0, "{table}");
    }
    // What another user may not read, what was read for one does not tell.
    done(
        &mut database.connect(),
        "drop role if exists warehouse_nobody; create role warehouse_nobody login",
    );
    let query = "select sum(id) from mart.plain";
    assert_eq!(wire.value(query), "5050");
    done(&mut wire, "drop user mapping for public server dwh");
    done(
        &mut wire,
        "create user mapping for public server dwh options (user 'warehouse_nobody')",
    );
    assert!(wire.query(query).is_err());
    let drop = "drop user mapping for public server dwh; create user mapping for public server dwh options (user 'postgres')";
    for statement in drop.split("; ") {
        done(&mut wire, statement);
    }
    done(&mut database.connect(), "drop role warehouse_nobody");
    // One moment of a transaction stays, whatever is kept of later ones.
    let count = "select count(*) from mart.plain";
    done(&mut wire, "begin isolation level repeatable read");
    assert_eq!(wire.value(count), "100");
    done(&mut database.connect(), "delete from plain where id > 10");
    assert_eq!(place.gateway.connect().value(count), "10");
    assert_eq!(wire.value(count), "100");
    done(&mut wire, "commit");
    assert_eq!(wire.value(count), "10");
}

/// A gateway over a file of SQLite as the schema `mart`, and who writes to it.
fn of_file() -> (Place, std::path::PathBuf, Connection) {
    let place = Place::new(&[]);
    let path = place.lake.path().join("kept.db");
    let writer = Connection::open(&path).expect("a file can be made");
    let tables = "create table a (id integer primary key, n integer); insert into a values (1, 1); \
         create view at_random as select random() as n";
    writer.execute_batch(tables).expect("it can be written");
    let mut wire = place.gateway.connect();
    for statement in [
        "create server file foreign data wrapper sqlite options (database 'kept.db')",
        "create schema mart",
        "import foreign schema main from server file into mart",
    ] {
        done(&mut wire, statement);
    }
    (place, path, writer)
}

#[test]
fn what_is_kept_of_a_file_is_what_a_fresh_look_would_find() {
    let (place, _, writer) = of_file();
    let run = |sql: &str| writer.execute_batch(sql).expect(sql);
    let mut wire = place.gateway.connect();
    let (seed, mut random) = random();
    println!("LAKEGATE_TEST_SEED={seed}");
    let query = "select count(*), sum(n), max(id) from mart.a";
    let before = hits(&mut wire);
    for step in 0..N_STEPS {
        let number: i32 = random.random_range(2..60);
        match random.random_range(0..10) {
            _ if step == N_STEPS / 2 => run("pragma journal_mode = wal"),
            0 => run(&format!(
                "insert or replace into a values ({number}, {step})"
            )),
            1 => run(&format!("update a set n = n + 1 where id < {number}")),
            2 => run(&format!("delete from a where id = {number}")),
            3 => run(&format!(
                "begin; delete from a where id < {number}; rollback"
            )),
            4 => run("pragma wal_checkpoint(truncate)"),
            _ => {}
        }
        let expected = "select count(*) || '|' || coalesce(sum(n), 'NULL') || '|' || coalesce(max(id), 'NULL') from a";
        let expected: String = writer
            .query_row(expected, [], |row| row.get(0))
            .expect("it answers");
        assert_eq!(
            lines(&mut wire, query),
            [expected],
            "seed {seed}, step {step}"
        );
    }
    let kept = hits(&mut wire) - before;
    println!("{kept} of {N_STEPS} answers were kept");
    assert!(kept > 20, "{kept} answers were kept");
    assert_eq!(hits_of(&mut wire, "select n from mart.at_random", 3), 0);
}

#[test]
fn another_file_in_the_place_of_one_is_another() {
    let (place, path, writer) = of_file();
    let copy = place.lake.path().join("copy.db");
    std::fs::copy(&path, &copy).expect("it can be copied");
    // As large, and written to as often.
    writer
        .execute_batch("update a set n = 555")
        .expect("it can be written");
    let other = Connection::open(&copy).expect("it opens");
    other
        .execute_batch("update a set n = 777")
        .expect("it can be written");
    drop(other);
    let mut wire = place.gateway.connect();
    assert_eq!(wire.value("select n from mart.a"), "555");
    assert_eq!(hits_of(&mut wire, "select n from mart.a", 2), 2);
    std::fs::rename(&copy, &path).expect("it can be put there");
    assert_eq!(wire.value("select n from mart.a"), "777");
}

#[test]
fn servers_without_versions_are_kept_as_long_as_they_say() {
    let maria = Maria::new("kept", "create table a (n int); insert into a values (1)");
    let place = maria.place();
    let mut wire = place.gateway.connect();
    let query = "select sum(n) from mart.a";
    assert_eq!(hits_of(&mut wire, query, 3), 0);
    done(&mut wire, "alter server dwh options (add cache_ttl '2')");
    let refused = wire.query("alter server dwh options (set cache_ttl 'soon')");
    assert_eq!(refused.expect_err("it is no number").code(), "22023");
    assert_eq!(hits_of(&mut wire, query, 3), 2);
    maria.run("update a set n = 2");
    // Not later than it says.
    let begun = Instant::now();
    while wire.value(query) != "2" {
        assert!(begun.elapsed() < Duration::from_secs(3));
        sleep(Duration::from_millis(20));
    }
    // A transaction that sees one moment is not shown another's.
    done(&mut wire, "begin isolation level repeatable read");
    assert_eq!(wire.value(query), "2");
    maria.run("update a set n = 3");
    assert_eq!(wire.value(query), "2");
    done(&mut wire, "commit");
}
