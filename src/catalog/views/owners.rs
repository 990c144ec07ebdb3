//! Owners of what exists: who may change it, what a new object begins with, and what becomes of an
//! owner's things. As PostgreSQL's aclchk.c and user.c.

use std::collections::BTreeSet;

use super::FullName;
use super::edit::Editor;
use super::policies::without_roles;
use super::roles::denied;
use crate::auth::{Fact, Grant, OWNER, Object, Privilege, Rights, Standing};
use crate::catalog::sql::{AlteredKind, Owned, RoleSpec};
use crate::error::{Error, ErrorKind, Result};

/// PostgreSQL's words for an object that may not be used so (`aclcheck_error`).
pub fn permission_denied(kind: &str, name: &str) -> Error {
    let message = format!("permission denied for {kind} {name}");
    Error::new(ErrorKind::InsufficientPrivilege, message)
}

/// PostgreSQL's words for an object of somebody else.
fn not_owner(kind: &str, name: &str) -> Error {
    let message = format!("must be owner of {kind} {name}");
    Error::new(ErrorKind::InsufficientPrivilege, message)
}

impl Editor<'_> {
    /// The rights of whom the statement runs as.
    pub(super) fn rights(&self) -> Rights<'_> {
        self.views.authority.rights_of(self.surroundings.actor)
    }

    /// Whether an object may be created in a schema.
    pub(super) fn require_may_create_in(&self, schema: &str) -> Result<()> {
        match self
            .rights()
            .may(Privilege::Create, &Object::schema(schema))
        {
            true => Ok(()),
            false => Err(permission_denied("schema", schema)),
        }
    }

    /// Whether names may be looked up in a schema that a statement names.
    pub(super) fn require_may_use(&self, schema: &str) -> Result<()> {
        let exists = self.surroundings.snapshot.schemas.contains_key(schema);
        match exists && !self.rights().may(Privilege::Usage, &Object::schema(schema)) {
            true => Err(permission_denied("schema", schema)),
            false => Ok(()),
        }
    }

    /// Whether schemas may be created.
    pub(super) fn require_may_create_schemas(&self) -> Result<()> {
        match self.rights().may(Privilege::Create, &Object::Database) {
            true => Ok(()),
            false => Err(permission_denied("database", self.surroundings.database)),
        }
    }

    /// Whether a schema may be changed.
    pub(super) fn require_owns_schema(&self, name: &str) -> Result<()> {
        match self.rights().own(&Object::schema(name)) {
            true => Ok(()),
            false => Err(not_owner("schema", name)),
        }
    }

    /// Whether the database may be changed.
    pub(super) fn require_owns_database(&self, name: &str) -> Result<()> {
        match self.rights().own(&Object::Database) {
            true => Ok(()),
            false => Err(not_owner("database", name)),
        }
    }

    /// Whether a view or table may be changed.
    pub(super) fn require_owns(&self, kind: &str, name: &FullName) -> Result<()> {
        match self.rights().own(&Object::relation(&name.0, &name.1)) {
            true => Ok(()),
            false => Err(not_owner(kind, &name.1)),
        }
    }

    /// Whether a server may be changed.
    pub(super) fn require_owns_server(&self, name: &str) -> Result<()> {
        match self.rights().own(&Object::Server(name.to_owned())) {
            true => Ok(()),
            false => Err(not_owner("foreign server", name)),
        }
    }

    /// As RemoveRelations in tablecmds.c: the owner of the schema may as well.
    pub(super) fn require_may_drop(&self, name: &FullName) -> Result<()> {
        match self.rights().own(&Object::schema(&name.0)) {
            true => Ok(()),
            false => self.require_owns(self.views.kind_of(name).word(), name),
        }
    }

    /// Changes what is said of roles, if it is another than before.
    pub(super) fn change_facts(&mut self, after: BTreeSet<Fact>) -> Result<()> {
        match after == self.views.authority.facts {
            true => Ok(()),
            false => self.set_facts(after),
        }
    }

    /// What is said of roles, with an earlier change of the same statement.
    pub(super) fn facts(&self) -> BTreeSet<Fact> {
        let changed = self.edited.facts.as_ref();
        changed.unwrap_or(&self.views.authority.facts).clone()
    }

    /// A new object is its maker's, and has what ALTER DEFAULT PRIVILEGES says.
    pub(super) fn facts_of_new(&self, object: &Object) -> BTreeSet<Fact> {
        let authority = &self.views.authority;
        let mut facts = self.facts();
        // A name may be left over in a grant by hand: what is new has none.
        facts.retain(|fact| fact.object().is_none_or(|of| of.owned() != *object));
        let actor = self.surroundings.actor;
        let is_known = authority.is_enforced && authority.exists(&actor.user);
        if !is_known || actor.standing != Standing::Proved {
            return facts;
        }
        if actor.user != OWNER {
            facts.insert(Fact::Owner(object.clone(), actor.user.clone()));
        }
        for grant in authority.default_grants() {
            let is_here = match object {
                Object::Schema(_) => grant.on_schemas,
                Object::Relation(schema, _) => {
                    !grant.on_schemas && grant.schema.as_ref().is_none_or(|of| of == schema)
                }
                _ => false,
            };
            if is_here && grant.owner.as_ref() == Some(&actor.user) && actor.user != OWNER {
                facts.insert(Fact::Grant(Grant {
                    object: object.clone(),
                    grantee: grant.grantee.clone(),
                    grantor: actor.user.clone(),
                    privilege: grant.privilege,
                    has_option: grant.has_option,
                }));
            }
        }
        facts
    }

    /// What is said of roles once an object has another name, or is gone.
    pub(super) fn facts_of_moved(&self, from: &Object, to: Option<&Object>) -> BTreeSet<Fact> {
        let facts = self.facts();
        let moved = facts.into_iter();
        moved.filter_map(|fact| fact.moved(from, to)).collect()
    }

    /// ALTER ... OWNER TO.
    pub(super) fn alter_owner(&mut self, on: &Owned, to: &RoleSpec) -> Result<()> {
        self.require_roles()?;
        let object = match on {
            Owned::View(name, if_exists)
            | Owned::Materialized(name, if_exists)
            | Owned::Table(name, if_exists)
            | Owned::Foreign(name, if_exists) => {
                let kind = match on {
                    Owned::Table(..) => AlteredKind::Table,
                    Owned::Foreign(..) => AlteredKind::Foreign,
                    Owned::Materialized(..) => AlteredKind::Materialized,
                    _ => AlteredKind::View,
                };
                if *if_exists && self.look_up(name)?.is_none() {
                    self.skip("relation", name);
                    return Ok(());
                }
                let (found_view, object) = self.relation_named(name)?;
                if let Object::Relation(schema, name) = &object {
                    let name = (schema.clone(), name.clone());
                    match self.is_foreign(&name)? {
                        true if !found_view => return self.give_foreign(kind, &name, to),
                        _ => self.require_kind(kind, &name)?,
                    }
                }
                if !found_view {
                    let what = "another owner of a table of the lake";
                    return Err(Error::unsupported(what));
                }
                object
            }
            Owned::Schema(name) => {
                self.require_schema(name)?;
                Object::schema(name)
            }
            Owned::Server(name) => {
                self.views.foreign.server(name)?;
                Object::Server(name.clone())
            }
        };
        match &object {
            Object::Relation(schema, name) => {
                let name = (schema.clone(), name.clone());
                self.require_owns(self.views.kind_of(&name).word(), &name)?;
            }
            Object::Schema(name) => self.require_owns_schema(name)?,
            Object::Server(name) => self.require_owns_server(name)?,
            _ => {}
        }
        self.give(&object, to)
    }

    /// Gives an object to another owner, as `AlterObjectOwner_internal` in alter.c lets it.
    pub(super) fn give(&mut self, object: &Object, to: &RoleSpec) -> Result<()> {
        let to = self.role_named(to)?;
        let authority = &self.views.authority;
        let own = self.own_rights();
        if let Some(own) = own
            && authority.owner_of(object) != to
        {
            if !authority.can_set_role(&own.name, &to) {
                return Err(Error::new(
                    ErrorKind::InsufficientPrivilege,
                    format!("must be able to SET ROLE \"{to}\""),
                ));
            }
            let rights = authority.rights_of_role(&to);
            match object {
                Object::Relation(schema, _)
                    if !rights.may(Privilege::Create, &Object::schema(schema)) =>
                {
                    return Err(permission_denied("schema", schema));
                }
                Object::Schema(_) => self.require_may_create_schemas()?,
                Object::Server(name) => {
                    let wrapper = self.views.foreign.server(name)?.wrapper.name();
                    let of_wrapper = Object::Wrapper(wrapper.to_owned());
                    if !rights.may(Privilege::Usage, &of_wrapper) {
                        return Err(permission_denied("foreign-data wrapper", wrapper));
                    }
                }
                _ => {}
            }
        }
        let facts = self.owned_by(self.facts(), object, &to);
        self.change_facts(facts)
    }

    /// As aclnewowner in acl.c: what the owner granted is the new owner's grant, and what was granted
    /// to the owner, too.
    fn owned_by(&self, facts: BTreeSet<Fact>, object: &Object, to: &str) -> BTreeSet<Fact> {
        let before = self.views.authority.owner_of(object).to_owned();
        let changed = facts.into_iter().filter_map(|fact| match fact {
            Fact::Owner(of, _) if of == *object => None,
            Fact::Grant(mut grant) if grant.object.owned() == *object => {
                if grant.grantor == before {
                    to.clone_into(&mut grant.grantor);
                }
                if grant.grantee.as_ref() == Some(&before) {
                    grant.grantee = Some(to.to_owned());
                }
                // What the owner has by being it is said by no grant.
                let is_own = !matches!(grant.object, Object::Column(..))
                    && grant.grantor == to
                    && grant.grantee.as_deref() == Some(to);
                (!is_own).then_some(Fact::Grant(grant))
            }
            other => Some(other),
        });
        let mut changed: BTreeSet<Fact> = changed.collect();
        let with_option: Vec<Grant> = changed
            .iter()
            .filter_map(|fact| match fact {
                Fact::Grant(it) if it.has_option => Some(it.clone()),
                _ => None,
            })
            .collect();
        for grant in with_option {
            // Two that have become one grant: the option counts.
            changed.remove(&Fact::Grant(Grant {
                has_option: false,
                ..grant
            }));
        }
        if to != OWNER {
            changed.insert(Fact::Owner(object.clone(), to.to_owned()));
        }
        changed
    }

    pub(super) fn reassign_owned(&mut self, roles: &[RoleSpec], to: &RoleSpec) -> Result<()> {
        let to = self.require_members(roles, Some(to))?;
        let roles: Vec<String> = roles
            .iter()
            .map(|role| self.role_named(role))
            .collect::<Result<_>>()?;
        let owned: Vec<Object> = self.owned_objects(&roles);
        let mut facts = self.facts();
        for object in owned {
            facts = self.owned_by(facts, &object, to.as_deref().unwrap_or(OWNER));
        }
        self.change_facts(facts)
    }

    pub(super) fn drop_owned(&mut self, roles: &[RoleSpec], cascade: bool) -> Result<()> {
        self.require_members(roles, None)?;
        let roles: Vec<String> = roles
            .iter()
            .map(|role| self.role_named(role))
            .collect::<Result<_>>()?;
        let (mut views, mut servers) = (BTreeSet::new(), Vec::new());
        for object in self.owned_objects(&roles) {
            match object {
                Object::Relation(schema, name) => {
                    views.insert((schema, name));
                }
                Object::Schema(name) => self.drop_schema(&name, true, cascade)?,
                Object::Server(name) => servers.push(name),
                _ => {}
            }
        }
        let mut foreign = Vec::new();
        for name in &views {
            if self.is_foreign(name)? {
                foreign.push(name.clone());
            }
        }
        self.drop_foreign_named(&foreign, cascade)?;
        servers.retain(|name| self.views.foreign.servers.contains_key(name));
        for name in &servers {
            self.drop_server(name, &foreign, cascade)?;
        }
        views.retain(|view| self.views.views.contains_key(view));
        self.remove_views(views, cascade)?;
        let is_theirs = |name: &String| roles.contains(name);
        let mut facts = self.facts();
        facts.retain(|fact| match fact {
            Fact::Grant(it) => {
                !is_theirs(&it.grantor) && !it.grantee.as_ref().is_some_and(is_theirs)
            }
            Fact::Default(it) => {
                !it.owner.as_ref().is_some_and(is_theirs)
                    && !it.grantee.as_ref().is_some_and(is_theirs)
            }
            Fact::Owner(_, owner) => !is_theirs(owner),
            Fact::Membership(it) => !is_theirs(&it.grantor),
            _ => true,
        });
        let facts = facts.into_iter();
        let facts = facts.filter_map(|fact| without_roles(fact, &roles));
        self.change_facts(facts.collect())
    }

    /// As DropOwnedObjects and ReassignOwnedObjects in user.c.
    fn require_members(&self, roles: &[RoleSpec], to: Option<&RoleSpec>) -> Result<Option<String>> {
        self.require_roles()?;
        let verb = match to {
            Some(_) => "reassign objects",
            None => "drop objects",
        };
        for role in roles.iter().chain(to) {
            let role = self.role_named(role)?;
            if !self.rights().include(&role) {
                let detail = format!(
                    "Only roles with privileges of role \"{role}\" may {}.",
                    match to {
                        Some(_) => "reassign objects owned by it",
                        None => "drop objects owned by it",
                    }
                );
                return Err(denied(verb, detail));
            }
        }
        to.map(|to| self.role_named(to)).transpose()
    }

    fn owned_objects(&self, roles: &[String]) -> Vec<Object> {
        let facts = self.views.authority.facts.iter();
        let owned = facts.filter_map(|fact| match fact {
            Fact::Owner(object, owner) if roles.contains(owner) => Some(object.clone()),
            _ => None,
        });
        owned.collect()
    }
}
