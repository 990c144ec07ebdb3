//! Runs tests/slt over a real socket: once by simple queries, once by the extended protocol.
//!
//! `FILTER` picks files by a part of their path; `LAKEGATE_SLT_FILL` writes the answers into them.
//! What is in `same_as_postgres` needs no lake, and is asked of PostgreSQL as well, which fills it in.
//! A query that starts with the comment `-- names` shows the names of its columns as a first row, an EXPLAIN that
//! starts with `-- views` what it says of materialized views alone.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sqllogictest::{DBOutput, DefaultColumnType, Runner};

use crate::gateway::{Gateway, given_if_set, postgres};
use crate::wire::{Report, Rows, Wire};

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Simple,
    Extended,
}

/// A session as sqllogictest sees it.
struct Session {
    wire: Wire,
    protocol: Protocol,
}

/// An error as psql would show it, with its code and position.
#[derive(Debug)]
struct Failure(Report);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.0;
        write!(f, "{}: {}", report.code(), report.message())?;
        match report.field('P') {
            "" => Ok(()),
            position => write!(f, " at {position}"),
        }
    }
}

impl std::error::Error for Failure {}

impl sqllogictest::DB for Session {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        let answers = match self.protocol {
            Protocol::Simple => self.wire.query(sql),
            Protocol::Extended => self.wire.query_extended(sql),
        };
        let last = answers.map_err(Failure)?.pop().unwrap_or_default();
        if last.columns.is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        let types = last.types.iter().map(letter_of).collect();
        let names = sql.starts_with("-- names").then(|| last.columns.clone());
        let mut rows: Vec<_> = names.into_iter().chain(shown(last)).collect();
        if sql.starts_with("-- views") {
            // The rest names files, which differ from run to run.
            rows.retain(|row| row[0].starts_with("Materialized View"));
        }
        Ok(DBOutput::Rows { types, rows })
    }

    fn engine_name(&self) -> &'static str {
        "lakegate"
    }
}

/// Integers, numbers and text, as the letters after `query` state them.
fn letter_of(type_oid: &u32) -> DefaultColumnType {
    match type_oid {
        20 | 21 | 23 | 26 => DefaultColumnType::Integer,
        700 | 701 | 1700 => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Text,
    }
}

fn shown(rows: Rows) -> Vec<Vec<String>> {
    let show = |value: Option<String>| match value {
        None => "NULL".to_owned(),
        Some(text) if text.is_empty() => "(empty)".to_owned(),
        // Blanks at the ends of values are not compared.
        Some(text) if text.trim().is_empty() => "(blank)".to_owned(),
        // A row is a line of the file.
        Some(text) => text.replace('\n', "\\n").replace('\t', "\\t"),
    };
    let row = |values: Vec<Option<String>>| values.into_iter().map(show).collect();
    rows.rows.into_iter().map(row).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt")
}

/// Every .slt file below a folder that the filter lets through.
fn chosen(folder: &Path, filter: &str, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            chosen(&path, filter, into);
        } else if path.extension().is_some_and(|it| it == "slt")
            && path.to_string_lossy().contains(filter)
        {
            into.push(path);
        }
    }
}

fn runner(
    address: SocketAddr,
    protocol: Protocol,
) -> Runner<Session, impl sqllogictest::MakeConnection<Conn = Session>> {
    let mut runner = Runner::new(move || async move {
        Ok(Session {
            wire: Wire::connect(address),
            protocol,
        })
    });
    runner.with_column_validator(sqllogictest::strict_column_validator);
    runner
}

fn run(protocol: Protocol) {
    let gateway = Gateway::of_test_lake();
    let mut files = Vec::new();
    chosen(
        &folder(),
        &given_if_set("FILTER").unwrap_or_default(),
        &mut files,
    );
    assert!(!files.is_empty(), "no file of tests/slt fits FILTER");
    run_files(gateway.address(), protocol, &files);
}

fn run_files(address: SocketAddr, protocol: Protocol, files: &[PathBuf]) {
    let mut failures = Vec::new();
    for file in files {
        // Each file has sessions of its own: no setting of one reaches another.
        if let Err(error) = runner(address, protocol).run_file(file) {
            failures.push(error.display(false).to_string());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// The folder of what PostgreSQL answers as well.
const SAME_AS_POSTGRES: &str = "same_as_postgres";

#[test]
fn postgres_gives_the_answers_that_need_no_lake() {
    let mut files = Vec::new();
    chosen(&folder().join(SAME_AS_POSTGRES), "", &mut files);
    assert!(!files.is_empty(), "there are files of that folder");
    run_files(postgres(), Protocol::Simple, &files);
}

#[test]
fn sql_answers_by_simple_queries() {
    if given_if_set("LAKEGATE_SLT_FILL").is_some() {
        return fill();
    }
    run(Protocol::Simple);
}

#[test]
fn sql_answers_by_the_extended_protocol() {
    run(Protocol::Extended);
}

/// Writes what the gateway answers into the files, for a person to read and commit.
fn fill() {
    let gateway = Gateway::of_test_lake();
    let mut files = Vec::new();
    chosen(
        &folder(),
        &given_if_set("FILTER").unwrap_or_default(),
        &mut files,
    );
    for file in files {
        let path = file.to_string_lossy().into_owned();
        let address = match path.contains(SAME_AS_POSTGRES) {
            true => postgres(),
            false => gateway.address(),
        };
        let updated =
            futures::executor::block_on(runner(address, Protocol::Simple).update_test_file(
                &path,
                " ",
                sqllogictest::default_validator,
                sqllogictest::default_normalizer,
                sqllogictest::strict_column_validator,
            ));
        updated.unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}
