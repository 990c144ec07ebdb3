//! Secrets stay secret: passwords of roles, of servers and of stores are in nothing that anybody can look at.

use std::fs;
use std::net::TcpStream;
use std::path::Path;

use tempfile::TempDir;

use super::Database;
use crate::gateway::{Gateway, given};
use crate::login::{Stream, log_in};
use crate::rights::answers;

/// Of the environment: the keys of stores, and what a mapping refers to.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("AWS_SECRET_ACCESS_KEY", "canary-of-s3"),
    ("AZURE_STORAGE_ACCOUNT_KEY", "Y2FuYXJ5LW9mLWF6dXJl"),
    ("AZURE_STORAGE_SAS_TOKEN", "sig=canary-of-sas"),
    ("DWH_PASSWORD", "canary-of-the-environment"),
];

/// What is said by those who log in, and kept in files.
const OF_ADA: &str = "canary-of-ada";
const OF_BI: &str = "canary-of-bi";
const GUESSED: &str = "canary-that-was-guessed";
const OF_FILE: &str = "canary-of-a-file";
const OF_URL: &str = "canary-of-a-url";
const OF_QUERY: &str = "canary-of-its-query";
const OF_TOKEN: &str = "eyJjYW5hcnkiOiJvZi1hLXRva2VuIn0";

/// Everywhere that a session can look.
const LOOKS: [&str; 16] = [
    "select * from pg_settings",
    "show all",
    "select * from pg_foreign_server",
    "select * from pg_foreign_table",
    "select * from pg_user_mapping",
    "select * from pg_user_mappings",
    "select * from information_schema.user_mapping_options",
    "select * from information_schema.foreign_server_options",
    "select * from pg_stat_activity",
    "select * from pg_roles",
    "select * from pg_authid",
    "select * from lakegate.queries",
    "select * from lakegate.view_errors",
    "explain (verbose) select * from here.samples",
    "explain (analyze, verbose) select count(*) from here.samples",
    "select * from wrong.samples",
];

fn canaries() -> Vec<String> {
    let of_environment = ENVIRONMENT.iter().map(|(_, secret)| *secret);
    let said = [OF_ADA, OF_BI, GUESSED, OF_FILE, OF_URL, OF_QUERY, OF_TOKEN];
    let all = of_environment.chain(said).map(str::to_owned);
    all.chain([given("LAKEGATE_TEST_PASSWORD")]).collect()
}

/// The files below a folder, whatever is in them.
fn below(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            below(&path, found);
            continue;
        }
        let bytes = fs::read(&path).expect("the file can be read");
        found.push((
            path.display().to_string(),
            String::from_utf8_lossy(&bytes).into_owned(),
        ));
    }
}

/// All that is answered to a statement.
fn told(stream: &mut Stream<TcpStream>, sql: &str) -> String {
    let messages = answers(stream, sql);
    let bodies = messages.iter().map(|message| {
        let body = String::from_utf8_lossy(&message.body);
        format!("{} {body}", char::from(message.tag))
    });
    bodies.collect::<Vec<_>>().join("\n")
}

/// The statements that define servers which are asked by passwords, right ones and wrong ones.
fn definitions(database: &Database) -> Vec<String> {
    let address = given("LAKEGATE_TEST_POSTGRES_TLS");
    let (host, port) = address.split_once(':').expect("it is host:port");
    let root = format!("{}/server.crt", given("LAKEGATE_TEST_TLS"));
    let proved = given("LAKEGATE_TEST_MARIADB");
    let (maria, maria_port) = proved.split_once(':').expect("it is host:port");
    let of_postgres = format!(
        "foreign data wrapper postgres options (host '{host}', port '{port}', dbname 'postgres', sslmode 'verify-full', sslrootcert '{root}')"
    );
    let of_maria = format!(
        "foreign data wrapper mysql options (host '{maria}', port '{maria_port}', sslmode 'require')"
    );
    let mapping = |server: &str, user: &str, password: &str| {
        format!(
            "create user mapping for public server {server} options (user '{user}', password '{password}')"
        )
    };
    vec![
        "create schema here; create schema wrong".to_owned(),
        format!("create server dwh {of_postgres}"),
        mapping("dwh", "postgres", "file:dwh"),
        "import foreign schema every_type from server dwh into here".to_owned(),
        format!("create server shop {of_maria}"),
        mapping("shop", "proved", "file:dwh"),
        "import foreign schema mysql limit to (db) from server shop into here".to_owned(),
        "select count(*) from here.db".to_owned(),
        // A password that is no reference is refused, and so is a wrong one.
        format!("create server w {of_postgres}"),
        mapping("w", "postgres", OF_FILE),
        mapping("w", "postgres", "env:DWH_PASSWORD"),
        "import foreign schema every_type from server w into wrong".to_owned(),
        "create foreign table wrong.samples () server w options (schema_name 'every_type', table_name 'samples')".to_owned(),
        "alter user mapping for public server w options (set password 'file:wrong')".to_owned(),
        "import foreign schema every_type from server w into wrong".to_owned(),
        format!("create server f foreign data wrapper mysql options (host '{maria}', port '{maria_port}', sslmode 'require')"),
        mapping("f", "proved", "file:wrong"),
        "import foreign schema mysql from server f into wrong".to_owned(),
        database.server().replace("server dwh", "server plain"),
        format!("select nothing from nowhere where url = 'https://reader:{OF_URL}@host.example/a?sig={OF_QUERY}'"),
    ]
}

