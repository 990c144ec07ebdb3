//! Keys that a join learned from the lake: only rows that have a partner come from a server.

use std::fs;

use super::mariadb::Maria;
use super::{Database, Place, done, lines};
use crate::wire::Wire;

/// Rows of the table that is joined with.
const N_ROWS: usize = 200_000;

/// How many rows the scans of servers have moved.
fn n_moved(wire: &mut Wire, query: &str) -> usize {
    let plan = lines(wire, &format!("explain (analyze, verbose) {query}"));
    let scans = plan.iter().filter(|line| line.contains("ForeignScan"));
    scans.map(|scan| output_rows(scan)).sum()
}

/// The rows that an operator of a plan has put out.
fn output_rows(line: &str) -> usize {
    let (_, rows) = line
        .split_once("output_rows=")
        .expect("a scan counts its rows");
    let end = rows.find([',', ']']).unwrap_or(rows.len());
    // Large numbers are shown in thousands, and then not exactly.
    let (number, unit) = rows[..end]
        .trim()
        .split_once(' ')
        .unwrap_or((&rows[..end], ""));
    match (number.parse::<f64>(), unit) {
        (Ok(rows), "") => rows as usize,
        (Ok(rows), "K") => (rows * 1e3) as usize,
        (Ok(rows), "M") => (rows * 1e6) as usize,
        _ => panic!("{line}"),
    }
}

fn check(place: &Place) {
    let mut wire = place.gateway.connect();
    let joined =
        "select count(*), sum(r.amount) from public.keys k join mart.rows_ r on r.id = k.id";
    done(&mut wire, "set lakegate.remote_pushdown = off");
    let expected = lines(&mut wire, joined);
    assert!(expected[0].starts_with("100|"), "{expected:?}");
    assert!(n_moved(&mut wire, joined) >= N_ROWS / 10 * 9);
    done(&mut wire, "set lakegate.remote_pushdown = on");
    assert_eq!(lines(&mut wire, joined), expected);
    let moved = n_moved(&mut wire, joined);
    assert!(moved < 1_000, "{moved} rows were moved");
    // Whatever is joined how: the same rows as without.
    for query in [
        "select count(*), min(r.word) from public.keys k join mart.rows_ r on r.word = k.word",
        "select count(*), count(r.id) from public.keys k left join mart.rows_ r on r.id = k.id",
        "select count(*), count(k.id) from mart.rows_ r left join public.keys k on r.id = k.id",
        "select count(*) from mart.rows_ r where r.id in (select id from public.keys)",
        "select count(*) from mart.rows_ r where r.id not in (select id from public.keys where id is not null)",
        "select count(*) from mart.rows_ r where not exists (select 1 from public.keys k where k.id = r.id)",
        "select count(*) from public.keys k join mart.rows_ r on r.id = k.id and r.word = k.word",
        "select count(*) from public.keys k join mart.rows_ r on r.small is not distinct from k.small",
        "select count(*) from public.keys k join mart.rows_ r on r.amount = k.id",
        "select count(*) from public.keys k join (select * from mart.rows_ order by id limit 50) r on r.id = k.id",
        "select count(*) from public.keys k full join mart.rows_ r on r.id = k.id",
        "select r.id from mart.rows_ r join public.keys k on r.id = k.id order by r.id desc limit 3",
    ] {
        done(&mut wire, "set lakegate.remote_pushdown = off");
        let expected = lines(&mut wire, query);
        done(&mut wire, "set lakegate.remote_pushdown = on");
        assert_eq!(lines(&mut wire, query), expected, "{query}");
    }
}

/// 100 keys in the lake, and one that is NULL.
fn keys(place: &Place) {
    let line = |number: usize| format!("{},w{},{}\n", number * 1_777, number % 5, number % 3);
    let keys: String = (1..=100).map(line).collect();
    fs::write(
        place.lake.path().join("keys.csv"),
        format!("id,word,small\n{keys},,\n"),
    )
    .expect("it can be written");
}

#[test]
fn few_rows_of_postgres_come_for_few_keys() {
    let database = Database::new(
        "keys",
        &format!(
            "create table rows_ (id int primary key, word text, small int, amount numeric(12, 2)); \
             insert into rows_ select i, 'w' || i % 1000, nullif(i % 100, 7), i / 4.0 from generate_series(1, {N_ROWS}) i"
        ),
    );
    let place = Place::with_marts(&database);
    keys(&place);
    check(&place);
}

#[test]
fn few_rows_of_mariadb_come_for_few_keys() {
    let maria = Maria::new(
        "keys",
        &format!(
            "create table rows_ (id int primary key, word varchar(20), small int, amount decimal(12, 2)); \
             insert into rows_ select seq, concat('w', seq % 1000), nullif(seq % 100, 7), seq / 4 from seq_1_to_{N_ROWS}"
        ),
    );
    let place = maria.place();
    keys(&place);
    check(&place);
}
