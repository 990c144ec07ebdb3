//! Every type of MariaDB's through a foreign table, beside what its own client shows.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::{Place, done, lines, refused};
use super::Maria;
use crate::gateway::{Gateway, given_if_set};

const TYPES: &str = "
create table types (
    id int primary key, tiny tinyint, tinyu tinyint unsigned, flag boolean, small smallint, smallu smallint unsigned,
    medium mediumint, mediumu mediumint unsigned, n int, nu int unsigned zerofill, big bigint, bigu bigint unsigned,
    amount decimal(12, 2), huge decimal(65, 30), whole decimal(38, 0) unsigned, born year, day date, moment datetime,
    exactly datetime(6), seen timestamp(6) null, span time, spans time(6), padded char(5), code varchar(10),
    old varchar(20) character set latin1, label text, feeling enum('sad', 'ok', 'happy'), tags set('a', 'b', 'c'),
    doc json, id_of uuid, address inet6, bits bit(5), many_bits bit(64), fixed binary(3), some varbinary(10), bytes blob, spot point);
insert into types values (1, -128, 255, true, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295,
    -9223372036854775808, 18446744073709551615, 1234567890.10, 12345678901234567890123456789012345.123456789012345678901234567890,
    99999999999999999999999999999999999999, 1901, '2026-02-28', '2026-07-01 12:30:15', '2026-07-01 12:30:15.123456',
    '2026-07-01 12:30:15.123456', '838:59:59', '-838:59:58.999999', 'ab', 'abc  ', 'Grüße', 'snø ☃ 😀', 'happy', 'a,c',
    '{\"a\": [1, 2]}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '::1', b'10101', b'1111111111111111111111111111111111111111111111111111111111111111',
    x'00ff', x'0001', x'deadbeef', ST_PointFromText('POINT(1 2)')),
    (2, 127, 0, false, 32767, 0, 8388607, 0, 2147483647, 0, 9223372036854775807, 0, -0.05, -0.000000000000000000000000000001, 0, 2155,
    '1000-01-01', '9999-12-31 23:59:59', '1969-12-31 23:59:59.999999', '1970-01-01 00:00:01', '00:00:00', '00:00:00.000001', '', '', '', '',
    'sad', '', '[]', '00000000-0000-0000-0000-000000000000', '2001:db8::', b'0', b'0', '', '', '', null),
    (3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, 0, null, null, null, null, null, null,
    null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
create table numbers (id int primary key, single float, double_ double, fixed_ double(10, 2));
create table hidden (a int, b int invisible default 5);
insert into hidden (a) values (1);
create table empty (a int, b text) comment 'Nothing in it';
create view summed as select feeling, sum(amount) as amount, avg(big) as mean, count(*) as n from types group by feeling;
create sequence counter;
";

/// How MariaDB shows a column as the gateway does.
fn shown(column: &str) -> String {
    match column {
        "seen" => "concat(trim(trailing '.' from trim(trailing '0' from seen)), if(seen is null, null, '+00'))".to_owned(),
        // Zeros behind a point are not shown of times.
        "exactly" | "spans" => {
            format!("trim(trailing '.' from trim(trailing '0' from {column}))")
        }
        "bits" | "many_bits" => {
            let width = if column == "bits" { 5 } else { 64 };
            format!("lpad(bin({column} + 0), {width}, '0')")
        }
        "fixed" | "some" | "bytes" => format!("concat('\\x', lower(hex({column})))"),
        "spot" => "concat('\\x', lower(hex(ST_AsBinary(spot))))".to_owned(),
        // Without zeros in front.
        "nu" => "cast(nu as unsigned)".to_owned(),
        "born" => "cast(born as unsigned)".to_owned(),
        other => other.to_owned(),
    }
}

#[test]
fn every_type_is_what_mariadb_has() {
    let maria = Maria::new("types", TYPES);
    let place = maria.place();
    let mut ours = place.gateway.connect();
    let columns = maria.lines(&format!(
        "select column_name from information_schema.columns where table_schema = '{}' and table_name = 'types' order by ordinal_position",
        maria.name
    ));
    assert_eq!(columns.len(), 37);
    for column in columns.iter().skip(1) {
        let shown = shown(column);
        // What is written as nothing by the client is something between bars.
        let truth = format!("select id, coalesce({shown}, 'NULL'), '' from types order by id");
        let query =
            format!("select id, coalesce({column}::text, 'NULL'), '' from mart.types order by id");
        assert_eq!(lines(&mut ours, &query), maria.lines(&truth), "{column}");
    }
    let types = "select string_agg(format_type(atttypid, atttypmod), ', ' order by attnum) from pg_attribute \
        where attrelid = 'mart.types'::regclass and attnum > 0";
    assert_eq!(
        ours.value(types),
        "integer, smallint, smallint, smallint, smallint, integer, integer, integer, integer, bigint, bigint, numeric(20,0), \
         numeric(12,2), numeric(65,30), numeric, smallint, date, timestamp without time zone, timestamp without time zone, \
         timestamp with time zone, interval, interval, character varying(5), character varying(10), character varying(20), text, \
         text, text, text, uuid, text, text, text, bytea, bytea, bytea, bytea"
    );
    assert_eq!(lines(&mut ours, "select * from mart.hidden"), ["1"]);
    assert_eq!(ours.value("select count(*) from mart.types"), "3");
    assert_eq!(ours.value("select count(*) from mart.empty"), "0");
    let summed =
        "select feeling, amount, n from PLACE.summed where feeling is not null order by feeling";
    assert_eq!(
        lines(&mut ours, &summed.replace("PLACE", "mart")),
        maria.lines(
            &summed
                .replace("order by feeling", "order by cast(feeling as char)")
                .replace("PLACE.", "")
        )
    );
    assert_eq!(
        ours.value("select obj_description('mart.empty'::regclass)"),
        "Nothing in it"
    );
    assert_eq!(
        refused(&mut ours, "select * from mart.counter").code(),
        "42P01"
    );
}

#[test]
fn floating_point_numbers_keep_every_bit() {
    let maria = Maria::new("floats", TYPES);
    let seed = given_if_set("LAKEGATE_TEST_SEED").and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    println!("LAKEGATE_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut numbers = vec![
        (0.1_f32, 0.1),
        (f32::MAX, f64::MAX),
        (f32::MIN_POSITIVE, 5e-324),
        (-16_777_217.0, 1e22),
    ];
    while numbers.len() < 500 {
        let (single, double) = (
            f32::from_bits(random.random()),
            f64::from_bits(random.random()),
        );
        if single.is_normal() && double.is_normal() {
            numbers.push((single, double));
        }
    }
    let values = numbers.iter().enumerate();
    let values =
        values.map(|(id, (single, double))| format!("({id}, {single:e}, {double:e}, 1.25)"));
    maria.run(&format!(
        "insert into numbers values {}",
        values.collect::<Vec<_>>().join(", ")
    ));
    let place = maria.place();
    let mut wire = place.gateway.connect();
    let read = lines(
        &mut wire,
        "select id, single, double_, fixed_ from mart.numbers order by id",
    );
    assert_eq!(read.len(), numbers.len());
    for (line, (single, double)) in read.iter().zip(&numbers) {
        let values: Vec<&str> = line.split('|').collect();
        assert_eq!(
            values[1].parse::<f32>().expect("a number").to_bits(),
            single.to_bits(),
            "seed {seed}: {line}"
        );
        assert_eq!(
            values[2].parse::<f64>().expect("a number").to_bits(),
            double.to_bits(),
            "seed {seed}: {line}"
        );
        assert_eq!(values[3], "1.25");
    }
}

const DATES: &str = "
create table dates (id int primary key, d date, m datetime, t timestamp null);
insert into dates values (1, '2026-01-01', '2026-01-01 10:00:00', '2026-01-01 10:00:00'), (2, '0000-00-00', '2026-01-02', '2026-01-02'),
    (3, '2026-00-10', '0000-00-00 00:00:00', '2026-01-03'), (4, '2026-01-04', '2026-01-04', '0000-00-00 00:00:00'), (5, null, null, null);
set sql_mode = 'ALLOW_INVALID_DATES'; insert into dates values (6, '2026-02-31', null, null);
";

#[test]
fn dates_that_are_none_are_an_error_or_null() {
    let maria = Maria::new("dates", DATES);
    let place = maria.place();
    let mut wire = place.gateway.connect();
    for (column, value, row, type_name) in [
        ("d", "0000-00-00", 2, "date"),
        ("m", "0000-00-00 00:00:00", 3, "timestamp without time zone"),
        ("t", "0000-00-00 00:00:00", 4, "timestamp with time zone"),
    ] {
        let report = refused(&mut wire, &format!("select {column} from mart.dates"));
        let message =
            format!("the text \"{value}\" of column \"{column}\" is not of type {type_name}");
        assert_eq!(report.message(), message);
        assert!(
            report.field('D').contains(&format!("row {row} that")),
            "{report:?}"
        );
        assert!(report.field('H').contains("on_error"), "{report:?}");
    }
    // What is compared is read, wherever it is compared.
    for pushdown in ["on", "off"] {
        done(
            &mut wire,
            &format!("set lakegate.remote_pushdown = {pushdown}"),
        );
        let report = refused(
            &mut wire,
            "select count(*) from mart.dates where d < date '2026-02-01'",
        );
        assert!(report.message().contains("column \"d\""), "{report:?}");
        assert_eq!(
            wire.value("select count(*) from mart.dates where id <> 2"),
            "5"
        );
    }
    done(&mut wire, "set lakegate.remote_pushdown = on");
    assert_eq!(
        lines(&mut wire, "select d from mart.dates where id in (1, 4)"),
        ["2026-01-01", "2026-01-04"]
    );
    done(&mut wire, "alter server dwh options (add on_error 'null')");
    for pushdown in ["on", "off"] {
        done(
            &mut wire,
            &format!("set lakegate.remote_pushdown = {pushdown}"),
        );
        let mut check = |condition: &str, ids: &str| {
            let query = format!(
                "select string_agg(id::text, ',' order by id) from mart.dates where {condition}"
            );
            assert_eq!(wire.value(&query), ids, "{pushdown}: {condition}");
        };
        check("d is null", "2,3,5,6");
        check("d is not null", "1,4");
        check("d < date '2026-01-03'", "1");
        check("not (d > date '2026-01-03')", "1");
        check("d <> date '2026-01-01' or id = 3", "3,4");
        check("m > timestamp '2026-01-01'", "1,2,4");
        check("t is null", "4,5,6");
    }
    let report = refused(&mut wire, "alter server dwh options (set on_error 'skip')");
    assert_eq!(report.code(), "22023", "{report:?}");
}

#[test]
fn tables_of_mariadb_are_joined_with_the_lake() {
    let maria = Maria::new(
        "joined",
        "create table labels (region varchar(20), label text); insert into labels values ('north', 'N'), ('South', 'S')",
    );
    let gateway = Gateway::of_test_lake();
    let mut wire = gateway.connect();
    maria.import(&mut wire);
    let query =
        "select r.region, l.label from regions r left join mart.labels l using (region) order by 1";
    assert_eq!(
        lines(&mut wire, query),
        ["east|NULL", "north|N", "south|NULL"]
    );
    let report = refused(
        &mut wire,
        "select * from mart.labels for system_time as of timestamp '2026-01-01'",
    );
    assert_eq!(report.code(), "0A000", "{report:?}");
}

#[test]
fn one_table_may_be_named() {
    let maria = Maria::new(
        "named",
        "create table \"Odd Name\" (a int); insert into \"Odd Name\" values (1)",
    );
    let place = Place::new(&[]);
    let mut wire = place.gateway.connect();
    done(&mut wire, &maria.server());
    done(&mut wire, "create schema one");
    let (name, table) = (&maria.name, "Odd Name");
    done(
        &mut wire,
        &format!(
            "create foreign table one.t () server dwh options (schema_name '{name}', table_name '{table}')"
        ),
    );
    assert_eq!(wire.value("select a from one.t"), "1");
    let report = refused(
        &mut wire,
        "import foreign schema nowhere from server dwh into one",
    );
    assert_eq!(report.code(), "HV00Q", "{report:?}");
    let report = refused(&mut wire, "alter server dwh options (add dbname 'x')");
    assert_eq!(report.code(), "HV00D", "{report:?}");
}
