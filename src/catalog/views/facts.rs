//! What the files of roles say beside that roles exist: as statements, and changed in the files.
//!
//! A statement of a file may say several facts; when one of them ends, it is written anew for
//! those that stay. What is new is appended to the file of the role that it is about.

use std::collections::{BTreeMap, BTreeSet};

use super::edit::Editor;
use super::file::{Piece, pieces};
use super::limits::require_understood;
use super::names::file_name;
use super::roles::create_statement;
use super::said::{default_statement, defaults, grant_statement, owner, privileges, subject, word};
use super::{ROLES_FOLDER, policies};
use crate::auth::{
    Authority, Fact, Mask, Membership, OWNER, Object, Policy, Role, RoleSetting, Roles,
};
use crate::catalog::sql::{
    CreateRole, Definition, GrantRole, RoleSpec, SettingChange, SettingsOf, identifier, literal,
};
use crate::error::{Error, ErrorKind, Result};

/// The facts that a statement of a file says; `None` if it is none that a file may hold.
///
/// # Errors
/// It names a role by a word that means something in a session only.
pub(super) fn facts_of(definition: &Definition, roles: &Roles) -> Option<Result<Vec<Fact>>> {
    match definition {
        Definition::CreateRole(create) => Some(memberships_of_new(create, roles)),
        Definition::GrantRole(grant) if grant.is_grant => Some(memberships(grant, roles)),
        Definition::AlterRoleSetting {
            of,
            change: SettingChange::Set(name, value),
        } => {
            let (role, in_database) = match of {
                SettingsOf::Role(role, database) => (role.as_ref(), database.is_some()),
                SettingsOf::Database(_) => (None, true),
            };
            let role = role.map(named).transpose();
            Some(role.and_then(|role| {
                require_understood(name, value)?;
                Ok(vec![Fact::Setting(RoleSetting {
                    role,
                    in_database,
                    name: name.clone(),
                    value: value.clone(),
                })])
            }))
        }
        Definition::GrantPrivilege(grant) => Some(privileges(grant)),
        Definition::AlterDefaults(alter) if alter.is_grant => Some(defaults(alter)),
        Definition::AlterOwner { on, to } => Some(owner(on, to)),
        other => policies::facts_of(other),
    }
}

/// Whether a statement of a file says facts, and is not about a role itself.
pub(super) fn is_fact(definition: &Definition) -> bool {
    match definition {
        Definition::GrantRole(grant) => grant.is_grant,
        Definition::GrantPrivilege(_)
        | Definition::AlterOwner { .. }
        | Definition::CreatePolicy(_)
        | Definition::AlterRowSecurity(_) => true,
        Definition::LabelColumn(label) => label.label.is_some(),
        Definition::AlterDefaults(alter) => alter.is_grant,
        Definition::AlterRoleSetting { change, .. } => matches!(change, SettingChange::Set(..)),
        _ => false,
    }
}

/// The name of a role in a file.
pub(super) fn named(spec: &RoleSpec) -> Result<String> {
    match spec {
        RoleSpec::Name(name) => Ok(name.clone()),
        RoleSpec::Public => Err(no_role("public")),
        RoleSpec::CurrentUser | RoleSpec::SessionUser => {
            Err(Error::unsupported("a word in place of a role's name"))
        }
    }
}

/// PostgreSQL's words for a role that is not there.
pub(super) fn no_role(name: &str) -> Error {
    let message = format!("role \"{name}\" does not exist");
    Error::new(ErrorKind::UndefinedObject, message)
}

/// As AddRoleMems in user.c: what INHERIT is without a word about it, the member's attribute says.
pub(super) fn inherits_by_default(member: &str, roles: &Roles) -> bool {
    roles.get(member).is_none_or(|role| role.inherits)
}

fn memberships(grant: &GrantRole, roles: &Roles) -> Result<Vec<Fact>> {
    let grantor = grant.granted_by.as_ref().map(named).transpose()?;
    let grantor = grantor.unwrap_or_else(|| OWNER.to_owned());
    let mut facts = Vec::new();
    for role in &grant.roles {
        for member in &grant.to {
            let member = named(member)?;
            let inherits = grant.options.inherits;
            facts.push(Fact::Membership(Membership {
                role: named(role)?,
                grantor: grantor.clone(),
                has_admin: grant.options.has_admin.unwrap_or(false),
                inherits: inherits.unwrap_or_else(|| inherits_by_default(&member, roles)),
                can_set: grant.options.can_set.unwrap_or(true),
                member,
            }));
        }
    }
    Ok(facts)
}

