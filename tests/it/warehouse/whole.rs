//! What servers answer as a whole: groups, aggregates, first rows, and what they join themselves.

use super::mariadb::Maria;
use super::{Database, Place, done, lines, refused};
use crate::wire::Wire;

const ROWS: &str = "
create table facts (id int primary key, kind varchar(10), n int, amount decimal(12, 2), day date, ratio float, key_ int);
create table kinds (id int primary key, name varchar(20), size_ int);
";

fn plan(wire: &mut Wire, query: &str) -> String {
    lines(wire, &format!("explain (verbose) {query}")).join("\n")
}

fn place() -> (Place, Database) {
    let rows = "
        insert into facts select i, (array['a', 'A', 'b', null])[1 + i % 4], nullif(i % 9, 5), i / 4.0,
            date '2026-01-01' + i % 40, i / 3.0, i % 12 from generate_series(1, 300) i;
        insert into kinds select i, 'kind ' || i, i % 3 from generate_series(0, 9) i";
    let database = Database::new("whole", &format!("{ROWS}{rows}"));
    (Place::with_marts(&database), database)
}

#[test]
fn groups_and_aggregates_are_made_by_the_server() {
    let (place, _database) = place();
    let mut wire = place.gateway.connect();
    let mut check = |query: &str, sent: &str| {
        let plan = plan(&mut wire, query);
        assert!(plan.contains(sent), "{query}\n{plan}");
        let is_whole = !plan.contains("AggregateExec") && !plan.contains("JoinExec");
        assert!(is_whole, "{query}\n{plan}");
    };
    check(
        "select kind, count(*), sum(n), min(day) from mart.facts where n > 2 group by kind",
        "(SELECT \"kind\"::pg_catalog.varchar COLLATE \"C\" AS \"c0\", count(*) AS \"c1\", \
         sum(\"n\"::pg_catalog.int4)::pg_catalog.int8 AS \"c2\", min(\"day\"::pg_catalog.date) AS \"c3\" \
         FROM \"public\".\"facts\" WHERE (\"n\"::pg_catalog.int4 > 2) GROUP BY \"kind\"::pg_catalog.varchar COLLATE \"C\") AS g",
    );
    check("select distinct n from mart.facts", "GROUP BY");
    check(
        "select count(distinct kind) from mart.facts",
        "(SELECT count(",
    );
    check("select avg(amount) from mart.facts", "div(");
    check(
        "select n, max(amount) filter (where id > 5) from mart.facts group by n",
        "FILTER (WHERE (\"id\"::pg_catalog.int4 > 5))",
    );
    check(
        "select kind, count(*) c from mart.facts group by kind having count(*) > 3",
        "(\"c1\" > 3)",
    );
    check(
        "select k.name, sum(f.amount) from mart.facts f join mart.kinds k on k.id = f.key_ where k.size_ = 1 group by k.name",
        " JOIN (SELECT ",
    );
    check(
        "select name, count(id) from (select k.name, f.id from mart.kinds k left join mart.facts f on k.id = f.key_) s group by name",
        " LEFT JOIN (SELECT ",
    );
}

#[test]
fn what_aggregates_are_made_of_is_computed_by_the_server() {
    let (place, database) = place();
    let mut wire = place.gateway.connect();
    let mut truth = database.connect();
    let mut check = |query: &str, sent: &str| {
        let plan = plan(&mut wire, query);
        assert!(plan.contains(sent), "{query}\n{plan}");
        assert!(!plan.contains("AggregateExec"), "{query}\n{plan}");
        let rows = lines(&mut wire, query);
        assert_eq!(
            rows,
            lines(&mut truth, &query.replace("mart.", "")),
            "{query}"
        );
    };
    check(
        "select sum(n * 2) from mart.facts",
        "sum((\"n\"::pg_catalog.int4 * 2::pg_catalog.int4))",
    );
    check(
        "select sum(amount * (1 - amount)), sum(amount * (1 - amount) * (1 + amount)) from mart.facts",
        "(1::pg_catalog.numeric - \"amount\"::pg_catalog.numeric)",
    );
    check(
        "select sum(case when kind = 'a' then amount else 0 end), count(case when n > 3 then 1 end) from mart.facts",
        "(CASE WHEN (\"kind\"::pg_catalog.varchar = 'a') THEN ",
    );
    check(
        "select case when n > 3 then kind else 'few' end as what, count(*) from mart.facts group by 1 order by 1",
        "GROUP BY (CASE WHEN (\"n\"::pg_catalog.int4 > 3) THEN ",
    );
    check(
        "select sum(coalesce(n, 0) * key_), max(coalesce(kind, 'none')) from mart.facts",
        "IS NOT NULL) THEN ",
    );
    // What overflows there is said to, as it is here.
    let query = "select sum(id * 100000000) from mart.facts";
    for setting in ["on", "off"] {
        done(
            &mut wire,
            &format!("set lakegate.remote_pushdown = {setting}"),
        );
        let report = refused(&mut wire, query);
        assert_eq!(report.code(), "22003", "{report:?}");
    }
}

#[test]
fn the_first_rows_are_found_by_the_server() {
    let (place, _database) = place();
    let mut wire = place.gateway.connect();
    let mut sent = |query: &str, sent: &str| {
        let plan = plan(&mut wire, query);
        assert!(
            plan.contains(sent) && plan.contains("SortExec"),
            "{query}\n{plan}"
        );
    };
    sent(
        "select id, kind from mart.facts order by kind desc nulls last, id limit 3 offset 2",
        "ORDER BY \"kind\"::pg_catalog.varchar COLLATE \"C\" DESC NULLS LAST, \"id\"::pg_catalog.int4 ASC NULLS LAST LIMIT 5",
    );
    sent(
        "select id + 1 from mart.facts where n > 1 order by day, id limit 3",
        "ORDER BY \"day\"",
    );
    sent(
        "select kind, sum(n) from mart.facts group by kind order by 2 desc limit 1",
        "ORDER BY \"c1\" DESC NULLS FIRST LIMIT 1",
    );
}

