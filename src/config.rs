//! The configuration: what the command line and the environment say, checked once.
//!
//! The only room that reads the environment.

mod audit;
mod memory;
mod secrets;
mod tls;
mod tokens;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use audit::AuditTarget;
pub use memory::{MemoryArguments, MemoryConfig};
pub use secrets::{SecretArguments, Secrets};
pub use tls::{TlsFiles, TlsMode};
pub use tokens::{KeySource, TokenArguments, TokenConfig};

/// The command line as given. Every flag has a twin in the environment, `LAKEGATE_*`.
#[derive(Debug, Parser)]
#[command(
    name = "lakegate",
    version,
    about = "A PostgreSQL-compatible SQL gateway over a data lake"
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the demo lake, once, and serve it
    Demo(DemoArguments),
    /// Serve the lake over PostgreSQL's protocol
    Serve(ServeArguments),
    /// Answer one query without a server
    Query(QueryArguments),
    /// Plan every view and open every table; exit status 1 if one is broken
    Check(CheckArguments),
    /// Refresh materialized views once; exit status 1 if one cannot be
    Refresh(RefreshArguments),
}

/// Which lake.
#[derive(Debug, Args)]
pub struct LakeArguments {
    /// A path, or an s3://, abfss://, az:// or gs:// URL
    #[arg(long, env = "LAKEGATE_LAKE", default_value = ".", value_name = "URL")]
    pub lake: String,

    /// What is read of it, and how.
    #[command(flatten)]
    pub engine: EngineArguments,
}

/// The catalog's folders, and how much memory.
#[derive(Debug, Args)]
pub struct EngineArguments {
    /// The folder of SQL files that define views [default: views in the state folder]
    #[arg(long, env = "LAKEGATE_VIEWS", value_name = "URL")]
    pub views: Option<String>,

    /// The folder for what the gateway itself keeps [default: _lakegate in the lake]
    #[arg(long, env = "LAKEGATE_STATE", value_name = "URL")]
    pub state: Option<String>,

    /// The database's name
    #[arg(
        long,
        env = "LAKEGATE_DATABASE",
        default_value = "lake",
        value_name = "NAME"
    )]
    pub database: String,

    /// How much memory.
    #[command(flatten)]
    pub memory: MemoryArguments,

    /// Seconds between looks at what materialized views are made of; 0 never refreshes them
    #[arg(
        long,
        env = "LAKEGATE_POLL",
        default_value_t = 5,
        value_name = "SECONDS"
    )]
    pub poll: u64,

    /// Where secrets are found.
    #[command(flatten)]
    pub secrets: SecretArguments,

    /// The log: error, warn, info, debug, or a filter like lakegate=debug
    #[arg(
        long,
        env = "LAKEGATE_LOG",
        default_value = "warn",
        value_name = "FILTER"
    )]
    pub log: String,
}

/// How to serve.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// The lake.
    #[command(flatten)]
    pub lake: LakeArguments,

    /// The door.
    #[command(flatten)]
    pub door: DoorArguments,
}

/// What to make, and how to serve it.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// The folder of the demo lake; made if it is not there
    #[arg(
        long,
        env = "LAKEGATE_DEMO_DIR",
        default_value = "lakegate-demo",
        value_name = "DIR"
    )]
    pub dir: String,

    /// How many rows: 1 makes about 200 MB
    #[arg(
        long,
        env = "LAKEGATE_DEMO_SCALE",
        default_value_t = 1.0,
        value_name = "NUMBER"
    )]
    pub scale: f64,

    /// Only make the lake
    #[arg(long)]
    pub no_serve: bool,

    /// What is read of it, and how. The views are those of the demo unless told otherwise.
    #[command(flatten)]
    pub engine: EngineArguments,

    /// The door.
    #[command(flatten)]
    pub door: DoorArguments,
}

/// Where to listen, and to how many.
#[derive(Debug, Args)]
pub struct DoorArguments {
    /// Address and port; port 0 picks a free one
    #[arg(
        long,
        env = "LAKEGATE_LISTEN",
        default_value = "127.0.0.1:5433",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// Serve beyond this machine even if nobody is asked for a password or nothing is encrypted
    #[arg(long, env = "LAKEGATE_INSECURE")]
    pub insecure: bool,

