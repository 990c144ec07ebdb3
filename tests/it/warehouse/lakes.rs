//! Servers that are lakes: their tables are here as they are there, with their history, and never taken for others.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{Place, done, lines, refused};
use crate::delta::{Row, append_version, write_version};
use crate::gateway::Gateway;
use crate::login::log_in;
use crate::stores::{bucket, endpoint};
use crate::wire::Wire;

const QUERY: &str = "select id, word from mine.t order by id";

fn rows(words: &[(i64, &str)]) -> Vec<Row> {
    let words = words.iter();
    words
        .map(|(id, word)| (*id, vec![(*word).to_owned()]))
        .collect()
}

/// Another lake, in which `s.t` has the path, the identifier, the versions and the sizes of files that the own has, and other words.
fn archive() -> TempDir {
    let lake = TempDir::new().expect("a temporary folder can be made");
    let table = lake.path().join("s/t");
    write_version(&table, &["word"], 0, &rows(&[(1, "old")]));
    append_version(&table, &["word"], 1, &rows(&[(2, "two")]));
    write(lake.path(), "s/notes.csv", "note\nhere\n");
    write(lake.path(), "s/deep/t.csv", "n\n1\n");
    write(lake.path(), "s/deep/u.jsonl", "{\"n\": 1}\n");
    write(lake.path(), "other/t.csv", "n\n2\n");
    write(lake.path(), "top.csv", "n\n3\n");
    lake
}

fn write(lake: &Path, path: &str, text: &str) {
    let path = lake.join(path);
    let folder = path.parent().expect("it lies in a folder");
    fs::create_dir_all(folder).expect("it can be made");
    fs::write(path, text).expect("it can be written");
}

/// A gateway whose own `s.t` looks as that of the archive, and the archive as a server.
fn place(archive: &Path) -> Place {
    let place = Place::new(&[]);
    let table = place.lake.path().join("s/t");
    write_version(&table, &["word"], 0, &rows(&[(1, "new")]));
    append_version(&table, &["word"], 1, &rows(&[(2, "six")]));
    let mut wire = place.gateway.connect();
    let location = archive.display();
    let server =
        format!("create server archive foreign data wrapper lake options (location '{location}')");
    done(&mut wire, &server);
    done(&mut wire, "create schema mine; create schema all_of");
    done(
        &mut wire,
        "import foreign schema s from server archive into mine",
    );
    place
}

#[test]
fn tables_of_another_lake_are_here_with_their_history() {
    let archive = archive();
    let place = place(archive.path());
    let mut wire = place.gateway.connect();
    let own = "select id, word from s.t order by id";
    for _ in 0..2 {
        assert_eq!(lines(&mut wire, QUERY), ["1|old", "2|two"]);
        assert_eq!(lines(&mut wire, own), ["1|new", "2|six"]);
    }
    let both = "select o.word, a.word from s.t o join mine.t a using (id) order by id";
    assert_eq!(lines(&mut wire, both), ["new|old", "six|two"]);
    assert_eq!(lines(&mut wire, "select note from mine.notes"), ["here"]);
    // Versions, and what is told of them.
    let then = "select word from mine.t version as of 0";
    assert_eq!(lines(&mut wire, then), ["old"]);
    assert_eq!(lines(&mut wire, "select word from mine.\"t@v0\""), ["old"]);
    let history = "select version from lakegate.history('mine.t') order by 1";
    assert_eq!(lines(&mut wire, history), ["0", "1"]);
    let changes = "select _change_type, word from lakegate.changes('mine.t', 0, 1)";
    assert_eq!(lines(&mut wire, changes), ["insert|two"]);
    // What comes is there at once: a version, and a table.
    append_version(
        &archive.path().join("s/t"),
        &["word"],
        2,
        &rows(&[(3, "now")]),
    );
    assert_eq!(lines(&mut wire, QUERY), ["1|old", "2|two", "3|now"]);
    assert_eq!(lines(&mut wire, own), ["1|new", "2|six"]);
    write(archive.path(), "s/more.csv", "n\n7\n");
    let names = "select foreign_table_name from information_schema.foreign_tables \
                 where foreign_table_schema = 'mine' order by 1";
    assert_eq!(lines(&mut wire, names), ["more", "notes", "t"]);
    assert_eq!(lines(&mut wire, "select n from mine.more"), ["7"]);
    // Of a schema that is made of two folders, and of the root.
    done(
        &mut wire,
        "import foreign schema s_deep from server archive into all_of",
    );
    assert_eq!(lines(&mut wire, "select n from all_of.t"), ["1"]);
    done(
        &mut wire,
        "create foreign table all_of.top () server archive options (schema_name 'public')",
    );
    assert_eq!(lines(&mut wire, "select n from all_of.top"), ["3"]);
    let missing = "import foreign schema nowhere from server archive into all_of";
    assert_eq!(refused(&mut wire, missing).code(), "HV00Q");
    // Nothing of it is a table of the lake itself.
    let hidden =
        "select count(*) from information_schema.schemata where schema_name like '%servers%'";
    assert_eq!(wire.value(hidden), "0");
}