#[test]
fn what_may_mean_something_else_stays_here() {
    let (place, _database) = place();
    let mut wire = place.gateway.connect();
    for query in [
        "select sum(ratio) from mart.facts",
        "select ratio, count(*) from mart.facts group by ratio",
        "select count(*) from mart.facts where lower(kind) = 'a'",
        "select string_agg(kind, ',') from mart.facts",
        "select kind, count(*) from mart.facts group by rollup (kind)",
        "select sum(n / 2) from mart.facts",
        "select sum(amount / 3) from mart.facts",
        "select sum(case when ratio > 1 then n end) from mart.facts",
        "select max(case when n > 2 then ratio else 0 end) from mart.facts",
        "select max(lower(kind)) from mart.facts",
        "select count(*) from (select id from mart.facts limit 5) s",
        "select count(*) from (select id from mart.facts order by id limit 5) s",
    ] {
        let plan = plan(&mut wire, query);
        assert!(
            plan.contains("AggregateExec") && !plan.contains("(SELECT"),
            "{query}\n{plan}"
        );
    }
    for query in [
        "select id from mart.facts order by ratio limit 3",
        "select id from mart.facts order by lower(kind) limit 3",
        "select id from mart.facts order by id",
    ] {
        let plan = plan(&mut wire, query);
        assert!(!plan.contains("ORDER BY"), "{query}\n{plan}");
    }
    done(&mut wire, "set lakegate.remote_pushdown = off");
    let off = plan(
        &mut wire,
        "select kind, count(*) from mart.facts group by kind order by 1 limit 1",
    );
    assert!(
        !off.contains("GROUP BY") && !off.contains("ORDER BY"),
        "{off}"
    );
}

#[test]
fn texts_of_mariadb_are_grouped_and_sorted_as_bytes() {
    let maria = Maria::new(
        "whole",
        &format!(
            "{ROWS} create table long_ (id int primary key, word text, day date); \
             insert into facts (id, kind, n) values (1, 'a', 1), (2, 'A', 2), (3, 'a ', 3), (4, 'ä', 4), (5, null, 5), (6, 'a', 6); \
             insert into long_ values (1, concat(repeat('x', 3000), 'b'), '2026-01-01'), (2, concat(repeat('x', 3000), 'a'), '2026-01-02')"
        ),
    );
    let place = maria.place();
    let mut wire = place.gateway.connect();
    let query =
        "select kind, count(*), sum(n), min(kind) from mart.facts group by kind order by kind";
    assert!(plan(&mut wire, query).contains("GROUP BY CAST("));
    assert_eq!(
        lines(&mut wire, query),
        [
            "A|1|2|A",
            "a|2|7|a",
            "a |1|3|a ",
            "ä|1|4|ä",
            "NULL|1|5|NULL"
        ]
    );
    let query = "select id from mart.facts order by kind desc nulls last, id limit 3";
    assert!(plan(&mut wire, query).contains(" ORDER BY ("));
    assert_eq!(lines(&mut wire, query), ["4", "3", "1"]);
    // Of long texts it sorts the beginning alone, and of dates it has some that are none.
    for query in [
        "select word, count(*) from mart.long_ group by word",
        "select id from mart.long_ order by word limit 1",
        "select day, count(*) from mart.long_ group by day",
        "select max(day) from mart.long_",
    ] {
        let plan = plan(&mut wire, query);
        assert!(
            !plan.contains("GROUP BY") && !plan.contains("ORDER BY"),
            "{plan}"
        );
    }
    assert_eq!(
        wire.value("select id from mart.long_ order by word limit 1"),
        "2"
    );
}

#[test]
fn whatever_names_say_stays_in_their_quotes() {
    let statements = "
        create table \"a\"\"; drop table canary; --\" (\"b\"\"'\\ ;) --\" varchar(40), \"n)::int\" int);
        insert into \"a\"\"; drop table canary; --\" values ('it''s', 1), ('\\', 2), ('$$; drop table canary', 3), ('%', 4), ('%', 5);
        create table canary (a int)";
    let (table, text, number) = (
        "mart.\"a\"\"; drop table canary; --\"",
        "\"b\"\"'\\ ;) --\"",
        "\"n)::int\"",
    );
    let database = Database::new("whole_quoted", statements);
    let maria = Maria::new("whole_quoted", statements);
    for place in [Place::with_marts(&database), maria.place()] {
        let mut wire = place.gateway.connect();
        let query = format!(
            "select {text}, count(*), sum({number}), max({text}) from {table} where {number} < 9 and {text} <> 'x''; drop table canary; --' \
             group by {text} having count(*) > 1 or {text} = '$$; drop table canary' order by 2 desc, {text} limit 3"
        );
        let plan = plan(&mut wire, &query);
        assert!(
            plan.contains("GROUP BY") && plan.contains("ORDER BY"),
            "{plan}"
        );
        let expected = ["%|2|9|%", "$$; drop table canary|1|3|$$; drop table canary"];
        assert_eq!(lines(&mut wire, &query), expected);
        let query = format!(
            "select a.{text}, count(*) from {table} a join {table} b on a.{text} = b.{text} group by a.{text} order by 1 limit 1"
        );
        assert_eq!(lines(&mut wire, &query), ["$$; drop table canary|1"]);
        assert_eq!(wire.value("select count(*) from mart.canary"), "0");
    }
}