    /// The server's certificate, PEM, with those that lead to its authority behind it
    #[arg(long, env = "LAKEGATE_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key, PEM, not encrypted
    #[arg(long, env = "LAKEGATE_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Who may, or must, use TLS [default: allow with a certificate, else off]
    #[arg(long, env = "LAKEGATE_TLS", value_enum, value_name = "MODE")]
    pub tls: Option<TlsMode>,

    /// Users and their SCRAM-SHA-256 verifiers, in the form of PgBouncer's userlist.txt
    #[arg(long, env = "LAKEGATE_AUTH_FILE", value_name = "FILE")]
    pub auth_file: Option<PathBuf>,

    /// Tokens in place of passwords.
    #[command(flatten)]
    pub tokens: TokenArguments,

    /// Where to tell who logged in, defined what and was refused what, one JSON object a line: a file, or stderr [default: nowhere]
    #[arg(long, env = "LAKEGATE_AUDIT", value_name = "FILE")]
    pub audit: Option<AuditTarget>,

    /// Seconds a client gets until it has logged in
    #[arg(
        long,
        env = "LAKEGATE_LOGIN_SECONDS",
        default_value_t = 60,
        value_name = "SECONDS"
    )]
    pub login_seconds: u64,

    /// Open what the last queries read before they are asked again
    #[arg(long, env = "LAKEGATE_WARM")]
    pub warm: bool,

    /// Connections at a time
    #[arg(
        long,
        env = "LAKEGATE_CONNECTIONS",
        default_value_t = 100,
        value_name = "NUMBER"
    )]
    pub connections: usize,

    /// The largest message a client may send, in MiB
    #[arg(
        long,
        env = "LAKEGATE_MESSAGE_MIB",
        default_value_t = 16,
        value_name = "MIB"
    )]
    pub message_mib: usize,

    /// Seconds that running statements get at shutdown
    #[arg(
        long,
        env = "LAKEGATE_DRAIN_SECONDS",
        default_value_t = 10,
        value_name = "SECONDS"
    )]
    pub drain_seconds: u64,
}

/// What to ask.
#[derive(Debug, Args)]
pub struct QueryArguments {
    /// The lake.
    #[command(flatten)]
    pub lake: LakeArguments,

    /// How to print the rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// The query
    pub sql: String,
}

/// What to check.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The lake.
    #[command(flatten)]
    pub lake: LakeArguments,

    /// Refuse `select *` in views too: it changes with the tables below
    #[arg(long)]
    pub strict: bool,
}

/// What to refresh.
#[derive(Debug, Args)]
pub struct RefreshArguments {
    /// The lake.
    #[command(flatten)]
    pub lake: LakeArguments,

    /// The views, with their schemas; all of them if none is named
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns, as psql's.
    Table,
    /// RFC 4180, with a header.
    Csv,
    /// One JSON object a line.
    Json,
    /// A Parquet file.
    Parquet,
}

/// What every command runs on.
#[derive(Clone, Debug)]
pub struct LakeConfig {
    /// The lake: a path or URL.
    pub url: String,
    /// The views folder: a path or URL.
    pub views_url: String,
    /// The state folder: a path or URL.
    pub state_url: String,
    /// The folder of the rows of materialized views: a path or URL.
    pub materialized_url: String,
    /// The database's name.
    pub database: String,
    /// How often it is looked whether materialized views are to be refreshed; zero for never.
    pub poll: Duration,
    /// How much memory for what.
    pub memory: MemoryConfig,
    /// Credentials and endpoints of object stores: `AWS_*`, `AZURE_*`, `GOOGLE_*`.
    pub store_options: BTreeMap<String, String>,
    /// The secrets that definitions may refer to.
    pub secrets: Secrets,
}

