//! GRANT and REVOKE of roles, as AddRoleMems and DelRoleMems in PostgreSQL's user.c.

use std::collections::BTreeSet;

use super::edit::Editor;
use super::facts::{inherits_by_default, refuse_circle};
use super::revoke::Revocation;
use super::roles::denied;
use crate::auth::{Fact, Membership, OWNER, Role};
use crate::catalog::sql::{CreateRole, GrantRole, RoleOptions, RoleSpec};
use crate::error::{Error, ErrorKind, Result};

impl Editor<'_> {
    pub(super) fn grant_role(&mut self, grant: &GrantRole) -> Result<()> {
        self.require_roles()?;
        let mut members = Vec::new();
        for member in &grant.to {
            members.push(self.role_named(member)?);
        }
        let mut facts = self.views.authority.facts.clone();
        for role in &grant.roles {
            let role = self.role_named(role)?;
            self.require_may_grant(&role, grant.is_grant)?;
            let grantor = self.grantor(&role, grant.granted_by.as_ref(), grant.is_grant)?;
            if grant.is_grant {
                for member in &members {
                    self.add_member(&mut facts, &role, member, &grantor, grant.options)?;
                }
            } else {
                self.remove_members(&mut facts, &role, &members, &grantor, grant)?;
            }
        }
        self.set_facts(facts)
    }

    /// What CREATE ROLE says of memberships, and that who made a role may grant it.
    pub(super) fn grant_to_new(&mut self, create: &CreateRole, role: &Role) -> Result<()> {
        let mut facts = self.views.authority.facts.clone();
        let membership = |role: &str, member: &str, has_admin, inherits, can_set| {
            Fact::Membership(Membership {
                role: role.to_owned(),
                member: member.to_owned(),
                grantor: OWNER.to_owned(),
                has_admin,
                inherits,
                can_set,
            })
        };
        let name = role.name.as_str();
        let own = self.own_rights();
        if let Some(own) = &own {
            // As with createrole_self_grant, which is empty.
            facts.insert(membership(name, &own.name, true, false, false));
        }
        for spec in &create.in_roles {
            let of = self.role_named(spec)?;
            self.require_may_grant(&of, true)?;
            refuse_own(&of, name)?;
            let grantor = self.grantor(&of, None, true)?;
            facts.insert(Fact::Membership(Membership {
                role: of,
                member: name.to_owned(),
                grantor,
                has_admin: false,
                inherits: role.inherits,
                can_set: true,
            }));
        }
        let grantor = own.map_or_else(|| OWNER.to_owned(), |own| own.name);
        for (specs, has_admin) in [(&create.members, false), (&create.admins, true)] {
            for spec in specs {
                let member = self.role_named(spec)?;
                refuse_own(name, &member)?;
                let roles = &self.views.authority.roles;
                facts.insert(Fact::Membership(Membership {
                    role: name.to_owned(),
                    grantor: grantor.clone(),
                    has_admin,
                    inherits: inherits_by_default(&member, roles),
                    can_set: true,
                    member,
                }));
            }
        }
        match facts == self.views.authority.facts {
            true => Ok(()),
            false => self.set_facts(facts),
        }
    }

    /// As check_role_membership_authorization in user.c.
    fn require_may_grant(&self, role: &str, is_grant: bool) -> Result<()> {
        let Some(own) = self.own_rights() else {
            return Ok(());
        };
        let verb = if is_grant { "grant" } else { "revoke" };
        let what = format!("{verb} role \"{role}\"");
        if self.views.authority.is_superuser(role) {
            let detail = format!(
                "Only roles with the SUPERUSER attribute may {verb} roles with the SUPERUSER \
                 attribute."
            );
            return Err(denied(&what, detail));
        }
        match self.views.authority.is_admin(&own.name, role) {
            true => Ok(()),
            false => Err(denied(
                &what,
                format!(
                    "Only roles with the ADMIN option on role \"{role}\" may {verb} this role."
                ),
            )),
        }
    }

    /// As check_role_grantor in user.c: in whose name a role is granted.
    fn grantor(&self, role: &str, named: Option<&RoleSpec>, is_grant: bool) -> Result<String> {
        let authority = &self.views.authority;
        let own = self.own_rights();
        let Some(named) = named else {
            let Some(own) = own else {
                return Ok(OWNER.to_owned());
            };
            let best = authority.best_admin(&own.name, role);
            return best.map(str::to_owned).ok_or_else(|| {
                let detail = format!("No possible grantors of role \"{role}\" are inherited.");
                denied(&format!("grant role \"{role}\""), detail)
            });
        };
        let grantor = self.role_named(named)?;
        let verb = match is_grant {
            true => format!("grant privileges as role \"{grantor}\""),
            false => format!("revoke privileges granted by role \"{grantor}\""),
        };
        if let Some(own) = own
            && !authority.has_privileges_of(&own.name, &grantor)
        {
            let detail = format!(
                "Only roles with privileges of role \"{grantor}\" may {} this role.",
                if is_grant {
                    "grant privileges as"
                } else {
                    "revoke privileges granted by"
                }
            );
            return Err(denied(&verb, detail));
        }
        let has_admin = authority.memberships().any(|membership| {
            membership.has_admin && membership.role == role && membership.member == grantor
        });
        if is_grant && grantor != OWNER && !has_admin {
            let detail = format!("The grantor must have the ADMIN option on role \"{role}\".");
            return Err(denied(&verb, detail));
        }
        Ok(grantor)
    }

    fn add_member(
        &mut self,
        facts: &mut BTreeSet<Fact>,
        role: &str,
        member: &str,
        grantor: &str,
        options: RoleOptions,
    ) -> Result<()> {
        let before = take(facts, role, member, grantor);
        let default = || inherits_by_default(member, &self.views.authority.roles);
        let membership = Membership {
            role: role.to_owned(),
            member: member.to_owned(),
            grantor: grantor.to_owned(),
            has_admin: options
                .has_admin
                .unwrap_or(before.as_ref().is_some_and(|before| before.has_admin)),
            inherits: options
                .inherits
                .or(before.as_ref().map(|before| before.inherits))
                .unwrap_or_else(default),
            can_set: options
                .can_set
                .unwrap_or(before.as_ref().is_none_or(|before| before.can_set)),
        };
        let mut authority = self.views.authority.as_ref().clone();
        authority.facts.clone_from(facts);
        refuse_circle(&authority, &membership)?;
        if before.as_ref() == Some(&membership) {
            self.edited.notices.push(format!(
                "role \"{member}\" has already been granted membership in role \"{role}\" by \
                 role \"{grantor}\""
            ));
        }
        if membership.has_admin && !Revocation::leaves_admin(facts, role, grantor, member) {
            let message = "ADMIN option cannot be granted back to your own grantor";
            return Err(Error::new(ErrorKind::InvalidGrantOperation, message));
        }
        facts.insert(Fact::Membership(membership));
        Ok(())
    }

    /// As DelRoleMems in user.c.
    fn remove_members(
        &mut self,
        facts: &mut BTreeSet<Fact>,
        role: &str,
        members: &[String],
        grantor: &str,
        revoke: &GrantRole,
    ) -> Result<()> {
        let mut planned = Revocation::of(facts, role);
        for member in members {
            let is_there = planned.revoke(member, grantor, revoke.option_alone, revoke.cascade)?;
            if !is_there {
                self.edited.warnings.push(format!(
                    "role \"{member}\" has not been granted membership in role \"{role}\" by role \
                     \"{grantor}\""
                ));
            }
        }
        planned.apply(facts);
        Ok(())
    }
}

fn refuse_own(role: &str, member: &str) -> Result<()> {
    if role != member {
        return Ok(());
    }
    let message = format!("role \"{role}\" is a member of role \"{member}\"");
    Err(Error::new(ErrorKind::InvalidGrantOperation, message))
}

fn take(facts: &mut BTreeSet<Fact>, role: &str, member: &str, grantor: &str) -> Option<Membership> {
    let found = facts.iter().find(|fact| match fact {
        Fact::Membership(it) => it.role == role && it.member == member && it.grantor == grantor,
        _ => false,
    });
    let found = found.cloned()?;
    facts.remove(&found);
    match found {
        Fact::Membership(membership) => Some(membership),
        _ => None,
    }
}
