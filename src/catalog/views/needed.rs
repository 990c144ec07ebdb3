//! What needs a role, so that it cannot be dropped.

use std::collections::BTreeSet;

use super::edit::Editor;
use crate::auth::{Fact, Object};
use crate::catalog::sql::identifier;
use crate::error::{Error, ErrorKind, Result};

impl Editor<'_> {
    /// As DropRole in user.c: what a role granted to others needs it.
    pub(super) fn refuse_needed(&self, dropped: &BTreeSet<String>) -> Result<()> {
        for fact in &self.views.authority.facts {
            let Some((role, detail)) = needs(fact, dropped) else {
                continue;
            };
            let message =
                format!("role \"{role}\" cannot be dropped because some objects depend on it");
            return Err(
                Error::new(ErrorKind::DependentObjectsStillExist, message).with_detail(detail)
            );
        }
        for server in self.views.foreign.servers.values() {
            let mapped = server.mappings.keys().flatten();
            if let Some(role) = mapped.into_iter().find(|role| dropped.contains(*role)) {
                let message =
                    format!("role \"{role}\" cannot be dropped because some objects depend on it");
                let detail = format!("user mapping for {role} on server {}", server.name);
                return Err(
                    Error::new(ErrorKind::DependentObjectsStillExist, message).with_detail(detail)
                );
            }
        }
        for membership in self.views.authority.memberships() {
            let goes = |name: &String| dropped.contains(name);
            if goes(&membership.grantor) && !goes(&membership.role) && !goes(&membership.member) {
                let message = format!(
                    "role \"{}\" cannot be dropped because some objects depend on it",
                    membership.grantor
                );
                let detail = format!(
                    "privileges for membership of role {} in role {}",
                    identifier(&membership.member),
                    identifier(&membership.role)
                );
                return Err(
                    Error::new(ErrorKind::DependentObjectsStillExist, message).with_detail(detail)
                );
            }
        }
        Ok(())
    }
}

/// The role that a privilege or an owner needs, if it is one of those dropped, and in what way.
fn needs(fact: &Fact, dropped: &BTreeSet<String>) -> Option<(String, String)> {
    let goes = |role: &String| dropped.contains(role).then(|| role.clone());
    match fact {
        Fact::Membership(_)
        | Fact::Setting(_)
        | Fact::Withdrawn(..)
        | Fact::RowSecurityEnabled(_)
        | Fact::RowSecurityForced(_) => None,
        Fact::Policy(policy) => {
            let role = policy.roles.iter().find_map(goes)?;
            let on = described(&policy.relation);
            Some((role, format!("target of policy {} on {on}", policy.name)))
        }
        Fact::Mask(mask) => {
            let role = mask.except.iter().find_map(goes)?;
            let on = described(&mask.relation);
            Some((role, format!("mask of column {} of {on}", mask.column)))
        }
        Fact::Owner(object, owner) => {
            let role = goes(owner)?;
            Some((role, format!("owner of {}", described(object))))
        }
        Fact::Grant(grant) => {
            let role = grant.grantee.as_ref().and_then(goes);
            let role = role.or_else(|| goes(&grant.grantor))?;
            Some((role, format!("privileges for {}", described(&grant.object))))
        }
        Fact::Default(grant) => {
            let owner = grant.owner.as_ref();
            let role = owner
                .and_then(goes)
                .or_else(|| grant.grantee.as_ref().and_then(goes))?;
            let of = owner.map_or("any role", String::as_str);
            let detail = format!("default privileges on new relations belonging to role {of}");
            Some((role, detail))
        }
    }
}

fn described(object: &Object) -> String {
    match object {
        Object::Database => "the database".to_owned(),
        Object::Schema(name) => format!("schema {name}"),
        Object::Server(name) => format!("server {name}"),
        Object::Wrapper(name) => format!("foreign-data wrapper {name}"),
        Object::Relation(schema, name) => format!("relation {schema}.{name}"),
        Object::Column(schema, name, column) => {
            format!("column {column} of relation {schema}.{name}")
        }
    }
}
