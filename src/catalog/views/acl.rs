//! Who granted one privilege on one object to whom, and what GRANT and REVOKE make of that. As
//! `aclupdate`, `check_circularity` and `recursive_revoke` in PostgreSQL's acl.c, which know a
//! column's grants apart from those of its relation.

use std::collections::BTreeSet;

use super::grants::impossible;
use crate::auth::{Authority, Fact, Grant, Object, Privilege};
use crate::error::{Error, ErrorKind, Result};

/// The grants of a privilege on an object.
#[derive(Clone)]
pub(super) struct Acl<'a> {
    authority: &'a Authority,
    object: &'a Object,
    privilege: Privilege,
    grants: Vec<Grant>,
}

impl<'a> Acl<'a> {
    /// What the facts say of it. The authority says who is a member of whom.
    pub(super) fn of(
        facts: &BTreeSet<Fact>,
        authority: &'a Authority,
        object: &'a Object,
        privilege: Privilege,
    ) -> Self {
        let grants = facts.iter().filter_map(|fact| match fact {
            Fact::Grant(it) if it.object == *object && it.privilege == privilege => {
                Some(it.clone())
            }
            _ => None,
        });
        Self {
            authority,
            object,
            privilege,
            grants: grants.collect(),
        }
    }

    /// Makes the facts say the same.
    pub(super) fn keep(self, facts: &mut BTreeSet<Fact>) {
        facts.retain(|fact| match fact {
            Fact::Grant(it) => it.object != *self.object || it.privilege != self.privilege,
            _ => true,
        });
        facts.extend(self.grants.into_iter().map(Fact::Grant));
    }

    /// GRANT to a role, or to PUBLIC.
    ///
    /// # Errors
    /// `InvalidGrantOperation`: the grantor has the grant option by the grantee alone.
    pub(super) fn grant(
        &mut self,
        grantee: Option<&str>,
        grantor: &str,
        with_option: bool,
    ) -> Result<()> {
        if with_option {
            self.refuse_circle(grantee, grantor)?;
        }
        match self.position(grantee, grantor) {
            Some(index) => self.grants[index].has_option |= with_option,
            None => self.grants.push(Grant {
                object: self.object.clone(),
                grantee: grantee.map(str::to_owned),
                grantor: grantor.to_owned(),
                privilege: self.privilege,
                has_option: with_option,
            }),
        }
        Ok(())
    }

    /// REVOKE, of the grant option alone or of the privilege with it.
    ///
    /// # Errors
    /// `DependentObjectsStillExist`: the grantee has granted it on, and that is not to end with it.
    pub(super) fn revoke(
        &mut self,
        grantee: Option<&str>,
        grantor: &str,
        option_alone: bool,
        cascade: bool,
    ) -> Result<()> {
        let Some(index) = self.position(grantee, grantor) else {
            return Ok(());
        };
        let had_option = self.grants[index].has_option;
        match option_alone {
            true => self.grants[index].has_option = false,
            false => drop(self.grants.remove(index)),
        }
        match grantee {
            Some(grantee) if had_option => self.end_grants_of(grantee, cascade),
            _ => Ok(()),
        }
    }

    /// What a role granted ends, unless the role may grant it still.
    fn end_grants_of(&mut self, grantor: &str, cascade: bool) -> Result<()> {
        if self.may_grant(grantor) {
            return Ok(());
        }
        while let Some(granted) = self.grants.iter().find(|it| it.grantor == grantor) {
            if !cascade {
                let message = "dependent privileges exist";
                return Err(Error::new(ErrorKind::DependentObjectsStillExist, message)
                    .with_hint("Use CASCADE to revoke them too."));
            }
            let grantee = granted.grantee.clone();
            self.revoke(grantee.as_deref(), grantor, false, cascade)?;
        }
        Ok(())
    }

    fn refuse_circle(&self, grantee: Option<&str>, grantor: &str) -> Result<()> {
        if grantor == self.owner() {
            return Ok(());
        }
        let mut without = self.clone();
        let is_option = |it: &&Grant| it.has_option && it.grantee.as_deref() == grantee;
        while let Some(option) = without.grants.iter().find(is_option).cloned() {
            without.revoke(grantee, &option.grantor, false, true)?;
        }
        match without.may_grant(grantor) {
            true => Ok(()),
            false => Err(impossible(
                "grant options cannot be granted back to your own grantor",
            )),
        }
    }

