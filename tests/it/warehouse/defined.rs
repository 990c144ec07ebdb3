//! The statements of SQL/MED: what they make, what they refuse, and what they leave in files.

use std::path::Path;

use super::{Database, Place, done, files, lines, refused};
use crate::gateway::Gateway;
use crate::wire::Wire;

#[test]
fn statements_make_files_and_take_them_away() {
    let database = Database::new("defined", "create table t (a int); create table u (b int)");
    let place = Place::new(&[]);
    let mut wire = place.gateway.connect();
    let (host, port) = (database.address.ip(), database.address.port());
    done(
        &mut wire,
        &format!(
            "create server dwh type 'warehouse' version '16' foreign data wrapper postgres
        options (host '{host}', port '{port}', dbname '{}', sslmode 'disable')",
            database.name
        ),
    );
    done(
        &mut wire,
        "create user mapping for public server dwh options (user 'postgres', password 'env:DWH')",
    );
    done(
        &mut wire,
        "alter user mapping for public server dwh options (drop password)",
    );
    done(&mut wire, "create schema mart; create schema one");
    done(
        &mut wire,
        "import foreign schema public limit to (t, u) from server dwh into mart",
    );
    done(
        &mut wire,
        "create foreign table one.renamed () server dwh options (schema_name 'public', table_name 't')",
    );
    let views = place.gateway.state_folder().join("views");
    let server = format!(
        "create server dwh type 'warehouse' version '16' foreign data wrapper postgres options \
         (dbname '{}', host '{host}', port '{port}', sslmode 'disable');\n\n\
         create user mapping for public server dwh options (\"user\" 'postgres');\n\n\
         import foreign schema public limit to (t, u) from server dwh into mart;\n",
        database.name
    );
    let table = "create foreign table one.renamed () server dwh options (schema_name 'public', table_name 't');\n";
    let found = files(&views);
    assert!(
        found.contains(&("_servers/dwh.sql".to_owned(), server)),
        "{found:?}"
    );
    assert!(
        found.contains(&("one/renamed.sql".to_owned(), table.to_owned())),
        "{found:?}"
    );
    take_away(&mut wire, &views);
}

/// Drops what is there, one after the other, and looks what is left.
fn take_away(wire: &mut Wire, views: &Path) {
    let relations = "select table_schema || '.' || table_name || ' ' || table_type from information_schema.tables where table_schema in ('mart', 'one') order by 1";
    let all = ["mart.t FOREIGN", "mart.u FOREIGN", "one.renamed FOREIGN"];
    assert_eq!(lines(wire, relations), all);
    done(wire, "create view one.reader as select a from mart.t");
    let report = refused(wire, "drop foreign table mart.t");
    assert_eq!(report.code(), "2BP01", "{report:?}");
    assert!(
        report
            .field('D')
            .contains("view one.reader depends on foreign table mart.t"),
        "{report:?}"
    );
    done(wire, "drop foreign table mart.t cascade");
    assert_eq!(
        lines(wire, relations),
        ["mart.u FOREIGN", "one.renamed FOREIGN"]
    );
    let report = refused(wire, "drop server dwh");
    assert_eq!(report.code(), "2BP01", "{report:?}");
    done(wire, "drop server dwh cascade");
    assert_eq!(lines(wire, relations), Vec::<String>::new());
    let left = files(views);
    assert!(
        left.iter()
            .all(|(path, _)| !path.contains("_servers") && !path.contains("renamed")),
        "{left:?}"
    );
}

