//! Writes the statements about servers of a warehouse, and what is on them, as files hold them.

use super::foreign::{CreateForeignTable, CreateServer, ImportSchema, Imported};
use super::{identifier, literal};
use crate::sources::warehouse::Options;

fn written_options(options: &Options) -> String {
    let written = options.iter();
    let written = written.map(|(name, value)| format!("{} {}", identifier(name), literal(value)));
    match written.collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        options => format!(" options ({})", options.join(", ")),
    }
}

impl CreateServer {
    /// The statement.
    pub fn text(&self) -> String {
        let said = |word: &str, value: &Option<String>| match value {
            Some(value) => format!(" {word} {}", literal(value)),
            None => String::new(),
        };
        format!(
            "create server {}{}{} foreign data wrapper {}{};",
            identifier(&self.name),
            said("type", &self.server_type),
            said("version", &self.version),
            identifier(&self.wrapper),
            written_options(&self.options)
        )
    }
}

/// CREATE USER MAPPING; without a role it is PUBLIC's.
pub fn mapping_text(role: Option<&str>, server: &str, options: &Options) -> String {
    let role = role.map_or_else(|| "public".to_owned(), identifier);
    let options = written_options(options);
    format!(
        "create user mapping for {role} server {}{options};",
        identifier(server)
    )
}

impl CreateForeignTable {
    /// The statement, of a table of this full name.
    pub fn text(&self, shown: &str) -> String {
        let (server, options) = (identifier(&self.server), written_options(&self.options));
        format!("create foreign table {shown} () server {server}{options};")
    }
}

impl ImportSchema {
    /// The statement.
    pub fn text(&self) -> String {
        let of = |word: &str, tables: &[String]| {
            let tables = tables.iter().map(|table| identifier(table));
            format!(" {word} ({})", tables.collect::<Vec<_>>().join(", "))
        };
        let which = match &self.which {
            Imported::All => String::new(),
            Imported::Only(tables) => of("limit to", tables),
            Imported::AllBut(tables) => of("except", tables),
        };
        format!(
            "import foreign schema {}{which} from server {} into {}{};",
            identifier(&self.remote),
            identifier(&self.server),
            identifier(&self.local),
            written_options(&self.options)
        )
    }
}
