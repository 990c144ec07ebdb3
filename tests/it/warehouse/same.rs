//! Every type of PostgreSQL's through a foreign table, beside PostgreSQL itself.

use super::{Database, Place, done, lines, refused};
use crate::gateway::{Gateway, postgres};
use crate::wire::Wire;

/// A table with a column of each type that a lake has none of, or has otherwise.
const TYPES: &str = "
create type mood as enum ('sad', 'ok', 'happy');
create domain positive as numeric(9, 3) check (value > 0);
create domain very_positive as positive;
create type pair as (a int, b text);
create table types (
    id int primary key, flag bool, small int2, big int8, amount numeric(12, 2), huge numeric(60, 20),
    any_number numeric, single float4, double float8, label text, code varchar(10), padded char(5),
    one_letter \"char\", bytes bytea, day date, clock time, zoned timetz, moment timestamp, instant timestamptz,
    span interval, id_of uuid, doc json, docb jsonb, address inet, network cidr, hardware macaddr,
    hardware8 macaddr8, numbers int4range, moments tstzrange, many int4multirange, feeling mood,
    positives very_positive, both_of pair, bits bit(4), more_bits varbit, cash money, words tsvector,
    spot point, relation regclass, object oid, ints int[], texts text[], uuids uuid[], decimals numeric(8, 3)[],
    codes varchar(4)[], dates date[], moods mood[]);
