//! Limits of roles: what ALTER ROLE sets is a ceiling, and what is above it does not run.

use std::fs;
use std::net::TcpStream;

use tempfile::TempDir;

use crate::gateway::{Gateway, program, test_lake};
use crate::login::{Stream, log_in, plain};
use crate::wire::{Report, Wire, startup};

/// A gateway with `ada`, a superuser, and `bi`, who may read everything; a session of `ada`.
fn with_roles(state: &TempDir) -> (Gateway, Stream<TcpStream>) {
    let gateway = Gateway::start_with_state(&test_lake(), state.path(), &[]);
    Wire::connect(gateway.address())
        .query("create role ada superuser login password 'geheim'")
        .expect("the first role is made");
    let mut ada = log_in(&gateway, "ada", "geheim").expect("the password is right");
    run(&mut ada, "create role bi login password 'geheim'");
    run(&mut ada, "grant pg_read_all_data to bi");
    (gateway, ada)
}

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder can be made")
}

fn run(session: &mut Stream<TcpStream>, sql: &str) -> Vec<String> {
    let answer = session.query(sql);
    answer.unwrap_or_else(|report| panic!("{sql}: {report:?}"))
}

fn refused(session: &mut Stream<TcpStream>, sql: &str, code: &str, text: &str) -> Report {
    let report = session.query(sql).expect_err(sql);
    assert_eq!(report.code(), code, "{sql}: {report:?}");
    assert!(report.message().contains(text), "{sql}: {report:?}");
    report
}

#[test]
fn a_session_lowers_its_limits_and_never_raises_them() {
    let state = folder();
    let (gateway, mut ada) = with_roles(&state);
    run(&mut ada, "alter role bi set statement_timeout = '5min'");
    run(&mut ada, "alter role bi set work_mem = '1MB'");
    let mut bi = log_in(&gateway, "bi", "geheim").expect("the password is right");
    let denied = "permission denied to set parameter \"statement_timeout\"";
    for sql in [
        "set statement_timeout = 0",
        "set statement_timeout to '6min'",
        "set Statement_Timeout = 300001",
        "select set_config('statement_timeout', '0', false)",
        "select set_config('STATEMENT_TIMEOUT', '1h', true)",
        "begin; set local statement_timeout = '1h'; commit",
        "set session statement_timeout = '1d'",
    ] {
        let report = refused(&mut bi, sql, "42501", denied);
        assert!(report.field('D').contains("5min"), "{report:?}");
        let _ = bi.query("rollback");
        assert_eq!(run(&mut bi, "show statement_timeout"), ["5min"], "{sql}");
    }
    run(&mut bi, "set statement_timeout = '1min'");
    run(&mut bi, "set statement_timeout = '5min'");
    run(&mut bi, "set statement_timeout = 1000");
    run(&mut bi, "set statement_timeout to default");
    assert_eq!(run(&mut bi, "show statement_timeout"), ["5min"]);
    for back in ["reset statement_timeout", "reset all", "discard all"] {
        run(&mut bi, "set statement_timeout = 1000");
        run(&mut bi, back);
        assert_eq!(run(&mut bi, "show statement_timeout"), ["5min"], "{back}");
    }
    // What is no limit is a default alone, as in PostgreSQL.
    run(&mut bi, "set work_mem = '1GB'");
    // And a superuser's session has no ceiling, whomever it runs as.
    run(&mut ada, "set session authorization bi");
    run(&mut ada, "set statement_timeout = 0");
}

#[test]
fn no_other_way_leads_around_a_limit() {
    let state = folder();
    let (gateway, mut ada) = with_roles(&state);
    run(&mut ada, "create role other login password 'geheim'");
    run(&mut ada, "grant other to bi");
    run(&mut ada, "alter role all set idle_session_timeout = '2h'");
    run(&mut ada, "alter role bi set statement_timeout = '5min'");
    let begin = |options: &str| {
        let mut stream = plain(&gateway);
        stream.send(&startup(&[("user", "bi"), ("options", options)]));
        stream.read().expect("the server asks for a proof");
        let (proof, _) = stream.prove("geheim");
        stream.send(&proof);
        let messages = stream.read_all();
        let last = messages.last().expect("the server answers");
        match last.tag {
            b'Z' => Ok(stream),
            _ => Err(last.report()),
        }
    };
    for options in ["-c statement_timeout=0", "--idle-session-timeout=3h"] {
        let report = begin(options).err().expect(options);
        assert_eq!((report.field('S'), report.code()), ("FATAL", "42501"));
    }
    let mut bi = begin("-c statement_timeout=2min").expect("it is below");
    assert_eq!(run(&mut bi, "show statement_timeout"), ["2min"]);
    run(&mut bi, "set statement_timeout = '5min'");
    // Another role's limits, or their lack, are not this session's.
    run(&mut bi, "set role other");
    let denied = "permission denied to set parameter \"statement_timeout\"";
    refused(&mut bi, "set statement_timeout = 0", "42501", denied);
    run(&mut bi, "reset role");
    // In PostgreSQL everybody changes the settings of the own role.
    for sql in [
        "alter role bi set statement_timeout = 0",
        "alter role current_user set statement_timeout = '1h'",
        "alter role bi reset statement_timeout",
        "alter role bi reset all",
    ] {
        refused(&mut bi, sql, "42501", denied);
    }
    run(&mut bi, "alter role bi set statement_timeout = '4min'");
    run(&mut bi, "alter role bi set work_mem = '1MB'");
    refused(
        &mut bi,
        "alter role bi set idle_session_timeout = '3h'",
        "42501",
        "idle_session_timeout",
    );
    let mut again = begin("").expect("the password is right");
    assert_eq!(run(&mut again, "show statement_timeout"), ["4min"]);
    assert_eq!(run(&mut again, "show idle_session_timeout"), ["2h"]);
    run(&mut ada, "alter role bi reset statement_timeout");
}

