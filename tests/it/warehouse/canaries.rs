//! Secrets stay secret: passwords of roles, of servers and of stores are in nothing that anybody can look at.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::Database;
use super::network::Network;
use crate::certificates::Secrets;
use crate::clients::run;
use crate::gateway::{Gateway, given, test_lake};
use crate::issuer::{AUDIENCE, ISSUER, SigningKey, claims, key_set};
use crate::login::{Stream, bearer, encrypted_at, log_in_at};
use crate::rights::answers;
use crate::wire::{message, startup};

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
const OF_CLAIM: &str = "canary-of-a-claim";

/// Who come with tokens: one as with a password, one as the mechanism for tokens has it.
const ADA: &str = "ada@example.com";
const BO: &str = "bo@example.com";
const OF_BO: &str = "canary-of-bo";

/// Files that have the decoder panic: a byte of a sound one, and what it becomes. One does as it is opened,
/// one as its rows are read.
const DAMAGED: [(&str, usize, u8); 2] = [("opened", 2397, 69), ("read", 717, 255)];

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

/// The statements that have two servers asked unencrypted, with passwords: one wants none, and one refuses it so.
fn over_taps(tapped: &[Network; 2], database: &Database) -> Vec<String> {
    let server = |name: &str, of: &Network, wrapper: &str, more: &str| {
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

/// The lines of a private key, each of which is a secret.
fn key_lines(path: &Path) -> Vec<String> {
    let key = fs::read_to_string(path).expect("the key can be read");
    let lines = key.lines().filter(|line| !line.starts_with("-----"));
    lines.map(str::to_owned).collect()
}

/// All secrets: those above, and those that are made for the test, such as tokens and what they are made of.
fn canaries(folders: &Folders, tokens: &[String]) -> Vec<String> {
    let of_environment = ENVIRONMENT.iter().map(|(_, secret)| *secret);
    let said = [
        OF_ADA, OF_BI, OF_BO, GUESSED, OF_FILE, OF_URL, OF_QUERY, OF_TOKEN, OF_CLAIM,
    ];
    let all = of_environment.chain(said).map(str::to_owned);
    let all = all.chain([given("LAKEGATE_TEST_PASSWORD")]);
    // The header of a token is no secret.
    let parts = tokens.iter().flat_map(|token| token.split('.').skip(1));
    let all = all.chain(parts.map(str::to_owned));
    let given_key = Path::new(&given("LAKEGATE_TEST_TLS")).join("server.key");
    let keys = [given_key, folders.door.path("server.key")];
    all.chain(keys.iter().flat_map(|path| key_lines(path)))
        .collect()
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
    /// What guards the gateway's own door.
    door: Secrets,
    /// By which tokens are signed.
    key: SigningKey,
}

impl Folders {
    fn new() -> Self {
        let [lake, state, temporary, secrets] =
            std::array::from_fn(|_| TempDir::new().expect("a temporary folder can be made"));
        let password = given("LAKEGATE_TEST_PASSWORD");
        for (name, secret) in [("dwh", password.as_str()), ("wrong", OF_FILE)] {
            fs::write(secrets.path().join(name), secret).expect("it can be written");
        }
        let sound = fs::read(test_lake().join("gold/shops.parquet")).expect("it is there");
        let broken = lake.path().join("broken");
        fs::create_dir(&broken).expect("the folder can be made");
        for (name, place, byte) in DAMAGED {
            let mut bytes = sound.clone();
            bytes[place] = byte;
            fs::write(broken.join(format!("{name}.parquet")), bytes).expect("it can be written");
        }
        let (door, key) = (Secrets::new(), SigningKey::curve("k"));
        door.write("keys.json", &key_set(&[&key]));
        Self {
            lake,
            state,
            temporary,
            secrets,
            door,
            key,
        }
    }

    /// A gateway that logs all it can.
    fn gateway(&self) -> Gateway {
        let held = self.secrets.path().display().to_string();
        let temporary = self.temporary.path().display().to_string();
        let audit = format!("{temporary}/audit.json");
        let keys = self.door.argument("keys.json");
        let own = [
            ("--secret-dir", held.as_str()),
            ("--secret-env", "DWH_PASSWORD"),
            ("--log", "trace"),
            ("--audit", &audit),
            ("--oidc-issuer", ISSUER),
            ("--oidc-audience", AUDIENCE),
            ("--oidc-jwks", &keys),
        ];
        let door = self.door.arguments();
        let own = own.iter().flat_map(|(flag, value)| [*flag, *value]);
        let arguments: Vec<&str> = door.iter().map(String::as_str).chain(own).collect();
        let more = [("TMPDIR", temporary.as_str()), ("RUST_BACKTRACE", "1")];
        let environment: Vec<_> = ENVIRONMENT.into_iter().chain(more).collect();
        let (lake, state) = (self.lake.path(), self.state.path());
        Gateway::start_with_environment(lake, state, &environment, &arguments)
    }

    /// A token of somebody.
    fn token(&self, user: &str) -> String {
        let claims = claims(user, &json!({ "nonce": OF_CLAIM }));
        self.key.sign("ES256", &claims)
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

/// The networks between clients and the gateway.
struct Clients {
    /// Of those who say secrets in statements, which go over it as they are said.
    say: Network,
    /// Of all others.
    look: Network,
}

/// All that is answered to who defines and guesses.
fn told_definers(gateway: &Gateway, statements: &[String], clients: &Clients) -> Vec<String> {
    let first = format!("create role ada superuser login password '{OF_ADA}'");
    super::done(&mut gateway.connect(), &first);
    let mut ada = log_in_at(clients.say.address, "ada", OF_ADA).expect("the password is right");
    let roles = [
        format!("create role bi login password '{OF_BI}'"),
        format!("alter role bi password '{OF_BI}' valid until 'nonsense'"),
        format!("create role \"{BO}\" login password '{OF_BO}'"),
        format!("create role \"{ADA}\" login"),
    ];
    let statements = roles.iter().chain(statements);
    let mut told_of: Vec<String> = statements.map(|sql| told(&mut ada, sql)).collect();
    for guess in [GUESSED, OF_TOKEN] {
        let refused = log_in_at(clients.look.address, "ada", guess).err();
        told_of.push(format!("{refused:?}"));
    }
    told_of
}

/// All that is answered to who looks around.
fn told_lookers(gateway: &Gateway, network: &Network) -> Vec<String> {
    let mut ada = log_in_at(network.address, "ada", OF_ADA).expect("the password is right");
    let mut bi = log_in_at(network.address, "bi", OF_BI).expect("the password is right");
    let mut told_of = Vec::new();
    for look in LOOKS {
        told_of.push(told(&mut ada, look));
        told_of.push(told(&mut bi, look));
    }
    let rows = ada.query("select count(*) from here.samples");
    assert_eq!(rows.ok(), Some(vec!["4".to_owned()]));
    for (name, ..) in DAMAGED {
        let n_panics = || gateway.log().matches("panicked at").count();
        // Whoever looks around has every table opened.
        let n_before = if name == "opened" { 0 } else { n_panics() };
        let refused = told(&mut ada, &format!("select * from broken.{name}"));
        assert!(refused.contains("XX001"), "{name}: {refused}");
        assert!(n_panics() > n_before, "{name}: {refused}");
        told_of.push(refused);
        // The session goes on.
        assert_eq!(ada.query("select 1").ok(), Some(vec!["1".to_owned()]));
    }
    let programs = given("LAKEGATE_TEST_PSQL");
    let mut psql = Command::new(programs.split(':').next().expect("there is one"));
    let (host, port) = (network.address.ip(), network.address.port());
    psql.env("PGPASSWORD", OF_ADA);
    psql.args(["-X", "-U", "ada", "-d", "lake"]);
    psql.args(["-h", &host.to_string(), "-p", &port.to_string()]);
    for command in ["\\des+", "\\deu+", "\\det+", "\\du+", "\\dconfig *"] {
        psql.args(["-c", command]);
    }
    told_of.push(run(&mut psql).expect("psql shows what there is"));
    told_of
}

/// Has two come by tokens, as which they are known then.
fn come_by_tokens(folders: &Folders, network: &Network) -> Vec<String> {
    let tokens = [ADA, BO].map(|user| folders.token(user));
    for (user, token) in [ADA, BO].into_iter().zip(&tokens) {
        let client = folders.door.client(rustls::DEFAULT_VERSIONS, &[]);
        let mut stream = encrypted_at(network.address, client);
        stream.send(&startup(&[("user", user)]));
        let asked = stream.read().expect("the server asks for a proof");
        let is_password = asked.body == 3_i32.to_be_bytes();
        assert_eq!(is_password, user == ADA, "{asked:?}");
        let proof = match is_password {
            true => message(b'p', format!("{token}\0").as_bytes()),
            false => bearer(token),
        };
        let mut session = stream.proved(&proof).expect("the token is right");
        let who = session.query("select session_user");
        assert_eq!(who.ok(), Some(vec![user.to_owned()]));
    }
    tokens.into()
}

/// That no dump of the memory is written, which would have all of them.
fn has_no_dumps(gateway: &Gateway) {
    let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.pid()));
    let limits = limits.expect("the process runs");
    let mut lines = limits.lines();
    let core = lines.find(|line| line.starts_with("Max core file size"));
    let core: Vec<&str> = core.unwrap_or_default().split_whitespace().collect();
    assert_eq!(core.get(4..6), Some(&["0", "0"][..]), "{limits}");
}

#[test]
fn no_secret_is_seen_by_anybody() {
    let database = Database::new("canaries", "create table t (a int)");
    let folders = Folders::new();
    let mut gateway = folders.gateway();
    gateway.expect_panic();
    let of_maria: SocketAddr = given("LAKEGATE_TEST_MARIADB").parse().expect("an address");
    let tapped = [Network::tapped(database.address), Network::tapped(of_maria)];
    let [say, look] = [(); 2].map(|()| Network::tapped(gateway.address()));
    let clients = Clients { say, look };
    let mut statements = definitions(&database);
    statements.extend(over_taps(&tapped, &database));
    let mut told_of = told_definers(&gateway, &statements, &clients);
    told_of.extend(told_lookers(&gateway, &clients.look));
    let tokens = come_by_tokens(&folders, &clients.look);
    let told_of = told_of.join("\n");
    assert!(
        told_of.contains("********"),
        "mappings are shown: {told_of}"
    );
    let arguments = fs::read(format!("/proc/{}/cmdline", gateway.pid()));
    let arguments = arguments.expect("the process runs");
    has_no_dumps(&gateway);
    let over_network = |of: &Network| of.sent_by_clients() + "\n" + &of.sent_by_server();
    let [to_postgres, to_maria] = tapped.each_ref().map(over_network);
    assert!(to_postgres.contains("4711"), "it is asked: {to_postgres}");
    assert!(to_maria.contains("proved"), "it is asked: {to_maria}");
    let looked_at = over_network(&clients.look);
    for seen in ["SCRAM-SHA-256", "pg_user_mappings", "XX001"] {
        assert!(looked_at.contains(seen), "{seen}: {looked_at}");
    }
    // What is looked for is found where it is.
    assert!(clients.say.sent_by_clients().contains(OF_BI));
    let log = gateway.log();
    assert!(
        log.contains("TRACE") && log.contains("panicked at"),
        "{log}"
    );
    let cmdline = String::from_utf8_lossy(&arguments).into_owned();
    let looked = [
        ("the log", log),
        ("the process list", cmdline),
        ("answers", told_of),
        ("the network to PostgreSQL", to_postgres),
        ("the network to MariaDB", to_maria),
        ("the network to clients", looked_at),
        ("what is sent to clients", clients.say.sent_by_server()),
    ];
    let looked = looked.map(|(place, text)| (place.to_owned(), text));
    let looked: Vec<_> = looked.into_iter().chain(folders.files()).collect();
    for canary in canaries(&folders, &tokens) {
        for (place, text) in &looked {
            let seen = text.lines().find(|line| line.contains(&canary));
            assert_eq!(seen, None, "{canary} is in {place}");
        }
    }
}
