//! Who may what: the roles, what is granted to them, and the questions that are asked of both.
//!
//! The rules are those of PostgreSQL's acl.c; functions are named as theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::predefined::{OWNER, PREDEFINED, predefined};
use super::{Actor, DefaultGrant, Grant, Mask, Object, Policy, Privilege, Role, Roles, Standing};

/// The membership of a role in another: a row of `pg_auth_members`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// The role that is granted.
    pub role: String,
    /// Whom it is granted to.
    pub member: String,
    /// Who granted it.
    pub grantor: String,
    /// ADMIN: the member may grant the role.
    pub has_admin: bool,
    /// INHERIT: the member has the role's privileges.
    pub inherits: bool,
    /// SET: the member may SET ROLE to it.
    pub can_set: bool,
}

/// A setting that sessions begin with: ALTER ROLE ... SET.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleSetting {
    /// Whose sessions; `None` for all.
    pub role: Option<String>,
    /// ALTER DATABASE, and ALTER ROLE ... IN DATABASE.
    pub in_database: bool,
    /// The setting, in lower case.
    pub name: String,
    /// Its value, as SHOW would print it.
    pub value: String,
}

/// One thing that a file says about roles, beside that they exist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// GRANT role.
    Membership(Membership),
    /// ALTER ROLE ... SET.
    Setting(RoleSetting),
    /// GRANT of a privilege.
    Grant(Grant),
    /// ALTER DEFAULT PRIVILEGES.
    Default(DefaultGrant),
    /// ALTER ... OWNER TO.
    Owner(Object, String),
    /// REVOKE of what PUBLIC has without a grant.
    Withdrawn(Object, Privilege),
    /// CREATE POLICY.
    Policy(Policy),
    /// ALTER TABLE ... ENABLE ROW LEVEL SECURITY.
    RowSecurityEnabled(Object),
    /// ALTER TABLE ... FORCE ROW LEVEL SECURITY.
    RowSecurityForced(Object),
    /// SECURITY LABEL ON COLUMN.
    Mask(Mask),
}

impl Fact {
    /// The roles it names.
    pub fn roles(&self) -> Vec<&str> {
        match self {
            Self::Membership(membership) => {
                vec![&membership.role, &membership.member, &membership.grantor]
            }
            Self::Setting(setting) => setting.role.as_deref().into_iter().collect(),
            Self::Grant(grant) => {
                let grantee = grant.grantee.as_deref();
                grantee
                    .into_iter()
                    .chain([grant.grantor.as_str()])
                    .collect()
            }
            Self::Default(grant) => {
                let grantee = grant.grantee.as_deref();
                grantee.into_iter().chain(grant.owner.as_deref()).collect()
            }
            Self::Owner(_, owner) => vec![owner],
            Self::Policy(policy) => policy.roles.iter().map(String::as_str).collect(),
            Self::Mask(mask) => mask.except.iter().map(String::as_str).collect(),
            Self::Withdrawn(..) | Self::RowSecurityEnabled(_) | Self::RowSecurityForced(_) => {
                Vec::new()
            }
        }
    }

    /// The SQL of a condition or value in it, if it holds one.
    pub fn expression(&self) -> Option<&str> {
        match self {
            Self::Policy(policy) => policy.using.as_deref(),
            Self::Mask(mask) => Some(&mask.expression),
            _ => None,
        }
    }

    /// The object it is about.
    pub fn object(&self) -> Option<&Object> {
        match self {
            Self::Grant(grant) => Some(&grant.object),
            Self::Owner(object, _)
            | Self::Withdrawn(object, _)
            | Self::RowSecurityEnabled(object)
            | Self::RowSecurityForced(object) => Some(object),
            Self::Policy(policy) => Some(&policy.relation),
            Self::Mask(mask) => Some(&mask.relation),
            Self::Membership(_) | Self::Setting(_) | Self::Default(_) => None,
        }
    }

