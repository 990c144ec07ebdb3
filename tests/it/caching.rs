//! Answers that are kept: right at every moment, shared by those who may, computed once, and within bounds.

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use crate::delta::{Row, write_table, write_version};
use crate::gateway::Gateway;
use crate::login::log_in;
use crate::travel::over_own_lake;
use crate::wire::Wire;

const PASSWORD: &str = "geheim";

#[test]
fn no_answer_is_of_another_moment() {
    over_own_lake("tests/peers/caching.py");
}

/// Rows with a number and a word.
fn rows(n_rows: i64) -> Vec<Row> {
    let word = |id: i64| vec![format!("word {}", id % 7)];
    (0..n_rows).map(|id| (id, word(id))).collect()
}

/// A lake of one Delta table, `s.t`, and a gateway with these arguments.
fn place(n_rows: i64, arguments: &[&str]) -> (TempDir, Gateway) {
    let lake = TempDir::new().expect("a temporary folder can be made");
    write_table(&lake.path().join("s/t"), &["word"], &[rows(n_rows)]);
    let gateway = Gateway::start(lake.path(), arguments);
    (lake, gateway)
}

/// A number of `lakegate.cache`.
fn counted(wire: &mut Wire, column: &str) -> i64 {
    let sql = format!("select {column} from lakegate.cache where cache = 'results'");
    wire.value(&sql).parse().expect("it is a number")
}

/// What EXPLAIN says that a query finds.
fn told(wire: &mut Wire, query: &str) -> String {
    let answers = wire.query(&format!("explain analyze {query}"));
    let answers = answers.expect("it can be explained");
    let mut lines = answers[0].rows.iter().flatten().flatten();
    let line = lines.find_map(|line| line.strip_prefix("Cache: "));
    line.expect("it says what is found").to_owned()
}

/// Runs a query, and says how often an answer was given that was kept.
fn hits(wire: &mut Wire, query: &str) -> i64 {
    let before = counted(wire, "hits");
    wire.query(query)
        .unwrap_or_else(|error| panic!("{query}: {error:?}"));
    counted(wire, "hits") - before
}

#[test]
fn the_same_is_computed_once_however_it_is_asked() {
    let (lake, gateway) = place(100, &[]);
    let mut wire = gateway.connect();
    let tile = "select word, count(*) as n from s.t where id > 10 group by word order by word";
    assert_eq!(told(&mut wire, tile), "miss (not kept)");
    let first = wire.query(tile).expect("it has rows");
    assert_eq!(told(&mut wire, tile), "result hit");
    let other = "/* a tile */ SELECT Word,\n count(*) AS N FROM S.T\n WHERE ID > 10 GROUP BY WORD ORDER BY word -- it ends";
    let before = counted(&mut wire, "hits");
    for answers in [
        wire.query(other),
        wire.query_extended(tile),
        gateway.connect().query(tile),
    ] {
        let answers = answers.expect("it has rows");
        assert_eq!(answers[0].rows, first[0].rows);
        assert_eq!(answers[0].columns, first[0].columns);
    }
    assert_eq!(counted(&mut wire, "hits"), before + 3);
    for statement in [
        "begin; declare c cursor for select word, count(*) as n from s.t where id > 10 group by word order by word; fetch all from c; commit",
        "copy (select word, count(*) as n from s.t where id > 10 group by word order by word) to stdout",
    ] {
        assert_eq!(hits(&mut wire, statement), 1, "{statement}");
    }
    wire.query("prepare q (int8) as select count(*) from s.t where id > $1")
        .expect("it is kept");
    assert_eq!(hits(&mut wire, "execute q (1)"), 0);
    assert_eq!(hits(&mut wire, "execute q (1)"), 1);
    assert_eq!(hits(&mut wire, "execute q (2)"), 0);
    write_version(&lake.path().join("s/t"), &["word"], 1, &rows(3));
    assert_eq!(told(&mut wire, tile), "miss (not kept)");
    let changed = wire.query(tile).expect("it has rows");
    assert!(changed[0].rows.is_empty());
}

