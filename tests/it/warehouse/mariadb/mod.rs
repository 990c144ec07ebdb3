//! Tables of MariaDB beside the lake, whose own client says what they hold.

mod failing;
mod pushed;
mod same;
mod secured;

use std::process::Command;

use super::{Place, done};
use crate::clients::run;
use crate::gateway::given;
use crate::wire::Wire;

/// A database of its own on MariaDB, and a user of its own who may read it.
pub(super) struct Maria {
    pub(super) name: String,
    host: String,
    port: String,
}

impl Maria {
    /// A new database, in which these statements were run.
    pub(super) fn new(name: &str, statements: &str) -> Self {
        let address = given("LAKEGATE_TEST_MARIADB");
        let (host, port) = address.split_once(':').expect("it is host:port");
        let maria = Self {
            name: format!("warehouse_{name}"),
            host: host.to_owned(),
            port: port.to_owned(),
        };
        let name = &maria.name;
        maria.told(
            "mysql",
            &format!(
                "drop database if exists {name}; create database {name} character set utf8mb4; \
                 drop user if exists {name}@'127.0.0.1'; create user {name}@'127.0.0.1'; \
                 grant select, show view on {name}.* to {name}@'127.0.0.1'"
            ),
        );
        maria.run(statements);
        maria
    }

    /// Runs statements as root, in its database.
    pub(super) fn run(&self, statements: &str) -> String {
        self.told(&self.name, statements)
    }

    fn told(&self, database: &str, statements: &str) -> String {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "--batch", "--raw", "--skip-column-names"]);
        client.args([
            "--default-character-set=utf8mb4",
            "--protocol=tcp",
            "-u",
            "root",
        ]);
        client.args(["-h", &self.host, "-P", &self.port, "-D", database]);
        // Quotes are SQL's, as the gateway says them.
        let statements = format!(
            "set sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '+00:00'; {statements}"
        );
        client.args(["-e", &statements]);
        run(&mut client).unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// The rows of a query as lines, as [`super::lines`] has them.
    pub(super) fn lines(&self, query: &str) -> Vec<String> {
        let told = self.run(query);
        told.lines().map(|line| line.replace('\t', "|")).collect()
    }

    /// The value of a query.
    pub(super) fn value(&self, query: &str) -> String {
        self.lines(query).join("\n")
    }

    /// The statements that make it a server `dwh`, asked by everybody as its user.
    pub(super) fn server(&self) -> String {
        let Self { name, host, port } = self;
        format!(
            "create server dwh foreign data wrapper mysql options (host '{host}', port '{port}', sslmode 'disable'); \
             create user mapping for public server dwh options (user '{name}')"
        )
    }

    /// A gateway over an empty lake, with a schema `mart` of the database.
    pub(super) fn place(&self) -> Place {
        let place = Place::new(&[]);
        self.import(&mut place.gateway.connect());
        place
    }

    /// Makes it a schema `mart`.
    pub(super) fn import(&self, wire: &mut Wire) {
        done(wire, &self.server());
        done(wire, "create schema mart");
        let import = format!(
            "import foreign schema {} from server dwh into mart",
            self.name
        );
        done(wire, &import);
    }
}