fn memberships_of_new(create: &CreateRole, roles: &Roles) -> Result<Vec<Fact>> {
    let membership = |role: &str, member: &str, has_admin| {
        Fact::Membership(Membership {
            role: role.to_owned(),
            member: member.to_owned(),
            grantor: OWNER.to_owned(),
            has_admin,
            inherits: inherits_by_default(member, roles),
            can_set: true,
        })
    };
    let own = create.name.as_str();
    let mut facts = Vec::new();
    for role in &create.in_roles {
        facts.push(membership(&named(role)?, own, false));
    }
    for (members, has_admin) in [(&create.members, false), (&create.admins, true)] {
        for member in members {
            facts.push(membership(own, &named(member)?, has_admin));
        }
    }
    Ok(facts)
}

/// The statement that says a fact.
fn statement(fact: &Fact) -> String {
    match fact {
        Fact::Membership(membership) => {
            let mut options = vec![format!("inherit {}", membership.inherits)];
            if membership.has_admin {
                options.insert(0, "admin true".to_owned());
            }
            if !membership.can_set {
                options.push("set false".to_owned());
            }
            let by = match membership.grantor.as_str() {
                OWNER => String::new(),
                grantor => format!(" granted by {}", identifier(grantor)),
            };
            format!(
                "grant {} to {} with {}{by};",
                identifier(&membership.role),
                identifier(&membership.member),
                options.join(", ")
            )
        }
        Fact::Setting(setting) => {
            let role = setting.role.as_deref().map(identifier);
            let name: Vec<String> = setting.name.split('.').map(identifier).collect();
            // As `grant ... on database`, whatever the gateway calls it.
            let database = match setting.in_database {
                true => " in database current",
                false => "",
            };
            format!(
                "alter role {}{database} set {} = {};",
                role.as_deref().unwrap_or("all"),
                name.join("."),
                literal(&setting.value)
            )
        }
        Fact::Grant(grant) => grant_statement(grant),
        Fact::Default(grant) => default_statement(grant),
        Fact::Owner(object, owner) => {
            let kind = match object {
                Object::Schema(_) => "schema",
                Object::Server(_) => "server",
                _ => "view",
            };
            let (_, name) = subject(object);
            format!("alter {kind} {name} owner to {};", identifier(owner))
        }
        Fact::Withdrawn(object, privilege) => {
            let (on, name) = subject(object);
            format!("revoke {} on {on}{name} from public;", word(*privilege))
        }
        Fact::Policy(policy) => policies::policy_statement(policy),
        Fact::RowSecurityEnabled(on) => policies::row_security_statement(on, "enable"),
        Fact::RowSecurityForced(on) => policies::row_security_statement(on, "force"),
        Fact::Mask(mask) => policies::mask_statement(mask),
    }
}

/// The file of the role that a fact is about, or of the relation, where it is about rows and columns.
fn path_of(fact: &Fact) -> String {
    let role = match fact {
        Fact::Policy(Policy { relation: on, .. })
        | Fact::Mask(Mask { relation: on, .. })
        | Fact::RowSecurityEnabled(on)
        | Fact::RowSecurityForced(on) => return policies_path(on),
        Fact::Membership(membership) => membership.member.as_str(),
        Fact::Setting(setting) => setting.role.as_deref().unwrap_or("_all"),
        Fact::Grant(grant) => grant.grantee.as_deref().unwrap_or("public"),
        Fact::Default(grant) => grant.grantee.as_deref().unwrap_or("public"),
        Fact::Owner(_, owner) => owner,
        Fact::Withdrawn(..) => "public",
    };
    role_path(role)
}

/// The file that a relation's policies and masks are written to.
fn policies_path(on: &Object) -> String {
    let (schema, name) = match on {
        Object::Relation(schema, name) => (schema.as_str(), name.as_str()),
        _ => ("", ""),
    };
    let (schema, name) = (file_name(schema), file_name(name));
    format!("{ROLES_FOLDER}_policies/{schema}/{name}.sql")
}