#[test]
fn views_over_another_lake_are_stored_and_kept_up() {
    let archive = archive();
    let place = place(archive.path());
    let mut wire = place.gateway.connect();
    let many: Vec<(i64, &str)> = (0..6_000).map(|id| (id, "two")).collect();
    append_version(&archive.path().join("s/t"), &["word"], 2, &rows(&many));
    let view = "select word, count(*) as n from mine.t group by word";
    let query = &format!("{view} order by word");
    done(
        &mut wire,
        &format!("create materialized view mine.words with (refresh = 'manual') as {view}"),
    );
    let stored = |wire: &mut Wire| {
        let told = lines(wire, &format!("explain {query}"));
        told.into_iter()
            .find(|line| line.starts_with("Materialized View"))
    };
    let of = |version: &str| {
        Some(format!(
            "Materialized View: mine.words (at version {version})"
        ))
    };
    assert_eq!(stored(&mut wire), of("0"));
    assert_eq!(lines(&mut wire, query), ["old|1", "two|6001"]);
    append_version(
        &archive.path().join("s/t"),
        &["word"],
        3,
        &rows(&[(3, "two")]),
    );
    assert_eq!(lines(&mut wire, query), ["old|1", "two|6002"]);
    done(&mut wire, "refresh materialized view mine.words");
    assert_eq!(stored(&mut wire), of("1"));
    assert_eq!(lines(&mut wire, query), ["old|1", "two|6002"]);
    // The own table of the same path and identifier has no view.
    let own = query.replace("mine.t", "s.t");
    assert_eq!(lines(&mut wire, &own), ["new|1", "six|1"]);
}

#[test]
fn another_location_is_another_lake() {
    let (first, second) = (archive(), archive());
    write(second.path(), "s/notes.csv", "note\nelse\n");
    let place = place(first.path());
    let mut wire = place.gateway.connect();
    assert_eq!(lines(&mut wire, "select note from mine.notes"), ["here"]);
    let location = second.path().display();
    done(
        &mut wire,
        &format!("alter server archive options (set location '{location}')"),
    );
    assert_eq!(lines(&mut wire, "select note from mine.notes"), ["else"]);
    // Below the lake itself a path may be relative.
    write(place.lake.path(), "_archive/s/notes.csv", "note\nnear\n");
    done(
        &mut wire,
        "alter server archive options (set location '_archive')",
    );
    assert_eq!(lines(&mut wire, "select note from mine.notes"), ["near"]);
    done(&mut wire, "drop server archive cascade");
    assert_eq!(refused(&mut wire, QUERY).code(), "42P01");
}

#[test]
fn a_lake_that_is_gone_fails_what_needs_it_alone() {
    let archive = archive();
    let lake = TempDir::new().expect("a temporary folder can be made");
    let state = TempDir::new().expect("a temporary folder can be made");
    write(lake.path(), "s/own.csv", "n\n5\n");
    let gateway = Gateway::start_with_state(lake.path(), state.path(), &[]);
    let mut wire = gateway.connect();
    let location = archive.path().display();
    done(
        &mut wire,
        &format!("create server archive foreign data wrapper lake options (location '{location}')"),
    );
    done(&mut wire, "create schema mine");
    done(
        &mut wire,
        "import foreign schema s from server archive into mine",
    );
    assert_eq!(lines(&mut wire, QUERY).len(), 2);
    gateway.wait_until(|| state.path().join("imports.json").exists());
    drop((wire, gateway));
    let elsewhere = archive.path().with_extension("elsewhere");
    fs::rename(archive.path(), &elsewhere).expect("it can be moved");
    let gateway = Gateway::start_with_state(lake.path(), state.path(), &[]);
    let mut wire = gateway.connect();
    assert_eq!(lines(&mut wire, "select n from s.own"), ["5"]);
    let error = refused(&mut wire, QUERY);
    assert_eq!(error.code(), "08001", "{error:?}");
    assert!(error.message().contains("\"archive\""), "{error:?}");
    fs::rename(&elsewhere, archive.path()).expect("it can be moved");
    gateway.wait_until(|| gateway.connect().query(QUERY).is_ok());
}

