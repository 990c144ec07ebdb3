//! The short ways of what is kept: statements that are said again, tables that stand still, rows that were written
//! before, and computations that are read along. Each gives what the long way would.

use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::delta::{Row, write_table, write_version};
use crate::gateway::Gateway;
use crate::wire::{Rows, Wire};

/// Rows with a number and a word.
fn rows(n_rows: i64) -> Vec<Row> {
    (0..n_rows)
        .map(|id| (id, vec![format!("word {}", id % 7)]))
        .collect()
}

/// A lake of one Delta table, `s.t`, and a gateway with these arguments.
fn place(n_rows: i64, arguments: &[&str]) -> (TempDir, Gateway) {
    let lake = TempDir::new().expect("a temporary folder can be made");
    write_table(&lake.path().join("s/t"), &["word"], &[rows(n_rows)]);
    let gateway = Gateway::start(lake.path(), arguments);
    (lake, gateway)
}

/// A number of `lakegate.cache`.
fn counted(wire: &mut Wire, cache: &str, column: &str) -> i64 {
    let sql = format!("select {column} from lakegate.cache where cache = '{cache}'");
    wire.value(&sql).parse().expect("it is a number")
}

/// Until nothing has changed for longer than a disk's clock may hide it.
fn rest() {
    let until = Instant::now() + Duration::from_millis(2_500);
    while Instant::now() < until {
        thread::park_timeout(until - Instant::now());
    }
}

#[test]
fn a_statement_that_is_said_again_is_looked_up_once() {
    let (lake, gateway) = place(10, &[]);
    let mut wire = gateway.connect();
    wire.query("create view s.v as select id from s.t where id < 5")
        .expect("it is made");
    let query = "select count(*) from s.v";
    let known = |wire: &mut Wire, expected: &str| {
        let before = counted(wire, "statements", "hits");
        assert_eq!(wire.value(query), expected);
        counted(wire, "statements", "hits") - before
    };
    assert_eq!(known(&mut wire, "5"), 0);
    assert_eq!(known(&mut wire, "5"), 1);
    // Other sessions with the same settings know it too, and others do not.
    let mut other = gateway.connect();
    assert_eq!(known(&mut other, "5"), 1);
    other.query("set search_path = s").expect("it is set");
    assert_eq!(known(&mut other, "5"), 0);
    // Rows that come are seen, and so is another meaning of a name.
    write_version(&lake.path().join("s/t"), &["word"], 1, &rows(3));
    assert_eq!(known(&mut wire, "3"), 1);
    wire.query("create or replace view s.v as select id from s.t where id < 2")
        .expect("it is made");
    assert_eq!(known(&mut wire, "2"), 0);
    assert_eq!(known(&mut wire, "2"), 1);
    // What a transaction defines is its own.
    wire.query("begin; create or replace view s.v as select id from s.t where id < 1")
        .expect("it is made");
    assert_eq!(known(&mut wire, "1"), 0);
    assert_eq!(known(&mut gateway.connect(), "2"), 1);
    wire.query("rollback").expect("it is rolled back");
    assert_eq!(known(&mut wire, "2"), 1);
    // A moment is computed each time.
    let moment = "select count(*) from s.t timestamp as of now() - interval '1 microsecond'";
    let before = counted(&mut wire, "statements", "hits");
    for _ in 0..2 {
        wire.query(moment).expect("it has a row");
    }
    assert_eq!(counted(&mut wire, "statements", "hits"), before);
}

#[test]
fn what_stands_still_is_asked_for_no_more_and_every_commit_is_seen() {
    let (lake, gateway) = place(10, &[]);
    let folder = lake.path().join("s/t");
    let mut wire = gateway.connect();
    let query = "select count(*) from s.t";
    for version in 1..4 {
        for _ in 0..3 {
            assert_eq!(wire.value(query), (9 + version).to_string());
        }
        rest();
        // Now it is noted that it stands still.
        for _ in 0..3 {
            assert_eq!(wire.value(query), (9 + version).to_string());
        }
        let n_rows = i64::try_from(10 + version).expect("it is small");
        write_version(&folder, &["word"], version, &rows(n_rows));
        assert_eq!(wire.value(query), n_rows.to_string());
    }
}