    /// The same once an object has another name; `None` if it is about one that is gone.
    pub fn moved(self, from: &Object, to: Option<&Object>) -> Option<Self> {
        let moved = |object: Object| match (object, to) {
            (object, _) if object.owned() != *from => Some(object),
            (_, None) => None,
            (Object::Column(.., column), Some(Object::Relation(schema, name))) => {
                Some(Object::Column(schema.clone(), name.clone(), column))
            }
            (_, Some(to)) => Some(to.clone()),
        };
        match self {
            Self::Grant(grant) => {
                let object = moved(grant.object)?;
                Some(Self::Grant(Grant { object, ..grant }))
            }
            Self::Owner(object, owner) => Some(Self::Owner(moved(object)?, owner)),
            Self::Withdrawn(object, privilege) => Some(Self::Withdrawn(moved(object)?, privilege)),
            Self::Policy(policy) => {
                let relation = moved(policy.relation)?;
                Some(Self::Policy(Policy { relation, ..policy }))
            }
            Self::RowSecurityEnabled(object) => Some(Self::RowSecurityEnabled(moved(object)?)),
            Self::RowSecurityForced(object) => Some(Self::RowSecurityForced(moved(object)?)),
            Self::Mask(mask) => {
                let relation = moved(mask.relation)?;
                Some(Self::Mask(Mask { relation, ..mask }))
            }
            other @ (Self::Membership(_) | Self::Setting(_) | Self::Default(_)) => Some(other),
        }
    }

    /// The same of a role that has another name.
    #[must_use]
    pub fn renamed(&self, from: &str, to: &str) -> Self {
        let renamed = |name: &String| match name == from {
            true => to.to_owned(),
            false => name.clone(),
        };
        match self {
            Self::Membership(membership) => Self::Membership(Membership {
                role: renamed(&membership.role),
                member: renamed(&membership.member),
                grantor: renamed(&membership.grantor),
                ..membership.clone()
            }),
            Self::Setting(setting) => Self::Setting(RoleSetting {
                role: setting.role.as_ref().map(renamed),
                ..setting.clone()
            }),
            Self::Grant(grant) => Self::Grant(Grant {
                grantee: grant.grantee.as_ref().map(renamed),
                grantor: renamed(&grant.grantor),
                ..grant.clone()
            }),
            Self::Default(grant) => Self::Default(DefaultGrant {
                owner: grant.owner.as_ref().map(renamed),
                grantee: grant.grantee.as_ref().map(renamed),
                ..grant.clone()
            }),
            Self::Owner(object, owner) => Self::Owner(object.clone(), renamed(owner)),
            Self::Policy(policy) => Self::Policy(Policy {
                roles: policy.roles.iter().map(renamed).collect(),
                ..policy.clone()
            }),
            Self::Mask(mask) => Self::Mask(Mask {
                except: mask.except.iter().map(renamed).collect(),
                ..mask.clone()
            }),
            Self::Withdrawn(..) | Self::RowSecurityEnabled(_) | Self::RowSecurityForced(_) => {
                self.clone()
            }
        }
    }
}

/// Who may what at one moment. Made whole, never changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authority {
    /// Whether roles decide: there is a file of roles, or was at any time since the start.
    pub is_enforced: bool,
    /// Those of the files.
    pub roles: Roles,
    /// What the files say beside.
    pub facts: BTreeSet<Fact>,
}

impl Authority {
    /// Whether there is a role of this name, a predefined one included.
    pub fn exists(&self, name: &str) -> bool {
        self.roles.contains_key(name) || name == OWNER || predefined(name).is_some()
    }

    /// The role of a file.
    pub fn role(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.get(name)
    }

    /// `superuser_arg`.
    pub fn is_superuser(&self, name: &str) -> bool {
        name == OWNER || self.role(name).is_some_and(|role| role.is_superuser)
    }

