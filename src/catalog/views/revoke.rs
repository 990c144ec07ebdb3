//! What ends with a membership that is revoked: the memberships that were granted by way of it. As
//! initialize_revoke_actions and what follows it in PostgreSQL's user.c, step by step: also where that
//! leaves a grant whose grantor may not grant any more.

use std::collections::BTreeSet;

use crate::auth::{Fact, Membership, OWNER};
use crate::catalog::sql::RoleOption;
use crate::error::{Error, ErrorKind, Result};

/// What becomes of a membership (`RevokeRoleGrantAction`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Stays,
    LosesAdmin,
    LosesInherit,
    LosesSet,
    Ends,
}

/// What becomes of the memberships in one role.
pub(super) struct Revocation {
    memberships: Vec<Membership>,
    actions: Vec<Action>,
}

impl Revocation {
    /// Nothing is revoked yet.
    pub(super) fn of(facts: &BTreeSet<Fact>, role: &str) -> Self {
        let memberships: Vec<Membership> = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Membership(it) if it.role == role => Some(it.clone()),
                _ => None,
            })
            .collect();
        Self {
            actions: vec![Action::Stays; memberships.len()],
            memberships,
        }
    }

    /// Whether a grantor still has the ADMIN option once a member has no membership any more: else the
    /// two would hold each other's.
    pub(super) fn leaves_admin(
        facts: &BTreeSet<Fact>,
        role: &str,
        grantor: &str,
        member: &str,
    ) -> bool {
        if grantor == OWNER {
            return true;
        }
        let mut planned = Self::of(facts, role);
        for index in 0..planned.memberships.len() {
            if planned.memberships[index].member == member
                && planned.end(index, false, true).is_err()
            {
                return false;
            }
        }
        planned.has_admin(grantor)
    }

    /// `plan_single_revoke`: whether there is such a membership.
    ///
    /// # Errors
    /// `DependentObjectsStillExist`: something depends on it, and is not to go with it.
    pub(super) fn revoke(
        &mut self,
        member: &str,
        grantor: &str,
        option: Option<RoleOption>,
        cascade: bool,
    ) -> Result<bool> {
        let is_meant = |it: &Membership| it.member == member && it.grantor == grantor;
        let Some(index) = self.memberships.iter().position(is_meant) else {
            return Ok(false);
        };
        match option {
            Some(RoleOption::Inherit) => self.actions[index] = Action::LosesInherit,
            Some(RoleOption::Set) => self.actions[index] = Action::LosesSet,
            Some(RoleOption::Admin) => self.end(index, true, cascade)?,
            None => self.end(index, false, cascade)?,
        }
        Ok(true)
    }

    /// `plan_recursive_revoke`: a membership ends, or its ADMIN option, and what was granted by it.
    fn end(&mut self, index: usize, admin_alone: bool, cascade: bool) -> Result<()> {
        let before = self.actions[index];
        if before == Action::Ends || (before == Action::LosesAdmin && admin_alone) {
            return Ok(());
        }
        let had_admin = self.memberships[index].has_admin;
        if !admin_alone {
            self.actions[index] = Action::Ends;
        } else if had_admin {
            self.actions[index] = Action::LosesAdmin;
        }
        let member = self.memberships[index].member.clone();
        if !had_admin || self.has_admin(&member) {
            return Ok(());
        }
        for index in 0..self.memberships.len() {
            let is_granted = self.memberships[index].grantor == member;
            if !is_granted || self.actions[index] == Action::Ends {
                continue;
            }
            if !cascade {
                let message = "dependent privileges exist";
                return Err(Error::new(ErrorKind::DependentObjectsStillExist, message)
                    .with_hint("Use CASCADE to revoke them too."));
            }
            self.end(index, false, cascade)?;
        }
        Ok(())
    }

    /// Whether a member has the ADMIN option by a membership of which nothing is revoked.
    fn has_admin(&self, member: &str) -> bool {
        let mut all = self.memberships.iter().zip(&self.actions);
        all.any(|(it, action)| it.has_admin && it.member == member && *action == Action::Stays)
    }

    /// Changes what is said of the role.
    pub(super) fn apply(self, facts: &mut BTreeSet<Fact>) {
        for (before, action) in self.memberships.into_iter().zip(self.actions) {
            let mut after = before.clone();
            match action {
                Action::Stays => continue,
                Action::LosesAdmin => after.has_admin = false,
                Action::LosesInherit => after.inherits = false,
                Action::LosesSet => after.can_set = false,
                Action::Ends => {
                    facts.remove(&Fact::Membership(before));
                    continue;
                }
            }
            facts.remove(&Fact::Membership(before));
            facts.insert(Fact::Membership(after));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memberships as `grantor>member`, with `*` behind who has the ADMIN option.
    fn facts(memberships: &[&str]) -> BTreeSet<Fact> {
        let membership = |text: &&str| {
            let (grantor, member) = text.split_once('>').expect("it has a grantor");
            Fact::Membership(Membership {
                role: "r".to_owned(),
                member: member.trim_end_matches('*').to_owned(),
                grantor: grantor.to_owned(),
                has_admin: member.ends_with('*'),
                inherits: true,
                can_set: true,
            })
        };
        memberships.iter().map(membership).collect()
    }

    fn check(before: &[&str], member: &str, grantor: &str, cascade: bool, after: Option<&[&str]>) {
        let mut changed = facts(before);
        let mut planned = Revocation::of(&changed, "r");
        let done = planned.revoke(member, grantor, None, cascade);
        match (done, after) {
            (Ok(_), Some(after)) => {
                planned.apply(&mut changed);
                assert_eq!(changed, facts(after), "{before:?}");
            }
            (Err(error), None) => {
                assert_eq!(error.kind(), ErrorKind::DependentObjectsStillExist);
            }
            (done, _) => panic!("{before:?}: {done:?}"),
        }
    }

    #[test]
    fn what_was_granted_by_way_of_it_ends_too() {
        let chain = ["lakegate>a*", "a>b*", "b>c"];
        check(&chain, "a", "lakegate", true, Some(&[]));
        check(&chain, "a", "lakegate", false, None);
        check(&chain, "c", "b", false, Some(&["lakegate>a*", "a>b*"]));
        let two = ["lakegate>a*", "lakegate>b*", "b>a*", "a>c"];
        let one = ["lakegate>b*", "b>a*", "a>c"];
        check(&two, "a", "lakegate", false, Some(&one));
    }

    #[test]
    fn a_grant_whose_grantor_lost_the_option_before_stays() {
        // GRANT ... WITH ADMIN FALSE asks nothing of what was granted before.
        let before = ["lakegate>a", "a>b", "lakegate>c"];
        check(&before, "c", "lakegate", true, Some(&["lakegate>a", "a>b"]));
        check(
            &before,
            "a",
            "lakegate",
            false,
            Some(&["a>b", "lakegate>c"]),
        );
    }
}
