//! GRANT and REVOKE of privileges, and ALTER DEFAULT PRIVILEGES, as PostgreSQL's aclchk.c.

use std::collections::{BTreeMap, BTreeSet};

use super::acl::Acl;
use super::edit::Editor;
use super::look_up::Found;
use super::names::no_relation;
use super::owners::permission_denied;
use crate::auth::{Authority, Fact, Grant, Object, Privilege};
use crate::catalog::sql::{GrantObjects, GrantPrivilege, Name, Privileges, RoleSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::Wrapper;

pub(super) fn impossible(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidGrantOperation, message)
}

/// PostgreSQL's words for another database than the one there is.
pub(super) fn no_database(name: &str) -> Error {
    let message = format!("database \"{name}\" does not exist");
    Error::new(ErrorKind::InvalidCatalogName, message)
}

impl Editor<'_> {
    pub(super) fn grant_privilege(&mut self, grant: &GrantPrivilege) -> Result<()> {
        self.require_roles()?;
        let grantees = self.grantees(&grant.to)?;
        if let Some(by) = &grant.granted_by
            && self.role_named(by)? != self.surroundings.actor.user
        {
            return Err(Error::new(
                ErrorKind::FeatureNotSupported,
                "grantor must be current user",
            ));
        }
        let mut facts = self.facts();
        for object in self.objects(&grant.on)? {
            for (on, privileges) in meant(&facts, grant, &object)? {
                self.grant_on(&mut facts, grant, (&object, &on), &privileges, &grantees)?;
            }
        }
        self.change_facts(facts)
    }

    /// The grantees; `None` is PUBLIC.
    pub(super) fn grantees(&self, specs: &[RoleSpec]) -> Result<Vec<Option<String>>> {
        let specs = specs.iter();
        specs
            .map(|spec| match spec {
                RoleSpec::Public => Ok(None),
                spec => self.role_named(spec).map(Some),
            })
            .collect()
    }

    fn objects(&self, on: &GrantObjects) -> Result<Vec<Object>> {
        let mut objects = Vec::new();
        match on {
            GrantObjects::Relations(names) => {
                for name in names {
                    objects.push(self.relation_named(name)?.1);
                }
            }
            GrantObjects::AllTables(schemas) => {
                for schema in schemas {
                    self.require_schema(schema)?;
                    self.require_may_use(schema)?;
                    let schemas = &self.surroundings.snapshot.schemas;
                    let relations = schemas.get(schema).into_iter();
                    let relations = relations.flat_map(|schema| schema.relations.keys());
                    objects.extend(relations.map(|name| Object::relation(schema, name)));
                }
            }
            GrantObjects::Schemas(schemas) => {
                for schema in schemas {
                    self.require_schema(schema)?;
                    objects.push(Object::schema(schema));
                }
            }
            GrantObjects::Databases(names) => {
                for name in names {
                    if name != self.surroundings.database {
                        return Err(no_database(name));
                    }
                    objects.push(Object::Database);
                }
            }
            GrantObjects::Servers(names) => {
                for name in names {
                    let server = self.views.foreign.server(name)?;
                    objects.push(Object::Server(server.name.clone()));
                }
            }
            GrantObjects::Wrappers(names) => {
                for name in names {
                    let wrapper = Wrapper::named(name)?;
                    objects.push(Object::Wrapper(wrapper.name().to_owned()));
                }
            }
        }
        Ok(objects)
    }

    /// The table or view that a statement names, and whether it is a view.
    pub(super) fn relation_named(&self, name: &Name) -> Result<(bool, Object)> {
        match self.look_up(name)? {
            Some(Found::View(name)) => Ok((true, Object::relation(&name.0, &name.1))),
            Some(Found::Other(name)) => Ok((false, Object::relation(&name.0, &name.1))),
            None => Err(no_relation(name)),
        }
    }

    /// As `restrict_and_check_grant` in aclchk.c: what may not be granted is warned of. `on` is the
    /// object that was named, or a column of it.
    fn grant_on(
        &mut self,
        facts: &mut BTreeSet<Fact>,
        grant: &GrantPrivilege,
        (object, on): (&Object, &Object),
        privileges: &BTreeSet<Privilege>,
        grantees: &[Option<String>],
    ) -> Result<()> {
        let rights = self.rights();
        let (kind, name) = self.kind_and_name(on);
        let (grantor, may) = self.best_grantor(privileges, on);
        let mut known = on.privileges().iter();
        let has_any = known.any(|it| rights.may(*it, on) || rights.may(*it, object));
        if !has_any && may.is_empty() {
            return Err(permission_denied(kind, &name));
        }
        if grant.is_grant && grant.option && grantees.contains(&None) {
            return Err(impossible("grant options can only be granted to roles"));
        }
        let is_all = match on {
            Object::Column(..) => privileges.len() == on.privileges().len(),
            _ => matches!(grant.privileges, Privileges::All(_)),
        };
        if may.is_empty() || (may.len() < privileges.len() && !is_all) {
            let all = if may.is_empty() { "no" } else { "not all" };
            let done = match (grant.is_grant, may.is_empty()) {
                (true, _) => "were granted",
                (false, _) => "could be revoked",
            };
            let shown = match on {
                Object::Column(..) => format!("column {name}"),
                _ => format!("\"{name}\""),
            };
            let warning = format!("{all} privileges {done} for {shown}");
            self.edited.warnings.push(warning);
        }
        for privilege in may {
            for grantee in grantees {
                let one = One {
                    on,
                    privilege,
                    grantee: grantee.as_deref(),
                    grantor: &grantor,
                };
                match grant.is_grant {
                    true => self.add_grant(facts, &one, grant.option)?,
                    false => self.remove_grant(facts, &one, grant)?,
                }
            }
        }
        Ok(())
    }

    fn add_grant(&self, facts: &mut BTreeSet<Fact>, one: &One<'_>, option: bool) -> Result<()> {
        let authority = &self.views.authority;
        if one.is_of_owner(authority) {
            // The owner has all of it anyway.
            return Ok(());
        }
        if one.is_built_in() {
            facts.remove(&Fact::Withdrawn(one.on.clone(), one.privilege));
            return Ok(());
        }
        let mut acl = Acl::of(facts, authority, one.on, one.privilege);
        acl.grant(one.grantee, one.grantor, option)?;
        acl.keep(facts);
        Ok(())
    }

    fn remove_grant(
        &self,
        facts: &mut BTreeSet<Fact>,
        one: &One<'_>,
        grant: &GrantPrivilege,
    ) -> Result<()> {
        let authority = &self.views.authority;
        if one.is_of_owner(authority) {
            return Err(Error::unsupported("REVOKE of what the owner has"));
        }
        if one.is_built_in() && !grant.option {
            facts.insert(Fact::Withdrawn(one.on.clone(), one.privilege));
        }
        let mut acl = Acl::of(facts, authority, one.on, one.privilege);
        acl.revoke(one.grantee, one.grantor, grant.option, grant.cascade)?;
        acl.keep(facts);
        self.refuse_if_it_stays(one)
    }

    /// What kind of object it is, and its name, as a message has them (`aclcheck_error`).
    fn kind_and_name(&self, object: &Object) -> (&'static str, String) {
        match object {
            Object::Database => ("database", self.surroundings.database.to_owned()),
            Object::Schema(name) => ("schema", name.clone()),
            Object::Server(name) => ("foreign server", name.clone()),
            Object::Wrapper(name) => ("foreign-data wrapper", name.clone()),
            Object::Relation(schema, name) => {
                let full = (schema.clone(), name.clone());
                (self.views.kind_of(&full).word(), name.clone())
            }
            Object::Column(_, relation, column) => {
                ("column", format!("\"{column}\" of relation \"{relation}\""))
            }
        }
    }

    /// As `select_best_grantor` in acl.c: the owner or a superuser grants as the owner; else it is the
    /// role that may grant the most of what is asked, the user itself first. And what that is.
    fn best_grantor(
        &self,
        asked: &BTreeSet<Privilege>,
        object: &Object,
    ) -> (String, Vec<Privilege>) {
        let authority = &self.views.authority;
        let rights = self.rights();
        let user = self.surroundings.actor.user.as_str();
        let owner = authority.owner_of(object);
        let all = || asked.iter().copied().collect();
        if user == owner || rights.are_everything() {
            return (owner.to_owned(), all());
        }
        let is_option =
            |it: &&Grant| it.has_option && (it.object == *object || it.object == object.owned());
        let options: Vec<&Grant> = authority.grants().filter(is_option).collect();
        let held = |holder: &str| -> Vec<Privilege> {
            if holder == owner {
                return all();
            }
            let held = asked.iter().filter(|privilege| {
                let mut options = options.iter();
                options
                    .any(|it| it.privilege == **privilege && it.grantee.as_deref() == Some(holder))
            });
            held.copied().collect()
        };
        let mut best = (user.to_owned(), held(user));
        let holders = options.iter().filter_map(|it| it.grantee.as_deref());
        for holder in holders.chain([owner]) {
            let more = held(holder);
            if rights.include(holder) && more.len() > best.1.len() {
                best = (holder.to_owned(), more);
            }
        }
        best
    }

    /// Refuses to revoke on one table what is granted on all of them.
    fn refuse_if_it_stays(&self, one: &One<'_>) -> Result<()> {
        let authority = &self.views.authority;
        let stays = authority.default_grants().any(|it| {
            it.grantee.as_deref() == one.grantee
                && it.privilege == one.privilege
                && it.reaches(authority, one.on)
        });
        match stays {
            true => Err(impossible(format!(
                "privilege {} is granted on all tables, and cannot be revoked on one",
                one.privilege.word()
            ))
            .with_hint(
                "ALTER DEFAULT PRIVILEGES FOR ROLE lakegate REVOKE, or change the file in \"_roles/\".",
            )),
            false => Ok(()),
        }
    }
}