    /// Whether everything is allowed to whom a statement runs as.
    pub fn may_everything(&self, actor: &Actor) -> bool {
        match actor.standing {
            Standing::Open => true,
            Standing::Proved => self.is_superuser(&actor.user),
            Standing::Unproved => false,
        }
    }

    /// Every membership that was granted.
    pub fn memberships(&self) -> impl Iterator<Item = &Membership> {
        self.facts.iter().filter_map(|fact| match fact {
            Fact::Membership(membership) => Some(membership),
            _ => None,
        })
    }

    /// Every setting that sessions of some role begin with.
    pub fn all_settings(&self) -> impl Iterator<Item = &RoleSetting> {
        self.facts.iter().filter_map(|fact| match fact {
            Fact::Setting(setting) => Some(setting),
            _ => None,
        })
    }

    /// The settings that a role's sessions begin with, the stronger ones last: those of all roles, the database's,
    /// its own, and its own in the database (`process_settings` in postinit.c).
    pub fn settings_of(&self, role: &str) -> impl Iterator<Item = &RoleSetting> {
        let settings = self.all_settings();
        let mut settings: Vec<_> = settings
            .filter(|setting| setting.role.as_deref().is_none_or(|of| of == role))
            .collect();
        settings.sort_by_key(|setting| (setting.role.is_some(), setting.in_database));
        settings.into_iter()
    }

    /// A role, and every role that it is a member of by memberships of which `follows` is true, at
    /// any distance.
    fn roles_of(&self, member: &str, follows: impl Fn(&Membership) -> bool) -> BTreeSet<&str> {
        let mut by_member: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for membership in self.memberships().filter(|it| follows(it)) {
            let roles = by_member.entry(&membership.member).or_default();
            roles.push(&membership.role);
        }
        for role in &PREDEFINED {
            by_member.insert(role.name, role.member_of.to_vec());
        }
        let mut found = BTreeSet::new();
        let start = self
            .roles
            .get_key_value(member)
            .map(|(name, _)| name.as_str());
        let start = start.or_else(|| predefined(member).map(|role| role.name));
        let mut next: Vec<&str> = start.into_iter().collect();
        if member == OWNER {
            next.extend([OWNER, super::DATABASE_OWNER]);
        }
        while let Some(role) = next.pop() {
            if found.insert(role) {
                next.extend(by_member.get(role).into_iter().flatten());
            }
        }
        found
    }

    /// The roles whose privileges a role has without SET ROLE, itself among them.
    pub fn inherited_by(&self, role: &str) -> BTreeSet<&str> {
        self.roles_of(role, |membership| membership.inherits)
    }

    /// The groups of a token that are roles: such as cannot log in, so that nobody becomes somebody
    /// else by the name of a group, and no superusers.
    pub fn groups_of<'a>(&'a self, groups: &'a [String]) -> impl Iterator<Item = &'a str> {
        let roles = groups.iter().filter_map(|group| self.role(group));
        let groups = roles.filter(|role| !role.can_login && !self.is_superuser(&role.name));
        groups.map(|role| role.name.as_str())
    }

    /// `has_privs_of_role`.
    pub fn has_privileges_of(&self, member: &str, role: &str) -> bool {
        member == role || self.is_superuser(member) || self.inherited_by(member).contains(role)
    }

    /// `member_can_set_role`.
    pub fn can_set_role(&self, member: &str, role: &str) -> bool {
        let by_set = || self.roles_of(member, |membership| membership.can_set);
        member == role || self.is_superuser(member) || by_set().contains(role)
    }

    /// `is_member_of_role`; superusers are members of all.
    pub fn is_member(&self, member: &str, role: &str) -> bool {
        self.is_superuser(member) || self.is_member_nosuper(member, role)
    }

    /// `is_member_of_role_nosuper`.
    pub fn is_member_nosuper(&self, member: &str, role: &str) -> bool {
        member == role || self.roles_of(member, |_| true).contains(role)
    }