    /// Whether a role has the grant option, or a role that it is a member of.
    fn may_grant(&self, role: &str) -> bool {
        let rights = self.authority.rights_of_role(role);
        let holds = |it: &Grant| {
            let grantee = it.grantee.as_deref();
            it.has_option && grantee.is_some_and(|grantee| rights.include(grantee))
        };
        rights.include(self.owner()) || self.grants.iter().any(holds)
    }

    fn owner(&self) -> &'a str {
        self.authority.owner_of(self.object)
    }

    fn position(&self, grantee: Option<&str>, grantor: &str) -> Option<usize> {
        let mut grants = self.grants.iter();
        grants.position(|it| it.grantee.as_deref() == grantee && it.grantor == grantor)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::{Membership, OWNER, Role};

    /// Grants as `grantor>grantee`, with `*` behind who has the grant option.
    fn facts(grants: &[&str]) -> BTreeSet<Fact> {
        let grant = |text: &&str| {
            let (grantor, grantee) = text.split_once('>').expect("it has a grantor");
            Fact::Grant(Grant {
                object: Object::schema("s"),
                grantee: Some(grantee.trim_end_matches('*').to_owned()),
                grantor: grantor.to_owned(),
                privilege: Privilege::Usage,
                has_option: grantee.ends_with('*'),
            })
        };
        grants.iter().map(grant).collect()
    }

    /// Roles `a` to `d`, of which `b` is a member of `a`.
    fn authority() -> Authority {
        let roles = ["a", "b", "c", "d"];
        Authority {
            is_enforced: true,
            roles: roles
                .map(|name| (name.to_owned(), Arc::new(Role::new(name))))
                .into(),
            facts: BTreeSet::from([Fact::Membership(Membership {
                role: "a".to_owned(),
                member: "b".to_owned(),
                grantor: OWNER.to_owned(),
                has_admin: false,
                inherits: true,
                can_set: true,
            })]),
        }
    }

    fn check(
        before: &[&str],
        change: impl FnOnce(&mut Acl<'_>) -> Result<()>,
        after: std::result::Result<&[&str], ErrorKind>,
    ) {
        let (mut changed, authority, object) = (facts(before), authority(), Object::schema("s"));
        let mut acl = Acl::of(&changed, &authority, &object, Privilege::Usage);
        match (change(&mut acl), after) {
            (Ok(()), Ok(after)) => {
                acl.keep(&mut changed);
                assert_eq!(changed, facts(after), "{before:?}");
            }
            (Err(error), Err(kind)) => assert_eq!(error.kind(), kind, "{before:?}"),
            (done, _) => panic!("{before:?}: {done:?}"),
        }
    }

    #[test]
    fn what_was_granted_on_ends_with_the_option() {
        let chain = ["lakegate>c*", "c>d*", "d>a"];
        let revoke =
            |cascade| move |acl: &mut Acl<'_>| acl.revoke(Some("c"), OWNER, false, cascade);
        check(&chain, revoke(true), Ok(&[]));
        check(
            &chain,
            revoke(false),
            Err(ErrorKind::DependentObjectsStillExist),
        );
        let option = |acl: &mut Acl<'_>| acl.revoke(Some("c"), OWNER, true, true);
        check(&chain, option, Ok(&["lakegate>c"]));
        // What never was granted, or without the option, takes nothing with it.
        check(&["lakegate>c", "c>d"], revoke(false), Ok(&["c>d"]));
        check(&["c>d"], revoke(false), Ok(&["c>d"]));
    }

    #[test]
    fn a_grantor_keeps_the_option_by_a_membership() {
        let both = ["lakegate>a*", "lakegate>b*", "b>c"];
        let revoke = |acl: &mut Acl<'_>| acl.revoke(Some("b"), OWNER, false, false);
        check(&both, revoke, Ok(&["lakegate>a*", "b>c"]));
    }

    #[test]
    fn nobody_grants_the_option_back() {
        let back = |acl: &mut Acl<'_>| acl.grant(Some("c"), "d", true);
        let chain = ["lakegate>c*", "c>d*"];
        check(&chain, back, Err(ErrorKind::InvalidGrantOperation));
        let two = ["lakegate>c*", "lakegate>d*", "c>d*"];
        let after = ["lakegate>c*", "lakegate>d*", "c>d*", "d>c*"];
        check(&two, back, Ok(&after));
        // By way of a role that holds it, one may have it from oneself.
        let own = |acl: &mut Acl<'_>| acl.grant(Some("b"), "b", true);
        check(&["lakegate>a*"], own, Ok(&["lakegate>a*", "b>b*"]));
    }
}
