//! Whom servers are asked as, and by what proof; and that nobody reads a foreign table who may not.

use std::fs;

use tempfile::TempDir;

use super::{Database, Place, done, lines, refused};
use crate::gateway::{Gateway, given};
use crate::login::log_in;
use crate::rights::{PASSWORD, answers, codes, rows, tells};

/// The server of the tests that wants TLS and a password, with a user of its own.
fn server(mode: &str) -> String {
    let address = given("LAKEGATE_TEST_POSTGRES_TLS");
    let (host, port) = address.split_once(':').expect("it is host:port");
    let root = format!("{}/server.crt", given("LAKEGATE_TEST_TLS"));
    let root = match mode {
        "require" | "disable" => String::new(),
        _ => format!(", sslrootcert '{root}'"),
    };
    format!(
        "create server dwh foreign data wrapper postgres options (host '{host}', port '{port}', dbname 'postgres', sslmode '{mode}'{root})"
    )
}

const IMPORT: &str = "import foreign schema every_type from server dwh into here";

/// A gateway that may read secrets of a folder, among them the password and a wrong one.
fn place_with_secrets() -> (Place, TempDir) {
    let secrets = TempDir::new().expect("a temporary folder can be made");
    fs::write(
        secrets.path().join("dwh"),
        format!("{}\n", given("LAKEGATE_TEST_PASSWORD")),
    )
    .expect("it can be written");
    fs::write(secrets.path().join("wrong"), "canary-wrong").expect("it can be written");
    let folder = secrets.path().display().to_string();
    let place = Place::new(&["--secret-dir", &folder]);
    (place, secrets)
}

#[test]
fn servers_are_asked_over_tls_by_password() {
    let (place, _secrets) = place_with_secrets();
    let mut wire = place.gateway.connect();
    done(&mut wire, "create schema here");
    for mode in ["verify-full", "verify-ca", "require"] {
        done(&mut wire, &server(mode));
        done(
            &mut wire,
            "create user mapping for public server dwh options (user 'postgres', password 'file:dwh')",
        );
        done(&mut wire, IMPORT);
        assert_eq!(
            wire.value("select count(*) from here.samples"),
            "4",
            "{mode}"
        );
        done(&mut wire, "drop server dwh cascade");
    }
}

#[test]
fn servers_that_are_not_proved_are_not_read() {
    let (place, _secrets) = place_with_secrets();
    let mut wire = place.gateway.connect();
    done(&mut wire, "create schema here");
    let mut check = |mode: &str, password: &str, code: &str, detail: &str| {
        done(&mut wire, &server(mode));
        done(
            &mut wire,
            &format!(
                "create user mapping for public server dwh options (user 'postgres'{password})"
            ),
        );
        let report = refused(&mut wire, IMPORT);
        assert_eq!(report.code(), code, "{mode}: {report:?}");
        assert!(report.field('D').contains(detail), "{mode}: {report:?}");
        assert!(!format!("{report:?}").contains("canary"), "{report:?}");
        done(&mut wire, "drop server dwh cascade");
    };
    check(
        "disable",
        ", password 'file:dwh'",
        "08001",
        "no pg_hba.conf entry",
    );
    check(
        "require",
        ", password 'file:wrong'",
        "08001",
        "password authentication failed",
    );
    check("require", "", "08001", "");
    check(
        "require",
        ", password 'file:../wrong'",
        "42704",
        "There is no such file below --secret-dir.",
    );
    check(
        "require",
        ", password 'env:PATH'",
        "42704",
        "It is not among the variables of --secret-env",
    );
    // The certificate is of 127.0.0.1 and localhost, and signs itself: nobody trusts it unasked.
    let alone = server("verify-full").replace(", sslrootcert", ", application_name");
    done(&mut wire, &alone);
    done(
        &mut wire,
        "create user mapping for public server dwh options (user 'postgres', password 'file:dwh')",
    );
    assert_eq!(refused(&mut wire, IMPORT).code(), "08001");
    assert!(
        !place.gateway.log().contains("canary"),
        "{}",
        place.gateway.log()
    );
}