#[test]
fn rows_are_written_as_each_client_reads_them() {
    let (_lake, gateway) = place(10, &[]);
    let query = "select id, word, timestamptz '2026-11-22 10:00+00' as at, (id / 3.0)::float8 as f, \
         case when id > 5 then interval '1 day' else interval '2 hours' end as i, \
         '\\x00ff'::bytea as b from s.t order by id";
    let styles = [
        "set datestyle = 'ISO'; set intervalstyle = 'postgres'; set bytea_output = 'hex'",
        "set datestyle = 'German'",
        "set intervalstyle = 'iso_8601'",
        "set bytea_output = 'escape'",
        "set extra_float_digits = -3",
        "set timezone = 'Asia/Tokyo'",
        "set client_encoding = 'LATIN1'",
    ];
    let ask = |wire: &mut Wire, is_extended: bool| -> Vec<Rows> {
        let answers = match is_extended {
            false => wire.query(query),
            true => wire.query_extended(query),
        };
        answers.expect("it has rows")
    };
    // Twice, so that what was written for one is there when the other asks.
    for _ in 0..2 {
        let mut kept = gateway.connect();
        let mut fresh = gateway.connect();
        fresh
            .query("set lakegate.result_cache = off")
            .expect("it is set");
        for style in styles {
            for wire in [&mut kept, &mut fresh] {
                wire.query(style).expect("it is set");
            }
            for is_extended in [false, true, false, true] {
                let (left, right) = (ask(&mut kept, is_extended), ask(&mut fresh, is_extended));
                assert_eq!(left[0].rows, right[0].rows, "{style}");
                assert_eq!(left[0].columns, right[0].columns, "{style}");
            }
        }
    }
    let mut wire = gateway.connect();
    assert!(counted(&mut wire, "results", "hits") > 20);
    // A cursor goes through them one by one, and all at once.
    let all = ask(&mut wire, false);
    for fetches in [
        "fetch all from c",
        "fetch 3 from c; fetch all from c; fetch all from c",
        "move 2 in c; fetch all from c",
    ] {
        let begun = "begin; declare c cursor for select id, word from s.t order by id; ";
        let plain = wire.query(&format!("{begun}{fetches}; commit"));
        let again = wire.query(&format!("{begun}{fetches}; commit"));
        let rows = |answers: Result<Vec<Rows>, _>| -> Vec<_> {
            let answers: Vec<Rows> = answers.map_err(drop).expect("it has rows");
            answers.into_iter().flat_map(|it| it.rows).collect()
        };
        let (plain, again) = (rows(plain), rows(again));
        assert_eq!(plain, again, "{fetches}");
        let skipped = usize::from(fetches.starts_with("move")) * 2;
        assert_eq!(plain.len(), all[0].rows.len() - skipped, "{fetches}");
    }
}

/// Gives rows over some seconds, many of them.
const LONG: &str = "select a.id, b.id as other from s.t as a, s.t as b, s.t as c \
     where a.id * b.id % 97 = c.id % 97 limit 150000";

#[test]
fn what_is_computed_is_read_along_also_where_it_is_too_much_to_be_held() {
    for mib in ["64", "1"] {
        let (_lake, gateway) = place(700, &["--cache-mib", mib]);
        let mut askers: Vec<Wire> = (0..4).map(|_| gateway.connect()).collect();
        for asker in &mut askers {
            asker.send_query(LONG);
        }
        let mut answers = askers.iter_mut().map(|asker| {
            let answers = asker.answers().expect("it is answered");
            answers[0].rows.len()
        });
        assert!(answers.all(|n_rows| n_rows == 150_000), "{mib} MiB");
    }
}

#[test]
fn what_was_asked_is_told_after_a_restart() {
    let lake = TempDir::new().expect("a temporary folder can be made");
    let state = TempDir::new().expect("a temporary folder can be made");
    write_table(&lake.path().join("s/t"), &["word"], &[rows(10)]);
    let asked = |wire: &mut Wire| {
        let sql = "select query, rows, versions, sqlstate from lakegate.queries \
             where query like '%s.t%' and query not like '%lakegate%' order by started_at";
        let answers = wire.query(sql).expect("it is told");
        answers[0].rows.clone()
    };
    let start = || Gateway::start_with_state(lake.path(), state.path(), &[]);
    let longest = Duration::from_secs(30);
    let mut first = start();
    let mut wire = first.connect();
    wire.query("select id from s.t").expect("it has rows");
    wire.query("select id / 0 from s.t").expect_err("it fails");
    let told = asked(&mut wire);
    assert_eq!(told.len(), 2);
    drop(wire);
    first.terminate();
    first.wait(longest);
    // Two share the folder, and one of them ends first.
    let (mut one, mut two) = (start(), start());
    for gateway in [&one, &two] {
        let mut wire = gateway.connect();
        gateway.wait_until(|| asked(&mut gateway.connect()) == told);
        wire.query("select word from s.t where id = 1")
            .expect("it has rows");
    }
    one.terminate();
    one.wait(longest);
    two.terminate();
    two.wait(longest);
    let last = start();
    last.wait_until(|| asked(&mut last.connect()).len() == 4);
    assert_eq!(asked(&mut last.connect())[..2], told);
}

/// The number of rows that a result has, and how many such results there are.
const SIZES: &[(i64, i64)] = &[
    (1, 150),
    (100, 100),
    (10_000, 30),
    (100_000, 6),
    (1_000_000, 2),
];

// The long form of it: `make soak`.
#[test]
fn memory_stays_within_what_is_configured() {
    const MEMORY_MIB: u64 = 128;
    let memory = MEMORY_MIB.to_string();
    let arguments = ["--memory-mib", memory.as_str(), "--cache-mib", "32"];
    let (lake, gateway) = place(1_000_000, &arguments);
    let mut wire = gateway.connect();
    let budget = wire.value("select sum(max_bytes)::int8 from lakegate.cache");
    let budget = budget.parse::<u64>().expect("it is a number") >> 20;
    let allowed = gateway.resident_mib() + (budget + MEMORY_MIB) * 6 / 5;
    let mut n_asked = 0;
    for (n_rows, n_times) in SIZES {
        for number in 0..*n_times {
            let query = format!(
                "select id + {number} as id, word from s.t where id < {n_rows} limit {n_rows}"
            );
            let answers = wire.query(&query).expect("it has rows");
            assert_eq!(
                answers[0].rows.len(),
                usize::try_from(*n_rows).expect("it is small")
            );
            let resident = gateway.resident_mib();
            assert!(
                resident <= allowed,
                "{resident} MiB of {allowed} after {query}"
            );
            n_asked += 1;
            if n_asked % 50 == 0 {
                let version = usize::try_from(n_asked / 50).expect("it is small");
                write_version(
                    &lake.path().join("s/t"),
                    &["word"],
                    version,
                    &rows(1_000_000),
                );
            }
        }
    }
}
