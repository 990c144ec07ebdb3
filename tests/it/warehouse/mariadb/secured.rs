//! Passwords and encryption to MariaDB, and what psql shows of it.

use std::fs;

use tempfile::TempDir;

use super::super::{Place, done, lines, refused};
use crate::gateway::given;

/// The server of the tests, as its user of a password is let in.
fn server(mode: &str) -> String {
    let address = given("LAKEGATE_TEST_MARIADB");
    let (host, port) = address.split_once(':').expect("it is host:port");
    let root = match mode {
        "require" | "prefer" | "disable" | "verify-none" => String::new(),
        _ => format!(", sslrootcert '{}/server.crt'", given("LAKEGATE_TEST_TLS")),
    };
    let mode = mode.replace("verify-none", "verify-full");
    format!(
        "create server dwh foreign data wrapper mysql options (host '{host}', port '{port}', sslmode '{mode}'{root})"
    )
}

/// A gateway that may read secrets of a folder, among them the password and a wrong one.
fn place_with_secrets() -> (Place, TempDir) {
    let secrets = TempDir::new().expect("a temporary folder can be made");
    let written = [
        ("dwh", given("LAKEGATE_TEST_PASSWORD")),
        ("wrong", "canary-wrong".to_owned()),
    ];
    for (name, text) in written {
        fs::write(secrets.path().join(name), text).expect("it can be written");
    }
    let folder = secrets.path().display().to_string();
    (Place::new(&["--secret-dir", &folder]), secrets)
}

#[test]
fn servers_are_asked_over_tls_by_password() {
    let (place, _secrets) = place_with_secrets();
    let mut wire = place.gateway.connect();
    done(&mut wire, "create schema here");
    let mut check = |mode: &str, password: &str, refusal: Option<&str>| {
        done(&mut wire, &server(mode));
        let mapping =
            format!("create user mapping for public server dwh options (user 'proved'{password})");
        done(&mut wire, &mapping);
        let import = "import foreign schema mysql limit to (help_topic) from server dwh into here";
        match refusal {
            None => {
                done(&mut wire, import);
                assert_eq!(
                    wire.value("select count(*) from here.help_topic where name = ''"),
                    "0",
                    "{mode}"
                );
            }
            Some(why) => {
                let report = refused(&mut wire, import);
                assert_eq!(report.code(), "08001", "{mode}: {report:?}");
                assert!(report.field('D').contains(why), "{mode}: {report:?}");
                assert!(!format!("{report:?}").contains("canary"), "{report:?}");
            }
        }
        done(&mut wire, "drop server dwh cascade");
    };
    for mode in ["verify-full", "verify-ca", "require", "prefer"] {
        check(mode, ", password 'file:dwh'", None);
    }
    check("disable", ", password 'file:dwh'", Some("Access denied"));
    check("require", ", password 'file:wrong'", Some("Access denied"));
    check("require", "", Some("Access denied"));
    // Nobody trusts a certificate that signs itself unasked.
    check("verify-none", ", password 'file:dwh'", Some("certificate"));
    assert!(
        !place.gateway.log().contains("canary"),
        "{}",
        place.gateway.log()
    );
}

#[test]
fn its_servers_and_tables_are_shown() {
    let maria = super::Maria::new(
        "shown",
        "create table t (a int not null, b varchar(10), c decimal(12, 2)) comment 'All of it'",
    );
    let place = maria.place();
    let mut wire = place.gateway.connect();
    let server = "select srvname || ' ' || fdwname || ' ' || srvoptions::text from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw";
    assert!(
        wire.value(server)
            .starts_with("dwh mysql {host=127.0.0.1,port=")
    );
    let options = "select ftoptions::text from pg_foreign_table";
    assert_eq!(
        wire.value(options),
        format!("{{schema_name={},table_name=t}}", maria.name)
    );
    let columns = "select attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull from pg_attribute where attrelid = 'mart.t'::regclass and attnum > 0 order by attnum";
    assert_eq!(
        lines(&mut wire, columns),
        [
            "a integer true",
            "b character varying(10) false",
            "c numeric(12,2) false"
        ]
    );
}