#[test]
fn what_may_change_is_computed_each_time() {
    let (lake, gateway) = place(10, &[]);
    let young = lake.path().join("s/young.csv");
    fs::write(&young, "id\n1\n").expect("it can be written");
    // It stays young for as long as the test may take.
    let later = SystemTime::now() + Duration::from_secs(3600);
    let dated = File::options().append(true).open(young);
    let dated = dated.and_then(|file| file.set_modified(later));
    dated.expect("the file can be dated");
    let mut wire = gateway.connect();
    wire.query("create view s.v as select id, now() as seen from s.t")
        .expect("it is made");
    for (query, expected) in [
        (
            "select id, random() from s.t",
            "calls random(), which changes",
        ),
        (
            "select id from s.t where now() > '2020-01-01'",
            "calls now(), which changes",
        ),
        ("select seen from s.v", "calls now(), which changes"),
        (
            "select id, (select pg_sleep(0)) from s.t",
            "calls pg_sleep(), which changes",
        ),
        (
            "select pid from pg_stat_activity",
            "reads pg_catalog.pg_stat_activity, which has no versions",
        ),
        (
            "select oid::regclass from pg_class",
            "shows names of objects",
        ),
        (
            "select id, 's.t'::regclass from s.t",
            "shows names of objects",
        ),
        (
            "select id from s.young",
            "reads s.young, whose files have just changed",
        ),
        (
            "select id from s.t, generate_series(1, 2) as g",
            "reads the rows of generate_series()",
        ),
        ("select 1 + 1", "reads no table"),
    ] {
        for _ in 0..2 {
            assert_eq!(
                told(&mut wire, query),
                format!("miss ({expected})"),
                "{query}"
            );
            assert_eq!(hits(&mut wire, query), 0, "{query}");
        }
    }
    // The day is the same for long enough.
    let of_day = "select id from s.t where current_date > '2020-01-01'";
    assert_eq!(hits(&mut wire, of_day), 0);
    assert_eq!(hits(&mut wire, of_day), 1);
    let plain = "select id from s.t";
    wire.query(plain).expect("it has rows");
    assert_eq!(hits(&mut wire, plain), 1);
    wire.query("set lakegate.result_cache = off")
        .expect("it is set");
    assert_eq!(hits(&mut wire, plain), 0);
    assert_eq!(
        told(&mut wire, plain),
        "miss (lakegate.result_cache is off)"
    );
}

// A table that was dropped and made anew for the second time was read as it was made for the first.
#[test]
fn a_table_that_is_made_anew_is_another() {
    let (lake, gateway) = place(10, &[]);
    let folder = lake.path().join("s/t");
    let mut wire = gateway.connect();
    for n_rows in [3, 4, 5] {
        fs::remove_dir_all(&folder).expect("the table can be dropped");
        write_table(&folder, &["word"], &[rows(n_rows)]);
        assert_eq!(wire.value("select count(*) from s.t"), n_rows.to_string());
        write_version(&folder, &["word"], 1, &rows(n_rows + 10));
        let later = (n_rows + 10).to_string();
        assert_eq!(wire.value("select count(*) from s.t"), later);
    }
}

#[test]
fn what_is_cleared_is_computed_anew() {
    let (_lake, gateway) = place(10, &[]);
    let mut wire = gateway.connect();
    let query = "select count(*) from s.t";
    assert_eq!(wire.value(query), "10");
    assert_eq!(wire.value("select lakegate.clear_cache('results')"), "1");
    assert_eq!(counted(&mut wire, "entries"), 0);
    assert_eq!(hits(&mut wire, query), 0);
    wire.query_extended(query).expect("it has a row");
    // An answer, a description, and what the names mean in both.
    assert_eq!(wire.value("select lakegate.clear_cache()"), "4");
    let wrong = wire.query("select lakegate.clear_cache('everything')");
    assert_eq!(wrong.expect_err("there is none").code(), "22023");
}

#[test]
fn without_memory_nothing_is_kept() {
    let (_lake, gateway) = place(10, &["--cache-mib", "0"]);
    let mut wire = gateway.connect();
    let query = "select count(*) from s.t";
    assert_eq!(wire.value(query), "10");
    assert_eq!(hits(&mut wire, query), 0);
    assert_eq!(told(&mut wire, query), "miss (there is no memory for it)");
}