#[test]
fn a_statement_over_its_limits_fails_and_says_which() {
    let state = folder();
    let (gateway, mut ada) = with_roles(&state);
    run(
        &mut ada,
        "alter role bi set lakegate.statement_memory = '40MB'",
    );
    run(
        &mut ada,
        "alter role bi set lakegate.max_scan_bytes = '10kB'",
    );
    run(&mut ada, "alter role bi set temp_file_limit = '2GB'");
    let mut bi = log_in(&gateway, "bi", "geheim").expect("the password is right");
    let hungry = "select count(*) from (select distinct repeat(n::text, 9) from generate_series(1, 500000) as g(n)) as d";
    let texts = "(select repeat(n::text, 9) as t from generate_series(1, 2000000) as g(n))";
    let join = &format!("select count(*) from {texts} as a join {texts} as b on a.t = b.t");
    let report = refused(&mut bi, join, "53200", "out of memory");
    assert!(
        report.field('D').contains("lakegate.statement_memory"),
        "{report:?}"
    );
    // Enough for what spills, unless there is nowhere to spill to.
    assert_eq!(run(&mut bi, hungry), ["500000"]);
    let sorted = "select max(t) from (select repeat(n::text, 9) as t from generate_series(1, 500000) as g(n) order by t offset 1) as s";
    run(&mut bi, sorted);
    run(&mut bi, "set temp_file_limit = '1MB'");
    let text = "temporary file size exceeds temp_file_limit (1024kB)";
    refused(&mut bi, sorted, "53400", text);
    run(&mut bi, "set temp_file_limit = 0");
    refused(&mut bi, sorted, "53400", "temp_file_limit (0kB)");
    // Bytes of files: those that partitions rule out do not count.
    let text = "statement would read more than lakegate.max_scan_bytes (10kB)";
    let all = "select sum(value) from bronze.events";
    let report = refused(&mut bi, all, "53400", text);
    assert!(report.field('D').contains("21854 bytes"), "{report:?}");
    run(&mut bi, &format!("{all} where year = 2025 and month = 11"));
    for sql in [
        "select 1 from bronze.events limit 1",
        "copy bronze.events to stdout",
        "explain analyze select * from bronze.events",
        "with e as (select * from bronze.events) select sum(value) from e",
        "select (select sum(value) from bronze.events)",
        "select 1 where exists (select 1 from bronze.events)",
        "declare c cursor with hold for select * from bronze.events",
    ] {
        refused(&mut bi, sql, "53400", text);
    }
    run(&mut bi, "explain select * from bronze.events");
    // Nobody else is held to it.
    run(&mut ada, all);
    assert_eq!(run(&mut ada, hungry), ["500000"]);
}

#[test]
fn a_sort_spills_instead_of_failing() {
    let state = folder();
    let (_gateway, mut ada) = with_roles(&state);
    for (memory, n_times, n_rows) in [
        ("8MB", 9, 200_000),
        ("8MB", 60, 60_000),
        ("16MB", 60, 60_000),
        // Rows of 1.8 kB, more of them than there is memory for all.
        ("16MB", 300, 20_000),
        ("40MB", 300, 60_000),
        ("100MB", 300, 80_000),
    ] {
        run(
            &mut ada,
            &format!("set lakegate.statement_memory = '{memory}'"),
        );
        let rows = format!(
            "select repeat(n::text, {n_times}) as t from generate_series(1, {n_rows}) as g(n)"
        );
        let sorted = format!(
            "select count(*), count(*) filter (where t < before) from \
             (select t, lag(t) over (order by t) as before from ({rows} order by t offset 1) as s) as w"
        );
        let expected = format!("{}", n_rows - 1);
        let found = run(&mut ada, &sorted);
        assert_eq!(found.first(), Some(&expected), "{memory}: {sorted}");
    }
}

#[test]
fn the_limit_of_connections_holds_for_who_logged_in() {
    let state = folder();
    let (gateway, mut ada) = with_roles(&state);
    run(&mut ada, "alter role bi connection limit 1");
    // A session that became somebody else is still the superuser's.
    run(&mut ada, "set session authorization bi");
    let mut bi = log_in(&gateway, "bi", "geheim").expect("there is room for one");
    run(&mut bi, "set role pg_read_all_data");
    let second = log_in(&gateway, "bi", "geheim").err().expect("one is all");
    assert_eq!(second.code(), "53300");
    assert_eq!(second.message(), "too many connections for role \"bi\"");
}

#[test]
fn a_limit_that_is_not_understood_stops_the_start() {
    let state = folder();
    let roles = state.path().join("views/_roles");
    fs::create_dir_all(&roles).expect("the folder can be made");
    let file = roles.join("bi.sql");
    for text in ["statement_timeout = 'soon'", "temp_file_limit = '-2'"] {
        let statements = format!("create role bi login;\nalter role bi set {text};\n");
        fs::write(&file, statements).expect("the file can be written");
        let output = program()
            .args(["serve", "--listen", "127.0.0.1:0", "--lake"])
            .arg(test_lake())
            .arg("--state")
            .arg(state.path())
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("_roles/bi.sql:2:"), "{said}");
        assert!(said.contains("invalid value for parameter"), "{said}");
    }
}
