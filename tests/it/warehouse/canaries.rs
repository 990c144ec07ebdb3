//! Secrets stay secret: passwords of roles, of servers and of stores are in nothing that anybody can look at.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

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

/// What goes over the network to a server and back, unencrypted.
struct Tapped {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Tapped {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let seen = Arc::new(Mutex::default());
        let tapped = Self {
            address,
            seen: Arc::clone(&seen),
        };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                let ways = [
                    (client.try_clone(), server.try_clone()),
                    (Ok(server), Ok(client)),
                ];
                for (from, to) in ways {
                    let (from, to) = (from.expect("it is open"), to.expect("it is open"));
                    let seen = Arc::clone(&seen);
                    thread::spawn(move || carry(from, to, &seen));
                }
            }
        });
        tapped
    }

    fn text(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&seen).into_owned()
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, seen: &Mutex<Vec<u8>>) {
    let mut buffer = vec![0; 1 << 14];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let mut all = seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(&buffer[..n]);
        drop(all);
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    drop(to.shutdown(std::net::Shutdown::Both));
}

/// The statements that have two servers asked unencrypted, with passwords: one wants none, and one refuses it so.
fn over_taps(tapped: &[Tapped; 2], database: &Database) -> Vec<String> {
    let server = |name: &str, of: &Tapped, wrapper: &str, more: &str| {
        format!(
            "create server {name} foreign data wrapper {wrapper} options (host '{}', port '{}', sslmode 'disable'{more})",
            of.address.ip(),
            of.address.port()
        )
    };
    let of_database = format!(", dbname '{}'", database.name);
    vec![
        server("tapped", &tapped[0], "postgres", &of_database),
        "create user mapping for public server tapped options (user 'postgres', password 'env:DWH_PASSWORD')".to_owned(),
        "create foreign table here.tapped () server tapped options (schema_name 'public', table_name 't')".to_owned(),
        "select count(*) from here.tapped where a = 4711".to_owned(),
        server("refused", &tapped[1], "mysql", ""),
        "create user mapping for public server refused options (user 'proved', password 'file:dwh')".to_owned(),
        "import foreign schema mysql from server refused into wrong".to_owned(),
    ]
}

/// The lines of the private key of TLS, each of which is a secret.
fn key_lines() -> Vec<String> {
    let key = fs::read_to_string(format!("{}/server.key", given("LAKEGATE_TEST_TLS")));
    let key = key.expect("the key can be read");
    let lines = key.lines().filter(|line| !line.starts_with("-----"));
    lines.map(str::to_owned).collect()
}

fn canaries() -> Vec<String> {
    let of_environment = ENVIRONMENT.iter().map(|(_, secret)| *secret);
    let said = [OF_ADA, OF_BI, GUESSED, OF_FILE, OF_URL, OF_QUERY, OF_TOKEN];
    let all = of_environment.chain(said).map(str::to_owned);
    let all = all.chain([given("LAKEGATE_TEST_PASSWORD")]);
    all.chain(key_lines()).collect()
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
        let tls = given("LAKEGATE_TEST_TLS");
        let (certificate, key) = (format!("{tls}/server.crt"), format!("{tls}/server.key"));
        let arguments = [
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
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
fn answered(gateway: &Gateway, database: &Database, tapped: &[Tapped; 2]) -> Vec<String> {
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
    let statements = definitions(database).into_iter();
    for statement in statements.chain(over_taps(tapped, database)) {
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
    let of_maria: SocketAddr = given("LAKEGATE_TEST_MARIADB").parse().expect("an address");
    let tapped = [Tapped::to(database.address), Tapped::to(of_maria)];
    let told_of = answered(&gateway, &database, &tapped).join("\n");
    assert!(
        told_of.contains("********"),
        "mappings are shown: {told_of}"
    );
    let arguments = fs::read(format!("/proc/{}/cmdline", gateway.pid()));
    let arguments = arguments.expect("the process runs");
    // A dump of the memory would have all of them.
    let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.pid()));
    let limits = limits.expect("the process runs");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<&str> = core.unwrap_or_default().split_whitespace().collect();
    assert_eq!(core.get(4..6), Some(&["0", "0"][..]), "{limits}");
    let over_network = tapped.each_ref().map(Tapped::text);
    assert!(
        over_network[0].contains("4711"),
        "it is asked: {}",
        over_network[0]
    );
    assert!(
        over_network[1].contains("proved"),
        "it is asked: {}",
        over_network[1]
    );
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
    looked.extend(over_network.map(|text| ("the network".to_owned(), text)));
    looked.extend(folders.files());
    for canary in canaries() {
        for (place, text) in &looked {
            let seen = text.lines().find(|line| line.contains(&canary));
            assert_eq!(seen, None, "{canary} is in {place}");
        }
    }
}