/// Takes long on any machine: every row of the table against every other, many times. Longer by far than
/// sessions wait for their turn on the threads that it takes, so that none of them comes when it is over.
const SLOW: &str = "select count(*), sum(a.id * b.id % 7) from s.t as a, s.t as b, \
     (select id from s.t where id < 40) as c";

/// Waits until as many sessions run the slow query.
fn wait_until_asked(wire: &mut Wire, n_askers: usize) {
    let sql = "select count(*) from pg_stat_activity \
         where state = 'active' and query like 'select count(*), sum(a.id%'";
    let deadline = Instant::now() + Duration::from_secs(60);
    while wire.value(sql) != n_askers.to_string() {
        assert!(Instant::now() < deadline, "they never asked");
        thread::yield_now();
    }
}

#[test]
fn ten_who_ask_at_once_are_answered_by_one_scan() {
    let (_lake, gateway) = place(800, &[]);
    let mut wire = gateway.connect();
    let columns = ["misses", "shared", "hits"];
    let before = columns.map(|column| counted(&mut wire, column));
    let mut askers: Vec<Wire> = (0..10).map(|_| gateway.connect()).collect();
    for asker in &mut askers {
        asker.send_query(SLOW);
    }
    wait_until_asked(&mut wire, 10);
    let answers = askers.iter_mut().map(|asker| {
        let answers = asker.answers().expect("it is answered");
        answers[0].rows.clone()
    });
    let answers: Vec<_> = answers.collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let after = columns.map(|column| counted(&mut wire, column));
    let [misses, shared, hits] = [0, 1, 2].map(|index| after[index] - before[index]);
    // On a machine with much to do one may come when it is over, and finds the answer kept.
    assert_eq!((misses, shared + hits), (1, 9));
    assert!(shared > 4, "{shared} have waited for it");
}

#[test]
fn who_asked_first_may_leave() {
    let (_lake, gateway) = place(800, &[]);
    let mut wire = gateway.connect();
    let mut first = gateway.connect();
    first.send_query(SLOW);
    wait_until_asked(&mut wire, 1);
    let mut others: Vec<Wire> = (0..3).map(|_| gateway.connect()).collect();
    for other in &mut others {
        other.send_query(SLOW);
    }
    wait_until_asked(&mut wire, 4);
    // They are told to be active a little before they wait for the first; it takes seconds.
    thread::sleep(Duration::from_millis(500));
    first.cancel();
    let canceled = first.answers().expect_err("it is canceled");
    assert_eq!(canceled.code(), "57014");
    for other in &mut others {
        let answers = other.answers().expect("it is answered all the same");
        assert_eq!(answers[0].rows.len(), 1);
    }
    // Who is so late that all was done is given what is kept.
    let given = counted(&mut wire, "shared") + counted(&mut wire, "hits");
    assert_eq!(given, 3);
    assert_eq!(hits(&mut wire, SLOW), 1);
}

