//! Who may do what to servers and foreign tables: the same scripts as several roles, here and in PostgreSQL with
//! postgres_fdw.

use std::net::SocketAddr;
use std::process::Command;

use super::told::eventually;
use super::{Database, Place, done, files, refused};
use crate::clients::run;
use crate::gateway::given;
use crate::login::log_in;

/// All that psql says of a script, errors with their codes, but for where in PostgreSQL's source they are raised.
fn said(address: SocketAddr, database: &str, script: &str) -> Vec<String> {
    let programs = given("LAKEGATE_TEST_PSQL");
    let first = programs.split(':').next().expect("there is one");
    let folder = tempfile::TempDir::new().expect("a temporary folder can be made");
    let file = folder.path().join("script");
    std::fs::write(&file, script).expect("it can be written");
    let mut psql = Command::new("sh");
    psql.env("PGPASSWORD", given("LAKEGATE_TEST_PASSWORD"));
    let (ip, port) = (address.ip(), address.port());
    let command = format!(
        "cd {} && {first} -X -A -v VERBOSITY=verbose -U postgres -d {database} -h {ip} -p {port} -f script 2>&1",
        folder.path().display()
    );
    psql.args(["-c", &command]);
    let said = run(&mut psql).unwrap_or_else(|failure| panic!("{failure}"));
    let kept = said.lines().filter(|line| !line.starts_with("LOCATION"));
    kept.map(|line| line.replace("postgres_fdw", "postgres"))
        .collect()
}

const MADE: &str = "
create role granted_bi; create role granted_ada; create schema mart; create schema other;
grant usage, create on schema mart to granted_bi, granted_ada; grant usage, create on schema other to granted_bi;
create server dwh foreign data wrapper %W options (host 'nowhere');
";

/// One after the other, each as the role that was set last.
const SCRIPT: &str = "
set role granted_bi;
create server own foreign data wrapper %W;
create server dwh foreign data wrapper %W;
create server own foreign data wrapper nope;
create user mapping for granted_bi server dwh;
create user mapping for public server dwh;
create user mapping for granted_ada server dwh;
create foreign table mart.t () server dwh;
import foreign schema s from server dwh into mart;
alter server dwh options (add port '1');
alter server dwh owner to granted_bi;
alter server dwh rename to mine;
drop server dwh;
drop user mapping for granted_bi server dwh;
grant usage on foreign server dwh to granted_ada;
grant usage on foreign data wrapper %W to granted_ada;
reset role;
grant usage on foreign server nope to granted_bi;
grant usage on foreign data wrapper nope to granted_bi;
grant select on foreign server dwh to granted_bi;
grant create on foreign data wrapper %W to granted_bi;
grant usage (a) on foreign server dwh to granted_bi;
grant all on foreign server dwh to granted_bi;
grant usage on foreign server dwh to granted_ada with grant option;
revoke all privileges on foreign server dwh from granted_ada;
select has_server_privilege('granted_bi', 'dwh', 'usage'), has_server_privilege('granted_ada', 'dwh', 'USAGE'),
    has_server_privilege('granted_bi', 'dwh', 'usage with grant option'), has_server_privilege('dwh', 'usage'),
    has_foreign_data_wrapper_privilege('granted_bi', '%W', 'usage'), has_server_privilege('granted_bi', oid, 'usage')
    from pg_foreign_server where srvname = 'dwh';