    /// `is_admin_of_role`: by a grant to itself, or to a role that it is a member of.
    pub fn is_admin(&self, member: &str, role: &str) -> bool {
        if self.is_superuser(member) {
            return true;
        }
        let own = self.roles_of(member, |_| true);
        member != role && self.has_admin_grant(&own, role)
    }

    fn has_admin_grant(&self, members: &BTreeSet<&str>, role: &str) -> bool {
        self.memberships()
            .any(|it| it.has_admin && it.role == role && members.contains(it.member.as_str()))
    }

    /// `select_best_admin`: the role with the ADMIN option on `role` by which a member grants it:
    /// itself, else one whose privileges it has.
    pub fn best_admin(&self, member: &str, role: &str) -> Option<&str> {
        let is_admin = |of: &str| {
            self.memberships()
                .find(|it| it.has_admin && it.role == role && it.member == of)
                .map(|it| it.member.as_str())
        };
        let mut inherited = self.inherited_by(member).into_iter();
        is_admin(member).or_else(|| inherited.find_map(is_admin))
    }
}

#[cfg(test)]
mod tests {
    use super::super::RoleChange;
    use super::*;

    fn authority(memberships: &[(&str, &str, &str)]) -> Authority {
        let names = ["ada", "bi", "readers", "staff", "loner"];
        let role = |name: &str| {
            let change = RoleChange {
                is_superuser: Some(name == "ada"),
                ..RoleChange::default()
            };
            (name.to_owned(), Arc::new(Role::new(name).after(change)))
        };
        let facts = memberships.iter().map(|(role, member, options)| {
            Fact::Membership(Membership {
                role: (*role).to_owned(),
                member: (*member).to_owned(),
                grantor: OWNER.to_owned(),
                has_admin: options.contains('a'),
                inherits: options.contains('i'),
                can_set: options.contains('s'),
            })
        });
        Authority {
            is_enforced: true,
            roles: names.into_iter().map(role).collect(),
            facts: facts.collect(),
        }
    }

    #[test]
    fn memberships_reach_as_far_as_their_options() {
        let known = authority(&[
            ("readers", "bi", "is"),
            ("staff", "readers", "s"),
            ("pg_monitor", "staff", "i"),
        ]);
        assert!(known.has_privileges_of("bi", "readers"));
        assert!(!known.has_privileges_of("bi", "staff"));
        assert!(known.can_set_role("bi", "staff"));
        assert!(!known.can_set_role("bi", "pg_monitor"));
        assert!(known.is_member_nosuper("bi", "pg_read_all_stats"));
        assert!(known.has_privileges_of("staff", "pg_read_all_settings"));
        assert!(!known.is_member_nosuper("readers", "bi"));
        assert!(known.has_privileges_of("ada", "loner"));
        assert!(!known.is_member_nosuper("ada", "loner"));
        assert!(known.has_privileges_of(OWNER, "pg_database_owner"));
    }

    #[test]
    fn the_admin_option_is_reached_through_memberships() {
        let known = authority(&[("readers", "staff", "a"), ("staff", "bi", "i")]);
        assert!(known.is_admin("bi", "readers") && known.is_admin("ada", "readers"));
        assert!(!known.is_admin("bi", "staff") && !known.is_admin("readers", "readers"));
        assert_eq!(known.best_admin("bi", "readers"), Some("staff"));
        assert_eq!(known.best_admin("loner", "readers"), None);
    }

    #[test]
    fn who_has_proved_nothing_may_nothing() {
        let known = authority(&[]);
        let as_whom = |standing| Actor {
            user: "ada".to_owned(),
            session_user: "ada".to_owned(),
            standing,
            groups: Arc::default(),
        };
        assert!(known.may_everything(&as_whom(Standing::Proved)));
        assert!(!known.may_everything(&as_whom(Standing::Unproved)));
        assert!(known.may_everything(&Actor::open("nobody")));
    }
}