/// A table whose rows are for users of the server.
const MAPPED: &str = "
        create table t (who text);
        insert into t values ('all'), ('ada'), ('bi');
        alter table t enable row level security;
        do $$ begin
            if not exists (select 1 from pg_roles where rolname = 'remote_bi') then
                create role remote_bi login; create role remote_ada login;
            end if;
        end $$;
        create policy own on t using (who = 'all' or 'remote_' || who = current_user);
        grant select on t to remote_bi, remote_ada;
    ";

/// What only superusers may say.
const FOR_SUPERUSERS: &[&str] = &[
    "create server x foreign data wrapper postgres",
    "alter server dwh options (set host 'elsewhere')",
    "create user mapping for eve server dwh options (user 'postgres')",
    "create foreign table mart.x () server dwh options (table_name 't')",
    "import foreign schema public from server dwh into mart",
    "drop server dwh cascade",
    "drop foreign table mart.t",
];

#[test]
fn a_server_is_asked_as_whose_rights_are_used() {
    let database = Database::new("mapped", MAPPED);
    let lake = TempDir::new().expect("a temporary folder can be made");
    let gateway = Gateway::start(lake.path(), &[]);
    let mut wire = gateway.connect();
    done(
        &mut wire,
        "create role ada superuser login password 'geheim'",
    );
    let mut ada = log_in(&gateway, "ada", PASSWORD).expect("the password is right");
    let mut server = database.server();
    server = server.replace(
        "for public server dwh options (user 'postgres')",
        "for ada server dwh options (user 'remote_ada')",
    );
    let made = [
        server.as_str(),
        "create role bi login password 'geheim'; create role eve login password 'geheim'",
        "create user mapping for bi server dwh options (user 'remote_bi')",
        "create schema mart",
        "import foreign schema public from server dwh into mart",
        "create view mart.of_ada as select who from mart.t",
        "create view mart.of_reader with (security_invoker = true) as select who from mart.t",
        "grant usage on schema mart to bi, eve; grant select on all tables in schema mart to bi, eve",
    ];
    for statement in made.iter().flat_map(|made| made.split("; ")) {
        ada.query(statement)
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    let count = |stream: &mut crate::login::Stream<std::net::TcpStream>, from: &str| {
        rows(&answers(
            stream,
            &format!("select who from {from} order by 1"),
        ))
    };
    let mut bi = log_in(&gateway, "bi", PASSWORD).expect("the password is right");
    let mut both = |sql: &str, word: &str| {
        let messages = answers(&mut bi, sql);
        assert!(
            tells(&messages, word),
            "{sql} lacks {word}: {:?}",
            codes(&messages)
        );
        messages
    };
    assert!(!tells(&both("select who from mart.t", "bi"), "ada"));
    // A view is read as its owner.
    assert!(!tells(&both("select who from mart.of_ada", "ada"), "bi"));
    assert!(!tells(&both("select who from mart.of_reader", "bi"), "ada"));
    let messages = both(
        "select a.who || '-' || b.who from mart.t a, mart.of_ada b",
        "bi-ada",
    );
    assert!(!tells(&messages, "ada-"), "a view's rows are its owner's");
    assert_eq!(count(&mut ada, "mart.t"), 2);
    let mut eve = log_in(&gateway, "eve", PASSWORD).expect("the password is right");
    assert_eq!(codes(&answers(&mut eve, "select * from mart.t")), ["42704"]);
    refused_to_all_but_superusers(&mut bi);
    assert_eq!(codes(&answers(&mut ada, "drop role bi")), ["2BP01"]);
    answers(
        &mut ada,
        "revoke select on all tables in schema mart from bi",
    );
    let messages = answers(&mut bi, "select * from mart.t");
    assert_eq!(codes(&messages), ["42501"]);
    assert!(tells(&messages, "permission denied for foreign table t"));
    let shown = "select * from pg_user_mappings";
    assert!(!tells(&answers(&mut bi, shown), "remote_"));
    let mut theirs = database.connect();
    assert_eq!(lines(&mut theirs, "select count(*) from t"), ["3"]);
}

fn refused_to_all_but_superusers(bi: &mut crate::login::Stream<std::net::TcpStream>) {
    for statement in FOR_SUPERUSERS {
        assert_eq!(codes(&answers(bi, statement)), ["42501"], "{statement}");
    }
}
