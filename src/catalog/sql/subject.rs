//! What a definition is about, in a line for those who read what was done.

use super::definition::{Commented, Definition, Name, Owned};
use super::foreign::{ForeignDefinition, Mapped};
use super::grant::GrantObjects;
use super::role::{RoleSpec, SettingsOf};

impl Definition {
    /// The objects it is about, as they were named.
    pub fn subject(&self) -> String {
        match self {
            Self::CreateView(view) => relation(&view.name),
            Self::DropView { names, .. } => listed(names, relation),
            Self::RenameView { name, .. } | Self::MoveView { name, .. } => relation(name),
            Self::CreateSchema { name, .. } => name.clone(),
            Self::DropSchema { names, .. } => names.join(", "),
            Self::CreateRole(create) => create.name.clone(),
            Self::AlterRole { role: of, .. } | Self::RenameRole { role: of, .. } => role(of),
            Self::AlterRoleSetting { of, .. } => match of {
                SettingsOf::Role(Some(of), _) => role(of),
                SettingsOf::Role(None, _) => "all roles".to_owned(),
                SettingsOf::Database(name) => name.clone(),
            },
            Self::DropRole { roles, .. }
            | Self::DropOwned { roles, .. }
            | Self::ReassignOwned { roles, .. } => listed(roles, role),
            Self::GrantRole(grant) => listed(&grant.roles, role),
            Self::GrantPrivilege(grant) => granted(&grant.on),
            Self::AlterMaterialized(alter) => relation(&alter.name),
            Self::AlterKeys(alter) => relation(&alter.on),
            Self::CreatePolicy(create) => format!("{} on {}", create.name, relation(&create.on)),
            Self::AlterPolicy(alter) => format!("{} on {}", alter.name, relation(&alter.on)),
            Self::DropPolicy { name, on, .. } => format!("{name} on {}", relation(on)),
            Self::AlterRowSecurity(alter) => relation(&alter.on),
            Self::LabelColumn(label) => format!("{}.{}", relation(&label.on), label.column),
            Self::AlterDefaults(_) => "default privileges".to_owned(),
            Self::AlterOwner { on, .. } => match on {
                Owned::View(name, _)
                | Owned::Materialized(name, _)
                | Owned::Table(name, _)
                | Owned::Foreign(name, _) => relation(name),
                Owned::Schema(name) | Owned::Server(name) => name.clone(),
            },
            Self::CreateSnapshot(create) => create.name.clone(),
            Self::DropSnapshot { names, .. } => names.join(", "),
            Self::Foreign(definition) => foreign(definition),
            Self::Comment { on, .. } => match on {
                Commented::Schema(name) => name.clone(),
                Commented::View(name)
                | Commented::Materialized(name)
                | Commented::Table(name)
                | Commented::Foreign(name) => relation(name),
                Commented::Column(name, column) => format!("{}.{column}", relation(name)),
            },
        }
    }
}

fn foreign(definition: &ForeignDefinition) -> String {
    let mapped = |on: &Mapped| format!("{} on {}", role(&on.role), on.server);
    match definition {
        ForeignDefinition::CreateServer(create) => create.name.clone(),
        ForeignDefinition::AlterServer { name, .. }
        | ForeignDefinition::RenameServer { name, .. } => name.clone(),
        ForeignDefinition::DropServer(dropped) => dropped.names.join(", "),
        ForeignDefinition::CreateMapping(create) => mapped(&create.on),
        ForeignDefinition::AlterMapping { on, .. } | ForeignDefinition::DropMapping(on, _) => {
            mapped(on)
        }
        ForeignDefinition::CreateTable(create) => relation(&create.name),
        ForeignDefinition::AlterTable { name, .. } => relation(name),
        ForeignDefinition::DropTable(dropped) => listed(&dropped.names, relation),
        ForeignDefinition::Import(import) => format!("{} of {}", import.remote, import.server),
    }
}

fn listed<T>(things: &[T], name: impl Fn(&T) -> String) -> String {
    let names: Vec<String> = things.iter().map(name).collect();
    names.join(", ")
}

fn relation(name: &Name) -> String {
    match &name.schema {
        Some(schema) => format!("{schema}.{}", name.name),
        None => name.name.clone(),
    }
}

fn role(role: &RoleSpec) -> String {
    match role {
        RoleSpec::Name(name) => name.clone(),
        RoleSpec::CurrentUser => "current_user".to_owned(),
        RoleSpec::SessionUser => "session_user".to_owned(),
        RoleSpec::Public => "public".to_owned(),
    }
}

fn granted(on: &GrantObjects) -> String {
    match on {
        GrantObjects::Relations(names) => listed(names, relation),
        GrantObjects::AllTables(names) | GrantObjects::Schemas(names) => names.join(", "),
        GrantObjects::Databases(names)
        | GrantObjects::Servers(names)
        | GrantObjects::Wrappers(names) => names.join(", "),
    }
}
