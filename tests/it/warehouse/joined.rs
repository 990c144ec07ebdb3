//! Joins of tables of one server: which of them it makes, and that it makes the same of them.

use std::fs;

use rusqlite::Connection;

use super::mariadb::Maria;
use super::{Database, Place, done, lines};
use crate::wire::Wire;

/// Two tables of the same key, many rows, few of them with much text, and what has no key.
const TABLES: &str = "
create table facts (id int primary key, kind int, other int, word varchar(20));
create table extras (id int primary key, more int);
create table kinds (id int primary key, name varchar(200), more int);
create table loose (id int, name varchar(20));
";

const ROWS: &str = "
insert into facts select i, nullif(i % 12, 11), i % 2000, 'w' || i % 7 from generate_series(1, 40000) i;
insert into extras select i, i % 5 from generate_series(1, 60000, 3) i;
insert into kinds select i, 'kind ' || i, i % 3 from generate_series(0, 9) i;
insert into loose select i, 'loose ' || i from generate_series(0, 9) i;
analyze;
";

/// Which joins are sent, and the words by which they are.
const SENT: [(&str, &str); 7] = [
    // A row of each side has one partner at most.
    (
        "select f.id, f.kind, e.more from mart.facts f join mart.extras e on e.id = f.id",
        " JOIN (SELECT ",
    ),
    (
        "select f.id, f.kind, e.more from mart.facts f left join mart.extras e on e.id = f.id",
        " LEFT JOIN (SELECT ",
    ),
    // Nothing of the other side is wanted, or it leaves out more than it adds.
    (
        "select f.id, f.word from mart.facts f join mart.kinds k on k.id = f.kind",
        " JOIN (SELECT ",
    ),
    (
        "select f.id, f.word, e.more from mart.facts f join mart.extras e on e.id = f.other where e.more = 1",
        " JOIN (SELECT ",
    ),
    // Few rows come anyway.
    (
        "select k.name, l.name from mart.loose l join mart.kinds k on k.id = l.id",
        " JOIN (SELECT ",
    ),
    (
        "select id, word from mart.facts f where exists (select 1 from mart.kinds k where k.id = f.kind and k.more > 0)",
        "(EXISTS (SELECT 1 FROM (SELECT ",
    ),
    (
        "select id, word from mart.facts f where not exists (select 1 from mart.extras e where e.id = f.id)",
        "(NOT EXISTS (SELECT 1 FROM (SELECT ",
    ),
];

/// Which are not.
const HERE: [&str; 5] = [
    // The same long text would come with most of the rows.
    "select f.id, k.name from mart.facts f join mart.kinds k on k.id = f.kind",
    "select f.id, k.name from mart.facts f left join mart.kinds k on k.id = f.kind",
    // Nothing tells how many partners a row has.
    "select f.id, l.name from mart.facts f join mart.loose l on l.id = f.kind",
    "select f.id, k.id from mart.facts f join mart.kinds k on k.more = f.kind",
    // NOT IN knows NULL.
    "select id from mart.facts where kind not in (select more from mart.kinds)",
];

/// Asks each, with pushdown and without, and whether it was sent.
fn check(wire: &mut Wire, sent: &[(&str, &str)], here: &[&str]) {
    let sent = sent.iter().map(|(query, word)| (*query, Some(*word)));
    let here = here.iter().map(|query| (*query, None));
    for (query, word) in sent.chain(here) {
        done(wire, "set lakegate.remote_pushdown = on");
        let plan = lines(wire, &format!("explain (verbose) {query}")).join("\n");
        let is_joined_here = plan.contains("JoinExec");
        assert_eq!(is_joined_here, word.is_none(), "{query}\n{plan}");
        let says = word.is_none_or(|word| plan.contains(word));
        assert!(says, "{query}\n{plan}");
        let mut found = lines(wire, query);
        done(wire, "set lakegate.remote_pushdown = off");
        let mut expected = lines(wire, query);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{query}");
        assert!(!found.is_empty() || word.is_none(), "{query}: no rows");
    }
}

#[test]
fn postgres_joins_what_is_worth_it() {
    let database = Database::new("joined", &format!("{TABLES}{ROWS}"));
    let place = Place::with_marts(&database);
    check(&mut place.gateway.connect(), &SENT, &HERE);
    // Keys that a join with the lake has learned are sent into the joined tables.
    fs::write(place.lake.path().join("few.csv"), "id\n4\n7\n").expect("it is written");
    let mut wire = place.gateway.connect();
    let query = "select w.id, e.more from few w join \
         (select f.id, e.more from mart.facts f join mart.extras e on e.id = f.id) e on e.id = w.id";
    let plan = lines(&mut wire, &format!("explain (analyze, verbose) {query}")).join("\n");
    assert!(
        plan.contains(" JOIN (SELECT ") && plan.contains("IN (4, 7)"),
        "{plan}"
    );
    assert_eq!(lines(&mut wire, query), ["4|4", "7|2"]);
}

#[test]
fn mariadb_joins_what_it_has_indexes_for() {
    let statements = TABLES.to_owned()
        + "insert into facts select seq, nullif(seq % 12, 11), seq % 2000, concat('w', seq % 7) from seq_1_to_40000;
        insert into extras select seq, seq % 5 from seq_1_to_60000_step_3;
        insert into kinds select seq, concat('kind ', seq), seq % 3 from seq_0_to_9;
        insert into loose select seq, concat('kind ', seq) from seq_0_to_9;
        create table named (name varchar(20) primary key, n int);
        insert into named select concat('kind ', seq), seq from seq_0_to_9;
        analyze table facts, extras, kinds, loose, named";
    let maria = Maria::new("joined", &statements);
    let place = maria.place();
    let mut wire = place.gateway.connect();
    check(&mut wire, &SENT, &HERE);
    let here = [
        // It compares the bytes of texts, of which there is no index.
        "select l.id, n.n from mart.loose l join mart.named n on n.name = l.name",
        "select id from mart.loose l where exists (select 1 from mart.kinds k where k.more = l.id)",
        // Below an aggregate neither.
        "select k.id, count(f.id) from mart.kinds k left join mart.facts f on f.kind = k.id group by k.id",
    ];
    check(&mut wire, &[], &here);
}

#[test]
fn sqlite_joins_what_is_worth_it() {
    let place = Place::new(&[]);
    let file = Connection::open(place.lake.path().join("marts.db")).expect("it is made");
    let series = "with recursive s(i) as (select 0 union all select i + 1 from s where i < 60000)";
    file.execute_batch(&format!(
        "{TABLES}
        insert into facts {series} select i, nullif(i % 12, 11), i % 2000, 'w' || (i % 7) from s where i between 1 and 40000;
        insert into extras {series} select i, i % 5 from s where i % 3 = 1;
        insert into kinds {series} select i, 'kind ' || i, i % 3 from s where i < 10;
        insert into loose {series} select i, 'loose ' || i from s where i < 10;
        analyze"
    ))
    .expect("it is filled");
    drop(file);
    let mut wire = place.gateway.connect();
    done(
        &mut wire,
        "create server dwh foreign data wrapper sqlite options (database 'marts.db')",
    );
    done(&mut wire, "create schema mart");
    done(
        &mut wire,
        "import foreign schema main from server dwh into mart",
    );
    check(&mut wire, &SENT, &HERE);
}
