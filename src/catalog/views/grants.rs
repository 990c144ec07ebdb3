//! GRANT and REVOKE of privileges, and ALTER DEFAULT PRIVILEGES, as PostgreSQL's aclchk.c.

use std::collections::BTreeSet;

use super::edit::Editor;
use super::look_up::Found;
use super::names::no_relation;
use super::owners::permission_denied;
use crate::auth::{Authority, Fact, Grant, Object, Privilege};
use crate::catalog::sql::{GrantObjects, GrantPrivilege, Name, Privileges, RoleSpec};
use crate::error::{Error, ErrorKind, Result};

pub(super) fn impossible(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidGrantOperation, message)
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
            let asked = asked(grant, &object)?;
            self.grant_on(&mut facts, grant, &object, &asked, &grantees)?;
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
                        let message = format!("database \"{name}\" does not exist");
                        return Err(Error::new(ErrorKind::InvalidCatalogName, message));
                    }
                    objects.push(Object::Database);
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

    /// As `restrict_and_check_grant` in aclchk.c: what may not be granted is warned of.
    fn grant_on(
        &mut self,
        facts: &mut BTreeSet<Fact>,
        grant: &GrantPrivilege,
        object: &Object,
        asked: &[(Privilege, Object)],
        grantees: &[Option<String>],
    ) -> Result<()> {
        let rights = self.rights();
        let (kind, name) = self.kind_and_name(object);
        let mut may = Vec::new();
        for (privilege, on) in asked {
            let (grantor, held) = self.best_grantor(asked, on);
            let mut known = on.privileges().iter();
            let has_any = known.any(|it| rights.may(*it, on) || rights.may(*it, object));
            if !has_any && held.is_empty() {
                return Err(permission_denied(kind, &name));
            }
            if held.contains(privilege) {
                may.push((*privilege, on.clone(), grantor));
            }
        }
        if grant.is_grant && grant.option && grantees.contains(&None) {
            return Err(impossible("grant options can only be granted to roles"));
        }
        let is_all = matches!(grant.privileges, Privileges::All(_));
        if may.is_empty() || (may.len() < asked.len() && !is_all) {
            let all = if may.is_empty() { "no" } else { "not all" };
            let done = match (grant.is_grant, may.is_empty()) {
                (true, _) => "were granted",
                (false, _) => "could be revoked",
            };
            let warning = format!("{all} privileges {done} for \"{name}\"");
            self.edited.warnings.push(warning);
        }
        for (privilege, on, grantor) in may {
            for grantee in grantees {
                let one = One {
                    object: &on,
                    grantee: grantee.as_deref(),
                    grantor: &grantor,
                    privilege,
                };
                match grant.is_grant {
                    true => self.add_grant(facts, &one, grant.option)?,
                    false => self.remove_grant(facts, &one, grant.option)?,
                }
            }
            end_dependents(facts, &self.views.authority, &on, privilege, grant)?;
        }
        Ok(())
    }

    fn kind_and_name(&self, object: &Object) -> (&'static str, String) {
        match object {
            Object::Database => ("database", self.surroundings.database.to_owned()),
            Object::Schema(name) => ("schema", name.clone()),
            Object::Relation(schema, name) | Object::Column(schema, name, _) => {
                let full = (schema.clone(), name.clone());
                let kind = match self.views.views.contains_key(&full) {
                    true => "view",
                    false => "table",
                };
                (kind, name.clone())
            }
        }
    }

    /// As `select_best_grantor` in acl.c: the owner, whoever acts for it; else the role that may grant
    /// the most of what is asked, and what that is.
    fn best_grantor(
        &self,
        asked: &[(Privilege, Object)],
        object: &Object,
    ) -> (String, Vec<Privilege>) {
        let authority = &self.views.authority;
        let rights = self.rights();
        let user = self.surroundings.actor.user.as_str();
        let asked = asked.iter().filter(|(_, on)| on == object);
        let asked: Vec<Privilege> = asked.map(|(privilege, _)| *privilege).collect();
        if rights.own(object) {
            return (authority.owner_of(object).to_owned(), asked);
        }
        let is_option =
            |it: &&Grant| it.has_option && (it.object == *object || it.object == object.owned());
        let options: Vec<&Grant> = authority.grants().filter(is_option).collect();
        let held = |holder: &str| -> Vec<Privilege> {
            let held = asked.iter().filter(|privilege| {
                let mut options = options.iter();
                options
                    .any(|it| it.privilege == **privilege && it.grantee.as_deref() == Some(holder))
            });
            held.copied().collect()
        };
        let mut best = (user.to_owned(), held(user));
        for holder in options.iter().filter_map(|it| it.grantee.as_deref()) {
            let more = held(holder);
            if rights.include(holder) && more.len() > best.1.len() {
                best = (holder.to_owned(), more);
            }
        }
        best
    }

    fn add_grant(&self, facts: &mut BTreeSet<Fact>, one: &One<'_>, option: bool) -> Result<()> {
        let authority = &self.views.authority;
        let owner = authority.owner_of(one.object);
        if one.grantee == Some(owner) {
            return Ok(());
        }
        let is_built_in = one.grantee.is_none() && one.object.of_public().contains(&one.privilege);
        if is_built_in {
            facts.remove(&Fact::Withdrawn(one.object.clone(), one.privilege));
            return Ok(());
        }
        if option && one.grantor != owner && holds_only_by(facts, one) {
            return Err(impossible(
                "grant options cannot be granted back to your own grantor",
            ));
        }
        let had = one.take(facts).is_some_and(|before| before.has_option);
        facts.insert(Fact::Grant(Grant {
            object: one.object.clone(),
            grantee: one.grantee.map(str::to_owned),
            grantor: one.grantor.to_owned(),
            privilege: one.privilege,
            has_option: option || had,
        }));
        Ok(())
    }

    fn remove_grant(
        &self,
        facts: &mut BTreeSet<Fact>,
        one: &One<'_>,
        option_alone: bool,
    ) -> Result<()> {
        let authority = &self.views.authority;
        if one.grantee == Some(authority.owner_of(one.object)) {
            return Err(Error::unsupported("REVOKE of what the owner has"));
        }
        let is_built_in = one.grantee.is_none() && one.object.of_public().contains(&one.privilege);
        if is_built_in && !option_alone {
            facts.insert(Fact::Withdrawn(one.object.clone(), one.privilege));
        }
        if let Some(before) = one.take(facts)
            && option_alone
        {
            facts.insert(Fact::Grant(Grant {
                has_option: false,
                ..before
            }));
        }
        if let Object::Relation(schema, name) = one.object {
            // As ExecGrant_Relation: with a table's privilege those of its columns go.
            facts.retain(|fact| match fact {
                Fact::Grant(it) => {
                    !matches!(&it.object, Object::Column(of, relation, _)
                        if of == schema && relation == name)
                        || it.privilege != one.privilege
                        || it.grantee.as_deref() != one.grantee
                        || option_alone
                }
                _ => true,
            });
        }
        let stays = authority.default_grants().any(|it| {
            it.grantee.as_deref() == one.grantee
                && it.privilege == one.privilege
                && it.reaches(authority, one.object)
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
    object: &'a Object,
    /// `None` is PUBLIC.
    grantee: Option<&'a str>,
    grantor: &'a str,
    privilege: Privilege,
}

impl One<'_> {
    fn take(&self, facts: &mut BTreeSet<Fact>) -> Option<Grant> {
        let found = facts.iter().find_map(|fact| match fact {
            Fact::Grant(it)
                if it.object == *self.object
                    && it.grantee.as_deref() == self.grantee
                    && it.grantor == self.grantor
                    && it.privilege == self.privilege =>
            {
                Some(it.clone())
            }
            _ => None,
        })?;
        facts.remove(&Fact::Grant(found.clone()));
        Some(found)
    }
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
        Object::Relation(..) => "table",
        Object::Column(..) => "column",
    };
    impossible(format!(
        "invalid privilege type {} for {kind}",
        privilege.word()
    ))
}

