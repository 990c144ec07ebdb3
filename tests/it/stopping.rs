//! Statements that end early: cancelled by their user, or by the end of the server; and clients
//! that do not read what they asked for.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::gateway::{Gateway, test_lake};
use crate::wire::{Message, Report, Wire};

/// Rows without end, as far as a test's patience goes.
const STREAMING: &str =
    "select a.n, b.n from generate_series(1, 1000000) as a(n), generate_series(1, 1000000) as b(n)";

/// Gives its first row after all work is done.
const AGGREGATING: &str = "select count(*), sum(a.n * b.n % 7) \
     from generate_series(1, 1000000) as a(n), generate_series(1, 1000000) as b(n)";

/// As above, with a sort on top.
const SORTING: &str = "select a.n from generate_series(1, 1000000) as a(n), \
     generate_series(1, 1000000) as b(n) order by a.n % 13, b.n limit 3";

/// Work of every other shape that a plan has, each without end as far as a test's patience goes.
const SHAPES: &[&str] = &[
    // A hash join of one key.
    "select count(*) from generate_series(1, 1000000) as a(n) \
     join generate_series(1, 1000000) as b(n) on a.n % 2 = b.n % 2",
    // Nested loops.
    "select count(*) from generate_series(1, 1000000) as a(n) \
     join generate_series(1, 1000000) as b(n) on a.n < b.n + 7 and a.n % 3 > b.n % 2",
    // Groups.
    "select a.n % 100000, count(distinct b.n) from generate_series(1, 1000000) as a(n), \
     generate_series(1, 1000000) as b(n) group by 1",
    // A window.
    "select sum(s) from (select sum(a.n) over (order by b.n rows 10000 preceding) as s \
     from generate_series(1, 3000) as a(n), generate_series(1, 3000) as b(n)) as t",
    // Recursion.
    "with recursive r(n) as (select 1::int8 union all select n + 1 from r where n < 1000000000) \
     select count(*) from r",
    // Regular expressions.
    "select count(*) from generate_series(1, 1000000) as a(n), generate_series(1, 1000000) as b(n) \
     where repeat(a.n::text, 20) ~ ('(1|2|3)*4(5|6)+' || (b.n % 10)::text || '$')",
    // Files, read again and again.
    "select count(distinct a.status || b.\"Product\" || c.\"Product\") from silver.orders as a, \
     silver.items as b, silver.items as c, silver.items as d where b.\"Product\" < d.\"Product\"",
];

const CANCEL_MAX: Duration = Duration::from_secs(2);

/// Reads rows away up to the error that ends them.
fn error_after_rows(wire: &mut Wire) -> Report {
    loop {
        let message: Message = wire.read().expect("the statement ends with an error");
        match message.tag {
            b'E' => return message.report(),
            b'C' | b'Z' => panic!("the statement ended by itself"),
            _ => {}
        }
    }
}

/// A fifth of a second of work: more than planning takes, far less than the statements here do.
const WORK_TICKS: u64 = 20;

/// Waits until the gateway works on what it was sent.
fn wait_until_working(gateway: &Gateway) {
    let before = gateway.processor_ticks();
    let deadline = Instant::now() + Duration::from_secs(20);
    while gateway.processor_ticks() < before + WORK_TICKS {
        assert!(Instant::now() < deadline, "it never ran");
        std::thread::yield_now();
    }
}

