//! Servers that are not there, or are gone while they answer.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::{Database, Place, done, lines, refused};

/// How many sessions the gateway has with a database, by what they do.
fn sessions(database: &Database, state: &str) -> String {
    let query = format!(
        "select count(*) from pg_stat_activity where datname = '{}' and application_name = 'lakegate' and state {state}",
        database.name
    );
    database.connect().value(&query)
}

#[test]
fn imported_schemas_follow_their_server() {
    let database = Database::new("follow", "create table first (a int)");
    let place = Place::with_marts(&database);
    let (mut ours, mut theirs) = (place.gateway.connect(), database.connect());
    assert_eq!(ours.value("select count(*) from mart.first"), "0");
    done(
        &mut theirs,
        "create table second (b int); insert into second values (7)",
    );
    assert_eq!(ours.value("select b from mart.second"), "7");
    done(&mut theirs, "alter table second add c text default 'new'");
    assert_eq!(lines(&mut ours, "select * from mart.second"), ["7|new"]);
    done(
        &mut theirs,
        "alter table second alter b type text using 'was ' || b",
    );
    assert_eq!(ours.value("select b from mart.second"), "was 7");
    done(&mut theirs, "drop table second");
    assert_eq!(
        refused(&mut ours, "select * from mart.second").code(),
        "42P01"
    );
    assert_eq!(ours.value("select count(*) from mart.first"), "0");
}

#[test]
fn a_server_that_is_gone_fails_what_reads_it_and_nothing_else() {
    let database = Database::new("gone", "create table t (a int); insert into t values (1)");
    let mut place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    done(&mut wire, "create view mart.v as select a from mart.t");
    // A port that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port is free")
        .port();
    done(
        &mut wire,
        &format!("alter server dwh options (set port '{port}')"),
    );
    done(
        &mut wire,
        "create user mapping for public server dwh options (user 'postgres')",
    );
    for query in ["select * from mart.t", "select * from mart.v"] {
        let begun = Instant::now();
        let report = refused(&mut wire, query);
        assert_eq!(report.code(), "08001", "{query}: {report:?}");
        assert!(report.message().contains("\"dwh\""), "{report:?}");
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{query} took long"
        );
    }
    assert_eq!(wire.value("select 1"), "1");
    assert_eq!(
        lines(&mut wire, "select count(*) from lakegate.omissions").len(),
        1
    );
    // The same for a gateway that begins when the server is gone; and once it is back, it is read.
    let state = place.gateway.state_folder().to_owned();
    let views: Vec<_> = super::files(&state.join("views"));
    let folder = tempfile::TempDir::new().expect("a temporary folder can be made");
    for (path, text) in views {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("below")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }
    let arguments = ["--views", &folder.path().display().to_string()];
    place.gateway = crate::gateway::Gateway::start(place.lake.path(), &arguments);
    let mut wire = place.gateway.connect();
    assert_eq!(refused(&mut wire, "select * from mart.t").code(), "08001");
    assert_eq!(wire.value("select 1"), "1");
    let back = format!(
        "alter server dwh options (set port '{}')",
        database.address.port()
    );
    done(&mut wire, &back);
    done(
        &mut wire,
        "create user mapping for public server dwh options (user 'postgres')",
    );
    assert_eq!(wire.value("select a from mart.t"), "1");
    assert_eq!(wire.value("select a from mart.v"), "1");
}

#[test]
fn a_server_killed_in_the_middle_is_a_lost_connection_and_the_pool_heals() {
    let statements = "create view endless as select i, repeat('x', 1000) as filler from (select generate_series(1, 100000000) as i) as all_of_them";
    let database = Database::new("killed", statements);
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    let mut killer = database.connect();
    wire.send_query("select i, filler from mart.endless");
    // Rows come before it is killed.
    while wire.read().expect("rows come").tag != b'D' {}
    let begun = Instant::now();
    let killed = format!(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '{}' and application_name = 'lakegate'",
        database.name
    );
    assert_ne!(killer.value(&killed), "0");
    let report = wire.answers().expect_err("it was killed");
    assert_eq!(report.code(), "08006", "{report:?}");
    assert!(report.message().contains("\"dwh\""), "{report:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "it took {:?}",
        begun.elapsed()
    );
    // The next statement finds kept connections closed, and opens others.
    assert_eq!(wire.value("select i from mart.endless limit 1"), "1");
}