select has_server_privilege('granted_bi', 'nope', 'usage');
select has_server_privilege('granted_bi', 'dwh', 'select');
set role granted_bi;
create user mapping for granted_bi server dwh;
create user mapping for current_user server dwh;
create user mapping for public server dwh;
create foreign table mart.t () server dwh;
grant usage on foreign server dwh to granted_ada;
drop user mapping for granted_bi server dwh;
alter foreign table mart.t options (add schema_name 'x');
alter foreign table mart.t options (add schema_name 'y');
alter foreign table mart.t options (set table_name 'y');
alter foreign table mart.t options (drop table_name);
alter foreign table mart.t options (table_name 'z', set schema_name 's');
select ftoptions from pg_foreign_table where ftrelid = 'mart.t'::regclass;
alter foreign table mart.t rename to u;
alter foreign table mart.nope rename to u;
alter foreign table if exists mart.nope options (add table_name 'x');
alter foreign table if exists mart.nope rename to u;
alter foreign table if exists mart.nope owner to granted_ada;
alter foreign table mart.u set schema nope;
alter foreign table mart.u set schema other;
alter foreign table other.u owner to granted_ada;
reset role;
select relowner::regrole, ftoptions from pg_class join pg_foreign_table on ftrelid = oid where oid = 'other.u'::regclass;
alter foreign table other.u owner to granted_ada;
set role granted_bi;
alter foreign table other.u options (drop table_name);
alter foreign table other.u rename to t;
alter foreign table other.u owner to granted_bi;
alter foreign table other.u set schema mart;
drop foreign table other.u;
reset role;
alter table other.u rename to t;
alter table other.t owner to granted_bi;
create view mart.v as select 1 as a;
alter foreign table mart.v rename to w;
alter foreign table mart.v options (add table_name 'x');
alter foreign table mart.v set schema other;
grant usage on foreign data wrapper %W to granted_bi;
set role granted_bi;
create server own foreign data wrapper %W;
alter server own rename to dwh;
alter server own rename to mine;
alter server own rename to another;
alter server mine owner to granted_ada;
alter server mine options (add host 'somewhere');
drop server mine;
create server mine foreign data wrapper %W;
grant usage on foreign server mine to granted_ada;
reset role;
alter server dwh owner to granted_ada;
alter server dwh owner to granted_bi;
select srvname, srvowner::regrole from pg_foreign_server order by 1;
select srvacl from pg_foreign_server where srvname = 'mine';
select fdwacl from pg_foreign_data_wrapper where fdwname = '%W';
\\des+ mine
revoke usage on foreign server mine from granted_ada;
revoke usage on foreign data wrapper %W from granted_bi;
set role granted_bi;
create server own foreign data wrapper %W;
select foreign_server_name, authorization_identifier from information_schema.foreign_servers order by 1;
select foreign_data_wrapper_name from information_schema.foreign_data_wrappers;
set role granted_ada;
select foreign_server_name from information_schema.foreign_servers order by 1;
reset role;
drop owned by granted_bi cascade;
drop role granted_bi;
select srvname from pg_foreign_server order by 1;
";