/// Waits until the gateway has not worked for half a second.
fn wait_until_idle(gateway: &Gateway) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let (mut ticks, mut since) = (gateway.processor_ticks(), Instant::now());
    while since.elapsed() < Duration::from_millis(500) {
        assert!(Instant::now() < deadline, "it still works");
        let now = gateway.processor_ticks();
        // One tick is what accepting a connection or a timer costs.
        if now > ticks + 1 {
            (ticks, since) = (now, Instant::now());
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_cancelled_statement_ends_at_once_and_the_session_goes_on() {
    let gateway = Gateway::of_test_lake();
    for statement in [STREAMING, AGGREGATING, SORTING] {
        let mut wire = gateway.connect();
        wire.send_query(statement);
        if statement == STREAMING {
            assert_eq!(wire.read().expect("columns come first").tag, b'T');
        } else {
            wait_until_working(&gateway);
        }
        let asked = Instant::now();
        wire.cancel();
        let error = error_after_rows(&mut wire);
        assert_eq!(error.code(), "57014", "{statement}: {error:?}");
        assert!(asked.elapsed() < CANCEL_MAX, "{:?}", asked.elapsed());
        let ready = wire.read().expect("the session goes on");
        assert_eq!(ready.tag, b'Z');
        assert_eq!(wire.value("select 1"), "1");
    }
    // A cancel between statements, or with another's key, stops nothing.
    let (mut idle, other) = (gateway.connect(), gateway.connect());
    idle.cancel();
    other.cancel();
    assert_eq!(idle.value("select 2"), "2");
}

#[test]
fn work_of_every_shape_is_cancelled_and_leaves_nothing_behind() {
    let gateway = Gateway::of_test_lake();
    let mut wire = gateway.connect();
    wire.value("select count(*) from silver.items");
    let before = gateway.resident_mib();
    for statement in SHAPES {
        wire.send_query(statement);
        wait_until_working(&gateway);
        let asked = Instant::now();
        wire.cancel();
        let error = error_after_rows(&mut wire);
        assert_eq!(error.code(), "57014", "{statement}: {error:?}");
        let took = asked.elapsed();
        assert!(took < CANCEL_MAX, "{statement}: {took:?}");
        assert_eq!(wire.read().expect("the session goes on").tag, b'Z');
        wait_until_idle(&gateway);
    }
    let after = gateway.resident_mib();
    assert!(after < before + 300, "grew from {before} to {after} MiB");
}

/// Sorts more than the memory it is given.
const SPILLING: &str = "select a.n, b.n, repeat('x', 200) as c from generate_series(1, 1000000) as a(n), \
     generate_series(1, 1000) as b(n) order by (a.n * b.n) % 1009, c, a.n";

/// Bytes of the files below a folder.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.filter_map(Result::ok).map(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => bytes_below(&path),
            // It may be gone again.
            false => entry.metadata().map_or(0, |metadata| metadata.len()),
        }
    });
    sizes.sum()
}

#[test]
fn a_sort_that_spills_is_cancelled_and_its_files_are_gone() {
    let (state, spilled) = (
        TempDir::new().expect("a temporary folder can be made"),
        TempDir::new().expect("a temporary folder can be made"),
    );
    let limit = ["--memory-mib", "64"];
    let gateway = Gateway::start_with_temporary(&test_lake(), state.path(), spilled.path(), &limit);
    let mut wire = gateway.connect();
    for by_timeout in [false, true] {
        let asked_at_first = Instant::now();
        if by_timeout {
            wire.query("set statement_timeout = '4s'")
                .expect("it can be set");
        }
        wire.send_query(SPILLING);
        gateway.wait_until(|| bytes_below(spilled.path()) > 1 << 20);
        let asked = match by_timeout {
            false => {
                wire.cancel();
                Instant::now()
            }
            true => asked_at_first + Duration::from_secs(4),
        };
        let error = error_after_rows(&mut wire);
        assert_eq!(error.code(), "57014", "{error:?}");
        assert!(asked.elapsed() < CANCEL_MAX, "{:?}", asked.elapsed());
        assert_eq!(wire.read().expect("the session goes on").tag, b'Z');
        wait_until_idle(&gateway);
        assert!(
            asked.elapsed() < Duration::from_secs(5),
            "{:?}",
            asked.elapsed()
        );
        assert_eq!(bytes_below(spilled.path()), 0, "files of the sort are left");
    }
}

/// Requests to cancel that race with short statements.
const N_RACES: usize = 300;

#[test]
fn requests_to_cancel_stop_nobody_else() {
    let gateway = Gateway::of_test_lake();
    let mut bystanders = [gateway.connect(), gateway.connect()];
    let ended = gateway.connect();
    let mut target = gateway.connect();
    let mut n_cancelled = 0;
    for race in 0..N_RACES {
        for bystander in &mut bystanders {
            bystander.send_query("select count(*) from generate_series(1, 2000) as g(n)");
        }
        target.send_query("select count(*) from generate_series(1, 20000) as g(n)");
        match race % 3 {
            0 => target.cancel(),
            1 => ended.cancel(),
            _ => target.cancel_with_wrong_secret(),
        }
        for bystander in &mut bystanders {
            let answers = bystander.answers().expect("nobody cancelled this");
            assert_eq!(answers[0].rows[0][0].as_deref(), Some("2000"));
        }
        match target.answers() {
            Ok(answers) => assert_eq!(answers[0].rows[0][0].as_deref(), Some("20000")),
            Err(error) => {
                assert_eq!((race % 3, error.code()), (0, "57014"), "{error:?}");
                n_cancelled += 1;
            }
        }
    }
    assert!(n_cancelled <= N_RACES.div_ceil(3));
    for wire in bystanders.iter_mut().chain([&mut target]) {
        assert_eq!(wire.value("select 1"), "1");
    }
}