#[test]
fn what_nobody_wants_any_more_is_stopped_at_the_server() {
    let statements = "create view slow as select i, pg_sleep(0.2)::text as slept from generate_series(1, 1000) i;
        create view endless as select generate_series(1, 1000000000) as i";
    let database = Database::new("stopped", statements);
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    wire.send_query("select count(a.slept) from mart.slow a, mart.slow b where b.slept = ''");
    place
        .gateway
        .wait_until(|| sessions(&database, "= 'active'") != "0");
    wire.cancel();
    let report = wire.answers().expect_err("it was cancelled");
    assert_eq!(report.code(), "57014", "{report:?}");
    place
        .gateway
        .wait_until(|| sessions(&database, "= 'active'") == "0");
    // A limit that is ours alone ends the scan, too.
    assert_eq!(
        lines(
            &mut wire,
            "select i from mart.endless where i % 2 = 0 limit 2"
        )
        .len(),
        2
    );
    place
        .gateway
        .wait_until(|| sessions(&database, "<> 'idle'") == "0");
}

#[test]
fn no_more_connections_are_opened_than_a_server_allows() {
    let database = Database::new("few", "create table t (a int); insert into t values (1)");
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    done(
        &mut wire,
        "alter server dwh options (add max_connections '2', add connect_timeout '1')",
    );
    // One holds the snapshot, and one can read: a third is one too many.
    let two = "select count(*) from mart.t a, mart.t b";
    let answered = wire.query(two);
    let is_refused = matches!(&answered, Err(report) if report.code() == "08001");
    assert!(is_refused || answered.is_ok(), "{answered:?}");
    done(
        &mut wire,
        "alter server dwh options (set max_connections '3')",
    );
    assert_eq!(wire.value(two), "1");
    for _ in 0..20 {
        assert_eq!(wire.value("select a from mart.t"), "1");
    }
}

#[test]
fn a_server_that_was_down_at_start_has_the_tables_it_was_seen_with() {
    let statements = "create table seen (a int); comment on table seen is 'as it was'";
    let database = Database::new("down", statements);
    let lake = tempfile::TempDir::new().expect("a temporary folder can be made");
    let state = tempfile::TempDir::new().expect("a temporary folder can be made");
    let start = || crate::gateway::Gateway::start_with_state(lake.path(), state.path(), &[]);
    let gateway = start();
    let mut wire = gateway.connect();
    done(&mut wire, &database.server());
    done(&mut wire, "create schema mart");
    done(
        &mut wire,
        "import foreign schema public from server dwh into mart",
    );
    let kept = state.path().join("imports.json");
    gateway
        .wait_until(|| std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("as it was")));
    drop((wire, gateway));
    let server = std::fs::read_dir(state.path().join("views/_servers")).expect("it is there");
    for file in server.filter_map(Result::ok) {
        let text = std::fs::read_to_string(file.path()).expect("it is text");
        let port = format!("port '{}'", database.address.port());
        assert!(text.contains(&port), "{text}");
        // Nobody listens there.
        std::fs::write(file.path(), text.replace(&port, "port '1'")).expect("it can be written");
    }
    let gateway = start();
    let mut wire = gateway.connect();
    let comment = "select obj_description('mart.seen'::regclass)";
    assert_eq!(wire.value(comment), "as it was");
    let report = refused(&mut wire, "select * from mart.seen");
    assert_eq!(report.code(), "08001", "{report:?}");
    assert!(report.message().contains("\"dwh\""), "{report:?}");
    assert_eq!(
        refused(&mut wire, "select * from mart.other").code(),
        "08001"
    );
    assert_eq!(wire.value("select 1"), "1");
}
