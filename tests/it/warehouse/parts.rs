//! Large tables of PostgreSQL, which several connections read side by side.

use super::{Database, Place, done, lines};
use crate::wire::Wire;

/// More than the 64 MiB from which a table is read in parts.
const ROWS: &str = "
create table large (id int, n int, filler text);
insert into large select i, i % 100, repeat('x', 900) from generate_series(1, 100000) i;
analyze large;
";

const SUMS: &str =
    "select count(*), sum(id), min(upper(filler)), count(distinct n * 2) from mart.large";

fn plan(wire: &mut Wire, query: &str) -> String {
    lines(wire, &format!("explain (verbose) {query}")).join("\n")
}

#[test]
fn parts_are_the_whole_whoever_reads_them() {
    let database = Database::new("parts", ROWS);
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    done(&mut wire, "set lakegate.result_cache = off");
    let expected = ["100000|5000050000|".to_owned() + &"X".repeat(900) + "|100"];
    assert!(
        plan(&mut wire, SUMS).contains(" parts"),
        "{}",
        plan(&mut wire, SUMS)
    );
    assert_eq!(lines(&mut wire, SUMS), expected);
    // Rows that came after its pages were counted are in the last part, whatever was deleted.
    done(
        &mut database.connect(),
        "insert into large select i, 1, 'y' from generate_series(100001, 130000) i; delete from large where id <= 50000",
    );
    let query = "select count(*), sum(id), max(length(filler)) from mart.large";
    let of_parts = query.replace("count(*)", "count(upper(filler))");
    let mut truth = database.connect();
    assert_eq!(
        lines(&mut wire, query),
        lines(&mut truth, &query.replace("mart.", ""))
    );
    assert_eq!(
        lines(&mut wire, &of_parts),
        lines(&mut truth, &of_parts.replace("mart.", ""))
    );
    // Twice in one statement, in several ways; and once for each step of a recursion.
    for query in [
        "select count(*), sum(a.id) from mart.large a join mart.large b on upper(a.filler) = 'Y' and a.id = b.id",
        "select count(*) from (select upper(filler) as f, id from mart.large union all select lower(filler), id from mart.large) s where f = 'y'",
        "select count(*) from mart.large where id % 7 = 0 and n in (select n from mart.large where id % 5 = 0)",
        "with recursive r as (select 60000 as id union all select l.id + 1 from r join mart.large l on l.id = r.id where upper(l.filler) <> 'Y' and r.id < 60004) select count(*), max(id) from r",
    ] {
        assert_eq!(
            lines(&mut wire, query),
            lines(&mut truth, &query.replace("mart.", "")),
            "{query}"
        );
    }
    // Some rows, and the first rows, are not read in parts.
    for query in [
        "select id from mart.large limit 5",
        "select id from mart.large order by id limit 5",
    ] {
        assert!(!plan(&mut wire, query).contains(" parts"));
    }
}

#[test]
fn parts_are_read_of_one_snapshot() {
    let database = Database::new("parts_moving", ROWS);
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    done(&mut wire, "set lakegate.result_cache = off");
    let writer = {
        let mut wire = database.connect();
        std::thread::spawn(move || {
            for step in 0..40 {
                let moved = format!(
                    "begin; update large set n = n + 1 where id % 40 = {step}; update large set n = n - 1 where id % 40 = {}; commit",
                    (step + 1) % 40
                );
                done(&mut wire, &moved);
            }
        })
    };
    let mut n_read = 0;
    while !writer.is_finished() || n_read == 0 {
        let query = "select count(upper(filler)), sum(n) from mart.large";
        assert_eq!(lines(&mut wire, query), ["100000|4950000"]);
        n_read += 1;
    }
    writer.join().expect("the writer ends well");
}

#[test]
fn a_slow_client_leaves_connections_to_others() {
    let database = Database::new("parts_slow", ROWS);
    let place = Place::with_marts(&database);
    let mut slow: Vec<Wire> = Vec::new();
    let mut wire = place.gateway.connect();
    done(
        &mut wire,
        "alter server dwh options (add max_connections '8', add connect_timeout '5')",
    );
    let used = || -> usize {
        let query = format!(
            "select count(*) from pg_stat_activity where datname = '{}' and application_name = 'lakegate' and state <> 'idle'",
            database.name
        );
        database.connect().value(&query).parse().expect("a number")
    };
    for _ in 0..2 {
        let mut client = place.gateway.connect();
        // Each by itself: of what is kept, one run serves both, and goes on without them.
        done(&mut client, "set lakegate.result_cache = off");
        client.send_query("select upper(filler), id from mart.large");
        while client.read().expect("rows come").tag != b'D' {}
        slow.push(client);
    }
    // Nobody takes more than is left by half; two who wait keep none from a third, or a fourth.
    assert!((2..=6).contains(&used()), "{} are used", used());
    assert_eq!(
        wire.value("select count(upper(filler)) from mart.large where id < 5"),
        "4"
    );
    let other = place
        .gateway
        .connect()
        .value("select max(id) from mart.large where n = 7");
    assert_eq!(other, "99907");
}
