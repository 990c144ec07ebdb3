//! ALTER DEFAULT PRIVILEGES, as PostgreSQL's aclchk.c.

use std::collections::BTreeSet;

use super::edit::Editor;
use super::facts::no_role;
use super::grants::{impossible, invalid};
use crate::auth::{DefaultGrant, Fact, OWNER, Object, Privilege};
use crate::catalog::sql::AlterDefaults;
use crate::error::{Error, ErrorKind, Result};

impl Editor<'_> {
    /// As ExecAlterDefaultPrivilegesStmt.
    pub(super) fn alter_defaults(&mut self, alter: &AlterDefaults) -> Result<()> {
        self.require_roles()?;
        let actor = self.surroundings.actor;
        let mut owners = Vec::new();
        for role in &alter.roles {
            let role = self.role_named(role)?;
            if !self.rights().include(&role) {
                let message = "permission denied to change default privileges";
                return Err(Error::new(ErrorKind::InsufficientPrivilege, message));
            }
            owners.push(role);
        }
        if owners.is_empty() {
            if !self.views.authority.exists(&actor.user) {
                return Err(no_role(&actor.user));
            }
            owners.push(actor.user.clone());
        }
        for schema in &alter.schemas {
            self.require_schema(schema)?;
        }
        let schemas: Vec<Option<String>> = match alter.schemas.as_slice() {
            [] => vec![None],
            some => some.iter().cloned().map(Some).collect(),
        };
        let mut facts = self.facts();
        for grantee in self.grantees(&alter.to)? {
            if alter.option && alter.is_grant && grantee.is_none() {
                return Err(impossible("grant options can only be granted to roles"));
            }
            for owner in &owners {
                if grantee.as_ref() == Some(owner) && !alter.is_grant {
                    return Err(Error::unsupported("REVOKE of what the owner has"));
                }
                if grantee.as_ref() == Some(owner) {
                    continue;
                }
                for schema in &schemas {
                    for privilege in default_privileges(alter)? {
                        let found = DefaultGrant {
                            owner: Some(owner.clone()),
                            schema: schema.clone(),
                            on_schemas: alter.on_schemas,
                            grantee: grantee.clone(),
                            privilege,
                            has_option: false,
                        };
                        set_default(&mut facts, found, alter);
                    }
                }
            }
        }
        self.change_facts(facts)
    }
}

/// The privileges that a statement names, of those that there are on such objects.
pub(super) fn default_privileges(alter: &AlterDefaults) -> Result<Vec<Privilege>> {
    let object = match alter.on_schemas {
        true => Object::schema(OWNER),
        false => Object::relation(OWNER, OWNER),
    };
    if alter.privileges.is_empty() {
        return Ok(object.privileges().to_vec());
    }
    match alter
        .privileges
        .iter()
        .find(|it| !object.privileges().contains(it))
    {
        Some(privilege) => Err(invalid(*privilege, &object)),
        None => Ok(alter.privileges.clone()),
    }
}

fn set_default(facts: &mut BTreeSet<Fact>, meant: DefaultGrant, alter: &AlterDefaults) {
    let with_option = DefaultGrant {
        has_option: true,
        ..meant.clone()
    };
    let had_option = facts.remove(&Fact::Default(with_option.clone()));
    let had = facts.remove(&Fact::Default(meant.clone())) || had_option;
    match (alter.is_grant, alter.option) {
        (true, option) if option || had_option => facts.insert(Fact::Default(with_option)),
        (true, _) => facts.insert(Fact::Default(meant)),
        (false, true) if had => facts.insert(Fact::Default(meant)),
        (false, _) => false,
    };
}