insert into types values (1, true, -32768, 9223372036854775807, 1234567890.10, 1234567890123456789012345678901234567890.12345678901234567890,
    1.5, 0.1, 0.1, 'snø ☃', 'abc', 'ab', 'x', '\\x00ff', '2026-02-28', '23:59:59.999999',
    '12:00:00.5+02', '2026-07-01 12:30:15.123456', '2026-07-01 12:30:15.123456+02',
    '1 year 2 months 3 days 04:05:06.789', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{\"a\": [1, 2]}',
    '{\"b\": 1, \"a\": null}', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
    '[1,5)', '[2026-01-01 00:00+00,)', '{[1,3),[5,7)}', 'happy', 1.5, '(1,\"a b\")', B'1010', B'101', 12.34,
    'a:1 b:2', '(1,2)', 'pg_class', 42, '{1,NULL,3}', '{a,\"b c\",NULL}',
    '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '{1.5,-0.001}', '{ab,cd}', '{2026-01-01}', '{sad,ok}'),
    (2, false, 32767, -9223372036854775808, -0.05, -0.00000000000000000001, -12345678901234567890123456789.000000000000000000000000000001,
    'NaN', '-Infinity', '', '', '', '', '', '4714-11-24 BC', '00:00', '00:00+00', '-infinity', 'infinity',
    '-1 month +3 days -00:00:00.000001', '00000000-0000-0000-0000-000000000000', 'null', '\"\"', '::1', '::/0',
    '00:00:00:00:00:00', '00:00:00:00:00:00:00:00', 'empty', '(,)', '{}', 'sad', 999999.999, '(,)', B'0000', B'',
    -0.01, '', '(0,-1)', 'pg_type', 4294967295, '{}', '{}', '{}', '{}', '{}', '{}', '{}');
insert into types values (3, null, null, null, null, null, 'NaN', 'Infinity', '1e-300');
create table nothing ();
insert into nothing default values;
insert into nothing default values;
create table empty (a int, b text);
create view summed as select feeling, sum(amount) as amount, avg(big) as mean from types group by feeling;
create materialized view kept as select id, label from types;
create table parts (k int, v text) partition by range (k);
create table parts_1 partition of parts for values from (0) to (10);
insert into parts values (1, 'one'), (2, 'two');
comment on table parts is 'In parts';
";

/// The columns of a table, in their order.
fn columns(wire: &mut Wire, table: &str) -> Vec<String> {
    let answers = wire
        .query(&format!("select * from {table} limit 0"))
        .unwrap_or_else(|error| panic!("{table}: {error:?}"));
    answers[0].columns.clone()
}

#[test]
fn every_type_is_what_postgres_has() {
    let database = Database::new("types", TYPES);
    let place = Place::with_marts(&database);
    let (mut ours, mut theirs) = (place.gateway.connect(), database.connect());
    for column in columns(&mut theirs, "types") {
        // As PostgreSQL writes it, but for zeros behind the point of numerics without a scale.
        let shown = match column.as_str() {
            "any_number" => "trim_scale(any_number)".to_owned(),
            other => format!("\"{other}\""),
        };
        let expected = lines(
            &mut theirs,
            &format!("select id, {shown} from types order by id"),
        );
        let query = format!("select id, \"{column}\" from mart.types order by id");
        assert_eq!(lines(&mut ours, &query), expected, "{column}");
    }
    let names = columns(&mut theirs, "types");
    assert_eq!(columns(&mut ours, "mart.types"), names);
    for query in [
        "select count(*) from PLACE.nothing",
        "select count(*) from PLACE.empty",
        "select * from PLACE.summed order by feeling nulls last limit 0",
        "select count(amount), count(mean) from PLACE.summed",
        "select * from PLACE.kept order by id",
        "select * from PLACE.parts order by k",
    ] {
        let expected = lines(&mut theirs, &query.replace("PLACE", "public"));
        assert_eq!(
            lines(&mut ours, &query.replace("PLACE", "mart")),
            expected,
            "{query}"
        );
    }
    // Partitions are parts of what is imported.
    assert_eq!(
        refused(&mut ours, "select * from mart.parts_1").code(),
        "42P01"
    );
    let described = "select obj_description('mart.parts'::regclass)";
    assert_eq!(ours.value(described), "In parts");
}

#[test]
fn the_samples_of_every_type_are_the_same() {
    let address = postgres();
    let place = Place::new(&[]);
    let (mut ours, mut theirs) = (place.gateway.connect(), Wire::connect(address));
    let server = Database {
        address,
        name: "postgres".to_owned(),
    };
    done(&mut ours, &server.server());
    done(&mut ours, "create schema here");
    done(
        &mut ours,
        "import foreign schema every_type from server dwh into here",
    );
    for column in columns(&mut theirs, "every_type.samples") {
        let query = format!("select id, {column} from PLACE.samples order by id");
        let ours_query = query.replace("PLACE", "here");
        if column == "matrix" {
            // PostgreSQL does not say of a column how many dimensions its arrays have.
            assert_eq!(refused(&mut ours, &ours_query).code(), "0A000");
            continue;
        }
        let expected = lines(&mut theirs, &query.replace("PLACE", "every_type"));
        assert_eq!(lines(&mut ours, &ours_query), expected, "{column}");
    }
}

#[test]
fn what_arrow_cannot_hold_is_an_error_that_names_the_column() {
    let statements = "
        create table odd (n numeric(10, 2), m numeric, d date, s int[], neg numeric(5, -2));
        insert into odd values ('NaN', 1.005, 'infinity', '[0:1]={1,2}', 12300);
    ";
    let database = Database::new("odd", statements);
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    for (column, code) in [("n", "0A000"), ("d", "0A000"), ("s", "0A000")] {
        let report = refused(&mut wire, &format!("select {column} from mart.odd"));
        assert_eq!(report.code(), code, "{report:?}");
        let named = format!("In column \"{column}\".");
        assert!(report.field('D').contains(&named), "{report:?}");
    }
    assert_eq!(
        lines(&mut wire, "select m, neg from mart.odd"),
        ["1.005|12300"]
    );
    done(&mut wire, "alter server dwh options (add numeric '20,3')");
    assert_eq!(wire.value("select sum(m) * 2 from mart.odd"), "2.010");
    done(&mut wire, "alter server dwh options (set numeric '20,2')");
    let report = refused(&mut wire, "select m from mart.odd");
    assert_eq!(report.code(), "22003", "{report:?}");
}

#[test]
fn names_and_texts_are_quoted() {
    let statements = "
        create table \"a\"\"; drop table canary; --\" (\"b\"\"'\\ ;\" text);
        insert into \"a\"\"; drop table canary; --\" values ('it''s'), ('\\'), ('$$; drop table canary'), ('%');
        create table canary (a int);
    ";
    let database = Database::new("quoted", statements);
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    let from = "from mart.\"a\"\"; drop table canary; --\"";
    for value in ["it''s", "\\", "$$; drop table canary", "%"] {
        let query = format!("select count(*) {from} where \"b\"\"'\\ ;\" = '{value}'");
        assert_eq!(wire.value(&query), "1", "{query}");
        let plan = lines(
            &mut wire,
            &format!("explain (verbose) select 1 {from} where \"b\"\"'\\ ;\" = '{value}'"),
        );
        let sent = format!("= '{value}'");
        assert!(
            plan.iter()
                .any(|line| line.contains("Remote SQL:") && line.contains(&sent)),
            "{plan:?}"
        );
    }
    assert_eq!(wire.value("select count(*) from mart.canary"), "0");
}

#[test]
fn tables_of_servers_are_joined_with_the_lake() {
    let statements = "create table labels (region text, label text);
        insert into labels values ('north', 'N'), ('south', 'S')";
    let database = Database::new("joined", statements);
    let gateway = Gateway::of_test_lake();
    let mut wire = gateway.connect();
    done(&mut wire, &database.server());
    done(&mut wire, "create schema mart");
    done(
        &mut wire,
        "import foreign schema public from server dwh into mart",
    );
    let query =
        "select r.region, l.label from regions r left join mart.labels l using (region) order by 1";
    assert_eq!(lines(&mut wire, query), ["east|NULL", "north|N", "south|S"]);
    done(
        &mut wire,
        "create view gold.labelled as select r.region, l.label from regions r join mart.labels l using (region)",
    );
    assert_eq!(wire.value("select count(*) from gold.labelled"), "2");
    let report = refused(
        &mut wire,
        "select * from mart.labels for system_time as of timestamp '2026-01-01'",
    );
    assert_eq!(report.code(), "0A000", "{report:?}");
    assert!(report.message().contains("mart.labels"), "{report:?}");
    done(
        &mut wire,
        "set lakegate.as_of_mode = 'mixed'; set lakegate.as_of = '2026-10-01'",
    );
    assert_eq!(wire.value("select count(*) from mart.labels"), "2");
}
