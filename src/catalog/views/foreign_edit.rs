//! Changes what the files say of servers and of what is on them, as foreigncmds.c lets one.

use super::edit::Editor;
use super::facts::no_role;
use super::foreign::server;
use super::names::{file_name, path_of, shown};
use super::read::full;
use crate::auth::Object;
use crate::catalog::sql::{
    CreateForeignTable, CreateMapping, CreateServer, Definition, ForeignDefinition, ImportSchema,
    Mapped, OptionChange, RoleSpec, changed_options, mapping_text,
};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::{OptionsOf, Server, Wrapper};

/// The folder of servers that are made by statements.
const SERVERS_FOLDER: &str = "_servers/";

/// Options by which a server is found: what is told to one is not for another.
const ADDRESS: [&str; 3] = ["host", "port", "database"];

/// The file of a server.
fn server_path(name: &str) -> String {
    format!("{SERVERS_FOLDER}{}.sql", file_name(name))
}

/// What a mapping's role is called in messages.
fn shown_role(role: Option<&str>) -> &str {
    role.unwrap_or("public")
}

impl Editor<'_> {
    /// A statement about what is elsewhere.
    pub(super) fn foreign(&mut self, definition: &ForeignDefinition) -> Result<()> {
        match definition {
            ForeignDefinition::CreateServer(create) => self.create_server(create),
            ForeignDefinition::AlterServer {
                name,
                version,
                changes,
            } => self.alter_server(name, version.as_ref(), changes),
            ForeignDefinition::RenameServer { name, to } => self.rename_server(name, to),
            ForeignDefinition::DropServer(servers) => self.drop_servers(servers),
            ForeignDefinition::CreateMapping(create) => self.create_mapping(create),
            ForeignDefinition::AlterMapping { on, changes } => self.alter_mapping(on, changes),
            ForeignDefinition::DropMapping(on, if_exists) => self.drop_mapping(on, *if_exists),
            ForeignDefinition::CreateTable(create) => self.create_foreign_table(create),
            ForeignDefinition::AlterTable {
                name,
                if_exists,
                changes,
            } => self.alter_foreign_table((name, *if_exists), changes),
            ForeignDefinition::DropTable(tables) => self.drop_foreign_tables(tables),
            ForeignDefinition::Import(import) => self.import(import),
        }
    }

    fn create_server(&mut self, create: &CreateServer) -> Result<()> {
        if self.views.foreign.servers.contains_key(&create.name) {
            let message = format!("server \"{}\" already exists", create.name);
            if create.if_not_exists {
                self.edited.notices.push(format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(ErrorKind::DuplicateObject, message));
        }
        self.require_may_use_wrapper(Wrapper::named(&create.wrapper)?)?;
        self.require_may_read_file(server(create)?.wrapper)?;
        self.append(&server_path(&create.name), &create.text());
        let facts = self.facts_of_new(&Object::Server(create.name.clone()));
        self.change_facts(facts)
    }

    fn alter_server(
        &mut self,
        name: &str,
        version: Option<&String>,
        changes: &[OptionChange],
    ) -> Result<()> {
        let known = Server::clone(self.views.foreign.server(name)?);
        self.require_owns_server(name)?;
        if !changes.is_empty() {
            self.require_may_read_file(known.wrapper)?;
        }
        let options = changed_options(&known.options, changes)?;
        let create = CreateServer {
            name: known.name.clone(),
            if_not_exists: false,
            server_type: known.server_type.clone(),
            version: version.or(known.version.as_ref()).cloned(),
            wrapper: known.wrapper.name().to_owned(),
            options,
        };
        server(&create)?;
        let address = |options: &crate::sources::warehouse::Options| {
            ADDRESS.map(|name| options.get(name).cloned())
        };
        if address(&create.options) != address(&known.options) && !known.mappings.is_empty() {
            let notice = format!("user mappings of server {name} are dropped: it is another now");
            self.edited.notices.push(notice);
            self.each_mapping(name, |_| Some(String::new()));
        }
        self.each_foreign(|definition, _| match definition {
            ForeignDefinition::CreateServer(of) if of.name == name => Some(create.text()),
            _ => None,
        });
        Ok(())
    }

    /// Writes anew what `change` says of statements about what is elsewhere, or takes it out if
    /// that is empty.
    pub(super) fn each_foreign(
        &mut self,
        change: impl Fn(&ForeignDefinition, &str) -> Option<String>,
    ) {
        self.each_piece(|piece, schema| match &piece.definition {
            Ok(Definition::Foreign(definition)) => match change(definition, schema)? {
                gone if gone.is_empty() => Some((piece.with_comment.clone(), gone)),
                text => Some((piece.bytes.clone(), text)),
            },
            _ => None,
        });
    }

    /// As [`Self::each_foreign`], of a server's mappings by their roles.
    fn each_mapping(&mut self, server: &str, change: impl Fn(Option<&str>) -> Option<String>) {
        self.each_foreign(|definition, _| match definition {
            ForeignDefinition::CreateMapping(of) if of.on.server == server => match &of.on.role {
                RoleSpec::Name(role) => change(Some(role)),
                _ => change(None),
            },
            _ => None,
        });
    }

    /// The role of a mapping; `None` is PUBLIC. Roles decide only where there are some.
    fn mapped_role(&self, on: &Mapped) -> Result<Option<String>> {
        let name = match &on.role {
            RoleSpec::Public => return Ok(None),
            RoleSpec::CurrentUser => self.surroundings.actor.user.clone(),
            RoleSpec::SessionUser => self.surroundings.actor.session_user.clone(),
            RoleSpec::Name(name) => name.clone(),
        };
        let authority = &self.views.authority;
        match authority.exists(&name) || !authority.is_enforced {
            true => Ok(Some(name)),
            false => Err(no_role(&name)),
        }
    }

    fn create_mapping(&mut self, create: &CreateMapping) -> Result<()> {
        let role = self.mapped_role(&create.on)?;
        let server = self.views.foreign.server(&create.on.server)?;
        self.require_may_map(role.as_deref(), &server.name)?;
        if server.mappings.contains_key(&role) {
            let message = format!(
                "user mapping for \"{}\" already exists for server \"{}\"",
                shown_role(role.as_deref()),
                server.name
            );
            if create.if_not_exists {
                self.edited.notices.push(format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(ErrorKind::DuplicateObject, message));
        }
        server.wrapper.check(OptionsOf::Mapping, &create.options)?;
        if !create.options.is_empty() {
            self.require_may_say_login()?;
        }
        let text = mapping_text(role.as_deref(), &server.name, &create.options);
        let path = server_path(&server.name);
        self.append(&path, &text);
        Ok(())
    }

    fn alter_mapping(&mut self, on: &Mapped, changes: &[OptionChange]) -> Result<()> {
        let role = self.mapped_role(on)?;
        let server = self.views.foreign.server(&on.server)?;
        let Some(known) = server.mappings.get(&role) else {
            return Err(no_mapping(role.as_deref(), &server.name));
        };
        self.require_may_map(role.as_deref(), &server.name)?;
        let options = changed_options(known, changes)?;
        server.wrapper.check(OptionsOf::Mapping, &options)?;
        self.require_may_say_login()?;
        let name = server.name.clone();
        let text = mapping_text(role.as_deref(), &name, &options);
        self.each_mapping(&name, |of| (of == role.as_deref()).then(|| text.clone()));
        Ok(())
    }

    fn drop_mapping(&mut self, on: &Mapped, if_exists: bool) -> Result<()> {
        let role = self.mapped_role(on)?;
        let known = self.views.foreign.servers.get(&on.server);
        let error = match known {
            None => self.views.foreign.server(&on.server).err(),
            Some(server) => {
                let is_there = server.mappings.contains_key(&role);
                if is_there {
                    self.require_may_map(role.as_deref(), &server.name)?;
                }
                (!is_there).then(|| no_mapping(role.as_deref(), &server.name))
            }
        };
        match error {
            None => self.each_mapping(&on.server, |of| (of == role.as_deref()).then(String::new)),
            Some(error) if if_exists => {
                let notice = format!("{}, skipping", error.message());
                self.edited.notices.push(notice);
            }
            Some(error) => return Err(error),
        }
        Ok(())
    }

    fn create_foreign_table(&mut self, create: &CreateForeignTable) -> Result<()> {
        let schema = match &create.name.schema {
            Some(schema) => schema.clone(),
            None => self.creation_schema()?,
        };
        self.require_schema(&schema)?;
        self.require_may_create_in(&schema)?;
        let name = full(&create.name, &schema);
        if self.find(&name.0, &name.1)?.is_some() {
            let message = format!("relation \"{}\" already exists", name.1);
            if create.if_not_exists {
                self.edited.notices.push(format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(ErrorKind::DuplicateTable, message));
        }
        self.views.foreign.server(&create.server)?;
        self.require_may_use_server(&create.server)?;
        self.views.foreign.table(create, &name)?;
        self.append(&path_of(&name), &create.text(&shown(&name)));
        let facts = self.facts_of_new(&Object::relation(&name.0, &name.1));
        self.change_facts(facts)?;
        Ok(())
    }

    fn import(&mut self, import: &ImportSchema) -> Result<()> {
        self.views.foreign.server(&import.server)?;
        self.require_may_use_server(&import.server)?;
        self.require_schema(&import.local)?;
        self.require_may_create_in(&import.local)?;
        let made = self.views.foreign.import(import)?;
        let is_there = self.views.foreign.imports.iter().any(|known| {
            (&known.server.name, &known.remote, &known.local)
                == (&made.server.name, &made.remote, &made.local)
        });
        if is_there {
            let message = format!(
                "schema \"{}\" of server \"{}\" is imported into \"{}\" already",
                import.remote, import.server, import.local
            );
            return Err(Error::new(ErrorKind::DuplicateObject, message)
                .with_hint("It follows the server: new tables are there when they are made."));
        }
        self.append(&server_path(&import.server), &import.text());
        Ok(())
    }
}

fn no_mapping(role: Option<&str>, server: &str) -> Error {
    let role = shown_role(role);
    let message = format!("user mapping for \"{role}\" does not exist for server \"{server}\"");
    Error::new(ErrorKind::UndefinedObject, message)
}
