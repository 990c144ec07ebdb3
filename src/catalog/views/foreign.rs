//! Servers of a warehouse in the files of the views folder, and what of them is here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::FullName;
use super::facts::named;
use super::read::full;
use crate::catalog::sql::{
    CreateForeignTable, CreateMapping, CreateServer, ForeignDefinition, ImportSchema, Imported,
    RoleSpec,
};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::{ForeignTable, OptionsOf, RemoteName, Server, Wrapper};

/// What the files say of warehouses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// The servers.
    pub servers: BTreeMap<String, Arc<Server>>,
    /// The foreign tables that are created one by one.
    pub tables: BTreeMap<FullName, Arc<ForeignTable>>,
    /// The schemas that are imported.
    pub imports: BTreeSet<Import>,
    /// The files that say so.
    pub(super) paths: BTreeSet<String>,
}

/// A schema of a server whose tables are relations here, as long as they are there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Import {
    /// The server.
    pub server: Arc<Server>,
    /// The schema there.
    pub remote: String,
    /// The schema here.
    pub local: String,
    /// Which tables.
    pub which: Imported,
}

impl Import {
    /// Whether both are of one schema of a server.
    fn lists(&self, other: &Self) -> bool {
        self.server == other.server && self.remote == other.remote
    }

    /// Whether the table is of this schema.
    pub fn has_listed(&self, table: &ForeignTable) -> bool {
        self.server == table.server && self.remote == table.remote.schema
    }
}

impl PartialOrd for Import {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Import {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |import: &Self| {
            let (local, remote) = (import.local.clone(), import.remote.clone());
            (
                local,
                import.server.name.clone(),
                remote,
                format!("{:?}", import.which),
            )
        };
        key(self).cmp(&key(other))
    }
}

/// A statement of a file, and where it stands.
pub(super) struct Said {
    pub(super) definition: ForeignDefinition,
    pub(super) path: String,
    /// The schema of names that say none.
    pub(super) schema: String,
    /// Its line and column.
    pub(super) place: (usize, usize),
}

/// What is wrong with one of them.
pub(super) type Wrong = (Said, Error);

impl Foreign {
    /// What statements mean, in whichever order they are said.
    pub(super) fn of(said: Vec<Said>) -> (Self, Vec<Wrong>) {
        let mut made = Self::default();
        let mut wrong = Vec::new();
        made.paths = said.iter().map(|said| said.path.clone()).collect();
        let rank = |said: &Said| match said.definition {
            ForeignDefinition::CreateServer(_) => 0,
            ForeignDefinition::CreateMapping(_) => 1,
            _ => 2,
        };
        let mut said = said;
        said.sort_by_key(rank);
        for one in said {
            if let Err(error) = made.add(&one) {
                wrong.push((one, error));
            }
        }
        (made, wrong)
    }

    fn add(&mut self, said: &Said) -> Result<()> {
        match &said.definition {
            ForeignDefinition::CreateServer(create) => self.add_server(create),
            ForeignDefinition::CreateMapping(create) => self.add_mapping(create),
            ForeignDefinition::CreateTable(create) => {
                let name = full(&create.name, &said.schema);
                let table = self.table(create, &name)?;
                if self.tables.insert(name.clone(), Arc::new(table)).is_some() {
                    let message = format!("foreign table \"{}\" is defined twice", name.1);
                    return Err(Error::new(ErrorKind::DuplicateTable, message));
                }
                Ok(())
            }
            ForeignDefinition::Import(import) => {
                let import = self.import(import)?;
                self.imports.insert(import);
                Ok(())
            }
            other => {
                let what = format!("{} in the views folder", other.tag());
                Err(Error::unsupported(what).with_hint(
                    "A file says what there is; to take it away, take it out of the file.",
                ))
            }
        }
    }

    /// The schemas of servers that are listed for what is told of tables which are created one by one: imports of nothing,
    /// into no schema. Those that are imported are listed anyway.
    pub fn told_of(&self) -> BTreeSet<Import> {
        let tables = self.tables.values();
        let schemas = tables.map(|table| Import {
            server: Arc::clone(&table.server),
            remote: table.remote.schema.clone(),
            local: String::new(),
            which: Imported::Only(Vec::new()),
        });
        let is_new = |import: &Import| !self.imports.iter().any(|known| known.lists(import));
        schemas.filter(is_new).collect()
    }

    /// The server of this name.
    ///
    /// # Errors
    /// `UndefinedObject`: there is none.
    pub fn server(&self, name: &str) -> Result<&Arc<Server>> {
        self.servers.get(name).ok_or_else(|| {
            let message = format!("server \"{name}\" does not exist");
            Error::new(ErrorKind::UndefinedObject, message)
        })
    }

    fn add_server(&mut self, create: &CreateServer) -> Result<()> {
        let server = server(create)?;
        if self.servers.contains_key(&create.name) {
            let message = format!("server \"{}\" is defined twice", create.name);
            return Err(Error::new(ErrorKind::DuplicateObject, message));
        }
        self.servers.insert(create.name.clone(), Arc::new(server));
        Ok(())
    }

    fn add_mapping(&mut self, create: &CreateMapping) -> Result<()> {
        let server = self.server(&create.on.server)?;
        server.wrapper.check(OptionsOf::Mapping, &create.options)?;
        let role = match &create.on.role {
            RoleSpec::Public => None,
            role => Some(named(role)?),
        };
        let mut server = Server::clone(server);
        let known = server.mappings.insert(role, create.options.clone());
        if known.is_some() {
            let message = format!(
                "a user mapping of server \"{}\" is defined twice",
                server.name
            );
            return Err(Error::new(ErrorKind::DuplicateObject, message));
        }
        self.servers.insert(server.name.clone(), Arc::new(server));
        Ok(())
    }

    /// A foreign table; what is not said of its name at the server is its name here.
    pub(super) fn table(
        &self,
        create: &CreateForeignTable,
        name: &FullName,
    ) -> Result<ForeignTable> {
        let server = self.server(&create.server)?;
        server.wrapper.check(OptionsOf::Table, &create.options)?;
        let option = |option: &str| create.options.get(option).cloned();
        let schema = match server.wrapper {
            Wrapper::Sqlite => "main".to_owned(),
            Wrapper::Lake | Wrapper::Mysql | Wrapper::Postgres => {
                option("schema_name").unwrap_or_else(|| name.0.clone())
            }
        };
        Ok(ForeignTable {
            server: Arc::clone(server),
            remote: RemoteName {
                schema,
                table: option("table_name").unwrap_or_else(|| name.1.clone()),
            },
            options: create.options.clone(),
            told: Arc::default(),
            lake: None,
        })
    }

    /// A schema that is imported.
    pub(super) fn import(&self, import: &ImportSchema) -> Result<Import> {
        let server = self.server(&import.server)?;
        server.wrapper.check(OptionsOf::Import, &import.options)?;
        Ok(Import {
            server: Arc::clone(server),
            remote: import.remote.clone(),
            local: import.local.clone(),
            which: import.which.clone(),
        })
    }
}

/// The server of a statement, without its mappings.
///
/// # Errors
/// `UndefinedObject`: no such wrapper; an option that it does not take.
pub(super) fn server(create: &CreateServer) -> Result<Server> {
    let wrapper = Wrapper::named(&create.wrapper)?;
    wrapper.check(OptionsOf::Server, &create.options)?;
    Ok(Server {
        name: create.name.clone(),
        wrapper,
        server_type: create.server_type.clone(),
        version: create.version.clone(),
        options: create.options.clone(),
        mappings: BTreeMap::new(),
    })
}
