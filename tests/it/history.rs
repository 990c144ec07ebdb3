//! `lakegate.queries`: what was asked, how it ended, and who may know of it.

use tempfile::TempDir;

use crate::delta::write_table;
use crate::gateway::Gateway;
use crate::login::log_in;
use crate::wire::Wire;

const PASSWORD: &str = "geheim";

fn place() -> (TempDir, Gateway) {
    let lake = TempDir::new().expect("a temporary folder can be made");
    let rows = (0..10).map(|id| (id, Vec::new())).collect();
    write_table(&lake.path().join("s/t"), &[], &[rows]);
    let gateway = Gateway::start(lake.path(), &[]);
    (lake, gateway)
}

/// Columns of the query of this text that was asked last, joined.
fn last(wire: &mut Wire, query: &str, columns: &str) -> String {
    let sql = format!(
        "select concat_ws(' | ', {columns}) from lakegate.queries \
         where query = '{}' order by started_at desc limit 1",
        query.replace('\'', "''")
    );
    wire.value(&sql)
}

#[test]
fn every_query_is_told_of_as_it_ended() {
    let (_lake, gateway) = place();
    let mut wire = gateway.connect();
    wire.query("set application_name = 'tiles'")
        .expect("it is set");
    let tile = "select id from s.t where id > 3";
    let columns = "user_name, role_name, application_name, rows, versions, cache, sqlstate, scanned_bytes > 0";
    for expected in [
        "postgres | postgres | tiles | 6 | s.t v0 | miss | 00000 | t",
        "postgres | postgres | tiles | 6 | s.t v0 | result hit | 00000 | f",
    ] {
        wire.query(tile).expect("it has rows");
        assert_eq!(last(&mut wire, tile, columns), expected);
    }
    let by_driver = "select id from s.t where id > 4";
    wire.query_extended(by_driver).expect("it has rows");
    assert_eq!(last(&mut wire, by_driver, "rows, cache"), "5 | miss");
    let copied = "copy (select id from s.t where id > 4) to stdout";
    wire.query(copied).expect("it has rows");
    assert_eq!(last(&mut wire, copied, "rows, cache"), "5 | result hit");
    let wrong = "select nothing from s.t";
    wire.query(wrong).expect_err("there is no such column");
    assert_eq!(last(&mut wire, wrong, "rows, sqlstate"), "0 | 42703");
    let failing = "select 1 / (id - 5) from s.t";
    wire.query(failing)
        .expect_err("a number is divided by zero");
    assert_eq!(last(&mut wire, failing, "sqlstate"), "22012");
    let of_password = "select id from s.t where 'password ' || 'secret' <> ''";
    wire.query(of_password).expect("it has rows");
    let secrets = "select count(*) from lakegate.queries where query like '%''secret''%' \
         and query not like '%lakegate.queries%'";
    assert_eq!(wire.value(secrets), "1");
    let times = "select bool_and(milliseconds >= 0 and started_at <= now() and pid = pg_backend_pid()) \
         from lakegate.queries";
    assert_eq!(wire.value(times), "t");
}

#[test]
fn a_canceled_query_is_told_of() {
    let (_lake, gateway) = place();
    let mut wire = gateway.connect();
    wire.query("set statement_timeout = '200ms'")
        .expect("it is set");
    let slow = "select count(*) from s.t as a, generate_series(1, 1000000) as b(n), \
         generate_series(1, 1000000) as c(n)";
    let canceled = wire.query(slow).expect_err("its time is over");
    assert_eq!(canceled.code(), "57014");
    wire.query("reset statement_timeout").expect("it is reset");
    assert_eq!(last(&mut wire, slow, "sqlstate"), "57014");
}

#[test]
fn others_see_that_and_not_what_was_asked() {
    let (_lake, gateway) = place();
    Wire::connect(gateway.address())
        .query("create role ada superuser login password 'geheim'")
        .expect("the first role is made");
    let mut ada = log_in(&gateway, "ada", PASSWORD).expect("the password is right");
    for statement in [
        "create role eve login password 'geheim'",
        "create role monitor login password 'geheim'",
        "grant pg_read_all_stats to monitor",
        "grant usage on schema s to eve",
        "select id from s.t where id = 7",
    ] {
        ada.query(statement).expect(statement);
    }
    let of_ada = "select query || coalesce(versions, '-') || coalesce(rows::text, '-') \
         || coalesce(sqlstate, '-') from lakegate.queries \
         where user_name = 'ada' order by started_at limit 1";
    for (role, expected) in [
        ("ada", "select id from s.t where id = 7s.t v0100000"),
        ("monitor", "select id from s.t where id = 7s.t v0100000"),
        ("eve", "<insufficient privilege>---"),
    ] {
        let mut session = log_in(&gateway, role, PASSWORD).expect("the password is right");
        assert_eq!(
            session.query(of_ada).expect("it is told"),
            [expected],
            "{role}"
        );
        // Its own are its own.
        let own = "select count(*) from lakegate.queries \
             where user_name = current_user and query like 'select query%'";
        assert_eq!(session.query(own).expect("it is told"), ["1"], "{role}");
    }
}