fn has_option(facts: &BTreeSet<Fact>, one: &One<'_>, holder: &str) -> bool {
    let whole = One {
        object: &one.object.owned(),
        ..*one
    };
    has_own_option(facts, one, holder) || has_own_option(facts, &whole, holder)
}

/// The same by a grant on the object itself: for a column, not one on its relation.
fn has_own_option(facts: &BTreeSet<Fact>, one: &One<'_>, holder: &str) -> bool {
    facts.iter().any(|fact| match fact {
        Fact::Grant(it) => it.has_option && is_granted_to(fact, one, holder),
        _ => false,
    })
}

/// Whether a grantor holds the option by the grantee alone. As `check_circularity` in acl.c, which looks at
/// what is granted on a column itself alone.
fn holds_only_by(facts: &BTreeSet<Fact>, one: &One<'_>) -> bool {
    let mut without = facts.clone();
    without.retain(|fact| match fact {
        Fact::Grant(it) => {
            it.object != *one.object
                || it.privilege != one.privilege
                || it.grantee.as_deref() != one.grantee
        }
        _ => true,
    });
    loop {
        let lost = without.iter().find(|fact| match fact {
            Fact::Grant(it) => {
                it.object == *one.object
                    && it.privilege == one.privilege
                    && facts
                        .iter()
                        .any(|fact| is_granted_to(fact, one, &it.grantor))
                    && !has_own_option(&without, one, &it.grantor)
            }
            _ => false,
        });
        let Some(lost) = lost.cloned() else {
            return !has_own_option(&without, one, one.grantor);
        };
        without.remove(&lost);
    }
}

fn is_granted_to(fact: &Fact, one: &One<'_>, holder: &str) -> bool {
    matches!(fact, Fact::Grant(it) if it.object == *one.object
        && it.privilege == one.privilege
        && it.grantee.as_deref() == Some(holder))
}

/// As `recursive_revoke` in acl.c: what was granted by whoever has no option any more ends, or
/// nothing does.
fn end_dependents(
    facts: &mut BTreeSet<Fact>,
    authority: &Authority,
    object: &Object,
    privilege: Privilege,
    grant: &GrantPrivilege,
) -> Result<()> {
    let owner = authority.owner_of(object);
    let one = One {
        object,
        grantee: None,
        grantor: owner,
        privilege,
    };
    loop {
        let lost = facts.iter().find(|fact| match fact {
            Fact::Grant(it) => {
                it.object == *object
                    && it.privilege == privilege
                    && it.grantor != owner
                    && !has_option(facts, &one, &it.grantor)
            }
            _ => false,
        });
        let Some(lost) = lost.cloned() else {
            return Ok(());
        };
        if !grant.cascade {
            let message = "dependent privileges exist";
            return Err(Error::new(ErrorKind::DependentObjectsStillExist, message)
                .with_hint("Use CASCADE to revoke them too."));
        }
        facts.remove(&lost);
    }
}