/// What `serve` runs on.
#[derive(Clone, Debug)]
pub struct Config {
    /// The lake.
    pub lake: LakeConfig,
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Whether to serve beyond this machine without passwords or without encryption.
    pub is_insecure: bool,
    /// Certificate and key; `None` if nobody can use TLS.
    pub tls: Option<TlsFiles>,
    /// Whether everybody must use TLS.
    pub is_tls_required: bool,
    /// The file of users and their verifiers.
    pub auth_file: Option<PathBuf>,
    /// Which tokens are taken; `None` for none.
    pub tokens: Option<TokenConfig>,
    /// Where to tell who did what; `None` for nowhere.
    pub audit: Option<AuditTarget>,
    /// Whether to open what the last queries read.
    pub is_warmed: bool,
    /// Connections served at a time.
    pub connections_max: usize,
    /// The largest message a client may send, in bytes.
    pub message_bytes_max: usize,
    /// Time for start-up: TLS, authentication, until the first ReadyForQuery.
    pub startup_timeout: Duration,
    /// Time a write to a client may be blocked.
    pub write_timeout: Duration,
    /// Time that running statements get at shutdown.
    pub drain_timeout: Duration,
}

impl LakeArguments {
    /// The checked configuration.
    ///
    /// # Errors
    /// A sentence that says which flag is wrong.
    pub fn check(&self) -> Result<LakeConfig, String> {
        self.engine.check(&self.lake)
    }
}

impl EngineArguments {
    /// The checked configuration over this lake.
    fn check(&self, lake: &str) -> Result<LakeConfig, String> {
        if self.database.is_empty() {
            return Err("--database must not be empty".to_owned());
        }
        let memory = self.memory.check()?;
        let below = |url: &str, name: &str| {
            let (path, query) = url.split_once('?').unwrap_or((url, ""));
            let query = match query {
                "" => String::new(),
                query => format!("?{query}"),
            };
            format!("{}/{name}{query}", path.trim_end_matches('/'))
        };
        let state_url = self.state.clone();
        let state_url = state_url.unwrap_or_else(|| below(lake, "_lakegate"));
        let views_url = self.views.clone();
        let views_url = views_url.unwrap_or_else(|| below(&state_url, "views"));
        Ok(LakeConfig {
            url: lake.to_owned(),
            materialized_url: below(&state_url, "materialized"),
            poll: Duration::from_secs(self.poll),
            views_url,
            state_url,
            database: self.database.clone(),
            memory,
            store_options: store_options(),
            secrets: self.secrets.read(),
        })
    }
}

impl ServeArguments {
    /// The checked configuration.
    ///
    /// # Errors
    /// A sentence that says which flag is wrong.
    pub fn check(&self) -> Result<Config, String> {
        self.door.check(self.lake.check()?)
    }
}

impl DemoArguments {
    /// The checked configuration: the demo's own views and state, unless told otherwise.
    ///
    /// # Errors
    /// A sentence that says which flag is wrong.
    pub fn check(&self) -> Result<Config, String> {
        let mut lake = self.engine.check(&self.dir)?;
        if self.engine.views.is_none() {
            lake.views_url = format!("{}/views", self.dir.trim_end_matches('/'));
        }
        self.door.check(lake)
    }
}

impl DoorArguments {
    fn check(&self, lake: LakeConfig) -> Result<Config, String> {
        let (tls, is_tls_required) = self.check_tls()?;
        let tokens = self.tokens.check(tls.is_some())?;
        if self.connections == 0 || self.message_mib == 0 {
            return Err("--connections and --message-mib must be at least 1".to_owned());
        }
        if self.login_seconds == 0 {
            return Err("--login-seconds must be at least 1".to_owned());
        }
        if !self.listen.ip().is_loopback() && tls.is_none() && !self.insecure {
            return Err(format!(
                "--listen {} is reachable from other machines, and nothing is encrypted; \
                 give --tls-cert and --tls-key, listen on 127.0.0.1, or say --insecure",
                self.listen
            ));
        }
        Ok(Config {
            lake,
            listen: self.listen,
            is_insecure: self.insecure,
            tls,
            is_tls_required,
            auth_file: self.auth_file.clone(),
            tokens,
            audit: self.audit.clone(),
            is_warmed: self.warm,
            connections_max: self.connections,
            message_bytes_max: self.message_mib.saturating_mul(1 << 20),
            startup_timeout: Duration::from_secs(self.login_seconds),
            write_timeout: Duration::from_secs(15 * 60),
            drain_timeout: Duration::from_secs(self.drain_seconds),
        })
    }
}

/// The variables that object stores take, by their upper-case names.
fn store_options() -> BTreeMap<String, String> {
    std::env::vars()
        .filter(|(name, _)| {
            ["AWS_", "AZURE_", "GOOGLE_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        })
        .collect()
}

#[cfg(test)]
mod tests;
