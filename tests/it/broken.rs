//! A lake with damaged tables: the sound ones answer, each damaged one says which file is at fault.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::gateway::{Gateway, program, test_lake};

/// Relation, what its error must name, and the codes that fit: damaged data or unreadable file.
const DAMAGED: [(&str, &str); 4] = [
    ("bad.cut", "cut.parquet"),
    ("bad.half", "half.jsonl"),
    ("bad.log", "bad/log"),
    ("bad.empty", "empty.parquet"),
];

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("below the lake")).expect("a folder can be made");
    fs::write(path, content).expect("a file can be written");
}

/// Two sound tables and four damaged ones.
fn damaged_lake() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let lake = folder.path();
    write(&lake.join("good/people.csv"), b"id,name\n1,Ada\n2,Bo\n");
    let parquet = fs::read(test_lake().join("gold/shops.parquet")).expect("the test lake is there");
    write(&lake.join("good/shops.parquet"), &parquet);
    write(&lake.join("bad/cut.parquet"), &parquet[..parquet.len() / 2]);
    write(&lake.join("bad/empty.parquet"), b"");
    write(
        &lake.join("bad/half.jsonl"),
        b"{\"id\": 1}\n{\"id\": 2, \"na",
    );
    write(
        &lake.join("bad/log/_delta_log/00000000000000000000.json"),
        b"{\"commitInfo\": {}}\n{\"metaData\": ",
    );
    folder
}

fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().expect("the program runs");
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    (output, said)
}

#[test]
fn sound_tables_answer_beside_damaged_ones() {
    let lake = damaged_lake();
    let gateway = Gateway::start(lake.path(), &[]);
    let mut wire = gateway.connect();
    assert_eq!(wire.value("select count(*) from good.people"), "2");
    assert_eq!(wire.value("select count(*) from good.shops"), "12");
    for (relation, at_fault) in DAMAGED {
        let error = wire
            .query(&format!("select * from {relation}"))
            .expect_err("a damaged table has no answer");
        let said = format!("{} {}", error.message(), error.field('D'));
        assert!(said.contains(at_fault), "{relation}: {said}");
        assert!(
            ["58030", "XX001", "22000"].contains(&error.code()) || error.code().starts_with("22"),
            "{relation}: {} {said}",
            error.code()
        );
        // The session goes on.
        assert_eq!(wire.value("select 1"), "1");
    }
    let listed = wire
        .query("select * from lakegate.view_errors")
        .expect("the damaged tables are listed");
    let listed = format!("{:?}", listed[0].rows);
    for (relation, at_fault) in DAMAGED {
        let name = relation.strip_prefix("bad.").expect("all lie in bad");
        assert!(listed.contains(name), "{relation} is not listed: {listed}");
        assert!(
            listed.contains(at_fault),
            "{at_fault} is not named: {listed}"
        );
    }
    assert!(
        !listed.contains("people"),
        "a sound table is listed: {listed}"
    );
}

#[test]
fn check_names_the_damaged_tables() {
    let lake = damaged_lake();
    let (output, said) = run(program().args(["check", "--lake"]).arg(lake.path()));
    assert_eq!(output.status.code(), Some(1), "{said}");
    for (_, at_fault) in DAMAGED {
        assert!(said.contains(at_fault), "{at_fault} is not named: {said}");
    }
    let (output, said) = run(program().args(["check", "--lake"]).arg(test_lake()));
    assert_eq!(output.status.code(), Some(0), "{said}");
}

#[test]
fn a_table_that_is_mended_or_broken_later_is_seen() {
    let lake = damaged_lake();
    let gateway = Gateway::start(lake.path(), &[]);
    let mut wire = gateway.connect();
    let broken = wire.query("select count(*) from bad.half");
    assert!(broken.is_err(), "{broken:?}");
    write(
        &lake.path().join("bad/half.jsonl"),
        b"{\"id\": 1}\n{\"id\": 2}\n{\"id\": 3}\n",
    );
    assert_eq!(wire.value("select count(*) from bad.half"), "3");
    write(
        &lake.path().join("good/people.csv"),
        b"id,name\n1,Ada\n2,Bo\n3,Cleo\n",
    );
    assert_eq!(wire.value("select count(*) from good.people"), "3");
    write(&lake.path().join("good/added.csv"), b"id\n7\n");
    assert_eq!(wire.value("select id from good.added"), "7");
    fs::remove_file(lake.path().join("good/added.csv")).expect("the file was written above");
    let gone = wire
        .query("select id from good.added")
        .expect_err("it is gone");
    // It was listed when the statement began, or it was not: both say that it is gone.
    assert!(["42P01", "58P01"].contains(&gone.code()), "{gone:?}");
}

#[test]
fn a_missing_lake_stops_the_start() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let missing = folder.path().join("nowhere");
    let (output, said) = run(program()
        .args(["serve", "--listen", "127.0.0.1:0", "--lake"])
        .arg(&missing));
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("nowhere"), "{said}");
    let (output, said) = run(program().args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--lake",
        "gopher://lake/",
    ]));
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("gopher"), "{said}");
}

#[test]
fn one_query_is_answered_without_a_server() {
    let query = |format: &str, sql: &str| {
        run(program()
            .args(["query", "--format", format, "--lake"])
            .arg(test_lake())
            .arg(sql))
    };
    let (output, said) = query("csv", "select count(*) as n from silver.counters");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "n\n60\n");
    let (output, said) = query("json", "select 1 as a, null as b, 'x' as c");
    assert_eq!(output.status.code(), Some(0), "{said}");
    let row: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{said}: {error}"));
    assert_eq!(row["a"], 1, "{said}");
    assert_eq!(row["c"], "x", "{said}");
    let (output, said) = query("table", "select region from public.regions order by region");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("region") && said.contains("east"), "{said}");
    let (output, said) = query("csv", "select nope from public.regions");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nope"), "{said}");
}
