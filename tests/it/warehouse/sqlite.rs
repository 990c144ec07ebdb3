//! Files of SQLite as servers.

use rusqlite::Connection;

use super::{Place, done, lines, refused};

const ROWS: &str = "
create table people (id integer primary key, name varchar(20) not null, height real, paid numeric(10, 2), any_number numeric,
    born date, seen timestamp, is_here boolean, picture blob, anything, big unsigned big int);
insert into people values (1, 'Ada', 1.65, 19.99, 0.1, '1815-12-10', '2026-01-01 12:30:00.25', 1, x'00ff', 'text', 9223372036854775807),
    (2, 'Émile', 2, -5, 12345678901234567, null, '2026-01-01T00:00:00', 0, null, 42, -1), (3, 'ada', null, null, null, null, null, null, null, 1.5, null);
create table odd (n integer, d date, p numeric(10, 2), b boolean, t text);
insert into odd values ('twelve', null, null, null, null), (null, '1.1.2026', null, null, null), (null, null, 0.125, null, null),
    (null, null, null, 2, null), (null, null, null, null, x'00');
create view doubled as select id * 2 as twice, name from people;
create table \"a\"\"b\" (\"c d\" integer generated always as (1) virtual, e integer);
insert into \"a\"\"b\" values (5);
";

fn place() -> (Place, std::path::PathBuf) {
    let place = Place::new(&[]);
    let path = place.lake.path().join("marts.db");
    let connection = Connection::open(&path).expect("a file can be made");
    connection.execute_batch(ROWS).expect("rows can be written");
    let mut wire = place.gateway.connect();
    done(
        &mut wire,
        "create server file foreign data wrapper sqlite options (database 'marts.db')",
    );
    done(&mut wire, "create schema mart");
    done(
        &mut wire,
        "import foreign schema main from server file into mart",
    );
    (place, path)
}

#[test]
fn values_are_of_the_declared_types() {
    let (place, _) = place();
    let mut wire = place.gateway.connect();
    assert_eq!(
        lines(&mut wire, "select * from mart.people order by id"),
        [
            "1|Ada|1.65|19.99|0.1|1815-12-10|2026-01-01 12:30:00.25|t|\\x00ff|text|9223372036854775807",
            "2|Émile|2|-5.00|12345678901234567|NULL|2026-01-01 00:00:00|f|NULL|42|-1",
            "3|ada|NULL|NULL|NULL|NULL|NULL|NULL|NULL|1.5|NULL",
        ]
    );
    let types = "select string_agg(format_type(atttypid, atttypmod), ', ' order by attnum) from pg_attribute where attrelid = 'mart.people'::regclass";
    assert_eq!(
        wire.value(types),
        "bigint, text, double precision, numeric(10,2), numeric, date, timestamp without time zone, boolean, bytea, text, bigint"
    );
    assert_eq!(wire.value("select sum(paid) from mart.people"), "14.99");
    assert_eq!(
        lines(
            &mut wire,
            "select twice, name from mart.doubled where name > 'a' order by 1"
        ),
        ["4|Émile", "6|ada"]
    );
    assert_eq!(lines(&mut wire, "select * from mart.\"a\"\"b\""), ["1|5"]);
}

#[test]
fn values_of_another_type_are_named() {
    let (place, _) = place();
    let mut wire = place.gateway.connect();
    for (column, message) in [
        (
            "n",
            "the text \"twelve\" of column \"n\" is not of type bigint",
        ),
        (
            "d",
            "the text \"1.1.2026\" of column \"d\" is not of type date",
        ),
        (
            "p",
            "the number 0.125 of column \"p\" is not of type numeric(10,2)",
        ),
        ("b", "the integer 2 of column \"b\" is not of type boolean"),
        ("t", "a blob of 1 bytes of column \"t\" is not of type text"),
    ] {
        let report = refused(&mut wire, &format!("select {column} from mart.odd"));
        assert_eq!(report.message(), message);
        assert!(report.field('D').contains("file.main.odd"), "{report:?}");
    }
    assert_eq!(wire.value("select count(*) from mart.odd"), "5");
}