/// The folders of a gateway, and of what it is told by files.
struct Folders {
    lake: TempDir,
    state: TempDir,
    temporary: TempDir,
    secrets: TempDir,
}

impl Folders {
    fn new() -> Self {
        let [lake, state, temporary, secrets] =
            std::array::from_fn(|_| TempDir::new().expect("a temporary folder can be made"));
        let password = given("LAKEGATE_TEST_PASSWORD");
        for (name, secret) in [("dwh", password.as_str()), ("wrong", OF_FILE)] {
            fs::write(secrets.path().join(name), secret).expect("it can be written");
        }
        Self {
            lake,
            state,
            temporary,
            secrets,
        }
    }

    /// A gateway that logs all it can.
    fn gateway(&self) -> Gateway {
        let held = self.secrets.path().display().to_string();
        let temporary = self.temporary.path().display().to_string();
        let audit = format!("{temporary}/audit.json");
        let arguments = [
            "--secret-dir",
            &held,
            "--secret-env",
            "DWH_PASSWORD",
            "--log",
            "trace",
            "--audit",
            &audit,
        ];
        let environment: Vec<_> = ENVIRONMENT
            .into_iter()
            .chain([("TMPDIR", temporary.as_str())])
            .collect();
        let (lake, state) = (self.lake.path(), self.state.path());
        Gateway::start_with_environment(lake, state, &environment, &arguments)
    }

    /// What lies in them, but for the secrets.
    fn files(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for folder in [&self.lake, &self.state, &self.temporary] {
            below(folder.path(), &mut found);
        }
        found
    }
}

/// All that is answered to who defines, guesses, and looks.
fn answered(gateway: &Gateway, database: &Database) -> Vec<String> {
    let first = format!("create role ada superuser login password '{OF_ADA}'");
    super::done(&mut gateway.connect(), &first);
    let mut ada = log_in(gateway, "ada", OF_ADA).expect("the password is right");
    let mut told_of = vec![
        told(
            &mut ada,
            &format!("create role bi login password '{OF_BI}'"),
        ),
        told(
            &mut ada,
            &format!("alter role bi password '{OF_BI}' valid until 'nonsense'"),
        ),
    ];
    for guess in [GUESSED, OF_TOKEN] {
        told_of.push(format!("{:?}", log_in(gateway, "ada", guess).err()));
    }
    for statement in definitions(database) {
        told_of.push(told(&mut ada, &statement));
    }
    let mut bi = log_in(gateway, "bi", OF_BI).expect("the password is right");
    for look in LOOKS {
        told_of.push(told(&mut ada, look));
        told_of.push(told(&mut bi, look));
    }
    let rows = ada.query("select count(*) from here.samples");
    assert_eq!(rows.ok(), Some(vec!["4".to_owned()]));
    told_of
}

#[test]
fn no_secret_is_seen_by_anybody() {
    let database = Database::new("canaries", "create table t (a int)");
    let folders = Folders::new();
    let gateway = folders.gateway();
    let told_of = answered(&gateway, &database).join("\n");
    assert!(
        told_of.contains("********"),
        "mappings are shown: {told_of}"
    );
    let arguments = fs::read(format!("/proc/{}/cmdline", gateway.pid()));
    let arguments = arguments.expect("the process runs");
    let log = gateway.log();
    assert!(log.contains("TRACE"), "{log}");
    let mut looked = vec![
        ("the log".to_owned(), log),
        (
            "the process list".to_owned(),
            String::from_utf8_lossy(&arguments).into_owned(),
        ),
        ("answers".to_owned(), told_of),
    ];
    looked.extend(folders.files());
    for canary in canaries() {
        for (place, text) in &looked {
            let seen = text.lines().find(|line| line.contains(&canary));
            assert_eq!(seen, None, "{canary} is in {place}");
        }
    }
}