/// A privilege as one role grants it to another.
struct One<'a> {
    on: &'a Object,
    privilege: Privilege,
    /// `None` is PUBLIC.
    grantee: Option<&'a str>,
    grantor: &'a str,
}

impl One<'_> {
    /// Whether it is what PUBLIC has without a grant.
    fn is_built_in(&self) -> bool {
        self.grantee.is_none() && self.on.of_public().contains(&self.privilege)
    }

    /// Whether it is what the owner of the object has by being it. Nobody has a column by that.
    fn is_of_owner(&self, authority: &Authority) -> bool {
        let owner = authority.owner_of(self.on);
        let is_column = matches!(self.on, Object::Column(..));
        !is_column && self.grantee == Some(owner) && self.grantor == owner
    }
}

/// The privileges that a statement means, by what they are on: the object first, then its columns.
/// As `expand_all_col_privileges` in aclchk.c: with a table's privilege, REVOKE takes those of its
/// columns.
fn meant(
    facts: &BTreeSet<Fact>,
    grant: &GrantPrivilege,
    object: &Object,
) -> Result<BTreeMap<Object, BTreeSet<Privilege>>> {
    let mut meant: BTreeMap<Object, BTreeSet<Privilege>> = BTreeMap::new();
    for (privilege, on) in asked(grant, object)? {
        meant.entry(on).or_default().insert(privilege);
    }
    let whole = meant.get(object).filter(|_| !grant.is_grant).cloned();
    for privilege in whole.into_iter().flatten() {
        for fact in facts {
            if let Fact::Grant(it) = fact
                && it.object != *object
                && it.object.owned() == *object
                && it.privilege == privilege
            {
                let on = meant.entry(it.object.clone()).or_default();
                on.insert(privilege);
            }
        }
    }
    Ok(meant)
}