/// Statements, the codes of their errors and the messages.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "create server x foreign data wrapper nope",
        "42704",
        "foreign-data wrapper \"nope\" does not exist",
    ),
    (
        "create server x foreign data wrapper oracle",
        "42704",
        "foreign-data wrapper \"oracle\" does not exist",
    ),
    (
        "create server x foreign data wrapper postgres options (password 'env:A')",
        "HV00D",
        "invalid option \"password\"",
    ),
    (
        "create server x foreign data wrapper postgres options (host 'a', host 'b')",
        "42710",
        "option \"host\" provided more than once",
    ),
    (
        "create server x foreign data wrapper sqlite",
        "42704",
        "option \"database\" is required: the path of the SQLite file",
    ),
    (
        "create server dwh foreign data wrapper postgres",
        "42710",
        "server \"dwh\" already exists",
    ),
    (
        "alter server nope options (add host 'a')",
        "42704",
        "server \"nope\" does not exist",
    ),
    (
        "alter server dwh options (add host 'a')",
        "42710",
        "option \"host\" provided more than once",
    ),
    (
        "alter server dwh options (set sslrootcert 'a')",
        "42704",
        "option \"sslrootcert\" not found",
    ),
    (
        "alter server dwh rename to dwh",
        "42710",
        "server \"dwh\" already exists",
    ),
    (
        "alter foreign table mart.t add column b int",
        "0A000",
        "ALTER FOREIGN TABLE ... ADD of a column is not supported",
    ),
    (
        "alter foreign table mart.t options (set nope 'a')",
        "42704",
        "option \"nope\" not found",
    ),
    (
        "alter foreign table mart.t options (add nope 'a')",
        "HV00D",
        "invalid option \"nope\"",
    ),
    (
        "alter foreign table mart.t options (add table_name 'a')",
        "42710",
        "option \"table_name\" provided more than once",
    ),
    (
        "drop server nope",
        "42704",
        "server \"nope\" does not exist",
    ),
    (
        "create user mapping for public server dwh",
        "42710",
        "user mapping for \"public\" already exists for server \"dwh\"",
    ),
    (
        "create user mapping for current_user server nope",
        "42704",
        "server \"nope\" does not exist",
    ),
    (
        "create user mapping for ada server dwh options (password 'geheim')",
        "22023",
        "a password must be a reference, and not the password itself",
    ),
    (
        "drop user mapping for ada server dwh",
        "42704",
        "user mapping for \"ada\" does not exist for server \"dwh\"",
    ),
    (
        "create foreign table mart.x (a int) server dwh",
        "0A000",
        "a list of columns in CREATE FOREIGN TABLE is not supported",
    ),
    (
        "create foreign table mart.t () server dwh",
        "42P07",
        "relation \"t\" already exists",
    ),
    (
        "create foreign table nope.x () server dwh",
        "3F000",
        "schema \"nope\" does not exist",
    ),
    (
        "create foreign table mart.x () server nope",
        "42704",
        "server \"nope\" does not exist",
    ),
    (
        "drop foreign table mart.nope",
        "42P01",
        "foreign table \"mart.nope\" does not exist",
    ),
    (
        "import foreign schema public from server dwh into nope",
        "3F000",
        "schema \"nope\" does not exist",
    ),
    (
        "import foreign schema nope from server dwh into mart",
        "HV00Q",
        "schema \"nope\" is not present on foreign server \"dwh\"",
    ),
    (
        "import foreign schema public from server dwh into mart",
        "42710",
        "schema \"public\" of server \"dwh\" is imported into \"mart\" already",
    ),
    (
        "create foreign data wrapper w",
        "0A000",
        "CREATE FOREIGN is not supported",
    ),
    (
        "grant usage on foreign table mart.t to public",
        "0A000",
        "privileges ON FOREIGN is not supported",
    ),
    (
        "drop schema mart",
        "2BP01",
        "cannot drop schema mart because other objects depend on it",
    ),
    (
        "insert into mart.t values (1)",
        "25006",
        "cannot execute INSERT in a read-only transaction",
    ),
];

#[test]
fn what_cannot_be_is_refused_in_postgres_words() {
    let database = Database::new("refused", "create table t (a int)");
    let place = Place::with_marts(&database);
    let mut wire = place.gateway.connect();
    for (statement, code, message) in REFUSED {
        let report = refused(&mut wire, statement);
        assert_eq!(
            (report.code(), report.message()),
            (*code, *message),
            "{statement}"
        );
    }
    done(
        &mut wire,
        "drop server if exists nope; drop foreign table if exists mart.nope; drop user mapping if exists for ada server dwh",
    );
    done(
        &mut wire,
        "create server if not exists dwh foreign data wrapper postgres",
    );
    done(&mut wire, "drop schema mart cascade");
    assert_eq!(refused(&mut wire, "select * from mart.t").code(), "42P01");
}

#[test]
fn files_say_what_there_is() {
    let database = Database::new("files", "create table t (a int); insert into t values (5)");
    let folder = tempfile::TempDir::new().expect("a temporary folder can be made");
    let views = folder.path().join("views");
    std::fs::create_dir_all(&views).expect("a folder can be made");
    let write = |text: &str| {
        let beside = folder.path().join("part");
        std::fs::write(&beside, text).expect("a file can be written");
        std::fs::rename(&beside, views.join("dwh.sql")).expect("a file can be replaced");
    };
    let server = database.server();
    // In whichever order.
    let whole = format!("import foreign schema public from server dwh into mart;\n{server};\n");
    write(&whole);
    let path = views.display().to_string();
    let lake = tempfile::TempDir::new().expect("a temporary folder can be made");
    let gateway = Gateway::start(lake.path(), &["--views", &path]);
    let mut wire = gateway.connect();
    assert_eq!(wire.value("select a from mart.t"), "5");
    // What cannot be understood is told, and what was understood before counts.
    write(&whole.replace("into mart", "int mart"));
    let told = "select count(*) from lakegate.view_errors where path = 'dwh.sql'";
    let mut count = String::new();
    let begun = std::time::Instant::now();
    while count != "1" && begun.elapsed().as_secs() < 20 {
        count = wire.value(told);
    }
    assert_eq!(count, "1");
    assert_eq!(wire.value("select a from mart.t"), "5");
    write(&server);
    while wire.query("select a from mart.t").is_ok() && begun.elapsed().as_secs() < 40 {}
    assert_eq!(refused(&mut wire, "select a from mart.t").code(), "42P01");
}