#[test]
fn roles_may_with_servers_what_postgres_lets_them() {
    let theirs: SocketAddr = given("LAKEGATE_TEST_POSTGRES_TLS")
        .parse()
        .expect("an address");
    let again = "drop database if exists warehouse_granted with (force); drop role if exists granted_bi; drop role if exists granted_ada;
        create database warehouse_granted;";
    said(theirs, "postgres", again);
    said(
        theirs,
        "warehouse_granted",
        "create extension postgres_fdw;",
    );
    let place = Place::new(&[]);
    let ours = place.gateway.address();
    let password = given("LAKEGATE_TEST_PASSWORD");
    let first = format!("create role postgres superuser login password '{password}'");
    done(&mut place.gateway.connect(), &first);
    let script = |wrapper: &str| format!("{MADE}{SCRIPT}").replace("%W", wrapper);
    let expected = said(theirs, "warehouse_granted", &script("postgres_fdw"));
    // One code for all warnings is a difference that is told of, and version 16 has other words.
    let same = |line: &String| {
        let line = line.replace("WARNING:  01007", "WARNING:  01000");
        line.replace("must be member of role", "must be able to SET ROLE")
    };
    let expected: Vec<String> = expected.iter().map(same).collect();
    // Wrappers are nobody's who made them, and which there are is told beside.
    let found = said(ours, "lake", &script("postgres"));
    let found = found
        .iter()
        .filter(|line| !line.starts_with("HINT:  Those that exist"));
    let found: Vec<String> = found
        .map(|line| line.replace("lakegate", "postgres"))
        .collect();
    for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found, expected, "line {number} of {found:?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    assert!(expected.len() > 120, "{expected:#?}");
}

#[test]
fn nobody_but_a_superuser_hands_out_the_gateways_secrets_and_files() {
    let place = Place::new(&["--secret-env", "HOME"]);
    done(
        &mut place.gateway.connect(),
        "create role ada superuser login password 'of-ada'",
    );
    let mut ada = log_in(&place.gateway, "ada", "of-ada").expect("the password is right");
    for statement in [
        "create role bi login password 'of-bi'",
        "create server dwh foreign data wrapper postgres options (host 'nowhere.invalid')",
        "grant usage on foreign data wrapper postgres, sqlite to bi",
        "grant usage on foreign server dwh to bi",
    ] {
        ada.query(statement)
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    let mut bi = log_in(&place.gateway, "bi", "of-bi").expect("the password is right");
    for (statement, message) in [
        (
            "create server evil foreign data wrapper postgres options (host 'evil.invalid')",
            "",
        ),
        (
            "create user mapping for public server evil options (password 'env:HOME')",
            "permission denied to set options of a user mapping",
        ),
        (
            "create user mapping for bi server dwh options (\"user\" 'postgres')",
            "permission denied to set options of a user mapping",
        ),
        ("create user mapping for bi server dwh", ""),
        (
            "alter user mapping for bi server dwh options (add \"user\" 'postgres')",
            "permission denied to set options of a user mapping",
        ),
        (
            "create server file foreign data wrapper sqlite options (database '/etc/passwd')",
            "permission denied to set the \"database\" option of a server",
        ),
    ] {
        match bi.query(statement) {
            Ok(_) => assert_eq!(message, "", "{statement}"),
            Err(report) => assert_eq!(
                (report.code(), report.message()),
                ("42501", message),
                "{statement}"
            ),
        }
    }
}

#[test]
fn foreign_tables_and_servers_are_called_otherwise_and_hold_the_same() {
    let database = Database::new(
        "called",
        "create table t (a int primary key); insert into t values (5); create table u (b int)",
    );
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    for statement in [
        "create schema other",
        "create view mart.reader as select t.a from t join mart.t again using (a)",
        "comment on table mart.t is 'said'; comment on column mart.t.a is 'of a column'",
        "alter table mart.t add unique (a) not enforced",
        "alter foreign table mart.t rename to \"T 2\"",
        "alter foreign table mart.\"T 2\" set schema other",
        "alter foreign table mart.u options (set table_name 't')",
        "alter server dwh rename to \"Another\"",
    ] {
        done(&mut wire, statement);
    }
    assert_eq!(wire.value("select a from other.\"T 2\""), "5");
    assert_eq!(wire.value("select a from mart.reader"), "5");
    assert_eq!(wire.value("select a from mart.u"), "5");
    assert_eq!(refused(&mut wire, "select a from mart.t").code(), "42P01");
    let told = "select obj_description(oid, 'pg_class'), col_description(oid, 1),
        (select string_agg(pg_get_constraintdef(c.oid), ', ' order by conname) from pg_constraint c where conrelid = pg_class.oid)
        from pg_class where oid = 'other.\"T 2\"'::regclass";
    // What is said here, and what its server tells of it.
    let both = "said|of a column|UNIQUE (a) NOT ENFORCED, PRIMARY KEY (a)";
    eventually(&mut wire, told, &[both]);
    let views = place.gateway.state_folder().join("views");
    let found: Vec<String> = files(&views).into_iter().map(|(_, text)| text).collect();
    let all = found.join("\n");
    for expected in [
        "create foreign table other.\"T 2\" () server \"Another\" options (schema_name 'public', table_name 't');",
        "create foreign table mart.u () server \"Another\" options (schema_name 'public', table_name 't');",
        "import foreign schema public except (t, u) from server \"Another\" into mart;",
        "create user mapping for public server \"Another\"",
        "create server \"Another\" foreign data wrapper postgres",
    ] {
        assert!(all.contains(expected), "{expected} is not in {all}");
    }
    // What is made at the server still comes along.
    done(&mut database.connect(), "create table later (c int)");
    assert_eq!(wire.value("select count(*) from mart.later"), "0");
}