#[test]
fn what_nobody_waits_for_ends() {
    let (_lake, gateway) = place(800, &[]);
    let mut wire = gateway.connect();
    let mut askers: Vec<Wire> = (0..2).map(|_| gateway.connect()).collect();
    for asker in &mut askers {
        asker.send_query(&SLOW.replace(
            "(select id from s.t where id < 40) as c",
            "s.t as c, s.t as d",
        ));
    }
    wait_until_asked(&mut wire, 2);
    for asker in &mut askers {
        asker.cancel();
        assert_eq!(asker.answers().expect_err("it is canceled").code(), "57014");
    }
    // It would take for hours: nothing is worked on any more.
    let idle = |ticks: u64| {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(500) {
            thread::yield_now();
        }
        gateway.processor_ticks() < ticks + 5
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while !idle(gateway.processor_ticks()) {
        assert!(Instant::now() < deadline, "it goes on");
    }
}

/// Who may read what in `s.t`; `one` and `other` read the same, `third` reads less.
const RIGHTS: &[&str] = &[
    "create role one login password 'geheim'",
    "create role other login password 'geheim'",
    "create role third login password 'geheim'",
    "grant usage on schema s to one, other, third",
    "grant select on s.t to one, other, third",
    "alter table s.t enable row level security",
    "create policy most on s.t to one, other using (id >= 10)",
    "create policy few on s.t to third using (id >= 90)",
];

#[test]
fn equal_policies_share_and_others_never() {
    let (_lake, gateway) = place(100, &[]);
    let mut wire = gateway.connect();
    wire.query("create role ada superuser login password 'geheim'")
        .expect("the first role is made");
    let mut ada = log_in(&gateway, "ada", PASSWORD).expect("the password is right");
    for statement in RIGHTS {
        ada.query(statement).expect(statement);
    }
    let query = "select count(*) from s.t";
    let as_role = |role: &str| {
        let mut session = log_in(&gateway, role, PASSWORD).expect("the password is right");
        session
            .query(query)
            .map_err(|error| error.code().to_owned())
    };
    let count = |n_rows: &str| Ok(vec![n_rows.to_owned()]);
    let mut hits = || {
        let hits = ada.query("select hits from lakegate.cache where cache = 'results'");
        hits.expect("it is counted")[0].clone()
    };
    for (role, expected, n_hits) in [
        ("one", "90", "0"),
        ("other", "90", "1"),
        ("third", "10", "1"),
        ("third", "10", "2"),
        ("ada", "100", "2"),
        ("one", "90", "3"),
    ] {
        assert_eq!(as_role(role), count(expected), "{role}");
        assert_eq!(hits(), n_hits, "{role}");
    }
    // Rights are those of now, whatever is kept.
    let mut ada = log_in(&gateway, "ada", PASSWORD).expect("the password is right");
    let mut then = |statement: &str| {
        ada.query(statement).expect(statement);
    };
    then("revoke select on s.t from other");
    assert_eq!(as_role("other"), Err("42501".to_owned()));
    assert_eq!(as_role("one"), count("90"));
    then("alter policy most on s.t using (id >= 50)");
    assert_eq!(as_role("one"), count("50"));
    then("alter policy most on s.t using (current_user = 'one' and id >= 20)");
    then("grant select on s.t to other");
    assert_eq!(as_role("one"), count("80"));
    assert_eq!(as_role("other"), count("0"));
    then("revoke select on s.t from one");
    then("grant select (id) on s.t to one");
    assert_eq!(as_role("one"), count("80"));
    then("security label for lakegate on column s.t.id is 'MASKED WITH (id + 1)'");
    assert_eq!(as_role("one"), count("80"));
    let clear = log_in(&gateway, "one", PASSWORD)
        .expect("the password is right")
        .query("select lakegate.clear_cache()");
    assert_eq!(clear.expect_err("it is for superusers").code(), "42501");
}

#[test]
fn what_is_kept_stays_within_its_bound() {
    let (_lake, gateway) = place(50_000, &["--cache-mib", "8"]);
    let mut wire = gateway.connect();
    let whole = "select id, word, id * 2 as twice from s.t";
    for _ in 0..2 {
        // Larger than one answer may be: it is passed on, and is all there.
        let answers = wire.query(whole).expect("it has rows");
        assert_eq!(answers[0].rows.len(), 50_000);
        assert_eq!(told(&mut wire, whole), "miss (too large)");
    }
    let before = gateway.resident_mib();
    for number in 0..200 {
        let n_rows = [1, 100, 10_000][number % 3];
        let query = format!("select id + {number} as id, word from s.t where id < {n_rows}");
        let answers = wire.query(&query).expect("it has rows");
        assert_eq!(answers[0].rows.len(), n_rows);
        assert!(counted(&mut wire, "bytes") <= 8 << 20);
    }
    assert!(counted(&mut wire, "entries") > 20);
    assert_eq!(counted(&mut wire, "max_bytes"), 8 << 20);
    // What the allocator keeps for itself, and DataFusion's own caches, are not the cache's.
    assert!(gateway.resident_mib() < before + 64);
}

/// What a session is shown whose answers are not kept.
fn computed(gateway: &Gateway, query: &str) -> Vec<Vec<Option<String>>> {
    let mut wire = gateway.connect();
    let setting = "set lakegate.result_cache = off";
    wire.query(setting).expect("it can be set");
    let answers = wire.query(query).expect("it has rows");
    answers[0].rows.clone()
}

#[test]
fn catalogs_are_kept_until_they_change() {
    let (lake, gateway) = place(10, &[]);
    let mut wire = gateway.connect();
    let tables = "select c.relname, n.nspname, obj_description(c.oid, 'pg_class') \
                  from pg_class c join pg_namespace n on n.oid = relnamespace \
                  where nspname = 's' order by 1";
    let columns = "select column_name, data_type from information_schema.columns \
                   where table_schema = 's' order by table_name, ordinal_position";
    let rights = "select relname, pg_table_is_visible(oid), has_table_privilege(oid, 'select'), \
                  pg_get_viewdef(oid) from pg_class where relname in ('v', 'w', 't') order by 1";
    let mut shown = Vec::new();
    for change in [
        "select 1",
        "create view s.v as select id from s.t",
        "comment on view s.v is 'numbers'",
        "create or replace view s.v as select id, word from s.t",
        "set search_path = s",
        "alter view s.v rename to w",
        "begin; drop view s.w; rollback",
        "drop view s.w",
    ] {
        wire.query(change)
            .unwrap_or_else(|error| panic!("{change}: {error:?}"));
        let path = wire.value("show search_path");
        let mut answers = Vec::new();
        for query in [tables, columns, rights] {
            // What is known of tables and views grows for a moment after they were made.
            let deadline = Instant::now() + Duration::from_secs(20);
            while hits(&mut wire, query) == 0 {
                assert!(Instant::now() < deadline, "{query} after {change}");
            }
            let kept = wire.query(query).expect("it has rows");
            if path != "s" {
                let computed = computed(&gateway, query);
                assert_eq!(kept[0].rows, computed, "{query} after {change}");
            }
            answers.push(kept[0].rows.clone());
        }
        let is_change = !change.contains("select 1") && !change.contains("rollback");
        assert_eq!(
            shown.last() != Some(&answers),
            is_change || shown.is_empty(),
            "{change}"
        );
        shown.push(answers);
    }
    write_table(&lake.path().join("s/u"), &["word"], &[rows(1)]);
    let found = wire.query(tables).expect("it has rows");
    assert_eq!(found[0].rows, computed(&gateway, tables));
    assert_eq!(found[0].rows.len(), 2);
}

#[test]
fn explain_tells_the_bytes_that_were_read_and_from_where() {
    let (lake, gateway) = place(1, &[]);
    let csv = "id,word\n1,a\n2,b\n".repeat(1_000);
    fs::create_dir(lake.path().join("plain")).expect("a folder can be made");
    fs::write(lake.path().join("plain/rows.csv"), &csv).expect("it can be written");
    fs::write(
        lake.path().join("plain/lines.json"),
        "{\"id\": 1}\n{\"id\": 2}\n",
    )
    .expect("it can be written");
    let mut wire = Wire::connect(gateway.address());
    let mut read = |query: &str| {
        let answers = wire.query(&format!("explain analyze {query}"));
        let answers = answers.expect("it can be explained");
        let mut lines = answers[0].rows.iter().flatten().flatten();
        let line = lines.find_map(|line| line.strip_prefix("Bytes Read: "));
        line.expect("it says what was read").to_owned()
    };
    let all = format!("disk={} network=0", csv.len());
    assert_eq!(read("select count(id) from plain.rows"), all);
    assert_eq!(read("select id from plain.lines"), "disk=20 network=0");
    assert_eq!(read("select 1"), "disk=0 network=0");
    let n_bytes = fs::read_dir(lake.path().join("s/t"))
        .expect("the table is there")
        .map(|entry| entry.expect("it can be read"))
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".parquet"))
        .map(|entry| entry.metadata().expect("it has a size").len())
        .sum::<u64>();
    let told = read("select id from s.t");
    let told = told
        .strip_prefix("disk=")
        .and_then(|told| told.strip_suffix(" network=0"));
    let told: u64 = told
        .and_then(|told| told.parse().ok())
        .expect("it is a number");
    assert!((1..n_bytes).contains(&told), "{told} of {n_bytes}");
}
