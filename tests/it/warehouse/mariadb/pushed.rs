//! What MariaDB is asked to judge, and that it judges it as we would.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::super::{done, lines};
use super::Maria;
use crate::gateway::given_if_set;
use crate::wire::Wire;

const ROWS: &str = "
create table rows_ (id int primary key, n int, small smallint unsigned, big bigint unsigned, amount decimal(12, 2), word text,
    code varchar(10) collate utf8mb4_general_ci, old varchar(10) character set latin1 collate latin1_german1_ci, padded char(4), day date, moment datetime,
    instant timestamp null, kind enum('b', 'a', 'C'));
insert into rows_ select seq, nullif(seq % 7, 3), seq % 5, seq * 1000000000, (cast(seq as signed) - 50) / 4,
    elt(1 + seq % 11, '', 'a', 'A', 'b', 'é', 'Z', 'a b', 'a%', 'a_', 'a ', null), concat(if(seq % 2, 'c', 'C'), seq % 4),
    elt(1 + seq % 5, 'a', 'ä', 'A', 'a ', null), elt(1 + seq % 4, 'a', 'A', 'b', ''), date '2026-01-01' + interval seq day,
    timestamp '2026-01-01 00:00:00' + interval seq hour, timestamp '2026-01-01 00:00:00' + interval (seq * 37) minute,
    elt(1 + seq % 4, 'a', 'b', 'C', null) from seq_1_to_200;
";

/// The plan of a query, on one line.
fn plan(wire: &mut Wire, query: &str) -> String {
    lines(wire, &format!("explain (verbose) {query}")).join("\n")
}

#[test]
fn conditions_projections_and_limits_are_sent() {
    let maria = Maria::new("sent", ROWS);
    let place = maria.place();
    let mut wire = place.gateway.connect();
    let from = format!("FROM \"{}\".\"rows_\"", maria.name);
    let mut check = |query: &str, sent: &str| {
        let plan = plan(&mut wire, query);
        let sent = sent.replace("FROM", &from);
        assert!(
            plan.contains(&format!("Remote SQL: {sent}")),
            "{query}\n{plan}"
        );
    };
    check(
        "select id from mart.rows_ where n = 5",
        "SELECT \"id\" FROM WHERE (\"n\" = 5)",
    );
    check(
        "select id from mart.rows_ where code = 'c1' limit 3",
        "SELECT \"id\" FROM WHERE (\"code\" = 'c1' AND CAST(CONVERT(\"code\" USING utf8mb4) AS BINARY) = \
         CAST(CONVERT('c1' USING utf8mb4) AS BINARY)) LIMIT 3",
    );
    check(
        "select id from mart.rows_ where word > 'é'",
        "SELECT \"id\" FROM WHERE (CAST(CONVERT(\"word\" USING utf8mb4) AS BINARY) > CAST(CONVERT('é' USING utf8mb4) AS BINARY))",
    );
    check(
        "select id from mart.rows_ where word like 'a_%'",
        "SELECT \"id\" FROM WHERE (CONVERT(\"word\" USING utf8mb4) COLLATE utf8mb4_bin LIKE 'a_%')",
    );
    check(
        "select id from mart.rows_ where instant >= timestamptz '2026-01-02 02:00+02'",
        "SELECT \"id\", \"instant\" FROM WHERE (\"instant\" >= TIMESTAMP '2026-01-02 00:00:00')",
    );
    check("select 1 from mart.rows_", "SELECT NULL FROM");
    let mut kept = |query: &str| {
        let plan = plan(&mut wire, query);
        assert!(
            plan.contains("FilterExec") && !plan.contains("WHERE"),
            "{query}\n{plan}"
        );
    };
    kept("select id from mart.rows_ where lower(word) = 'a'");
    kept("select id from mart.rows_ where word like 'a\\%'");
    kept("select id from mart.rows_ where day is null");
    kept("select id from mart.rows_ where moment > timestamp '2026-01-01 00:00:00.5'");
    done(&mut wire, "set lakegate.remote_pushdown = off");
    let off = plan(&mut wire, "select id from mart.rows_ where n = 5");
    assert!(
        off.contains("FilterExec") && !off.contains("WHERE"),
        "{off}"
    );
}

/// Conditions that are tried.
const N_CONDITIONS: usize = 200;

/// A condition at random, as both sides understand it but for texts.
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
    let words = [
        "", "a", "A", "b", "é", "Z", "a%", "it''s", "a ", "ä", "C1", "c1",
    ];
    let word = *words.choose(random).expect("some");
    let text = *["word", "code", "old", "padded", "kind"]
        .choose(random)
        .expect("some");
    match random.random_range(0..14) {
        0 => format!("n {sign} {}", number % 8),
        1 => format!("small {sign} {}", number % 6),
        2 => format!("big {sign} {number}000000000"),
        3 => format!("amount {sign} {number}.25"),
        4..=6 => format!("{text} {sign} '{word}'"),
        7 => format!("{text} in ('c1', 'a', '{word}')"),
        8 => format!("day {sign} date '2026-0{}-15'", 1 + number.rem_euclid(9)),
        9 => format!(
            "moment {sign} timestamp '2026-01-0{} 12:00:00'",
            1 + number.rem_euclid(9)
        ),
        10 => format!("{text} like '{}%'", word.replace('%', "_")),
        11 => format!("{text} is null"),
        12 => format!("n not in (1, 2, {})", number % 7),
        _ => format!("id {sign} small"),
    }
}

