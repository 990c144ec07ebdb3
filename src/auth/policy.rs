//! Row policies and column masks: which conditions on its rows and which masks of its columns hold
//! for whoever reads a relation.
//!
//! The rules of row policies are those of PostgreSQL's rls.c and rowsecurity.c; functions are named
//! as theirs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Authority, Fact, Object, Rights};

/// The command that a policy is about. Nothing is written here, so that only policies of [`Self::All`]
/// and [`Self::Select`] decide anything; the others are kept and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyCommand {
    /// ALL.
    All,
    /// SELECT.
    Select,
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
}

impl PolicyCommand {
    /// All of them.
    pub const EVERY: [Self; 5] = [
        Self::All,
        Self::Select,
        Self::Insert,
        Self::Update,
        Self::Delete,
    ];

    /// Its word in CREATE POLICY.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    /// Its letter in `pg_policy.polcmd`.
    pub fn letter(self) -> &'static str {
        match self {
            Self::All => "*",
            Self::Select => "r",
            Self::Insert => "a",
            Self::Update => "w",
            Self::Delete => "d",
        }
    }

    fn is_about_reading(self) -> bool {
        matches!(self, Self::All | Self::Select)
    }
}

/// CREATE POLICY: a condition on the rows of a relation.
/// <https://www.postgresql.org/docs/16/sql-createpolicy.html>
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Policy {
    /// The relation whose rows it is about.
    pub relation: Object,
    /// Its name, once for each relation.
    pub name: String,
    /// PERMISSIVE, else RESTRICTIVE.
    pub is_permissive: bool,
    /// FOR.
    pub command: PolicyCommand,
    /// TO; empty for PUBLIC.
    pub roles: BTreeSet<String>,
    /// USING, as written, without the parentheses around it.
    pub using: Option<String>,
}

/// SECURITY LABEL ON COLUMN: what stands in place of a column's values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mask {
    /// The relation.
    pub relation: Object,
    /// The column's name.
    pub column: String,
    /// MASKED WITH, as written, without the parentheses around it.
    pub expression: String,
    /// EXCEPT FOR: these roles, and their members, see the values themselves.
    pub except: BTreeSet<String>,
}

/// What limits the reading of a relation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Each of these must hold of a row: it does if one of its conditions is true. Without a
    /// condition it never does.
    pub conditions: Vec<Vec<String>>,
    /// What is shown in place of columns, by their names.
    pub masks: BTreeMap<String, String>,
}

impl Protection {
    /// Whether it limits nothing.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty() && self.masks.is_empty()
    }

    /// What hides all that one of the two hides. Of two masks of a column `other`'s is shown.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for condition in other.conditions {
            if !self.conditions.contains(&condition) {
                self.conditions.push(condition);
            }
        }
        self.masks.extend(other.masks);
        self
    }
}

/// Whether policies decide about a relation's rows (`check_enable_rls` in rls.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowSecurity {
    /// They do not, whoever reads.
    Off,
    /// They do, but not about this reader.
    Bypassed,
    /// They do.
    On {
        /// The reader owns the relation, whose policies are forced on its owner.
        is_owner: bool,
    },
}

impl Authority {
    /// The policies of a relation, by their names.
    pub fn policies_of(&self, relation: &Object) -> impl Iterator<Item = &Policy> {
        let policies = self.policies();
        policies.filter(move |policy| policy.relation == *relation)
    }

    /// Every policy, by relation and name.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.facts.iter().filter_map(|fact| match fact {
            Fact::Policy(policy) => Some(policy),
            _ => None,
        })
    }

    /// Every mask, by relation and column.
    pub fn masks(&self) -> impl Iterator<Item = &Mask> {
        self.facts.iter().filter_map(|fact| match fact {
            Fact::Mask(mask) => Some(mask),
            _ => None,
        })
    }

    /// ENABLE ROW LEVEL SECURITY.
    pub fn has_row_security(&self, relation: &Object) -> bool {
        self.facts
            .contains(&Fact::RowSecurityEnabled(relation.clone()))
    }

    /// FORCE ROW LEVEL SECURITY.
    pub fn forces_row_security(&self, relation: &Object) -> bool {
        self.facts
            .contains(&Fact::RowSecurityForced(relation.clone()))
    }
}