#[test]
fn a_statement_that_takes_too_long_is_cancelled() {
    let gateway = Gateway::of_test_lake();
    let mut wire = gateway.connect();
    wire.query("set statement_timeout = '200ms'")
        .expect("it can be set");
    for statement in [STREAMING, AGGREGATING] {
        let asked = Instant::now();
        wire.send_query(statement);
        let error = error_after_rows(&mut wire);
        assert_eq!(error.code(), "57014", "{error:?}");
        assert!(asked.elapsed() < CANCEL_MAX, "{:?}", asked.elapsed());
        assert_eq!(wire.read().expect("the session goes on").tag, b'Z');
    }
    wire.query("reset statement_timeout")
        .expect("it can be reset");
    assert_eq!(wire.value("select count(*) from silver.items"), "782");
}

#[test]
fn a_stopping_server_drains_then_ends_with_status_0() {
    let mut gateway = Gateway::start(&test_lake(), &["--drain-seconds", "1"]);
    let mut busy = gateway.connect();
    let mut idle = gateway.connect();
    busy.send_query(AGGREGATING);
    wait_until_working(&gateway);
    let told = Instant::now();
    gateway.terminate();
    // An idle session is told at once; from then on nobody new gets in.
    let farewell = idle.read().expect("an idle session is told");
    assert_eq!(farewell.report().code(), "57P01");
    match Wire::start(gateway.address(), &[("user", "postgres")]) {
        Ok(refusal) => assert_eq!(refusal.expect_err("it is stopping").code(), "57P03"),
        Err(refused) => panic!("refused without a word: {refused}"),
    }
    let error = error_after_rows(&mut busy);
    assert_eq!(error.code(), "57P01", "{error:?}");
    assert!(
        told.elapsed() >= Duration::from_millis(900),
        "it got no time to end"
    );
    let status = gateway.wait(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "{}", gateway.log());
}

#[test]
fn a_statement_that_ends_in_time_is_answered_at_shutdown() {
    let mut gateway = Gateway::start(&test_lake(), &["--drain-seconds", "30"]);
    let (mut busy, mut other) = (gateway.connect(), gateway.connect());
    let statement = "select count(*) from generate_series(1, 3000) as a(n), \
         generate_series(1, 3000) as b(n) where (a.n * b.n) % 7 = 1";
    busy.send_query(statement);
    let active = "select count(*) from pg_stat_activity \
         where state = 'active' and query like '%% 7 = 1'";
    let deadline = Instant::now() + Duration::from_secs(5);
    while other.value(active) != "1" && Instant::now() < deadline {
        std::thread::yield_now();
    }
    gateway.terminate();
    match busy.answers() {
        Ok(answers) => assert_eq!(answers[0].rows.len(), 1),
        Err(error) => assert_eq!(error.code(), "57P01", "{error:?}"),
    }
    let status = gateway.wait(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "{}", gateway.log());
}

#[test]
fn a_client_that_does_not_read_costs_little_memory() {
    let gateway = Gateway::of_test_lake();
    let mut other = gateway.connect();
    other.value("select count(*) from silver.items");
    let before = gateway.resident_mib();
    let mut slow = gateway.connect();
    slow.send_query("select n, repeat('x', 1000) from generate_series(1, 10000000) as g(n)");
    assert_eq!(slow.read().expect("columns come first").tag, b'T');
    // Ten gigabytes wait to be sent. While they do, others are served, and memory stays.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(other.value("select count(*) from silver.counters"), "60");
        let now = gateway.resident_mib();
        assert!(now < before + 150, "grew from {before} to {now} MiB");
    }
}

#[test]
fn a_result_that_is_cut_off_is_not_computed_further() {
    let gateway = Gateway::of_test_lake();
    let mut other = gateway.connect();
    other.value("select count(*) from silver.items");
    let before = gateway.resident_mib();
    let mut wire = gateway.connect();
    wire.send_query("select n, repeat('x', 1000) from generate_series(1, 10000000) as g(n)");
    for _ in 0..1000 {
        wire.read().expect("rows come");
    }
    // What is unread makes the system answer with a reset.
    drop(wire);
    wait_until_idle(&gateway);
    let after = gateway.resident_mib();
    assert!(after < before + 150, "grew from {before} to {after} MiB");
}

#[test]
fn the_statement_of_a_client_that_left_is_stopped() {
    let gateway = Gateway::of_test_lake();
    for statement in [AGGREGATING, SORTING] {
        let mut wire = gateway.connect();
        wire.send_query(statement);
        wait_until_working(&gateway);
        drop(wire);
        wait_until_idle(&gateway);
    }
}