/// The file that a role is written to.
pub(super) fn role_path(role: &str) -> String {
    format!("{ROLES_FOLDER}{}.sql", file_name(role))
}

/// Refuses facts that cannot be: about roles that are not there, or a circle of memberships.
///
/// # Errors
/// `UndefinedObject`, `InvalidGrantOperation`.
pub(super) fn check(authority: &Authority, fact: &Fact) -> Result<()> {
    if let Some(missing) = fact.roles().iter().find(|role| !authority.exists(role)) {
        return Err(no_role(missing));
    }
    policies::refuse_second(authority.facts.iter(), fact)?;
    match fact {
        Fact::Membership(membership) => refuse_circle(authority, membership),
        Fact::Owner(object, owner) if authority.owner_of(object) != OWNER => {
            let (_, name) = subject(object);
            let other = authority.owner_of(object);
            let message = format!("{name} has two owners, {other} and {owner}");
            Err(Error::new(ErrorKind::DuplicateObject, message))
        }
        _ => Ok(()),
    }
}

/// As AddRoleMems in user.c: a role is no member of itself, at no distance.
pub(super) fn refuse_circle(authority: &Authority, membership: &Membership) -> Result<()> {
    let Membership { role, member, .. } = membership;
    if role == crate::auth::DATABASE_OWNER {
        let message = format!("role \"{role}\" cannot have explicit members");
        return Err(Error::new(ErrorKind::InvalidGrantOperation, message));
    }
    if authority.is_member_nosuper(role, member) {
        let message = format!("role \"{role}\" is a member of role \"{member}\"");
        return Err(Error::new(ErrorKind::InvalidGrantOperation, message));
    }
    Ok(())
}

impl Editor<'_> {
    /// Makes the files say these facts, and no others.
    pub(super) fn set_facts(&mut self, after: BTreeSet<Fact>) -> Result<()> {
        self.rewrite(&BTreeMap::new(), after)
    }

    /// Makes the files say these facts, and no others, and defines the roles of `changed` anew, or
    /// not any more.
    pub(super) fn rewrite(
        &mut self,
        changed: &BTreeMap<String, Option<Role>>,
        after: BTreeSet<Fact>,
    ) -> Result<()> {
        self.require_sound_roles()?;
        let files = self.edited.files.clone();
        let own = files
            .iter()
            .filter(|(path, _)| path.starts_with(ROLES_FOLDER));
        for (path, file) in own {
            let text = file.text.as_ref().map_err(Error::clone)?;
            // From the end, so that the places before stay where they are.
            for piece in pieces(text)?.into_iter().rev() {
                if let Some(statement) = self.rewritten(&piece, changed, &after)? {
                    let bytes = match statement.is_empty() {
                        true => piece.with_comment.clone(),
                        false => piece.bytes.clone(),
                    };
                    self.replace(path, bytes, &statement);
                }
            }
        }
        let before = self.facts();
        for fact in after.difference(&before) {
            self.append(&path_of(fact), &statement(fact));
        }
        self.edited.facts = Some(after);
        Ok(())
    }

    /// What a statement of a file becomes; `None` if it stays as it is.
    fn rewritten(
        &self,
        piece: &Piece,
        changed: &BTreeMap<String, Option<Role>>,
        after: &BTreeSet<Fact>,
    ) -> Result<Option<String>> {
        let Ok(definition) = &piece.definition else {
            return Ok(None);
        };
        let roles = &self.views.authority.roles;
        let facts = facts_of(definition, roles).transpose()?.unwrap_or_default();
        let kept = facts.iter().filter(|fact| after.contains(fact));
        let mut statements: Vec<String> = kept.map(statement).collect();
        let mut is_same = statements.len() == facts.len();
        if let Definition::CreateRole(create) = definition {
            let change = changed.get(&create.name);
            is_same &= change.is_none();
            let role = match change {
                Some(change) => change.as_ref(),
                None => roles.get(&create.name).map(AsRef::as_ref),
            };
            if let Some(role) = role {
                statements.insert(0, create_statement(role));
            }
        }
        Ok((!is_same).then(|| statements.join("\n")))
    }
}
