//! What is told of foreign tables beside their columns: keys, comments and how many rows they have, as their
//! servers' own catalogs have it.

use rusqlite::Connection;

use super::mariadb::Maria;
use super::{Database, Place, done, lines, refused};
use crate::wire::Wire;

const MADE: &str = "
create table kinds (a int, b text, note text, primary key (b, a), constraint by_note unique (note));
create table t (id int primary key, \"odd \"\"name\" int unique, a int, b text, again int,
    constraint known foreign key (b, a) references kinds (b, a), foreign key (again) references t);
alter table t add constraint hoped foreign key (a) references t (id) not valid;
create table parted (d int, x int, primary key (d, x)) partition by range (d);
create table part partition of parted default;
create table bare (a int, exclude using btree (a with =));
create unique index bare_index on bare (a);
create schema elsewhere;
create table elsewhere.far (id int primary key);
alter table bare add foreign key (a) references elsewhere.far;
insert into t (id, \"odd \"\"name\") select n, n from generate_series(1, 1234) n;
comment on table t is 'rows'; comment on column t.a is 'it''s one';
comment on column kinds.note is 'noted'; create view v as select id, a from t; comment on column v.id is 'of a view';
analyze";

/// What is asked of both, of their schema `%`.
const ASKED: &[&str] = &[
    "select table_name, constraint_name, constraint_type, enforced from information_schema.table_constraints
     where table_schema = '%' and constraint_type <> 'CHECK'
     and constraint_name not in ('bare_a_fkey', 'hoped') and table_name <> 'part' order by 1, 2",
    "select table_name, constraint_name, column_name, ordinal_position, position_in_unique_constraint
     from information_schema.key_column_usage where table_schema = '%'
     and constraint_name <> 'bare_a_fkey' and table_name <> 'part' order by 1, 2, 4",
    "select constraint_name, unique_constraint_name from information_schema.referential_constraints
     where constraint_schema = '%' and constraint_name <> 'bare_a_fkey' order by 1",
    "select r.relname, c.conname, c.contype, c.convalidated, c.conkey, f.relname, c.confkey, i.relname
     from pg_constraint c join pg_class r on r.oid = c.conrelid join pg_namespace n on n.oid = r.relnamespace
     left join pg_class f on f.oid = c.confrelid left join pg_class i on i.oid = c.conindid
     where n.nspname = '%' and c.contype in ('p', 'u', 'f') and c.conname <> 'bare_a_fkey' and r.relname <> 'part' order by 1, 2",
    "select r.relname, c.conname, pg_get_constraintdef(c.oid) from pg_constraint c join pg_class r on r.oid = c.conrelid
     join pg_namespace n on n.oid = r.relnamespace
     where n.nspname = '%' and c.contype in ('p', 'u') and r.relname <> 'part' order by 1, 2",
    "select r.relname, x.indnatts, x.indisunique, x.indisprimary, x.indkey from pg_index x
     join pg_class r on r.oid = x.indrelid join pg_namespace n on n.oid = r.relnamespace
     where n.nspname = '%' and r.relname not in ('part', 'bare') order by 1, x.indkey::text",
    "select r.relname, a.attname, col_description(r.oid, a.attnum) from pg_class r join pg_attribute a on a.attrelid = r.oid
     join pg_namespace n on n.oid = r.relnamespace
     where n.nspname = '%' and r.relname in ('t', 'kinds', 'v') and a.attnum > 0 order by 1, a.attnum",
    "select r.relname, obj_description(r.oid, 'pg_class'), r.reltuples from pg_class r join pg_namespace n on n.oid = r.relnamespace
     where n.nspname = '%' and r.relname in ('t', 'kinds') order by 1",
];

#[test]
fn keys_comments_and_estimates_of_postgres_are_told() {
    let database = Database::new("told", MADE);
    let place = Place::with_marts(&database);
    let (mut ours, mut theirs) = (place.gateway.connect(), database.connect());
    for query in ASKED {
        let expected = lines(&mut theirs, &query.replace('%', "public"));
        assert!(expected.len() >= 2, "{query}: {expected:?}");
        assert_eq!(
            lines(&mut ours, &query.replace('%', "mart")),
            expected,
            "{query}"
        );
    }
    // It follows the server, and what is declared here goes before what is told.
    done(
        &mut theirs,
        "alter table t drop constraint \"t_odd \"\"name_key\"; comment on column t.a is 'another'",
    );
    done(
        &mut ours,
        "comment on column mart.t.b is 'ours'; alter table mart.kinds add primary key (a) not enforced",
    );
    let keys = "select conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
        where conrelid in ('mart.t'::regclass, 'mart.kinds'::regclass) and contype <> 'f' order by 1";
    eventually(
        &mut ours,
        keys,
        &[
            "by_note UNIQUE (note)",
            "kinds_pkey PRIMARY KEY (a) NOT ENFORCED",
            "t_pkey PRIMARY KEY (id)",
        ],
    );
    let comments = "select col_description('mart.t'::regclass, n) from generate_series(3, 4) n";
    eventually(&mut ours, comments, &["another", "ours"]);
    // They are told, and decide about no rows.
    let report = refused(&mut ours, "select a, count(*) from mart.t group by id");
    assert_eq!(report.code(), "42803", "{report:?}");
}

/// Asks until a listing has told of it.
pub(super) fn eventually(wire: &mut Wire, query: &str, expected: &[&str]) {
    let begun = std::time::Instant::now();
    let mut found = lines(wire, query);
    while found != expected && begun.elapsed().as_secs() < 20 {
        found = lines(wire, query);
    }
    assert_eq!(found, expected, "{query}");
}

/// Keys here: the constraint's name, its columns, and whether its source sees to it.
const KEYS: &str = "select r.relname || ' ' || c.conname || ' ' || pg_get_constraintdef(c.oid) from pg_constraint c
    join pg_class r on r.oid = c.conrelid where r.relnamespace = 'mart'::regnamespace order by 1";

#[test]
fn what_is_created_one_by_one_is_told_of_too() {
    let database = Database::new("told_single", MADE);
    let place = Place::new(&[]);
    let mut wire = place.gateway.connect();
    done(&mut wire, &database.server());
    for statement in [
        "create schema mart",
        "create foreign table mart.rows () server dwh options (schema_name 'public', table_name 't')",
        "create foreign table mart.kinds () server dwh options (schema_name 'public')",
        "create view mart.seen as select 1 as one",
    ] {
        done(&mut wire, statement);
    }
    let of_kinds = [
        "kinds by_note UNIQUE (note)",
        "kinds kinds_pkey PRIMARY KEY (b, a)",
    ];
    let of_rows = |kinds: &str| {
        [
            "rows hoped FOREIGN KEY (a) REFERENCES mart.rows(id) NOT ENFORCED".to_owned(),
            format!("rows known FOREIGN KEY (b, a) REFERENCES mart.{kinds}(b, a)"),
            "rows t_again_fkey FOREIGN KEY (again) REFERENCES mart.rows(id)".to_owned(),
            "rows t_odd \"name_key UNIQUE (\"odd \"\"name\")".to_owned(),
            "rows t_pkey PRIMARY KEY (id)".to_owned(),
        ]
    };
    let known = of_rows("kinds");
    let expected: Vec<&str> = of_kinds
        .into_iter()
        .chain(known.iter().map(String::as_str))
        .collect();
    eventually(&mut wire, KEYS, &expected);
    let comments = "select obj_description('mart.rows'::regclass, 'pg_class'), col_description('mart.rows'::regclass, 3)";
    assert_eq!(lines(&mut wire, comments), ["rows|it's one"]);
    // What is said here goes before.
    done(&mut wire, "comment on foreign table mart.rows is 'ours'");
    assert_eq!(lines(&mut wire, comments), ["ours|it's one"]);
    done(
        &mut wire,
        "comment on table mart.rows is 'still'; comment on column mart.rows.a is 'one'",
    );
    assert_eq!(lines(&mut wire, comments), ["still|one"]);
    done(
        &mut wire,
        "comment on foreign table mart.rows is null; comment on column mart.rows.a is null",
    );
    assert_eq!(lines(&mut wire, comments), ["rows|it's one"]);
    for (other, code) in [("mart.seen", "42809"), ("mart.nope", "42P01")] {
        let report = refused(
            &mut wire,
            &format!("comment on foreign table {other} is 'x'"),
        );
        assert_eq!(report.code(), code, "{report:?}");
    }
    // It goes by what the table is there, whatever it is called here.
    done(
        &mut wire,
        "comment on foreign table mart.kinds is 'kept'; alter foreign table mart.kinds rename to sorts",
    );
    assert_eq!(
        wire.value("select obj_description('mart.sorts'::regclass, 'pg_class')"),
        "kept"
    );
    let known = of_rows("sorts");
    let of_sorts = [
        "sorts by_note UNIQUE (note)",
        "sorts kinds_pkey PRIMARY KEY (b, a)",
    ];
    let expected: Vec<&str> = known.iter().map(String::as_str).chain(of_sorts).collect();
    eventually(&mut wire, KEYS, &expected);
}

#[test]
fn keys_comments_and_estimates_of_mariadb_are_told() {
    let maria = Maria::new(
        "told",
        "create table kinds (a int, b varchar(9), note varchar(200) comment 'it''s noted', primary key (b, a), unique key same (note(20))) comment 'all';
         create table t (id int primary key, a int, b varchar(9), n int unique comment 'counted', constraint known foreign key (b, a) references kinds (b, a));
         insert into kinds values (1, 'x', 'y'); create sequence s",
    );
    let place = maria.place();
    let mut wire = place.gateway.connect();
    assert_eq!(
        lines(&mut wire, KEYS),
        [
            "kinds kinds_note_key UNIQUE (note)",
            "kinds kinds_pkey PRIMARY KEY (b, a)",
            "t known FOREIGN KEY (b, a) REFERENCES mart.kinds(b, a) NOT ENFORCED",
            "t t_n_key UNIQUE (n)",
            "t t_pkey PRIMARY KEY (id)",
        ]
    );
    let comments = "select col_description('mart.kinds'::regclass, 3), col_description('mart.t'::regclass, 4), obj_description('mart.kinds'::regclass, 'pg_class')";
    assert_eq!(lines(&mut wire, comments), ["it's noted|counted|all"]);
    let rows = "select reltuples from pg_class where oid = 'mart.kinds'::regclass";
    let theirs = format!(
        "select table_rows from information_schema.tables where table_schema = '{}' and table_name = 'kinds'",
        maria.name
    );
    assert_eq!(wire.value(rows), maria.value(&theirs));
}

#[test]
fn keys_and_estimates_of_sqlite_are_told() {
    let place = Place::new(&[]);
    let connection =
        Connection::open(place.lake.path().join("marts.db")).expect("a file can be made");
    connection
        .execute_batch(
            "create table rows (id integer primary key, n int unique, m int, unique (m, n));
             create table nullable (k text primary key, r int references rows (id), s int references rows);
             create table sure (a text not null, b int not null, primary key (b, a));
             create table bare (k text, j int, primary key (k, j)) without rowid;
             create unique index some on rows (m) where m > 5; create unique index computed on rows (m + 1);
             insert into rows (id) with recursive n (n) as (select 1 union all select n + 1 from n where n < 77) select n from n;
             insert into nullable (k) values (null), (null); analyze",
        )
        .expect("tables can be made");
    let mut wire = place.gateway.connect();
    done(
        &mut wire,
        "create server file foreign data wrapper sqlite options (database 'marts.db')",
    );
    done(
        &mut wire,
        "create schema mart; import foreign schema main from server file into mart",
    );
    assert_eq!(
        lines(&mut wire, KEYS),
        [
            "bare bare_pkey PRIMARY KEY (k, j)",
            "nullable nullable_k_key UNIQUE (k)",
            "nullable nullable_r_fkey FOREIGN KEY (r) REFERENCES mart.rows(id) NOT ENFORCED",
            "rows rows_m_n_key UNIQUE (m, n)",
            "rows rows_n_key UNIQUE (n)",
            "rows rows_pkey PRIMARY KEY (id)",
            "sure sure_pkey PRIMARY KEY (b, a)",
        ]
    );
    let rows = "select reltuples from pg_class where oid = 'mart.rows'::regclass";
    assert_eq!(wire.value(rows), "77");
}