impl Rights<'_> {
    /// Whether policies decide about the rows of a relation that these rights read.
    pub fn row_security(&self, relation: &Object) -> RowSecurity {
        let authority = self.authority();
        if !authority.has_row_security(relation) {
            return RowSecurity::Off;
        }
        let is_owner = self.own(relation);
        let is_forced = authority.forces_row_security(relation);
        match self.bypass_row_security() || (is_owner && !is_forced) {
            true => RowSecurity::Bypassed,
            false => RowSecurity::On { is_owner },
        }
    }

    /// The conditions and masks under which a relation is read, as `get_row_security_policies` in
    /// rowsecurity.c: one permissive policy at least must let a row through, and every restrictive
    /// one. Masks hide from all but superusers, the relation's owner and whom they except.
    pub fn protection(&self, relation: &Object) -> Protection {
        let mut protection = Protection::default();
        if let RowSecurity::On { .. } = self.row_security(relation) {
            let (permissive, restrictive): (Vec<&Policy>, Vec<&Policy>) = self
                .authority()
                .policies_of(relation)
                .filter(|it| it.command.is_about_reading() && self.are_meant(it))
                .partition(|policy| policy.is_permissive);
            let condition = |policy: &Policy| policy.using.clone();
            let permissive: Vec<String> = permissive.into_iter().filter_map(condition).collect();
            // As add_security_quals: where no row is let through, nothing else is asked.
            let is_asked = !permissive.is_empty();
            protection.conditions.push(permissive);
            let restrictive = restrictive.into_iter().filter(|_| is_asked);
            protection
                .conditions
                .extend(restrictive.filter_map(condition).map(|using| vec![using]));
        }
        if !self.own(relation) {
            let own = self.authority().masks().filter(|mask| {
                mask.relation == *relation && !mask.except.iter().any(|role| self.include(role))
            });
            let masks = own.map(|mask| (mask.column.clone(), mask.expression.clone()));
            protection.masks.extend(masks);
        }
        protection
    }

    /// `check_role_for_policy`.
    fn are_meant(&self, policy: &Policy) -> bool {
        policy.roles.is_empty() || policy.roles.iter().any(|role| self.include(role))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Membership, OWNER, Role, RoleChange};
    use super::*;

    fn table() -> Object {
        Object::relation("s", "t")
    }

    fn policy(name: &str, is_permissive: bool, roles: &[&str]) -> Fact {
        Fact::Policy(Policy {
            relation: table(),
            name: name.to_owned(),
            is_permissive,
            command: PolicyCommand::Select,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            using: Some(name.to_owned()),
        })
    }

    fn authority(facts: Vec<Fact>) -> Authority {
        let role = |name: &str| {
            let change = RoleChange {
                is_superuser: Some(name == "ada"),
                bypasses_row_security: Some(name == "skips"),
                ..RoleChange::default()
            };
            (name.to_owned(), Arc::new(Role::new(name).after(change)))
        };
        let member = Fact::Membership(Membership {
            role: "readers".to_owned(),
            member: "bi".to_owned(),
            grantor: OWNER.to_owned(),
            has_admin: false,
            inherits: true,
            can_set: true,
        });
        let names = ["ada", "bi", "readers", "owner", "skips", "loner"];
        Authority {
            is_enforced: true,
            roles: names.into_iter().map(role).collect(),
            facts: facts.into_iter().chain([member]).collect(),
        }
    }

    fn check(authority: &Authority, role: &str, expected: &[&[&str]]) {
        let protection = authority.rights_of_role(role).protection(&table());
        assert_eq!(protection.conditions, expected, "{role}");
    }

    #[test]
    fn permissive_policies_let_rows_through_and_restrictive_ones_hold_them_back() {
        let facts = vec![
            Fact::RowSecurityEnabled(table()),
            policy("a", true, &[]),
            policy("b", true, &["readers"]),
            policy("c", false, &["bi"]),
        ];
        let known = authority(facts);
        check(&known, "bi", &[&["a", "b"], &["c"]]);
        check(&known, "loner", &[&["a"]]);
        check(&known, "ada", &[]);
        check(&known, "skips", &[]);
        let restricted = vec![
            Fact::RowSecurityEnabled(table()),
            policy("c", false, &["bi"]),
        ];
        check(&authority(restricted), "bi", &[&[]]);
        let disabled = authority(vec![policy("a", true, &[])]);
        check(&disabled, "bi", &[]);
    }

    #[test]
    fn the_owner_reads_all_unless_it_is_forced() {
        let mut facts = vec![
            Fact::RowSecurityEnabled(table()),
            Fact::Owner(table(), "owner".to_owned()),
        ];
        check(&authority(facts.clone()), "owner", &[]);
        facts.push(Fact::RowSecurityForced(table()));
        check(&authority(facts), "owner", &[&[]]);
    }

    #[test]
    fn masks_hide_from_all_but_whom_they_except() {
        let mask = Fact::Mask(Mask {
            relation: table(),
            column: "c".to_owned(),
            expression: "null".to_owned(),
            except: BTreeSet::from(["readers".to_owned()]),
        });
        let known = authority(vec![mask]);
        let is_masked = |role: &str| !known.rights_of_role(role).protection(&table()).is_empty();
        assert!(is_masked("loner") && is_masked("skips"));
        assert!(!is_masked("bi") && !is_masked("ada"));
    }
}