/// A condition as MariaDB must be told it to mean the same.
fn told(condition: &str) -> String {
    let mut told = condition.to_owned();
    for column in ["word", "code", "old", "padded", "kind"] {
        // Letters are told apart, and blanks at the end count: NO PAD.
        let exactly = format!("convert({column} using utf8mb4) collate utf8mb4_nopad_bin ");
        told = told.replace(&format!("{column} "), &exactly);
    }
    told
}

#[test]
fn random_conditions_find_the_same_rows_wherever_they_are_judged() {
    let maria = Maria::new("random", ROWS);
    let place = maria.place();
    let (mut here, mut there) = (place.gateway.connect(), place.gateway.connect());
    done(&mut here, "set lakegate.remote_pushdown = off");
    let seed = given_if_set("LAKEGATE_TEST_SEED").and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    println!("LAKEGATE_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let conditions: Vec<String> = (0..N_CONDITIONS)
        .map(|_| condition(&mut random, 2))
        .collect();
    // One program for all of them: starting it takes longest.
    let truth = conditions.iter().map(|condition| {
        format!(
            "select coalesce(group_concat(id order by id), '') from rows_ where {}",
            told(condition)
        )
    });
    let truth = maria.lines(&truth.collect::<Vec<_>>().join("; "));
    assert_eq!(truth.len(), N_CONDITIONS);
    let mut n_sent = 0;
    for (condition, expected) in conditions.iter().zip(&truth) {
        let query = format!(
            "select coalesce(string_agg(id::text, ',' order by id), '') from mart.rows_ where {condition}"
        );
        assert_eq!(&here.value(&query), expected, "seed {seed}: {query}");
        assert_eq!(&there.value(&query), expected, "seed {seed}: {query}");
        n_sent += usize::from(plan(&mut there, &query).contains(" WHERE "));
    }
    assert!(
        n_sent * 10 >= N_CONDITIONS * 8,
        "seed {seed}: {n_sent} of {N_CONDITIONS} were sent"
    );
}

#[test]
fn a_statement_sees_one_snapshot_however_its_tables_are_read() {
    let maria = Maria::new(
        "snapshot",
        "create table a (n int); create table b (n int); insert into a values (0); insert into b values (0); \
         create table wide (i int primary key, filler varchar(200)); \
         insert into wide select seq, repeat('x', 200) from seq_1_to_100000",
    );
    let place = maria.place();
    let writes = "begin; update a set n = n + 1; update b set n = n + 1; commit; ".repeat(2_000);
    let writer = {
        let maria = Maria {
            name: maria.name.clone(),
            host: maria.host.clone(),
            port: maria.port.clone(),
        };
        std::thread::spawn(move || maria.run(&writes))
    };
    let mut wire = place.gateway.connect();
    let query = "select a.n - b.n, c.n - a.n from mart.a, mart.b, mart.a c";
    while !writer.is_finished() {
        assert_eq!(lines(&mut wire, query), ["0|0"]);
    }
    writer.join().expect("the writer ends well");
    // Two large ones at once take turns, and the second half of neither waits for the other.
    let both =
        "select count(*), sum(length(l.filler)) from mart.wide l join mart.wide r on l.i = r.i";
    assert_eq!(lines(&mut wire, both), ["100000|20000000"]);
    let merged = "select count(*) from (select i from mart.wide union all select i from mart.wide order by i) both_of_them";
    assert_eq!(wire.value(merged), "200000");
    done(&mut wire, "begin isolation level repeatable read");
    assert_eq!(wire.value("select n from mart.a"), "2000");
    maria.run("update a set n = 0; update b set n = 0");
    assert_eq!(
        lines(&mut wire, "select i from mart.wide where i % 2 = 0 limit 2").len(),
        2
    );
    assert_eq!(wire.value("select n from mart.a"), "2000");
    assert_eq!(wire.value("select n from mart.b"), "2000");
    done(&mut wire, "commit");
    assert_eq!(wire.value("select n from mart.b"), "0");
}

#[test]
fn names_and_texts_are_quoted_whatever_the_server_thinks_of_backslashes() {
    let statements = "
        create table \"a\"\"; drop table canary; --\" (\"b\"\"'\\ ;\" text);
        insert into \"a\"\"; drop table canary; --\" values ('it''s'), ('\\'), ('$$; drop table canary'), ('%'), ('\\'' or 1=1 -- ');
        create table canary (a int);
    ";
    let maria = Maria::new("quoted", statements);
    let place = maria.place();
    let from = "from mart.\"a\"\"; drop table canary; --\"";
    for mode in ["", "NO_BACKSLASH_ESCAPES", "ANSI,TRADITIONAL"] {
        // Of sessions to come.
        maria.run(&format!("set global sql_mode = '{mode}'"));
        let mut wire = place.gateway.connect();
        for value in [
            "it''s",
            "\\",
            "$$; drop table canary",
            "%",
            "\\'' or 1=1 -- ",
        ] {
            let query = format!("select count(*) {from} where \"b\"\"'\\ ;\" = '{value}'");
            assert_eq!(wire.value(&query), "1", "{mode}: {query}");
            let plan = plan(&mut wire, &query.replace("count(*)", "1"));
            assert!(
                plan.contains("Remote SQL:") && plan.contains(&format!("'{value}'")),
                "{plan}"
            );
        }
        // A server that is defined otherwise is another, and has sessions of its own.
        let word = if mode.is_empty() { "add" } else { "set" };
        let otherwise = format!("alter server dwh options ({word} application_name '{mode}.')");
        done(&mut wire, &otherwise);
        assert_eq!(wire.value("select count(*) from mart.canary"), "0");
    }
    maria.run("set global sql_mode = ''");
}
