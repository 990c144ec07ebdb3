//! What servers are asked to judge: only what means the same there, and then really there.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::{Database, Place, done, lines, refused};
use crate::gateway::given_if_set;

const ROWS: &str = "
create table rows (id int primary key, n int, small int2, big int8, amount numeric(12, 2), word text,
    code varchar(10), flag bool, day date, moment timestamp, instant timestamptz, odd text collate \"POSIX\");
insert into rows select i, nullif(i % 7, 3), i % 5, i * 1000000000::int8, (i - 50) / 4.0,
    (array['', 'a', 'A', 'b', 'é', 'Z', 'a b', 'a%', 'a_', null])[1 + i % 10], 'c' || i % 4, i % 3 = 0,
    date '2026-01-01' + i, timestamp '2026-01-01' + i * interval '1 hour', timestamptz '2026-01-01 00:00+00' + i * interval '37 min',
    (array['a', 'A', 'á', null])[1 + i % 4]
    from generate_series(1, 200) i;
";

/// The plan of a query, on one line.
fn plan(wire: &mut crate::wire::Wire, query: &str) -> String {
    lines(wire, &format!("explain (verbose) {query}")).join("\n")
}

#[test]
fn conditions_projections_and_limits_are_sent() {
    let database = Database::new("sent", ROWS);
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    let mut check = |query: &str, sent: &str| {
        let plan = plan(&mut wire, query);
        assert!(
            plan.contains(&format!("Remote SQL: {sent}")),
            "{query}\n{plan}"
        );
    };
    let id = "\"id\"::pg_catalog.int4";
    check(
        "select id from mart.rows where n = 5",
        &format!("SELECT {id} FROM \"public\".\"rows\" WHERE (\"n\"::pg_catalog.int4 = 5)"),
    );
    check(
        "select id from mart.rows where word = 'a' limit 3",
        &format!(
            "SELECT {id} FROM \"public\".\"rows\" WHERE (\"word\"::pg_catalog.text = 'a') LIMIT 3"
        ),
    );
    check(
        "select 1 from mart.rows",
        "SELECT NULL FROM \"public\".\"rows\"",
    );
    let mut kept = |query: &str, sent: &str| {
        let plan = plan(&mut wire, query);
        assert!(
            plan.contains("FilterExec") && !plan.contains(sent),
            "{query}\n{plan}"
        );
    };
    kept("select id from mart.rows where lower(word) = 'a'", "WHERE");
    kept("select id from mart.rows where word like 'a\\%'", "WHERE");
    kept("select id from mart.rows where n + 1 = 5", "WHERE");
    done(&mut wire, "set lakegate.remote_pushdown = off");
    let off = plan(&mut wire, "select id from mart.rows where n = 5");
    assert!(
        off.contains("FilterExec") && !off.contains("WHERE"),
        "{off}"
    );
}

#[test]
fn what_becomes_of_a_condition_while_planning_is_sent_too() {
    // That a partner's key is not NULL is told of the key, and known of it: nothing is left to ask.
    let statements = "create table t (id int primary key, other int); create table u (id int primary key, n int);
        insert into t select i, nullif(i % 20, 3) from generate_series(1, 400) i;
        insert into u select i, i % 5 from generate_series(1, 60) i";
    let database = Database::new("told", statements);
    let place = Place::with_marts(&database);
    let (mut wire, mut theirs) = (place.gateway.connect(), database.connect());
    done(&mut wire, "set search_path = mart");
    for query in [
        "select count(*) from t where other in (select id from u where n > 2) and other is not null",
        "select count(*) from t join u on t.other = u.id where t.other is not null and u.id is not null",
        "select count(*) from t left join u on t.other = u.id and u.id is not null where u.id is null",
        "select count(*) from t where id is null or other = 4",
        "select count(*) from u where id is null",
    ] {
        assert_eq!(wire.value(query), theirs.value(query), "{query}");
    }
}

/// Conditions that are tried.
const N_CONDITIONS: usize = 150;

/// A condition at random, mostly of such as may be sent.
fn condition(random: &mut StdRng, depth: usize) -> String {
    if depth > 0 && random.random_bool(0.5) {
        let (left, right) = (condition(random, depth - 1), condition(random, depth - 1));
        return match random.random_range(0..3) {
            0 => format!("({left} and {right})"),
            1 => format!("({left} or {right})"),
            _ => format!("not ({left})"),
        };
    }
    let sign = *["=", "<>", "<", "<=", ">", ">="]
        .choose(random)
        .expect("some");
    let number: i32 = random.random_range(-60..210);
    let word = *["", "a", "A", "b", "é", "Z", "a%", "it''s"]
        .choose(random)
        .expect("some");
    match random.random_range(0..16) {
        0 => format!("n {sign} {}", number % 8),
        1 => format!("small {sign} {}", number % 6),
        2 => format!("big {sign} {number}000000000"),
        3 => format!("amount {sign} {number}.25"),
        4 => format!("word {sign} '{word}'"),
        5 => format!("odd {sign} '{word}'"),
        6 => format!("code in ('c1', 'c{}')", number.rem_euclid(5)),
        7 => "flag".to_owned(),
        8 => format!("day {sign} date '2026-01-01' + {number}"),
        9 => format!(
            "day between date '2026-02-01' and date '2026-0{}-15'",
            1 + number.rem_euclid(9)
        ),
        10 => format!(
            "moment {sign} timestamp '2026-01-0{} 12:00'",
            1 + number.rem_euclid(9)
        ),
        11 => format!(
            "instant {sign} timestamptz '2026-01-0{} 12:00+05'",
            1 + number.rem_euclid(6)
        ),
        12 => format!("word like '{}%'", word.replace('%', "")),
        13 => "word is null".to_owned(),
        14 => format!("n not in (1, 2, {})", number % 7),
        _ => format!("id {sign} small"),
    }
}

#[test]
fn random_conditions_find_the_same_rows_wherever_they_are_judged() {
    let database = Database::new("random", ROWS);
    let place = Place::with_marts(&database);
    let (mut here, mut there) = (place.gateway.connect(), place.gateway.connect());
    let mut truth = database.connect();
    done(
        &mut here,
        "set lakegate.remote_pushdown = off; set timezone = 'Europe/Berlin'",
    );
    done(&mut there, "set timezone = 'Europe/Berlin'");
    done(&mut truth, "set timezone = 'Europe/Berlin'");
    let seed = given_if_set("LAKEGATE_TEST_SEED").and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    println!("LAKEGATE_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut n_sent = 0;
    for _ in 0..N_CONDITIONS {
        let condition = condition(&mut random, 2);
        let query = format!("select id from mart.rows where {condition} order by id");
        let expected = lines(&mut here, &query);
        assert_eq!(lines(&mut there, &query), expected, "seed {seed}: {query}");
        let of_truth = query.replace("mart.rows", "rows");
        let of_truth = of_truth.replace("word ", "word collate \"C\" ");
        let of_truth = of_truth.replace("collate \"C\" is null", "is null");
        assert_eq!(
            lines(&mut truth, &of_truth),
            expected,
            "seed {seed}: {of_truth}"
        );
        n_sent += usize::from(!plan(&mut there, &query).contains("FilterExec"));
    }
    assert!(
        n_sent * 10 >= N_CONDITIONS * 8,
        "seed {seed}: {n_sent} of {N_CONDITIONS} were sent"
    );
}

#[test]
fn a_statement_sees_one_snapshot_of_a_server() {
    let statements = "create table a (n int); create table b (n int);
        insert into a values (0); insert into b values (0)";
    let database = Database::new("snapshot", statements);
    let place = Place::with_marts(&database);
    let writer = {
        let mut wire = database.connect();
        std::thread::spawn(move || {
            for _ in 0..300 {
                done(
                    &mut wire,
                    "begin; update a set n = n + 1; update b set n = n + 1; commit",
                );
            }
        })
    };
    let mut wire = place.gateway.connect();
    let query = "select a.n - b.n, c.n - a.n from mart.a, mart.b, mart.a c";
    while !writer.is_finished() {
        assert_eq!(lines(&mut wire, query), ["0|0"]);
    }
    writer.join().expect("the writer ends well");
    // A transaction that sees one moment sees it there, too.
    done(&mut wire, "begin isolation level repeatable read");
    assert_eq!(wire.value("select n from mart.a"), "300");
    done(
        &mut database.connect(),
        "update a set n = 0; update b set n = 0",
    );
    assert_eq!(wire.value("select n from mart.a"), "300");
    assert_eq!(wire.value("select n from mart.b"), "300");
    done(&mut wire, "commit");
    assert_eq!(wire.value("select n from mart.b"), "0");
    let report = refused(&mut wire, "select nope from mart.a");
    assert_eq!(report.code(), "42703", "{report:?}");
}