/// The privileges that a statement names, each with the object or the column it is on.
pub(super) fn asked(grant: &GrantPrivilege, object: &Object) -> Result<Vec<(Privilege, Object)>> {
    let column = |name: &String| match object {
        Object::Relation(schema, relation) => Ok(Object::Column(
            schema.clone(),
            relation.clone(),
            name.clone(),
        )),
        _ => Err(impossible("column privileges are only valid for relations")),
    };
    let named: Vec<(Option<Privilege>, &[String])> = match &grant.privileges {
        Privileges::All(columns) => vec![(None, columns)],
        Privileges::Named(named) => named
            .iter()
            .map(|(privilege, columns)| (Some(*privilege), columns.as_slice()))
            .collect(),
    };
    let mut asked = Vec::new();
    for (privilege, columns) in named {
        let objects: Vec<Object> = match columns {
            [] => vec![object.clone()],
            columns => columns.iter().map(column).collect::<Result<_>>()?,
        };
        for object in objects {
            match privilege {
                None => asked.extend(object.privileges().iter().map(|it| (*it, object.clone()))),
                Some(privilege) if object.privileges().contains(&privilege) => {
                    asked.push((privilege, object));
                }
                Some(privilege) => return Err(invalid(privilege, &object)),
            }
        }
    }
    Ok(asked)
}

pub(super) fn invalid(privilege: Privilege, object: &Object) -> Error {
    let kind = match object {
        Object::Database => "database",
        Object::Schema(_) => "schema",
        Object::Server(_) => "foreign server",
        Object::Wrapper(_) => "foreign-data wrapper",
        Object::Relation(..) => "table",
        Object::Column(..) => "column",
    };
    impossible(format!(
        "invalid privilege type {} for {kind}",
        privilege.word()
    ))
}
