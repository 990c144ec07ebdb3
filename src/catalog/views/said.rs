//! What the files of roles say of privileges: read from their statements, and written as such.

use super::defaults::default_privileges;
use super::facts::named;
use super::grants::asked;
use crate::auth::{DefaultGrant, Fact, Grant, OWNER, Object, Privilege};
use crate::catalog::PUBLIC;
use crate::catalog::sql::{
    AlterDefaults, GrantObjects, GrantPrivilege, Name, Owned, RoleSpec, identifier,
};
use crate::error::{Error, Result};

pub(super) fn word(privilege: Privilege) -> String {
    privilege.word().to_lowercase()
}

fn to(grantee: Option<&String>, has_option: bool) -> String {
    let option = if has_option { " with grant option" } else { "" };
    let grantee = grantee.map_or_else(|| "public".to_owned(), |name| identifier(name));
    format!("to {grantee}{option}")
}

/// The kind of an object as GRANT names it, with a space behind, and its name.
pub(super) fn subject(object: &Object) -> (&'static str, String) {
    match object {
        // There is one, whatever it is called.
        Object::Database => ("database ", "current".to_owned()),
        Object::Schema(name) => ("schema ", identifier(name)),
        Object::Server(name) => ("foreign server ", identifier(name)),
        Object::Wrapper(name) => ("foreign data wrapper ", identifier(name)),
        Object::Relation(schema, name) | Object::Column(schema, name, _) => {
            ("", format!("{}.{}", identifier(schema), identifier(name)))
        }
    }
}

pub(super) fn grant_statement(grant: &Grant) -> String {
    let (on, name) = subject(&grant.object);
    let columns = match &grant.object {
        Object::Column(.., column) => format!(" ({})", identifier(column)),
        _ => String::new(),
    };
    let by = match grant.grantor.as_str() {
        OWNER => String::new(),
        grantor => format!(" granted by {}", identifier(grantor)),
    };
    format!(
        "grant {}{columns} on {on}{name} {}{by};",
        word(grant.privilege),
        to(grant.grantee.as_ref(), grant.has_option)
    )
}

pub(super) fn default_statement(grant: &DefaultGrant) -> String {
    let to = to(grant.grantee.as_ref(), grant.has_option);
    let privilege = word(grant.privilege);
    let schema = grant.schema.as_deref().map(identifier);
    let Some(owner) = &grant.owner else {
        let schema = schema.unwrap_or_default();
        return format!("grant {privilege} on all tables in schema {schema} {to};");
    };
    let within = schema.map(|name| format!(" in schema {name}"));
    let kind = if grant.on_schemas {
        "schemas"
    } else {
        "tables"
    };
    format!(
        "alter default privileges for role {}{} grant {privilege} on {kind} {to};",
        identifier(owner),
        within.unwrap_or_default()
    )
}

/// What a GRANT of a file says, or a REVOKE of what PUBLIC has without a grant.
pub(super) fn privileges(grant: &GrantPrivilege) -> Result<Vec<Fact>> {
    let grantor = grant.granted_by.as_ref().map(named).transpose()?;
    let mut facts = Vec::new();
    for spec in &grant.to {
        let grantee = match spec {
            RoleSpec::Public => None,
            spec => Some(named(spec)?),
        };
        for object in objects(&grant.on) {
            for (privilege, on) in asked(grant, &object)? {
                let is_built_in = grantee.is_none() && on.of_public().contains(&privilege);
                if !grant.is_grant && !is_built_in {
                    let what = "REVOKE in the views folder";
                    return Err(Error::unsupported(what).with_hint(
                        "A file says what is granted; to take it away, take it out of the file.",
                    ));
                }
                if !grant.is_grant {
                    facts.push(Fact::Withdrawn(on, privilege));
                } else if !is_built_in {
                    facts.push(Fact::Grant(Grant {
                        object: on,
                        grantee: grantee.clone(),
                        grantor: grantor.clone().unwrap_or_else(|| OWNER.to_owned()),
                        privilege,
                        has_option: grant.option,
                    }));
                }
            }
        }
        if let GrantObjects::AllTables(schemas) = &grant.on {
            facts.extend(all_tables(grant, schemas, grantee.as_ref())?);
        }
    }
    Ok(facts)
}

fn all_tables(
    grant: &GrantPrivilege,
    schemas: &[String],
    grantee: Option<&String>,
) -> Result<Vec<Fact>> {
    let any = Object::relation("", "");
    let mut facts = Vec::new();
    for (privilege, on) in asked(grant, &any)? {
        if on != any || !grant.is_grant {
            return Err(Error::unsupported("this on ALL TABLES IN SCHEMA in a file"));
        }
        facts.extend(schemas.iter().map(|schema| {
            Fact::Default(DefaultGrant {
                owner: None,
                schema: Some(schema.clone()),
                on_schemas: false,
                grantee: grantee.cloned(),
                privilege,
                has_option: grant.option,
            })
        }));
    }
    Ok(facts)
}

/// The objects that a file names; a name without a schema is in `public`.
fn objects(on: &GrantObjects) -> Vec<Object> {
    match on {
        GrantObjects::Relations(names) => names.iter().map(relation).collect(),
        GrantObjects::AllTables(_) => Vec::new(),
        GrantObjects::Schemas(names) => names.iter().map(|name| Object::schema(name)).collect(),
        GrantObjects::Databases(_) => vec![Object::Database],
        GrantObjects::Servers(names) => names.iter().cloned().map(Object::Server).collect(),
        GrantObjects::Wrappers(names) => names.iter().cloned().map(Object::Wrapper).collect(),
    }
}

/// The relation that a file names; a name without a schema is in `public`.
pub(super) fn relation(name: &Name) -> Object {
    let schema = name.schema.as_deref().unwrap_or(PUBLIC);
    Object::relation(schema, &name.name)
}

pub(super) fn defaults(alter: &AlterDefaults) -> Result<Vec<Fact>> {
    if alter.roles.is_empty() {
        return Err(Error::unsupported(
            "ALTER DEFAULT PRIVILEGES without FOR ROLE in a file",
        ));
    }
    let schemas: Vec<Option<String>> = match alter.schemas.as_slice() {
        [] => vec![None],
        some => some.iter().cloned().map(Some).collect(),
    };
    let mut facts = Vec::new();
    for owner in &alter.roles {
        let owner = named(owner)?;
        for spec in &alter.to {
            let grantee = match spec {
                RoleSpec::Public => None,
                spec => Some(named(spec)?),
            };
            for schema in &schemas {
                for privilege in default_privileges(alter)? {
                    facts.push(Fact::Default(DefaultGrant {
                        owner: Some(owner.clone()),
                        schema: schema.clone(),
                        on_schemas: alter.on_schemas,
                        grantee: grantee.clone(),
                        privilege,
                        has_option: alter.option,
                    }));
                }
            }
        }
    }
    Ok(facts)
}

pub(super) fn owner(on: &Owned, to: &RoleSpec) -> Result<Vec<Fact>> {
    let object = match on {
        Owned::View(name, _) | Owned::Materialized(name, _) | Owned::Foreign(name, _) => {
            relation(name)
        }
        Owned::Table(..) => return Err(Error::unsupported("ALTER TABLE in the views folder")),
        Owned::Schema(name) => Object::schema(name),
        Owned::Server(name) => Object::Server(name.clone()),
    };
    let to = named(to)?;
    // What nobody is said to own is the owner's.
    Ok(match to == OWNER {
        true => Vec::new(),
        false => vec![Fact::Owner(object, to)],
    })
}
