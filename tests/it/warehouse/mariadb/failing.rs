//! Servers of MariaDB that are not there, or are gone while they answer, or are not wanted any more.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::super::{done, lines, refused};
use super::Maria;

/// How many queries of the gateway a server runs for a test.
fn n_queries(maria: &Maria) -> String {
    maria.value(&format!(
        "select count(*) from information_schema.processlist where user = '{}' and command = 'Query'",
        maria.name
    ))
}

/// How many sessions there are.
fn n_sessions(maria: &Maria) -> String {
    maria.value(&format!(
        "select count(*) from information_schema.processlist where user = '{}'",
        maria.name
    ))
}

const ENDLESS: &str = "create table t (a int); insert into t values (1);
    create view endless as select seq, repeat('x', 1000) as filler from seq_1_to_1000000000;
    create view slow as select seq, sleep(0.2) as slept from seq_1_to_1000";

#[test]
fn imported_schemas_follow_their_server() {
    let maria = Maria::new("follow", "create table first (a int)");
    let place = maria.place();
    let mut wire = place.gateway.connect();
    assert_eq!(wire.value("select count(*) from mart.first"), "0");
    maria.run("create table second (b int); insert into second values (7)");
    assert_eq!(wire.value("select b from mart.second"), "7");
    maria.run("alter table second add c text default 'new'");
    assert_eq!(lines(&mut wire, "select * from mart.second"), ["7|new"]);
    maria.run("alter table second modify b varchar(10)");
    assert_eq!(wire.value("select b || '!' from mart.second"), "7!");
    maria.run("drop table second");
    assert_eq!(
        refused(&mut wire, "select * from mart.second").code(),
        "42P01"
    );
}

#[test]
fn a_server_that_is_gone_fails_what_reads_it_and_nothing_else() {
    let maria = Maria::new("gone", ENDLESS);
    let place = maria.place();
    let mut wire = place.gateway.connect();
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port is free")
        .port();
    done(
        &mut wire,
        &format!("alter server dwh options (set port '{port}')"),
    );
    let mapping = format!(
        "create user mapping for public server dwh options (user '{}')",
        maria.name
    );
    done(&mut wire, &mapping);
    let begun = Instant::now();
    let report = refused(&mut wire, "select * from mart.t");
    assert_eq!(report.code(), "08001", "{report:?}");
    assert!(report.message().contains("\"dwh\""), "{report:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(wire.value("select 1"), "1");
}

#[test]
fn a_session_killed_in_the_middle_is_a_lost_connection_and_the_pool_heals() {
    let maria = Maria::new("killed", ENDLESS);
    let place = maria.place();
    let mut wire = place.gateway.connect();
    wire.send_query("select seq, filler from mart.endless");
    while wire.read().expect("rows come").tag != b'D' {}
    let begun = Instant::now();
    maria.run(&format!("kill user '{}'@'127.0.0.1'", maria.name));
    let report = wire.answers().expect_err("it was killed");
    assert_eq!(report.code(), "08006", "{report:?}");
    assert!(report.message().contains("\"dwh\""), "{report:?}");
    let elapsed = begun.elapsed();
    assert!(elapsed < Duration::from_secs(2), "it took {elapsed:?}");
    assert_eq!(wire.value("select seq from mart.endless limit 1"), "1");
    assert!(begun.elapsed() < Duration::from_secs(10));
    // Kept sessions that are killed are replaced.
    maria.run(&format!("kill user '{}'@'127.0.0.1'", maria.name));
    assert_eq!(wire.value("select a from mart.t"), "1");
    // Nor is any place among the connections lost by it.
    for _ in 0..15 {
        wire.send_query("select seq, filler from mart.endless");
        while wire.read().expect("rows come").tag != b'D' {}
        maria.run(&format!("kill user '{}'@'127.0.0.1'", maria.name));
        assert_eq!(wire.answers().expect_err("it was killed").code(), "08006");
    }
    assert_eq!(wire.value("select a from mart.t"), "1");
}

#[test]
fn what_nobody_wants_any_more_is_stopped_at_the_server() {
    let maria = Maria::new("stopped", ENDLESS);
    let place = maria.place();
    let mut wire = place.gateway.connect();
    wire.send_query("select count(*) from mart.slow where slept = 2");
    place.gateway.wait_until(|| n_queries(&maria) != "0");
    wire.cancel();
    let report = wire.answers().expect_err("it was cancelled");
    assert_eq!(report.code(), "57014", "{report:?}");
    place.gateway.wait_until(|| n_queries(&maria) == "0");
    // A limit that is ours alone ends the scan, too, and the moment that is seen stays.
    done(&mut wire, "begin isolation level repeatable read");
    assert_eq!(wire.value("select a from mart.t"), "1");
    maria.run("update t set a = 2");
    let limited = "select seq from mart.endless where seq % 2 = 0 limit 2";
    assert_eq!(lines(&mut wire, limited).len(), 2);
    assert_eq!(wire.value("select a from mart.t"), "1");
    done(&mut wire, "commit");
    place.gateway.wait_until(|| n_queries(&maria) == "0");
    assert_eq!(wire.value("select a from mart.t"), "2");
}

#[test]
fn limits_of_time_and_connections_are_kept() {
    let maria = Maria::new("few", ENDLESS);
    let place = maria.place();
    let mut wire = place.gateway.connect();
    done(
        &mut wire,
        "alter server dwh options (add max_connections '1', add connect_timeout '1', add statement_timeout '500')",
    );
    // However many tables a statement has, it takes one.
    for _ in 0..20 {
        assert_eq!(
            wire.value("select count(*) from mart.t a, mart.t b, mart.t c"),
            "1"
        );
    }
    // One may be left from before the options were changed.
    assert!(matches!(n_sessions(&maria).as_str(), "1" | "2"));
    let report = refused(&mut wire, "select count(*) from mart.slow where slept = 2");
    assert_eq!(report.code(), "57014", "{report:?}");
    assert_eq!(wire.value("select a from mart.t"), "1");
    // A transaction that sees one moment holds the one place there is.
    let mut holder = place.gateway.connect();
    done(&mut holder, "begin isolation level repeatable read");
    assert_eq!(holder.value("select a from mart.t"), "1");
    let report = refused(&mut wire, "select a from mart.t");
    assert_eq!(report.code(), "08001", "{report:?}");
    assert!(report.field('D').contains("max_connections"), "{report:?}");
    done(&mut holder, "commit");
    assert_eq!(wire.value("select a from mart.t"), "1");
}