#[test]
fn conditions_are_sent_where_sqlite_means_the_same() {
    let (place, _) = place();
    let mut wire = place.gateway.connect();
    let mut plan = |query: &str| lines(&mut wire, &format!("explain (verbose) {query}")).join("\n");
    let sent = plan("select name from mart.people where id > 1 and name = 'ada'");
    let expected = "Remote SQL: SELECT \"name\" FROM main.\"people\" WHERE (\"id\" > 1) AND (\"name\" = 'ada' COLLATE BINARY)";
    assert!(sent.contains(expected), "{sent}");
    for query in [
        "select name from mart.people where name like 'A%'",
        "select name from mart.people where paid > 1.5",
        "select name from mart.people where born = date '1815-12-10'",
    ] {
        let plan = plan(query);
        assert!(
            plan.contains("FilterExec") && !plan.contains("WHERE"),
            "{plan}"
        );
    }
    assert_eq!(
        lines(
            &mut wire,
            "select name from mart.people where name like 'A%'"
        ),
        ["Ada"]
    );
    assert_eq!(
        lines(
            &mut wire,
            "select name from mart.people where born = date '1815-12-10'"
        ),
        ["Ada"]
    );
}

#[test]
fn a_file_that_changes_is_read_at_one_moment_or_not_at_all() {
    let (place, path) = place();
    let mut wire = place.gateway.connect();
    let writer = Connection::open(&path).expect("the file is there");
    done(&mut wire, "begin isolation level repeatable read");
    assert_eq!(wire.value("select count(*) from mart.people"), "3");
    writer
        .execute_batch("insert into people (id, name) values (4, 'new')")
        .expect("it can be written");
    // What was kept is of that moment; what was not cannot be read of it any more.
    assert_eq!(wire.value("select count(*) from mart.people"), "3");
    let report = refused(&mut wire, "select max(id) from mart.people");
    assert_eq!(report.code(), "40001", "{report:?}");
    done(&mut wire, "rollback");
    assert_eq!(wire.value("select count(*) from mart.people"), "4");
    assert_eq!(
        wire.value("select count(*) from mart.people a join mart.people b using (id)"),
        "4"
    );
    writer
        .execute_batch("create table later (x integer)")
        .expect("it can be written");
    assert_eq!(wire.value("select count(*) from mart.later"), "0");
}

#[test]
fn what_is_no_file_of_sqlite_says_so() {
    let place = Place::new(&[]);
    std::fs::write(
        place.lake.path().join("text.db"),
        "this is no database, but a text of some length",
    )
    .expect("it can be written");
    let mut wire = place.gateway.connect();
    done(&mut wire, "create schema mart");
    for (server, path) in [("text", "text.db"), ("gone", "gone.db")] {
        done(
            &mut wire,
            &format!(
                "create server {server} foreign data wrapper sqlite options (database '{path}')"
            ),
        );
        let import = format!("import foreign schema main from server {server} into mart");
        let report = refused(&mut wire, &import);
        assert_eq!(report.code(), "08001", "{report:?}");
        assert!(report.message().contains(server), "{report:?}");
    }
    // Nothing was made where there was nothing.
    assert!(!place.lake.path().join("gone.db").exists());
    let import = "import foreign schema other from server text into mart";
    assert_eq!(refused(&mut wire, import).code(), "HV00Q");
}

#[test]
fn texts_in_utf_16_are_compared_here() {
    let place = Place::new(&[]);
    let path = place.lake.path().join("wide.db");
    let connection = Connection::open(&path).expect("a file can be made");
    let rows = "pragma encoding = 'UTF-16le'; create table words (word text);
        insert into words values ('a'), ('Ā'), ('é'), ('z'), ('\u{ff5e}'), ('\u{1f600}')";
    connection.execute_batch(rows).expect("rows can be written");
    let mut wire = place.gateway.connect();
    for statement in [
        "create server file foreign data wrapper sqlite options (database 'wide.db')",
        "create schema mart",
        "import foreign schema main from server file into mart",
    ] {
        done(&mut wire, statement);
    }
    // Its own order of bytes would have 'Ā' first, and find nothing greater than 'z' but 'é'.
    assert_eq!(
        wire.value("select count(*) from mart.words where word > 'z'"),
        "4"
    );
    assert_eq!(wire.value("select max(word) from mart.words"), "\u{1f600}");
    assert_eq!(
        wire.value("select word from mart.words order by word limit 1"),
        "a"
    );
}