#[test]
fn only_superusers_say_which_lake_is_read() {
    let archive = archive();
    let place = place(archive.path());
    let mut wire = place.gateway.connect();
    let wrong = |wire: &mut Wire, options: &str| {
        let sql = format!("create server wrong foreign data wrapper lake options ({options})");
        refused(wire, &sql).code().to_owned()
    };
    assert_eq!(wrong(&mut wire, "region 'x'"), "42704");
    assert_eq!(
        wrong(&mut wire, "location 's3://a', region 'x', tenant_id 'y'"),
        "HV00D"
    );
    assert_eq!(wrong(&mut wire, "location 'http://a'"), "22023");
    assert_eq!(
        wrong(&mut wire, "location 's3://a', secret_access_key 'plain'"),
        "22023"
    );
    done(
        &mut wire,
        "create role root superuser login password 'geheim'",
    );
    let mut root = log_in(&place.gateway, "root", "geheim").expect("the password is right");
    for sql in [
        "create role ada login password 'geheim'",
        "grant usage on foreign data wrapper lake to ada",
        "grant usage on schema mine to ada",
        "grant select on mine.t to ada",
    ] {
        root.query(sql)
            .unwrap_or_else(|report| panic!("{sql}: {}", report.message()));
    }
    let mut ada = log_in(&place.gateway, "ada", "geheim").expect("the password is right");
    let own = "create server own foreign data wrapper lake options (location '/')";
    let refused = ada.query(own).expect_err("she is no superuser");
    assert_eq!(refused.code(), "42501");
    assert!(ada.query(QUERY).is_ok());
    let refused = ada
        .query("select * from mine.notes")
        .expect_err("it was not granted");
    assert_eq!(refused.code(), "42501");
}

#[test]
fn a_lake_in_a_cloud_is_read_with_the_secrets_of_its_server() {
    let Some(endpoint) = endpoint("LAKEGATE_TEST_S3_ENDPOINT") else {
        return;
    };
    let archive = archive();
    bucket(&endpoint, "lakegate-archive", archive.path());
    let lake = TempDir::new().expect("a temporary folder can be made");
    let state = TempDir::new().expect("a temporary folder can be made");
    let environment = [("ARCHIVE_KEY", "test")];
    let arguments = ["--secret-env", "ARCHIVE_KEY"];
    let gateway =
        Gateway::start_with_environment(lake.path(), state.path(), &environment, &arguments);
    let mut wire = gateway.connect();
    let server = |key: &str| {
        format!(
            "create server cloud foreign data wrapper lake options (location 's3://lakegate-archive/', \
             endpoint '{endpoint}', allow_http 'true', access_key_id 'test', secret_access_key 'env:{key}')"
        )
    };
    done(&mut wire, &server("ARCHIVE_KEY"));
    done(&mut wire, "create schema mine");
    done(
        &mut wire,
        "import foreign schema s from server cloud into mine",
    );
    assert_eq!(lines(&mut wire, QUERY), ["1|old", "2|two"]);
    assert_eq!(
        lines(&mut wire, "select word from mine.t version as of 0"),
        ["old"]
    );
    done(&mut wire, "drop server cloud cascade");
    // A reference is not shown, and one that leads nowhere is said when the server is needed.
    done(&mut wire, &server("NOWHERE"));
    let shown = lines(&mut wire, "select srvoptions from pg_foreign_server");
    assert!(shown[0].contains("secret_access_key=********"), "{shown:?}");
    let import = "import foreign schema s from server cloud into mine";
    let error = refused(&mut wire, import);
    assert!(format!("{error:?}").contains("NOWHERE"), "{error:?}");
}
