//! Tables of PostgreSQL, MariaDB and SQLite beside the lake: what they hold, what is asked of their
//! servers, and what becomes of statements when those are gone.

mod canaries;
mod defined;
mod failing;
mod federated;
mod granted;
mod injected;
mod interrupted;
mod joined;
mod keys;
mod lakes;
mod mariadb;
mod marts;
mod network;
mod parts;
mod pushed;
mod same;
mod secured;
mod shown;
mod sqlite;
mod told;
mod tpch;
mod versions;
mod whole;

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use crate::gateway::{Gateway, postgres};
use crate::wire::{Report, Wire};

/// Runs statements without rows.
pub(super) fn done(wire: &mut Wire, sql: &str) {
    wire.query(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// The rows of a query as lines.
pub(super) fn lines(wire: &mut Wire, sql: &str) -> Vec<String> {
    let answers = wire
        .query(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let rows = answers.into_iter().flat_map(|answer| answer.rows);
    rows.map(|row| {
        let values = row.into_iter();
        let values = values.map(|value| value.unwrap_or_else(|| "NULL".to_owned()));
        values.collect::<Vec<_>>().join("|")
    })
    .collect()
}

/// The error of a statement.
pub(super) fn refused(wire: &mut Wire, sql: &str) -> Report {
    match wire.query(sql) {
        Ok(answers) => panic!("{sql}: {answers:?}"),
        Err(report) => report,
    }
}

/// A database of its own on a PostgreSQL.
pub(super) struct Database {
    pub(super) address: SocketAddr,
    pub(super) name: String,
}

impl Database {
    /// A new database of PostgreSQL 16, in which these statements were run.
    pub(super) fn new(name: &str, statements: &str) -> Self {
        let address = postgres();
        let name = format!("warehouse_{name}");
        let mut wire = Wire::connect(address);
        done(
            &mut wire,
            &format!("drop database if exists {name} with (force)"),
        );
        done(&mut wire, &format!("create database {name}"));
        let database = Self { address, name };
        done(&mut database.connect(), statements);
        database
    }

    pub(super) fn connect(&self) -> Wire {
        let parameters = [("user", "postgres"), ("database", self.name.as_str())];
        Wire::start(self.address, &parameters)
            .expect("the server answers")
            .expect("the server lets user postgres in")
    }

    /// The statements that make it a server `dwh`, asked by everybody as `postgres`.
    pub(super) fn server(&self) -> String {
        let (host, port) = (self.address.ip(), self.address.port());
        format!(
            "create server dwh foreign data wrapper postgres options (host '{host}', port '{port}', \
             dbname '{}', sslmode 'disable'); \
             create user mapping for public server dwh options (user 'postgres')",
            self.name
        )
    }
}

/// A gateway over an empty lake, and its folder.
pub(super) struct Place {
    pub(super) gateway: Gateway,
    pub(super) lake: TempDir,
}

impl Place {
    pub(super) fn new(arguments: &[&str]) -> Self {
        let lake = TempDir::new().expect("a temporary folder can be made");
        let gateway = Gateway::start(lake.path(), arguments);
        Self { gateway, lake }
    }

    /// With a schema `mart` of a database's schema `public`.
    pub(super) fn with_marts(database: &Database) -> Self {
        let place = Self::new(&[]);
        let mut wire = place.gateway.connect();
        done(&mut wire, &database.server());
        done(&mut wire, "create schema mart");
        done(
            &mut wire,
            "import foreign schema public from server dwh into mart",
        );
        place
    }
}

/// The text of every file below a folder.
pub(super) fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut next = vec![folder.to_owned()];
    while let Some(path) = next.pop() {
        for entry in std::fs::read_dir(&path).expect("the folder can be listed") {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() {
                next.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("the file is text");
            let name = path.strip_prefix(folder).expect("it lies below");
            found.push((name.display().to_string(), text));
        }
    }
    found.sort();
    found
}
