//! Materialized aggregates are kept up by what comes and goes below them, and are right whatever that is.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::delta::{Row, append_version, write_version};
use crate::gateway::Gateway;
use crate::materialized::{over_own_state, with_own_gateways};
use crate::wire::Wire;

#[test]
fn aggregates_are_kept_up_whatever_comes_and_goes() {
    over_own_state("tests/peers/increments.py");
}

fn rows(ids: std::ops::Range<i64>) -> Vec<Row> {
    let words = ["red", "green", "blue"];
    let word = |id: i64| words[usize::try_from(id % 3).expect("it is small")].to_owned();
    ids.map(|id| (id, vec![word(id)])).collect()
}

/// What EXPLAIN says of stored rows.
fn stored(wire: &mut Wire, query: &str) -> String {
    let lines = wire
        .query(&format!("explain {query}"))
        .expect("it is planned");
    let lines = lines[0].rows.iter().filter_map(|row| row[0].clone());
    let told = lines.filter_map(|line| Some(line.strip_prefix("Materialized View: ")?.to_owned()));
    told.collect::<Vec<_>>().join("; ")
}

fn done(wire: &mut Wire, sql: &str) {
    wire.query(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

const LAST: &str = "select kind || coalesce(' ' || reason, '') from lakegate.refreshes \
                    order by ended_at desc limit 1";

#[test]
fn what_is_read_beside_stored_rows_is_told() {
    let lake = TempDir::new().expect("a temporary folder can be made");
    let table = lake.path().join("s/t");
    write_version(&table, &["word"], 0, &rows(0..10));
    let state = lake.path().join("_lakegate");
    let gateway = Gateway::start_with_state(lake.path(), &state, &["--poll", "0"]);
    let mut wire = gateway.connect();
    done(&mut wire, "create schema m");
    done(
        &mut wire,
        "create materialized view m.w with (refresh = 'manual') as \
         select word, count(*) as n, sum(id) as total, avg(id) as mean, max(id) as most from s.t group by word",
    );
    assert_eq!(wire.value(LAST), "whole first");
    let sums = "select sum(n) || ' ' || sum(total) || ' ' || max(most) from m.w";
    let of = |ids: std::ops::Range<i64>| {
        format!("{} {} {}", ids.end, ids.clone().sum::<i64>(), ids.end - 1)
    };
    append_version(&table, &["word"], 1, &rows(10..20));
    append_version(&table, &["word"], 2, &rows(20..30));
    assert_eq!(stored(&mut wire, sums), "m.w (at version 0, +2 files)");
    assert_eq!(wire.value(sums), of(0..30));
    // As it was between.
    let between = "select sum(n) || ' ' || sum(total) || ' ' || max(most) from m.w version as of 1";
    assert_eq!(stored(&mut wire, between), "m.w (at version 0, +1 file)");
    assert_eq!(wire.value(between), of(0..20));
    done(&mut wire, "refresh materialized view m.w");
    assert_eq!(wire.value(LAST), "incremental");
    assert_eq!(stored(&mut wire, sums), "m.w (at version 1)");
    assert_eq!(wire.value(sums), of(0..30));
    // Rows that lie otherwise are the same rows: one file of those of two.
    compact(&table, 3);
    assert_eq!(stored(&mut wire, sums), "m.w (at version 1)");
    append_version(&table, &["word"], 4, &rows(30..40));
    assert_eq!(stored(&mut wire, sums), "m.w (at version 1, +1 file)");
    assert_eq!(wire.value(sums), of(0..40));
    // Where rows went, an extreme of theirs may be gone.
    write_version(&table, &["word"], 5, &rows(0..3));
    assert_eq!(wire.value(sums), "33 438 29");
}

/// Writes the first two files of a table as one.
fn compact(folder: &Path, version: usize) {
    let commit = write_version(folder, &["word"], version, &rows(0..20));
    let text = fs::read_to_string(&commit).expect("it was written");
    let mut actions: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("it is JSON"))
        .filter(|action: &serde_json::Value| action.get("remove").is_none())
        .collect();
    for action in &mut actions {
        action["add"]["dataChange"] = json!(false);
    }
    actions.extend([0, 1].map(|version| {
        json!({"remove": {"path": format!("part-{version}.parquet"), "dataChange": false, "deletionTimestamp": 0}})
    }));
    let lines: Vec<String> = actions.iter().map(ToString::to_string).collect();
    fs::write(&commit, lines.join("\n")).expect("it can be written");
}

#[test]
fn stores_are_asked_for_what_came_and_went_and_nothing_else() {
    with_own_gateways("tests/peers/counted.py", &[]);
}

/// So many files are there before one more comes.
const N_FILES: i64 = 2_000;

#[test]
fn what_came_is_read_and_nothing_else() {
    let lake = TempDir::new().expect("a temporary folder can be made");
    let table = lake.path().join("s/t");
    let commit = write_version(&table, &["word"], 0, &rows(0..10));
    let text = fs::read_to_string(&commit).expect("it was written");
    let add = text.lines().find(|line| line.contains("\"add\""));
    let add = add.expect("a file was added");
    let names: Vec<String> = (1..N_FILES).map(|n| format!("old-{n}.parquet")).collect();
    let mut lines = vec![text.clone()];
    for name in &names {
        fs::hard_link(table.join("part-0.parquet"), table.join(name)).expect("it can be linked");
        lines.push(add.replace("part-0.parquet", name));
    }
    fs::write(&commit, lines.join("\n")).expect("it can be written");
    let state = lake.path().join("_lakegate");
    let gateway = Gateway::start_with_state(lake.path(), &state, &["--poll", "0"]);
    let mut wire = gateway.connect();
    done(&mut wire, "create schema m");
    done(
        &mut wire,
        "create materialized view m.w with (refresh = 'manual') as \
         select word, count(*) as n, max(id) as most from s.t group by word",
    );
    // Whoever looks for one of these now finds nothing.
    for name in names.iter().map(String::as_str).chain(["part-0.parquet"]) {
        fs::remove_file(table.join(name)).expect("it was there");
    }
    append_version(&table, &["word"], 1, &rows(10..20));
    let sums = "select sum(n) || ' ' || max(most) from m.w";
    let expected = format!("{} 19", 10 * N_FILES + 10);
    assert_eq!(stored(&mut wire, sums), "m.w (at version 0, +1 file)");
    assert_eq!(wire.value(sums), expected);
    done(&mut wire, "refresh materialized view m.w");
    assert_eq!(wire.value(LAST), "incremental");
    assert_eq!(stored(&mut wire, sums), "m.w (at version 1)");
    assert_eq!(wire.value(sums), expected);
    let of_all = wire.query("select sum(id) from s.t");
    assert!(of_all.is_err(), "the files were there after all");
}
